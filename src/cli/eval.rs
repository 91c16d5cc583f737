//! `flowseg eval`: scores a model on a data set.

use super::agreement;
use super::arguments::{
    DeviceArgument, ModelArgument, PrecisionArgument, SMALLER, SMALLER_VOTES, SamplingArguments,
    solver_steps, whole,
};
use super::compiling::Compiling;
use super::contact_sheet;
use super::interrupt;
use super::output::{Written, check as check_plan, check_ending, class_column, per_cent};
use super::progress::Progress;
use super::worst_photos;
use crate::compare;
use crate::data::{self, ClassTable, Dataset, check};
use crate::device;
use crate::eval::{self, EvalError, Outcome, Photos, Resolution, Scores, Scoring, Worst, WorstBy};
use crate::export::Selection;
use crate::files::{self, Plan};
use crate::format::counted;
use crate::inference::Tiling;
use crate::model::Model;
use crate::models;
use crate::pictures;
use crate::terminal::{self, out};
use anyhow::{Context, Error, bail};
use burn::tensor::Device;
use clap::ArgAction;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Score a model on labelled photos
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,
    #[command(flatten)]
    precision: PrecisionArgument,
    /// Data folder in any known layout, or scenes:N, procedural scenes of N classes
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Which split to score: training, validation or test, if the data set has it
    #[arg(long, default_value = "validation")]
    split: String,
    /// Solver steps, 1 to 1000, several separated by commas, such as 1,5,10: each is scored; by default
    /// what the model recommends
    #[arg(long, value_delimiter = ',', value_parser = solver_steps())]
    steps: Vec<u64>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// Score at the labels' own size, at the size that the network sees, or both
    #[arg(long, value_enum, default_value_t)]
    resolution: Resolutions,
    /// Photos per batch; the scores don't depend on it
    #[arg(long, default_value_t = 8, value_parser = whole(1..=1024))]
    batch: u64,
    /// Write the scores as JSON; null if no pixel has a label. Bytes of a path that are not UTF-8
    /// become U+FFFD, and classes with the same name are numbered: name, name (2)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the confusion matrix of the last value of --steps, as counts (.csv) or as a picture (.png);
    /// may be repeated. In a table, a class name that a spreadsheet would run as a formula gets a
    /// leading apostrophe
    #[arg(long, value_name = "FILE")]
    confusion: Vec<PathBuf>,
    /// Write the reliability diagram of the last value of --steps: the share of correct pixels against
    /// their probability, with the calibration error
    #[arg(long, value_name = "FILE.png")]
    reliability: Option<PathBuf>,
    /// Write one row per photo as CSV, at the last value of --steps and the labels' own size: file, mIoU,
    /// pixel accuracy, uncertainty (column doubt: the mean entropy at the network's size) and the IoU of
    /// every class. Classes that the data set does not have are in no mean
    #[arg(long, value_name = "FILE.csv")]
    photos: Option<PathBuf>,
    /// Write a contact sheet of photos from the worst to the best at the last value of --steps: photo,
    /// states, mask and ground truth
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Print the photos in a cell of the confusion matrix, those with the most pixels first: class names or
    /// indices, first the labelled, then the predicted class. --photos then has a column with that number
    #[arg(long, action = ArgAction::Set, num_args = 2, value_names = ["LABELLED", "PREDICTED"])]
    cell: Vec<String>,
    /// Write the K worst photos at the last value of --steps into --out
    #[arg(long, value_name = "K", requires = "out", value_parser = whole(1..=10_000))]
    worst: Option<u64>,
    /// How photos are ranked for --worst
    #[arg(long, value_enum, default_value_t, requires = "worst")]
    worst_by: WorstBy,
    /// Folder for --worst: photo, ground truth, prediction and errors side by side, and worst.csv. Pictures
    /// that a worst.csv from before lists are removed; a worst.csv of another program is kept
    #[arg(long, value_name = "DIR", requires = "worst")]
    out: Option<PathBuf>,
    /// Also print, for t = 0, 0.1 and so on to 0.9, the share of pixels whose predicted class is that of
    /// the mask in the state: the network's own mask, its mirror image, and the labels. A network that
    /// uses the photo should not repeat a wrong mask. Each whole photo is processed once, at --scale
    #[arg(long)]
    agreement: bool,
    /// Also print the mean IoU without this class, such as a background, by name or index; may be repeated
    #[arg(long, value_name = "CLASS")]
    without: Vec<String>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// The resolutions at which predictions and labels are compared.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Resolutions {
    #[default]
    Label,
    Network,
    Both,
}

