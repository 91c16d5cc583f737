//! Errors of reading, converting and loading data.

use std::path::{Path, PathBuf};

use super::limits::{MAX_PIXELS, MAX_SIDE};
use crate::files::FileError;
use crate::text_file::TextError;

/// An error in the data. Every message is one line that names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file could not be written; no partial file is left.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something other than a file was given.
    #[error("{} is not a file: give one image in it", path.display())]
    NotAFile { path: PathBuf },
    /// Something other than a folder was given.
    #[error("{} is not a folder: give the folder that holds the data set", path.display())]
    NotAFolder { path: PathBuf },
    /// The file has 0 bytes.
    #[error("{} is empty (0 bytes): copy or download it again", path.display())]
    EmptyFile { path: PathBuf },
    /// The content has no known image format.
    #[error("{} is not an image that can be read: use JPEG, PNG, WebP, HEIC, BMP, GIF, TIFF, PNM or TGA", path.display())]
    NotAnImage { path: PathBuf },
    /// The content is of a known but unsupported kind.
    #[error("{} is {kind}: {remedy}", path.display())]
    Unsupported {
        path: PathBuf,
        /// The kind, with its article.
        kind: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A text file that cannot be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The header states more pixels than are accepted. Nothing was allocated.
    #[error(
        "{} is {width}x{height}, over the limit of {} megapixels and {} pixels per side: scale it down",
        path.display(), MAX_PIXELS / 1_000_000, MAX_SIDE
    )]
    TooLarge {
        path: PathBuf,
        /// Width in the header.
        width: u64,
        /// Height in the header.
        height: u64,
    },
    /// The file is an image but ends too early.
    #[error("{} is cut short ({reason}): copy or download it again", path.display())]
    Truncated {
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The file is an image but damaged or of an unsupported kind.
    #[error("cannot decode {}: {reason}; convert it or copy it again", path.display())]
    Decode {
        path: PathBuf,
        /// The decoder's message, on one line.
        reason: String,
    },
    /// A label file whose pixels are colours.
    #[error(
        "{} has {found} pixels{}, but labels must be a single-channel or palette PNG or TIFF: {}",
        path.display(), if *are_grey { ", all of them grey" } else { "" }, to_labels(found, *are_grey)
    )]
    LabelsNotSingleChannel {
        path: PathBuf,
        /// The kind of pixel found.
        found: &'static str,
        /// Whether red, green and blue of every pixel are the same, and not all are black.
        are_grey: bool,
    },
    /// The photo and labels of a pair differ in size.
    #[error(
        "{} is {}x{} but its labels {} are {}x{}: make both the same size",
        image.display(), image_size.0, image_size.1, labels.display(), labels_size.0, labels_size.1
    )]
    SizeMismatch {
        image: PathBuf,
        /// Its width and height.
        image_size: (usize, usize),
        labels: PathBuf,
        /// Its width and height.
        labels_size: (usize, usize),
    },
    /// Labels that are neither a class nor ignored.
    #[error(
        "{} holds the label{} {}, outside the table of {classes} class{}: correct the labels or the class table{}",
        path.display(), if values.len() == 1 { "" } else { "s" }, list(values), if *classes == 1 { "" } else { "es" },
        off_by_one(values, *classes)
    )]
    UnknownLabel {
        path: PathBuf,
        /// The distinct raw values, ascending.
        values: Vec<u16>,
        /// Number of classes in the table.
        classes: usize,
    },
    /// The number of labels differs from width times height.
    #[error("cannot write {}: {found} labels given for {width}x{height} pixels", path.display())]
    LabelCount {
        /// The file to be written.
        path: PathBuf,
        width: usize,
        height: usize,
        /// Number of labels given.
        found: usize,
    },
    /// The folder has none of the known layouts.
    #[error(
        "{} holds no data set of a known layout{hint}: looked for {looked_for}; any other folder can be described in a dataset.toml (see flowseg data --help)",
        path.display()
    )]
    NoLayout {
        path: PathBuf,
        /// What the folder resembles, or empty.
        hint: String,
        /// The layouts that were tried.
        looked_for: &'static str,
    },
    /// An invalid class table, `dataset.toml` or other description.
    #[error("{}: {reason}", path.display())]
    Description {
        path: PathBuf,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A data set that cannot be converted, or not to this folder.
    #[error("the conversion stops at {}: {reason}", path.display())]
    Convert {
        /// The data set, or the file in the way.
        path: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
    /// An empty list of data sets.
    #[error("data.path names no data set: give a folder, or several")]
    NoDataSet,
    /// A data set that shares no class with the first one of a list.
    #[error(
        "{} shares no class with the first data set: give its classes their names in the [map] of a dataset.toml, or set data.further_classes to add",
        path.display()
    )]
    NoClassInCommon { path: PathBuf },
    /// The data set has no such split.
    #[error("{} has no split \"{split}\": it has {available}", path.display())]
    NoSplit {
        path: PathBuf,
        /// The requested split.
        split: String,
        /// The splits that exist, and folders that are none.
        available: String,
    },
    /// No photo of the split has labels.
    #[error(
        "the {split} split of {} is empty: no photo in {} has labels in {}{hint}",
        path.display(), images.display(), labels.display()
    )]
    EmptySplit {
        path: PathBuf,
        split: String,
        /// The folder searched for photos.
        images: PathBuf,
        /// The folder searched for labels.
        labels: PathBuf,
        /// What it holds instead, or empty.
        hint: String,
    },
    /// Unusable pairs, found before the first training step.
    #[error(
        "{count} of {of} pairs of the {split} split of {} cannot be used, the first because {first}; correct them, or leave them out with --skip-bad",
        path.display()
    )]
    BadPairs {
        path: PathBuf,
        split: String,
        /// Number of unusable pairs.
        count: usize,
        /// Number of all pairs.
        of: usize,
        /// The error of the first.
        first: Box<DataError>,
    },
    /// No pixel of a split has a class.
    #[error(
        "the {split} split of {} has no labelled pixel: every label means \"ignored\"; check the labels' values",
        path.display()
    )]
    NothingLabelled { path: PathBuf, split: String },
    /// A `scenes:N` path that cannot be read.
    #[error(
        "\"{spec}\" is not a procedural data set ({reason}): write scenes:N or scenes:N@HEIGHTxWIDTH, N from 2 to 1000"
    )]
    Scenes { spec: String, reason: &'static str },
    /// A sample index past the end of the data set.
    #[error("{name} has {len} samples: there is no sample {index}")]
    NoSample {
        name: String,
        /// Its number of samples.
        len: usize,
        /// The requested index.
        index: usize,
    },
    /// The loader has unusable settings, or one of its threads died.
    #[error("the data loader of {name} stopped: {reason}")]
    Loader {
        name: String,
        /// What happened, and what to do.
        reason: String,
    },
}

