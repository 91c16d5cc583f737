//! Counts labels over many samples in parallel.

use std::collections::HashMap;
use std::ops::Range;

use rayon::prelude::*;

use super::budget::groups;
use super::error::DataError;
use super::pair::Loaded;
use super::sample::Sample;
use crate::labels;

/// Counts over some of a split's samples.
pub(super) struct Tally {
    pub class_pixels: Vec<u64>,
    /// Number of samples per class that hold it.
    pub class_samples: Vec<u64>,
    pub ignored: u64,
    /// Smallest and largest `[height, width]`.
    pub sizes: Option<[[usize; 2]; 2]>,
    /// Indices of samples with a doubtful orientation.
    pub ambiguous: Vec<usize>,
    /// Samples that could not be loaded, by index.
    pub failures: Vec<(usize, DataError)>,
}

/// Counts over all samples in parallel, with one sample per thread in memory at a time, and with no more `pixels` than
/// [`groups`] allows.
pub(super) fn tally(
    len: usize,
    classes: usize,
    pixels: impl Fn(usize) -> u64 + Sync + Send,
    load: impl Fn(usize) -> Result<Loaded, DataError> + Sync,
) -> Tally {
    let empty = || Tally {
        class_pixels: vec![0; classes],
        class_samples: vec![0; classes],
        ignored: 0,
        sizes: None,
        ambiguous: Vec::new(),
        failures: Vec::new(),
    };
    let count = |mut tally: Tally, i: usize| {
        match load(i) {
            Ok(loaded) => {
                tally.count(&loaded.sample);
                tally.ambiguous.extend(loaded.ambiguous.then_some(i));
            }
            Err(error) => tally.failures.push((i, error)),
        }
        tally
    };
    let of = |group: Range<usize>| {
        let parts = group.into_par_iter().fold(empty, &count);
        parts.reduce(empty, Tally::merge)
    };
    let groups = groups(len, usize::MAX, pixels);
    groups.map(of).fold(empty(), Tally::merge)
}

impl Tally {
    fn count(&mut self, sample: &Sample) {
        let pixels = labels::counts(&sample.labels.data, self.class_pixels.len());
        self.ignored += (sample.labels.data.len() - pixels.iter().sum::<usize>()) as u64;
        let all = self.class_pixels.iter_mut().zip(&mut self.class_samples);
        for ((class_pixels, class_samples), pixels) in all.zip(pixels) {
            *class_pixels += pixels as u64;
            *class_samples += u64::from(pixels > 0);
        }
        let size = [sample.labels.height, sample.labels.width];
        self.sizes = extremes(self.sizes, Some([size, size]));
    }

    fn merge(mut self, other: Self) -> Self {
        for (mine, theirs) in self.class_pixels.iter_mut().zip(other.class_pixels) {
            *mine += theirs;
        }
        for (mine, theirs) in self.class_samples.iter_mut().zip(other.class_samples) {
            *mine += theirs;
        }
        self.ignored += other.ignored;
        self.sizes = extremes(self.sizes, other.sizes);
        self.ambiguous.extend(other.ambiguous);
        self.failures.extend(other.failures);
        self
    }

    /// One line per failure, in the order of the samples. Label files with the same fault share the line of the
    /// first.
    pub(super) fn sorted_failures(&mut self) -> Vec<String> {
        self.failures.sort_by_key(|(i, _)| *i);
        let mut kinds: Vec<(&DataError, usize)> = Vec::new();
        let mut places: HashMap<Fault, usize> = HashMap::new();
        for (_, error) in &self.failures {
            let next = kinds.len();
            let fault = Fault::of(error);
            let place = fault.map_or(next, |fault| *places.entry(fault).or_insert(next));
            match kinds.get_mut(place) {
                Some((_, count)) => *count += 1,
                None => kinds.push((error, 1)),
            }
        }
        let line = |(first, count): (&DataError, usize)| match count {
            1 => first.to_string(),
            2 => format!("{first}; 1 more file is alike"),
            count => format!("{first}; {} more files are alike", count - 1),
        };
        kinds.into_iter().map(line).collect()
    }
}

/// A fault of label files that a data set's labels usually have in common.
#[derive(PartialEq, Eq, Hash)]
enum Fault<'e> {
    /// The kind of their pixels, and whether these are grey.
    Pixels(&'static str, bool),
    /// Values that are no class.
    Values(&'e [u16]),
}

impl<'e> Fault<'e> {
    /// `None` for a fault of one file.
    fn of(error: &'e DataError) -> Option<Self> {
        match error {
            DataError::LabelsNotSingleChannel {
                found, are_grey, ..
            } => Some(Self::Pixels(found, *are_grey)),
            DataError::UnknownLabel { values, .. } => Some(Self::Values(values)),
            _ => None,
        }
    }
}

/// Combines two ranges of sizes. Ties are broken by the sides, so that the result does not depend on
/// thread timing.
fn extremes(a: Option<[[usize; 2]; 2]>, b: Option<[[usize; 2]; 2]>) -> Option<[[usize; 2]; 2]> {
    let (Some(a), Some(b)) = (a, b) else {
        return a.or(b);
    };
    let area = |size: &[usize; 2]| (size[0] * size[1], *size);
    let smallest = if area(&b[0]) < area(&a[0]) {
        b[0]
    } else {
        a[0]
    };
    let largest = if area(&b[1]) > area(&a[1]) {
        b[1]
    } else {
        a[1]
    };
    Some([smallest, largest])
}
