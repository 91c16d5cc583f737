//! Converts any data set to the plain layout: photos are copied unchanged, labels become PNG files.
//!
//! Existing files are never replaced. An interrupted conversion can be resumed: a pair whose files
//! exist and are newer than their sources is skipped, and any other existing file must equal what would
//! be written. Photos and labels of an earlier conversion that the data set no longer has are an error.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::budget::groups;
use super::classes::ClassTable;
use super::contents::Contents;
use super::decode::{Origin, read_labels, write_mask};
use super::error::DataError;
use super::layout;
use super::pair::{load_pair, pixels};
use super::photo::has_photo_ending;
use super::scenes;
use super::split::{Files, Pair, Split};
use super::split_name::{SPLITS, canonical};
use super::unread::unread;
use super::walk::visible_files;
use crate::files::{self, FileError};
use crate::labels::LabelMap;
use crate::own_png::is_by_hand;

/// The file of class names.
const CLASSES: &str = "classes.txt";
/// Files that affect what labels mean.
const TABLES: [&str; 5] = [
    "dataset.toml",
    "labels.txt",
    "data.yaml",
    "classes.txt",
    "labels/classes.txt",
];
/// Maximum bytes of a file's name before its extension; file systems allow 255 in all.
const LONGEST_NAME: usize = 200;

/// The outcome of [`convert`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    /// Pairs that were written.
    pub written: usize,
    /// Pairs that existed already.
    pub kept: usize,
    /// One line per pair that could not be read.
    pub bad: Vec<String>,
    /// Photos without labels, which are left out.
    pub without_labels: usize,
    /// One line per other thing that is left out.
    pub left_out: Vec<String>,
}

/// A pair and its destination.
struct Job<'a> {
    pair: &'a Pair,
    image: PathBuf,
    labels: PathBuf,
}

/// Writes the data set in the folder `dir` into the folder `out` in the plain layout.
///
/// `progress` is called with the number of pairs done and of all pairs, from several threads.
/// Unreadable pairs are listed in the outcome.
///
/// # Errors
/// The folder has no known layout, `out` is a part of it or holds other files, under the required names
/// or beside them, a class has a name that `classes.txt` cannot hold, or a write fails.
pub fn convert(
    dir: &Path,
    out: &Path,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Converted, DataError> {
    if scenes::parse(dir).is_some() {
        return Err(refused(
            dir,
            "scenes are rendered and have no files to convert",
        ));
    }
    let layout = layout::detect(dir)?;
    let contents = layout.describe(dir)?;
    apart(dir, out)?;
    let splits = contents
        .splits
        .iter()
        .map(|split| Ok((split, split.scan()?)))
        .collect::<Result<Vec<(&Split, Files)>, DataError>>()?;
    let mut named = HashSet::new();
    for (split, _) in &splits {
        let name = canonical(&split.name);
        if !SPLITS.contains(&name) {
            let reason = format!(
                "its split {name:?} has no place in the layout that is written: rename it to one of {}",
                SPLITS.join(", ")
            );
            return Err(refused(dir, reason));
        }
        if !named.insert(name) {
            return Err(refused(
                dir,
                format!("two of its splits are {name}: join them"),
            ));
        }
    }
    let jobs: Vec<Job> = splits
        .iter()
        .flat_map(|(split, files)| jobs(out, canonical(&split.name), &files.pairs))
        .collect();
    if jobs.is_empty() {
        return Err(refused(dir, "no photo has labels"));
    }
    refuse_left(out, &jobs)?;
    let size = |job: &Job| fs::metadata(&job.pair.image).map_or(0, |metadata| metadata.len());
    let missing = jobs.iter().filter(|job| !job.image.exists());
    files::create_output_folder(out)?;
    files::check_room(out, missing.map(size).sum())?;
    write_classes(&out.join(CLASSES), &contents.classes)?;
    let mut converted = all(dir, &contents, &jobs, progress)?;
    let not_read = unread(layout, dir, &contents.splits);
    converted.left_out.extend(not_read.problems);
    converted.left_out.extend(not_read.notes);
    for (_, files) in &splits {
        converted.without_labels += files.without_labels.len();
        let doubles = files.doubles.iter().map(|(path, kept)| {
            format!(
                "{} is left out, because of {}",
                path.display(),
                kept.display()
            )
        });
        converted
            .left_out
            .extend(files.faults.iter().chain(&files.notes).cloned());
        converted.left_out.extend(doubles);
    }
    Ok(converted)
}

fn refused(path: &Path, reason: impl Into<String>) -> DataError {
    DataError::Convert {
        path: path.to_path_buf(),
        reason: reason.into(),
    }
}

/// Rejects a folder within the data set, which would become a part of it.
fn apart(dir: &Path, out: &Path) -> Result<(), DataError> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let real = |path: &Path| {
        let path = absolute(path);
        let there = path
            .ancestors()
            .find_map(|above| Some((above, above.canonicalize().ok()?)));
        match there {
            Some((above, real)) => real.join(path.strip_prefix(above).unwrap_or(Path::new(""))),
            None => path,
        }
    };
    if real(out).starts_with(real(dir)) {
        Err(refused(
            out,
            "it is inside the data set: give a folder beside it",
        ))
    } else {
        Ok(())
    }
}

