//! Products with a matrix that is used many times: it is packed once, and a product runs on one
//! thread without any other memory, so that small blocks of rows stay in the processor's caches.

use super::Matrix;
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
    /// Packs a matrix `[depth, columns]`.
    ///
    /// # Panics
    /// If a size is zero, the matrix is smaller, or neither its rows nor its columns are contiguous.
    pub(super) fn new(matrix: Matrix<'_>, [depth, columns]: [usize; 2]) -> Self {
        assert!(depth > 0 && columns > 0 && matrix.holds(depth, columns));
        assert!(matrix.row == 1 || matrix.column == 1);
        let width = panel_width();
        let mut data = vec![0.0; columns.div_ceil(width) * depth * width];
        for (p, panel) in data.chunks_exact_mut(depth * width).enumerate() {
            let used = width.min(columns - p * width);
            let from = &matrix.data[p * width * matrix.column..];
            if matrix.column == 1 {
                for (k, out) in panel.chunks_exact_mut(width).enumerate() {
                    out[..used].copy_from_slice(&from[k * matrix.row..][..used]);
                }
            } else {
                for c in 0..used {
                    let column = &from[c * matrix.column..][..depth];
                    for (out, x) in panel[c..].iter_mut().step_by(width).zip(column) {
                        *out = *x;
                    }
                }
            }
        }
        Self {
            data,
            depth,
            columns,
        }
    }

    /// `[depth, columns]`
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.depth, self.columns]
    }

    /// `out = left self`, or `out += left self`, on this thread, for `left: [rows, depth]` and
    /// `out: [rows, columns]`, row by row.
    ///
    /// # Panics
    /// If a size is zero, a slice is too short, or neither the rows nor the columns of `left` are
    /// contiguous.
    pub(super) fn multiply(&self, left: Matrix<'_>, rows: usize, out: &mut [f32], add: bool) {
        assert!(rows > 0 && left.holds(rows, self.depth));
        assert!(left.row == 1 || left.column == 1);
        pulp::Arch::new().dispatch(Product {
            left,
            rows,
            right: self,
            out,
            add,
        });
    }
}

struct Product<'a> {
    left: Matrix<'a>,
    rows: usize,
    right: &'a Panels,
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
    fn by_rows<S: Simd, const M: usize>(mut self, simd: S) {
        let right = self.right;
        let width = 2 * S::F32_LANES;
        for (p, panel) in right.data.chunks_exact(right.depth * width).enumerate() {
            let columns = p * width..right.columns.min((p + 1) * width);
            let mut row = 0;
            while row + M <= self.rows {
                self.tile::<S, M>(simd, row, panel, columns.clone());
                row += M;
            }
            while row < self.rows {
                self.tile::<S, 1>(simd, row, panel, columns.clone());
                row += 1;
            }
        }
    }

    /// M rows of the result from `row` on, in the columns of a panel.
    #[inline(always)]
    fn tile<S: Simd, const M: usize>(
        &mut self,
        simd: S,
        row: usize,
        panel: &[f32],
        columns: Range<usize>,
    ) {
        let mut sums = [[simd.splat_f32s(0.0); 2]; M];
        let vectors = S::as_simd_f32s(panel).0.chunks_exact(2);
        let Matrix {
            data,
            row: stride,
            column,
        } = self.left;
        if column == 1 {
            let rows: [&[f32]; M] =
                std::array::from_fn(|i| &data[(row + i) * stride..][..vectors.len()]);
            for (k, vectors) in vectors.enumerate() {
                for (sums, row) in sums.iter_mut().zip(&rows) {
                    add_product(simd, sums, row[k], vectors);
                }
            }
        } else {
            for (from, vectors) in data[row..].chunks(column).zip(vectors) {
                for (sums, x) in sums.iter_mut().zip(&from[..M]) {
                    add_product(simd, sums, *x, vectors);
                }
            }
        }
        for (row, sums) in (row..).zip(sums) {
            let out = &mut self.out[row * self.right.columns..][columns.clone()];
            if let ([first, second], []) = S::as_mut_simd_f32s(out) {
                for (out, sum) in [first, second].into_iter().zip(sums) {
                    *out = if self.add {
                        simd.add_f32s(*out, sum)
                    } else {
                        sum
                    };
                }
            } else {
                for (out, sum) in out.chunks_mut(S::F32_LANES).zip(sums) {
                    let before = simd.partial_load_f32s(out);
                    let sum = if self.add {
                        simd.add_f32s(before, sum)
                    } else {
                        sum
                    };
                    simd.partial_store_f32s(out, sum);
                }
            }
        }
    }
}

/// Adds x times two vectors to two sums.
#[inline(always)]
fn add_product<S: Simd>(simd: S, sums: &mut [S::f32s; 2], x: f32, vectors: &[S::f32s]) {
    let x = simd.splat_f32s(x);
    for (sum, vector) in sums.iter_mut().zip(vectors) {
        *sum = simd.mul_add_f32s(x, *vector, *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stored, numbers};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_agree_with_sums_in_double_precision(
            rows in 1usize..30,
            depth in 1usize..40,
            columns in 1usize..70,
            transposed in any::<[bool; 2]>(),
            add in any::<bool>(),
        ) {
            let a = Stored::new([rows, depth], transposed[0], 1);
            let b = Stored::new([depth, columns], transposed[1], 2);
            let right = Panels::new(b.matrix(), [depth, columns]);
            let start = numbers(rows * columns, 3);
            let mut out = start.clone();
            right.multiply(a.matrix(), rows, &mut out, add);
            let sums = a.product(&b, f64::from);
            prop_assert_eq!(out.len(), sums.len());
            for ((value, start), sum) in out.into_iter().zip(start).zip(sums) {
                let before = if add { f64::from(start) } else { 0.0 };
                let value = f64::from(value);
                prop_assert!((value - before - sum).abs() < 1e-5, "{value} {sum}");
            }
        }
    }
}
