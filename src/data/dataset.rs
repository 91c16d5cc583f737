//! A data set: a list of samples, on disk or rendered on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::budget::groups;
use super::classes::ClassTable;
use super::error::DataError;
use super::fingerprint::Fingerprint;
use super::layout;
use super::mapping::LabelMapping;
use super::pair::{load_pair, mapped, pixels, raw_labels};
use super::sample::Sample;
use super::scenes::{self, SceneConfig};
use super::split::{Files, Pair, Split};
use super::split_name::canonical;
use super::unread::unread;
use crate::format::counted;
use crate::labels::IGNORE;
use crate::labels::{ClassPixels, LabelMap};

/// The samples of one split.
#[derive(Debug, Clone)]
pub struct Dataset {
    name: String,
    classes: ClassTable,
    source: Source,
    /// Computed on first use, shared by all clones.
    class_pixels: Arc<OnceLock<Vec<ClassPixels>>>,
}

/// The files of a data set.
pub(super) struct DatasetFiles<'a> {
    pub dir: &'a Path,
    pub split: &'a str,
    pub pairs: &'a [Pair],
    pub mapping: &'a LabelMapping,
}

#[derive(Debug, Clone)]
enum Source {
    Files {
        /// The folder that was opened.
        dir: PathBuf,
        split: String,
        pairs: Vec<Pair>,
        mapping: LabelMapping,
    },
    Scenes {
        config: SceneConfig,
        len: usize,
    },
    /// Several data sets, or one with another class table.
    Joined(Vec<Part>),
}

#[derive(Debug, Clone)]
pub(super) struct Part {
    pub data: Dataset,
    /// The class index in the whole, or [`IGNORE`], of every class of the part.
    pub classes: Vec<u16>,
    /// How often each of its photos is seen per epoch.
    pub weight: f64,
}

impl Part {
    fn class(&self, label: u16) -> u16 {
        let class = self.classes.get(usize::from(label));
        class.copied().unwrap_or(IGNORE)
    }

    fn relabel(&self, labels: &mut LabelMap) {
        for label in &mut labels.data {
            *label = self.class(*label);
        }
    }

    /// Which of the whole's classes its labels have; see [`Dataset::class_pixels`].
    pub(super) fn shown_classes(&self) -> Vec<u16> {
        let pixels = self.data.class_pixels().iter().flatten();
        let shown: BTreeSet<u16> = pixels.map(|&(class, _)| self.class(class)).collect();
        shown.into_iter().collect()
    }

    /// Converts class pixels from the part's classes to the whole's.
    fn relabelled(&self, pixels: &ClassPixels) -> ClassPixels {
        let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
        for &(class, count) in pixels {
            *sums.entry(self.class(class)).or_default() += count;
        }
        sums.remove(&IGNORE);
        sums.into_iter().collect()
    }
}

impl Dataset {
    /// Opens a split (`training` or `train`, `validation` or `val`, `test`) of the data set in a
    /// folder, whatever its layout. `scenes:N` and `scenes:N@HEIGHTxWIDTH` are procedural data sets of
    /// N classes: 512 scenes for training and 64 others for validation.
    ///
    /// Photos without labels, and all but the first of several with one name, are left out, with a
    /// warning in the log.
    ///
    /// # Errors
    /// The folder has no known layout or no such split, a class table is invalid, or the split is
    /// empty.
    pub fn open(dir: &Path, split: &str) -> Result<Self, DataError> {
        let split = canonical(split);
        if let Some(parsed) = scenes::parse(dir) {
            let (config, len) = scenes::split(parsed?, split)?;
            return Ok(Self::scenes(config, len));
        }
        let layout = layout::detect(dir)?;
        let contents = layout.describe(dir)?;
        if let Some(line) = layout.assumed(dir) {
            tracing::warn!("{}: {line}", dir.display());
        }
        let Some(found) = contents.splits.iter().find(|s| canonical(&s.name) == split) else {
            let names: Vec<&str> = contents.splits.iter().map(|s| s.name.as_str()).collect();
            let not_read = unread(layout, dir, &contents.splits);
            let also = not_read.problems.into_iter().chain(not_read.notes);
            let also: String = also.map(|line| format!("; {line}")).collect();
            let (path, split) = (dir.to_path_buf(), split.to_owned());
            return Err(DataError::NoSplit {
                path,
                split,
                available: names.join(", ") + &also,
            });
        };
        let pairs = pairs(dir, found)?;
        let name = contents.name.unwrap_or_else(|| folder_name(dir));
        let source = Source::Files {
            dir: dir.to_path_buf(),
            split: split.to_owned(),
            pairs,
            mapping: contents.mapping,
        };
        Ok(Self {
            name,
            classes: contents.classes,
            source,
            class_pixels: Arc::default(),
        })
    }

