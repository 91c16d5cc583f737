//! Products with a matrix that is used many times: it is packed once, and a product runs on one
//! thread without any other memory, so that small blocks of rows stay in the processor's caches.

use pulp::{Simd, WithSimd};
use std::ops::Range;

/// A matrix `[depth, columns]` as panels of two vectors' width, each of them row by row; the last
/// one is filled with zeros.
pub(super) struct Panels {
    data: Vec<f32>,
    depth: usize,
    columns: usize,
}

/// Number of columns of a panel on this processor.
fn panel_width() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            2 * S::F32_LANES
        }
    }
    pulp::Arch::new().dispatch(Width)
}

impl Panels {
    fn zeros(depth: usize, columns: usize) -> (Self, usize) {
        let width = panel_width();
        let data = vec![0.0; columns.div_ceil(width) * depth * width];
        (
            Self {
                data,
                depth,
                columns,
            },
            width,
        )
    }

    /// Element (k, c) is `data[k * stride + c]`.
    ///
    /// # Panics
    /// If `data` is too short.
    pub(super) fn of_rows(data: &[f32], stride: usize, [depth, columns]: [usize; 2]) -> Self {
        let (mut panels, width) = Self::zeros(depth, columns);
        for (p, panel) in panels.data.chunks_exact_mut(depth * width).enumerate() {
            let used = width.min(columns - p * width);
            for (k, out) in panel.chunks_exact_mut(width).enumerate() {
                out[..used].copy_from_slice(&data[k * stride + p * width..][..used]);
            }
        }
        panels
    }

    /// The transpose: element (k, c) is `data[c * stride + k]`.
    ///
    /// # Panics
    /// If `data` is too short.
    pub(super) fn of_columns(data: &[f32], stride: usize, [depth, columns]: [usize; 2]) -> Self {
        let (mut panels, width) = Self::zeros(depth, columns);
        for c in 0..columns {
            let panel = &mut panels.data[c / width * depth * width..][..depth * width];
            let column = panel[c % width..].iter_mut().step_by(width);
            for (out, x) in column.zip(&data[c * stride..][..depth]) {
                *out = *x;
            }
        }
        panels
    }

    /// `[depth, columns]`
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.depth, self.columns)
    }

    /// `out = left self`, or `out += left self`, on this thread, for `left: [rows, depth]` and
    /// `out: [rows, columns]`, row by row. Only `depth` of both factors is multiplied.
    ///
    /// # Panics
    /// If a slice is too short.
    pub(super) fn multiply(
        &self,
        left: Left<'_>,
        rows: usize,
        depth: Range<usize>,
        out: &mut [f32],
        add: bool,
    ) {
        pulp::Arch::new().dispatch(Product {
            left,
            rows,
            right: self,
            depth,
            out,
            add,
        });
    }
}

/// The left factor of a product: element (r, k) of `rows` rows.
#[derive(Clone, Copy)]
pub(super) enum Left<'a> {
    /// `data[r * stride + k]`
    Rows { data: &'a [f32], stride: usize },
    /// The transpose: `data[k * stride + r]`.
    Columns { data: &'a [f32], stride: usize },
}

struct Product<'a> {
    left: Left<'a>,
    rows: usize,
    right: &'a Panels,
    depth: Range<usize>,
    out: &'a mut [f32],
    add: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    /// As many rows at a time as there are registers for two vectors of sums a row.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.by_rows::<S, 12>(simd);
        } else if S::F32_LANES > 1 {
            self.by_rows::<S, 6>(simd);
        } else {
            self.by_rows::<S, 2>(simd);
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn by_rows<S: Simd, const M: usize>(self, simd: S) {
        let Self {
            left,
            rows,
            right,
            depth,
            out,
            add,
        } = self;
        let width = 2 * S::F32_LANES;
        for (p, panel) in right.data.chunks_exact(right.depth * width).enumerate() {
            let panel = &panel[depth.start * width..depth.end * width];
            let columns = p * width..right.columns.min((p + 1) * width);
            let mut row = 0;
            while row + M <= rows {
                let sums = left.tile::<S, M>(simd, row, depth.clone(), panel);
                store(
                    simd,
                    sums,
                    &mut out[row * right.columns..],
                    right.columns,
                    &columns,
                    add,
                );
                row += M;
            }
            while row < rows {
                let sums = left.tile::<S, 1>(simd, row, depth.clone(), panel);
                store(
                    simd,
                    sums,
                    &mut out[row * right.columns..],
                    right.columns,
                    &columns,
                    add,
                );
                row += 1;
            }
        }
    }
}

