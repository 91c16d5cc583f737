//! `flowseg segment`: masks without a window.

use super::arguments::{DeviceArgument, ModelArgument, ScaleArgument};
use crate::data::{self, ClassTable};
use crate::export::{self, Artifact, Look, Scene, Trajectory};
use crate::files::{self, Plan};
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::model::tensors::read;
use crate::sampler::{Solver, State};
use crate::terminal::{err, out};
use crate::trajectory;
use anyhow::{Context, bail};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Write the masks of photos
#[derive(clap::Args)]
pub struct Arguments {
    /// Photos: JPEG, PNG, WebP, BMP, GIF, TIFF, PNM or TGA
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Folder for the masks: OUT/NAME.png holds a class index a pixel at the photo's own size. No
    /// photo is ever overwritten
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
    /// Also write OUT/NAME.trajectory.gif: the flow from photo to mask, in at most 256 colours
    #[arg(long)]
    trajectory: bool,
    /// Also write OUT/NAME.numbers.csv: shares of the classes, settling and speed, state by state
    #[arg(long)]
    numbers: bool,
    /// Print a JSON object for every photo with the share of every class. Bytes of a name that are
    /// not UTF-8 become U+FFFD, and classes of one name are numbered: name, name (2)
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

    /// What is written for every photo.
    fn artifacts(&self) -> impl Iterator<Item = Artifact> {
        let wanted = [
            (Artifact::Labels, true),
            (Artifact::Overlay, self.overlay),
            (Artifact::Colours, self.colours),
            (Artifact::Gif, self.trajectory),
            (Artifact::Numbers, self.numbers),
        ];
        wanted
            .into_iter()
            .filter(|(_, wanted)| *wanted)
            .map(|(artifact, _)| artifact)
    }
}

/// A photo, and what is written for it.
struct Photo<'a> {
    path: &'a Path,
    outputs: Vec<(Artifact, PathBuf)>,
}

/// Photos that a CPU segments side by side at most: much of a photo's work occupies one core only,
/// but each is a whole photo in memory.
const SIDE_BY_SIDE: usize = 4;

/// Runs the command. A photo that fails is reported and the others still get their masks.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let photos = photos(arguments)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    if let [photo] = photos.as_slice() {
        print(segment(arguments, &model, photo)?);
        return Ok(());
    }
    // A trajectory's states are all in memory.
    let at_once = match crate::device::on_cpu(&opened.device) && !arguments.keeps_states() {
        true => rayon::current_num_threads().min(SIDE_BY_SIDE),
        false => 1,
    };
    let bar = super::output::bar(photos.len());
    let mut failed = 0;
    for group in photos.chunks(at_once) {
        let segmented: Vec<_> = group
            .par_iter()
            .map(|photo| segment(arguments, &model, photo))
            .inspect(|_| bar.inc(1))
            .collect();
        for result in segmented {
            match result {
                Ok(shares) => print(shares),
                Err(error) => {
                    err!("flowseg: {}", super::output::one_line(&error));
                    failed += 1;
                }
            }
        }
    }
    bar.finish_and_clear();
    match failed {
        0 => Ok(()),
        n => bail!("{n} of {} photos got no mask", photos.len()),
    }
}

fn print(shares: Option<serde_json::Value>) {
    if let Some(shares) = shares {
        out!("{shares}");
    }
}

/// The photos and where their outputs go: named after them without their endings, in a folder that is
/// created, each proved possible and over no photo and no other output.
fn photos(arguments: &Arguments) -> anyhow::Result<Vec<Photo<'_>>> {
    let mut plan = Plan::default();
    let mut photos = Vec::new();
    for path in &arguments.images {
        let stem = path
            .file_stem()
            .with_context(|| format!("{} is not the name of a photo", path.display()))?;
        let output = |artifact: Artifact| {
            let mut name = stem.to_owned();
            name.push(artifact.suffix());
            (artifact, arguments.output.join(name))
        };
        let outputs: Vec<_> = arguments.artifacts().map(output).collect();
        for (artifact, output) in &outputs {
            let what = format!("the {} of {}", artifact.noun(), path.display());
            plan.write(output, what);
        }
        photos.push(Photo { path, outputs });
    }
    files::create_folder(&arguments.output)?;
    plan.check(|| {
        let model = PathBuf::from(&arguments.model.model);
        arguments.images.iter().cloned().chain([model]).collect()
    })?;
    Ok(photos)
}

/// Writes what was asked for of one photo; the shares of its classes, if they are wanted.
fn segment(
    a: &Arguments,
    model: &Model,
    photo: &Photo,
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
    let picture = data::read_photo(photo.path)?;
    let [width, height] = [picture.width(), picture.height()].map(|side| side as usize);
    let size = inference::network_size(model, width, height, sampling.scale);
    let input = inference::input(&[&picture], size, &model.network.device());
    let flow = inference::flow(model, input, sampling);
    // Masks need the last state alone.
    let states: Vec<State> = match a.keeps_states() {
        true => flow.collect(),
        false => flow.last().into_iter().collect(),
    };
    let centroids = model.centroids();
    let mut times = Vec::new();
    let mut values = Vec::new();
    for state in states {
        let x = read(state.x);
        inference::check_finite(&x)
            .with_context(|| a.model.model.to_string_lossy().into_owned())?;
        times.push(state.t);
        values.push(x);
    }
    let labels: Vec<Vec<u16>> = values.iter().map(|x| centroids.decode(x)).collect();
    let scene = Scene {
        photo: &picture,
        trajectory: Trajectory {
            size,
            times: &times,
            states: values.iter().map(Vec::as_slice).collect(),
            labels: labels.iter().map(Vec::as_slice).collect(),
        },
        centroids: &centroids,
        colours: &centroids.colours(),
        classes: &model.card.classes,
        look: Look::Raw,
        opacity: 0.5,
    };
    for (artifact, path) in &photo.outputs {
        export::write(*artifact, &scene, path, &|_| true)?;
    }
    Ok(a.json
        .then(|| shares(photo.path, &scene.labels_of_photo(), model, size)))
}

fn shares(path: &Path, labels: &[u16], model: &Model, size: [usize; 2]) -> serde_json::Value {
    // JSON's keys are distinct, as are the names of a class table.
    let names = ClassTable::new(model.card.classes.clone()).names;
    let counts = trajectory::counts(labels, names.len());
    let share = |count: usize| count as f64 / labels.len() as f64;
    let classes: serde_json::Map<String, serde_json::Value> = names
        .into_iter()
        .zip(counts)
        .map(|(name, count)| (name, share(count).into()))
        .collect();
    serde_json::json!({
        "image": path.to_string_lossy(),
        "network_size": size,
        "shares": classes,
    })
}
