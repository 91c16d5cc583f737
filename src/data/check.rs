//! Checks that every pair of a split can be read before training starts.
//!
//! A bad pair at step 40 000 would end a run of days, and a rerun at the same step. All pairs are
//! therefore read once before the first step, in parallel, exactly as training reads them. Good pairs
//! are recorded in the user's cache folder by the paths, sizes and times of their files and the meaning
//! of their labels, so that the next start reads only what has changed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::black_and_white;
use super::budget::groups;
use super::dataset::{Dataset, DatasetFiles, Part};
use super::dataset_toml;
use super::error::DataError;
use super::fingerprint::{Fingerprint, changed};
use super::pair::{load_pair, pixels};
use super::split::Pair;
use crate::files;
use crate::labels::{ClassPixels, IGNORE};

/// Pairs per thread between two checks whether to stop.
const PER_THREAD: usize = 4;
/// Maximum number of bad pairs listed in the log.
const LISTED: usize = 20;
/// Maximum bytes of a cache file; this program writes no larger ones.
const MOST_REMEMBERED: u64 = 1 << 30;

/// The outcome of [`Dataset::check`].
#[derive(Debug, Default)]
pub struct Check {
    /// The indices of the pairs that cannot be used, ascending, and why.
    pub bad: Vec<(usize, DataError)>,
    /// Class pixels of every pair; empty for bad ones.
    class_pixels: Vec<ClassPixels>,
    /// The checks of the joined data sets, in their own classes; their bad pairs are in `bad`.
    parts: Vec<Check>,
}

/// The cache: good pairs by their fingerprints.
#[derive(Default, Serialize, Deserialize)]
struct Remembered {
    /// Version of the check; another version checks other things.
    version: u32,
    pairs: HashMap<String, ClassPixels>,
}

const VERSION: u32 = 1;

impl Dataset {
    /// Reads every pair not recorded as good in the cache folder `memory`, and records the good ones
    /// there. `progress` is called with the number of pairs done and of all. `stop` is called every few
    /// pairs; if it returns true, the result is `None`, and the pairs read so far are recorded. Scenes
    /// are never bad.
    pub fn check(
        &self,
        memory: Option<&Path>,
        progress: &mut dyn FnMut(usize, usize),
        stop: &dyn Fn() -> bool,
    ) -> Option<Check> {
        let mut check = Check::default();
        let Some(files) = self.files() else {
            return self.check_parts(memory, progress, stop);
        };
        let file = memory.map(|folder| folder.join(format!("{}.json", files.name())));
        let before = file.as_deref().map(Remembered::read).unwrap_or_default();
        let meaning = files.meaning(&self.classes().names);
        let prints: Vec<Option<String>> = files
            .pairs
            .par_iter()
            .map(|pair| fingerprint(pair, &meaning))
            .collect();
        let classes = self.classes().len();
        let read = |i: usize| {
            let print = prints[i].as_ref();
            if let Some(known) = print.and_then(|print| before.of(print, classes)) {
                return Ok(known.clone());
            }
            let sample = load_pair(&files.pairs[i], files.mapping, classes)?;
            Ok(sample.labels.present_classes(classes))
        };
        let at_once = PER_THREAD * rayon::current_num_threads();
        let all = files.pairs.len();
        // Known pairs are not read.
        let pixels = |i: usize| {
            let print = prints[i].as_ref();
            let known = print.and_then(|print| before.of(print, classes));
            known.map_or_else(|| pixels(&files.pairs[i]), |_| 0)
        };
        let mut is_stopped = false;
        for some in groups(all, at_once, pixels) {
            is_stopped = stop();
            if is_stopped {
                break;
            }
            let outcomes: Vec<Result<_, DataError>> =
                some.clone().into_par_iter().map(read).collect();
            for (i, outcome) in some.zip(outcomes) {
                let pixels = outcome.unwrap_or_else(|error| {
                    check.bad.push((i, error));
                    Vec::new()
                });
                check.class_pixels.push(pixels);
            }
            progress(check.class_pixels.len(), all);
        }
        check.remember(file.as_deref(), prints, &before);
        (!is_stopped).then_some(check)
    }

