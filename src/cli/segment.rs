//! `flowseg segment`: writes masks without opening the window.

mod animations;
mod choice;
mod flicker;
mod looking;
mod made_with;
mod manifest;
mod outputs;
mod pending;
mod pipeline;
mod records;
mod standing;
mod work;

use super::arguments::{
    DeviceArgument, ModelArgument, PrecisionArgument, SMALLER, SamplingArguments, solver_steps,
};
use super::compiling::Compiling;
use super::inputs::{self, Input};
use super::interrupt;
use super::output;
use super::progress::Progress;
use crate::data::{self, Origin};
use crate::device;
use crate::export::{Artifact, Format, Selection};
use crate::files::{self, Claim, FileError, Plan};
use crate::format::counted;
use crate::inference::{Sampling, Viewing};
use crate::model::Model;
use crate::models::Found;
use crate::terminal::{self, err};
use animations::Animations;
use anyhow::{Context, bail};
use burn::tensor::Device;
use choice::Choice;
use clap::ValueEnum;
use looking::Looking;
use made_with::Checksum;
use manifest::Manifest;
use outputs::{Keys, Outputs, Photo, Sizes, Tables};
use pending::Pending;
use pipeline::Threads;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use records::Records;
use serde_json::Value;
use standing::Standing;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use work::Work;

/// Write the masks of photos
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Photos (JPEG, PNG, WebP, HEIC, BMP, GIF, TIFF, PNM or TGA), folders, searched with their
    /// subfolders, patterns such as 'photos/**/*.jpg', or - for paths on standard input, one per line.
    /// Animations (GIF, APNG, WebP) give one mask per frame, OUT/NAME-0001.png and so on
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder for the masks: OUT/NAME.png holds one class index per pixel at the photo's own size.
    /// Subfolders are mirrored. No photo is ever overwritten, nor a corrected mask, nor a file that
    /// FlowSeg did not write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    model: ModelArgument,
    #[command(flatten)]
    precision: PrecisionArgument,
    /// Solver steps, 1 to 1000; by default what the model recommends
    #[arg(long, value_parser = solver_steps())]
    steps: Option<u64>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Leave a pixel without a class (255, or 65535 in 16 bits) if its most probable class, before
    /// --merge, has less than this probability, 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    ignore_below: f32,
    #[command(flatten)]
    choice: Choice,
    /// Also write OUT/NAME.trajectory.gif: the flow from photo to mask, in at most 256 colours
    #[arg(long)]
    trajectory: bool,
    /// Also write OUT/NAME.numbers.csv: for every state the share of each class, the share of pixels that
    /// already have their final class and keep it, and the mean speed |v| from it to the next one. They are
    /// of the first pass at the network's size, before outlines follow the photo: the mask's own shares are
    /// in --json
    #[arg(long)]
    numbers: bool,
    /// Print one JSON object per photo with the share of every class. Bytes of a name that are not
    /// UTF-8 become U+FFFD, and classes with the same name are numbered: name, name (2)
    #[arg(long)]
    json: bool,
    /// Skip photos whose files are all there, not cut off, of the photo's size and not older than the photo, and
    /// continue a run that stopped: its COCO file, its manifest and the files that it was still to replace. Says how
    /// many masks another model or other settings made.
    /// Labels that were corrected in the window (PNG) or in another program (PNG, TIFF, Labelme or YOLO) are
    /// kept, and masks (PNG, TIFF) are copied into the photo's other files
    #[arg(long)]
    skip_existing: bool,
    /// Treat the photos of every folder, in the order of the numbers in their names (f2 before f10), as the
    /// frames of a sequence, and report how much the masks flicker: the share of pixels whose class changes
    /// although the photo hardly does. For animations it is always reported
    #[arg(long)]
    flicker: bool,
    /// Also write one JSON line per photo: input, outputs, size, shares, what they were made with, seconds and
    /// error. Replaces no file but an empty one and an earlier manifest
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

impl Arguments {
    /// Whether an output needs every state, not only the last.
    fn keeps_states(&self) -> bool {
        self.trajectory || self.numbers
    }

    /// The outputs that show a photo's flow.
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
        .ok_or_else(|| "a probability must be a number from 0 to 1".to_owned())
}

/// Maximum number of photos that a CPU segments in parallel: much of a photo's work uses one core only,
/// but each photo in flight takes memory.
const SIDE_BY_SIDE: usize = 4;

