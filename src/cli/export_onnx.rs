//! `flowseg export-onnx`: models for other programs.

use super::arguments::{DeviceArgument, open, whole};
use super::output;
use crate::device::Choice;
use crate::files::{self, Plan};
use crate::model::Model;
use crate::model::tensors::{Precision, to_safetensors};
use crate::onnx::{self, Graph};
use crate::terminal::out;
use crate::{data, models};
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::path::PathBuf;

/// Write a model as an ONNX graph for other programs
///
/// A graph takes one photo of any height and width that are multiples of the network's patch. The
/// file's metadata describes inputs, outputs and preprocessing and has class names and centroids.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A model file, a run folder, or the name of a built-in or installed model
    model: PathBuf,
    /// The ONNX file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What the graph computes
    #[arg(long, value_enum, default_value_t)]
    graph: Kind,
    /// Euler steps of the flow, 1 to 100, each of which is in the graph; by default what the model
    /// recommends
    #[arg(long, value_name = "K", value_parser = whole(1..=100))]
    steps: Option<u64>,
    /// Also write inputs, and the outputs that the program has for them, as safetensors: samples to
    /// compare a runtime with
    #[arg(long, value_name = "FILE")]
    expected: Option<PathBuf>,
    /// With --expected, the size of the samples, multiples of the patch; by default the training size
    #[arg(long, value_name = "HxW", requires = "expected", value_parser = size)]
    size: Option<[usize; 2]>,
    /// With --expected, a photo for the samples, which is stretched to their size; by default a
    /// procedural scene
    #[arg(long, value_name = "PHOTO", requires = "expected")]
    photo: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// What a graph computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A whole flow: photo to state, probabilities and labels
    #[default]
    Flow,
    /// One evaluation: photo, features (with an encoder), state and t to velocity
    Velocity,
    /// The image encoder: photo to features, once for all evaluations
    Encoder,
}

/// The longest side of samples in pixels.
const LONGEST_SIDE: usize = 4096;

fn size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once('x');
    let sides = sides.and_then(|(h, w)| Some([h.parse().ok()?, w.parse().ok()?]));
    sides
        .filter(|sides| sides.iter().all(|side| (1..=LONGEST_SIDE).contains(side)))
        .ok_or_else(|| format!("a size is HEIGHTxWIDTH, each 1 to {LONGEST_SIDE}, such as 336x448"))
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.steps.is_some() && arguments.graph != Kind::Flow {
        bail!("--steps is for --graph flow: the other graphs take no steps");
    }
    let mut plan = Plan::default();
    plan.write(&arguments.output, "the graph");
    if let Some(expected) = &arguments.expected {
        plan.write(expected, "the samples");
    }
    output::check(&plan, || {
        let photo = arguments.photo.iter().cloned();
        photo.chain([models::file(&arguments.model)]).collect()
    })?;
    // Samples are computed; a graph is only written.
    let choice = match arguments.expected {
        Some(_) => arguments.device.device.clone(),
        None => Choice::Cpu,
    };
    let device = open(&choice)?.device;
    let model = models::load(&arguments.model, &device)?;
    let steps = arguments.steps.map(|steps| steps as usize);
    let graph = match arguments.graph {
        Kind::Flow => Graph::Flow {
            steps: model.card.solver_steps(steps),
        },
        Kind::Velocity => Graph::Velocity,
        Kind::Encoder => Graph::Encoder,
    };
    let named = || arguments.model.to_string_lossy().into_owned();
    let bytes = onnx::export_graph(&model, graph).with_context(named)?;
    if let Some(path) = &arguments.expected {
        let samples = samples(arguments, &model, graph)?;
        files::write_atomic(path, &samples)?;
    }
    files::write_atomic(&arguments.output, &bytes)?;
    out!(
        "wrote {}, {:.1} MB",
        arguments.output.display(),
        bytes.len() as f64 / 1e6
    );
    Ok(())
}

/// The bytes of a file of samples.
fn samples(arguments: &Arguments, model: &Model, graph: Graph) -> anyhow::Result<Vec<u8>> {
    let size = arguments.size.unwrap_or(model.card.size);
    let patch = model.card.network.patch_size;
    if let Some(side) = size.iter().find(|side| !side.is_multiple_of(patch)) {
        bail!("{side} is not a multiple of the network's patch, {patch}: choose another --size");
    }
    let photo = arguments.photo.as_ref().map(data::read_photo).transpose()?;
    let tensors = onnx::expected(model, graph, photo.as_ref(), size);
    Ok(to_safetensors(&tensors, HashMap::new(), Precision::Single)?)
}