/// Rejects photos and labels below `out` that no pair is written to. Those of an earlier conversion would
/// belong to the new data set, also where their photo has been removed or is in another split now.
fn refuse_left(out: &Path, jobs: &[Job]) -> Result<(), DataError> {
    const NAMED: usize = 3;
    // macOS may list decomposed names.
    let name = |path: &Path| path.to_string_lossy().nfc().collect::<String>();
    let written: HashSet<String> = jobs
        .iter()
        .flat_map(|job| [name(&job.image), name(&job.labels)])
        .collect();
    let folders = ["images", "annotations"].map(|part| out.join(part));
    let mut left: Vec<String> = folders
        .iter()
        .flat_map(|folder| visible_files(folder))
        .filter(|path| has_photo_ending(path) && !written.contains(&name(path)))
        .map(|path| {
            let below = path.strip_prefix(out).unwrap_or(&path);
            below.display().to_string()
        })
        .collect();
    let (are, them) = match left.len() {
        0 => return Ok(()),
        1 => ("is", "it"),
        _ => ("are", "them"),
    };
    let more = match left.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    left.truncate(NAMED);
    let reason = format!(
        "{}{more} {are} left from an earlier conversion: remove {them}, or choose a new folder",
        left.join(", ")
    );
    Err(refused(out, reason))
}

/// The destinations of a split's pairs, with names that are distinct even if letter case is ignored.
fn jobs<'a>(out: &Path, split: &str, pairs: &'a [Pair]) -> Vec<Job<'a>> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut unique = |name: &str| {
        let mut stem = files::name_part(name, LONGEST_NAME);
        // Hidden files would not be found.
        if stem.is_empty() || stem.starts_with('.') {
            stem.insert(0, '_');
        }
        let mut candidate = stem.clone();
        let mut count = 1;
        while !taken.insert(candidate.nfc().collect::<String>().to_lowercase()) {
            count += 1;
            candidate = format!("{stem}-{count}");
        }
        candidate
    };
    let job = |pair: &'a Pair| {
        let name = unique(&pair.name);
        let ending = pair.image.extension().and_then(OsStr::to_str);
        // Photos are recognised by content but found by extension.
        let ending = ending
            .filter(|_| has_photo_ending(&pair.image))
            .unwrap_or("jpg");
        let folder = |part: &str| out.join(part).join(split);
        Job {
            pair,
            image: folder("images").join(format!("{name}.{ending}")),
            labels: folder("annotations").join(format!("{name}.png")),
        }
    };
    pairs.iter().map(job).collect()
}

/// Writes the table, with single spaces in names, unless the same one exists.
fn write_classes(path: &Path, classes: &ClassTable) -> Result<(), DataError> {
    let tidy = |name: &String| name.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = classes.names.iter().map(tidy).collect();
    if path.exists() {
        return if ClassTable::from_file(path)? == ClassTable::new(lines) {
            Ok(())
        } else {
            Err(refused(
                path,
                "it names other classes: choose a new or an empty folder",
            ))
        };
    }
    files::write_atomic(path, format!("{}\n", lines.join("\n")).as_bytes())?;
    let read = ClassTable::from_file(path);
    match read {
        Ok(read) if read.len() == classes.len() => Ok(()),
        other => {
            files::remove_file(path)?;
            let reason = match other {
                Err(DataError::Description { reason, .. }) => reason,
                _ => "names don't fit on one line each".to_owned(),
            };
            Err(refused(
                path,
                format!(
                    "of the class names: {reason}; or rename them in the [map] of a dataset.toml"
                ),
            ))
        }
    }
}

