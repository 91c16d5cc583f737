//! `flowseg eval`: the scores of a model on a data set.

use super::{DeviceArgument, ScaleArgument, model::ModelArgument};
use crate::data::Dataset;
use crate::eval::{self, Outcome, Resolution, Scores, Scoring, Worst};
use crate::model::Model;
use crate::sampler::Solver;
use crate::{csv, files, pictures};
use anyhow::{Context, bail};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Score a model on labelled photos
#[derive(clap::Args)]
pub struct Arguments {
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
    /// Score at the labels' own size, at the size that the network sees, or both
    #[arg(long, value_enum, default_value_t)]
    resolution: Resolutions,
    /// Photos that run together; the scores don't depend on it
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1024))]
    batch: u64,
    /// Write the scores as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the confusion matrix of the last number of steps, as counts (.csv) or as a picture
    /// (.png); as often as needed
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

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    for path in &arguments.confusion {
        matrix_writer(path)?;
    }
    let data = Dataset::open(&arguments.data, &arguments.split)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
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
        scale: arguments.scale.scale,
        ..Scoring::default()
    };
    let last = scoring.steps.last().copied().unwrap_or_default();
    let count = arguments.worst.unwrap_or(0) as usize;
    let mut worst = Worst::new(count, model.card.classes.len());
    let bar = super::bar(data.len());
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
            "model": arguments.model.model,
            "data": arguments.data,
            "split": arguments.split,
            "scale": arguments.scale.scale,
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
    Ok(())
}

type MatrixWriter = fn(&eval::Confusion, &[String]) -> Result<Vec<u8>, eval::MatrixError>;

/// How to write a confusion matrix, by the file's ending.
fn matrix_writer(path: &Path) -> anyhow::Result<MatrixWriter> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => Ok(eval::to_csv),
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
    let iou: serde_json::Map<String, serde_json::Value> = model
        .card
        .classes
        .iter()
        .zip(&scores.iou)
        .map(|(name, iou)| (name.clone(), json!(iou)))
        .collect();
    json!({
        "steps": outcome.steps,
        "resolution": outcome.resolution.name(),
        "miou": scores.miou,
        "pixel_accuracy": scores.pixel_accuracy,
        "iou": iou,
    })
}

fn print_scores(outcome: &Outcome, model: &Model, without: &[usize]) {
    let Scores {
        miou,
        pixel_accuracy,
        iou,
    } = outcome.confusion.scores();
    println!(
        "{} steps, {} resolution: mIoU {:.2}, pixel accuracy {:.2}",
        outcome.steps,
        outcome.resolution.name(),
        100.0 * miou,
        100.0 * pixel_accuracy
    );
    let classes = &model.card.classes;
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|&k| classes[k].as_str()).collect();
        println!(
            "  without {}: mIoU {:.2}",
            names.join(", "),
            100.0 * outcome.confusion.miou_without(without)
        );
    }
    let width = classes.iter().map(String::len).max().unwrap_or(0).max(5);
    println!("  {:<width$} {:>6} {:>9}", "class", "IoU", "of pixels");
    let all: u64 = (0..classes.len())
        .map(|k| outcome.confusion.labelled(k))
        .sum();
    for (k, (name, iou)) in classes.iter().zip(&iou).enumerate() {
        let share = 100.0 * outcome.confusion.labelled(k) as f64 / all.max(1) as f64;
        let iou = iou.map_or_else(|| "-".to_owned(), |iou| format!("{:.2}", 100.0 * iou));
        println!("  {name:<width$} {iou:>6} {share:>8.2}%");
    }
}

/// Writes `RANK-NAME.png` for every photo, and `worst.csv`, the list of them.
fn write_worst(worst: &Worst, folder: &Path, data: &Dataset, model: &Model) -> anyhow::Result<()> {
    files::create_folder(folder)?;
    let centroids = model.centroids();
    let mut list = csv::line(["rank", "name", "miou", "pixel_accuracy", "picture"]);
    for (i, ranked) in worst.ranked().iter().enumerate() {
        let rank = i + 1;
        let file = format!("{rank:03}-{}.png", ranked.name);
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
    println!(
        "wrote the {} photos with the lowest mIoU into {}",
        worst.ranked().len(),
        folder.display()
    );
    Ok(())
}