    /// `len` procedural scenes. Another `config.seed` gives other scenes whose classes look the same.
    /// Values outside the documented ranges are clamped.
    pub fn scenes(config: SceneConfig, len: usize) -> Self {
        let config = config.clamped();
        let classes = scenes::class_table(config.classes);
        Self {
            name: "scenes".to_owned(),
            classes,
            source: Source::Scenes { config, len },
            class_pixels: Arc::default(),
        }
    }

    /// Joins data sets under these classes; samples are in the order of the parts.
    pub(super) fn joined(parts: Vec<Part>, classes: ClassTable) -> Self {
        let names: Vec<&str> = parts.iter().map(|part| part.data.name()).collect();
        Self {
            name: names.join(" + "),
            classes,
            source: Source::Joined(parts),
            class_pixels: Arc::default(),
        }
    }

    /// The data set with these classes, in place of its own of the same names. `None` where one of its
    /// own is not among them.
    pub fn within(mut self, classes: &ClassTable) -> Option<Self> {
        if self.classes == *classes {
            return Some(self);
        }
        let own = self.classes.names.iter();
        let index = |name| classes.names.iter().position(|other| other == name);
        let indices: Vec<u16> = own
            .map(|name| u16::try_from(index(name)?).ok())
            .collect::<Option<_>>()?;
        if let Source::Joined(parts) = &mut self.source {
            for class in parts.iter_mut().flat_map(|part| &mut part.classes) {
                // An ignored class stays one.
                *class = indices.get(usize::from(*class)).copied().unwrap_or(IGNORE);
            }
            self.classes = classes.clone();
            self.class_pixels = Arc::default();
            return Some(self);
        }
        let part = Part {
            data: self,
            classes: indices,
            weight: 1.0,
        };
        Some(Self::joined(vec![part], classes.clone()))
    }

    /// The joined data sets; empty if there are none.
    pub(super) fn parts(&self) -> &[Part] {
        match &self.source {
            Source::Joined(parts) => parts,
            _ => &[],
        }
    }

    /// Which classes of the table labels of this data set can have: those of the joined ones' own tables.
    pub fn known_classes(&self) -> Vec<bool> {
        let parts = self.parts();
        let mut known = vec![parts.is_empty(); self.classes.len()];
        for class in parts.iter().flat_map(|part| &part.classes) {
            if let Some(known) = known.get_mut(usize::from(*class)) {
                *known = true;
            }
        }
        known
    }

    /// The range of samples of each joined data set.
    pub fn spans(&self) -> Vec<Range<usize>> {
        if self.parts().is_empty() {
            return std::iter::once(0..self.len()).collect();
        }
        let mut first = 0;
        let span = |part: &Part| {
            let start = first;
            first += part.data.len();
            start..first
        };
        self.parts().iter().map(span).collect()
    }

    /// The same with its parts replaced, in order.
    pub(super) fn with_parts(&self, data: Vec<Self>) -> Self {
        let parts = self.parts().iter().zip(data);
        let parts = parts.map(|(part, data)| Part {
            data,
            ..part.clone()
        });
        Self {
            source: Source::Joined(parts.collect()),
            class_pixels: Arc::default(),
            ..self.clone()
        }
    }

