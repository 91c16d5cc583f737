//! Resizing by products with interpolation matrices: the same numbers on every device, for both
//! photos and grids of tokens.

use crate::device::permute;
use crate::kernels;
use burn::tensor::{Device, Tensor, TensorData};

/// How values between samples are interpolated. Samples are at the centres of their cells
/// (PyTorch's `align_corners = False`), and the border is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Linear,
    /// Cubic convolution with coefficient -0.75, four samples at any scale.
    Cubic,
    /// Cubic convolution with coefficient -0.5, widened when shrinking (`antialias = True`).
    CubicAntialiased,
}

/// The matrix `[from, to]` that maps `from` samples to `to` samples; its columns sum to 1.
fn matrix(from: usize, to: usize, filter: Filter) -> Vec<f32> {
    let scale = from as f64 / to as f64;
    let mut out = vec![0.0f64; from * to];
    for i in 0..to {
        let centre = (i as f64 + 0.5) * scale - 0.5;
        let mut put = |at: i64, weight: f64| {
            let row = at.clamp(0, from as i64 - 1) as usize;
            out[row * to + i] += weight;
        };
        match filter {
            Filter::Linear => {
                let centre = centre.max(0.0);
                let low = centre.floor();
                put(low as i64, 1.0 - (centre - low));
                put(low as i64 + 1, centre - low);
            }
            Filter::Cubic => {
                let low = centre.floor();
                for tap in -1..=2 {
                    let at = low as i64 + tap;
                    put(at, cubic(centre - at as f64, -0.75));
                }
            }
            Filter::CubicAntialiased => {
                let wide = scale.max(1.0);
                // Samples beyond the border are left out and their weight is shared by the others.
                let first = ((centre + 0.5 - 2.0 * wide + 0.5).floor() as i64).max(0);
                let last = ((centre + 0.5 + 2.0 * wide + 0.5).floor() as i64).min(from as i64);
                let weight = |at: i64| cubic((at as f64 - centre) / wide, -0.5);
                let total: f64 = (first..last).map(weight).sum();
                for at in first..last {
                    put(at, weight(at) / total);
                }
            }
        }
    }
    out.into_iter().map(|v| v as f32).collect()
}

/// Keys' cubic convolution kernel with coefficient `a`.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

fn table(from: usize, to: usize, filter: Filter, device: &Device) -> Tensor<2> {
    let data = TensorData::new(matrix(from, to, filter), [from, to]);
    Tensor::from_data(data, device)
}

/// Planes `[B, C, H, W]` resized to `[height, width]`.
pub fn planes(x: Tensor<4>, to: [usize; 2], filter: Filter) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    if [height, width] == to {
        return x;
    }
    if filter == Filter::Linear && [2 * height, 2 * width] == to {
        return kernels::doubled(x);
    }
    let device = x.device();
    let count = batch * channels;
    let wide = x
        .reshape([count * height, width])
        .matmul(table(width, to[1], filter, &device))
        .reshape([count, height, to[1]])
        .swap_dims(1, 2)
        .reshape([count * to[1], height]);
    wide.matmul(table(height, to[0], filter, &device))
        .reshape([batch, channels, to[1], to[0]])
        .swap_dims(2, 3)
}

/// Tokens `[B, rows * columns, D]` of one grid resampled to another.
pub fn tokens(x: Tensor<3>, from: [usize; 2], to: [usize; 2], filter: Filter) -> Tensor<3> {
    if from == to {
        return x;
    }
    let [batch, _, width] = x.dims();
    let grid = x.reshape([batch, from[0], from[1], width]);
    let resized = planes(permute(grid, [0, 3, 1, 2]), to, filter);
    permute(resized, [0, 2, 3, 1]).reshape([batch, to[0] * to[1], width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensors::read;

    fn row(values: &[f32], to: usize, filter: Filter) -> Vec<f32> {
        let data = TensorData::new(values.to_vec(), [1, 1, 1, values.len()]);
        let x = Tensor::<4>::from_data(data, &Device::flex());
        read(planes(x, [1, to], filter))
    }

    /// Expected values from PyTorch's `interpolate`.
    #[test]
    fn rows_are_those_of_the_reference() {
        let x = [0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0];
        let cases: [(Filter, &[f32]); 6] = [
            (Filter::Linear, &[0.375, 4.625, 15.125, 31.875]),
            (
                Filter::Linear,
                &[
                    0.0, 0.55, 1.75, 3.85, 7.25, 11.45, 16.45, 22.75, 29.95, 36.0,
                ],
            ),
            (Filter::Cubic, &[0.163, 4.666, 14.674, 32.629]),
            (
                Filter::Cubic,
                &[
                    -0.081, 0.25, 1.609, 3.715, 6.738, 11.348, 16.571, 22.047, 30.801, 36.894,
                ],
            ),
            (Filter::CubicAntialiased, &[0.677, 9.364, 28.065]),
            (
                Filter::CubicAntialiased,
                &[
                    -0.061, 0.339, 1.562, 3.803, 7.022, 11.223, 16.402, 22.562, 30.72, 36.666,
                ],
            ),
        ];
        for (filter, expected) in cases {
            let found = row(&x, expected.len(), filter);
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 6e-4, "{filter:?}: {found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn doubling_is_the_product_with_the_matrix() {
        for [height, width] in [[1, 1], [1, 4], [3, 5]] {
            let device = Device::flex();
            let x = crate::random::noise([2, 3, height, width], 3, &device);
            let found = read(planes(x.clone(), [2 * height, 2 * width], Filter::Linear));
            let one = |x: &[f32]| {
                let (rows, columns) = (
                    matrix(height, 2 * height, Filter::Linear),
                    matrix(width, 2 * width, Filter::Linear),
                );
                let mut out = Vec::new();
                for i in 0..2 * height {
                    for j in 0..2 * width {
                        let terms = (0..height * width).map(|at| {
                            let (r, c) = (at / width, at % width);
                            x[at] * rows[r * 2 * height + i] * columns[c * 2 * width + j]
                        });
                        out.push(terms.sum::<f32>());
                    }
                }
                out
            };
            let x = read(x);
            let expected: Vec<f32> = x.chunks_exact(height * width).flat_map(one).collect();
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5, "{found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn constants_stay_constant_and_the_same_size_is_the_same() {
        for filter in [Filter::Linear, Filter::Cubic, Filter::CubicAntialiased] {
            for (from, to) in [(1, 5), (7, 3), (37, 16), (16, 37), (6, 6)] {
                for v in row(&vec![2.5; from], to, filter) {
                    assert!((v - 2.5).abs() < 1e-5, "{filter:?} {from} {to}: {v}");
                }
            }
        }
        let x = [3.0, -1.0, 2.0];
        let same = matrix(3, 3, Filter::Cubic);
        assert_eq!(same, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(row(&x, 3, Filter::Cubic), x);
    }

    #[test]
    fn rows_and_columns_are_not_mixed_up() {
        // A plane that increases only along its rows, as tokens of width 1.
        let values: Vec<f32> = (0..6).map(|i| (i / 2) as f32).collect();
        let data = TensorData::new(values, [1, 6, 1]);
        let x = Tensor::<3>::from_data(data, &Device::flex());
        let found = read(tokens(x, [3, 2], [6, 4], Filter::Linear));
        let expected = [0.0, 0.25, 0.75, 1.25, 1.75, 2.0];
        for (i, v) in found.iter().enumerate() {
            assert!((v - expected[i / 4]).abs() < 1e-6, "{found:?}");
        }
    }
}
