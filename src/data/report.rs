//! Reports the contents and problems of a data folder.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::black_and_white;
use super::classes::ClassTable;
use super::convert::same_bytes;
use super::dataset::{Dataset, empty, endings, folder_name};
use super::error::DataError;
use super::layout::{self, Layout};
use super::mapping::LabelMapping;
use super::pair::{Loaded, load, pixels};
use super::scenes;
use super::split::{Files, Pair, Split};
use super::split_name::canonical;
use super::tally::{Tally, tally};
use super::unread::unread;
use crate::format::{counted, some_of};
use crate::own_png::is_by_hand;

/// The outcome of [`inspect`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub name: String,
    pub layout: String,
    pub classes: ClassTable,
    pub splits: Vec<SplitReport>,
    problems: Vec<String>,
    notes: Vec<String>,
}

/// The contents of one split. Problems are counted in files, each once.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SplitReport {
    pub name: String,
    /// Photos that have a label file.
    pub pairs: usize,
    /// Photos that have none.
    pub missing_labels: usize,
    /// Label files that have no photo.
    pub missing_photos: usize,
    /// Photos and label files that are left out because another has the same name.
    pub doubles: usize,
    /// Pairs with a file that cannot be read or decoded.
    pub unreadable: usize,
    /// Pairs whose files differ in size.
    pub size_mismatches: usize,
    /// Pairs with labels outside the class table.
    pub unknown_labels: usize,
    /// Pairs whose photo is turned by its EXIF orientation without a change of size, so that the labels
    /// may have been made on the stored photo.
    pub ambiguous_orientations: usize,
    /// Share of ignored pixels, in [0, 1], in pairs without a problem.
    pub ignored_share: f64,
    /// Smallest and largest `[height, width]` by area, of pairs without a problem.
    pub sizes: Option<[[usize; 2]; 2]>,
    /// Number of pixels per class index, in pairs without a problem.
    pub class_pixels: Vec<u64>,
    /// Number of pairs per class index that hold the class, without a problem.
    pub class_pairs: Vec<u64>,
}

/// A class and its share of the labelled pixels of all splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassShare {
    pub name: String,
    /// Number of its pixels.
    pub pixels: u64,
    /// Number of pairs that hold it.
    pub pairs: u64,
    /// Its share of all pixels that have a class, in [0, 1].
    pub share: f64,
}

/// Decodes every file of every split of a data folder (or of a `scenes:N` path), in parallel.
///
/// `progress` is called with the number of pairs done and of all pairs, from several threads.
///
/// # Errors
/// The folder has no known layout, a class table is invalid, a folder cannot be listed, or no split
/// holds any file. Problems with single files are in the report instead.
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
        notes: layout.assumed(dir).into_iter().collect(),
    };
    let not_read = unread(layout, dir, &contents.splits);
    report.problems.extend(not_read.problems);
    report.notes.extend(not_read.notes);
    let classes = report.classes.len();
    for (split, files) in contents.splits.iter().zip(&files) {
        report.add_unlabelled(layout, split, files);
        report.problems.extend(missing(split, files));
        report.notes.extend(left_out(split, files));
        report.notes.extend(files.notes.iter().cloned());
        let pixels = |i: usize| pixels(&files.pairs[i]);
        let tally = tally(files.pairs.len(), classes, pixels, |i| {
            let loaded = load(&files.pairs[i], &contents.mapping, classes);
            tick(total);
            loaded
        });
        report.add(
            SplitReport {
                name: split.name.clone(),
                pairs: files.pairs.len(),
                missing_labels: files.without_labels.len(),
                missing_photos: files.without_photo.len(),
                doubles: files.doubles.len(),
                ..SplitReport::default()
            },
            tally,
            |i| files.pairs[i].image.as_path(),
        );
    }
    if let (0, Some(split), Some(files)) = (total, contents.splits.first(), files.first()) {
        return Err(empty(dir, split, files));
    }
    report.notes.extend(in_both(&contents.splits, &files));
    report.notes.extend(repeated(&report.classes));
    if layout != Layout::DatasetToml
        && let Some((line, is_problem)) = black_and_white(&report, &contents.mapping, &files)
    {
        if is_problem {
            report.problems.push(line);
            return Ok(report);
        }
        report.notes.push(line);
    }
    // The labels of shapes are names.
    let numbered = !matches!(layout, Layout::Coco | Layout::Labelme);
    report.note_missing_classes(|| numbered && !are_by_hand(&files));
    Ok(report)
}

/// A line about labels that are masks of black and white, from the first split that has any, and whether it is a
/// problem: where another split has both classes, one that is not trained on may just lack the second.
fn black_and_white(
    report: &Report,
    mapping: &LabelMapping,
    files: &[Files],
) -> Option<(String, bool)> {
    let has_second = |split: &SplitReport| split.class_pixels.get(1).is_some_and(|&n| n > 0);
    let is_there = report.splits.iter().any(has_second);
    let mut splits = report.splits.iter().zip(files);
    splits.find_map(|(split, files)| {
        let (name, pixels) = (&split.name, &split.class_pixels);
        let line = black_and_white::fault(name, &files.pairs, mapping, &report.classes, pixels)?;
        Some((line, !is_there || canonical(name) == "training"))
    })
}

