//! Operations on the planes of an image on the CPU, `[B, C, H, W]`: doubled resolution, and neighbourhoods as channels.

use super::{self as cpu, CpuTensor, contiguous, slice};
use crate::simd::wide;
use burn::backend::TensorMetadata;
use rayon::prelude::*;

fn sizes(x: &CpuTensor) -> [usize; 4] {
    let shape = x.shape();
    std::array::from_fn(|axis| shape[axis])
}

/// Twice as many rows and columns, interpolated linearly: each new sample lies a quarter of the way from an old one to
/// its neighbour, and the border is repeated.
pub(crate) fn doubled(x: CpuTensor) -> CpuTensor {
    let [batch, channels, height, width] = sizes(&x);
    let x = contiguous(x);
    let mut out = vec![0.0; 4 * slice(&x).len()];
    out.par_chunks_mut(4 * height * width)
        .zip(slice(&x).par_chunks(height * width))
        .for_each_init(
            || vec![0.0; width],
            |line, (out, plane)| {
                wide!({
                    for (row, out) in out.chunks_exact_mut(2 * width).enumerate() {
                        let near = &plane[row / 2 * width..][..width];
                        let other = if row % 2 == 0 {
                            (row / 2).saturating_sub(1)
                        } else {
                            (row / 2 + 1).min(height - 1)
                        };
                        let other = &plane[other * width..][..width];
                        for ((line, near), other) in line.iter_mut().zip(near).zip(other) {
                            *line = 0.75 * near + 0.25 * other;
                        }
                        doubled_line(line, out);
                    }
                });
            },
        );
    cpu::tensor(out, [batch, channels, 2 * height, 2 * width])
}

#[inline(always)]
fn doubled_line(line: &[f32], out: &mut [f32]) {
    let (first, last) = (line[0], line[line.len() - 1]);
    let end = out.len() - 1;
    let middle = out[1..end].chunks_exact_mut(2);
    for (pair, ends) in middle.zip(line.windows(2)) {
        pair[0] = 0.75 * ends[0] + 0.25 * ends[1];
        pair[1] = 0.25 * ends[0] + 0.75 * ends[1];
    }
    (out[0], out[end]) = (first, last);
}

/// The gradient of `x`, given that of [`doubled`].
pub(crate) fn doubled_backward(grad: CpuTensor) -> CpuTensor {
    let [batch, channels, height, width] = sizes(&grad);
    let (height, width) = (height / 2, width / 2);
    let grad = contiguous(grad);
    let mut dx = vec![0.0; slice(&grad).len() / 4];
    dx.par_chunks_mut(height * width)
        .zip(slice(&grad).par_chunks(4 * height * width))
        .for_each_init(
            || vec![0.0; 2 * width],
            |line, (dx, grad)| {
                wide!({
                    for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
                        let [a, b, c, d] = contributors(row, height)
                            .map(|row| &grad[row * 2 * width..][..2 * width]);
                        for (i, sum) in line.iter_mut().enumerate() {
                            *sum = 0.75 * (b[i] + c[i]) + 0.25 * (a[i] + d[i]);
                        }
                        for (column, dx) in dx.iter_mut().enumerate() {
                            let [a, b, c, d] = contributors(column, width).map(|i| line[i]);
                            *dx = 0.75 * (b + c) + 0.25 * (a + d);
                        }
                    }
                });
            },
        );
    cpu::tensor(dx, [batch, channels, height, width])
}

/// The four samples of a doubled line that sample `at` of `len` contributes to: a quarter, three quarters twice, and a
/// quarter. At a border a quarter goes to the outermost one again.
#[inline(always)]
fn contributors(at: usize, len: usize) -> [usize; 4] {
    [
        (2 * at).saturating_sub(1),
        2 * at,
        2 * at + 1,
        (2 * at + 2).min(2 * len - 1),
    ]
}

