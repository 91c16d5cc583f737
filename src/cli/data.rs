//! `flowseg data`: reports the contents and problems of a data folder, or converts it.

use super::interrupt;
use super::output::{self, check_ending};
use crate::data::{self, ClassTable, Converted, Dataset, FurtherClasses, Report};
use crate::encoding::Centroids;
use crate::files::{self, Plan};
use crate::format::counted;
use crate::terminal::{self, err, out};
use crate::{eval, labels, pictures};
use anyhow::bail;
use console::{Alignment, pad_str};
use image::RgbImage;
use image::imageops::FilterType;
use rayon::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Photos per split on a contact sheet.
const SHOWN: usize = 24;
/// Photos per row of the sheet.
const COLUMNS: usize = 8;
/// Longer side of a photo on it, in pixels.
const SIDE: u32 = 240;
/// Columns of class names in the table of several data sets.
const NAME: usize = 28;
/// Columns of data set names there.
const SET: usize = 18;

/// Report the contents and problems of a data folder, or convert it
#[derive(clap::Args)]
#[command(after_help = data::DATASET_TOML_HELP)]
pub(super) struct Arguments {
    /// Data folder in any known layout, or scenes:N, procedural scenes of N classes; for several, also how
    /// training would join them
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Write a contact sheet: photos spread over every split, each above its labels
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Write the data set into a folder in the plain layout instead of reporting on it: copies of the
    /// photos, labels as PNG files, and classes.txt. Existing files are kept, so the same command
    /// resumes a conversion; photos and labels in OUT that the data set no longer has are an error
    #[arg(long, value_name = "OUT", conflicts_with_all = ["json", "sheet"])]
    convert: Option<PathBuf>,
    /// With --convert, succeed even if pairs cannot be read; they are listed and left out either way
    #[arg(long, requires = "convert", conflicts_with_all = ["json", "sheet"])]
    skip_bad: bool,
}

/// The error for problems of data sets.
fn found(names: &[String], problems: usize) -> String {
    let have = if names.len() == 1 { "has" } else { "have" };
    let (names, problems) = (names.join(", "), counted(problems, "problem"));
    format!("{names} {have} {problems}, listed above")
}

/// Runs the command; problems are listed one per line and make the exit status 1.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(out) = &arguments.convert {
        return match arguments.folders.as_slice() {
            [folder] => convert(folder, out, arguments.skip_bad),
            _ => bail!("--convert takes one data folder at a time"),
        };
    }
    check_ending(arguments.sheet.as_deref(), "png", "the contact sheet")?;
    if let Some(path) = &arguments.sheet {
        let mut plan = Plan::default();
        plan.write(path, "the contact sheet");
        let folders = arguments.folders.iter();
        output::check(&plan, || {
            folders.flat_map(|folder| data::files_in(folder)).collect()
        })?;
    }
    let mut reports = Vec::new();
    for folder in &arguments.folders {
        let bar = terminal::bar(0);
        let report = data::inspect(folder, &|done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        reports.push(report);
    }
    print(&reports, arguments.json)?;
    if let Some(path) = &arguments.sheet {
        let sheet = contact_sheet(&arguments.folders, &reports)?;
        files::write_atomic(path, &pictures::png(&sheet)?)?;
    }
    let problems: usize = reports.iter().map(|report| report.problems().len()).sum();
    if problems == 0 {
        return Ok(());
    }
    let names = arguments.folders.iter();
    let names: Vec<String> = names.map(|folder| folder.display().to_string()).collect();
    bail!("{}", found(&names, problems))
}

fn print(reports: &[Report], as_json: bool) -> anyhow::Result<()> {
    let tables: Vec<&ClassTable> = reports.iter().map(|report| &report.classes).collect();
    let (classes, indices) = data::list::join(&tables, FurtherClasses::Add);
    match (reports, as_json) {
        ([report], true) => out!("{}", serde_json::to_string_pretty(report)?),
        (reports, true) => {
            let joined = json!({"data_sets": reports, "classes": classes.names});
            out!("{}", serde_json::to_string_pretty(&joined)?);
        }
        (reports, false) => {
            for report in reports {
                out!("{report}");
            }
            if reports.len() > 1 {
                out!("{}", together(reports, &classes, &indices));
            }
        }
    }
    Ok(())
}

