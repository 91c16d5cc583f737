//! The pixel neural field on the CPU: every patch is a small MLP with its own weights.
//!
//! For one patch with `z: [P, E]` and generated weights `W1: [E, M]`, `W2: [M, E]`:
//! `z + SiLU(RMS(z) W1/|W1|) W2/|W2|`, with the norms taken per column (see "Neural field" in
//! PixNerd). Patches run in parallel, each with a few small matrix products whose operands stay in
//! the processor's cache, which a general batched product does not achieve. In bfloat16 the operands of the
//! forward pass's products are rounded, but not those of the backward pass.

use super::bfloat16::Strips;
use super::{self as cpu, CpuTensor, Matrix, add_partials, contiguous, matmul, slice, uninit};
use crate::kernels::MatmulPrecision;
use crate::kernels::constants::{NORM_FLOOR, RMS_EPSILON};
use crate::kernels::field_shape::FieldShape;
use crate::simd::{exp, sum2, wide};
use burn::backend::TensorMetadata;
use rayon::prelude::*;

/// Enough to be worth a task's buffers.
const PATCHES_PER_TASK: usize = 16;

/// Elements of a patch's state, `P E`.
fn state_len(s: FieldShape) -> usize {
    s.pixels * s.width
}

/// Elements of a patch's weights, `2 E M`.
fn weights_len(s: FieldShape) -> usize {
    2 * s.width * s.hidden
}

/// One patch's intermediate values; the buffers are reused for every patch.
struct Scratch {
    /// RMS scale of every pixel, `[P]`.
    scale: Vec<f32>,
    /// Normalised state, `[P, E]`.
    r: Vec<f32>,
    /// Column-normalised W1 and W2, in the layout of the weights.
    wn: Vec<f32>,
    /// Inverse column norms of W1 `[M]`, followed by those of W2 `[E]`.
    inverse: Vec<f32>,
    /// Values before and after the activation, `[P, M]`.
    u: Vec<f32>,
    a: Vec<f32>,
    /// Gradients of these, of `r` and of the normalised weights; in the forward pass `dr` is the change of the state.
    da: Vec<f32>,
    dr: Vec<f32>,
    dwn: Vec<f32>,
}

impl Scratch {
    fn new(s: FieldShape) -> Self {
        Self {
            scale: vec![0.0; s.pixels],
            r: vec![0.0; state_len(s)],
            wn: vec![0.0; weights_len(s)],
            inverse: vec![0.0; s.hidden + s.width],
            u: vec![0.0; s.pixels * s.hidden],
            a: vec![0.0; s.pixels * s.hidden],
            da: vec![0.0; s.pixels * s.hidden],
            dr: vec![0.0; state_len(s)],
            dwn: vec![0.0; weights_len(s)],
        }
    }

    /// Fills `r`, `wn` and `u`, `a = SiLU(u)` for one patch; `rounded` is for the product.
    #[inline(always)]
    fn hidden(&mut self, s: FieldShape, rounded: bool, z: &[f32], weights: &[f32], norm: &[f32]) {
        wide!({
            for ((row, r), scale) in z
                .chunks_exact(s.width)
                .zip(self.r.chunks_exact_mut(s.width))
                .zip(&mut self.scale)
            {
                let mean = sum2(row, row, |a, b| a * b) / s.width as f32;
                *scale = 1.0 / (mean + RMS_EPSILON).sqrt();
                for ((r, z), w) in r.iter_mut().zip(row).zip(norm) {
                    *r = z * *scale * w;
                }
            }
            let (w1, w2) = weights.split_at(s.width * s.hidden);
            let (n1, n2) = self.wn.split_at_mut(s.width * s.hidden);
            let (i1, i2) = self.inverse.split_at_mut(s.hidden);
            normalise_columns(w1, s.hidden, i1, n1);
            normalise_columns(w2, s.width, i2, n2);
        });
        let w1 = Matrix::rows(&self.wn[..s.width * s.hidden], s.hidden);
        let r = Matrix::rows(&self.r, s.width);
        product([s.pixels, s.width, s.hidden], rounded, r, w1, &mut self.u);
        wide!({
            for (a, &u) in self.a.iter_mut().zip(&self.u) {
                *a = u / (1.0 + exp(-u));
            }
        });
    }
}

