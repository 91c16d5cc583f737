//! Products of matrices rounded to bfloat16, with sums in single precision. A processor with AVX-512
//! BF16 takes half the time of a product in single precision; others get the same numbers, but slowly.
//!
//! No library offers this: `gemm` widens 16-bit operands before it multiplies, and `pulp` does not
//! have these instructions.

use super::Matrix;
use crate::simd::wide;
use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Columns of the right matrix that are multiplied at a time: two vectors.
const COLUMNS: usize = 32;
/// Rows of the left one: two vectors of sums for each are three quarters of the registers.
const ROWS: usize = 12;
/// Rows that pass a strip of the right matrix while it is in the caches.
const BLOCK: usize = 8 * ROWS;
/// Rows below which rounding the matrices costs more than it saves.
pub(super) const LEAST_ROWS: usize = 2 * ROWS;

/// Whether this processor multiplies such numbers faster than single-precision ones.
pub(crate) fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Numbers of two consecutive rows in W columns; the first row's are in the lower halves.
type Pairs<const W: usize> = [u32; W];

/// A right matrix `[depth, columns]`, rounded, as strips of [`COLUMNS`] columns; the last strip and an
/// odd last row are filled up with zeros.
pub(super) struct Strips {
    data: Vec<Pairs<COLUMNS>>,
    depth: usize,
    columns: usize,
}

impl Strips {
    /// Rounds a matrix on all threads.
    ///
    /// # Panics
    /// If a size is zero, the matrix is smaller, or neither its rows nor its columns are contiguous.
    pub(super) fn new(matrix: Matrix<'_>, [depth, columns]: [usize; 2]) -> Self {
        assert!(depth > 0 && columns > 0 && matrix.holds(depth, columns));
        let pairs = depth.div_ceil(2);
        let mut data = vec![[0; COLUMNS]; columns.div_ceil(COLUMNS) * pairs];
        let strips = data.par_chunks_exact_mut(pairs).enumerate();
        strips.for_each(|(i, strip)| {
            let first = i * COLUMNS;
            pack(matrix, depth, first..columns.min(first + COLUMNS), strip);
        });
        Self {
            data,
            depth,
            columns,
        }
    }

    /// `left self` on this thread, for `left: [rows, depth]`, in memory that nothing has been written
    /// to, which is returned.
    ///
    /// # Panics
    /// If there are no rows, a slice is too short, or neither the rows nor the columns of `left` are
    /// contiguous.
    pub(super) fn multiply<'o>(
        &self,
        left: Matrix<'_>,
        rows: usize,
        out: &'o mut [MaybeUninit<f32>],
    ) -> &'o mut [f32] {
        let (depth, columns) = (self.depth, self.columns);
        assert!(rows > 0 && left.holds(rows, depth));
        let pairs = depth.div_ceil(2);
        let out = &mut out[..rows * columns];
        let mut lefts = vec![[0; ROWS]; BLOCK.min(rows).div_ceil(ROWS) * pairs];
        let mut sums = [[0.0; COLUMNS]; ROWS];
        for (block, out) in out.chunks_mut(BLOCK * columns).enumerate() {
            let (first, count) = (block * BLOCK, out.len() / columns);
            for (row, strip) in (0..count).step_by(ROWS).zip(lefts.chunks_exact_mut(pairs)) {
                let rows = first + row..first + count.min(row + ROWS);
                pack(left.t(), depth, rows, strip);
            }
            for (i, right) in self.data.chunks_exact(pairs).enumerate() {
                let column = i * COLUMNS;
                let width = COLUMNS.min(columns - column);
                for (out, left) in out
                    .chunks_mut(ROWS * columns)
                    .zip(lefts.chunks_exact(pairs))
                {
                    tile(left, right, &mut sums);
                    for (out, sums) in out.chunks_exact_mut(columns).zip(&sums) {
                        let out = &mut out[column..][..width];
                        match out.as_mut_array::<COLUMNS>() {
                            Some(whole) => *whole = sums.map(MaybeUninit::new),
                            None => _ = out.write_copy_of_slice(&sums[..width]),
                        }
                    }
                }
            }
        }
        // SAFETY: the tiles cover every row and every column.
        unsafe { out.assume_init_mut() }
    }
}

