//! `flowseg segment`: masks without a window.

mod choice;
pub(super) mod inputs;
mod manifest;
mod outputs;
mod pipeline;
mod progress;
mod records;

use super::arguments::{DeviceArgument, LooksArgument, ModelArgument, ScaleArgument};
use crate::data;
use crate::encoding::Centroids;
use crate::export::{
    self, Artifact, Details, Entry, Look, Mask, Scene, Selection, Shapes, Trajectory,
};
use crate::files::{self, Plan};
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::model::tensors::read;
use crate::models;
use crate::sampler::{Solver, State};
use crate::trajectory;
use crate::votes::Votes;
use anyhow::Context;
use choice::Choice;
use image::RgbImage;
use inputs::Input;
use outputs::{Outputs, Photo, Tables};
use pipeline::Threads;
use records::{Done, Records};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Write the masks of photos
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Photos (JPEG, PNG, WebP, HEIC, BMP, GIF, TIFF, PNM or TGA), folders with all photos in them
    /// and below, patterns such as 'photos/**/*.jpg', or - for paths on standard input, one a line
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder for the masks: OUT/NAME.png holds a class index a pixel at the photo's own size.
    /// Photos from below a folder go to folders of the same names. No photo is ever overwritten
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
    #[command(flatten)]
    looks: LooksArgument,
    /// Leave a pixel without a class (255, or 65535 in 16 bits) where its most probable one has less
    /// than this probability, 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    ignore_below: f32,
    #[command(flatten)]
    choice: Choice,
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
    /// Leave out photos whose files are all there, and go on with the COCO file and the manifest of
    /// a run that stopped
    #[arg(long)]
    skip_existing: bool,
    /// Also write a JSON line for every photo: input, outputs, size, shares, seconds and error
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

impl Arguments {
    /// Whether something is wanted that shows every state, not the last alone.
    fn keeps_states(&self) -> bool {
        self.trajectory || self.numbers
    }

    /// What is written of a photo's flow.
    fn artifacts(&self) -> Vec<Artifact> {
        let wanted = [
            (Artifact::Gif, self.trajectory),
            (Artifact::Numbers, self.numbers),
        ];
        let wanted = wanted.into_iter().filter(|(_, wanted)| *wanted);
        wanted.map(|(artifact, _)| artifact).collect()
    }
}

fn probability(text: &str) -> Result<f32, String> {
    let share = text.parse().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a probability is a number from 0 to 1".to_owned())
}

/// Photos that a CPU segments side by side at most: much of a photo's work occupies one core only,
/// but each is a whole photo in memory.
const SIDE_BY_SIDE: usize = 4;
/// Opacity of class colours over a photo.
const OPACITY: f32 = 0.5;

/// Runs the command. A photo that fails is reported and the others still get their masks.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.choice.check()?;
    let found = inputs::find(
        &arguments.inputs,
        &arguments.output,
        std::io::stdin().lock(),
    )?;
    let (photos, tables) = planned(arguments, found)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    let work = Work::new(arguments, &model, &tables)?;
    let mut records = Records::open(
        &tables,
        &work.selection,
        arguments.manifest.as_deref(),
        arguments.json,
        arguments.skip_existing,
    )?;
    let left = match arguments.skip_existing {
        true => records.without_done(&photos)?,
        false => photos.iter().collect(),
    };
    records.begin(left.len());
    pipeline::run(
        left.len(),
        threads(crate::device::on_cpu(&opened.device), work.keeps_states),
        |at| Ok(data::read_photo(&left[at].path)?),
        |photo| work.flow(photo),
        |at, flow| work.write(left[at], &flow),
        |at, time, result| records.add(left[at], time, result),
    )?;
    records.end(photos.len())
}

