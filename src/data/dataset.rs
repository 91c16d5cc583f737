//! A data set: a list of samples, on disk or drawn on demand.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use image::RgbImage;
use rayon::prelude::*;

use crate::trajectory;

use super::classes::ClassTable;
use super::decode::{RawLabels, read_photo_turned, read_raw_labels};
use super::error::DataError;
use super::fingerprint::Fingerprint;
use super::layout;
use super::mapping::LabelMapping;
use super::scenes::{self, SceneConfig};
use super::split::{Pair, Split};

/// A label per pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width]`, row-major: a class index or [`IGNORE`](super::IGNORE).
    pub data: Vec<u16>,
}

impl LabelMap {
    /// The pixels of each of so many classes.
    pub fn class_pixels(&self, classes: usize) -> Vec<usize> {
        let known = |label: &u16| usize::from(*label) < classes || *label == super::IGNORE;
        debug_assert!(self.data.iter().all(known));
        trajectory::counts(&self.data, classes)
    }
}

/// A photo and its labels, of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The name, without folder and extension.
    pub name: String,
    /// The photo.
    pub image: RgbImage,
    /// Its labels.
    pub labels: LabelMap,
}

/// The samples of one split.
#[derive(Debug, Clone)]
pub struct Dataset {
    name: String,
    classes: ClassTable,
    source: Source,
    /// Filled when first asked for, by whichever copy.
    class_pixels: Arc<OnceLock<Vec<ClassPixels>>>,
}

/// The classes of a sample, ascending, and how many pixels each has there.
pub type ClassPixels = Vec<(u16, u64)>;

#[derive(Debug, Clone)]
enum Source {
    Files {
        pairs: Vec<Pair>,
        mapping: LabelMapping,
    },
    Scenes {
        config: SceneConfig,
        len: usize,
    },
}

