//! The threads that compute, and the bounded queue before them.

use super::order::{Answer, Order};
use crate::data::{self, Budget, ClassTable};
use crate::device;
use crate::export::{Details, Format, Mask};
use crate::files::{self, TemporaryFolder};
use crate::inference::{self, Look, Sampling, SegmentError, Tiling, Viewing};
use crate::kernels::MatmulPrecision;
use crate::labels;
use crate::model::{Card, Model};
use crate::models::{self, BUILT_IN, LoadError};
use crate::votes::{Outlines, Votes};
use burn::tensor::Device;
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Models that stay in memory, besides the server's own.
const MODELS: usize = 3;
/// Photos that a CPU segments side by side at most.
const SIDE_BY_SIDE: usize = 4;
/// Opacity of class colours over a photo, as `flowseg segment` has it.
const OPACITY: f32 = 0.5;
/// What a photo is called in answers and errors.
const PHOTO: &str = "photo";

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The server's own model.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// No folder for what is being written.
    #[error("no temporary folder: {0}")]
    Folder(io::Error),
    /// No thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// What an order failed of.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The request can't be fulfilled as it is.
    #[error("{0}")]
    Request(String),
    /// The client left.
    #[error("the client left")]
    Left,
    /// Something of the server's.
    #[error("{0}")]
    Server(String),
}

/// A place in the queue, free again when it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// A photo to segment.
struct Job {
    order: Order,
    photo: Vec<u8>,
    reply: oneshot::Sender<Result<Vec<u8>, Failure>>,
    /// Given back before the answer is sent: who has one finds the place free.
    place: Place,
}

/// Computes masks on threads of its own.
pub struct Engine {
    jobs: SyncSender<Job>,
    places: Arc<Semaphore>,
    capacity: usize,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the engine's threads share.
struct Shared {
    device: Device,
    precision: MatmulPrecision,
    name: OsString,
    model: Arc<Model>,
    steps: Option<usize>,
    /// The latest used first.
    others: Mutex<Vec<(String, Arc<Model>)>>,
    /// Whether the last computation broke off, as all do on a lost device.
    failing: AtomicBool,
    /// What keeps several large photos from filling the memory.
    budget: Budget,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Loads a model and starts the threads. At most `waiting` photos are received, waiting or being
    /// computed at a time. `precision` is every model's; `steps` is for requests that name none.
    ///
    /// # Errors
    /// A model that can't be loaded, and a system that refuses.
    pub fn start(
        name: OsString,
        device: Device,
        precision: MatmulPrecision,
        steps: Option<usize>,
        waiting: usize,
    ) -> Result<Self, EngineError> {
        let model = Arc::new(models::load(&name, &device)?.with_precision(precision));
        // A GPU takes its work from one thread.
        let side_by_side = if device::on_cpu(&device) {
            rayon::current_num_threads().clamp(1, SIDE_BY_SIDE)
        } else {
            1
        };
        let shared = Arc::new(Shared {
            device,
            precision,
            name,
            model,
            steps,
            others: Mutex::new(Vec::new()),
            failing: AtomicBool::new(false),
            budget: Budget::default(),
        });
        // Jobs have places, so that sending never waits.
        let (jobs, queue) = sync_channel(waiting);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::new();
        for at in 0..side_by_side.min(waiting) {
            let folder = TemporaryFolder::private().map_err(EngineError::Folder)?;
            let (shared, queue) = (shared.clone(), queue.clone());
            let thread = Builder::new()
                .name(format!("flowseg-network-{at}"))
                .spawn(move || work(&shared, &queue, &folder))
                .map_err(EngineError::Thread)?;
            threads.push(thread);
        }
        Ok(Self {
            jobs,
            places: Arc::new(Semaphore::new(waiting)),
            capacity: waiting,
            shared,
            threads,
        })
    }

    /// A place in the queue, where one is free.
    pub(super) fn place(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Whether the last computation broke off, as all do on a lost device.
    pub(super) fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// How many photos are received, waiting or being computed, and how many may be.
    pub(super) fn load(&self) -> [usize; 2] {
        [
            self.capacity - self.places.available_permits().min(self.capacity),
            self.capacity,
        ]
    }

    /// Segments a photo: the bytes of the answer.
    pub(super) async fn segment(
        &self,
        order: Order,
        photo: Vec<u8>,
        place: Place,
    ) -> Result<Vec<u8>, Failure> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            order,
            photo,
            reply,
            place,
        };
        let ended = || Failure::Server("the server is ending".into());
        self.jobs.try_send(job).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The models that a request can name.
    pub(super) fn models(&self) -> Value {
        let own = self.shared.name.to_string_lossy();
        let mut listed = vec![described(&own, &self.shared.model.card, true)];
        let built_in = BUILT_IN.iter().filter(|(name, _)| *name != own);
        listed.extend(built_in.filter_map(|(name, bytes)| {
            let card = Card::read(bytes).ok()?;
            Some(described(name, &card, false))
        }));
        for (name, path) in models::installed() {
            let bytes = files::map_file(&path, "model file");
            let card = bytes.ok().and_then(|bytes| Card::read(&bytes).ok());
            if let Some(card) = card.filter(|_| name != own) {
                listed.push(described(&name, &card, false));
            }
        }
        Value::Array(listed)
    }

