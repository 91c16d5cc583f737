//! The layout of matrices rounded to bfloat16: tiles, of which a processor multiplies one by another.

/// Columns of the right matrix that are multiplied at a time: two vectors.
pub(super) const COLUMNS: usize = 32;
/// Rows of the left one: two vectors of sums for each are three quarters of the registers.
pub(super) const ROWS: usize = 12;

/// In memory that vectors of 64 bytes begin with: one that spans two lines of a cache takes twice the time.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Aligned<T>(pub T);

/// Two consecutive rows of a right matrix; the first one's numbers are in the lower halves.
pub(super) type Pairs = Aligned<[u32; COLUMNS]>;

/// Pairs of a row of a left matrix that are stored together: 64 bytes, a vector.
pub(super) const RUN: usize = 16;

/// Some rows of a left matrix in `2 RUN` columns, two consecutive numbers of a row in each element. Missing numbers are 0.
pub(super) type Lefts = Aligned<[[u32; RUN]; ROWS]>;

/// The product of [`Lefts`] and a strip.
pub(super) type Sums = Aligned<[[f32; COLUMNS]; ROWS]>;