/// Rounds some columns, at most W, of a matrix with `depth` rows; `out` has an entry for every two rows.
fn pack<const W: usize>(
    matrix: Matrix<'_>,
    depth: usize,
    columns: Range<usize>,
    out: &mut [Pairs<W>],
) {
    assert!(matrix.row == 1 || matrix.column == 1);
    let used = columns.len();
    let from = &matrix.data[columns.start * matrix.column..];
    wide!({
        if matrix.column == 1 {
            for (i, pairs) in out.iter_mut().enumerate() {
                let [first, second] = [2 * i, 2 * i + 1].map(|k| {
                    let row = if k < depth {
                        &from[k * matrix.row..]
                    } else {
                        &[]
                    };
                    match row.first_chunk::<W>() {
                        Some(whole) if used == W => *whole,
                        _ => std::array::from_fn(|c| match row.get(c) {
                            Some(x) if c < used => *x,
                            _ => 0.0,
                        }),
                    }
                });
                for (pair, (first, second)) in pairs.iter_mut().zip(first.iter().zip(&second)) {
                    *pair = rounded_pair(*first, *second);
                }
            }
        } else {
            // In parts that stay in the nearest cache.
            const PART: usize = 32;
            for (part, out) in out.chunks_mut(PART).enumerate() {
                let first = 2 * PART * part;
                let rows = first..depth.min(first + 2 * PART);
                out.fill([0; W]);
                for c in 0..used {
                    let column = &from[c * matrix.column..][rows.clone()];
                    let (twos, rest) = column.as_chunks::<2>();
                    for (pairs, [first, second]) in out.iter_mut().zip(twos) {
                        pairs[c] = rounded_pair(*first, *second);
                    }
                    if let ([last], Some(pairs)) = (rest, out.last_mut()) {
                        pairs[c] = rounded_pair(*last, 0.0);
                    }
                }
            }
        }
    });
}

#[inline(always)]
fn rounded_pair(first: f32, second: f32) -> u32 {
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

/// `sums = left right` for two strips.
fn tile(left: &[Pairs<ROWS>], right: &[Pairs<COLUMNS>], sums: &mut [[f32; COLUMNS]; ROWS]) {
    #[cfg(target_arch = "x86_64")]
    if is_fast() {
        // SAFETY: the processor has the instructions that the function is compiled for.
        return unsafe { tile_by_instructions(left, right, sums) };
    }
    tile_by_parts(left, right, sums);
}

fn tile_by_parts(
    left: &[Pairs<ROWS>],
    right: &[Pairs<COLUMNS>],
    sums: &mut [[f32; COLUMNS]; ROWS],
) {
    let second = |pair: u32| f32::from_bits(pair & 0xffff_0000);
    let first = |pair: u32| f32::from_bits(pair << 16);
    *sums = [[0.0; COLUMNS]; ROWS];
    wide!({
        for (left, right) in left.iter().zip(right) {
            for (sums, x) in sums.iter_mut().zip(left) {
                for (sum, y) in sums.iter_mut().zip(right) {
                    *sum += second(*x) * second(*y) + first(*x) * first(*y);
                }
            }
        }
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
fn tile_by_instructions(
    left: &[Pairs<ROWS>],
    right: &[Pairs<COLUMNS>],
    out: &mut [[f32; COLUMNS]; ROWS],
) {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_set1_epi32, _mm512_setzero_ps,
    };
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for (left, right) in left.iter().zip(right) {
        // SAFETY: both are 128 bytes in which every bit pattern is a number.
        let right = unsafe { std::mem::transmute::<Pairs<COLUMNS>, [__m512bh; 2]>(*right) };
        for (sums, x) in sums.iter_mut().zip(left) {
            let x = _mm512_set1_epi32(x.cast_signed());
            // SAFETY: as above.
            let x = unsafe { std::mem::transmute::<__m512i, __m512bh>(x) };
            for (sum, y) in sums.iter_mut().zip(right) {
                *sum = _mm512_dpbf16_ps(*sum, x, y);
            }
        }
    }
    // SAFETY: as above.
    *out = unsafe { std::mem::transmute::<[[__m512; 2]; ROWS], [[f32; COLUMNS]; ROWS]>(sums) };
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stored, numbers};
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

        #[test]
        fn products_agree_with_sums_in_double_precision(
            rows in prop_oneof![1usize..30, BLOCK..BLOCK + 30],
            depth in prop_oneof![1usize..40, 60usize..140],
            columns in 1usize..70,
            transposed in any::<[bool; 2]>(),
        ) {
            let a = Stored::new([rows, depth], transposed[0], 1);
            let b = Stored::new([depth, columns], transposed[1], 2);
            let strips = Strips::new(b.matrix(), [depth, columns]);
            let mut out = Vec::with_capacity(rows * columns);
            let out = strips.multiply(a.matrix(), rows, out.spare_capacity_mut());
            let sums = a.product(&b, |x| bf16::from_f32(x).to_f64());
            prop_assert_eq!(out.len(), sums.len());
            for (found, sum) in out.iter().zip(sums) {
                prop_assert!((f64::from(*found) - sum).abs() < 2e-5, "{found} {sum}");
            }
        }

        /// On a processor without the instructions, both are the same function.
        #[test]
        fn the_instructions_agree_with_single_precision(depth in 1usize..100) {
            let pairs = |count: usize, seed| {
                let halves = numbers(2 * count, seed);
                let pairs = halves.chunks_exact(2).map(|two| rounded_pair(two[0], two[1]));
                pairs.collect::<Vec<u32>>()
            };
            let (left, right) = (pairs(depth * ROWS, 1), pairs(depth * COLUMNS, 2));
            let (left, right) = (left.as_chunks().0, right.as_chunks().0);
            let [mut found, mut expected] = [[[0.0; COLUMNS]; ROWS]; 2];
            tile(left, right, &mut found);
            tile_by_parts(left, right, &mut expected);
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                prop_assert!((found - expected).abs() < 2e-5, "{found} {expected}");
            }
        }
    }
}
