//! Data: layouts on disk, decoding, augmentation, batches, class tables, procedural scenes.
//!
//! [`Dataset::open`] takes a folder in any known [`Layout`] (or `scenes:N`) and yields samples: an
//! 8-bit photo and one class index per pixel. [`Loader`] turns them into batches ahead of the training
//! loop, each a pure function of seed, step and data set, so that a resumed run sees what an
//! uninterrupted one would have seen. This module does not depend on networks or on the method.

mod appearance;
pub mod augment;
pub mod balance;
mod black_and_white;
mod budget;
pub mod check;
pub mod classes;
mod contents;
mod convert;
mod corrected_labels;
mod corrections;
pub mod dataset;
mod dataset_toml;
pub mod decode;
mod drawing;
mod drawn;
pub mod error;
pub(crate) mod file_kind;
mod files_in;
mod fingerprint;
mod input;
mod known;
mod labels_of;
pub mod layout;
mod limits;
pub mod list;
pub mod loader;
pub mod mapping;
pub mod mixtures;
mod natural;
mod pair;
mod photo;
mod photo_copy;
pub mod report;
mod resample;
mod sample;
mod saved_labels;
pub mod scenes;
pub mod split;
mod split_name;
mod tally;
#[cfg(test)]
mod tests;
mod tint;
mod unread;
mod walk;

pub use augment::{Augment, augmented, fit, part_to_chw, photo_to_chw};
pub use check::Check;
pub use classes::ClassTable;
pub use contents::Contents;
pub use convert::{Converted, convert};
pub use corrected_labels::{LabelsDigest, SavedLabels, labels_digest};
pub use corrections::{
    Corrected, SavedPair, corrected_classes, corrected_photos, replaced_labels, save_corrected,
    trained_classes,
};
pub use dataset::Dataset;
pub use dataset_toml::HELP as DATASET_TOML_HELP;
pub use decode::{Origin, read_labels, write_labels, write_mask};
pub use error::DataError;
pub use files_in::files_in;
pub use known::published_colours;
pub use labels_of::{Truth, labels_and_classes, labels_of};
pub use layout::{Layout, detect};
pub use limits::{MAX_PIXELS, MAX_SIDE};
pub use list::{DataList, DataPaths, FurtherClasses};
pub use loader::{Batch, Loader, LoaderConfig, batch_at, view_fingerprint};
pub use mapping::LabelMapping;
pub use natural::natural;
pub use photo::{
    Frame, Frames, PHOTO_EXTENSIONS, decode_photo, frame_count, frame_name, has_photo_ending,
    read_frames, read_photo, size_of, stored_size,
};
pub use report::{ClassShare, Report, SplitReport, inspect};
pub use sample::Sample;
pub use saved_labels::{may_hold_correction, saved_labels};
pub use scenes::{SceneConfig, render, scene_classes};
pub use split::{Files, Pair, Split};

pub(crate) use budget::Budget;
pub(crate) use photo::{pixels_of, weight_of};