/// Blocks of 2 x 2 pixels, each with its eight neighbours, as channels: `[B, C, H, W]` with even sides to
/// `[B, 9 * 4 C, H / 2, W / 2]`. Channels are ordered by neighbour, then channel of `x`, then pixel of the block.
pub(crate) fn neighbourhoods(x: CpuTensor) -> CpuTensor {
    let [batch, channels, height, width] = sizes(&x);
    let (rows, columns) = (height / 2, width / 2);
    let x = contiguous(x);
    let planes = slice(&x);
    let mut out = vec![0.0; 9 * planes.len()];
    out.par_chunks_mut(rows * columns)
        .enumerate()
        .for_each(|(index, out)| {
            let at = Place::of(index, channels);
            let plane = &planes[at.plane * height * width..][..height * width];
            wide!({
                for (row, out) in out.chunks_exact_mut(columns).enumerate() {
                    let from = 2 * moved(row, at.down, rows) + at.pixel[0];
                    let line = &plane[from * width..][..width];
                    let value = |column: usize| line[2 * column + at.pixel[1]];
                    // Columns whose neighbour is inside.
                    let (start, end) = match at.right {
                        0 => (1, columns),
                        1 => (0, columns),
                        _ => (0, columns - 1),
                    };
                    let pairs = line[2 * (start + at.right - 1)..].chunks_exact(2);
                    for (out, pair) in out[start..end].iter_mut().zip(pairs) {
                        *out = pair[at.pixel[1]];
                    }
                    for column in [0, columns - 1] {
                        out[column] = value(moved(column, at.right, columns));
                    }
                }
            });
        });
    cpu::tensor(out, [batch, 36 * channels, rows, columns])
}

/// The gradient of `x`, given that of [`neighbourhoods`].
pub(crate) fn neighbourhoods_backward(grad: CpuTensor) -> CpuTensor {
    let [batch, channels, rows, columns] = sizes(&grad);
    let (channels, height, width) = (channels / 36, 2 * rows, 2 * columns);
    let grad = contiguous(grad);
    let of_entry = 36 * channels * rows * columns;
    let mut dx = vec![0.0; batch * channels * height * width];
    dx.par_chunks_mut(height * width)
        .enumerate()
        .for_each(|(plane, dx)| {
            let grad = &slice(&grad)[plane / channels * of_entry..][..of_entry];
            wide!({
                for (index, grad) in grad.chunks_exact(rows * columns).enumerate() {
                    let at = Place::of(index, channels);
                    if at.plane != plane % channels {
                        continue;
                    }
                    for (row, grad) in grad.chunks_exact(columns).enumerate() {
                        let to = 2 * moved(row, at.down, rows) + at.pixel[0];
                        let dx = &mut dx[to * width..][..width];
                        for (column, g) in grad.iter().enumerate() {
                            dx[2 * moved(column, at.right, columns) + at.pixel[1]] += g;
                        }
                    }
                }
            });
        });
    cpu::tensor(dx, [batch, channels, height, width])
}

/// What a channel of [`neighbourhoods`] holds.
struct Place {
    /// The neighbour's row and column, from 0 to 2; 1 is the block's own.
    down: usize,
    right: usize,
    /// The plane of `x`.
    plane: usize,
    /// The pixel's row and column in its block.
    pixel: [usize; 2],
}

impl Place {
    /// That of plane `index` of the result, given the channels of `x`.
    fn of(index: usize, channels: usize) -> Self {
        let (entry, channel) = (index / (36 * channels), index % (36 * channels));
        let (neighbour, rest) = (channel / (4 * channels), channel % (4 * channels));
        Self {
            down: neighbour / 3,
            right: neighbour % 3,
            plane: entry * channels + rest / 4,
            pixel: [rest % 4 / 2, rest % 2],
        }
    }
}

/// The block before, at or after `at` for a `step` of 0, 1 or 2, at most the outermost one.
#[inline(always)]
fn moved(at: usize, step: usize, len: usize) -> usize {
    (at + step).clamp(1, len) - 1
}