    /// The same with other weights of its parts, 1 if not given; see [`DataList`](super::DataList). No
    /// effect without parts.
    pub fn weighted(&self, weights: &[f64]) -> Self {
        let mut weighted = self.clone();
        if let Source::Joined(parts) = &mut weighted.source {
            for (at, part) in parts.iter_mut().enumerate() {
                part.weight = weights.get(at).copied().unwrap_or(1.0);
            }
        }
        weighted
    }

    /// How often an epoch shows a sample, on average.
    pub(super) fn times_shown(&self, i: usize) -> f64 {
        self.part(i).map_or(1.0, |(part, _)| part.weight)
    }

    /// Whether a sample is in a part with weight 0.
    pub(super) fn is_left_out(&self, i: usize) -> bool {
        self.times_shown(i) == 0.0
    }

    /// The part of a sample, and its index there.
    fn part(&self, i: usize) -> Option<(&Part, usize)> {
        let mut first = 0;
        self.parts().iter().find_map(|part| {
            let at = i.checked_sub(first)?;
            first += part.data.len();
            (at < part.data.len()).then_some((part, at))
        })
    }

    /// Number of photos.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Joined(parts) => parts.iter().map(|part| part.data.len()).sum(),
            Source::Files { pairs, .. } => pairs.len(),
            Source::Scenes { len, .. } => *len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the folder, the `name` of its `dataset.toml`, or `scenes`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the classes, by index.
    pub fn classes(&self) -> &ClassTable {
        &self.classes
    }

    /// Reads the photo and labels of sample `i` and maps the labels to class indices.
    ///
    /// Some annotation tools ignore the EXIF orientation. If labels fit the stored photo but not the
    /// upright one, the photo is therefore used as stored.
    ///
    /// # Errors
    /// There is no sample `i`, a file cannot be read or decoded, the two differ in size, or a label
    /// is outside the class table.
    pub fn load(&self, i: usize) -> Result<Sample, DataError> {
        match &self.source {
            Source::Files { pairs, mapping, .. } => match pairs.get(i) {
                Some(pair) => load_pair(pair, mapping, self.classes.len()),
                None => Err(self.no_sample(i)),
            },
            Source::Scenes { config, len } if i < *len => Ok(scenes::render(config, i as u64)),
            Source::Scenes { .. } => Err(self.no_sample(i)),
            Source::Joined(_) => {
                let (part, at) = self.part(i).ok_or_else(|| self.no_sample(i))?;
                let mut sample = part.data.load(at)?;
                part.relabel(&mut sample.labels);
                Ok(sample)
            }
        }
    }

    /// The labels of sample `i`, without reading its photo.
    ///
    /// # Errors
    /// There is no sample `i`, its label file cannot be read or decoded, or a label is outside the
    /// class table.
    pub fn load_labels(&self, i: usize) -> Result<LabelMap, DataError> {
        match &self.source {
            Source::Files { pairs, mapping, .. } => match pairs.get(i) {
                Some(pair) => {
                    let raw = raw_labels(pair)?;
                    mapped(raw, pair, mapping, self.classes.len())
                }
                None => Err(self.no_sample(i)),
            },
            Source::Scenes { .. } => Ok(self.load(i)?.labels),
            Source::Joined(_) => {
                let (part, at) = self.part(i).ok_or_else(|| self.no_sample(i))?;
                let mut labels = part.data.load_labels(at)?;
                part.relabel(&mut labels);
                Ok(labels)
            }
        }
    }

    /// The class pixels of every sample. All labels are read in parallel, once. Samples that can't be
    /// loaded are empty here and reported when they are used.
    pub fn class_pixels(&self) -> &[ClassPixels] {
        self.class_pixels.get_or_init(|| {
            if !self.parts().is_empty() {
                let of = |part: &Part| -> Vec<ClassPixels> {
                    let own = part.data.class_pixels().iter();
                    own.map(|pixels| part.relabelled(pixels)).collect()
                };
                return self.parts().iter().flat_map(of).collect();
            }
            let of = |i: usize| match self.load_labels(i) {
                Ok(labels) => labels.present_classes(self.classes.len()),
                Err(_) => Vec::new(),
            };
            let mut all = Vec::with_capacity(self.len());
            for group in groups(self.len(), usize::MAX, |i| self.pixels(i)) {
                all.par_extend(group.into_par_iter().map(of));
            }
            all
        })
    }