impl Resolutions {
    fn all(self) -> Vec<Resolution> {
        match self {
            Resolutions::Label => vec![Resolution::Label],
            Resolutions::Network => vec![Resolution::Network],
            Resolutions::Both => vec![Resolution::Label, Resolution::Network],
        }
    }
}

/// Maximum number of photos of a cell that are printed.
const SHOWN_OF_CELL: usize = 20;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    for path in &arguments.confusion {
        matrix_writer(path)?;
    }
    check_ending(
        arguments.reliability.as_deref(),
        "png",
        "the reliability diagram",
    )?;
    check_ending(arguments.photos.as_deref(), "csv", "the table of photos")?;
    check_ending(arguments.sheet.as_deref(), "png", "the contact sheet")?;
    check_outputs(arguments)?;
    let (data, bad) = readable(Dataset::open(&arguments.data, &arguments.split)?)?;
    // Photos to score may well show one class alone.
    if let Err(error) = data.refuse_black_and_white() {
        tracing::warn!("{error}");
    }
    let opened = arguments.device.open_quietly()?;
    let work = || score(arguments, data, bad, &opened.device);
    let smaller = smaller(arguments.sampling.tiles);
    device::guarded(&opened.device, work).map_err(|failed| failed.needing_less_with(smaller))?
}

/// What makes scoring need less memory of a device. The tiles of a photo are scored without those of others.
fn smaller(tiles: Tiling) -> &'static str {
    match tiles {
        Tiling::Off => "a smaller --batch or --scale, or more --tiles",
        _ => SMALLER,
    }
}

/// Names what votes that do not fit into memory need.
fn advised(error: EvalError) -> Error {
    match error {
        EvalError::Windows { name, source } => {
            Error::msg(format!("{name}: {}", source.with_remedy(SMALLER_VOTES)))
        }
        other => other.into(),
    }
}

