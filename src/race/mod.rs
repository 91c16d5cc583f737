//! A race: two small networks train side by side from the same initial weights and on the same batches,
//! and differ only in what they are trained towards.
//!
//! | files | contents |
//! |---|---|
//! | `config` | the settings |
//! | `handle`, `coordinator`, `side` | the threads: the one that watches, the one that loads, and both trainings |
//! | `control`, `event` | the requests to a race, and its reports |
//! | `scenes`, `gradient`, `traversals`, `slice` | what is measured, and on which scenes |
//! | `record` | the measurements so far |
//! | `picture`, `chart`, `output` | pictures, animations and tables of it |
//!
//! Each side runs [`crate::train::trainer::Trainer`] on a thread of its own. A third thread loads the
//! batches, sends each to both sides and decides when they are measured, so that the sides never are
//! more than two steps apart.

mod chart;
mod config;
mod control;
mod coordinator;
mod error;
mod event;
mod gradient;
mod handle;
mod output;
mod picture;
mod record;
mod scenes;
mod side;
mod slice;
#[cfg(test)]
mod tests;
mod traversals;

pub use config::{CLASSES, NetworkSizes, RaceConfig, Side};
pub use error::RaceError;
pub use event::Event;
pub use gradient::{BINS, GradientByDistance, WIDTH};
pub use handle::{Race, StartOptions};
pub use output::{FILES, animation, curves_csv, keep_foreign, summary};
pub use picture::{curves, frame};
pub use record::{Frame, Point, Record};
pub use scenes::{HeldOut, Snapshot};
pub use slice::{Arrow, CELLS, HALF_THICKNESS, REACH, Slice};
pub use traversals::Traversals;
