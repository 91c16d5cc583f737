//! RMS norms on the CPU, plain and modulated by a shift and a scale (adaptive norm), the gated
//! residual that goes with them, and the layer norm of encoders.
//!
//! `rms_norm(x) = x / sqrt(mean(x^2) + eps) * weight` over the last axis;
//! `modulated(x) = rms_norm(x) * (1 + scale) + shift` and `gated(x, y) = x + gate * y`, where
//! shift, scale and gate are `[batch, 1, D]` and apply to all rows of their batch entry.

use super::{self as cpu, CpuTensor, ROWS_PER_TASK, add_partials, contiguous, slice, width};
use crate::kernels::constants::{LAYER_EPSILON, RMS_EPSILON};
use crate::simd::{sum2, wide};
use burn::backend::TensorMetadata;
use rayon::prelude::*;

/// `1 / sqrt(mean(x^2) + 1e-6)` of a row that is not empty.
#[inline(always)]
pub(crate) fn rms_scale(row: &[f32]) -> f32 {
    1.0 / (sum2(row, row, |a, b| a * b) / row.len() as f32 + RMS_EPSILON).sqrt()
}

/// Backward pass of one row: writes `dx` and adds to `dweight`. `scale` is the row's
/// `1 / sqrt(mean(x^2) + eps)`.
#[inline(always)]
pub(crate) fn rms_backward_row(
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    scale: f32,
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    for c in 0..x.len() {
        dweight[c] += grad[c] * x[c] * scale;
        dx[c] = grad[c] * weight[c];
    }
    let mean = sum2(dx, x, |a, b| a * b) / x.len() as f32;
    let pull = mean * scale * scale;
    for (dx, &x) in dx.iter_mut().zip(x) {
        *dx = (*dx - x * pull) * scale;
    }
}

/// `x: [.., D]`, `weight: [D]`.
pub(crate) fn forward(x: CpuTensor, weight: CpuTensor) -> CpuTensor {
    let d = width(&x);
    let weight = contiguous(weight);
    let w = slice(&weight);
    cpu::in_place(x, d * ROWS_PER_TASK, |_, rows| {
        wide!({
            for row in rows.chunks_exact_mut(d) {
                let scale = rms_scale(row);
                for (v, w) in row.iter_mut().zip(w) {
                    *v = *v * scale * w;
                }
            }
        });
    })
}

/// Gradients of `x` and `weight`.
pub(crate) fn backward(x: CpuTensor, weight: CpuTensor, grad: CpuTensor) -> (CpuTensor, CpuTensor) {
    let d = width(&x);
    let (x, weight, grad) = (contiguous(x), contiguous(weight), contiguous(grad));
    let w = slice(&weight);
    let block = d * ROWS_PER_TASK;
    let mut dx = vec![0.0; slice(&x).len()];
    let mut partials = vec![0.0; dx.len().div_ceil(block) * d];
    dx.par_chunks_mut(block)
        .zip(partials.par_chunks_mut(d))
        .zip(slice(&x).par_chunks(block))
        .zip(slice(&grad).par_chunks(block))
        .for_each(|(((dx, dw), x), g)| {
            wide!({
                for ((dx, x), g) in dx
                    .chunks_exact_mut(d)
                    .zip(x.chunks_exact(d))
                    .zip(g.chunks_exact(d))
                {
                    rms_backward_row(x, w, g, rms_scale(x), dx, dw);
                }
            });
        });
    let mut dw = vec![0.0; d];
    add_partials(&mut dw, &partials);
    (cpu::tensor(dx, x.shape()), cpu::tensor(dw, weight.shape()))
}

/// `x: [B, L, D]`, `weight: [D]`, `shift` and `scale: [B, 1, D]`.
pub(crate) fn modulated_forward(
    x: CpuTensor,
    weight: CpuTensor,
    shift: CpuTensor,
    scale: CpuTensor,
) -> CpuTensor {
    let shape = x.shape();
    let (rows, d) = (shape[1], shape[2]);
    let (x, weight) = (contiguous(x), contiguous(weight));
    let (shift, scale) = (contiguous(shift), contiguous(scale));
    let (w, shift, scale) = (slice(&weight), slice(&shift), slice(&scale));
    let mut out = vec![0.0; slice(&x).len()];
    out.par_chunks_mut(d)
        .zip(slice(&x).par_chunks(d))
        .enumerate()
        .with_min_len(8)
        .for_each(|(row, (out, x))| {
            let entry = row / rows * d..(row / rows + 1) * d;
            let (shift, scale) = (&shift[entry.clone()], &scale[entry]);
            wide!({
                let rms = rms_scale(x);
                for c in 0..d {
                    out[c] = x[c] * rms * w[c] * (1.0 + scale[c]) + shift[c];
                }
            });
        });
    cpu::tensor(out, shape)
}