/// Writes the masks. A photo that fails is reported and the others are still segmented.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.choice.check()?;
    if arguments.manifest.as_deref() == Some(Path::new("-")) {
        bail!("--manifest - is not a file: give a file name, or /dev/stdout for standard output");
    }
    // A model that is missing is told before long lists are read; its file stays free meanwhile.
    drop(arguments.model.find()?);
    let (inputs, unread) = inputs::find(
        &arguments.inputs,
        &arguments.output,
        std::io::stdin().lock(),
    )?;
    let found = Arc::new(arguments.model.find()?);
    let (mut photos, tables) = planned(arguments, inputs, &found)?;
    let _claims = claimed(arguments, &tables)?;
    // While the device is opened.
    let mut formats = arguments.choice.formats().into_iter();
    let is_said = arguments.manifest.is_some() || formats.any(Format::says_origin);
    let checksum = is_said.then(|| Checksum::start(found.clone()));
    let checksum = checksum.transpose()?;
    let opened = arguments.device.open_quietly()?;
    let precision = arguments.precision.on(&opened.device)?;
    let model = found.load(&opened.device)?.with_precision(precision);
    let work = work(arguments, &model, &tables)?;
    let made_with = made_with::made_with(
        &found,
        &model.card,
        precision,
        &work.viewing,
        &arguments.choice,
        checksum,
    )?;
    // A training may replace the file, which Windows refuses while it is mapped, and reading it would end this process if
    // another one made it shorter. What follows may take long.
    drop(found);
    tables.keep_foreign(&photos, arguments.skip_existing)?;
    keep_foreign(
        arguments.skip_existing,
        &mut photos,
        work.selection.names().len(),
    )?;
    let mut pending = Pending::read(&arguments.output)?;
    look_for_done(arguments, &mut photos, &pending);
    let said = made_with::of_files(&made_with).to_string();
    let mut records = begin_records(
        arguments,
        &tables,
        &work.selection,
        made_with,
        &photos,
        &mut pending,
    )?;
    let left = if arguments.skip_existing {
        records.without_done(&photos)?
    } else {
        photos.iter().collect()
    };
    records.begin(&photos, left.len());
    say_when_left(records.standing(), left.len());
    let segmented = segment(&work, &opened.device, &left, &said, &mut records);
    pending.end();
    if let Err(error) = segmented {
        records.abandon();
        if records::ends_run(&error) && left.len() > 1 {
            err!("to continue, run the same command with --skip-existing");
        }
        return Err(error);
    }
    interrupt::say_nothing_when_left();
    let masks = photos.len() - records.standing().failures();
    let ended = records.end();
    if photos.len() > 1 && !left.is_empty() && masks > 0 {
        err!("{}", masks_in(arguments, masks));
    }
    ended.and(unread.report())
}

/// Claims the files of records: two runs that write the same would each lose those of the other.
///
/// # Errors
/// Another run has claimed one, or the manifest is another program's file.
fn claimed(arguments: &Arguments, tables: &Tables) -> anyhow::Result<Vec<Claim>> {
    if let Some(manifest) = &arguments.manifest {
        Manifest::keep_foreign(manifest)?;
    }
    let records = tables.coco.iter().map(|(_, path)| path);
    let records = records.chain(&arguments.manifest);
    let claims: Result<_, _> = records.map(|path| Claim::of(path)).collect();
    Ok(claims?)
}

/// Refuses to replace what this program did not write, before the tables of an earlier run are replaced. Of what another
/// program wrote, only labels of the requested format with at most `classes` classes are taken for done, and kept, by a
/// run that `goes_on`.
///
/// # Errors
/// The first such file.
fn keep_foreign(goes_on: bool, photos: &mut [Photo], classes: usize) -> anyhow::Result<()> {
    let looking = Looking::at(photos.len());
    // Every mask that is there is read.
    let look = |photo: &mut Photo| -> Result<(), FileError> {
        photo.outputs.keep_foreign(|format, path| {
            goes_on && format.is_corrected(path, &photo.path, classes)
        })?;
        photo.outputs.look_behind();
        looking.step();
        Ok(())
    };
    // Corrected masks are decoded, which takes memory.
    let few = ThreadPoolBuilder::new().num_threads(SIDE_BY_SIDE);
    let few = few.thread_name(|_| "flowseg-look".to_owned()).build()?;
    let refused = few.install(|| photos.par_iter_mut().map(look).find_map_first(Result::err));
    looking.end();
    if let Some(error) = refused {
        return Err(error.into());
    }
    let kept = photos.iter().map(|photo| photo.outputs.corrected.len());
    let kept: usize = kept.sum();
    if kept > 0 {
        err!("kept {}", counted(kept, "corrected file"));
    }
    Ok(())
}

