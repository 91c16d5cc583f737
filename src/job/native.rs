//! On a thread.

use super::{
    FlowSettings, Mask, Message, Opened, Photo, SMALLER_INPUT, attempted_to_open, failure, open,
};
use crate::data;
use crate::device::attempt;
use crate::inference::{self, SegmentError, Viewing};
use crate::model::{Model, tensors::read};
use crate::panics::panic_message;
use burn::tensor::Device;
use std::any::Any;
use std::collections::{HashSet, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Capacity of the channel to the reader; the worker blocks when it is full.
const QUEUE: usize = 4;

/// Segments a photo, sending the source and then the state after every step. Stops when `send` returns
/// false.
fn flow(
    model: &Model,
    photo: Photo,
    settings: FlowSettings,
    send: &mut dyn FnMut(Message) -> bool,
) {
    let Opened {
        photo,
        truth,
        size,
        input,
    } = match open(model, photo, settings.scale) {
        Ok(opened) => opened,
        Err(error) => {
            send(Message::Failed(error));
            return;
        }
    };
    if !send(Message::Opened { photo, truth, size }) {
        return;
    }
    for state in inference::flow(model, input, settings.sampling) {
        let values = read(state.x.clone());
        if let Err(error) = inference::check_finite(model, &values) {
            send(Message::Failed(error.to_string()));
            return;
        }
        if !send(Message::State(Box::new(state), values)) {
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
    let to = data::size_of(&photo);
    match inference::segment(model, &model.centroids(), &photo, viewing, stop) {
        Err(SegmentError::Stopped) => None,
        Err(error) => Some(Err(error.with_remedy(SMALLER_INPUT))),
        Ok(segmented) => {
            let (labels, _) = segmented.into_labels(to, viewing.ignore_below);
            Some(Ok(Mask { photo, labels }))
        }
    }
}

enum Task {
    Model(LoadModel),
    Flow(Photo, FlowSettings),
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

    fn clear_queue(&self) {
        let mut state = self.lock();
        state.queue += 1;
        state.photos.clear();
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
                let failed = |panic: Box<dyn Any + Send>| {
                    failure(&panic_message(&*panic), &device, SMALLER_INPUT)
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
                        let done = attempt(|| {
                            let current = || of_thread.is_current(origin);
                            work(
                                task,
                                &device,
                                &mut model,
                                &mut prepared,
                                &current,
                                &mut send,
                            );
                        });
                        if let Err(panic) = done {
                            send(Message::Failed(failed(panic)));
                        }
                    }
                    Next::Mask(queue, (number, photo), viewing) => {
                        let stop = || of_thread.interrupts(queue);
                        let done = attempt(|| match &model {
                            Some(model) => mask(model, &photo, &viewing, &stop),
                            None => Some(Err("open a model first".to_owned())),
                        });
                        match done.unwrap_or_else(|panic| Some(Err(failed(panic)))) {
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

    /// Opens a model, replacing the running request and the queue, whose masks the model so far was to
    /// make. The answer is [`Message::Model`] or [`Message::Failed`]; after a failure the previous model
    /// stays.
    pub fn open_model(&self, load: LoadModel) {
        self.requests.clear_queue();
        self.requests.put(Some(Task::Model(load)));
    }

    /// Segments a photo, replacing the running request.
    pub fn flow(&self, photo: Photo, settings: FlowSettings) {
        self.requests.put(Some(Task::Flow(photo, settings)));
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
    current: &dyn Fn() -> bool,
    send: &mut dyn FnMut(Message) -> bool,
) {
    match task {
        Task::Model(load) => match attempted_to_open(device, || load(device)) {
            Ok(opened) => {
                let opened = Arc::new(opened);
                // A model that nobody waits for any longer must not take the place of the other.
                if current() {
                    *model = Some(opened.clone());
                    prepared.clear();
                    send(Message::Model(opened));
                }
            }
            Err(error) => {
                send(Message::Failed(error));
            }
        },
        Task::Flow(photo, settings) => {
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
            flow(&model, photo, settings, &mut of_flow);
        }
    }
}