/// Gradients of `x`, `weight`, `shift` and `scale`.
pub(crate) fn modulated_backward(
    x: CpuTensor,
    weight: CpuTensor,
    scale: CpuTensor,
    grad: CpuTensor,
) -> (CpuTensor, CpuTensor, CpuTensor, CpuTensor) {
    let shape = x.shape();
    let (batch, rows, d) = (shape[0], shape[1], shape[2]);
    let (x, weight) = (contiguous(x), contiguous(weight));
    let (scale, grad) = (contiguous(scale), contiguous(grad));
    let (xs, w, scales, gs) = (slice(&x), slice(&weight), slice(&scale), slice(&grad));
    // Blocks of rows stay within a batch entry, so that the entry's sums can be added up.
    let blocks = rows.div_ceil(ROWS_PER_TASK);
    let mut partials = vec![0.0; batch * blocks * 3 * d];
    let mut dx = vec![0.0; xs.len()];
    let mut work: Vec<(usize, &mut [f32])> = dx
        .chunks_mut(rows * d)
        .enumerate()
        .flat_map(|(b, entry)| {
            entry
                .chunks_mut(ROWS_PER_TASK * d)
                .enumerate()
                .map(move |(k, chunk)| (b * rows + k * ROWS_PER_TASK, chunk))
        })
        .collect();
    work.par_iter_mut()
        .zip(partials.par_chunks_mut(3 * d))
        .for_each(|((first, dx), sums)| {
            let scale = &scales[*first / rows * d..][..d];
            let (dw, rest) = sums.split_at_mut(d);
            let (dshift, dscale) = rest.split_at_mut(d);
            let mut inner = vec![0.0; d];
            for (k, dx) in dx.chunks_exact_mut(d).enumerate() {
                let at = (*first + k) * d;
                let (x, g) = (&xs[at..at + d], &gs[at..at + d]);
                wide!({
                    let rms = rms_scale(x);
                    for c in 0..d {
                        dshift[c] += g[c];
                        dscale[c] += g[c] * x[c] * rms * w[c];
                        inner[c] = g[c] * (1.0 + scale[c]);
                    }
                    rms_backward_row(x, w, &inner, rms, dx, dw);
                });
            }
        });
    let (mut dw, mut dshift, mut dscale) =
        (vec![0.0; d], vec![0.0; batch * d], vec![0.0; batch * d]);
    for (block, sums) in partials.chunks_exact(3 * d).enumerate() {
        let entry = block / blocks * d..(block / blocks + 1) * d;
        add_partials(&mut dw, &sums[..d]);
        add_partials(&mut dshift[entry.clone()], &sums[d..2 * d]);
        add_partials(&mut dscale[entry], &sums[2 * d..]);
    }
    (
        cpu::tensor(dx, shape),
        cpu::tensor(dw, weight.shape()),
        cpu::tensor(dshift, scale.shape()),
        cpu::tensor(dscale, scale.shape()),
    )
}

/// `x + gate * y` for `x, y: [B, L, D]`, `gate: [B, 1, D]`.
pub(crate) fn gated_forward(x: CpuTensor, gate: CpuTensor, y: CpuTensor) -> CpuTensor {
    let shape = x.shape();
    let (rows, d) = (shape[1], shape[2]);
    let (gate, y) = (contiguous(gate), contiguous(y));
    let (gate, y) = (slice(&gate), slice(&y));
    cpu::in_place(x, d * ROWS_PER_TASK, |block, values| {
        let first = block * ROWS_PER_TASK;
        wide!({
            for ((row, x), y) in (first..)
                .zip(values.chunks_exact_mut(d))
                .zip(y[first * d..].chunks_exact(d))
            {
                let gate = &gate[row / rows * d..][..d];
                for c in 0..d {
                    x[c] += gate[c] * y[c];
                }
            }
        });
    })
}

