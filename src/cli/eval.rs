//! `flowseg eval`: the scores of a model on a data set.

use super::arguments::{DeviceArgument, LooksArgument, ModelArgument, ScaleArgument};
use crate::data::{self, ClassTable, Dataset, check};
use crate::eval::{self, Outcome, Resolution, Scores, Scoring, Worst};
use crate::files::{self, Plan};
use crate::model::Model;
use crate::sampler::Solver;
use crate::terminal::{self, out};
use crate::{csv, pictures};
use anyhow::{Context, bail};
use console::{Alignment, measure_text_width, pad_str};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Score a model on labelled photos
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,
    /// Data folder in any known layout, or scenes:N
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The split
    #[arg(long, default_value = "validation")]
    split: String,
    /// Numbers of solver steps, each scored; what the model recommends, where left out
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=1000))]
    steps: Vec<u64>,
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
    /// Score at the labels' own size, at the size that the network sees, or both
    #[arg(long, value_enum, default_value_t)]
    resolution: Resolutions,
    /// Photos that run together; the scores don't depend on it
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1024))]
    batch: u64,
    /// Write the scores as JSON; null where no pixel has a label. Bytes of a path that are not UTF-8
    /// become U+FFFD, and classes of one name are numbered: name, name (2)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the confusion matrix of the last number of steps, as counts (.csv) or as a picture
    /// (.png); as often as needed. In a table, a class name that a spreadsheet would run as a formula
    /// has an apostrophe in front
    #[arg(long, value_name = "FILE")]
    confusion: Vec<PathBuf>,
    /// Write the K photos with the lowest mIoU at the last number of steps into --out
    #[arg(long, value_name = "K", requires = "out", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    worst: Option<u64>,
    /// Folder for --worst: photo, truth, prediction and errors side by side, and worst.csv
    #[arg(long, value_name = "DIR", requires = "worst")]
    out: Option<PathBuf>,
    /// Also print the mean IoU without this class, such as a background; as often as needed
    #[arg(long, value_name = "CLASS")]
    without: Vec<String>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// What the labels are compared at.
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

/// Columns that a class name takes in a table at most.
const LONGEST_NAME: usize = 40;
/// Bytes of a photo's name in that of its picture; disks allow 255 in all.
const LONGEST_PART: usize = 200;

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    for path in &arguments.confusion {
        matrix_writer(path)?;
    }
    check_outputs(arguments)?;
    let (data, bad) = readable(Dataset::open(&arguments.data, &arguments.split)?)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    let data = of_model(data, &model);
    let without = left_out(&arguments.without, &model.card.classes)?;
    let mut steps: Vec<usize> = Vec::new();
    for &number in &arguments.steps {
        if !steps.contains(&(number as usize)) {
            steps.push(number as usize);
        }
    }
    if steps.is_empty() {
        steps.push(model.card.default_steps());
    }
    let scoring = Scoring {
        solver: arguments.solver,
        steps,
        resolutions: arguments.resolution.all(),
        batch: arguments.batch as usize,
        seed: arguments.seed,
        looks: arguments.looks.looks(&arguments.scale),
        ..Scoring::default()
    };
    let last = scoring.steps.last().copied().unwrap_or_default();
    let count = arguments.worst.unwrap_or(0) as usize;
    let mut worst = Worst::new(count, model.card.classes.len());
    let bar = super::output::bar(data.len());
    let mut seen = |seen: &eval::Seen| {
        if seen.steps == last {
            bar.inc(1);
            if count > 0 {
                worst.add(seen);
            }
        }
    };
    let outcomes = eval::score(&model, &data, &scoring, &mut seen, &|| false)?;
    bar.finish_and_clear();

    for outcome in &outcomes {
        print_scores(outcome, &model, &without);
    }
    if let Some(path) = &arguments.json {
        let report = json!({
            "model": arguments.model.model.to_string_lossy(),
            "data": arguments.data.to_string_lossy(),
            "split": arguments.split,
            "scale": scales(arguments).first(),
            "scales": scales(arguments),
            "flip": arguments.looks.flip,
            "classes": model.card.classes.len(),
            "results": outcomes.iter().map(|o| result(o, &model)).collect::<Vec<_>>(),
        });
        files::write_atomic(path, serde_json::to_string_pretty(&report)?.as_bytes())?;
    }
    if let Some(outcome) = outcomes.iter().find(|o| o.steps == last) {
        for path in &arguments.confusion {
            let write = matrix_writer(path)?;
            files::write_atomic(path, &write(&outcome.confusion, &model.card.classes)?)?;
        }
    }
    if let Some(folder) = &arguments.out {
        write_worst(&worst, folder, &data, &model)?;
    }
    if bad > 0 {
        bail!(
            "{bad} of {} photos could not be read and are not in the scores; they are listed above",
            data.len() + bad
        );
    }
    Ok(())
}