/// Whether the window has saved all labels, with the numbers of its own table.
fn are_by_hand(files: &[Files]) -> bool {
    let mut pairs = files.iter().flat_map(|files| &files.pairs);
    pairs.all(|pair| is_by_hand(&pair.labels))
}

/// One line per class whose name, without the number that [`ClassTable::new`] appends, is that of another.
fn repeated(classes: &ClassTable) -> Vec<String> {
    let is_class = |name: &str| classes.names.iter().any(|other| other == name);
    let line = |name: &String| {
        let (first, number) = name.strip_suffix(')')?.rsplit_once(" (")?;
        let is_repeated = number.parse::<usize>().is_ok_and(|number| number > 1) && is_class(first);
        is_repeated.then(|| {
            format!("the class {first} is listed again: its repetition is the class {name}")
        })
    };
    classes.names.iter().filter_map(line).collect()
}

/// One line per photo without labels.
fn without_labels(split: &Split, files: &Files) -> Vec<String> {
    let others: HashMap<_, _> = files
        .other_labels
        .iter()
        .map(|path| (path.file_stem(), path))
        .collect();
    let line = |path: &PathBuf| {
        let near = others.get(&path.file_stem());
        let hint = near.map_or(String::new(), |near| {
            let (near, names) = (near.display(), split.label_names());
            format!(" ({near} is there, but labels are {names})")
        });
        let (path, labels) = (path.display(), split.labels.display());
        format!("{path} has no labels in {labels}{hint}")
    };
    files.without_labels.iter().map(line).collect()
}

/// One line per label file without a photo, per file with too many counterparts, and per fault of files that
/// describe many photos.
fn missing(split: &Split, files: &Files) -> Vec<String> {
    let mut lines = Vec::new();
    for path in &files.without_photo {
        let (path, images) = (path.display(), split.images.display());
        lines.push(format!("{path} has no photo in {images}"));
    }
    for (path, kept) in &files.doubles {
        let (path, kept) = (path.display(), kept.display());
        lines.push(format!(
            "{path} is left out, because {kept} has the same name"
        ));
    }
    lines.extend(files.faults.iter().cloned());
    if files.pairs.is_empty() && files.without_labels.is_empty() && lines.is_empty() {
        lines.push(format!("{} holds no photo", split.images.display()));
    }
    lines
}

/// One line per two splits that share photos: the same file, or copies with one name.
fn in_both(splits: &[Split], files: &[Files]) -> Vec<String> {
    let all: Vec<_> = splits.iter().zip(files).collect();
    let mut lines = Vec::new();
    for (at, (split, files)) in all.iter().enumerate() {
        let own = files.pairs.iter().map(|pair| pair.image.as_path());
        let own: HashSet<&Path> = own.collect();
        let pairs = files.pairs.iter();
        let named: HashMap<&str, &Path> = pairs
            .map(|pair| (pair.name.as_str(), pair.image.as_path()))
            .collect();
        let is_copied = |pair: &Pair| {
            let same = named.get(pair.name.as_str());
            // A photo that cannot be read is a problem of its own.
            same.is_some_and(|image| same_bytes(image, &pair.image).unwrap_or(false))
        };
        for (other, files) in &all[at + 1..] {
            let shared: Vec<&Path> = files
                .pairs
                .iter()
                .filter(|pair| own.contains(pair.image.as_path()) || is_copied(pair))
                .map(|pair| pair.image.as_path())
                .collect();
            if let Some(first) = shared.first() {
                lines.push(format!(
                    "{} {} in both the {} and the {} split, the first is {}",
                    counted(shared.len(), "photo"),
                    if shared.len() == 1 { "is" } else { "are" },
                    split.name,
                    other.name,
                    first.display()
                ));
            }
        }
    }
    lines
}

/// A line about files whose names are not those of photos or label files.
fn left_out(split: &Split, files: &Files) -> Vec<String> {
    if split.images == split.labels {
        return Vec::new();
    }
    let folders = [
        (&split.images, &files.other_images, "photos"),
        (&split.labels, &files.other_labels, "labels"),
    ];
    let line = |(folder, files, what): (&PathBuf, &Vec<_>, _)| {
        let found = endings(files)?;
        Some(format!(
            "{} holds {found}, which are not taken for {what}",
            folder.display()
        ))
    };
    folders.into_iter().filter_map(line).collect()
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
        notes: Vec::new(),
    };
    for (name, dataset) in &splits {
        let tally = tally(
            dataset.len(),
            report.classes.len(),
            |i| dataset.pixels(i),
            |i| {
                let scene = dataset.load(i);
                tick(total);
                scene.map(|sample| Loaded {
                    sample,
                    ambiguous: false,
                })
            },
        );
        let (name, pairs) = ((*name).to_owned(), dataset.len());
        report.add(
            SplitReport {
                name,
                pairs,
                ..SplitReport::default()
            },
            tally,
            |_| dir,
        );
    }
    Ok(report)
}

