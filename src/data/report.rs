//! What a data folder holds and what is wrong with it.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::classes::ClassTable;
use super::dataset::{Dataset, folder_name, load_pair};
use super::error::DataError;
use super::layout;
use super::scenes;
use super::split::{Files, Split};
use super::tally::{Tally, tally};

/// The outcome of [`inspect`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The data set's name.
    pub name: String,
    /// The layout that was detected.
    pub layout: String,
    /// The classes.
    pub classes: ClassTable,
    /// Every split.
    pub splits: Vec<SplitReport>,
    problems: Vec<String>,
}

/// What one split holds. The counts of problems are files, each counted once.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SplitReport {
    /// The split's name.
    pub name: String,
    /// Photos that have a label file.
    pub pairs: usize,
    /// Photos that have none.
    pub missing_labels: usize,
    /// Label files that have no photo.
    pub missing_photos: usize,
    /// Pairs of which a file cannot be read or decoded.
    pub unreadable: usize,
    /// Pairs whose files differ in size.
    pub size_mismatches: usize,
    /// Pairs with labels outside the class table.
    pub unknown_labels: usize,
    /// Share of the pixels that are ignored, in [0, 1]; of the pairs without a problem.
    pub ignored_share: f64,
    /// Smallest and largest `[height, width]` by area, of the pairs without a problem.
    pub sizes: Option<[[usize; 2]; 2]>,
    /// Pixels of every class, by class index; of the pairs without a problem.
    pub class_pixels: Vec<u64>,
    /// Pairs that hold every class, by class index; of the pairs without a problem.
    pub class_pairs: Vec<u64>,
}

/// A class and its share of the labelled pixels of all splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassShare {
    /// The class's name.
    pub name: String,
    /// Its pixels.
    pub pixels: u64,
    /// Pairs that hold it.
    pub pairs: u64,
    /// Its share of all pixels that have a class, in [0, 1].
    pub share: f64,
}