    /// The number of pixels of sample `i`; 0 if there is none.
    pub(super) fn pixels(&self, i: usize) -> u64 {
        match &self.source {
            Source::Files { pairs, .. } => pairs.get(i).map_or(0, pixels),
            Source::Scenes { config, .. } => (config.size[0] * config.size[1]) as u64,
            Source::Joined(_) => self.part(i).map_or(0, |(part, at)| part.data.pixels(at)),
        }
    }

    /// The name of sample `i`: its photo's file name without extension; empty past the end.
    pub fn sample_name(&self, i: usize) -> String {
        match &self.source {
            Source::Files { pairs, .. } => {
                pairs.get(i).map_or_else(String::new, |p| p.name.clone())
            }
            Source::Scenes { len, .. } if i < *len => scenes::scene_name(i as u64),
            Source::Scenes { .. } => String::new(),
            Source::Joined(_) => self
                .part(i)
                .map_or_else(String::new, |(part, at)| part.data.sample_name(at)),
        }
    }

    /// The photo's file; `None` for scenes.
    pub fn image_path(&self, i: usize) -> Option<&Path> {
        match &self.source {
            Source::Files { pairs, .. } => pairs.get(i).map(|pair| pair.image.as_path()),
            Source::Scenes { .. } => None,
            Source::Joined(_) => self.part(i).and_then(|(part, at)| part.data.image_path(at)),
        }
    }

    /// The pairs of files, their origin and the meaning of their labels; `None` for scenes and joined
    /// data sets.
    pub(super) fn files(&self) -> Option<DatasetFiles<'_>> {
        match &self.source {
            Source::Files {
                dir,
                split,
                pairs,
                mapping,
            } => Some(DatasetFiles {
                dir,
                split,
                pairs,
                mapping,
            }),
            Source::Scenes { .. } | Source::Joined(_) => None,
        }
    }

    /// The data set reduced to some of its pairs, by index, with their class pixels.
    pub(super) fn with_pairs(&self, kept: Vec<usize>, class_pixels: Vec<ClassPixels>) -> Self {
        let mut dataset = self.clone();
        if let Source::Files { pairs, .. } = &mut dataset.source {
            *pairs = kept.iter().filter_map(|&i| pairs.get(i).cloned()).collect();
        }
        dataset.class_pixels = Arc::new(OnceLock::from(class_pixels));
        dataset
    }

    /// 16 hexadecimal digits that depend on the classes, what the values of labels mean, the samples' names, the sizes
    /// of their files in bytes, and the contents of labels that are texts of up to 1 MiB; for scenes, on their
    /// configuration; for several data sets, on each of them, their order and their weights. Other contents are not
    /// read, and the folder's name and file times don't count, so that a copy has the same fingerprint.
    pub fn fingerprint(&self) -> String {
        self.hashed(true)
    }

    /// The same without what the values of labels mean and without the contents of texts: it stays where only those
    /// change, as do the photos and their sizes.
    pub(super) fn files_fingerprint(&self) -> String {
        self.hashed(false)
    }

    /// The fingerprint, which depends on what labels say or only on their files.
    fn hashed(&self, with_meaning: bool) -> String {
        let mut fingerprint = Fingerprint::default();
        for class in &self.classes.names {
            fingerprint.text(class);
        }
        match &self.source {
            Source::Files { pairs, mapping, .. } => {
                fingerprint.pairs(pairs, with_meaning);
                // Where it is the plain one, as in most folders, the files say it all.
                if with_meaning && *mapping != LabelMapping::plain(self.classes.len()) {
                    fingerprint.mapping(mapping);
                }
            }
            Source::Scenes { config, len } => fingerprint.text(&format!("{config:?} {len}")),
            Source::Joined(parts) => {
                for part in parts {
                    fingerprint.text(&part.data.hashed(with_meaning));
                    fingerprint.text(&format!("{:?} {}", part.classes, part.weight));
                }
            }
        }
        fingerprint.finish()
    }

    fn no_sample(&self, index: usize) -> DataError {
        DataError::NoSample {
            name: self.name.clone(),
            len: self.len(),
            index,
        }
    }
}

