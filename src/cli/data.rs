//! `flowseg data`: what a data folder holds and what is wrong with it.

use crate::data::{self, Dataset, Report};
use crate::encoding::Centroids;
use crate::files::{self, Plan};
use crate::terminal::{self, out};
use crate::{eval, labels, pictures};
use anyhow::bail;
use image::RgbImage;
use image::imageops::FilterType;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Photos of every split on a contact sheet.
const SHOWN: usize = 24;
/// Photos in a row of it.
const COLUMNS: usize = 8;
/// Longer side of one of its photos, in pixels.
const SIDE: u32 = 240;

/// Report what a data folder holds and what is wrong with it
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Data folder in any known layout, or scenes:N
    folder: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Write a contact sheet: photos spread over every split, each above its labels
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
}

/// Runs the command; problems are listed one a line and make the exit status 1.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(path) = &arguments.sheet {
        let mut plan = Plan::default();
        plan.write(path, "the contact sheet");
        plan.check(|| data::files_in(&arguments.folder))?;
    }
    let bar = terminal::bar(0);
    let report = data::inspect(&arguments.folder, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    if arguments.json {
        out!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        out!("{report}");
    }
    if let Some(path) = &arguments.sheet {
        let sheet = contact_sheet(&arguments.folder, &report)?;
        files::write_atomic(path, &pictures::png(&sheet)?)?;
    }
    match report.problems().len() {
        0 => Ok(()),
        n => bail!(
            "{} has {n} problems, listed above",
            arguments.folder.display()
        ),
    }
}

/// Photos spread over every split, each above its labels. Samples that can't be loaded are in the
/// report and left out here.
fn contact_sheet(folder: &Path, report: &Report) -> anyhow::Result<RgbImage> {
    let centroids = Centroids::kronecker(report.classes.len());
    let mut cells = Vec::new();
    for split in report.splits.iter().filter(|split| split.pairs > 0) {
        let data = Dataset::open(folder, &split.name)?;
        let shown: Vec<RgbImage> = eval::spread(data.len(), SHOWN)
            .into_par_iter()
            .filter_map(|i| data.load(i).ok())
            .map(|sample| {
                let mask = labels::mask(&sample.labels.data, sample.labels.width, &centroids);
                let photo = pictures::thumbnail(&sample.image, SIDE, FilterType::Triangle);
                let mask = pictures::thumbnail(&mask, SIDE, FilterType::Nearest);
                pictures::grid(&[photo, mask], 1)
            })
            .collect();
        cells.extend(shown);
    }
    if cells.is_empty() {
        bail!("{} has no photo for a contact sheet", folder.display());
    }
    Ok(pictures::grid(&cells, COLUMNS))
}
