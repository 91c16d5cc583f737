//! Data: layouts on disk, decoding, augmentation, batches, class tables, procedural scenes.
//!
//! [`Dataset::open`] takes a folder in any known [`Layout`] (or `scenes:N`) and yields samples: an
//! 8-bit photo and a class index a pixel. [`Loader`] turns them into batches ahead of the training
//! loop, each a pure function of seed, step and data set, so that a resumed run sees what an
//! uninterrupted one would have seen. This room knows nothing of networks or of the method.

pub mod augment;
pub mod balance;
pub mod check;
pub mod classes;
mod contents;
pub mod dataset;
mod dataset_toml;
pub mod decode;
pub mod error;
pub(crate) mod file_kind;
mod files_in;
mod fingerprint;
mod input;
mod known;
mod labels_of;
pub mod layout;
mod limits;
pub mod loader;
mod looks;
pub mod mapping;
pub mod mixtures;
mod photo;
pub mod report;
mod resample;
mod sample;
pub mod scenes;
pub mod split;
mod tally;
#[cfg(test)]
mod tests;

pub use augment::{Augment, augmented, fit, fit_labels, photo_to_chw};
pub use check::Check;
pub use classes::ClassTable;
pub use contents::Contents;
pub use dataset::Dataset;
pub use decode::{read_labels, write_labels};
pub use error::DataError;
pub use files_in::files_in;
pub use known::published_colours;
pub use labels_of::labels_of;
pub use layout::{Layout, detect};
pub use limits::{MAX_PIXELS, MAX_SIDE};
pub use loader::{Batch, Loader, LoaderConfig, batch_at};
pub use mapping::LabelMapping;
pub use photo::{PHOTO_EXTENSIONS, decode_photo, has_photo_ending, read_photo};
pub use report::{ClassShare, Report, SplitReport, inspect};
pub use sample::{LabelMap, Sample};
pub use scenes::{SceneConfig, render, scene_classes};
pub use split::{Files, Pair, Split};

/// The label of a pixel that has no class: it is neither trained on nor scored.
pub const IGNORE: u16 = u16::MAX;