fn all(
    dir: &Path,
    contents: &Contents,
    jobs: &[Job],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Converted, DataError> {
    let tables = TABLES
        .iter()
        .filter_map(|name| changed(&dir.join(name)))
        .max();
    let (done, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let bad: Mutex<Vec<(usize, String)>> = Mutex::default();
    let one = |(at, job): (usize, &Job)| -> Result<(), DataError> {
        if job.is_done(tables) {
            kept.fetch_add(1, Ordering::Relaxed);
        } else {
            match load_pair(job.pair, &contents.mapping, contents.classes.len()) {
                Ok(sample) => job.write(&sample.labels, contents.classes.len())?,
                Err(error) => {
                    let mut bad = bad.lock().unwrap_or_else(PoisonError::into_inner);
                    bad.push((at, format!("{error}{}", job.left())));
                }
            }
        }
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
        Ok(())
    };
    // Pairs that are done are not read.
    let pixels = |at: usize| {
        if jobs[at].is_done(tables) {
            return 0;
        }
        pixels(jobs[at].pair)
    };
    for group in groups(jobs.len(), usize::MAX, pixels) {
        group
            .into_par_iter()
            .map(|at| (at, &jobs[at]))
            .try_for_each(one)?;
    }
    let mut bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
    bad.sort();
    let kept = kept.into_inner();
    Ok(Converted {
        written: jobs.len() - kept - bad.len(),
        kept,
        bad: bad.into_iter().map(|(_, line)| line).collect(),
        ..Converted::default()
    })
}

/// Modification time of a file.
fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

impl Job<'_> {
    /// What is to be said of its files of an earlier conversion; empty if there are none.
    fn left(&self) -> String {
        let files = [&self.image, &self.labels].into_iter();
        let there: Vec<String> = files
            .filter(|path| path.exists())
            .map(|path| path.display().to_string())
            .collect();
        match there.as_slice() {
            [] => String::new(),
            [one] => format!("; {one} is left from an earlier conversion: remove it"),
            all => format!(
                "; {} are left from an earlier conversion: remove them",
                all.join(" and ")
            ),
        }
    }

    /// Whether both files exist and are up to date. The photo is written last.
    fn is_done(&self, tables: Option<SystemTime>) -> bool {
        let sizes =
            [&self.pair.image, &self.image].map(|path| fs::metadata(path).map(|m| m.len()).ok());
        let sources = [Some(self.pair.labels.as_path()), self.pair.described_in()];
        let newest = sources
            .into_iter()
            .flatten()
            .map(changed)
            .max()
            .flatten()
            .max(tables);
        sizes[0].is_some()
            && sizes[0] == sizes[1]
            && changed(&self.image) > changed(&self.pair.image)
            && changed(&self.labels) > newest
    }

    fn write(&self, labels: &LabelMap, classes: usize) -> Result<(), DataError> {
        // Only splits with a pair get folders: an empty one would be a problem of the new data set.
        for file in [&self.labels, &self.image] {
            files::create_folder(file.parent().unwrap_or(file))?;
        }
        if self.labels.exists() {
            let (width, height, there) = read_labels(&self.labels)?;
            // As stored, or as earlier versions did: ignored ones were 255 if all others were below.
            let wide = labels
                .data
                .iter()
                .any(|&label| label >= 255 && label != crate::labels::IGNORE);
            let stored = |label: &u16| if wide { *label } else { label & 0xff };
            let same = (width, height) == (labels.width, labels.height)
                && (labels.data == there || labels.data.iter().map(stored).eq(there));
            if !same {
                return Err(refused(&self.labels, OTHER));
            }
        } else {
            // The window shows, exports and trains on labels that were corrected by hand as such.
            let origin = if is_by_hand(&self.pair.labels) {
                Origin::ByHand
            } else {
                Origin::Unstated
            };
            let size = [labels.width, labels.height];
            write_mask(&self.labels, size, &labels.data, classes, origin)?
        }
        self.copy_photo()
    }

    fn copy_photo(&self) -> Result<(), DataError> {
        let from = &self.pair.image;
        let read = |source| DataError::Read {
            path: from.clone(),
            source,
        };
        if self.image.exists() {
            return if same_bytes(from, &self.image).map_err(read)? {
                Ok(())
            } else {
                Err(refused(&self.image, OTHER))
            };
        }
        let mut source = File::open(from).map_err(read)?;
        files::write_with(&self.image, |file| {
            let copied = io::copy(&mut source, file);
            copied.map(drop).map_err(FileError::write(&self.image))
        })?;
        Ok(())
    }
}

/// Whether two files have the same contents.
pub(super) fn same_bytes(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (BufReader::new(a), BufReader::new(b));
    loop {
        let (left, right) = (a.fill_buf()?, b.fill_buf()?);
        let length = left.len().min(right.len());
        if length == 0 || left[..length] != right[..length] {
            return Ok(left.is_empty() && right.is_empty());
        }
        a.consume(length);
        b.consume(length);
    }
}

/// The error for an existing file that differs.
const OTHER: &str = "another file exists and is not replaced: choose a new or an empty folder";