/// The sizes that the photos are looked at.
fn scales(arguments: &Arguments) -> Vec<f64> {
    match arguments.looks.scales.as_slice() {
        [] => vec![arguments.scale.scale],
        scales => scales.to_vec(),
    }
}

/// Proves every output before the work: an evaluation can take hours.
fn check_outputs(arguments: &Arguments) -> anyhow::Result<()> {
    let mut plan = Plan::default();
    if let Some(path) = &arguments.json {
        plan.write(path, "the JSON of the scores");
    }
    for path in &arguments.confusion {
        plan.write(path, format!("the confusion matrix {}", path.display()));
    }
    if let Some(folder) = &arguments.out {
        files::create_folder(folder)?;
        plan.fill(folder);
    }
    plan.check(|| {
        let mut inputs = data::files_in(&arguments.data);
        inputs.push(PathBuf::from(&arguments.model.model));
        inputs
    })?;
    Ok(())
}

/// The pairs that can be read, and how many can't; those are listed.
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

/// The data set with the classes of the model, where all of its own are among them, as with a model
/// that was trained on several data sets.
fn of_model(data: Dataset, model: &Model) -> Dataset {
    let classes = ClassTable {
        names: model.card.classes.clone(),
    };
    data.clone().within(&classes).unwrap_or(data)
}

type MatrixWriter = fn(&eval::Confusion, &[String]) -> Result<Vec<u8>, eval::MatrixError>;

/// How to write a confusion matrix, by the file's ending.
fn matrix_writer(path: &Path) -> anyhow::Result<MatrixWriter> {
    let ending = path.extension().map(|e| e.to_ascii_lowercase());
    match ending.as_ref().and_then(|e| e.to_str()) {
        Some("csv") => Ok(|confusion, classes| Ok(eval::to_csv(confusion, classes).into_bytes())),
        Some("png") => Ok(eval::to_png),
        _ => bail!(
            "{}: a confusion matrix is written as .csv or as .png",
            path.display()
        ),
    }
}

/// The indices of classes that are left out of a mean.
fn left_out(names: &[String], classes: &[String]) -> anyhow::Result<Vec<usize>> {
    names
        .iter()
        .map(|name| {
            classes
                .iter()
                .position(|class| class == name)
                .with_context(|| format!("--without {name}: the model has no such class"))
        })
        .collect()
}

fn result(outcome: &Outcome, model: &Model) -> serde_json::Value {
    let scores = outcome.confusion.scores();
    // JSON's keys are distinct, as are the names of a class table.
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
        "mean_of_photos": mean(&outcome.photos),
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
        "{} steps, {} resolution",
        outcome.steps,
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
        per_cent(mean(&outcome.photos)),
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
    let names: Vec<_> = classes.iter().map(|name| terminal::name(name)).collect();
    let widths = names.iter().map(|name| measure_text_width(name));
    let width = widths.max().unwrap_or(0).clamp(5, LONGEST_NAME);
    let cell = |name| pad_str(name, width, Alignment::Left, Some("…"));
    out!("  {} {:>6} {:>9}", cell("class"), "IoU", "of pixels");
    let all: u64 = (0..classes.len())
        .map(|k| outcome.confusion.labelled(k))
        .sum();
    for (k, (name, iou)) in names.iter().zip(&iou).enumerate() {
        let share = 100.0 * outcome.confusion.labelled(k) as f64 / all.max(1) as f64;
        out!("  {} {:>6} {share:>8.2}%", cell(name), per_cent(*iou));
    }
}

/// The mean of numbers; none for none.
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// A share from 0 to 1 in per cent; a dash for none.
fn per_cent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}", 100.0 * share))
}

/// Writes `RANK-NAME.png` for every photo, and `worst.csv`, the list of them.
fn write_worst(worst: &Worst, folder: &Path, data: &Dataset, model: &Model) -> anyhow::Result<()> {
    files::create_folder(folder)?;
    let centroids = model.centroids();
    let mut list = csv::line(["rank", "name", "miou", "pixel_accuracy", "picture"]);
    for (i, ranked) in worst.ranked().iter().enumerate() {
        let rank = i + 1;
        let name = files::name_part(&ranked.name, LONGEST_PART);
        let file = format!("{rank:03}-{name}.png");
        let strip = ranked.strip(data, &centroids)?;
        files::write_atomic(&folder.join(&file), &pictures::png(&strip)?)?;
        list.push_str(&csv::line([
            rank.to_string(),
            ranked.name.clone(),
            ranked.miou.to_string(),
            ranked.pixel_accuracy.to_string(),
            file,
        ]));
    }
    files::write_atomic(&folder.join("worst.csv"), list.as_bytes())?;
    out!(
        "wrote the {} photos with the lowest mIoU into {}",
        worst.ranked().len(),
        folder.display()
    );
    Ok(())
}