/// Finds the photos whose files an earlier run has completed, where those are not to be made again.
fn look_for_done(arguments: &Arguments, photos: &mut [Photo], pending: &Pending) {
    if !arguments.skip_existing {
        return;
    }
    let mut sizes = Sizes::default();
    let now = outputs::now_in(&arguments.output);
    let mut older = 0;
    for photo in photos {
        let outputs = &photo.outputs;
        let is_there = !outputs.written().any(|file| pending.has(file)) && outputs.are_complete();
        let is_older = is_there && outputs.are_older_than(&photo.path, now);
        older += usize::from(is_older);
        photo.is_done = is_there && !is_older && outputs.fit(&photo.path, &mut sizes);
    }
    // Copied photos may have the time of the copy.
    match older {
        0 => {}
        1 => err!("1 mask is older than its photo: it is made again"),
        older => err!("{older} masks are older than their photos: they are made again"),
    }
}

/// Starts the records, or continues those of an earlier run.
///
/// # Errors
/// A failed write, or records that cannot be continued.
fn begin_records(
    arguments: &Arguments,
    tables: &Tables,
    selection: &Selection,
    made_with: Value,
    photos: &[Photo],
    pending: &mut Pending,
) -> anyhow::Result<Records> {
    // Before: records that begin anew no longer know which files an earlier run has completed.
    let replaced = photos.iter().filter(|photo| !photo.is_done);
    pending.add(replaced.flat_map(|photo| photo.outputs.written()))?;
    let records = Records::open(
        tables,
        selection,
        arguments.manifest.as_deref(),
        made_with,
        arguments.json,
        arguments.skip_existing.then_some(photos),
    );
    if records.is_err() {
        // Why there are no records is to be told. A list that stays only has its files made again.
        let _ = pending.withdraw();
    }
    records
}

/// Segments the photos that are `left`, and writes their files, which say what they are made with, and their records.
///
/// # Errors
/// One that [ends the run](records::ends_run), a record that cannot be written, or the failure of the only photo.
fn segment(
    work: &Work,
    device: &Device,
    left: &[&Photo],
    said: &str,
    records: &mut Records,
) -> anyhow::Result<()> {
    // One photo is counted by its tiles.
    let tiles: OnceLock<Mutex<Progress>> = OnceLock::new();
    let count = |done, all| {
        let tiles = tiles.get_or_init(|| Mutex::new(Progress::new(all, "tile")));
        let mut tiles = tiles.lock().unwrap_or_else(PoisonError::into_inner);
        tiles.reach(done);
        if done == all {
            tiles.end();
        }
    };
    let is_alone = left.len() == 1;
    let count: &(dyn Fn(usize, usize) + Sync) = if is_alone { &count } else { &|_, _| {} };
    let budget = data::Budget::default();
    let wanted = left.iter();
    let animations =
        Animations::of(wanted.filter_map(|photo| Some((photo.path.as_path(), photo.frame?))));
    let mut compiling = Compiling::on(device);
    pipeline::run(
        left.len(),
        threads(device::on_cpu(device), work.keeps_states),
        |at| {
            let (photo, delay) = match left[at].frame {
                None => (data::read_photo(&left[at].path)?, None),
                Some(frame) => {
                    let frame = animations.frame(&left[at].path, frame)?;
                    (frame.image, Some(frame.delay))
                }
            };
            let pixels = u64::from(photo.width()) * u64::from(photo.height());
            Ok((at, photo, delay, budget.admit(pixels)))
        },
        |(at, photo, delay, admitted)| {
            let flow = device::guarded(device, || work.flow(photo, delay, count))
                .map_err(|failed| failed.needing_less_with(SMALLER))
                .with_context(|| left[at].path.display().to_string())??;
            Ok((flow, admitted))
        },
        |at, (flow, _admitted)| work.write(left[at], flow, Origin::MadeWith(said)),
        |at, time, result| {
            drop(compiling.take());
            records.add(left[at], time, result)
        },
    )
}

/// Where so many masks are, on one line, and in which formats if there are several.
fn masks_in(arguments: &Arguments, masks: usize) -> String {
    let masks = counted(masks, "mask");
    let folder = arguments.output.to_string_lossy();
    let formats = arguments.choice.formats();
    let names = formats.iter().filter_map(Format::to_possible_value);
    let names: Vec<String> = names.map(|name| name.get_name().to_owned()).collect();
    let names = match names.len() {
        0 | 1 => String::new(),
        _ => format!(" ({})", names.join(", ")),
    };
    format!("{masks} in {}{names}", terminal::name(&folder))
}

/// Lets Ctrl-C say how many of several photos are done or have failed, and how the others follow.
fn say_when_left(standing: &Standing, all: usize) {
    if all < 2 {
        return;
    }
    let standing = standing.clone();
    interrupt::say_when_left(move || standing.last_words(all));
}