    /// [`check`](Self::check) for each of several data sets.
    fn check_parts(
        &self,
        memory: Option<&Path>,
        progress: &mut dyn FnMut(usize, usize),
        stop: &dyn Fn() -> bool,
    ) -> Option<Check> {
        let (mut whole, mut first, all) = (Check::default(), 0, self.len());
        for part in self.parts() {
            let mut progress = |done, _| progress(first + done, all);
            let mut check = part.data.check(memory, &mut progress, stop)?;
            let bad = std::mem::take(&mut check.bad).into_iter();
            whole.bad.extend(bad.map(|(i, error)| (first + i, error)));
            whole.parts.push(check);
            first += part.data.len();
        }
        Some(whole)
    }

    /// The parts with their checks.
    fn checked_parts(&self, check: Check) -> impl Iterator<Item = (Self, Check)> + '_ {
        let mut bad = check.bad.into_iter().peekable();
        let mut first = 0;
        self.parts()
            .iter()
            .zip(check.parts)
            .map(move |(part, mut own)| {
                let end = first + part.data.len();
                let within = std::iter::from_fn(|| bad.next_if(|(i, _)| *i < end));
                own.bad = within.map(|(i, error)| (i - first, error)).collect();
                first = end;
                (part.data.clone(), own)
            })
    }

    /// The data set without its bad pairs, which the log lists.
    ///
    /// # Errors
    /// Bad pairs, unless `skip_bad` leaves them out; no remaining pair; no labelled pixel.
    pub fn checked(self, mut check: Check, skip_bad: bool) -> Result<Self, DataError> {
        if !self.parts().is_empty() {
            let parts = self.checked_parts(check);
            let checked = parts.map(|(data, check)| data.checked(check, skip_bad));
            return Ok(self.with_parts(checked.collect::<Result<_, _>>()?));
        }
        let Some(files) = self.files() else {
            return Ok(self);
        };
        let (path, split) = (files.dir.to_path_buf(), files.split.to_owned());
        let (bad, all) = (check.bad.len(), files.pairs.len());
        for (_, error) in check.bad.iter().take(LISTED) {
            tracing::warn!("{error}");
        }
        if bad > LISTED {
            tracing::warn!("and {} more unusable pairs", bad - LISTED);
        }
        if bad > 0 && skip_bad {
            tracing::warn!("{bad} of {all} pairs of the {split} split are left out");
        }
        if bad > 0 && (!skip_bad || bad == all) {
            let (_, first) = check.bad.swap_remove(0);
            return Err(DataError::BadPairs {
                path,
                split,
                count: bad,
                of: all,
                first: Box::new(first),
            });
        }
        if check.class_pixels.iter().all(Vec::is_empty) {
            return Err(DataError::NothingLabelled { path, split });
        }
        Ok(self.without(check))
    }

    /// Refuses labels that are masks of black and white, whose white means "ignored". Nothing is read unless the
    /// second of two classes has no pixel.
    ///
    /// # Errors
    /// Such labels, of any of several data sets with a weight; they may lack a class that another one has.
    pub fn refuse_black_and_white(&self) -> Result<(), DataError> {
        // What scenes show says nothing about files.
        let parts = self.parts().iter();
        let parts = parts.filter(|part| part.weight > 0.0 && part.data.files().is_some());
        let shown: HashSet<u16> = parts.clone().flat_map(Part::shown_classes).collect();
        for part in parts {
            let second = part.classes.get(1).filter(|class| **class != IGNORE);
            if second.is_some_and(|class| !shown.contains(class)) {
                part.data.refuse_black_and_white()?;
            }
        }
        let Some(files) = self.files() else {
            return Ok(());
        };
        if self.are_missing().get(1) != Some(&true) || dataset_toml::is_whole(files.dir) {
            return Ok(());
        }
        let mut pixels = vec![0; self.classes().len()];
        for &(class, count) in self.class_pixels().iter().flatten() {
            pixels[usize::from(class)] += count;
        }
        let (split, pairs) = (files.split, files.pairs);
        match black_and_white::fault(split, pairs, files.mapping, self.classes(), &pixels) {
            Some(reason) => Err(DataError::description(files.dir, reason)),
            None => Ok(()),
        }
    }

    /// Whether no label has a class, by class index; labels of data sets without weight don't count. Empty for scenes,
    /// whose labels are not read.
    fn are_missing(&self) -> Vec<bool> {
        let mut parts = self.parts().iter();
        let is_read = self.files().is_some() || !self.parts().is_empty();
        if !is_read || parts.any(|part| part.data.files().is_none()) {
            return Vec::new();
        }
        let mut missing = vec![true; self.classes().len()];
        let shown = self.class_pixels().iter().enumerate();
        let shown = shown.filter(|(i, _)| !self.is_left_out(*i));
        for (class, _) in shown.flat_map(|(_, pixels)| pixels) {
            missing[usize::from(*class)] = false;
        }
        missing
    }

    /// The names of the classes that no label has. Empty for scenes, whose labels are not read.
    pub fn missing_classes(&self) -> Vec<&str> {
        let names = self.classes().names.iter().zip(self.are_missing());
        names
            .filter(|(_, is_missing)| *is_missing)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The data set without its bad pairs.
    pub fn without(&self, check: Check) -> Self {
        if !self.parts().is_empty() {
            let parts = self.checked_parts(check);
            return self.with_parts(parts.map(|(data, check)| data.without(check)).collect());
        }
        if self.files().is_none() {
            return self.clone();
        }
        let bad: HashSet<usize> = check.bad.iter().map(|(i, _)| *i).collect();
        let pixels = check.class_pixels.into_iter().enumerate();
        let (kept, pixels) = pixels.filter(|(i, _)| !bad.contains(i)).unzip();
        self.with_pairs(kept, pixels)
    }
}

