//! A matrix packed for many products, each on one thread.

use super::bfloat16::Strips;
use super::panels::Panels;
use super::{Matrix, uninit};

/// A matrix in single precision or rounded to bfloat16.
pub(super) enum Packed {
    Single(Panels),
    Rounded(Strips),
}

impl Packed {
    /// Packs a matrix `[depth, columns]`.
    pub(super) fn new(matrix: Matrix<'_>, shape: [usize; 2], rounded: bool) -> Self {
        if rounded {
            Self::Rounded(Strips::new(matrix, shape))
        } else {
            Self::Single(Panels::new(matrix, shape))
        }
    }

    /// `out = left self`, for `left: [rows, depth]`.
    pub(super) fn multiply(&self, left: Matrix<'_>, rows: usize, out: &mut [f32]) {
        match self {
            Self::Single(panels) => panels.multiply(left, rows, out, false),
            Self::Rounded(strips) => _ = strips.multiply(left, rows, uninit(out)),
        }
    }

    /// `out += left self`, for `left: [rows, depth]`.
    pub(super) fn multiply_add(&self, left: Matrix<'_>, rows: usize, out: &mut [f32]) {
        match self {
            Self::Single(panels) => panels.multiply(left, rows, out, true),
            Self::Rounded(strips) => strips.multiply_add(left, rows, out),
        }
    }
}
