//! `flowseg eval`: the scores of a model on a data set.

use super::{DeviceArgument, model::ModelArgument};
use crate::data::{Dataset, Sample};
use crate::eval::{Confusion, Scores};
use crate::files;
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::sampler::Solver;
use anyhow::{bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;

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
    /// Numbers of solver steps, each scored
    #[arg(long, value_delimiter = ',', default_value = "10", value_parser = clap::value_parser!(u64).range(1..=1000))]
    steps: Vec<u64>,
    /// The solver
    #[arg(long, value_enum, default_value_t)]
    solver: Solver,
    /// Photos that run together; the scores don't depend on it
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1024))]
    batch: u64,
    /// Write the scores as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the command. Labels are scored at their own resolution.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let data = Dataset::open(&arguments.data, &arguments.split)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    let (of_model, of_data) = (&model.card.classes, &data.classes().names);
    if of_model != of_data {
        let differ = of_model.iter().zip(of_data).find(|(a, b)| a != b);
        match differ {
            Some((a, b)) => bail!(
                "the model knows {a} where the data has {b}: they have different class tables"
            ),
            None => bail!(
                "the model knows {} classes and the data has {}",
                of_model.len(),
                of_data.len()
            ),
        }
    }
    let mut results = Vec::new();
    for &steps in &arguments.steps {
        let scores = score(arguments, &model, &data, steps as usize)?;
        print_scores(&scores, steps, &model);
        let iou: serde_json::Map<String, serde_json::Value> = model
            .card
            .classes
            .iter()
            .zip(&scores.iou)
            .map(|(name, iou)| (name.clone(), json!(iou)))
            .collect();
        results.push(json!({
            "steps": steps,
            "miou": scores.miou,
            "pixel_accuracy": scores.pixel_accuracy,
            "iou": iou,
        }));
    }
    if let Some(path) = &arguments.json {
        let report = json!({
            "model": arguments.model.model,
            "data": arguments.data,
            "split": arguments.split,
            "classes": model.card.classes.len(),
            "results": results,
        });
        files::write_atomic(path, serde_json::to_string_pretty(&report)?.as_bytes())?;
    }
    Ok(())
}

fn score(a: &Arguments, model: &Model, data: &Dataset, steps: usize) -> anyhow::Result<Scores> {
    let bar = ProgressBar::new(data.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} ETA {eta}") {
        bar.set_style(style);
    }
    let sampling = Sampling {
        solver: a.solver,
        steps,
        ..Sampling::default()
    };
    let mut confusion = Confusion::new(model.card.classes.len());
    let mut waiting: Vec<Sample> = Vec::new();
    let size =
        |sample: &Sample| inference::network_size(model, sample.labels.width, sample.labels.height);
    for i in 0..data.len() {
        let sample = data.load(i)?;
        // A batch holds photos that the network sees at one size.
        let full = waiting.len() == a.batch as usize;
        if full
            || waiting
                .first()
                .is_some_and(|first| size(first) != size(&sample))
        {
            flush(model, sampling, &mut waiting, &mut confusion)?;
        }
        waiting.push(sample);
        bar.inc(1);
    }
    flush(model, sampling, &mut waiting, &mut confusion)?;
    bar.finish_and_clear();
    Ok(confusion.scores())
}

fn flush(
    model: &Model,
    sampling: Sampling,
    samples: &mut Vec<Sample>,
    confusion: &mut Confusion,
) -> anyhow::Result<()> {
    let Some(first) = samples.first() else {
        return Ok(());
    };
    let size = inference::network_size(model, first.labels.width, first.labels.height);
    let photos: Vec<_> = samples.iter().map(|s| &s.image).collect();
    let input = inference::input(&photos, size, &model.network.device());
    let last = inference::flow(model, input, sampling).last();
    let predictions = last.map_or(Vec::new(), |state| {
        inference::decode(&model.centroids(), state.x)
    });
    ensure!(
        predictions.len() == samples.len(),
        "a flow ended without a state"
    );
    for (sample, small) in samples.iter().zip(predictions) {
        let own = [sample.labels.height, sample.labels.width];
        confusion.add(
            &sample.labels.data,
            &inference::scale_labels(&small, size, own),
        );
    }
    samples.clear();
    Ok(())
}

fn print_scores(scores: &Scores, steps: u64, model: &Model) {
    println!(
        "{steps} steps: mIoU {:.2}, pixel accuracy {:.2}",
        100.0 * scores.miou,
        100.0 * scores.pixel_accuracy
    );
    let width = model
        .card
        .classes
        .iter()
        .map(String::len)
        .max()
        .unwrap_or(0);
    for (name, iou) in model.card.classes.iter().zip(&scores.iou) {
        match iou {
            Some(iou) => println!("  {name:<width$} {:6.2}", 100.0 * iou),
            None => println!("  {name:<width$}      -"),
        }
    }
}