/// The name of the folder, also for `.`.
pub(super) fn folder_name(dir: &Path) -> String {
    let full: PathBuf = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    match full.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => dir.display().to_string(),
    }
}

fn pairs(dir: &Path, split: &Split) -> Result<Vec<Pair>, DataError> {
    let files = split.scan()?;
    if files.pairs.is_empty() {
        return Err(empty(dir, split, &files));
    }
    if let Some(first) = files.without_labels.first() {
        tracing::warn!(
            "without labels and left out: {} of the {} split, the first is {}",
            counted(files.without_labels.len(), "photo"),
            split.name,
            first.display()
        );
    }
    if let Some((first, kept)) = files.doubles.first() {
        tracing::warn!(
            "left out because others have the same name: {} of the {} split, the first is {}, beside {}",
            counted(files.doubles.len(), "file"),
            split.name,
            first.display(),
            kept.display()
        );
    }
    for line in files.faults.iter().chain(&files.notes) {
        tracing::warn!("{line}");
    }
    Ok(files.pairs)
}

/// The error for a split without pairs, with what the folders hold instead.
pub(super) fn empty(dir: &Path, split: &Split, files: &Files) -> DataError {
    let photos = match (
        files.without_labels.is_empty(),
        endings(&files.other_images),
    ) {
        (true, Some(found)) => format!("; the photos' folder holds {found}"),
        _ => String::new(),
    };
    let labels = match (files.without_photo.is_empty(), endings(&files.other_labels)) {
        (true, Some(found)) if split.images != split.labels => format!(
            "; the labels' folder holds {found}, but labels are {}",
            split.label_names()
        ),
        _ => String::new(),
    };
    DataError::EmptySplit {
        path: dir.to_path_buf(),
        split: split.name.clone(),
        images: split.images.clone(),
        labels: split.labels.clone(),
        hint: photos + &labels + &other_suffix(split, files).unwrap_or_default(),
    }
}

/// What to do if label files are named after photos, but with another ending than that of the split.
fn other_suffix(split: &Split, files: &Files) -> Option<String> {
    const LOOKED_AT: usize = 100;
    // A setting of file names has no effect on labels that are found by other means.
    if split.scanner.is_some() {
        return None;
    }
    let label = files.without_photo.first()?.file_name()?.to_str()?;
    let stems = files.without_labels.iter().take(LOOKED_AT);
    let mut stems = stems.filter_map(|photo| photo.file_stem()?.to_str());
    let suffix = stems.find_map(|stem| {
        let suffix = label.strip_prefix(stem)?;
        suffix.starts_with(['_', '-', '.', ' ']).then_some(suffix)
    })?;
    Some(format!(
        "; {label} is there, but labels are {}: write label_suffix = {suffix:?} into a dataset.toml that \
         describes the folder (see flowseg data --help)",
        split.label_names()
    ))
}

/// Counts of files per extension, the most frequent first; `None` without files.
pub(super) fn endings(files: &[PathBuf]) -> Option<String> {
    const SHOWN: usize = 4;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let ending = file.extension().map(|e| e.to_string_lossy().into_owned());
        *counts.entry(ending.unwrap_or_default()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<String> = counts
        .iter()
        .take(SHOWN)
        .map(|(ending, count)| match (ending.as_str(), count) {
            ("", count) => format!("{count} without an extension"),
            (ending, 1) => format!("1 .{ending} file"),
            (ending, count) => format!("{count} .{ending} files"),
        })
        .collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}
