//! `flowseg segment`: masks without a window.

mod choice;
mod outputs;

use super::arguments::{DeviceArgument, ModelArgument, ScaleArgument};
use crate::data;
use crate::encoding::Centroids;
use crate::export::{
    self, Artifact, Coco, Details, Entry, Look, Mask, Scene, Selection, Shapes, Trajectory,
};
use crate::files::{self, Plan};
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::model::tensors::read;
use crate::sampler::{Solver, State};
use crate::terminal::{err, out};
use crate::trajectory;
use anyhow::{Context, bail};
use choice::Choice;
use image::RgbImage;
use outputs::{Outputs, Tables};
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

/// A photo, and what is written for it.
struct Photo<'a> {
    path: &'a Path,
    /// What it is called in files about all photos.
    name: String,
    outputs: Outputs,
}

/// Photos that a CPU segments side by side at most: much of a photo's work occupies one core only,
/// but each is a whole photo in memory.
const SIDE_BY_SIDE: usize = 4;
/// Opacity of class colours over a photo.
const OPACITY: f32 = 0.5;

/// Runs the command. A photo that fails is reported and the others still get their masks.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.choice.check()?;
    let (photos, tables) = photos(arguments)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    let work = Work::new(arguments, &model, &tables)?;
    let mut coco = tables
        .coco
        .iter()
        .map(|(_, path)| Coco::create(path, &work.selection))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some([list, yaml]) = &tables.yolo {
        let names = work.selection.names();
        files::write_atomic(list, export::class_list(names).as_bytes())?;
        files::write_atomic(yaml, export::data_yaml(names).as_bytes())?;
    }
    let mut finish = |done: Done| -> anyhow::Result<()> {
        if arguments.json {
            out!("{}", done.json);
        }
        for (coco, entry) in coco.iter_mut().zip(done.entries) {
            coco.add(entry)?;
        }
        Ok(())
    };
    let mut failed = 0;
    if let [photo] = photos.as_slice() {
        finish(work.segment(photo)?)?;
    } else {
        // A trajectory's states are all in memory.
        let at_once = match crate::device::on_cpu(&opened.device) && !arguments.keeps_states() {
            true => rayon::current_num_threads().min(SIDE_BY_SIDE),
            false => 1,
        };
        let bar = super::output::bar(photos.len());
        for group in photos.chunks(at_once) {
            let segmented: Vec<_> = group
                .par_iter()
                .map(|photo| work.segment(photo))
                .inspect(|_| bar.inc(1))
                .collect();
            for result in segmented {
                match result {
                    Ok(done) => finish(done)?,
                    Err(error) => {
                        err!("flowseg: {}", super::output::one_line(&error));
                        failed += 1;
                    }
                }
            }
        }
        bar.finish_and_clear();
    }
    for coco in &mut coco {
        coco.save()?;
    }
    match failed {
        0 => Ok(()),
        n => bail!("{n} of {} photos got no mask", photos.len()),
    }
}

/// The photos and where their outputs go: named after them without their endings, in a folder that is
/// created, each proved possible and over no photo and no other output.
fn photos(arguments: &Arguments) -> anyhow::Result<(Vec<Photo<'_>>, Tables)> {
    let formats = arguments.choice.formats();
    let tables = Tables::of(&arguments.output, &formats, &arguments.choice.shapes());
    let mut plan = Plan::default();
    tables.plan(&mut plan);
    let mut photos = Vec::new();
    for path in &arguments.images {
        let stem = path
            .file_stem()
            .with_context(|| format!("{} is not the name of a photo", path.display()))?;
        let outputs = Outputs::of(&arguments.output, stem, &formats, &arguments.artifacts());
        outputs.plan(&mut plan, path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        photos.push(Photo {
            path,
            name: name.into_owned(),
            outputs,
        });
    }
    files::create_folder(&arguments.output)?;
    plan.check(|| {
        let model = PathBuf::from(&arguments.model.model);
        arguments.images.iter().cloned().chain([model]).collect()
    })?;
    Ok((photos, tables))
}

/// What all photos have in common.
struct Work<'a> {
    model: &'a Model,
    /// What the model is called in errors.
    model_name: String,
    sampling: Sampling,
    keeps_states: bool,
    centroids: Centroids,
    colours: Vec<[u8; 3]>,
    selection: Selection,
    cutout: Vec<u16>,
    shapes: Vec<Shapes>,
}

