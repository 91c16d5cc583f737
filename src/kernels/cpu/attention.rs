//! Self-attention on the CPU, one task per head and batch entry.
//!
//! `qkv: [B, L, 3 D]` holds queries, keys and values side by side, each `[heads, D / heads]`. With
//! a [`Rotary`], queries and keys pass an RMS norm over the head width and are rotated by the
//! angles of their position. Then `softmax(q k^T / sqrt(D / heads)) v` is put back together as
//! `[B, L, D]`. The backward pass recomputes the probabilities instead of storing `L * L` numbers
//! per head.

use super::norm::rms_backward_row;
use super::simd::{exp, max, sum2, wide};
use super::{self as cpu, CpuTensor, Matrix, add_partials, contiguous, matmul, slice};
use crate::kernels::constants::RMS_EPSILON;
use burn::backend::TensorMetadata;
use rayon::prelude::*;

/// Normalisation and rotation of queries and keys before their product.
#[derive(Clone, Debug)]
pub(crate) struct Rotary {
    /// RMS weights of queries and of keys, each `[d]`.
    pub norms: [CpuTensor; 2],
    /// Cosines of the angles, `[L, d / 2]`.
    pub cos: CpuTensor,
    pub sin: CpuTensor,
}

impl Rotary {
    fn contiguous(self) -> Self {
        Self {
            norms: self.norms.map(contiguous),
            cos: contiguous(self.cos),
            sin: contiguous(self.sin),
        }
    }

    fn norm(&self, part: usize) -> &[f32] {
        slice(&self.norms[part])
    }

    /// Cosines and sines of the angles at a position.
    fn angles(&self, position: usize, d: usize) -> (&[f32], &[f32]) {
        let range = position * (d / 2)..(position + 1) * (d / 2);
        (&slice(&self.cos)[range.clone()], &slice(&self.sin)[range])
    }
}

struct Inputs<'a> {
    qkv: &'a [f32],
    rotary: Option<&'a Rotary>,
    tokens: usize,
    heads: usize,
    d: usize,
}

/// One head's queries and keys as they enter the product, with what the backward pass needs.
struct Head {
    q: Vec<f32>,
    k: Vec<f32>,
    /// RMS scale of each query, then of each key.
    scale: [Vec<f32>; 2],
    /// `[L, L]`
    probability: Vec<f32>,
}

impl<'a> Inputs<'a> {
    fn model_width(&self) -> usize {
        self.heads * self.d
    }

    /// The query (0), key (1) or value (2) rows of a head: a matrix `[L, d]` inside `qkv`.
    fn part(&self, entry: usize, head: usize, part: usize) -> (&'a [f32], usize) {
        let row = 3 * self.model_width();
        let first = entry * self.tokens * row + part * self.model_width() + head * self.d;
        (&self.qkv[first..], row)
    }

    /// Queries (0) or keys (1) of a head as they enter the product, `[L, d]`, and the RMS scale of
    /// each row.
    fn entering(&self, entry: usize, head: usize, part: usize) -> (Vec<f32>, Vec<f32>) {
        let (rows, stride) = self.part(entry, head, part);
        let mut out = vec![0.0; self.tokens * self.d];
        let mut scales = vec![1.0; self.tokens];
        let row = |l: usize| &rows[l * stride..][..self.d];
        let Some(rotary) = self.rotary else {
            for (l, out) in out.chunks_exact_mut(self.d).enumerate() {
                out.copy_from_slice(row(l));
            }
            return (out, scales);
        };
        wide(|| {
            for (l, (out, scale)) in out.chunks_exact_mut(self.d).zip(&mut scales).enumerate() {
                let x = row(l);
                *scale = 1.0 / (sum2(x, x, |a, b| a * b) / self.d as f32 + RMS_EPSILON).sqrt();
                for ((o, x), w) in out.iter_mut().zip(x).zip(rotary.norm(part)) {
                    *o = x * *scale * w;
                }
                let (cos, sin) = rotary.angles(l, self.d);
                rotate(out, cos, sin, 1.0);
            }
        });
        (out, scales)
    }

