//! `flowseg segment`: masks without a window.

use super::{DeviceArgument, ScaleArgument, model::ModelArgument};
use crate::export::{self, Artifact, Look, Scene, Trajectory};
use crate::inference::Sampling;
use crate::job::{self, Message, Photo};
use crate::model::Model;
use crate::model::tensors::read;
use crate::sampler::Solver;
use crate::{files, kernels, trajectory};
use anyhow::bail;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Write the masks of photos
#[derive(clap::Args)]
pub struct Arguments {
    /// Photos: JPEG, PNG, WebP, BMP, GIF, TIFF, PNM or TGA
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Folder for the masks: OUT/NAME.png holds a class index a pixel at the photo's own size
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    model: ModelArgument,
    /// Solver steps, 1 to 1000; what the model recommends, where left out
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1000))]
    steps: Option<u64>,
    /// The solver
    #[arg(long, value_enum, default_value_t)]
    solver: Solver,
    /// Seed of the noise, for models whose flow starts at noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    scale: ScaleArgument,
    /// Also write OUT/NAME.overlay.png: the photo under half-transparent class colours
    #[arg(long)]
    overlay: bool,
    /// Also write OUT/NAME.colours.png: the mask in class colours, with a legend
    #[arg(long)]
    colours: bool,
    /// Also write OUT/NAME.trajectory.gif: the flow from photo to mask
    #[arg(long)]
    trajectory: bool,
    /// Also write OUT/NAME.numbers.csv: shares of the classes, settling and speed, state by state
    #[arg(long)]
    numbers: bool,
    /// Print a JSON object a photo with the share of every class
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgument,
}

impl Arguments {
    /// Whether something is wanted that shows every state, not the last alone.
    fn keeps_states(&self) -> bool {
        self.trajectory || self.numbers
    }
}

/// Photos that a CPU segments side by side at most: much of a photo's work occupies one core only,
/// but each is a whole photo in memory.
const SIDE_BY_SIDE: usize = 4;

/// Runs the command. A photo that fails is reported and the others still get their masks.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let names = names(&arguments.images)?;
    files::create_folder(&arguments.output)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    let photos: Vec<(&PathBuf, String)> = arguments.images.iter().zip(names).collect();
    if let [(path, name)] = photos.as_slice() {
        print(segment(arguments, &model, path, name)?);
        return Ok(());
    }
    // A trajectory's states are all in memory.
    let at_once = match kernels::on_cpu(&opened.device) && !arguments.keeps_states() {
        true => rayon::current_num_threads().min(SIDE_BY_SIDE),
        false => 1,
    };
    let bar = super::bar(photos.len());
    let mut failed = 0;
    for group in photos.chunks(at_once) {
        let segmented: Vec<_> = group
            .par_iter()
            .map(|(path, name)| segment(arguments, &model, path, name))
            .inspect(|_| bar.inc(1))
            .collect();
        bar.suspend(|| {
            for result in segmented {
                match result {
                    Ok(shares) => print(shares),
                    Err(error) => {
                        eprintln!("flowseg: {}", super::one_line(&error));
                        failed += 1;
                    }
                }
            }
        });
    }
    bar.finish_and_clear();
    match failed {
        0 => Ok(()),
        n => bail!("{n} of {} photos got no mask", arguments.images.len()),
    }
}

fn print(shares: Option<serde_json::Value>) {
    if let Some(shares) = shares {
        println!("{shares}");
    }
}

/// The output names: the photos' names without their endings, which must differ.
fn names(images: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut taken: HashMap<String, &Path> = HashMap::new();
    let mut names = Vec::new();
    for path in images {
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
        let Some(name) = stem else {
            bail!("{} is not a file name", path.display())
        };
        if let Some(first) = taken.insert(name.clone(), path) {
            bail!(
                "{} and {} would both become {name}.png: segment them into two folders",
                first.display(),
                path.display()
            );
        }
        names.push(name);
    }
    Ok(names)
}

/// Writes what was asked for of one photo; the shares of its classes, if they are wanted.
fn segment(
    a: &Arguments,
    model: &Model,
    path: &Path,
    name: &str,
) -> anyhow::Result<Option<serde_json::Value>> {
    let sampling = Sampling {
        solver: a.solver,
        steps: a
            .steps
            .map_or(model.card.default_steps(), |steps| steps as usize),
        seed: a.seed,
        scale: a.scale.scale,
        ..Sampling::default()
    };
    let centroids = model.centroids();
    // Masks need the last state alone.
    let whole = a.keeps_states();
    let (mut opened, mut failed) = (None, None);
    let mut states = Vec::new();
    let photo = Photo::File(path.to_owned());
    job::flow(model, photo, sampling, &mut |message| {
        match message {
            Message::Opened { photo, size, .. } => opened = Some((photo, size)),
            Message::State(state) => {
                if !whole {
                    states.clear();
                }
                states.push(state);
            }
            Message::Failed(text) => failed = Some(text),
            _ => {}
        }
        true
    });
    if let Some(text) = failed {
        bail!(text);
    }
    let Some((photo, size)) = opened else {
        bail!("{} was not opened", path.display())
    };
    let states: Vec<HostState> = states
        .into_iter()
        .map(|state| {
            let x = read(state.x);
            let labels = centroids.decode(&x);
            let t = state.t;
            HostState { t, x, labels }
        })
        .collect();
    let times: Vec<f32> = states.iter().map(|state| state.t).collect();
    let scene = Scene {
        photo: &photo,
        trajectory: Trajectory {
            size,
            times: &times,
            states: states.iter().map(|state| state.x.as_slice()).collect(),
            labels: states.iter().map(|state| state.labels.as_slice()).collect(),
        },
        centroids: &centroids,
        colours: &centroids.colours(),
        classes: &model.card.classes,
        look: Look::Raw,
        opacity: 0.5,
    };
    let wanted = [
        (Artifact::Labels, true),
        (Artifact::Overlay, a.overlay),
        (Artifact::Colours, a.colours),
        (Artifact::Gif, a.trajectory),
        (Artifact::Numbers, a.numbers),
    ];
    for (artifact, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
        let path = a.output.join(artifact.file_name(name));
        export::write(artifact, &scene, &path, &|_| true)?;
    }
    Ok(a.json
        .then(|| shares(path, &scene.labels_of_photo(), model, size)))
}

/// A state on the host.
struct HostState {
    t: f32,
    /// `x_t: [3, H, W]`
    x: Vec<f32>,
    /// The nearest class of every pixel, `[H, W]`.
    labels: Vec<u16>,
}

fn shares(path: &Path, labels: &[u16], model: &Model, size: [usize; 2]) -> serde_json::Value {
    let counts = trajectory::counts(labels, model.card.classes.len());
    let share = |count: usize| count as f64 / labels.len() as f64;
    let classes: serde_json::Map<String, serde_json::Value> = model
        .card
        .classes
        .iter()
        .zip(counts)
        .map(|(name, count)| (name.clone(), share(count).into()))
        .collect();
    serde_json::json!({ "image": path, "network_size": size, "shares": classes })
}