    /// Ends the threads once everything is computed.
    pub(super) fn join(self) {
        drop(self.jobs);
        for thread in self.threads {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn described(name: &str, card: &Card, default: bool) -> Value {
    json!({
        "name": name,
        "default": default,
        "classes": card.classes,
        "dataset": card.dataset,
        "size": card.size,
        "steps": card.default_steps(),
        "score": card.score,
        "licence": card.licence,
    })
}

fn of_server(error: impl std::error::Error) -> Failure {
    Failure::Server(error.to_string())
}

/// The life of one thread.
fn work(shared: &Shared, queue: &Mutex<Receiver<Job>>, folder: &TemporaryFolder) {
    loop {
        let Ok(mut job) = lock(queue).recv() else {
            return;
        };
        if job.reply.is_closed() {
            continue;
        }
        let photo = std::mem::take(&mut job.photo);
        let left = || job.reply.is_closed();
        let answer = || answered(shared, &job.order, photo, folder.path(), &left);
        // The thread has to outlive whatever a photo does to it.
        let answer = catch_unwind(AssertUnwindSafe(answer));
        shared.failing.store(answer.is_err(), Ordering::Relaxed);
        let answer = answer.unwrap_or_else(|_| {
            let message = "the computation failed; the server's log says why";
            Err(Failure::Server(message.into()))
        });
        drop(job.place);
        // A client that left wants no answer.
        let _ = job.reply.send(answer);
    }
}

fn answered(
    shared: &Shared,
    order: &Order,
    photo: Vec<u8>,
    folder: &Path,
    left: &dyn Fn() -> bool,
) -> Result<Vec<u8>, Failure> {
    let model = shared.model_named(order.model.as_deref())?;
    let decoding = shared.budget.admit(data::pixels_at_most(&photo));
    let photo = data::decode_photo(Path::new(PHOTO), photo)
        .map_err(|error| Failure::Request(error.to_string()))?;
    drop(decoding);
    let pixels = u64::from(photo.width()) * u64::from(photo.height());
    let _segmenting = shared.budget.admit(pixels);
    let steps = order.steps.or(shared.steps);
    let sampling = Sampling {
        steps: steps.unwrap_or(model.card.default_steps()),
        ..Sampling::default()
    };
    let centroids = model.centroids();
    let viewing = Viewing {
        looks: vec![Look::default()],
        tiling: Tiling::Off,
        sampling,
        outlines: Outlines::default(),
        ignore_below: 0.0,
    };
    let segmented = inference::segment(&model, &centroids, &photo, &viewing, left);
    let segmented = segmented.map_err(|error| match error {
        SegmentError::Stopped => Failure::Left,
        error => of_server(error),
    })?;
    let network_size = segmented.size;
    let size = [photo.height(), photo.width()].map(|side| side as usize);
    let (labels, votes) = segmented.into_labels(size, viewing.ignore_below);
    let colours = centroids.colours();
    let mask = Mask {
        photo: &photo,
        labels: &labels,
        classes: &model.card.classes,
        colours: &colours,
    };
    match order.answer {
        Answer::Json => Ok(summary(&mask, network_size, sampling.steps)),
        Answer::File(format) => file(format, &mask, &votes, folder),
    }
}

/// The shares of the classes, and what they were computed with.
fn summary(mask: &Mask, network_size: [usize; 2], steps: usize) -> Vec<u8> {
    let shares = labels::shares(mask.labels, mask.classes.len());
    let names = ClassTable::new(mask.classes.to_vec()).names;
    let shares: Map<String, Value> = names
        .into_iter()
        .zip(shares)
        .map(|(name, share)| (name, share.into()))
        .collect();
    let (width, height) = mask.photo.dimensions();
    let summary = json!({
        "width": width,
        "height": height,
        "network_size": network_size,
        "steps": steps,
        "shares": shares,
    });
    summary.to_string().into_bytes()
}

/// The file that `flowseg segment` would write.
fn file(format: Format, mask: &Mask, votes: &Votes, folder: &Path) -> Result<Vec<u8>, Failure> {
    if mask.classes.len() > format.most_classes() {
        return Err(Failure::Request(format!(
            "the {} has room for {} classes and the model has {}: ask for format=png",
            format.noun(),
            format.most_classes(),
            mask.classes.len()
        )));
    }
    let path = folder.join(format.suffix().unwrap_or_default().trim_start_matches('.'));
    let details = Details {
        photo: Path::new(PHOTO),
        cutout: &[],
        opacity: OPACITY,
        votes,
    };
    format.write(mask, &path, &details).map_err(of_server)?;
    let bytes = files::read(&path).map_err(of_server)?;
    files::remove_file(&path).map_err(of_server)?;
    Ok(bytes)
}

impl Shared {
    /// The server's own model, or another by its name: paths of this machine's files are no names.
    fn model_named(&self, name: Option<&str>) -> Result<Arc<Model>, Failure> {
        let Some(name) = name.filter(|name| *name != self.name) else {
            return Ok(self.model.clone());
        };
        let built_in = BUILT_IN.iter().any(|(built_in, _)| *built_in == name);
        let installed = models::installed()
            .into_iter()
            .find(|(installed, _)| installed == name);
        let from = match installed {
            _ if built_in => OsString::from(name),
            Some((_, path)) => path.into_os_string(),
            None => {
                return Err(Failure::Request(format!(
                    "there is no model {name:?}: GET /models lists them"
                )));
            }
        };
        // Held while a model is loaded, so that no two threads load the same.
        let mut others = lock(&self.others);
        let at = others.iter().position(|(other, _)| other == name);
        let entry = match at {
            Some(at) => others.remove(at),
            None => {
                let model = models::load(&from, &self.device);
                let model = model.map_err(of_server)?.with_precision(self.precision);
                (name.to_owned(), Arc::new(model))
            }
        };
        let model = entry.1.clone();
        others.insert(0, entry);
        others.truncate(MODELS);
        Ok(model)
    }
}
