//! Two results for the same photos: where they differ, and which is closer to the labels.
//!
//! The results may come from two models, or from one model with another number of steps or another
//! solver. Classes are matched by name. Works on host data alone, for `flowseg compare` and the window.

mod classes;
mod counts;
mod names;
mod pictures;
#[cfg(test)]
mod tests;

pub use classes::JointClasses;
pub use counts::{ClassRow, Comparison};
pub use names::{caption, model_name, model_names};
pub use pictures::{Sheet, disagreement, sheet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

impl Side {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];
}
