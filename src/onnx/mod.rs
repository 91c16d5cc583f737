//! Models as ONNX graphs (opset 18), for other programs and runtimes.
//!
//! A graph takes one photo of any height and width that are multiples of the network's patch: grids,
//! positions and padding are computed in it. What it needs to be used, that is inputs, outputs,
//! preprocessing, class names and centroids, is in the file's metadata, under keys that begin with
//! `flowseg.`. Numbers are those of the program within rounding; [`expected`] computes samples to
//! compare a runtime with.

mod builder;
mod encoder;
mod expected;
mod grid;
mod network;
mod proto;
#[cfg(test)]
mod tests;

pub use expected::expected;

use crate::flow::{Prediction, Source};
use crate::model::config::PHOTO_CHANNELS;
use crate::model::tensors::export;
use crate::model::{Fit, METADATA_KEY, Model};
use crate::protobuf::Message;
use crate::sampler;
use crate::votes::EPSILON;
use builder::{Builder, Value};
use grid::Size;
use network::Scene;
use proto::{Attribute, Axis, Element};
use serde_json::json;

/// The version of ONNX's operators: the first whose `Resize` can antialias.
const OPSET: i64 = 18;
/// A protobuf message has to be shorter.
const MOST_BYTES: u64 = i32::MAX as u64;

/// What a graph computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graph {
    /// A whole flow by Euler's method, from `photo` to `state`, `probabilities` and `labels`.
    Flow {
        /// Steps, at least 1.
        steps: usize,
    },
    /// One evaluation of `v_theta(x_t, t, I)`, from `photo`, `features`, `state` and `t` to `velocity`.
    Velocity,
    /// The image encoder, from `photo` to `features`, once for all evaluations.
    Encoder,
}

/// Why a model has no such graph.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// A network that has no encoder.
    #[error("its network has no image encoder: export --graph velocity, which needs none")]
    NoEncoder,
    /// A model for photos of exactly one size that a graph cannot cut into patches.
    #[error(
        "it takes photos at exactly {} x {} pixels, and a graph only sides that are multiples of the network's patch \
         of {patch}: give the model such a size with flowseg models --edit, or train with such a data.size",
        size[0], size[1]
    )]
    Size {
        /// Height and width.
        size: [usize; 2],
        patch: usize,
    },
    /// Weights that no ONNX file holds.
    #[error("its weights take {0} MiB and an ONNX file holds 2047 MiB: export a smaller model")]
    TooLarge(u64),
}

/// The bytes of an ONNX file.
///
/// # Errors
/// A model without an encoder where its graph is asked for, one that stretches photos to a size that is not in whole
/// patches, and one of 2 GiB or more.
pub fn export_graph(model: &Model, graph: Graph) -> Result<Vec<u8>, OnnxError> {
    let (size, patch) = (model.card.size, model.card.network.patch_size);
    // The program pads such photos, and drops the padding after every step.
    if model.card.fit == Fit::Stretch && size.iter().any(|side| !side.is_multiple_of(patch)) {
        return Err(OnnxError::Size { size, patch });
    }
    let weights = export(&model.network);
    let encoder = model.network.config().encoder.as_ref();
    let int8 = encoder.is_some_and(|vit| vit.int8);
    let mut builder = Builder::new("flowseg", &weights, int8.then_some("encoder."));
    let parts = Parts {
        model,
        g: &mut builder,
    };
    match graph {
        Graph::Flow { steps } => parts.flow(steps),
        Graph::Velocity => parts.velocity(),
        Graph::Encoder => parts.encoder()?,
    }
    let message = builder.finish();
    // Tables beside the weights are small.
    if message.len() as u64 + (1 << 20) >= MOST_BYTES {
        return Err(OnnxError::TooLarge(message.len() as u64 >> 20));
    }
    Ok(file(model, graph, &message))
}

fn file(model: &Model, graph: Graph, message: &Message) -> Vec<u8> {
    let card = &model.card;
    let centroids = model.centroids();
    let points: Vec<&[f64]> = (0..centroids.len()).map(|k| centroids.code(k)).collect();
    let [height, width] = card.size;
    let patch = card.network.patch_size;
    let (name, steps) = match graph {
        Graph::Flow { steps } => ("flow", steps),
        Graph::Velocity => ("velocity", card.default_steps()),
        Graph::Encoder => ("encoder", card.default_steps()),
    };
    let size = match card.fit {
        Fit::Aspect => format!(
            "a height and width that are multiples of {patch}, about {height} x {width} pixels in all, in \
             the photo's own shape"
        ),
        Fit::Stretch => format!("exactly {height} x {width} pixels, whatever its own shape"),
    };
    let preprocessing = format!(
        "Upright sRGB photo, resized with antialiasing to {size}; channels R, G, B first; every byte b as \
         b / 127.5 - 1, which is in [-1, 1]."
    );
    let metadata = [
        ("flowseg.graph", name.to_owned()),
        ("flowseg.steps", card.flow_steps(steps).to_string()),
        ("flowseg.patch", patch.to_string()),
        ("flowseg.size", json!(card.size).to_string()),
        ("flowseg.classes", json!(card.classes).to_string()),
        ("flowseg.centroids", json!(points).to_string()),
        ("flowseg.preprocessing", preprocessing),
        ("flowseg.postprocessing", POSTPROCESSING.to_owned()),
        ("flowseg.licence", card.licence.clone()),
        (METADATA_KEY, json!(card).to_string()),
    ];
    let about = format!("FlowSeg, {name} of a model trained on {}", card.dataset);
    proto::model(message, OPSET, env!("CARGO_PKG_VERSION"), &about, &metadata).into_bytes()
}

