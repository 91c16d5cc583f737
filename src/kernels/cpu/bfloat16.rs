//! Products of matrices rounded to bfloat16, with sums in single precision. A processor with AVX-512
//! BF16 takes half the time of a product in single precision, one with AMX less; others get the same numbers, but slowly.
//!
//! No library offers this: `gemm` widens 16-bit operands before it multiplies, and `pulp` does not
//! have these instructions.

use super::Matrix;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use super::amx::{self, Tiles};
use super::rounded::{
    Aligned, COLUMNS, Lefts, Pairs, ROWS, RUN, Sums, pack_columns, pack_rows, runs,
};
use crate::simd::wide;
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Rows that pass a strip of the right matrix while it is in the caches.
const BLOCK: usize = 8 * ROWS;
/// Strips that are packed together: as much of a row as a processor reads ahead.
const GROUP: usize = 4;
/// Rows below which rounding the matrices costs more than it saves.
pub(crate) const LEAST_ROWS: usize = 2 * ROWS;

/// Whether this processor multiplies such numbers faster than single-precision ones.
pub(crate) fn is_fast() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if amx::is_available() {
        return true;
    }
    has_vectors()
}

/// Whether this processor has AVX-512 BF16.
fn has_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// A right matrix `[depth, columns]`, rounded, as strips of [`COLUMNS`] columns; the last strip and an
/// odd last row are filled up with zeros.
pub(super) struct Strips {
    data: Vec<Pairs>,
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
        let count = columns.div_ceil(COLUMNS) * pairs;
        let mut data = Vec::with_capacity(count);
        let groups = data.spare_capacity_mut()[..count].par_chunks_mut(GROUP * pairs);
        groups.enumerate().for_each(|(i, group)| {
            let first = i * GROUP * COLUMNS;
            let last = columns.min(first + GROUP * COLUMNS);
            pack_columns(matrix, depth, first..last, group);
        });
        // SAFETY: the groups cover all strips, and all of each group has been written.
        unsafe { data.set_len(count) };
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
        let out = &mut out[..rows * self.columns];
        self.by_blocks(left, rows, |row, column, sums| {
            write(sums, &mut out[row * self.columns..][..self.columns], column);
        });
        // SAFETY: the tiles cover every row and every column.
        unsafe { out.assume_init_mut() }
    }

    /// `out += left self` on this thread; otherwise like [`multiply`](Self::multiply).
    pub(super) fn multiply_add(&self, left: Matrix<'_>, rows: usize, out: &mut [f32]) {
        self.by_blocks(left, rows, |row, column, sums| {
            let out = &mut out[row * self.columns..][..self.columns];
            for (out, sum) in out[column..].iter_mut().zip(sums) {
                *out += sum;
            }
        });
    }

    /// Computes `left self`, and passes on the row and the first column of each strip's part of a row.
    #[inline(always)]
    fn by_blocks(
        &self,
        left: Matrix<'_>,
        rows: usize,
        mut put: impl FnMut(usize, usize, &[f32; COLUMNS]),
    ) {
        let depth = self.depth;
        assert!(rows > 0 && left.holds(rows, depth));
        let runs = runs(depth);
        let block = rows_of_block(depth).min(rows);
        let mut memory = Vec::with_capacity(block.div_ceil(ROWS) * runs);
        for first in (0..rows).step_by(block) {
            let count = block.min(rows - first);
            let lefts = &mut memory.spare_capacity_mut()[..count.div_ceil(ROWS) * runs];
            for (row, lefts) in (0..count).step_by(ROWS).zip(lefts.chunks_exact_mut(runs)) {
                let rows = first + row..first + count.min(row + ROWS);
                pack_rows(left, depth, rows, lefts);
            }
            // SAFETY: the chunks cover it, and all of each chunk has been written.
            let lefts = unsafe { lefts.assume_init_ref() };
            by_tiles(&self.data, depth, lefts, count, |row, column, sums| {
                put(first + row, column, sums);
            });
        }
    }
}

/// Multiplies packed rows, `rows` of them, by strips with `depth` rows, and passes on the row and the
/// first column of each strip's part of a row.
#[inline(always)]
fn by_tiles(
    strips: &[Pairs],
    depth: usize,
    lefts: &[Lefts],
    rows: usize,
    put: impl FnMut(usize, usize, &[f32; COLUMNS]),
) {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if let Some(tiles) = Tiles::of_this_thread() {
        return by_tile_registers(&tiles, strips, depth, lefts, rows, put);
    }
    by_vectors(strips, depth, lefts, rows, put);
}

