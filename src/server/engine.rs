//! The threads that compute, and the bounded queue before them.

use super::log::Log;
use super::order::{Answer, Order};
use super::queue::Queue;
use crate::data::{self, Budget, ClassTable, DataError, Origin};
use crate::device;
use crate::export::{Details, Format, Mask};
use crate::files::{self, Stamp, TemporaryFolder};
use crate::inference::{self, Look, Sampling, SegmentError, Tiling, Viewing};
use crate::kernels::MatmulPrecision;
use crate::labels;
use crate::model::{Card, Model};
use crate::models::{self, BUILT_IN, LoadError};
use crate::panics::panic_message;
use crate::votes::{Outlines, Votes};
use burn::tensor::Device;
use hyper::body::Bytes;
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
pub(super) const PHOTO: &str = "photo";

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

/// The file of a photo.
pub(super) struct Photo {
    /// For errors; its ending tells a TGA.
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

/// A photo to segment.
struct Job {
    order: Order,
    photo: Photo,
    reply: oneshot::Sender<Result<Bytes, Failure>>,
    place: Place,
    /// Says why a computation failed.
    log: Log,
}

/// An answer that is being sent. Its place is taken as long as its memory is: who has received all of
/// it finds the place free.
struct Sending {
    bytes: Vec<u8>,
    /// How many there are.
    count: Arc<AtomicUsize>,
    _place: Place,
}

impl Sending {
    fn new(bytes: Vec<u8>, count: &Arc<AtomicUsize>, place: Place) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self {
            bytes,
            count: count.clone(),
            _place: place,
        }
    }
}

impl AsRef<[u8]> for Sending {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A model that stays in memory.
struct Kept {
    name: String,
    /// `None` for a built-in one.
    file: Option<Stamp>,
    model: Arc<Model>,
}

/// Computes masks on threads of its own.
pub struct Engine {
    queue: Arc<Queue<Job>>,
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
    others: Mutex<Vec<Kept>>,
    /// Whether a computation failed, as all do on a lost device, or gave no numbers, and none succeeded since.
    failing: AtomicBool,
    /// Answers that are being sent.
    sending: Arc<AtomicUsize>,
    /// What keeps several large photos from filling the memory.
    budget: Budget,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Loads a model and starts the threads. At most `waiting` photos are received, waiting, being
    /// computed or answered at a time. `precision` is every model's; `steps` is for requests that name none.
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
        // Every file that is answered needs a folder: a system that has none says so now.
        drop(TemporaryFolder::private().map_err(EngineError::Folder)?);
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
            sending: Arc::default(),
            budget: Budget::default(),
        });
        let mut engine = Self {
            queue: Arc::new(Queue::new()),
            places: Arc::new(Semaphore::new(waiting)),
            capacity: waiting,
            shared,
            threads: Vec::new(),
        };
        for at in 0..side_by_side.min(waiting) {
            let (shared, queue) = (engine.shared.clone(), engine.queue.clone());
            let thread = Builder::new()
                .name(format!("flowseg-network-{at}"))
                .spawn(move || work(&shared, &queue))
                .map_err(EngineError::Thread)?;
            engine.threads.push(thread);
        }
        Ok(engine)
    }

    /// A place in the queue, where one is free.
    pub(super) fn place(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Whether a computation failed, as all do on a lost device, or gave no numbers, and none succeeded since.
    pub(super) fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// How many photos are received, waiting, being computed or answered, and how many may be.
    pub(super) fn load(&self) -> [usize; 2] {
        [
            self.capacity - self.places.available_permits().min(self.capacity),
            self.capacity,
        ]
    }

    /// Whether photos are received, waiting or being computed.
    pub(super) fn is_working(&self) -> bool {
        let [busy, _] = self.load();
        busy > self.shared.sending.load(Ordering::Relaxed)
    }

    /// Segments a photo: the bytes of the answer, which keep the place until they are dropped. Why a computation failed
    /// is in the log.
    pub(super) async fn segment(
        &self,
        order: Order,
        photo: Photo,
        place: Place,
        log: Log,
    ) -> Result<Bytes, Failure> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            order,
            photo,
            reply,
            place,
            log,
        };
        let ended = || Failure::Server("the server is ending".into());
        // The photo of a client that leaves is dropped at once, with its place, if it still waits.
        let _waiting = self.queue.push(job).ok_or_else(ended)?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The models that a request can name.
    pub(super) async fn models(&self) -> Result<Value, Failure> {
        let shared = self.shared.clone();
        // Files are read: connections do not wait for them.
        let listed = tokio::task::spawn_blocking(move || shared.models());
        listed.await.map_err(of_server)
    }
}

