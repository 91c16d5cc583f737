//! What can go wrong between a folder on a disk and a batch of numbers.

use std::path::{Path, PathBuf};

use super::limits::{MAX_PIXELS, MAX_SIDE};
use crate::files::FileError;
use crate::text_file::TextError;

/// A failure of the data room. Every message is one line that names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused a read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A label map that cannot be written; nothing was left behind.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file was needed and something else was given.
    #[error("{} is not a file: name one image in it", path.display())]
    NotAFile {
        /// What was given.
        path: PathBuf,
    },
    /// A folder was needed and something else was given.
    #[error("{} is not a folder: name the folder that holds the data set", path.display())]
    NotAFolder {
        /// What was given.
        path: PathBuf,
    },
    /// The file holds no bytes.
    #[error("{} is empty (0 bytes): copy or download it again", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The content is in no format that is known here.
    #[error("{} is not an image that can be read: use JPEG, PNG, WebP, HEIC, BMP, GIF, TIFF, PNM or TGA", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
    },
    /// The content is of a known kind that is not read here.
    #[error("{} is {kind}: {remedy}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What the file is, with its article.
        kind: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A text file that cannot be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The header announces more pixels than are accepted. Nothing was allocated.
    #[error(
        "{} is {width}x{height}, over the limit of {} megapixels and {} pixels a side: scale it down",
        path.display(), MAX_PIXELS / 1_000_000, MAX_SIDE
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width that the header announces.
        width: u64,
        /// Height that the header announces.
        height: u64,
    },
    /// The file is an image but ends too early.
    #[error("{} is cut short ({reason}): copy or download it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The file is an image and its content is damaged or of an unsupported kind.
    #[error("cannot decode {}: {reason}; convert it or copy it again", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder said, on one line.
        reason: String,
    },
    /// A label file whose pixels are colours.
    #[error(
        "{} has {found} pixels, but labels must be a single-channel or palette PNG: convert it so that a pixel's value is its label",
        path.display()
    )]
    LabelsNotSingleChannel {
        /// The label file.
        path: PathBuf,
        /// The kind of pixel that was found.
        found: &'static str,
    },
    /// Photo and labels of one pair differ in size.
    #[error(
        "{} is {}x{} but its labels {} are {}x{}: make both the same size",
        image.display(), image_size.0, image_size.1, labels.display(), labels_size.0, labels_size.1
    )]
    SizeMismatch {
        /// The photo.
        image: PathBuf,
        /// Its width and height.
        image_size: (usize, usize),
        /// The label file.
        labels: PathBuf,
        /// Its width and height.
        labels_size: (usize, usize),
    },
    /// A label that stands for no class and is not ignored either.
    #[error(
        "{} holds the label{} {}, outside the table of {classes} classes: correct the labels or the class table{}",
        path.display(), if values.len() == 1 { "" } else { "s" }, list(values), off_by_one(values, *classes)
    )]
    UnknownLabel {
        /// The label file.
        path: PathBuf,
        /// The distinct raw values, ascending.
        values: Vec<u16>,
        /// How many classes the table has.
        classes: usize,
    },
    /// A label map whose length is not its width times its height.
    #[error("cannot write {}: {found} labels given for {width}x{height} pixels", path.display())]
    LabelCount {
        /// The file that was to be written.
        path: PathBuf,
        /// Width asked for.
        width: usize,
        /// Height asked for.
        height: usize,
        /// Labels given.
        found: usize,
    },
    /// The folder has none of the known arrangements.
    #[error("{} holds no data set that is known here{hint}: looked for {looked_for}", path.display())]
    NoLayout {
        /// The folder.
        path: PathBuf,
        /// What the folder resembles, or nothing.
        hint: String,
        /// The arrangements that were tried.
        looked_for: &'static str,
    },
    /// A class table or a `dataset.toml` that does not make sense.
    #[error("{}: {reason}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A data set that is not converted, or not to there.
    #[error("the conversion stops at {}: {reason}", path.display())]
    Convert {
        /// The data set, or what is in the way.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A list of data sets that names none.
    #[error("data.path names no data set: name a folder, or several")]
    NoDataSet,
    /// A data set that is trained beside others and has none of their classes.
    #[error(
        "{} shares no class with the first data set: give its classes their names in the [map] of a dataset.toml, or set data.further_classes to add",
        path.display()
    )]
    NoClassInCommon {
        /// The data set.
        path: PathBuf,
    },
    /// The data set has no such split.
    #[error("{} has no split \"{split}\": it has {available}", path.display())]
    NoSplit {
        /// The data set.
        path: PathBuf,
        /// The split asked for.
        split: String,
        /// Those that exist.
        available: String,
    },
    /// No photo of the split has labels.
    #[error(
        "the {split} split of {} is empty: no photo in {} has labels in {}{hint}",
        path.display(), images.display(), labels.display()
    )]
    EmptySplit {
        /// The data set.
        path: PathBuf,
        /// The split.
        split: String,
        /// Where photos were looked for.
        images: PathBuf,
        /// Where labels were looked for.
        labels: PathBuf,
        /// What is there instead, or nothing.
        hint: String,
    },
    /// Pairs that training would stumble over, found before its first step.
    #[error(
        "{count} of {of} pairs of the {split} split of {} cannot be used, the first because {first}; correct them, or leave them out with --skip-bad",
        path.display()
    )]
    BadPairs {
        /// The data set.
        path: PathBuf,
        /// The split.
        split: String,
        /// Pairs that cannot be used.
        count: usize,
        /// Pairs in all.
        of: usize,
        /// What is wrong with the first.
        first: Box<DataError>,
    },
    /// No pixel of a split has a class.
    #[error(
        "the {split} split of {} has no labelled pixel: every label stands for \"ignored\"; check the labels' values",
        path.display()
    )]
    NothingLabelled {
        /// The data set.
        path: PathBuf,
        /// The split.
        split: String,
    },
    /// A `scenes:N` path that cannot be read.
    #[error(
        "\"{spec}\" is no procedural data set ({reason}): write scenes:N or scenes:N@HEIGHTxWIDTH, N from 2 to 1000"
    )]
    Scenes {
        /// What was given.
        spec: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A sample index past the end of the data set.
    #[error("{name} has {len} samples: there is no sample {index}")]
    NoSample {
        /// The data set.
        name: String,
        /// Its size.
        len: usize,
        /// The index asked for.
        index: usize,
    },
    /// The loader cannot work with what it was given, or one of its threads died.
    #[error("the data loader of {name} stopped: {reason}")]
    Loader {
        /// The data set.
        name: String,
        /// What happened and what to do.
        reason: String,
    },
}

impl DataError {
    /// For `map_err`: a failed read of `path`.
    pub(super) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path, source }
    }

    /// A damaged image, or a short one where the decoder's own words say so.
    pub(super) fn decode(path: &Path, error: &dyn std::fmt::Display) -> Self {
        // Decoders wrap their messages; the terminal's error line must stay one line.
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

    /// A file of a known kind that is not read here.
    pub(super) fn unsupported(path: &Path, kind: &str, remedy: &'static str) -> Self {
        Self::Unsupported {
            path: path.to_path_buf(),
            kind: kind.to_owned(),
            remedy,
        }
    }

    /// A class table or `dataset.toml` that does not make sense.
    pub(super) fn description(path: &Path, reason: impl Into<String>) -> Self {
        Self::Description {
            path: path.to_path_buf(),
            reason: reason.into(),
        }
    }
}

/// The usual cause of a value just past the last class.
fn off_by_one(values: &[u16], classes: usize) -> &'static str {
    match values {
        [value] if usize::from(*value) == classes => {
            "; classes count from 0: where labels count from 1 and 0 means nothing, describe the \
             folder in a dataset.toml with offset = 1 and ignore = [0]"
        }
        _ => "",
    }
}

/// The first few values, and how many more there are.
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
