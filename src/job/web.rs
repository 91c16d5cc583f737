//! In a browser: no thread, but turns of the page's event loop, between which the page draws and reacts.
//!
//! Every state is read back without blocking before it is reported.

use super::{FlowSettings, Message, Opened, Photo, SMALLER_INPUT, failure, open};
use crate::inference::{self, Viewing};
use crate::model::{Model, tensors::read};
use crate::page::{self, Task as Turns};
use crate::sampler::State;
use burn::tensor::{Device, Tensor};
use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// Reads a model onto a device; the error is one line.
///
/// Between fetching and loading it asks whether it is still wanted, since loading blocks the page.
pub type LoadModel = Box<dyn FnOnce(Device, Wanted) -> Turns<Result<Model, String>>>;

/// Whether the result of some work is still wanted.
pub type Wanted = Box<dyn Fn() -> bool>;

enum Task {
    Model(LoadModel),
    Flow(Photo, FlowSettings),
}

type Convert<M> = Box<dyn FnMut(Message, &mut dyn FnMut(M) -> bool) -> bool>;

/// What the turns share with the reader.
struct Shared<M> {
    /// Id of the latest request; messages for earlier ones are dropped.
    id: u64,
    messages: VecDeque<M>,
    convert: Option<Convert<M>>,
    model: Option<Arc<Model>>,
    /// Sizes whose kernels are compiled.
    prepared: HashSet<[usize; 2]>,
    closed: bool,
}

impl<M> Shared<M> {
    /// Whether the request of this id is the latest, and its answer can be received.
    fn is_current(&self, id: u64) -> bool {
        !self.closed && self.id == id
    }
}

/// Opens models and segments photos, the newest request first.
///
/// `M` is what the reader receives: `convert` sends one or more events per message.
pub struct Worker<M> {
    shared: Rc<RefCell<Shared<M>>>,
    wake: Rc<dyn Fn()>,
    device: Device,
}

impl<M: 'static> Worker<M> {
    /// Models are loaded onto `device`; `wake` is called after every message.
    ///
    /// # Errors
    /// Never.
    pub fn start(
        device: Device,
        convert: impl FnMut(Message, &mut dyn FnMut(M) -> bool) -> bool + 'static,
        wake: impl Fn() + 'static,
    ) -> std::io::Result<Self> {
        let shared = Shared {
            id: 0,
            messages: VecDeque::new(),
            convert: Some(Box::new(convert) as Convert<M>),
            model: None,
            prepared: HashSet::new(),
            closed: false,
        };
        Ok(Self {
            shared: Rc::new(RefCell::new(shared)),
            wake: Rc::new(wake),
            device,
        })
    }

    /// Opens a model, replacing the running request. The answer is [`Message::Model`] or
    /// [`Message::Failed`]; after a failure the previous model stays.
    pub fn open_model(&self, load: LoadModel) {
        self.put(Some(Task::Model(load)));
    }

    /// Segments a photo, replacing the running request.
    pub fn flow(&self, photo: Photo, settings: FlowSettings) {
        self.put(Some(Task::Flow(photo, settings)));
    }

    /// A page makes no masks of a queue.
    pub fn queue(&self, _: Vec<(usize, Photo)>, _: Viewing) {}

    /// Stops within one solver step; no more messages about the latest request arrive.
    pub fn cancel(&self) {
        self.put(None);
    }

    /// The next message for the latest request, if one has arrived.
    pub fn poll(&self) -> Option<M> {
        self.shared.borrow_mut().messages.pop_front()
    }

    fn put(&self, task: Option<Task>) {
        let mut shared = self.shared.borrow_mut();
        shared.id += 1;
        shared.messages.clear();
        let Some(task) = task else { return };
        let turns = Request {
            id: shared.id,
            shared: self.shared.clone(),
            wake: self.wake.clone(),
            device: self.device.clone(),
        };
        wasm_bindgen_futures::spawn_local(turns.work(task));
    }
}

impl<M> Drop for Worker<M> {
    fn drop(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.closed = true;
        shared.model = None;
    }
}

/// A request that is being answered.
struct Request<M> {
    id: u64,
    shared: Rc<RefCell<Shared<M>>>,
    wake: Rc<dyn Fn()>,
    device: Device,
}

impl<M: 'static> Request<M> {
    fn is_current(&self) -> bool {
        self.shared.borrow().is_current(self.id)
    }

    /// Converts and stores a message. Returns whether the request is still the latest.
    fn send(&self, message: Message) -> bool {
        if !self.is_current() {
            return false;
        }
        // The converter may draw on the window's context, which must not find this borrowed.
        let Some(mut convert) = self.shared.borrow_mut().convert.take() else {
            return false;
        };
        let sent = convert(message, &mut |event| {
            self.shared.borrow_mut().messages.push_back(event);
            true
        });
        self.shared.borrow_mut().convert = Some(convert);
        (self.wake)();
        sent && self.is_current()
    }

    async fn work(self, task: Task) {
        // The window first shows what is about to be done.
        page::next_turn().await;
        if !self.is_current() {
            return;
        }
        let done = match task {
            Task::Model(load) => self.open_model(load).await,
            Task::Flow(photo, settings) => self.flow(photo, settings).await,
        };
        if let Err(error) = done {
            self.send(Message::Failed(error));
        }
    }

    async fn open_model(&self, load: LoadModel) -> Result<(), String> {
        let (shared, id) = (self.shared.clone(), self.id);
        let wanted = Box::new(move || shared.borrow().is_current(id));
        let model = Arc::new(load(self.device.clone(), wanted).await?);
        if self.is_current() {
            let mut shared = self.shared.borrow_mut();
            shared.model = Some(model.clone());
            shared.prepared.clear();
        }
        self.send(Message::Model(model));
        Ok(())
    }

    async fn flow(&self, photo: Photo, settings: FlowSettings) -> Result<(), String> {
        let model = self.shared.borrow().model.clone();
        let model = model.ok_or("open a model first")?;
        let Opened {
            photo,
            truth,
            size,
            input,
        } = open(&model, photo, settings.scale)?;
        if !self.send(Message::Opened { photo, truth, size }) {
            return Ok(());
        }
        let compiles = !crate::device::on_cpu(&self.device);
        if compiles && self.shared.borrow_mut().prepared.insert(size) {
            self.send(Message::Preparing);
        }
        page::next_turn().await;
        for state in inference::flow(&model, input, settings.sampling) {
            if !self.is_current() {
                return Ok(());
            }
            let State { step, t, x } = state;
            let data = x.into_data_async().await;
            let failed = |error: String| failure(&error, &model.network.device(), SMALLER_INPUT);
            let data = data.map_err(|error| failed(error.to_string()))?;
            // What follows reads it at once, from main memory.
            let x = Tensor::<4>::from_data(data, &Device::flex());
            let values = read(x.clone());
            inference::check_finite(&model, &values).map_err(|error| error.to_string())?;
            if !self.send(Message::State(Box::new(State { step, t, x }), values)) {
                return Ok(());
            }
            page::next_turn().await;
        }
        self.send(Message::Finished);
        Ok(())
    }
}
