//! Matrices for tests, and their products in double precision.

use super::Matrix;

/// Values of both signs that differ from each other.
pub(super) fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1000.0 - 1.0)
        .collect()
}

/// A matrix `[rows, columns]`, stored row by row or, if it is transposed, column by column.
pub(super) struct Stored {
    data: Vec<f32>,
    shape: [usize; 2],
    transposed: bool,
}

impl Stored {
    pub(super) fn new(shape: [usize; 2], transposed: bool, seed: usize) -> Self {
        Self {
            data: numbers(shape[0] * shape[1], seed),
            shape,
            transposed,
        }
    }

    pub(super) fn matrix(&self) -> Matrix<'_> {
        let [rows, columns] = self.shape;
        if self.transposed {
            Matrix::rows(&self.data, rows).t()
        } else {
            Matrix::rows(&self.data, columns)
        }
    }

    fn at(&self, row: usize, column: usize) -> f32 {
        let [rows, columns] = self.shape;
        if self.transposed {
            self.data[column * rows + row]
        } else {
            self.data[row * columns + column]
        }
    }

    /// The product with another matrix, row by row, of elements as `element` gives them.
    pub(super) fn product(&self, right: &Self, element: impl Fn(f32) -> f64) -> Vec<f64> {
        let ([rows, depth], [_, columns]) = (self.shape, right.shape);
        let sum = |row, column| {
            let terms = (0..depth).map(|k| element(self.at(row, k)) * element(right.at(k, column)));
            terms.sum()
        };
        (0..rows * columns)
            .map(|i| sum(i / columns, i % columns))
            .collect()
    }
}
