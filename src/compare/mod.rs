//! Two results for the same photos: where they differ, and which is closer to the labels.
//!
//! The results may come from two models, or from one model with another number of steps or another
//! solver. Classes are matched by name. Works on host data alone, for `flowseg compare` and the window.

mod classes;
mod counts;
mod pictures;
#[cfg(test)]
mod tests;

pub use classes::{JointClasses, Truth};
pub use counts::{ClassRow, Comparison};
pub use pictures::{Sheet, disagreement, sheet};

use crate::sampler::Solver;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

impl Side {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];
}

/// The caption of a result: the model's file name without extension, its number of steps and, unless it
/// is Euler, its solver.
pub fn caption(model: &str, steps: usize, solver: Solver) -> String {
    let name = Path::new(model).file_stem();
    let name = name.map_or_else(|| model.into(), |name| name.to_string_lossy());
    let unit = if steps == 1 { "step" } else { "steps" };
    let solver = match solver {
        Solver::Euler => "",
        Solver::Heun => ", Heun",
        Solver::Rk4 => ", RK4",
    };
    format!("{name}, {steps} {unit}{solver}")
}
