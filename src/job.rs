//! Segmentation on a worker thread.
//!
//! A [`Worker`] segments photos and reports every state as it is computed. Its single thread lives as
//! long as the window, since GPU work is ordered by thread. It takes the latest request, stops the
//! previous one within one solver step, and reports through a bounded channel. When idle, it computes
//! the masks of a queue of photos, one after the other.

use crate::crash;
use crate::data::{self, SceneConfig};
use crate::inference::{self, Sampling, SegmentError, Viewing};
use crate::labels::LabelMap;
use crate::model::Model;
use crate::sampler::State;
use burn::tensor::Device;
use image::RgbImage;
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Capacity of the channel to the reader; the worker blocks when it is full.
const QUEUE: usize = 4;

/// Where a photo comes from.
#[derive(Clone)]
pub enum Photo {
    /// A file, decoded by the worker.
    File(PathBuf),
    /// A decoded picture.
    Picture(Arc<RgbImage>),
    /// A procedural scene, rendered by the worker.
    Scene(SceneConfig, u64),
}

impl Photo {
    /// The photo, upright.
    pub(crate) fn picture(&self) -> Result<Arc<RgbImage>, String> {
        match self {
            Self::Picture(picture) => Ok(picture.clone()),
            Self::Scene(config, index) => Ok(Arc::new(data::render(config, *index).image)),
            Self::File(path) => match data::read_photo(path) {
                Ok(photo) => Ok(Arc::new(photo)),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

/// What the worker reports.
pub enum Message {
    /// A model was opened.
    Model(Arc<Model>),
    /// The photo was decoded.
    Opened {
        /// The photo, upright.
        photo: Arc<RgbImage>,
        /// Its labels, if it belongs to a data set with the model's classes.
        truth: Option<Arc<LabelMap>>,
        /// `[height, width]` of the states.
        size: [usize; 2],
    },
    /// The device compiles its kernels for this size; later photos of this size start at once.
    Preparing,
    /// A state was computed.
    State(Box<State>),
    /// All states were computed.
    Finished,
    /// A one-line error with a remedy.
    Failed(String),
    /// A photo of the queue is done: its number, and its mask or a one-line error.
    Mask(usize, Result<Mask, String>),
}

/// The mask of a photo.
pub struct Mask {
    /// Width and height of the photo.
    pub size: [u32; 2],
    /// One class index per pixel, row by row.
    pub labels: Vec<u16>,
}

/// Segments a photo, sending the source and then the state after every step. Stops when `send` returns
/// false.
fn flow(model: &Model, photo: Photo, sampling: Sampling, send: &mut dyn FnMut(Message) -> bool) {
    let (photo, truth) = match photo {
        Photo::Scene(config, index) => {
            let scene = data::render(&config, index);
            let truth = data::scene_classes(&config) == model.card.classes;
            (Arc::new(scene.image), truth.then(|| Arc::new(scene.labels)))
        }
        Photo::File(ref path) => {
            let truth = data::labels_of(path, &model.card.classes).map(Arc::new);
            match photo.picture() {
                Ok(picture) => (picture, truth),
                Err(error) => {
                    send(Message::Failed(error));
                    return;
                }
            }
        }
        Photo::Picture(picture) => (picture, None),
    };
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let truth = truth.filter(|truth| [truth.height, truth.width] == [height, width]);
    let size = inference::network_size(model, width, height, sampling.scale);
    let input = inference::input(&[&photo], size, &model.network.device());
    if !send(Message::Opened { photo, truth, size }) {
        return;
    }
    for state in inference::flow(model, input, sampling) {
        if !send(Message::State(Box::new(state))) {
            return;
        }
    }
    send(Message::Finished);
}

/// Reads a model onto a device; the error is one line.
pub type LoadModel = Box<dyn FnOnce(&Device) -> Result<Model, String> + Send>;

/// Computes the mask of a photo; `None` if `stop`, called before every solver step, returns true.
fn mask(
    model: &Model,
    photo: &Photo,
    viewing: &Viewing,
    stop: &dyn Fn() -> bool,
) -> Option<Result<Mask, String>> {
    let photo = match photo.picture() {
        Ok(photo) => photo,
        Err(error) => return Some(Err(error)),
    };
    let size = [photo.width(), photo.height()];
    match inference::segment(model, &model.centroids(), &photo, viewing, stop) {
        Err(SegmentError::Stopped) => None,
        Err(error) => Some(Err(error.to_string())),
        Ok(segmented) => {
            let to = [size[1] as usize, size[0] as usize];
            let (labels, _) = segmented.into_labels(to, viewing.ignore_below);
            Some(Ok(Mask { size, labels }))
        }
    }
}

enum Task {
    Model(LoadModel),
    Flow(Photo, Sampling),
}

/// The request that a message answers.
#[derive(Clone, Copy)]
enum Origin {
    Request(u64),
    Queue(u64),
}

/// The next job of the thread.
enum Next {
    Task(u64, Task),
    Mask(u64, Queued, Arc<Viewing>),
}

/// A photo of the queue, with its number.
type Queued = (usize, Photo);

/// The reader's latest request, which replaces earlier ones, and the queue.
#[derive(Default)]
struct LatestRequest {
    state: Mutex<RequestState>,
    changed: Condvar,
}

#[derive(Default)]
struct RequestState {
    /// Id of the latest request; messages for earlier ones are outdated.
    id: u64,
    task: Option<Task>,
    /// The id of the queue.
    queue: u64,
    photos: VecDeque<Queued>,
    viewing: Option<Arc<Viewing>>,
    closed: bool,
}

impl LatestRequest {
    fn lock(&self) -> MutexGuard<'_, RequestState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the waiting or running task.
    fn put(&self, task: Option<Task>) {
        let mut state = self.lock();
        state.id += 1;
        state.task = task;
        self.changed.notify_one();
    }

    /// Waits for the next job; `None` once the worker should end.
    fn take(&self) -> Option<Next> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.task.take() {
                return Some(Next::Task(state.id, task));
            }
            if let Some(viewing) = state.viewing.clone()
                && let Some(photo) = state.photos.pop_front()
            {
                return Some(Next::Mask(state.queue, photo, viewing));
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_current(&self, origin: Origin) -> bool {
        let state = self.lock();
        !state.closed
            && match origin {
                Origin::Request(id) => state.id == id,
                Origin::Queue(id) => state.queue == id,
            }
    }

    /// Whether a photo of a queue must give way to a request or another queue.
    fn interrupts(&self, queue: u64) -> bool {
        let state = self.lock();
        state.closed || state.task.is_some() || state.queue != queue
    }

    /// Returns an interrupted photo to the front of its queue.
    fn put_back(&self, queue: u64, photo: Queued) {
        let mut state = self.lock();
        if state.queue == queue {
            state.photos.push_front(photo);
        }
    }
}

/// A thread that opens models and segments photos, the newest request first.
///
/// `M` is what the reader receives: `convert` runs on the worker's thread and sends one or more events
/// per message, so that reading tensors back or uploading pictures never blocks the reader.
pub struct Worker<M> {
    requests: Arc<LatestRequest>,
    messages: Option<Receiver<(Origin, M)>>,
    thread: Option<JoinHandle<()>>,
}

impl<M: Send + 'static> Worker<M> {
    /// Starts the thread. Models are loaded onto `device`; `wake` is called after every message.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(
        device: Device,
        mut convert: impl FnMut(Message, &mut dyn FnMut(M) -> bool) -> bool + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, messages) = sync_channel(QUEUE);
        let requests = Arc::new(LatestRequest::default());
        let of_thread = requests.clone();
        let thread = Builder::new().name("flowseg-flow".into()).spawn(move || {
            let mut model = None;
            let mut prepared = HashSet::new();
            while let Some(next) = of_thread.take() {
                let origin = match next {
                    Next::Task(id, _) => Origin::Request(id),
                    Next::Mask(queue, ..) => Origin::Queue(queue),
                };
                let mut send = |message| {
                    convert(message, &mut |event| {
                        let sent = sender.send((origin, event)).is_ok();
                        wake();
                        sent && of_thread.is_current(origin)
                    })
                };
                match next {
                    Next::Task(_, task) => {
                        let done = catch_unwind(AssertUnwindSafe(|| {
                            work(task, &device, &mut model, &mut prepared, &mut send);
                        }));
                        if let Err(panic) = done {
                            send(Message::Failed(reason(&*panic)));
                        }
                    }
                    Next::Mask(queue, (number, photo), viewing) => {
                        let stop = || of_thread.interrupts(queue);
                        let done = catch_unwind(AssertUnwindSafe(|| match &model {
                            Some(model) => mask(model, &photo, &viewing, &stop),
                            None => Some(Err("open a model first".to_owned())),
                        }));
                        match done.unwrap_or_else(|panic| Some(Err(reason(&*panic)))) {
                            Some(result) => {
                                send(Message::Mask(number, result));
                            }
                            None => of_thread.put_back(queue, (number, photo)),
                        }
                    }
                }
            }
            drop::<SyncSender<(Origin, M)>>(sender);
        })?;
        Ok(Self {
            requests,
            messages: Some(messages),
            thread: Some(thread),
        })
    }

    /// Opens a model, replacing the running request. The answer is [`Message::Model`] or
    /// [`Message::Failed`]; after a failure the previous model stays.
    pub fn open_model(&self, load: LoadModel) {
        self.requests.put(Some(Task::Model(load)));
    }

    /// Segments a photo, replacing the running request.
    pub fn flow(&self, photo: Photo, sampling: Sampling) {
        self.requests.put(Some(Task::Flow(photo, sampling)));
    }

    /// Computes the masks of photos in this order when idle, replacing an earlier queue. The answers
    /// are [`Message::Mask`]s with the photos' numbers.
    pub fn queue(&self, photos: Vec<(usize, Photo)>, viewing: Viewing) {
        let mut state = self.requests.lock();
        state.queue += 1;
        state.photos = photos.into();
        state.viewing = Some(Arc::new(viewing));
        self.requests.changed.notify_one();
    }

    /// Stops within one solver step; no more messages about the latest request arrive.
    pub fn cancel(&self) {
        self.requests.put(None);
    }

    /// The next message for the latest request, if one has arrived.
    pub fn poll(&self) -> Option<M> {
        let messages = self.messages.as_ref()?;
        while let Ok((origin, message)) = messages.try_recv() {
            if self.requests.is_current(origin) {
                return Some(message);
            }
        }
        None
    }
}

impl<M> Drop for Worker<M> {
    fn drop(&mut self) {
        let mut state = self.requests.lock();
        state.closed = true;
        self.requests.changed.notify_one();
        drop(state);
        // Without a reader a blocked send returns, so that joining cannot hang.
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(
    task: Task,
    device: &Device,
    model: &mut Option<Arc<Model>>,
    prepared: &mut HashSet<[usize; 2]>,
    send: &mut dyn FnMut(Message) -> bool,
) {
    match task {
        Task::Model(load) => match load(device) {
            Ok(opened) => {
                let opened = Arc::new(opened);
                *model = Some(opened.clone());
                prepared.clear();
                send(Message::Model(opened));
            }
            Err(error) => {
                send(Message::Failed(error));
            }
        },
        Task::Flow(photo, sampling) => {
            let Some(model) = model.clone() else {
                send(Message::Failed("open a model first".into()));
                return;
            };
            let compiles = !crate::device::on_cpu(device);
            let mut of_flow = |message| {
                let first = match &message {
                    Message::Opened { size, .. } => compiles && prepared.insert(*size),
                    _ => false,
                };
                send(message) && (!first || send(Message::Preparing))
            };
            flow(&model, photo, sampling, &mut of_flow);
        }
    }
}

fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let message = crash::message(panic);
    format!("the computation failed ({message}): try fewer pixels, or --device cpu")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;

    fn load() -> LoadModel {
        Box::new(|_| Ok(testing::tiny(&["a", "b"], [16, 16], |_| ())))
    }

    fn worker() -> Worker<Message> {
        Worker::start(Device::flex(), |message, send| send(message), || ()).unwrap()
    }

    fn wait(worker: &Worker<Message>) -> Message {
        loop {
            if let Some(message) = worker.poll() {
                return message;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    fn sampling(steps: usize) -> Sampling {
        Sampling {
            steps,
            ..Sampling::default()
        }
    }

    fn picture() -> Photo {
        Photo::Picture(Arc::new(RgbImage::new(30, 20)))
    }

    #[test]
    fn states_come_in_order_and_then_the_end() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), sampling(3));
        let Message::Opened { size, truth, .. } = wait(&worker) else {
            panic!("expected the photo")
        };
        assert!(truth.is_none());
        for step in 0..=3 {
            let Message::State(state) = wait(&worker) else {
                panic!("expected a state")
            };
            assert_eq!(state.step, step);
            assert_eq!(state.x.dims(), [1, 3, size[0], size[1]]);
        }
        assert!(matches!(wait(&worker), Message::Finished));
    }

    #[test]
    fn a_newer_task_replaces_a_running_one() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), sampling(100_000));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        worker.flow(picture(), sampling(1));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        let Message::State(state) = wait(&worker) else {
            panic!("expected a state")
        };
        assert_eq!(state.step, 0);
    }