/// `out = left right` for `left: [rows, depth]` and `right: [depth, columns]`.
fn product(
    [rows, depth, columns]: [usize; 3],
    rounded: bool,
    left: Matrix<'_>,
    right: Matrix<'_>,
    out: &mut [f32],
) {
    if rounded {
        Strips::new(right, [depth, columns]).multiply(left, rows, uninit(out));
    } else {
        matmul([rows, depth, columns], 1.0, left, right, out);
    }
}

/// Divides each column of `w: [rows, columns]` by its norm; writes one over the norms to `inverse`.
#[inline(always)]
fn normalise_columns(w: &[f32], columns: usize, inverse: &mut [f32], out: &mut [f32]) {
    inverse.fill(0.0);
    for row in w.chunks_exact(columns) {
        for (sum, v) in inverse.iter_mut().zip(row) {
            *sum += v * v;
        }
    }
    for i in inverse.iter_mut() {
        *i = 1.0 / i.sqrt().max(NORM_FLOOR);
    }
    for (row, out) in w.chunks_exact(columns).zip(out.chunks_exact_mut(columns)) {
        for ((o, v), i) in out.iter_mut().zip(row).zip(inverse.iter()) {
            *o = v * i;
        }
    }
}

/// Computes the gradient of the raw weights from that of the normalised ones,
/// `dW = (dWn - Wn (Wn . dWn)) / |W|`, column by column.
#[inline(always)]
fn denormalise_columns(wn: &[f32], columns: usize, inverse: &[f32], dwn: &[f32], out: &mut [f32]) {
    let mut dots = vec![0.0f32; columns];
    for (w, d) in wn.chunks_exact(columns).zip(dwn.chunks_exact(columns)) {
        for ((dot, w), d) in dots.iter_mut().zip(w).zip(d) {
            *dot += w * d;
        }
    }
    for ((w, d), out) in wn
        .chunks_exact(columns)
        .zip(dwn.chunks_exact(columns))
        .zip(out.chunks_exact_mut(columns))
    {
        for c in 0..columns {
            out[c] = (d[c] - w[c] * dots[c]) * inverse[c];
        }
    }
}

/// Forward pass: `z: [patches, P, E]`, `weights: [patches, 2 E M]`, `norm: [E]` to `[patches, P, E]`.
pub(super) fn forward(
    z: CpuTensor,
    weights: CpuTensor,
    norm: CpuTensor,
    precision: MatmulPrecision,
) -> CpuTensor {
    let s = FieldShape::new(&z.shape(), &weights.shape());
    let (weights, norm) = (contiguous(weights), contiguous(norm));
    let (ws, norm) = (slice(&weights), slice(&norm));
    let rounded = precision.rounds(s.pixels);
    cpu::in_place(z, PATCHES_PER_TASK * state_len(s), |block, states| {
        let mut scratch = Scratch::new(s);
        let ws = ws[block * PATCHES_PER_TASK * weights_len(s)..].chunks_exact(weights_len(s));
        for (z, w) in states.chunks_exact_mut(state_len(s)).zip(ws) {
            scratch.hidden(s, rounded, z, w, norm);
            let w2 = Matrix::rows(&scratch.wn[s.width * s.hidden..], s.width);
            let a = Matrix::rows(&scratch.a, s.hidden);
            let change = &mut scratch.dr;
            product([s.pixels, s.hidden, s.width], rounded, a, w2, change);
            wide!({
                for (z, change) in z.iter_mut().zip(change.iter()) {
                    *z += change;
                }
            });
        }
    })
}