/// [`by_tiles`] where a processor multiplies vectors.
#[inline(always)]
fn by_vectors(
    strips: &[Pairs],
    depth: usize,
    lefts: &[Lefts],
    rows: usize,
    mut put: impl FnMut(usize, usize, &[f32; COLUMNS]),
) {
    let mut sums = Aligned([[0.0; COLUMNS]; ROWS]);
    let lefts = lefts.chunks_exact(runs(depth));
    for (i, right) in strips.chunks_exact(depth.div_ceil(2)).enumerate() {
        for (row, left) in (0..rows).step_by(ROWS).zip(lefts.clone()) {
            tile(left, right, &mut sums);
            for (row, sums) in (row..rows).zip(&sums.0) {
                put(row, i * COLUMNS, sums);
            }
        }
    }
}

/// [`by_tiles`] where a processor multiplies whole tiles: so fast that a strip has to come from the nearest cache, part
/// by part.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[inline(always)]
fn by_tile_registers(
    tiles: &Tiles,
    strips: &[Pairs],
    depth: usize,
    lefts: &[Lefts],
    rows: usize,
    mut put: impl FnMut(usize, usize, &[f32; COLUMNS]),
) {
    /// Runs of a part: 24 KiB of a strip.
    const PART: usize = 12;
    /// Pairs of tiles whose sums stay in that cache, too: 12 KiB.
    const PAIRS: usize = 4;
    let runs = runs(depth);
    let part = runs.div_ceil(runs.div_ceil(PART));
    let count = rows.div_ceil(ROWS);
    let mut sums = [[Aligned([[0.0; COLUMNS]; ROWS]); 2]; PAIRS];
    for (i, right) in strips.chunks_exact(depth.div_ceil(2)).enumerate() {
        let (whole, rest) = right.as_chunks::<RUN>();
        let mut last = [Aligned([0; COLUMNS]); RUN];
        last[..rest.len()].copy_from_slice(rest);
        for above in (0..count).step_by(2 * PAIRS) {
            let sums = &mut sums[..(count - above).div_ceil(2).min(PAIRS)];
            for first in (0..runs).step_by(part) {
                let after = runs.min(first + part);
                let right = &whole[first..after.min(whole.len())];
                for (pair, sums) in sums.iter_mut().enumerate() {
                    let tile = above + 2 * pair;
                    // Without a second tile the first one is multiplied twice.
                    let left = [tile, (tile + 1).min(count - 1)];
                    let left = left.map(|tile| &lefts[tile * runs..][..runs]);
                    let begin = left.map(|runs| &runs[first..]);
                    tiles.multiply(first == 0, begin, right, sums);
                    if after > whole.len() {
                        let end = left.map(|runs| &runs[whole.len()..]);
                        tiles.multiply(whole.is_empty(), end, &[last], sums);
                    }
                }
            }
            wide!({
                let sums = sums.as_flattened().iter().flat_map(|sums| &sums.0);
                for (row, sums) in (above * ROWS..rows).zip(sums) {
                    put(row, i * COLUMNS, sums);
                }
            });
        }
    }
}

/// Rows that pass the strips together.
fn rows_of_block(depth: usize) -> usize {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if amx::is_available() {
        /// Bytes of rounded rows, a quarter of the second cache of processors that have tiles.
        const NEAR: usize = 512 << 10;
        let tiles = NEAR / (runs(depth) * size_of::<Lefts>());
        return tiles.clamp(8, 64) / 2 * 2 * ROWS;
    }
    let _ = depth;
    BLOCK
}