/// How many threads read, segment and write.
fn threads(on_cpu: bool, keeps_states: bool) -> Threads {
    let cores = rayon::current_num_threads();
    // A GPU takes its work from one thread, and needs more of them to keep it fed. All states of a
    // photo's flow are in memory where they are kept.
    let (beside, middle) = match (on_cpu, keeps_states) {
        (true, false) => ((cores / 4).clamp(1, 2), cores.min(SIDE_BY_SIDE)),
        (true, true) => (1, 1),
        (false, true) => (1, 1),
        (false, false) => ((cores / 2).clamp(1, 4), 1),
    };
    Threads {
        read: beside,
        middle,
        write: beside,
        waiting: if keeps_states { 0 } else { 1 },
    }
}

/// The photos and where their outputs go: named after them without their endings, in a tree of folders
/// as they were found in, which is created; each proved possible and over no photo and no other
/// output.
fn planned(arguments: &Arguments, found: Vec<Input>) -> anyhow::Result<(Vec<Photo>, Tables)> {
    let (formats, flow) = (arguments.choice.formats(), arguments.artifacts());
    let tables = Tables::of(&arguments.output, &formats, &arguments.choice.shapes());
    let mut plan = Plan::default();
    tables.plan(&mut plan);
    if let Some(manifest) = &arguments.manifest {
        plan.write(manifest, "the manifest");
    }
    let mut folders = BTreeSet::from([arguments.output.clone()]);
    let mut photos = Vec::with_capacity(found.len());
    for Input { path, below } in found {
        let stem = path
            .file_stem()
            .with_context(|| format!("{} is not the name of a photo", path.display()))?;
        let folder = arguments.output.join(&below);
        let outputs = Outputs::of(&folder, stem, &formats, &flow);
        outputs.plan(&mut plan, &path);
        folders.insert(folder);
        photos.push(Photo {
            name: slashed(&below.join(path.file_name().unwrap_or_default())),
            path,
            outputs,
        });
    }
    for folder in &folders {
        files::create_folder(folder)?;
    }
    plan.check(|| {
        let model = models::file(&arguments.model.model);
        let photos = photos.iter().map(|photo| photo.path.clone());
        photos.chain([model]).collect()
    })?;
    Ok((photos, tables))
}

/// A relative path with slashes between its parts.
fn slashed(path: &Path) -> String {
    let parts = path.iter().map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// What all photos have in common.
struct Work<'a> {
    model: &'a Model,
    /// What the model is called in errors.
    model_name: String,
    sampling: Sampling,
    /// The first one is that of the states that are kept.
    looks: Vec<inference::Look>,
    ignore_below: f32,
    keeps_states: bool,
    centroids: Centroids,
    colours: Vec<[u8; 3]>,
    selection: Selection,
    cutout: Vec<u16>,
    shapes: Vec<Shapes>,
}

/// The states of a look at a photo.
struct Seen {
    size: [usize; 2],
    times: Vec<f32>,
    states: Vec<Vec<f32>>,
}

/// A photo and its flow.
struct Flow {
    photo: RgbImage,
    /// At the first look.
    seen: Seen,
    /// Of those states, where they are kept.
    labels: Vec<Vec<u16>>,
    /// Of all looks.
    votes: Votes,
}

impl<'a> Work<'a> {
    fn new(arguments: &Arguments, model: &'a Model, tables: &Tables) -> anyhow::Result<Self> {
        let (selection, cutout) = arguments.choice.of_model(&model.card.classes)?;
        let centroids = model.centroids();
        let steps = arguments.steps.map(|steps| steps as usize);
        let looks = arguments.looks.looks(&arguments.scale);
        Ok(Self {
            model,
            model_name: arguments.model.model.to_string_lossy().into_owned(),
            sampling: Sampling {
                solver: arguments.solver,
                steps: steps.unwrap_or(model.card.default_steps()),
                seed: arguments.seed,
                ..Sampling::default()
            },
            looks,
            ignore_below: arguments.ignore_below,
            keeps_states: arguments.keeps_states(),
            colours: centroids.colours(),
            centroids,
            selection,
            cutout,
            shapes: tables.coco.iter().map(|(shapes, _)| *shapes).collect(),
        })
    }