impl Dataset {
    /// Opens a split (`training` or `train`, `validation` or `val`, `test`) of the data set in a
    /// folder, whatever its layout. `scenes:N` and `scenes:N@HEIGHTxWIDTH` are procedural data sets
    /// of N classes: 512 training scenes, and 64 others for validation.
    ///
    /// Photos without labels are left out, with one warning in the log.
    ///
    /// # Errors
    /// The folder has no known layout or no such split, a class table makes no sense, or the split
    /// is empty.
    pub fn open(dir: &Path, split: &str) -> Result<Self, DataError> {
        let split = canonical(split);
        if let Some(parsed) = scenes::parse(dir) {
            let (config, len) = scenes::split(parsed?, split)?;
            return Ok(Self::scenes(config, len));
        }
        let contents = layout::detect(dir)?.describe(dir)?;
        let Some(found) = contents.splits.iter().find(|s| canonical(&s.name) == split) else {
            let names: Vec<&str> = contents.splits.iter().map(|s| s.name.as_str()).collect();
            let (path, split) = (dir.to_path_buf(), split.to_owned());
            return Err(DataError::NoSplit {
                path,
                split,
                available: names.join(", "),
            });
        };
        let pairs = pairs(dir, found)?;
        let name = contents.name.unwrap_or_else(|| folder_name(dir));
        let source = Source::Files {
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

    /// `len` procedural scenes. Another `config.seed` gives scenes that were never seen, with the
    /// same classes looking the same. Values outside the documented ranges are clamped to them.
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

    /// How many samples there are.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Files { pairs, .. } => pairs.len(),
            Source::Scenes { len, .. } => *len,
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the folder, the `name` of its `dataset.toml`, or `scenes`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The classes.
    pub fn classes(&self) -> &ClassTable {
        &self.classes
    }

    /// Reads photo and labels of sample `i` and maps the labels to class indices.
    ///
    /// Some annotation tools ignore the EXIF orientation. Where labels fit the stored photo but not
    /// the upright one, the photo is therefore taken as it is stored.
    ///
    /// # Errors
    /// There is no sample `i`, a file cannot be read or decoded, the two differ in size, or a label
    /// is outside the class table.
    pub fn load(&self, i: usize) -> Result<Sample, DataError> {
        match &self.source {
            Source::Files { pairs, mapping } => match pairs.get(i) {
                Some(pair) => load_pair(pair, mapping, self.classes.len()),
                None => Err(self.no_sample(i)),
            },
            Source::Scenes { config, len } if i < *len => Ok(scenes::render(config, i as u64)),
            Source::Scenes { .. } => Err(self.no_sample(i)),
        }
    }

    /// The labels of sample `i` alone, without reading its photo.
    ///
    /// # Errors
    /// There is no sample `i`, its label file cannot be read or decoded, or a label is outside the
    /// class table.
    pub fn load_labels(&self, i: usize) -> Result<LabelMap, DataError> {
        match &self.source {
            Source::Files { pairs, mapping } => match pairs.get(i) {
                Some(pair) => {
                    let raw = read_raw_labels(&pair.labels)?;
                    mapped(raw, pair, mapping, self.classes.len())
                }
                None => Err(self.no_sample(i)),
            },
            Source::Scenes { .. } => Ok(self.load(i)?.labels),
        }
    }

    /// The classes of every sample, from reading all labels in parallel; they are read once.
    /// Samples that can't be loaded hold nothing: they are reported when their turn comes.
    pub fn class_pixels(&self) -> &[ClassPixels] {
        self.class_pixels.get_or_init(|| {
            (0..self.len())
                .into_par_iter()
                .map(|i| match self.load_labels(i) {
                    Ok(labels) => {
                        let counts = labels.class_pixels(self.classes.len());
                        let present = (0u16..).zip(counts).filter(|(_, count)| *count > 0);
                        present
                            .map(|(class, count)| (class, count as u64))
                            .collect()
                    }
                    Err(_) => Vec::new(),
                })
                .collect()
        })
    }

    /// The name of sample `i`: its photo's file name without extension; empty past the end.
    pub fn sample_name(&self, i: usize) -> String {
        match &self.source {
            Source::Files { pairs, .. } => {
                pairs.get(i).map_or_else(String::new, |p| p.name.clone())
            }
            Source::Scenes { len, .. } if i < *len => scenes::scene_name(i as u64),
            Source::Scenes { .. } => String::new(),
        }
    }

    /// The photo's file, where there is one.
    pub fn image_path(&self, i: usize) -> Option<&Path> {
        match &self.source {
            Source::Files { pairs, .. } => pairs.get(i).map(|pair| pair.image.as_path()),
            Source::Scenes { .. } => None,
        }
    }

    /// 16 hexadecimal digits that change with the classes, the samples' names, and the sizes of
    /// their files in bytes; for scenes, with their configuration. The contents are not read, and
    /// neither the folder's name nor file times count, so that a copy has the same fingerprint.
    pub fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        for class in &self.classes.names {
            fingerprint.text(class);
        }
        match &self.source {
            Source::Files { pairs, .. } => {
                for pair in pairs {
                    fingerprint.text(&pair.name);
                    fingerprint.file(&pair.image);
                    fingerprint.file(&pair.labels);
                }
            }
            Source::Scenes { config, len } => fingerprint.text(&format!("{config:?} {len}")),
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

/// The one spelling of a split that has several.
fn canonical(split: &str) -> &str {
    match split {
        "train" => "training",
        "val" | "valid" => "validation",
        other => other,
    }
}

/// What a person calls the folder; `.` has a name too.
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
        return Err(DataError::EmptySplit {
            path: dir.to_path_buf(),
            split: split.name.clone(),
            images: split.images.clone(),
            labels: split.labels.clone(),
        });
    }
    if let Some(first) = files.without_labels.first() {
        tracing::warn!(
            "{} photos of the {} split have no labels and are left out, {} the first",
            files.without_labels.len(),
            split.name,
            first.display()
        );
    }
    Ok(files.pairs)
}

/// Reads one pair and maps its labels.
pub(super) fn load_pair(
    pair: &Pair,
    mapping: &LabelMapping,
    classes: usize,
) -> Result<Sample, DataError> {
    let raw = read_raw_labels(&pair.labels)?;
    let mut image = read_photo_turned(&pair.image, true)?;
    if !fits(&image, &raw) && size(&image) == (raw.height, raw.width) {
        let stored = read_photo_turned(&pair.image, false)?;
        if fits(&stored, &raw) {
            image = stored;
        }
    }
    let (width, height) = (raw.width, raw.height);
    if !fits(&image, &raw) {
        return Err(DataError::SizeMismatch {
            image: pair.image.clone(),
            image_size: size(&image),
            labels: pair.labels.clone(),
            labels_size: (width, height),
        });
    }
    Ok(Sample {
        name: pair.name.clone(),
        image,
        labels: mapped(raw, pair, mapping, classes)?,
    })
}

/// The labels of a file as class indices.
fn mapped(
    raw: RawLabels,
    pair: &Pair,
    mapping: &LabelMapping,
    classes: usize,
) -> Result<LabelMap, DataError> {
    let (width, height) = (raw.width, raw.height);
    let data = mapping
        .apply(raw)
        .map_err(|values| DataError::UnknownLabel {
            path: pair.labels.clone(),
            values,
            classes,
        })?;
    Ok(LabelMap {
        width,
        height,
        data,
    })
}

fn size(image: &RgbImage) -> (usize, usize) {
    (image.width() as usize, image.height() as usize)
}

fn fits(image: &RgbImage, raw: &RawLabels) -> bool {
    size(image) == (raw.width, raw.height)
}