/// The right matrix of [`multiply_by_columns`].
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    Plain(Matrix<'a>),
    Packed(&'a Strips),
}

/// `left right` for `left: [rows, depth]` and `right: [depth, columns]`, on all threads, in memory that
/// nothing has been written to, which is returned. Every thread rounds the columns that it multiplies by,
/// unless they are, so that a large right matrix is read once.
///
/// # Panics
/// If a size is zero, a slice is too short, or neither the rows nor the columns of a matrix are contiguous.
pub(super) fn multiply_by_columns<'o>(
    [rows, depth, columns]: [usize; 3],
    left: Matrix<'_>,
    right: Right<'_>,
    out: &'o mut [MaybeUninit<f32>],
) -> &'o mut [f32] {
    assert!(rows > 0 && left.holds(rows, depth));
    if let Right::Packed(strips) = right {
        assert_eq!([strips.depth, strips.columns], [depth, columns]);
    }
    let runs = runs(depth);
    let count = rows.div_ceil(ROWS) * runs;
    let mut lefts = Vec::with_capacity(count);
    let tiles = lefts.spare_capacity_mut()[..count].par_chunks_exact_mut(runs);
    tiles.enumerate().for_each(|(i, lefts)| {
        pack_rows(left, depth, i * ROWS..rows.min((i + 1) * ROWS), lefts);
    });
    // SAFETY: the chunks cover it, and all of each chunk has been written.
    unsafe { lefts.set_len(count) };
    let width = GROUP * COLUMNS;
    let out = &mut out[..rows * columns];
    let mut groups: Vec<Vec<&mut [MaybeUninit<f32>]>> = Vec::new();
    groups.resize_with(columns.div_ceil(width), || Vec::with_capacity(rows));
    for row in out.chunks_exact_mut(columns) {
        for (group, part) in groups.iter_mut().zip(row.chunks_mut(width)) {
            group.push(part);
        }
    }
    groups.into_par_iter().enumerate().for_each(|(i, mut out)| {
        let own;
        let strips = match right {
            Right::Plain(matrix) => {
                let part = matrix.t().rows_from(i * width).t();
                own = Strips::new(part, [depth, out[0].len()]);
                &own.data
            }
            Right::Packed(strips) => {
                let group = GROUP * depth.div_ceil(2);
                let rest = &strips.data[i * group..];
                &rest[..group.min(rest.len())]
            }
        };
        by_tiles(strips, depth, &lefts, rows, |row, column, sums| {
            write(sums, out[row], column);
        });
    });
    // SAFETY: the tiles cover every row and every column.
    unsafe { out.assume_init_mut() }
}

/// Writes a strip's part of a row to the row.
#[inline(always)]
fn write(sums: &[f32; COLUMNS], row: &mut [MaybeUninit<f32>], column: usize) {
    /// Apart, so that copies of a known length are not joined with it to calls of `memcpy`.
    #[inline(never)]
    fn write_last(sums: &[f32; COLUMNS], rest: &mut [MaybeUninit<f32>]) {
        rest.write_copy_of_slice(&sums[..rest.len()]);
    }
    let rest = &mut row[column..];
    match rest.first_chunk_mut::<COLUMNS>() {
        Some(whole) => _ = whole.write_copy_of_slice(sums),
        None => write_last(sums, rest),
    }
}

/// `sums = left right`, for as many pairs as `right` has.
fn tile(left: &[Lefts], right: &[Pairs], sums: &mut Sums) {
    #[cfg(target_arch = "x86_64")]
    if has_vectors() {
        // SAFETY: the processor has the instructions that the function is compiled for.
        return unsafe { tile_by_instructions(left, right, sums) };
    }
    tile_by_parts(left, right, sums);
}