    /// From a photo to the votes of all looks at it, and the states of the first.
    fn flow(&self, photo: RgbImage) -> anyhow::Result<Flow> {
        let first = self.looks.first().copied().unwrap_or_default();
        let seen = self.look(&photo, first, self.keeps_states)?;
        let mut votes = self.votes(first, &seen);
        for &look in self.looks.iter().skip(1) {
            votes.add(&self.votes(look, &self.look(&photo, look, false)?));
        }
        // Masks need votes alone.
        let labels = if self.keeps_states {
            let states = seen.states.iter();
            states.map(|x| self.centroids.decode(x)).collect()
        } else {
            Vec::new()
        };
        Ok(Flow {
            photo,
            seen,
            labels,
            votes,
        })
    }

    /// The states of a look at a photo: all, or the last alone.
    fn look(&self, photo: &RgbImage, look: inference::Look, all: bool) -> anyhow::Result<Seen> {
        let [width, height] = [photo.width(), photo.height()].map(|side| side as usize);
        let size = inference::network_size(self.model, width, height, look.scale);
        let input = look.input(&[photo], size, &self.model.network.device());
        let flow = inference::flow(self.model, input, self.sampling);
        let kept: Vec<State> = if all {
            flow.collect()
        } else {
            flow.last().into_iter().collect()
        };
        let (mut times, mut states) = (Vec::new(), Vec::new());
        for state in kept {
            let x = read(state.x);
            inference::check_finite(&x).with_context(|| self.model_name.clone())?;
            times.push(state.t);
            states.push(x);
        }
        Ok(Seen {
            size,
            times,
            states,
        })
    }

    fn votes(&self, look: inference::Look, seen: &Seen) -> Votes {
        let last = seen.states.last().map_or(&[][..], Vec::as_slice);
        look.votes(&self.centroids, last, seen.size)
    }

    /// Writes what was asked for of a photo's flow.
    fn write(&self, photo: &Photo, flow: &Flow) -> anyhow::Result<Done> {
        let scene = Scene {
            photo: &flow.photo,
            trajectory: Trajectory {
                size: flow.seen.size,
                times: &flow.seen.times,
                states: flow.seen.states.iter().map(Vec::as_slice).collect(),
                labels: flow.labels.iter().map(Vec::as_slice).collect(),
            },
            centroids: &self.centroids,
            colours: &self.colours,
            classes: &self.model.card.classes,
            look: Look::Raw,
            opacity: OPACITY,
        };
        let to = [flow.photo.height(), flow.photo.width()].map(|side| side as usize);
        let mut labels = flow.votes.labels_above(to, self.ignore_below);
        self.selection
            .apply(&mut labels, flow.photo.width() as usize);
        let mask = Mask {
            photo: &flow.photo,
            labels: &labels,
            classes: self.selection.names(),
            colours: &self.colours,
        };
        let details = Details {
            photo: &photo.path,
            cutout: &self.cutout,
            opacity: OPACITY,
            votes: &flow.votes,
        };
        for (format, path) in &photo.outputs.masks {
            format.write(&mask, path, &details)?;
        }
        for (artifact, path) in &photo.outputs.flow {
            export::write(*artifact, &scene, path, &|_| true)?;
        }
        let entry = |&shapes: &Shapes| Entry::new(&mask, &photo.name, shapes);
        Ok(Done {
            size: [flow.photo.width(), flow.photo.height()],
            network_size: flow.seen.size,
            shares: shares(&mask),
            entries: self.shapes.iter().map(entry).collect(),
        })
    }
}

/// The share of every class among all pixels.
fn shares(mask: &Mask) -> serde_json::Map<String, serde_json::Value> {
    let counts = trajectory::counts(mask.labels, mask.classes.len());
    let share = |count: usize| count as f64 / mask.labels.len() as f64;
    mask.classes
        .iter()
        .zip(counts)
        .map(|(name, count)| (name.clone(), share(count).into()))
        .collect()
}