const POSTPROCESSING: &str = "labels are at the size that the network saw. For a mask of the photo's own \
    size scale probabilities to it bilinearly (half-pixel centres, border repeated) and take the class \
    of the greatest. A state decodes to the class whose centroid is nearest. FlowSeg itself filters the \
    probabilities along the photo's colours before that, unless asked for --outlines network.";

/// A graph of a model under construction.
struct Parts<'a, 'b> {
    model: &'a Model,
    g: &'a mut Builder<'b>,
}

/// The axes of an image of so many channels.
fn image_axes(channels: usize) -> [Axis; 4] {
    [
        Axis::Fixed(1),
        Axis::Fixed(channels),
        Axis::Named("height"),
        Axis::Named("width"),
    ]
}

impl Parts<'_, '_> {
    fn photo(&mut self) -> Value {
        let about = "The photo in [-1, 1], R, G and B; see flowseg.preprocessing";
        let axes = image_axes(PHOTO_CHANNELS);
        self.g.input("photo", Element::Float, &axes, about)
    }

    fn state(&mut self, name: &str, about: &str) -> Value {
        let axes = image_axes(self.model.card.network.state_channels);
        self.g.input(name, Element::Float, &axes, about)
    }

    fn encoder(mut self) -> Result<(), OnnxError> {
        let config = &self.model.card.network;
        let vit = config.encoder.as_ref().ok_or(OnnxError::NoEncoder)?;
        let photo = self.photo();
        let g = self.g;
        let size = Size::of(g, &photo);
        let Some(features) = Scene::encode(g, config, &size, &photo) else {
            return Err(OnnxError::NoEncoder);
        };
        let features = g.unsqueeze(&features, 0);
        let axes = [
            Axis::Fixed(1),
            Axis::Named("tokens"),
            Axis::Fixed(vit.tokens_width()),
        ];
        let about = "One token for every patch, row by row: the input of the velocity graph";
        g.output(&features, "features", Element::Float, &axes, about);
        Ok(())
    }

    fn velocity(mut self) {
        let card = &self.model.card;
        let config = &card.network;
        let state = self.state("state", "The state x_t, about in [-1, 1]");
        let time = "The time t in [0, 1]";
        let t = self.g.input("t", Element::Float, &[Axis::Fixed(1)], time);
        let photo = config.sees_pixels().then(|| self.photo());
        let features = config.encoder.as_ref().map(|vit| {
            let width = vit.tokens_width();
            let axes = [Axis::Fixed(1), Axis::Named("tokens"), Axis::Fixed(width)];
            let about = "The encoder graph's output for the photo; the same for every t";
            self.g.input("features", Element::Float, &axes, about)
        });
        let rest = (card.prediction != Prediction::Velocity).then(|| {
            let about = "The length of the step that is to be taken, above 0";
            let h = self.g.input("h", Element::Float, &[Axis::Fixed(1)], about);
            let one = self.g.scalar(1.0);
            let rest = self.g.sub(&one, &t);
            self.g.node("Max", &[&rest, &h], &[])
        });
        let g = &mut *self.g;
        let size = Size::of(g, &state);
        let first = g.ints(&[0]);
        let features = features.map(|features| g.node("Squeeze", &[&features, &first], &[]));
        let scene = Scene::new(g, config, &size, photo.as_ref(), features.as_ref());
        let time = network::time_of(g, &t);
        let velocity = self.towards(&scene, &state, &time, rest.as_ref());
        let axes = image_axes(config.state_channels);
        let about = "The velocity; Euler's step is state + h velocity";
        self.g
            .output(&velocity, "velocity", Element::Float, &axes, about);
    }