fn tile_by_parts(left: &[Lefts], right: &[Pairs], sums: &mut Sums) {
    let second = |pair: u32| f32::from_bits(pair & 0xffff_0000);
    let first = |pair: u32| f32::from_bits(pair << 16);
    *sums = Aligned([[0.0; COLUMNS]; ROWS]);
    wide!({
        for (left, right) in left.iter().zip(right.chunks(RUN)) {
            for (k, right) in right.iter().enumerate() {
                for (sums, row) in sums.0.iter_mut().zip(&left.0) {
                    let x = row[k];
                    for (sum, y) in sums.iter_mut().zip(&right.0) {
                        *sum += second(x) * second(*y) + first(x) * first(*y);
                    }
                }
            }
        }
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
fn tile_by_instructions(left: &[Lefts], right: &[Pairs], out: &mut Sums) {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_set1_epi32, _mm512_setzero_ps,
    };
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for (left, right) in left.iter().zip(right.chunks(RUN)) {
        for (k, right) in right.iter().enumerate() {
            // SAFETY: both are 128 bytes in which every bit pattern is a number.
            let right = unsafe { std::mem::transmute::<Pairs, [__m512bh; 2]>(*right) };
            for (sums, row) in sums.iter_mut().zip(&left.0) {
                let x = _mm512_set1_epi32(row[k].cast_signed());
                // SAFETY: as above.
                let x = unsafe { std::mem::transmute::<__m512i, __m512bh>(x) };
                for (sum, y) in sums.iter_mut().zip(right) {
                    *sum = _mm512_dpbf16_ps(*sum, x, y);
                }
            }
        }
    }
    // SAFETY: as above.
    *out = unsafe { std::mem::transmute::<[[__m512; 2]; ROWS], Sums>(sums) };
}

#[cfg(test)]
mod tests {
    use super::super::rounded::rounded_pair;
    use super::super::testing::{Stored, numbers};
    use super::*;
    use half::bf16;
    use proptest::prelude::*;

    #[test]
    fn more_rows_than_a_block_are_all_multiplied() {
        let [depth, columns] = [900, 3];
        for extra in [1, ROWS + 1] {
            let rows = rows_of_block(depth) + extra;
            let a = Stored::new([rows, depth], false, 1);
            let b = Stored::new([depth, columns], false, 2);
            let strips = Strips::new(b.matrix(), [depth, columns]);
            let mut out = Vec::with_capacity(rows * columns);
            let out = strips.multiply(a.matrix(), rows, out.spare_capacity_mut());
            let sums = a.product(&b, |x| bf16::from_f32(x).to_f64());
            for (found, sum) in out.iter().zip(sums) {
                assert!((f64::from(*found) - sum).abs() < 2e-3, "{found} {sum}");
            }
        }
    }

    proptest! {
        #[test]
        fn products_agree_with_sums_in_double_precision(
            rows in prop_oneof![1usize..30, BLOCK..BLOCK + 30],
            depth in prop_oneof![1usize..40, 60usize..140, 380usize..420],
            columns in prop_oneof![1usize..70, 120usize..140],
            transposed in any::<[bool; 2]>(),
        ) {
            // Sums of many numbers are larger, and so are the steps between single-precision ones.
            let tolerance = if depth < 200 { 2e-5 } else { 5e-4 };
            let a = Stored::new([rows, depth], transposed[0], 1);
            let b = Stored::new([depth, columns], transposed[1], 2);
            let strips = Strips::new(b.matrix(), [depth, columns]);
            let mut out = Vec::with_capacity(rows * columns);
            let out = strips.multiply(a.matrix(), rows, out.spare_capacity_mut());
            let mut by_columns = Vec::with_capacity(rows * columns);
            let sizes = [rows, depth, columns];
            for right in [Right::Plain(b.matrix()), Right::Packed(&strips)] {
                let memory = by_columns.spare_capacity_mut();
                prop_assert_eq!(&*out, multiply_by_columns(sizes, a.matrix(), right, memory));
            }
            let sums = a.product(&b, |x| bf16::from_f32(x).to_f64());
            prop_assert_eq!(out.len(), sums.len());
            let start = numbers(rows * columns, 3);
            let mut added = start.clone();
            strips.multiply_add(a.matrix(), rows, &mut added);
            for (((found, added), start), sum) in out.iter().zip(added).zip(start).zip(sums) {
                prop_assert!((f64::from(*found) - sum).abs() < tolerance, "{found} {sum}");
                prop_assert!(f64::from(added - start - *found).abs() < tolerance, "{added} {found}");
            }
        }

        /// On a processor without tile registers, both are the same function.
        #[test]
        fn tile_registers_agree_with_vectors(
            rows in 1usize..140,
            depth in prop_oneof![1usize..70, 380usize..800],
            columns in 1usize..70,
        ) {
            let a = Stored::new([rows, depth], false, 1);
            let b = Stored::new([depth, columns], false, 2);
            let strips = Strips::new(b.matrix(), [depth, columns]);
            let count = rows.div_ceil(ROWS) * runs(depth);
            let mut lefts = Vec::with_capacity(count);
            let tiles = lefts.spare_capacity_mut().chunks_exact_mut(runs(depth)).enumerate();
            for (i, lefts) in tiles.take(rows.div_ceil(ROWS)) {
                pack_rows(a.matrix(), depth, i * ROWS..rows.min((i + 1) * ROWS), lefts);
            }
            // SAFETY: each of them has been written.
            unsafe { lefts.set_len(count) };
            let [mut found, mut expected] = [(); 2].map(|()| vec![[f32::NAN; COLUMNS]; rows * columns.div_ceil(COLUMNS)]);
            let at = |row: usize, column: usize| row * columns.div_ceil(COLUMNS) + column / COLUMNS;
            by_tiles(&strips.data, depth, &lefts, rows, |row, column, sums| found[at(row, column)] = *sums);
            by_vectors(&strips.data, depth, &lefts, rows, |row, column, sums| expected[at(row, column)] = *sums);
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                prop_assert!((found - expected).abs() < 1e-6 * depth.max(100) as f32, "{found} {expected}");
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
            let left = pairs(depth.div_ceil(RUN) * ROWS * RUN, 1);
            let left = left.as_chunks::<RUN>().0.as_chunks::<ROWS>().0;
            let left: Vec<Lefts> = left.iter().copied().map(Aligned).collect();
            let right = pairs(depth * COLUMNS, 2);
            let right: Vec<Pairs> = right.as_chunks().0.iter().copied().map(Aligned).collect();
            let [mut found, mut expected] = [Aligned([[0.0; COLUMNS]; ROWS]); 2];
            tile(&left, &right, &mut found);
            tile_by_parts(&left, &right, &mut expected);
            for (found, expected) in found.0.iter().flatten().zip(expected.0.iter().flatten()) {
                prop_assert!((found - expected).abs() < 2e-5, "{found} {expected}");
            }
        }
    }
}