    /// `softmax(q k^T / sqrt(d))` for any number of queries `[rows, d]` and all keys `[L, d]`, as
    /// `[rows, L]`.
    fn weights(&self, q: &[f32], k: &[f32]) -> Vec<f32> {
        let rows = q.len() / self.d;
        let mut weights = vec![0.0; rows * self.tokens];
        let temperature = 1.0 / (self.d as f32).sqrt();
        let keys = Matrix::rows(k, self.d).t();
        let sizes = [rows, self.d, self.tokens];
        matmul(
            sizes,
            temperature,
            Matrix::rows(q, self.d),
            keys,
            &mut weights,
        );
        wide(|| {
            for row in weights.chunks_exact_mut(self.tokens) {
                let top = max(row);
                for v in row.iter_mut() {
                    *v = exp(*v - top);
                }
                let inverse = 1.0 / sum2(row, row, |a, _| a);
                for v in row.iter_mut() {
                    *v *= inverse;
                }
            }
        });
        weights
    }

    fn head(&self, entry: usize, head: usize) -> Head {
        let (q, q_scale) = self.entering(entry, head, 0);
        let (k, k_scale) = self.entering(entry, head, 1);
        let probability = self.weights(&q, &k);
        Head {
            q,
            k,
            scale: [q_scale, k_scale],
            probability,
        }
    }
}

/// Rotates consecutive pairs of channels by their angles; `direction` -1 rotates back.
#[inline(always)]
fn rotate(row: &mut [f32], cos: &[f32], sin: &[f32], direction: f32) {
    for (pair, (c, s)) in row.chunks_exact_mut(2).zip(cos.iter().zip(sin)) {
        let (a, b, s) = (pair[0], pair[1], s * direction);
        pair[0] = a * c - b * s;
        pair[1] = a * s + b * c;
    }
}

fn inputs<'a>(qkv: &'a CpuTensor, rotary: Option<&'a Rotary>, heads: usize) -> Inputs<'a> {
    let shape = qkv.shape();
    Inputs {
        qkv: slice(qkv),
        rotary,
        tokens: shape[1],
        heads,
        d: shape[2] / 3 / heads,
    }
}

/// `qkv: [B, L, 3 D]` to `[B, L, D]`, with `heads` heads.
pub(crate) fn forward(qkv: CpuTensor, rotary: Option<Rotary>, heads: usize) -> CpuTensor {
    let batch = qkv.shape()[0];
    let (qkv, rotary) = (contiguous(qkv), rotary.map(Rotary::contiguous));
    let x = inputs(&qkv, rotary.as_ref(), heads);
    let (tokens, d) = (x.tokens, x.d);
    let of_head: Vec<Vec<f32>> = (0..batch * heads)
        .into_par_iter()
        .map(|i| {
            let (entry, head) = (i / heads, i % heads);
            let weights = x.head(entry, head).probability;
            let (v, stride) = x.part(entry, head, 2);
            let mut out = vec![0.0; tokens * d];
            let weights = Matrix::rows(&weights, tokens);
            matmul(
                [tokens, tokens, d],
                1.0,
                weights,
                Matrix::rows(v, stride),
                &mut out,
            );
            out
        })
        .collect();
    let mut out = vec![0.0; batch * tokens * heads * d];
    out.par_chunks_mut(heads * d)
        .enumerate()
        .with_min_len(32)
        .for_each(|(row, out)| {
            let (entry, l) = (row / tokens, row % tokens);
            for (head, out) in out.chunks_exact_mut(d).enumerate() {
                out.copy_from_slice(&of_head[entry * heads + head][l * d..][..d]);
            }
        });
    cpu::tensor(out, [batch, tokens, heads * d])
}

/// What a token attends to: `softmax(q k^T / sqrt(D / heads))` for its query, `[B, heads, L]`.
pub(crate) fn row(qkv: CpuTensor, rotary: Option<Rotary>, heads: usize, token: usize) -> CpuTensor {
    let batch = qkv.shape()[0];
    let (qkv, rotary) = (contiguous(qkv), rotary.map(Rotary::contiguous));
    let x = inputs(&qkv, rotary.as_ref(), heads);
    let of_head: Vec<Vec<f32>> = (0..batch * heads)
        .into_par_iter()
        .map(|i| {
            let [(q, _), (k, _)] = [0, 1].map(|part| x.entering(i / heads, i % heads, part));
            x.weights(&q[token * x.d..][..x.d], &k)
        })
        .collect();
    cpu::tensor(of_head.concat(), [batch, heads, x.tokens])
}