/// Scores the readable photos and writes what was asked for; `bad` is the number of the others.
fn score(arguments: &Arguments, data: Dataset, bad: usize, device: &Device) -> anyhow::Result<()> {
    let precision = arguments.precision.on(device)?;
    let model = arguments.model.load(device)?.with_precision(precision);
    let data = of_model(data, &model);
    let without = indices("--without", &arguments.without, &model.card.classes)?;
    let cell = indices("--cell", &arguments.cell, &model.card.classes)?;
    let cell = <[usize; 2]>::try_from(cell).ok();
    let asked: Vec<usize> = arguments
        .steps
        .iter()
        .map(|&steps| steps as usize)
        .collect();
    let sampling = &arguments.sampling;
    let scoring = Scoring {
        solver: sampling.solver,
        shift: sampling.shift,
        steps: model.card.scored_steps(&asked),
        resolutions: arguments.resolution.all(),
        batch: arguments.batch as usize,
        seed: sampling.seed,
        looks: sampling.looks(&model.card)?,
        tiling: sampling.tiles,
        outlines: sampling.outlines.outlines,
        ..Scoring::default()
    };
    if arguments.agreement {
        agreement::check(&scoring)?;
    }
    let last = scoring.steps.last().copied().unwrap_or_default();
    let count = arguments.worst.unwrap_or(0) as usize;
    let mut worst = Worst::new(count, arguments.worst_by);
    let each = arguments.photos.is_some() || arguments.sheet.is_some() || cell.is_some();
    let mut photos = Photos::new(model.card.classes.clone(), cell);
    let mut progress = Progress::new(data.len(), "photo");
    let done = Arc::new(AtomicUsize::new(0));
    let (scored, all) = (done.clone(), data.len());
    interrupt::say_when_left(move || {
        let scored = scored.load(Ordering::Relaxed);
        format!(
            "stopped after {scored} of {}: there are no scores",
            counted(all, "photo")
        )
    });
    let mut compiling = Compiling::on(device);
    let mut seen = |seen: &eval::ScoredPhoto| {
        drop(compiling.take());
        if seen.steps == last {
            progress.step(false);
            done.fetch_add(1, Ordering::Relaxed);
            if count > 0 {
                worst.add(seen);
            }
            if each {
                photos.add(seen);
            }
        }
    };
    let outcomes = eval::score(&model, &data, &scoring, &mut seen, &|| false);
    let outcomes = outcomes.map_err(advised)?;
    progress.end();
    interrupt::say_nothing_when_left();

    for outcome in &outcomes {
        print_scores(outcome, &model, &without);
    }
    let mut outputs = Written::default();
    if let Some(path) = &arguments.json {
        outputs.add(write_json(path, arguments, &scoring, &outcomes, &model));
    }
    if let Some(outcome) = outcomes.iter().find(|o| o.steps == last) {
        for path in &arguments.confusion {
            outputs.add(write_matrix(path, outcome, &model));
        }
        if let Some(path) = &arguments.reliability {
            let name = diagram_name(arguments, last);
            outputs.add(write_diagram(path, outcome, &name));
        }
    }
    if let Some(path) = &arguments.photos {
        let written = files::write_atomic(path, photos.csv(&data).as_bytes());
        outputs.add(written.map_err(Error::from));
    }
    if let Some(cell) = cell {
        let names = cell.map(|class| model.card.classes[class].as_str());
        print_cell(&photos, &data, names);
    }
    if let Some(folder) = &arguments.out {
        if worst.ranked().is_empty() {
            let folder = folder.display();
            out!("no photo has a labelled pixel: nothing is written into {folder}");
        } else {
            let (by, centroids) = (arguments.worst_by, model.centroids());
            outputs.add(worst_photos::write(&worst, by, folder, &data, &centroids));
        }
    }
    // Last, because they compute: where the device fails, the rest is there.
    let guarded = |work: &dyn Fn() -> anyhow::Result<()>| {
        let done = device::guarded(device, work);
        done.map_err(|failed| failed.needing_less_with(smaller(scoring.tiling)))?
    };
    if let Some(path) = &arguments.sheet {
        let write = || write_sheet(path, &model, &data, &photos, &scoring);
        outputs.add(guarded(&write));
    }
    if arguments.agreement {
        let bar = super::output::bar(data.len());
        outputs.add(guarded(&|| agreement::print(&model, &data, &scoring, &bar)));
    }
    if bad > 0 {
        outputs.add(Err(Error::msg(format!(
            "{bad} of {} photos could not be read and are not in the scores; they are listed above",
            data.len() + bad
        ))));
    }
    outputs.end()
}

fn write_json(
    path: &Path,
    arguments: &Arguments,
    scoring: &Scoring,
    outcomes: &[Outcome],
    model: &Model,
) -> anyhow::Result<()> {
    let looks = scoring.looks.iter().filter(|look| !look.mirrored);
    let scales: Vec<f64> = looks.map(|look| look.scale).collect();
    let report = json!({
        "model": arguments.model.model.to_string_lossy(),
        "data": arguments.data.to_string_lossy(),
        "split": arguments.split,
        "scale": scales.first(),
        "scales": scales,
        "flip": scoring.looks.iter().any(|look| look.mirrored),
        "tiles": arguments.sampling.tiles.to_string(),
        "outlines": scoring.outlines,
        "solver": scoring.solver,
        "shift": scoring.shift,
        "classes": model.card.classes.len(),
        "results": outcomes.iter().map(|o| result(o, model)).collect::<Vec<_>>(),
    });
    let text = format!("{}\n", serde_json::to_string_pretty(&report)?);
    Ok(files::write_atomic(path, text.as_bytes())?)
}

fn write_matrix(path: &Path, outcome: &Outcome, model: &Model) -> anyhow::Result<()> {
    let write = matrix_writer(path)?;
    let bytes = write(&outcome.confusion, &model.card.classes)?;
    Ok(files::write_atomic(path, &bytes)?)
}

fn write_diagram(path: &Path, outcome: &Outcome, name: &str) -> anyhow::Result<()> {
    let bytes = eval::reliability_png(&outcome.calibration, name)?;
    Ok(files::write_atomic(path, &bytes)?)
}