impl DataError {
    /// For `map_err`: a failed read of `path`.
    pub(super) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path, source }
    }

    /// A damaged image, or a truncated one if the decoder's message says so.
    pub(super) fn decode(path: &Path, error: &dyn std::fmt::Display) -> Self {
        // Decoders wrap their messages, but an error must stay on one line.
        let reason = error
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let short = [
            "unexpected end",
            "unexpected eof",
            "failed to fill whole buffer",
            "exhausted",
        ];
        let path = path.to_path_buf();
        if short
            .iter()
            .any(|words| reason.to_lowercase().contains(words))
        {
            Self::Truncated { path, reason }
        } else {
            Self::Decode { path, reason }
        }
    }

    /// A file of a known but unsupported kind.
    pub(super) fn unsupported(path: &Path, kind: &str, remedy: &'static str) -> Self {
        Self::Unsupported {
            path: path.to_path_buf(),
            kind: kind.to_owned(),
            remedy,
        }
    }

    /// An invalid class table, `dataset.toml` or other description.
    pub(super) fn description(path: &Path, reason: impl Into<String>) -> Self {
        Self::Description {
            path: path.to_path_buf(),
            reason: reason.into(),
        }
    }
}

/// What to do with label files of this kind of pixel.
fn to_labels(found: &str, are_grey: bool) -> &'static str {
    match found {
        // Without the depth, 0 and 255 would become 0 and 1. Files with colours are left as they are.
        _ if are_grey => {
            "convert the folder, for example with `mogrify -alpha off -define png:color-type=0 \
             -define png:bit-depth=8 *.png` in it"
        }
        "RGB" | "RGBA" => {
            "convert it so that a pixel's value is its label, or list the colours in labelmap.txt beside the folders \
             of the plain layout or of Pascal VOC, or beside a dataset.toml that names the splits (see flowseg data --help)"
        }
        _ => "convert it so that a pixel's value is its label",
    }
}

/// The usual cause of a value just past the last class.
fn off_by_one(values: &[u16], classes: usize) -> &'static str {
    match values {
        [value] if usize::from(*value) == classes => {
            "; classes count from 0: if the labels count from 1 and 0 means nothing, describe the \
             folder in a dataset.toml with offset = 1 and ignore = [0]"
        }
        _ => "",
    }
}

/// The first few values and the number of further ones.
fn list(values: &[u16]) -> String {
    const SHOWN: usize = 8;
    let mut text = values
        .iter()
        .take(SHOWN)
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if values.len() > SHOWN {
        text.push_str(&format!(" and {} more", values.len() - SHOWN));
    }
    text
}