    #[test]
    fn failures_are_reported_and_the_worker_goes_on() {
        let worker = worker();
        worker.flow(picture(), sampling(1));
        assert!(matches!(wait(&worker), Message::Failed(_)));
        worker.open_model(Box::new(|_| panic!("out of memory")));
        let Message::Failed(text) = wait(&worker) else {
            panic!("expected the panic's message")
        };
        assert!(text.contains("out of memory"));
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(Photo::File("no such photo.png".into()), sampling(1));
        let Message::Failed(text) = wait(&worker) else {
            panic!("expected an error")
        };
        assert!(text.contains("no such photo.png"));
    }

    fn viewing() -> Viewing {
        Viewing {
            looks: vec![inference::Look::default()],
            tiling: inference::Tiling::Auto,
            sampling: sampling(1),
            ignore_below: 0.0,
        }
    }

    #[test]
    fn a_queue_goes_on_after_requests_and_failures() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        let mut photos: Vec<_> = (0..5).map(|number| (number, picture())).collect();
        photos[2].1 = Photo::File("no such photo.png".into());
        // A request comes before the queue and is not part of it.
        worker.flow(picture(), sampling(1));
        worker.queue(photos, viewing());
        let (mut done, mut finished) = (Vec::new(), false);
        while done.len() < 5 {
            match wait(&worker) {
                Message::Mask(number, Ok(mask)) => {
                    assert_eq!((mask.size, mask.labels.len()), ([30, 20], 600));
                    done.push(number);
                }
                Message::Mask(number, Err(error)) => {
                    assert!(number == 2 && error.contains("no such photo.png"));
                    done.push(number);
                }
                Message::Finished => finished = true,
                _ => {}
            }
        }
        assert!(finished);
        assert_eq!(done, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_request_interrupts_a_photo_of_the_queue_which_is_done_later() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        let mut slow = viewing();
        slow.sampling.steps = 3000;
        worker.queue(vec![(7, picture())], slow);
        std::thread::sleep(std::time::Duration::from_millis(20));
        worker.flow(picture(), sampling(1));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        let last = loop {
            match wait(&worker) {
                Message::Mask(number, Ok(_)) => break number,
                Message::State(_) | Message::Finished => {}
                _ => panic!("expected a mask"),
            }
        };
        assert_eq!(last, 7);
        // A new queue replaces the old one; an empty one cancels it.
        let mut slow = viewing();
        slow.sampling.steps = 1_000_000;
        worker.queue(vec![(8, picture())], slow);
        worker.queue(Vec::new(), viewing());
        worker.flow(picture(), sampling(1));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
    }

    #[test]
    fn a_cancelled_task_sends_nothing_more() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), sampling(100_000));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        worker.cancel();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(worker.poll().is_none());
    }

    #[test]
    fn a_worker_that_is_dropped_frees_its_model() {
        let worker = worker();
        worker.open_model(load());
        let Message::Model(model) = wait(&worker) else {
            panic!("expected a model")
        };
        let held = Arc::downgrade(&model);
        drop(model);
        worker.flow(picture(), sampling(100_000));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        assert!(held.upgrade().is_some());
        drop(worker);
        assert!(held.upgrade().is_none());
    }
}