fn write_sheet(
    path: &Path,
    model: &Model,
    data: &Dataset,
    photos: &Photos,
    scoring: &Scoring,
) -> anyhow::Result<()> {
    if photos.ranked().is_empty() {
        out!(
            "no photo has a labelled pixel: {} is not written",
            path.display()
        );
        return Ok(());
    }
    let last = scoring.steps.last().copied().unwrap_or_default();
    let sheet = contact_sheet::sheet(model, data, photos, scoring, last)?;
    Ok(files::write_atomic(path, &pictures::png(&sheet)?)?)
}

/// Checks every output before the work: an evaluation can take hours.
fn check_outputs(arguments: &Arguments) -> anyhow::Result<()> {
    let mut plan = Plan::default();
    if let Some(path) = &arguments.json {
        plan.write(path, "the JSON of the scores");
    }
    for path in &arguments.confusion {
        plan.write(path, format!("the confusion matrix {}", path.display()));
    }
    if let Some(path) = &arguments.reliability {
        plan.write(path, "the reliability diagram");
    }
    if let Some(path) = &arguments.photos {
        plan.write(path, "the table of photos");
    }
    if let Some(path) = &arguments.sheet {
        plan.write(path, "the contact sheet");
    }
    if let Some(folder) = &arguments.out {
        files::create_output_folder(folder)?;
        worst_photos::keep_foreign(folder)?;
        plan.fill(folder);
        plan.write(
            folder.join(worst_photos::LIST),
            "the list of the worst photos",
        );
        let photos = arguments.worst.unwrap_or_default() as usize;
        for name in worst_photos::in_the_way(folder, photos) {
            plan.write(folder.join(&name), format!("the picture {name}"));
        }
    }
    check_plan(&plan, || {
        let mut inputs = data::files_in(&arguments.data);
        inputs.push(models::file(&arguments.model.model));
        inputs
    })?;
    Ok(())
}

/// The readable pairs, and the number of the others, which are listed.
fn readable(data: Dataset) -> anyhow::Result<(Dataset, usize)> {
    let bar = super::output::bar(data.len());
    bar.set_prefix("checking ");
    let mut progress = |done, _| bar.set_position(done as u64);
    let memory = check::memory();
    let Some(check) = data.check(memory.as_deref(), &mut progress, &|| false) else {
        bail!("stopped before any photo was scored");
    };
    bar.finish_and_clear();
    for (_, error) in &check.bad {
        terminal::err!("not scored: {error}");
    }
    let bad = check.bad.len();
    if bad > 0 && bad == data.len() {
        bail!("none of the {bad} photos can be read");
    }
    Ok((data.without(check), bad))
}

/// The data set with the classes of the model, where all of its own are among them: in another order,
/// or fewer, as with a model that was trained on several data sets.
fn of_model(data: Dataset, model: &Model) -> Dataset {
    let classes = ClassTable {
        names: model.card.classes.clone(),
    };
    data.clone().within(&classes).unwrap_or(data)
}

type MatrixWriter = fn(&eval::Confusion, &[String]) -> Result<Vec<u8>, eval::MatrixError>;

/// The writer for a confusion matrix, chosen by the file's extension.
fn matrix_writer(path: &Path) -> anyhow::Result<MatrixWriter> {
    let ending = path.extension().map(|e| e.to_ascii_lowercase());
    match ending.as_ref().and_then(|e| e.to_str()) {
        Some("csv") => Ok(|confusion, classes| Ok(eval::to_csv(confusion, classes).into_bytes())),
        Some("png") => Ok(eval::to_png),
        _ => bail!(
            "{}: a confusion matrix is written as .csv or .png",
            path.display()
        ),
    }
}

/// The indices of the classes that an option names.
fn indices(option: &str, names: &[String], classes: &[String]) -> anyhow::Result<Vec<usize>> {
    let table = Selection::all(classes);
    let index = |name: &String| {
        let class = table.class(name);
        let class = class.with_context(|| format!("{option} {name}"))?;
        Ok(usize::from(class))
    };
    names.iter().map(index).collect()
}