/// The number of threads that read, segment and write.
fn threads(on_cpu: bool, keeps_states: bool) -> Threads {
    let cores = rayon::current_num_threads();
    // One thread drives a GPU, and several others keep it busy. Kept states of a photo's flow are all
    // in memory.
    let (beside, middle) = match (on_cpu, keeps_states) {
        (true, false) => ((cores / 4).clamp(1, 2), cores.min(SIDE_BY_SIDE)),
        (_, true) => (1, 1),
        (false, false) => ((cores / 2).clamp(1, 4), 1),
    };
    Threads {
        read: beside,
        middle,
        write: beside,
        waiting: if keeps_states { 0 } else { 1 },
    }
}

/// The photos and their output paths: the photos' names without extensions in a mirrored folder tree,
/// which is created; each checked to be writable, not a photo and not another output.
fn planned(
    arguments: &Arguments,
    inputs: Vec<Input>,
    model: &Found,
) -> anyhow::Result<(Vec<Photo>, Tables)> {
    let (formats, flow) = (arguments.choice.formats(), arguments.artifacts());
    let tables = Tables::of(&arguments.output, &formats, &arguments.choice.shapes());
    // Every format has a look at the files in the places of its own.
    let mut plan = Plan::replacing();
    tables.plan(&mut plan);
    if let Some(manifest) = &arguments.manifest {
        plan.write(manifest, "the manifest");
    }
    let mut folders = BTreeSet::from([arguments.output.clone()]);
    let mut photos = Vec::with_capacity(inputs.len());
    let mut keys = Keys::default();
    // An animation is read to its end for this.
    let with_frames = inputs.into_iter().map(|input| {
        let count = data::frame_count(&input.path);
        (input, count)
    });
    let mut with_frames: Vec<(Input, Option<usize>)> = with_frames.collect();
    if arguments.flicker {
        flicker::sort(&mut with_frames);
    }
    for (Input { path, below }, count) in with_frames {
        let folder = arguments.output.join(&below);
        folders.insert(folder.clone());
        let sequence = match (count, arguments.flicker) {
            (Some(_), _) => Some(path.clone()),
            (None, true) => Some(files::folder_of(&path).to_owned()),
            (None, false) => None,
        };
        // One mask per photo, or per frame of an animation.
        for at in 0..count.unwrap_or(1) {
            let frame = count.is_some().then_some(at);
            let named = frame.map_or_else(|| path.clone(), |at| data::frame_name(&path, at));
            let stem = named
                .file_stem()
                .with_context(|| format!("{} is not the name of a photo", path.display()))?;
            let outputs = Outputs::of(&folder, stem, &formats, &flow);
            outputs.plan(&mut plan, &path);
            photos.push(Photo {
                name: slashed(&below.join(named.file_name().unwrap_or_default())),
                path: path.clone(),
                place_key: keys.of(&path),
                outputs,
                frame,
                sequence: sequence.clone(),
                place: photos.len(),
                is_done: false,
            });
        }
    }
    if !tables.coco.is_empty() {
        let mut named: HashMap<&str, &Photo> = HashMap::new();
        for photo in &photos {
            if let Some(other) = named.insert(&photo.name, photo) {
                bail!(
                    "{} and {} would both be {} in the COCO file: segment a folder that contains both",
                    other.path.display(),
                    photo.path.display(),
                    photo.name
                );
            }
        }
    }
    outputs::refuse_namesakes(&photos)?;
    for folder in &folders {
        files::create_output_folder(folder)?;
    }
    let inputs = || {
        let photos = photos.iter().map(|photo| photo.path.clone());
        photos.chain(model.file().map(Path::to_owned)).collect()
    };
    if arguments.json {
        // A manifest on standard output and these lines have the same form.
        plan.check(inputs)?;
    } else {
        output::check(&plan, inputs)?;
    }
    Ok((photos, tables))
}

fn slashed(path: &Path) -> String {
    let parts = path.iter().map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// What all photos share.
///
/// # Errors
/// Classes that the model does not have, or looks that it cannot take.
fn work<'a>(arguments: &Arguments, model: &'a Model, tables: &Tables) -> anyhow::Result<Work<'a>> {
    let (selection, cutout) = arguments.choice.of_model(&model.card.classes)?;
    let centroids = model.centroids();
    let steps = arguments.steps.map(|steps| steps as usize);
    let sampling = &arguments.sampling;
    Ok(Work {
        model,
        model_name: arguments.model.model.to_string_lossy().into_owned(),
        viewing: Viewing {
            looks: sampling.looks(&model.card)?,
            tiling: sampling.tiles,
            sampling: Sampling {
                solver: sampling.solver,
                shift: sampling.shift,
                steps: model.card.solver_steps(steps),
                seed: sampling.seed,
                ..Sampling::default()
            },
            outlines: sampling.outlines.outlines,
            ignore_below: arguments.ignore_below,
        },
        keeps_states: arguments.keeps_states(),
        colours: centroids.colours(),
        centroids,
        selection,
        cutout,
        shapes: tables.coco.iter().map(|(shapes, _)| *shapes).collect(),
    })
}