/// The classes of several data sets as training joins them, with the share of each among the labelled
/// pixels of every data set; a dash if the data set lacks the class.
fn together(reports: &[Report], classes: &ClassTable, indices: &[Vec<u16>]) -> String {
    let cell = |text: &str, width| pad_str(text, width, Alignment::Left, Some("…")).into_owned();
    let right = |text: &str| pad_str(text, SET, Alignment::Right, Some("…")).into_owned();
    let names = reports
        .iter()
        .map(|report| format!(" {}", right(&terminal::name(&report.name))));
    let mut text = format!(
        "trained together: {} classes\n{}{}{}\n",
        classes.len(),
        cell("class", 6),
        cell("name", NAME),
        names.collect::<String>()
    );
    for (k, name) in classes.names.iter().enumerate() {
        text.push_str(&format!("{k:<6}{}", cell(&terminal::name(name), NAME)));
        for (report, indices) in reports.iter().zip(indices) {
            let own = report.class_shares().into_iter().zip(indices);
            let mut shares = own
                .filter(|(_, index)| usize::from(**index) == k)
                .peekable();
            let share = match shares.peek() {
                None => "-".to_owned(),
                Some(_) => format!(
                    "{:.2}%",
                    100.0 * shares.map(|(own, _)| own.share).sum::<f64>()
                ),
            };
            text.push_str(&format!(" {}", right(&share)));
        }
        text.push('\n');
    }
    text
}

fn convert(folder: &Path, out: &Path, skip_bad: bool) -> anyhow::Result<()> {
    let bar = terminal::bar(0);
    // A signal does not wait for the bar, which another thread may be drawing.
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let of_listener = counts.clone();
    interrupt::say_when_left(move || {
        let [done, all] = of_listener.each_ref().map(|n| n.load(Ordering::Relaxed));
        match all {
            0 => {
                "stopped before the first photo: run the same command again to continue".to_owned()
            }
            all => {
                let all = counted(all, "photo");
                format!("stopped after {done} of {all}: run the same command again to continue")
            }
        }
    });
    let converted = data::convert(folder, out, &|done, all| {
        for (count, now) in counts.iter().zip([done, all]) {
            count.store(now, Ordering::Relaxed);
        }
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    interrupt::say_nothing_when_left();
    let Converted {
        written,
        kept,
        bad,
        without_labels,
        left_out,
    } = converted;
    for line in bad.iter().chain(&left_out) {
        err!("{line}");
    }
    if without_labels > 0 {
        err!(
            "without labels and left out: {}",
            counted(without_labels, "photo")
        );
    }
    let before = match kept {
        0 => String::new(),
        kept => format!(", {kept} existed already"),
    };
    out!(
        "wrote {} with labels to {}{before}",
        counted(written, "photo"),
        out.display()
    );
    match bad.len() {
        0 => Ok(()),
        _ if skip_bad => Ok(()),
        n => bail!(
            "{n} photos of {} could not be converted, listed above; correct them, or leave them out with --skip-bad",
            folder.display()
        ),
    }
}

/// Photos spread over every split, each above its labels. Samples that can't be loaded are left out;
/// the report lists them.
fn contact_sheet(folders: &[PathBuf], reports: &[Report]) -> anyhow::Result<RgbImage> {
    let mut cells = Vec::new();
    for (folder, report) in folders.iter().zip(reports) {
        let centroids = Centroids::kronecker(report.classes.len());
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
    }
    if cells.is_empty() {
        let names: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        bail!("{} has no photo for a contact sheet", names.join(", "));
    }
    Ok(pictures::grid(&cells, COLUMNS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_and_several_data_sets_are_told() {
        let names = ["a", "b"].map(str::to_owned);
        assert_eq!(found(&names[..1], 1), "a has 1 problem, listed above");
        assert_eq!(found(&names, 2), "a, b have 2 problems, listed above");
    }
}