impl Report {
    /// One line per problem, each naming its file.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// One line per finding that is not an error but may be unintended.
    pub fn notes(&self) -> &[String] {
        &self.notes
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

    /// Adds what is to be said of a split's photos without labels.
    fn add_unlabelled(&mut self, layout: Layout, split: &Split, files: &Files) {
        let Some(first) = files.without_labels.first() else {
            return;
        };
        let (name, count) = (&split.name, files.without_labels.len());
        let photos = counted(count, "photo");
        let others = [&files.without_photo, &files.other_labels];
        if files.pairs.is_empty() && others.iter().all(|files| files.is_empty()) {
            let line = format!(
                "the {name} split has {photos} and no labels: it is used neither for training nor for scores"
            );
            self.add_line(name, line);
        } else if matches!(layout, Layout::Yolo | Layout::Coco) {
            // YOLO leaves out the files of photos that show no class, and photos of COCO may not be annotated yet.
            let what = match layout {
                Layout::Yolo => "no label file",
                _ => "no entry in a JSON file",
            };
            let (have, are) = if count == 1 {
                ("has", "is")
            } else {
                ("have", "are")
            };
            self.notes.push(format!(
                "{photos} of the {name} split {have} {what} and {are} left out, the first is {}",
                first.display()
            ));
        } else {
            self.problems.extend(without_labels(split, files));
        }
    }

    /// Adds a line about labels that a whole split lacks.
    fn add_line(&mut self, split: &str, line: String) {
        // Data sets with a server for scores publish no labels of their test split.
        if canonical(split) == "test" {
            self.notes.push(line);
        } else {
            self.problems.push(line);
        }
    }

    fn add<'a>(
        &mut self,
        mut split: SplitReport,
        mut tally: Tally,
        image: impl Fn(usize) -> &'a Path,
    ) {
        for (_, error) in &tally.failures {
            match error {
                DataError::SizeMismatch { .. } => split.size_mismatches += 1,
                DataError::UnknownLabel { .. } => split.unknown_labels += 1,
                _ => split.unreadable += 1,
            }
        }
        self.problems.extend(tally.sorted_failures());
        let labelled: u64 = tally.class_pixels.iter().sum();
        if labelled == 0 && tally.ignored > 0 {
            let line = format!(
                "the {} split has no labelled pixel: every label is ignored, so that it cannot be used",
                split.name
            );
            self.add_line(&split.name, line);
        }
        if let Some(first) = tally.ambiguous.iter().min() {
            split.ambiguous_orientations = tally.ambiguous.len();
            self.notes.push(format!(
                "{} photos of the {} split are turned by their EXIF orientation, the first is {}, and \
                 their sizes don't show whether their labels were made on the turned photos: check \
                 with --sheet",
                tally.ambiguous.len(),
                split.name,
                image(*first).display()
            ));
        }
        split.ignored_share = tally.ignored as f64 / (labelled + tally.ignored).max(1) as f64;
        split.sizes = tally.sizes;
        split.class_pixels = tally.class_pixels;
        split.class_pairs = tally.class_samples;
        self.splits.push(split);
    }

    /// Notes the classes without a pixel. If the last one of the table is the only one and labels are
    /// numbers that somebody else chose, they may be shifted by one.
    fn note_missing_classes(&mut self, may_be_shifted: impl Fn() -> bool) {
        let shares = self.class_shares();
        let missing: Vec<usize> = (0..shares.len())
            .filter(|&k| shares[k].pixels == 0)
            .collect();
        if missing.is_empty() || missing.len() == shares.len() {
            return;
        }
        let names: Vec<&str> = missing.iter().map(|&k| shares[k].name.as_str()).collect();
        let (noun, names) = (
            if names.len() == 1 { "class" } else { "classes" },
            some_of(&names),
        );
        let shifted = match missing[..] {
            [only] if only + 1 == shares.len() && may_be_shifted() => {
                " (it is the last of the table: do the labels count from 0?)"
            }
            _ => "",
        };
        self.notes
            .push(format!("no pixel has the {noun} {names}{shifted}"));
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
            "\n{:<12}{:>9}{:>11}{:>9}{:>12}{:>9}{:>9}  sizes (width x height)",
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
        match self.problems.len() {
            0 => writeln!(f, "\nno problems found")?,
            1 => writeln!(f, "\n1 problem:")?,
            count => writeln!(f, "\n{count} problems:")?,
        }
        write_lines(f, &self.problems)?;
        if !self.notes.is_empty() {
            writeln!(f, "\nnotes:")?;
        }
        write_lines(f, &self.notes)
    }
}

/// The first lines of a list and the number of further ones.
fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    const SHOWN: usize = 20;
    for line in lines.iter().take(SHOWN) {
        writeln!(f, "  {line}")?;
    }
    match lines.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more"),
    }
}