/// Gradients of `qkv` and, with a [`Rotary`], of its two norms (otherwise zeros).
pub(crate) fn backward(
    qkv: CpuTensor,
    rotary: Option<Rotary>,
    heads: usize,
    grad: CpuTensor,
) -> (CpuTensor, [CpuTensor; 2]) {
    let batch = qkv.shape()[0];
    let (qkv, grad) = (contiguous(qkv), contiguous(grad));
    let rotary = rotary.map(Rotary::contiguous);
    let x = inputs(&qkv, rotary.as_ref(), heads);
    let (tokens, d) = (x.tokens, x.d);
    let of_head: Vec<HeadGradient> = (0..batch * heads)
        .into_par_iter()
        .map(|i| head_backward(&x, i / heads, i % heads, slice(&grad)))
        .collect();
    let mut dqkv = vec![0.0; slice(&qkv).len()];
    dqkv.par_chunks_mut(3 * heads * d)
        .enumerate()
        .with_min_len(32)
        .for_each(|(row, out)| {
            let (entry, l) = (row / tokens, row % tokens);
            for (part, out) in out.chunks_exact_mut(heads * d).enumerate() {
                for (head, out) in out.chunks_exact_mut(d).enumerate() {
                    out.copy_from_slice(&of_head[entry * heads + head].parts[part][l * d..][..d]);
                }
            }
        });
    let mut dnorms = [vec![0.0; d], vec![0.0; d]];
    for head in &of_head {
        for (total, partial) in dnorms.iter_mut().zip(&head.norms) {
            add_partials(total, partial);
        }
    }
    (
        cpu::tensor(dqkv, qkv.shape()),
        dnorms.map(|norm| cpu::tensor(norm, [d])),
    )
}

struct HeadGradient {
    /// Gradients of queries, keys and values, each `[L, d]`.
    parts: [Vec<f32>; 3],
    /// Gradients of the two norms' weights.
    norms: [Vec<f32>; 2],
}

fn head_backward(x: &Inputs<'_>, entry: usize, head: usize, grad: &[f32]) -> HeadGradient {
    let (tokens, d) = (x.tokens, x.d);
    let Head {
        q,
        k,
        scale,
        mut probability,
    } = x.head(entry, head);
    let out_row = x.model_width();
    let g = Matrix::rows(&grad[entry * tokens * out_row + head * d..], out_row);
    let (v, v_row) = x.part(entry, head, 2);

    let mut dv = vec![0.0; tokens * d];
    matmul(
        [tokens, tokens, d],
        1.0,
        Matrix::rows(&probability, tokens).t(),
        g,
        &mut dv,
    );
    let mut dp = vec![0.0; tokens * tokens];
    matmul(
        [tokens, d, tokens],
        1.0,
        g,
        Matrix::rows(v, v_row).t(),
        &mut dp,
    );
    // The softmax's backward pass, in place of the probabilities.
    wide(|| {
        for (p, dp) in probability
            .chunks_exact_mut(tokens)
            .zip(dp.chunks_exact(tokens))
        {
            let dot = sum2(p, dp, |a, b| a * b);
            for (p, dp) in p.iter_mut().zip(dp) {
                *p *= dp - dot;
            }
        }
    });
    let ds = Matrix::rows(&probability, tokens);
    let temperature = 1.0 / (d as f32).sqrt();
    let mut dq = vec![0.0; tokens * d];
    let mut dk = vec![0.0; tokens * d];
    matmul(
        [tokens, tokens, d],
        temperature,
        ds,
        Matrix::rows(&k, d),
        &mut dq,
    );
    matmul(
        [tokens, tokens, d],
        temperature,
        ds.t(),
        Matrix::rows(&q, d),
        &mut dk,
    );

    let mut norms = [vec![0.0; d], vec![0.0; d]];
    let Some(rotary) = x.rotary else {
        let parts = [dq, dk, dv];
        return HeadGradient { parts, norms };
    };
    for (part, gradient) in [&mut dq, &mut dk].into_iter().enumerate() {
        let (rows, stride) = x.part(entry, head, part);
        let mut turned = vec![0.0; d];
        wide(|| {
            for (l, dx) in gradient.chunks_exact_mut(d).enumerate() {
                let (cos, sin) = rotary.angles(l, d);
                rotate(dx, cos, sin, -1.0);
                turned.copy_from_slice(dx);
                let input = &rows[l * stride..][..d];
                let (weight, scale) = (rotary.norm(part), scale[part][l]);
                rms_backward_row(input, weight, &turned, scale, dx, &mut norms[part]);
            }
        });
    }
    HeadGradient {
        parts: [dq, dk, dv],
        norms,
    }
}
