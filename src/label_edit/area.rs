//! Rectangles of a mask.

use std::ops::Range;

/// A rectangle of pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Columns.
    pub x: Range<usize>,
    /// Rows.
    pub y: Range<usize>,
}

impl Area {
    /// The smallest rectangle that contains both.
    pub fn union(self, other: Self) -> Self {
        Self {
            x: self.x.start.min(other.x.start)..self.x.end.max(other.x.end),
            y: self.y.start.min(other.y.start)..self.y.end.max(other.y.end),
        }
    }

    pub fn pixels(&self) -> usize {
        self.x.len() * self.y.len()
    }
}