    fn flow(mut self, steps: usize) {
        let card = &self.model.card;
        let config = &card.network;
        let channels = config.state_channels;
        let starts_at_photo = card.source == Source::Image;
        let seen = config.sees_pixels() || config.encoder.is_some();
        let photo = (starts_at_photo || seen).then(|| self.photo());
        let mut state = match &photo {
            Some(photo) if starts_at_photo => photo_state(self.g, photo, channels),
            _ => self.state(
                "noise",
                "Gaussian noise of deviation 1, where the flow starts",
            ),
        };
        let g = &mut *self.g;
        let size = Size::of(g, photo.as_ref().unwrap_or(&state));
        let features = photo
            .as_ref()
            .and_then(|photo| Scene::encode(g, config, &size, photo));
        let photo = photo.filter(|_| config.sees_pixels());
        let scene = Scene::new(g, config, &size, photo.as_ref(), features.as_ref());
        let times = sampler::times(card.flow_steps(steps), 1.0);
        for pair in times.windows(2) {
            let (t, h) = (pair[0], pair[1] - pair[0]);
            let time = network::time_at(self.g, t);
            // What predicts a velocity has no use for it.
            let rest =
                (card.prediction != Prediction::Velocity).then(|| self.g.scalar((1.0 - t).max(h)));
            let velocity = self.towards(&scene, &state, &time, rest.as_ref());
            let h = self.g.scalar(h);
            let move_by = self.g.mul(&velocity, &h);
            state = self.g.add(&state, &move_by);
        }
        let about = "The state at t = 1, about in [-1, 1]; every pixel near its class's centroid";
        let axes = image_axes(channels);
        self.g.output(&state, "state", Element::Float, &axes, about);
        self.decide(&state);
    }

    /// The velocity `[1, d, H, W]` at a state. What predicts a target reaches it in the `rest` of the
    /// time; what predicts a velocity has none.
    fn towards(
        &mut self,
        scene: &Scene,
        state: &Value,
        time: &Value,
        rest: Option<&Value>,
    ) -> Value {
        let card = &self.model.card;
        let (config, channels) = (&card.network, card.network.state_channels);
        let output = scene.evaluate(self.g, config, state, time);
        let target = match card.prediction {
            Prediction::Velocity | Prediction::Target => output,
            Prediction::Logits | Prediction::Posterior => self.centroid_pixels(&output),
        };
        let target = scene.cut.image(self.g, &target, channels);
        match rest {
            Some(rest) => {
                let offset = self.g.sub(&target, state);
                self.g.div(&offset, rest)
            }
            None => target,
        }
    }

    /// The centroids of the classes with the largest outputs: `[L, p p, N]` to `[L, p p, d]`.
    fn centroid_pixels(&mut self, outputs: &Value) -> Value {
        let attributes = [("axis", Attribute::Int(2)), ("keepdims", Attribute::Int(0))];
        let classes = self.g.node("ArgMax", &[outputs], &attributes);
        let centroids = self.model.centroids();
        let shape = [centroids.len(), centroids.dims()];
        let points = self.g.table("centroids", &shape, &centroids.flat_f32());
        self.g.node("Gather", &[&points, &classes], &[])
    }

    /// Adds the probabilities of the classes at a state (equation 9), and the most probable ones.
    fn decide(&mut self, state: &Value) {
        let centroids = self.model.centroids();
        let (classes, dims) = (centroids.len(), centroids.dims());
        let codes = centroids.flat_f32();
        let g = &mut *self.g;
        // Axis by axis: the offsets of all axes at once would take d times the memory.
        let mut distance = g.scalar(EPSILON);
        for axis in 0..dims {
            let along: Vec<f32> = codes.iter().skip(axis).step_by(dims).copied().collect();
            let shape = [1, classes, 1, 1];
            let along = g.table(&format!("centroids.{axis}"), &shape, &along);
            let plane = g.slice(state, 1, axis as i64, axis as i64 + 1);
            let offset = g.sub(&plane, &along);
            let square = g.mul(&offset, &offset);
            distance = g.add(&distance, &square);
        }
        let share = g.node("Reciprocal", &[&distance], &[]);
        let of_classes = g.ints(&[1]);
        let sum = g.node("ReduceSum", &[&share, &of_classes], &[]);
        let probabilities = g.div(&share, &sum);
        let attributes = [("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
        let labels = g.node("ArgMax", &[&probabilities], &attributes);
        let about = "The probability of every class, in the order of flowseg.classes, 0 to 1";
        let axes = image_axes(classes);
        g.output(
            &probabilities,
            "probabilities",
            Element::Float,
            &axes,
            about,
        );
        let axes = [Axis::Fixed(1), Axis::Named("height"), Axis::Named("width")];
        let about = "The index of the most probable class";
        g.output(&labels, "labels", Element::Int64, &axes, about);
    }
}

/// A photo as a state; see [`crate::flow::photo_state`].
fn photo_state(g: &mut Builder, photo: &Value, channels: usize) -> Value {
    if channels == PHOTO_CHANNELS {
        return photo.clone();
    }
    let copies = vec![photo; channels.div_ceil(PHOTO_CHANNELS)];
    let wide = g.concat(&copies, 1);
    g.slice(&wide, 1, 0, channels as i64)
}
