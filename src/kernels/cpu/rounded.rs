//! Matrices rounded to bfloat16, as tiles of which a processor multiplies one by another.

use super::Matrix;
use crate::simd::wide;
use std::mem::MaybeUninit;
use std::ops::Range;

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

/// The number of runs of a row.
pub(super) fn runs(depth: usize) -> usize {
    depth.div_ceil(2 * RUN)
}

/// Rounds some columns of a matrix with `depth` rows to strips in memory that nothing has been written to.
pub(super) fn pack_columns(
    matrix: Matrix<'_>,
    depth: usize,
    columns: Range<usize>,
    strips: &mut [MaybeUninit<Pairs>],
) {
    assert!(matrix.row == 1 || matrix.column == 1);
    let from = &matrix.data[columns.start * matrix.column..];
    let pairs = depth.div_ceil(2);
    wide!({
        if matrix.column == 1 {
            for i in 0..pairs {
                let first = &from[2 * i * matrix.row..];
                let second = from.get((2 * i + 1) * matrix.row..).unwrap_or_default();
                let second = if 2 * i + 1 < depth { second } else { &[] };
                for (s, strip) in strips.chunks_exact_mut(pairs).enumerate() {
                    let column = s * COLUMNS;
                    let used = COLUMNS.min(columns.len() - column);
                    let first = first_numbers::<COLUMNS>(&first[column..], used);
                    let second = second.get(column..).unwrap_or_default();
                    let second = first_numbers::<COLUMNS>(second, used);
                    let mut out = [0; COLUMNS];
                    for (pair, (first, second)) in out.iter_mut().zip(first.iter().zip(&second)) {
                        *pair = rounded_pair(*first, *second);
                    }
                    strip[i].write(Aligned(out));
                }
            }
        } else {
            // In parts that stay in the nearest cache.
            const PART: usize = 32;
            for (s, strip) in strips.chunks_exact_mut(pairs).enumerate() {
                for (part, out) in strip.chunks_mut(PART).enumerate() {
                    let first = 2 * PART * part;
                    let rows = first..depth.min(first + 2 * PART);
                    let mut packed = [Aligned([0; COLUMNS]); PART];
                    for c in 0..COLUMNS.min(columns.len() - s * COLUMNS) {
                        let column = &from[(s * COLUMNS + c) * matrix.column..][rows.clone()];
                        let (twos, rest) = column.as_chunks::<2>();
                        for (pairs, [first, second]) in packed.iter_mut().zip(twos) {
                            pairs.0[c] = rounded_pair(*first, *second);
                        }
                        if let [last] = rest {
                            packed[twos.len()].0[c] = rounded_pair(*last, 0.0);
                        }
                    }
                    out.write_copy_of_slice(&packed[..out.len()]);
                }
            }
        }
    });
}

/// Rounds some rows, at most [`ROWS`], of a matrix with `depth` columns to memory that nothing has been written to.
pub(super) fn pack_rows(
    matrix: Matrix<'_>,
    depth: usize,
    rows: Range<usize>,
    out: &mut [MaybeUninit<Lefts>],
) {
    assert!(matrix.row == 1 || matrix.column == 1);
    let used = rows.len();
    let from = &matrix.data[rows.start * matrix.row..];
    wide!({
        for (run, out) in out.iter_mut().enumerate() {
            let columns = 2 * RUN * run..depth.min(2 * RUN * (run + 1));
            let mut lefts = [[0; RUN]; ROWS];
            if matrix.column == 1 {
                for (r, lefts) in lefts.iter_mut().take(used).enumerate() {
                    let numbers = &from[r * matrix.row..][columns.clone()];
                    let numbers = first_numbers::<{ 2 * RUN }>(numbers, numbers.len());
                    for (pair, two) in lefts.iter_mut().zip(numbers.as_chunks::<2>().0) {
                        *pair = rounded_pair(two[0], two[1]);
                    }
                }
            } else {
                for i in 0..RUN {
                    let [first, second] = [0, 1].map(|j| {
                        let k = columns.start + 2 * i + j;
                        let column = if k < depth {
                            &from[k * matrix.column..]
                        } else {
                            &[]
                        };
                        first_numbers::<ROWS>(column, used)
                    });
                    for (row, (first, second)) in lefts.iter_mut().zip(first.iter().zip(&second)) {
                        row[i] = rounded_pair(*first, *second);
                    }
                }
            }
            out.write(Aligned(lefts));
        }
    });
}

/// The first `used` numbers of a slice, then zeros; zeros also for what it lacks.
#[inline(always)]
fn first_numbers<const W: usize>(from: &[f32], used: usize) -> [f32; W] {
    match from.first_chunk::<W>() {
        Some(whole) if used == W => *whole,
        _ => {
            let mut numbers = [0.0; W];
            for (number, x) in numbers.iter_mut().zip(from).take(used) {
                *number = *x;
            }
            numbers
        }
    }
}

/// Two numbers as bfloat16, the first in the lower half.
#[inline(always)]
pub(super) fn rounded_pair(first: f32, second: f32) -> u32 {
    rounded(first) >> 16 | rounded(second) & 0xffff_0000
}

/// A number whose upper half is the nearest bfloat16, the even one of two; NaN stays NaN.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    if x.is_nan() {
        bits | 0x0040_0000
    } else {
        bits + 0x7fff + (bits >> 16 & 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_rounded_like_elsewhere(bits in any::<[u32; 2]>()) {
            let numbers = bits.map(f32::from_bits);
            let pair = rounded_pair(numbers[0], numbers[1]);
            for (x, half) in numbers.into_iter().zip([pair as u16, (pair >> 16) as u16]) {
                let expected = bf16::from_f32(x);
                let found = bf16::from_bits(half);
                prop_assert!(found == expected || x.is_nan() && found.is_nan(), "{x}");
            }
        }
    }
}