impl Left<'_> {
    /// The product of M rows from `row` on and a panel.
    #[inline(always)]
    fn tile<S: Simd, const M: usize>(
        self,
        simd: S,
        row: usize,
        depth: Range<usize>,
        panel: &[f32],
    ) -> [[S::f32s; 2]; M] {
        let mut sums = [[simd.splat_f32s(0.0); 2]; M];
        let vectors = S::as_simd_f32s(panel).0.chunks_exact(2);
        match self {
            Left::Rows { data, stride } => {
                let count = vectors.len();
                let rows: [&[f32]; M] =
                    std::array::from_fn(|i| &data[(row + i) * stride..][depth.clone()][..count]);
                for (k, vector) in vectors.enumerate() {
                    for (sums, row) in sums.iter_mut().zip(&rows) {
                        let x = simd.splat_f32s(row[k]);
                        for (sum, vector) in sums.iter_mut().zip(vector) {
                            *sum = simd.mul_add_f32s(x, *vector, *sum);
                        }
                    }
                }
            }
            Left::Columns { data, stride } => {
                let columns = data[depth.start * stride..].chunks(stride);
                for (column, vector) in columns.zip(vectors) {
                    let column: &[f32; M] = column[row..]
                        .first_chunk()
                        .expect("the caller stays within the rows");
                    for (sums, x) in sums.iter_mut().zip(column) {
                        let x = simd.splat_f32s(*x);
                        for (sum, vector) in sums.iter_mut().zip(vector) {
                            *sum = simd.mul_add_f32s(x, *vector, *sum);
                        }
                    }
                }
            }
        }
        sums
    }
}

/// Writes sums to `columns` of M rows that start `stride` elements apart, or adds them there.
#[inline(always)]
fn store<S: Simd, const M: usize>(
    simd: S,
    sums: [[S::f32s; 2]; M],
    out: &mut [f32],
    stride: usize,
    columns: &Range<usize>,
    add: bool,
) {
    for (row, sums) in sums.into_iter().enumerate() {
        let out = &mut out[row * stride..][columns.clone()];
        if let ([first, second], []) = S::as_mut_simd_f32s(out) {
            for (out, sum) in [first, second].into_iter().zip(sums) {
                *out = if add { simd.add_f32s(*out, sum) } else { sum };
            }
        } else {
            for (out, sum) in out.chunks_mut(S::F32_LANES).zip(sums) {
                let before = simd.partial_load_f32s(out);
                let sum = if add { simd.add_f32s(before, sum) } else { sum };
                simd.partial_store_f32s(out, sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values of both signs that differ from each other.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1000.0 - 1.0)
            .collect()
    }

    proptest! {
        #[test]
        fn products_agree_with_sums_in_double_precision(
            rows in 1usize..30,
            depth in 1usize..40,
            columns in 1usize..70,
            transposed in any::<[bool; 2]>(),
            add in any::<bool>(),
            skipped in 0usize..8,
        ) {
            let (a, b) = (numbers(rows * depth, 1), numbers(depth * columns, 2));
            let from = skipped.min(depth - 1);
            let left = if transposed[0] {
                Left::Columns { data: &a, stride: rows }
            } else {
                Left::Rows { data: &a, stride: depth }
            };
            let right = if transposed[1] {
                Panels::of_columns(&b, depth, [depth, columns])
            } else {
                Panels::of_rows(&b, columns, [depth, columns])
            };
            let start = numbers(rows * columns, 3);
            let mut out = start.clone();
            right.multiply(left, rows, from..depth, &mut out, add);
            for r in 0..rows {
                for c in 0..columns {
                    let sum: f64 = (from..depth)
                        .map(|k| {
                            let x = if transposed[0] { a[k * rows + r] } else { a[r * depth + k] };
                            let y = if transposed[1] { b[c * depth + k] } else { b[k * columns + c] };
                            f64::from(x) * f64::from(y)
                        })
                        .sum();
                    let before = if add { f64::from(start[r * columns + c]) } else { 0.0 };
                    let value = f64::from(out[r * columns + c]);
                    prop_assert!((value - before - sum).abs() < 1e-5, "{value} {sum}");
                }
            }
        }
    }
}