fn result(outcome: &Outcome, model: &Model) -> serde_json::Value {
    let scores = outcome.confusion.scores();
    // JSON keys must be distinct, as the names of a class table are.
    let names = ClassTable::new(model.card.classes.clone()).names;
    let iou: serde_json::Map<String, serde_json::Value> = names
        .into_iter()
        .zip(&scores.iou)
        .map(|(name, iou)| (name, json!(iou)))
        .collect();
    json!({
        "steps": outcome.steps,
        "resolution": outcome.resolution.name(),
        "miou": scores.miou,
        "pixel_accuracy": scores.pixel_accuracy,
        "boundary_iou": outcome.boundary.mean(),
        "calibration_error": outcome.calibration.error(),
        "reliability": outcome.calibration.bins().iter().map(|bin| json!({
            "pixels": bin.pixels,
            "right": bin.right,
            "mean_probability": (bin.pixels > 0).then(|| bin.probability / bin.pixels as f64),
        })).collect::<Vec<_>>(),
        "mean_of_photos": outcome.mean_of_photos(),
        "iou": iou,
    })
}

fn print_scores(outcome: &Outcome, model: &Model, without: &[usize]) {
    let Scores {
        miou,
        pixel_accuracy,
        iou,
    } = outcome.confusion.scores();
    let what = format!(
        "{}, {} resolution",
        counted(outcome.steps, "step"),
        outcome.resolution.name()
    );
    let (Some(miou), Some(pixel_accuracy)) = (miou, pixel_accuracy) else {
        out!("{what}: no labelled pixel, so there is no score");
        return;
    };
    out!(
        "{what}: mIoU {:.2}, pixel accuracy {:.2}, boundary IoU {}",
        100.0 * miou,
        100.0 * pixel_accuracy,
        per_cent(outcome.boundary.mean())
    );
    out!(
        "  mean of the photos' own mIoU {}, calibration error {}",
        per_cent(outcome.mean_of_photos()),
        per_cent(outcome.calibration.error())
    );
    let classes = &model.card.classes;
    if !without.is_empty() {
        let names: Vec<_> = without
            .iter()
            .map(|&k| terminal::name(&classes[k]))
            .collect();
        out!(
            "  without {}: mIoU {}",
            names.join(", "),
            per_cent(outcome.confusion.miou_without(without))
        );
    }
    let (head, cells) = class_column(classes);
    out!("  {head} {:>6} {:>9}", "IoU", "of pixels");
    let all: u64 = (0..classes.len())
        .map(|k| outcome.confusion.labelled(k))
        .sum();
    for (k, (cell, iou)) in cells.iter().zip(&iou).enumerate() {
        let share = 100.0 * outcome.confusion.labelled(k) as f64 / all.max(1) as f64;
        out!("  {cell} {:>6} {share:>8.2}%", per_cent(*iou));
    }
}

fn diagram_name(arguments: &Arguments, steps: usize) -> String {
    let model = compare::model_name(&arguments.model.model.to_string_lossy());
    let data = arguments
        .data
        .file_name()
        .unwrap_or(arguments.data.as_os_str());
    let unit = if steps == 1 { "step" } else { "steps" };
    format!(
        "{model} on {} ({}), {steps} {unit}",
        data.display(),
        arguments.split
    )
}

/// Prints the photos in a cell of the confusion matrix.
fn print_cell(photos: &Photos, data: &Dataset, cell: [&str; 2]) {
    let found = photos.in_cell();
    let pixels: u64 = found.iter().map(|photo| photo.in_cell).sum();
    let names = cell.map(terminal::name);
    out!(
        "{} labelled and predicted: {pixels} pixels in {} of {} photos",
        names.join(" / "),
        found.len(),
        data.len()
    );
    for photo in found.iter().take(SHOWN_OF_CELL) {
        let file = data.image_path(photo.index);
        let name = file.map_or_else(|| photo.name.clone(), |file| file.display().to_string());
        out!("  {:>9} {}", photo.in_cell, terminal::name(&name));
    }
    if found.len() > SHOWN_OF_CELL {
        out!(
            "  and {} more: --photos lists them all",
            found.len() - SHOWN_OF_CELL
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::SegmentError;

    #[test]
    fn a_lack_of_memory_names_options_that_help() {
        assert!(smaller(Tiling::Off).contains("--batch"));
        assert!(!smaller(Tiling::Auto).contains("--batch"));
        let source = SegmentError::TooWide(4000);
        let name = "p".to_owned();
        let told = advised(EvalError::Windows { name, source }).to_string();
        assert!(told.starts_with("p: ") && told.contains("fewer --tiles"));
    }
}