impl Drop for Engine {
    /// Ends the threads once everything is computed.
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
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
fn work(shared: &Shared, queue: &Queue<Job>) {
    while let Some(job) = queue.take() {
        let Job {
            order,
            photo,
            reply,
            place,
            log,
        } = job;
        if reply.is_closed() {
            continue;
        }
        let left = || reply.is_closed();
        let answer = || answered(shared, &order, photo, &left);
        // The thread has to outlive whatever a photo does to it.
        let answer = device::attempt(answer).unwrap_or_else(|panic| {
            shared.failing.store(true, Ordering::Relaxed);
            // The log of crashes ends after a few.
            let failed = device::Failed::of(&panic_message(&*panic), &shared.device);
            // Not written here: who reads standard error may have stopped, and the thread has to go on.
            log.add(format!(
                "flowseg: {}",
                failed.needing_less_with("another model")
            ));
            let message = "the computation failed; the server's log says why";
            Err(Failure::Server(message.into()))
        });
        let answer = match answer {
            Ok(bytes) => {
                shared.failing.store(false, Ordering::Relaxed);
                Ok(Bytes::from_owner(Sending::new(
                    bytes,
                    &shared.sending,
                    place,
                )))
            }
            Err(failure) => {
                // Before the answer: who has one finds the place free.
                drop(place);
                Err(failure)
            }
        };
        // A client that left wants no answer.
        let _ = reply.send(answer);
    }
}

fn answered(
    shared: &Shared,
    order: &Order,
    photo: Photo,
    left: &dyn Fn() -> bool,
) -> Result<Vec<u8>, Failure> {
    let name = Path::new(photo.name);
    let refused = |error: DataError| Failure::Request(error.to_string());
    // Neither a model nor room is taken for what is no photo.
    let weight = data::weight_of(name, &photo.bytes).map_err(refused)?;
    let model = shared.model_named(order.model.as_deref())?;
    let admit = |pixels| {
        let admitted = shared.budget.admit_unless(pixels, left);
        admitted.ok_or(Failure::Left)
    };
    let decoding = admit(weight)?;
    let photo = data::decode_photo(name, photo.bytes).map_err(refused)?;
    drop(decoding);
    let _segmenting = admit(u64::from(photo.width()) * u64::from(photo.height()))?;
    let steps = order.steps.or(shared.steps);
    let sampling = Sampling {
        steps: model.card.solver_steps(steps),
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
    let segmented = segmented.map_err(|error| failed(&shared.failing, error))?;
    let network_size = segmented.size;
    let size = data::size_of(&photo);
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
        Answer::File(format) => file(format, &mask, &votes),
    }
}

/// A photo that the model did not segment; `failing` is set where it is the computation that fails.
fn failed(failing: &AtomicBool, error: SegmentError) -> Failure {
    match error {
        SegmentError::Stopped => Failure::Left,
        SegmentError::NotFinite(_) => {
            failing.store(true, Ordering::Relaxed);
            of_server(error)
        }
        SegmentError::TooWide(_) => Failure::Server(error.with_remedy("another model")),
    }
}

/// The shares of the classes, and what they were computed with.
fn summary(mask: &Mask, network_size: [usize; 2], steps: usize) -> Vec<u8> {
    let counts = labels::counts(mask.labels, mask.classes.len());
    // In double precision, as `flowseg segment` prints them.
    let share = |count: usize| count as f64 / mask.labels.len() as f64;
    let names = ClassTable::new(mask.classes.to_vec()).names;
    let shares: Map<String, Value> = names
        .into_iter()
        .zip(counts)
        .map(|(name, count)| (name, share(count).into()))
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
fn file(format: Format, mask: &Mask, votes: &Votes) -> Result<Vec<u8>, Failure> {
    if mask.classes.len() > format.most_classes() {
        return Err(Failure::Request(format!(
            "the {} has room for {} classes and the model has {}: ask for format=png",
            format.noun(),
            format.most_classes(),
            mask.classes.len()
        )));
    }
    // One for each answer: the system may remove what lies there for long.
    let temporary = TemporaryFolder::private()
        .map_err(|error| Failure::Server(format!("no temporary folder: {error}")))?;
    // Without links, as files that name the photo see it: its name is all that they hold.
    let folder = dunce::canonicalize(temporary.path()).map_err(of_server)?;
    let path = folder.join(format.suffix().unwrap_or_default().trim_start_matches('.'));
    let details = Details {
        photo: &folder.join(PHOTO),
        cutout: &[],
        opacity: OPACITY,
        votes: Some(votes),
        origin: Origin::Unstated,
    };
    format.write(mask, &path, &details).map_err(of_server)?;
    files::read(&path).map_err(of_server)
}

impl Shared {
    /// The server's own model, or another by its name: paths of this machine's files are no names.
    fn model_named(&self, name: Option<&str>) -> Result<Arc<Model>, Failure> {
        let Some(name) = name.filter(|name| *name != self.name) else {
            return Ok(self.model.clone());
        };
        let installed = || {
            models::installed()
                .into_iter()
                .find(|found| found.0 == name)
        };
        let (from, file) = if is_built_in(name) {
            (OsString::from(name), None)
        } else if let Some((_, path)) = installed() {
            let stamp = Stamp::of(&path);
            (path.into_os_string(), stamp)
        } else {
            return Err(Failure::Request(format!(
                "there is no model {name:?}: GET /models lists them"
            )));
        };
        // Held while a model is loaded, so that no two threads load the same.
        let mut others = lock(&self.others);
        let at = others.iter().position(|kept| kept.name == name);
        let kept = at.map(|at| others.remove(at));
        let kept = match kept.filter(|kept| kept.file == file) {
            Some(kept) => kept,
            None => {
                let model = models::load(&from, &self.device);
                let model = model.map_err(of_server)?.with_precision(self.precision);
                Kept {
                    name: name.to_owned(),
                    file,
                    model: Arc::new(model),
                }
            }
        };
        let model = kept.model.clone();
        others.insert(0, kept);
        others.truncate(MODELS);
        Ok(model)
    }

    /// The models that a request can name: the server's own, then the built-in and the installed ones.
    fn models(&self) -> Value {
        let own = self.name.to_string_lossy();
        let mut listed = vec![described(&own, &self.model.card, true)];
        let built_in = BUILT_IN.iter().filter(|(name, _)| *name != own);
        listed.extend(built_in.filter_map(|(name, bytes)| {
            let card = Card::read(bytes).ok()?;
            Some(described(name, &card, false))
        }));
        for (name, path) in models::installed() {
            if name == own || is_built_in(&name) {
                continue;
            }
            let bytes = files::map_file(&path, "model file");
            let card = bytes.ok().and_then(|bytes| Card::read(&bytes).ok());
            // One without classes is a starting point for training.
            if let Some(card) = card.filter(|card| card.classes.len() >= 2) {
                listed.push(described(&name, &card, false));
            }
        }
        Value::Array(listed)
    }
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Prediction;
    use crate::model::testing;

    #[test]
    fn the_steps_that_are_stated_are_those_that_are_taken() {
        let of = |prediction| {
            let card = testing::tiny(&["a", "b"], [8, 8], |card| card.prediction = prediction).card;
            let listed = described("model", &card, false)["steps"].as_u64();
            (listed, card.solver_steps(None), card.solver_steps(Some(50)))
        };
        assert_eq!(of(Prediction::Velocity), (Some(10), 10, 50));
        assert_eq!(of(Prediction::Logits), (Some(1), 1, 1));
    }

    #[test]
    fn only_computations_that_fail_count_as_failing() {
        let failing = AtomicBool::new(false);
        let left = failed(&failing, SegmentError::Stopped);
        assert!(matches!(left, Failure::Left));
        failed(&failing, SegmentError::TooWide(1));
        assert!(!failing.load(Ordering::Relaxed));
        let model = testing::tiny(&["a", "b"], [8, 8], |_| ());
        let error = inference::check_finite(&model, &[f32::NAN]).unwrap_err();
        let broken = failed(&failing, error.into());
        assert!(matches!(broken, Failure::Server(_)));
        assert!(failing.load(Ordering::Relaxed));
    }
}