/// Gradients of `gate` and `y`; that of `x` is `grad` itself.
pub(crate) fn gated_backward(
    gate: CpuTensor,
    y: CpuTensor,
    grad: CpuTensor,
) -> (CpuTensor, CpuTensor) {
    let shape = y.shape();
    let (batch, rows, d) = (shape[0], shape[1], shape[2]);
    let (gate, y, grad) = (contiguous(gate), contiguous(y), contiguous(grad));
    let (gates, ys, gs) = (slice(&gate), slice(&y), slice(&grad));
    let mut dy = vec![0.0; ys.len()];
    let mut dgate = vec![0.0; batch * d];
    dy.par_chunks_mut(rows * d)
        .zip(dgate.par_chunks_mut(d))
        .enumerate()
        .for_each(|(b, (dy, dgate))| {
            let gate = &gates[b * d..][..d];
            for (row, dy) in dy.chunks_exact_mut(d).enumerate() {
                let at = (b * rows + row) * d;
                let (y, g) = (&ys[at..at + d], &gs[at..at + d]);
                wide!({
                    for c in 0..d {
                        dy[c] = g[c] * gate[c];
                        dgate[c] += g[c] * y[c];
                    }
                });
            }
        });
    (cpu::tensor(dgate, gate.shape()), cpu::tensor(dy, shape))
}

/// Mean and `1 / sqrt(variance + eps)` of a row.
#[inline(always)]
fn moments(row: &[f32]) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum2(row, row, |a, _| a) / count;
    let variance = sum2(row, row, |a, _| (a - mean) * (a - mean)) / count;
    (mean, 1.0 / (variance + LAYER_EPSILON).sqrt())
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis: `x: [.., D]`,
/// `weight, bias: [D]`.
pub(crate) fn layer_forward(x: CpuTensor, weight: CpuTensor, bias: CpuTensor) -> CpuTensor {
    let d = width(&x);
    let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
    let (w, b) = (slice(&weight), slice(&bias));
    let block = d * ROWS_PER_TASK;
    let mut out = vec![0.0; slice(&x).len()];
    out.par_chunks_mut(block)
        .zip(slice(&x).par_chunks(block))
        .for_each(|(out, x)| {
            wide!({
                for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                    let (mean, scale) = moments(x);
                    for c in 0..d {
                        out[c] = (x[c] - mean) * scale * w[c] + b[c];
                    }
                }
            });
        });
    cpu::tensor(out, x.shape())
}

/// Gradients of `x`, `weight` and `bias`.
pub(crate) fn layer_backward(
    x: CpuTensor,
    weight: CpuTensor,
    grad: CpuTensor,
) -> (CpuTensor, CpuTensor, CpuTensor) {
    let d = width(&x);
    let (x, weight, grad) = (contiguous(x), contiguous(weight), contiguous(grad));
    let w = slice(&weight);
    let block = d * ROWS_PER_TASK;
    let mut dx = vec![0.0; slice(&x).len()];
    let mut partials = vec![0.0; dx.len().div_ceil(block) * 2 * d];
    dx.par_chunks_mut(block)
        .zip(partials.par_chunks_mut(2 * d))
        .zip(slice(&x).par_chunks(block))
        .zip(slice(&grad).par_chunks(block))
        .for_each(|(((dx, sums), x), g)| {
            let (dw, db) = sums.split_at_mut(d);
            wide!({
                for ((dx, x), g) in dx
                    .chunks_exact_mut(d)
                    .zip(x.chunks_exact(d))
                    .zip(g.chunks_exact(d))
                {
                    let (mean, scale) = moments(x);
                    for c in 0..d {
                        dw[c] += g[c] * (x[c] - mean) * scale;
                        db[c] += g[c];
                        dx[c] = g[c] * w[c];
                    }
                    let shift = sum2(dx, dx, |a, _| a) / d as f32;
                    let pull = sum2(dx, x, |a, x| a * (x - mean)) * scale * scale / d as f32;
                    for (dx, &x) in dx.iter_mut().zip(x) {
                        *dx = (*dx - shift - (x - mean) * pull) * scale;
                    }
                }
            });
        });
    let mut total = vec![0.0; 2 * d];
    add_partials(&mut total, &partials);
    let db = total.split_off(d);
    (
        cpu::tensor(dx, x.shape()),
        cpu::tensor(total, [d]),
        cpu::tensor(db, [d]),
    )
}