/// Backward pass: the gradients of `z`, `weights` and `norm`, given that of the output. Forward
/// values are recomputed rather than stored.
pub(super) fn backward(
    z: CpuTensor,
    weights: CpuTensor,
    norm: CpuTensor,
    grad: CpuTensor,
) -> (CpuTensor, CpuTensor, CpuTensor) {
    let s = FieldShape::new(&z.shape(), &weights.shape());
    let (z, weights) = (contiguous(z), contiguous(weights));
    let (norm, grad) = (contiguous(norm), contiguous(grad));
    let mut dz = vec![0.0; slice(&z).len()];
    let mut dw = vec![0.0; slice(&weights).len()];
    let mut dnorm_of_patch = vec![0.0; s.patches * s.width];
    let norm_values = slice(&norm);
    dz.par_chunks_mut(state_len(s))
        .zip(dw.par_chunks_mut(weights_len(s)))
        .zip(dnorm_of_patch.par_chunks_mut(s.width))
        .zip(slice(&z).par_chunks(state_len(s)))
        .zip(slice(&weights).par_chunks(weights_len(s)))
        .zip(slice(&grad).par_chunks(state_len(s)))
        .with_min_len(4)
        .for_each_init(
            || Scratch::new(s),
            |scratch, (((((dz, dw), dnorm), z), w), g)| {
                patch_backward(s, scratch, (z, w, norm_values, g), (dz, dw, dnorm));
            },
        );
    let mut dnorm = vec![0.0; s.width];
    add_partials(&mut dnorm, &dnorm_of_patch);
    (
        cpu::tensor(dz, z.shape()),
        cpu::tensor(dw, weights.shape()),
        cpu::tensor(dnorm, norm.shape()),
    )
}

fn patch_backward(
    s: FieldShape,
    scratch: &mut Scratch,
    (z, w, norm, g): (&[f32], &[f32], &[f32], &[f32]),
    (dz, dw, dnorm): (&mut [f32], &mut [f32], &mut [f32]),
) {
    scratch.hidden(s, false, z, w, norm);
    let Scratch {
        scale,
        r,
        wn,
        inverse,
        u,
        a,
        da,
        dr,
        dwn,
    } = scratch;
    let half = s.width * s.hidden;
    let (w1n, w2n) = wn.split_at(half);
    let (dw1n, dw2n) = dwn.split_at_mut(half);
    let (g_rows, a_rows) = (Matrix::rows(g, s.width), Matrix::rows(a, s.hidden));
    matmul([s.hidden, s.pixels, s.width], 1.0, a_rows.t(), g_rows, dw2n);
    matmul(
        [s.pixels, s.width, s.hidden],
        1.0,
        g_rows,
        Matrix::rows(w2n, s.width).t(),
        da,
    );
    wide!({
        for (d, &u) in da.iter_mut().zip(u.iter()) {
            let sigmoid = 1.0 / (1.0 + exp(-u));
            *d *= sigmoid * (1.0 + u * (1.0 - sigmoid));
        }
    });
    let du = Matrix::rows(da, s.hidden);
    matmul(
        [s.width, s.pixels, s.hidden],
        1.0,
        Matrix::rows(r, s.width).t(),
        du,
        dw1n,
    );
    matmul(
        [s.pixels, s.hidden, s.width],
        1.0,
        du,
        Matrix::rows(w1n, s.hidden).t(),
        dr,
    );
    wide!({
        let (dw1, dw2) = dw.split_at_mut(half);
        denormalise_columns(w1n, s.hidden, &inverse[..s.hidden], dw1n, dw1);
        denormalise_columns(w2n, s.width, &inverse[s.hidden..], dw2n, dw2);
        dnorm.fill(0.0);
        for (((z, dr), (g, dz)), &scale) in z
            .chunks_exact(s.width)
            .zip(dr.chunks_exact(s.width))
            .zip(g.chunks_exact(s.width).zip(dz.chunks_exact_mut(s.width)))
            .zip(scale.iter())
        {
            super::norm::rms_backward_row(z, norm, dr, scale, dz, dnorm);
            for (dz, g) in dz.iter_mut().zip(g) {
                *dz += g;
            }
        }
    });
}