/// Decodes every file of every split of a data folder (or of a `scenes:N` path), in parallel.
///
/// `progress` is called with the number of pairs done and of all pairs, from several threads.
///
/// # Errors
/// The folder has no known layout, a class table makes no sense, a folder cannot be listed, or no
/// split holds any file. Problems with single files are in the report instead.
pub fn inspect(dir: &Path, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Report, DataError> {
    let done = AtomicUsize::new(0);
    let tick = |total| progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    if scenes::parse(dir).is_some() {
        return inspect_scenes(dir, &tick);
    }
    let layout = layout::detect(dir)?;
    let contents = layout.describe(dir)?;
    let files = contents
        .splits
        .iter()
        .map(Split::scan)
        .collect::<Result<Vec<Files>, _>>()?;
    let total: usize = files.iter().map(|files| files.pairs.len()).sum();
    let mut report = Report {
        name: contents.name.clone().unwrap_or_else(|| folder_name(dir)),
        layout: layout.name().to_owned(),
        classes: contents.classes,
        splits: Vec::new(),
        problems: Vec::new(),
    };
    let classes = report.classes.len();
    for (split, files) in contents.splits.iter().zip(&files) {
        let missing_labels = files.without_labels.iter().map(|path| {
            let labels = split.labels.display();
            format!("{} has no labels in {labels}", path.display())
        });
        report.problems.extend(missing_labels);
        let missing_photos = files.without_photo.iter().map(|path| {
            format!(
                "{} has no photo in {}",
                path.display(),
                split.images.display()
            )
        });
        report.problems.extend(missing_photos);
        if *files == Files::default() {
            report
                .problems
                .push(format!("{} holds no photo", split.images.display()));
        }
        let tally = tally(files.pairs.len(), classes, |i| {
            let loaded = load_pair(&files.pairs[i], &contents.mapping, classes);
            tick(total);
            loaded
        });
        report.add(
            SplitReport {
                name: split.name.clone(),
                pairs: files.pairs.len(),
                missing_labels: files.without_labels.len(),
                missing_photos: files.without_photo.len(),
                ..SplitReport::default()
            },
            tally,
        );
    }
    if let (0, Some(split)) = (total, contents.splits.first()) {
        return Err(DataError::EmptySplit {
            path: dir.to_path_buf(),
            split: split.name.clone(),
            images: split.images.clone(),
            labels: split.labels.clone(),
        });
    }
    Ok(report)
}

fn inspect_scenes(dir: &Path, tick: &(dyn Fn(usize) + Sync)) -> Result<Report, DataError> {
    let splits = scenes::split_names()
        .map(|name| Dataset::open(dir, name).map(|dataset| (name, dataset)))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let total = splits.iter().map(|(_, dataset)| dataset.len()).sum();
    let classes = splits
        .first()
        .map(|(_, dataset)| dataset.classes().clone())
        .unwrap_or_default();
    let (name, layout) = (dir.display().to_string(), "procedural".to_owned());
    let mut report = Report {
        name,
        layout,
        classes,
        splits: Vec::new(),
        problems: Vec::new(),
    };
    for (name, dataset) in &splits {
        let tally = tally(dataset.len(), report.classes.len(), |i| {
            let scene = dataset.load(i);
            tick(total);
            scene
        });
        let (name, pairs) = ((*name).to_owned(), dataset.len());
        report.add(
            SplitReport {
                name,
                pairs,
                ..SplitReport::default()
            },
            tally,
        );
    }
    Ok(report)
}

impl Report {
    /// One line a problem, each naming its file. Empty where all is well.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Every class with its share of the labelled pixels of all splits, by class index.
    pub fn class_shares(&self) -> Vec<ClassShare> {
        let sum = |counts: fn(&SplitReport) -> &[u64], class: usize| {
            self.splits
                .iter()
                .filter_map(|split| counts(split).get(class))
                .sum::<u64>()
        };
        let pixels = |class| sum(|split| &split.class_pixels, class);
        let total: u64 = (0..self.classes.len()).map(pixels).sum();
        (0..self.classes.len())
            .map(|class| ClassShare {
                name: self.classes.name(class).to_owned(),
                pixels: pixels(class),
                pairs: sum(|split| &split.class_pairs, class),
                share: pixels(class) as f64 / total.max(1) as f64,
            })
            .collect()
    }

    fn add(&mut self, mut split: SplitReport, mut tally: Tally) {
        for (_, error) in &tally.failures {
            match error {
                DataError::SizeMismatch { .. } => split.size_mismatches += 1,
                DataError::UnknownLabel { .. } => split.unknown_labels += 1,
                _ => split.unreadable += 1,
            }
        }
        self.problems.extend(tally.sorted_failures());
        let labelled: u64 = tally.class_pixels.iter().sum();
        split.ignored_share = tally.ignored as f64 / (labelled + tally.ignored).max(1) as f64;
        split.sizes = tally.sizes;
        split.class_pixels = tally.class_pixels;
        split.class_pairs = tally.class_samples;
        self.splits.push(split);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} layout, {} classes",
            self.name,
            self.layout,
            self.classes.len()
        )?;
        writeln!(
            f,
            "\n{:<12}{:>9}{:>11}{:>9}{:>12}{:>9}{:>9}  sizes",
            "split", "pairs", "unlabelled", "unread", "mismatched", "unknown", "ignored"
        )?;
        for s in &self.splits {
            let sizes = match s.sizes {
                Some([a, b]) if a == b => format!("{}x{}", a[1], a[0]),
                Some([a, b]) => format!("{}x{} to {}x{}", a[1], a[0], b[1], b[0]),
                None => "-".to_owned(),
            };
            writeln!(
                f,
                "{:<12}{:>9}{:>11}{:>9}{:>12}{:>9}{:>8.2}%  {sizes}",
                s.name,
                s.pairs,
                s.missing_labels,
                s.unreadable,
                s.size_mismatches,
                s.unknown_labels,
                100.0 * s.ignored_share
            )?;
        }
        writeln!(
            f,
            "\n{:<6}{:<28}{:>14}{:>9}{:>9}",
            "class", "name", "pixels", "share", "photos"
        )?;
        for (i, class) in self.class_shares().iter().enumerate() {
            let share = 100.0 * class.share;
            writeln!(
                f,
                "{i:<6}{:<28}{:>14}{share:>8.2}%{:>9}",
                class.name, class.pixels, class.pairs
            )?;
        }
        const SHOWN: usize = 20;
        match self.problems.len() {
            0 => writeln!(f, "\nno problems found"),
            count => {
                writeln!(f, "\n{count} problems:")?;
                for problem in self.problems.iter().take(SHOWN) {
                    writeln!(f, "  {problem}")?;
                }
                if count > SHOWN {
                    writeln!(f, "  and {} more", count - SHOWN)?;
                }
                Ok(())
            }
        }
    }
}