/// A photo and its flow.
struct Flow {
    photo: RgbImage,
    size: [usize; 2],
    times: Vec<f32>,
    states: Vec<Vec<f32>>,
    labels: Vec<Vec<u16>>,
}

/// A photo whose files are written.
struct Done {
    json: serde_json::Value,
    /// What it adds to each of the COCO files.
    entries: Vec<Entry>,
}

impl<'a> Work<'a> {
    fn new(arguments: &Arguments, model: &'a Model, tables: &Tables) -> anyhow::Result<Self> {
        let (selection, cutout) = arguments.choice.of_model(&model.card.classes)?;
        let centroids = model.centroids();
        let steps = arguments.steps.map(|steps| steps as usize);
        Ok(Self {
            model,
            model_name: arguments.model.model.to_string_lossy().into_owned(),
            sampling: Sampling {
                solver: arguments.solver,
                steps: steps.unwrap_or(model.card.default_steps()),
                seed: arguments.seed,
                scale: arguments.scale.scale,
                ..Sampling::default()
            },
            keeps_states: arguments.keeps_states(),
            colours: centroids.colours(),
            centroids,
            selection,
            cutout,
            shapes: tables.coco.iter().map(|(shapes, _)| *shapes).collect(),
        })
    }

    /// Writes what was asked for of one photo.
    fn segment(&self, photo: &Photo) -> anyhow::Result<Done> {
        let picture = data::read_photo(photo.path)?;
        self.write(photo, &self.flow(picture)?)
    }

    /// From a photo to the classes of its pixels at the network's size.
    fn flow(&self, photo: RgbImage) -> anyhow::Result<Flow> {
        let (model, sampling) = (self.model, self.sampling);
        let [width, height] = [photo.width(), photo.height()].map(|side| side as usize);
        let size = inference::network_size(model, width, height, sampling.scale);
        let input = inference::input(&[&photo], size, &model.network.device());
        let flow = inference::flow(model, input, sampling);
        // Masks need the last state alone.
        let kept: Vec<State> = match self.keeps_states {
            true => flow.collect(),
            false => flow.last().into_iter().collect(),
        };
        let mut times = Vec::new();
        let mut states = Vec::new();
        for state in kept {
            let x = read(state.x);
            inference::check_finite(&x).with_context(|| self.model_name.clone())?;
            times.push(state.t);
            states.push(x);
        }
        let labels = states.iter().map(|x| self.centroids.decode(x)).collect();
        Ok(Flow {
            photo,
            size,
            times,
            states,
            labels,
        })
    }

    /// Writes what was asked for of a photo's flow.
    fn write(&self, photo: &Photo, flow: &Flow) -> anyhow::Result<Done> {
        let scene = Scene {
            photo: &flow.photo,
            trajectory: Trajectory {
                size: flow.size,
                times: &flow.times,
                states: flow.states.iter().map(Vec::as_slice).collect(),
                labels: flow.labels.iter().map(Vec::as_slice).collect(),
            },
            centroids: &self.centroids,
            colours: &self.colours,
            classes: &self.model.card.classes,
            look: Look::Raw,
            opacity: OPACITY,
        };
        let mut labels = scene.labels_of_photo();
        self.selection
            .apply(&mut labels, flow.photo.width() as usize);
        let mask = Mask {
            photo: &flow.photo,
            labels: &labels,
            classes: self.selection.names(),
            colours: &self.colours,
        };
        let details = Details {
            photo: photo.path,
            cutout: &self.cutout,
            opacity: OPACITY,
        };
        for (format, path) in &photo.outputs.masks {
            format.write(&mask, path, &details)?;
        }
        for (artifact, path) in &photo.outputs.flow {
            export::write(*artifact, &scene, path, &|_| true)?;
        }
        let entry = |&shapes: &Shapes| Entry::new(&mask, &photo.name, shapes);
        Ok(Done {
            json: serde_json::json!({
                "image": photo.path.to_string_lossy(),
                "network_size": flow.size,
                "shares": shares(&mask),
            }),
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
