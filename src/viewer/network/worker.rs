//! Evaluates the network for the panel, on its own thread.

use crate::data::Truth;
use crate::files::Stamp;
use crate::inference;
use crate::inspect::{Agreement, Attention, Components, Recording};
use crate::job::{attempted, attempted_to_open};
use crate::model::Model;
use crate::model::record::Layer;
use crate::viewer::flow::Flow;
use crate::viewer::latest::Latest;
use crate::viewer::open_model::{OpenModel, load_same};
use burn::tensor::{Device, Tensor, TensorData};
use eframe::egui;
use image::{RgbImage, imageops};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Maximum longer side of the photo under the colours, in pixels.
const SIDE: u32 = 480;

/// What is to be computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Want {
    /// What a patch attends to.
    Attention(Layer, usize),
    Components(Layer),
    Agreement,
}

/// What an answer is about: the flow, the step whose state is recorded (0 if it does not matter), and
/// what was wanted.
pub(super) type Key = (u64, usize, Want);

/// A question about a photo and a state of its flow.
pub(super) struct Request {
    key: Key,
    /// The model, by its name or path.
    model: String,
    /// See [`OpenModel::file`].
    file: Option<Stamp>,
    photo: Arc<RgbImage>,
    truth: Option<Arc<Truth>>,
    size: [usize; 2],
    /// The source of the flow, `[d, H, W]`.
    x0: Arc<Vec<f32>>,
    /// The state, and its time.
    x: Arc<Vec<f32>>,
    t: f32,
}

impl Request {
    /// `None` until the states have been read back.
    pub(super) fn of(key: Key, flow: &Flow, model: &OpenModel) -> Option<Self> {
        let state = flow.states.get(key.1)?;
        Some(Self {
            key,
            model: model.name.clone(),
            file: model.file.clone(),
            photo: flow.photo.clone(),
            truth: flow.truth.clone(),
            size: flow.size,
            x0: flow.states.first()?.host.as_ref()?.x.clone(),
            x: state.host.as_ref()?.x.clone(),
            t: state.t,
        })
    }
}

pub(super) enum Found {
    /// With the photo, made smaller.
    Attention(Attention, Arc<RgbImage>),
    Components(Components),
    Agreement(Agreement),
    /// It was stopped.
    Nothing,
}

/// The result, or an error in one line.
pub(super) type Answer = (Key, Result<Found, String>);

pub(super) struct Worker {
    worker: Latest<Request, Answer>,
    /// The flow whose agreement is wanted; 0 for none.
    wanted: Arc<AtomicU64>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(context: &egui::Context, device: Device) -> std::io::Result<Self> {
        let wanted = Arc::new(AtomicU64::new(0));
        let mut cache = Cache {
            device,
            model: None,
            recording: None,
            small: None,
            wanted: wanted.clone(),
        };
        let answer = move |request: Request| {
            let device = cache.device.clone();
            let found = attempted(&device, || cache.answer(&request));
            (request.key, found)
        };
        Ok(Self {
            worker: Latest::start("flowseg-network", context, answer)?,
            wanted,
        })
    }

    /// Says what is wanted now. A running agreement that is not is stopped between two evaluations of the
    /// network; other answers take only one.
    pub(super) fn want(&self, key: Option<Key>) {
        let flow = match key {
            Some((flow, _, Want::Agreement)) => flow,
            _ => 0,
        };
        self.wanted.store(flow, Ordering::Relaxed);
    }

    /// Sends a request that is wanted, unless an answer is pending.
    pub(super) fn ask(&mut self, request: Request) {
        self.worker.ask(request);
    }

    /// The flow whose agreement is wanted; 0 for none.
    #[cfg(test)]
    pub(super) fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn poll(&mut self) -> Option<Answer> {
        self.worker.poll()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.wanted.store(0, Ordering::Relaxed);
    }
}

/// What the thread keeps between requests.
struct Cache {
    device: Device,
    model: Option<(String, Model)>,
    /// The recorded flow and step.
    recording: Option<((u64, usize), Recording)>,
    /// The photo of a flow, made smaller.
    small: Option<(u64, Arc<RgbImage>)>,
    wanted: Arc<AtomicU64>,
}

impl Cache {
    fn answer(&mut self, request: &Request) -> Result<Found, String> {
        let (flow, step, want) = request.key;
        if self
            .model
            .as_ref()
            .is_none_or(|(name, _)| *name != request.model)
        {
            self.recording = None;
            let loaded = attempted_to_open(&self.device, || {
                load_same(&request.model, request.file.as_ref(), &self.device)
            })?;
            self.model = Some((request.model.clone(), loaded));
        }
        let Some((_, model)) = &self.model else {
            return Ok(Found::Nothing);
        };
        let photo = inference::input(&[&request.photo], request.size, &self.device);
        let [height, width] = request.size;
        let state = |x: &[f32]| {
            let shape = [1, x.len() / (height * width).max(1), height, width];
            Tensor::<4>::from_data(TensorData::new(x.to_vec(), shape), &self.device)
        };
        if want == Want::Agreement {
            let labels = request
                .truth
                .as_ref()
                .map(|truth| truth.labels.scaled(request.size));
            let stop = || self.wanted.load(Ordering::Relaxed) != flow;
            let x0 = state(&request.x0);
            let found = Agreement::of(model, photo, x0, labels.as_deref(), &stop);
            return Ok(found.map_or(Found::Nothing, Found::Agreement));
        }
        let recorded = (flow, step);
        if self
            .recording
            .as_ref()
            .is_none_or(|(of, _)| *of != recorded)
        {
            self.recording = None;
            let recording = Recording::of(model, &photo, state(&request.x), request.t);
            let recording = recording.map_err(|error| error.to_string())?;
            self.recording = Some((recorded, recording));
        }
        let Some((_, recording)) = &self.recording else {
            return Ok(Found::Nothing);
        };
        let found = match want {
            Want::Attention(layer, patch) => {
                let attention = recording.attention(model, layer, patch);
                let small = small(&mut self.small, request);
                attention.map(|attention| Found::Attention(attention, small))
            }
            Want::Components(layer) => recording.components(layer).map(Found::Components),
            Want::Agreement => None,
        };
        Ok(found.unwrap_or(Found::Nothing))
    }
}

fn small(kept: &mut Option<(u64, Arc<RgbImage>)>, request: &Request) -> Arc<RgbImage> {
    if let Some((flow, small)) = kept
        && *flow == request.key.0
    {
        return small.clone();
    }
    let (width, height) = request.photo.dimensions();
    let longer = width.max(height).max(1);
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(SIDE.min(longer)) / u64::from(longer);
        (side as u32).max(1)
    };
    let small = imageops::thumbnail(&*request.photo, scaled(width), scaled(height));
    let small = Arc::new(small);
    *kept = Some((request.key.0, small.clone()));
    small
}