impl Check {
    /// Writes the good pairs, including cached ones that were not reached, if anything is new. A cache
    /// folder that cannot be written only costs time at the next start.
    fn remember(&self, file: Option<&Path>, prints: Vec<Option<String>>, before: &Remembered) {
        let Some(file) = file else { return };
        let bad: HashSet<usize> = self.bad.iter().map(|(i, _)| *i).collect();
        let known = prints.into_iter().enumerate().filter_map(|(i, print)| {
            let print = print?;
            let pixels = match self.class_pixels.get(i) {
                Some(_) if bad.contains(&i) => return None,
                Some(pixels) => pixels.clone(),
                None => before.pairs.get(&print)?.clone(),
            };
            Some((print, pixels))
        });
        let remembered = Remembered {
            version: VERSION,
            pairs: known.collect(),
        };
        let mut prints = remembered.pairs.keys();
        if prints.all(|print| before.pairs.contains_key(print)) {
            return;
        }
        if let Err(error) = remembered.write(file) {
            tracing::debug!("cannot write {}: {error}", file.display());
        }
    }
}

impl Remembered {
    /// Reads a cache file; empty if it is damaged, of another version or missing.
    fn read(file: &Path) -> Self {
        let sized = std::fs::metadata(file).is_ok_and(|found| found.len() <= MOST_REMEMBERED);
        let bytes = sized.then(|| std::fs::read(file).ok()).flatten();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|remembered: &Self| remembered.version == VERSION)
            .unwrap_or_default()
    }

    /// The class pixels of a good pair; `None` if it is unknown or, in a file that was tampered with,
    /// names classes that don't exist.
    fn of(&self, print: &str, classes: usize) -> Option<&ClassPixels> {
        let known = self.pairs.get(print)?;
        let possible = known.iter().all(|(class, _)| usize::from(*class) < classes);
        possible.then_some(known)
    }

    fn write(&self, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
        if let Some(folder) = file.parent() {
            files::create_folder(folder)?;
        }
        files::write_atomic(file, &serde_json::to_vec(self)?)?;
        Ok(())
    }
}

/// The folder of the cache, in the user's cache folder.
pub fn memory() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("flowseg").join("checked"))
}

impl DatasetFiles<'_> {
    /// The name of the cache file of this split.
    fn name(&self) -> String {
        let mut print = Fingerprint::default();
        print.path(self.dir);
        print.text(self.split);
        print.finish()
    }

    /// A digest of what the split's labels mean.
    fn meaning(&self, classes: &[String]) -> String {
        let mut print = Fingerprint::default();
        for class in classes {
            print.text(class);
        }
        print.mapping(self.mapping);
        print.finish()
    }
}

/// The cache key of a pair of files; `None` if their metadata cannot be read.
fn fingerprint(pair: &Pair, meaning: &str) -> Option<String> {
    let mut print = Fingerprint::default();
    print.text(meaning);
    let paths = [pair.image.as_path(), pair.labels.as_path()];
    for path in paths.into_iter().chain(pair.described_in()) {
        let metadata = std::fs::metadata(path).ok()?;
        print.path(path);
        print.number(metadata.len());
        print.number(changed(&metadata)?);
    }
    Some(print.finish())
}
