//! Self-attention on the CPU, blocks of queries at a time.
//!
//! `qkv: [B, L, 3 D]` holds queries, keys and values side by side, each `[heads, D / heads]`. With
//! a [`Rotary`], queries and keys pass an RMS norm over the head width and are rotated by the
//! angles of their position. Then `softmax(q k^T / sqrt(D / heads)) v` is put back together as
//! `[B, L, D]`. Probabilities exist for one block of queries a thread, so that memory grows linearly
//! with the tokens; the backward pass recomputes them. Keys and values are packed once a head. In
//! bfloat16 the operands of both products are rounded, but not those of the backward pass.

use super::bfloat16::Strips;
use super::norm::{rms_backward_row, rms_scale};
use super::panels::Panels;
use super::{self as cpu, CpuTensor, Matrix, add_partials, contiguous, slice, uninit};
use crate::kernels::MatmulPrecision;
use crate::simd::{exp2, max, sum2, wide};
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

    fn slices(&self) -> RotarySlices<'_> {
        RotarySlices {
            norms: [slice(&self.norms[0]), slice(&self.norms[1])],
            cos: slice(&self.cos),
            sin: slice(&self.sin),
        }
    }
}

#[derive(Clone, Copy)]
struct RotarySlices<'a> {
    norms: [&'a [f32]; 2],
    cos: &'a [f32],
    sin: &'a [f32],
}

impl<'a> RotarySlices<'a> {
    /// Cosines and sines of the angles at a position.
    #[inline(always)]
    fn angles(&self, position: usize, d: usize) -> (&'a [f32], &'a [f32]) {
        let range = position * (d / 2)..(position + 1) * (d / 2);
        (&self.cos[range.clone()], &self.sin[range])
    }
}

/// Number of queries of a block: few enough for the caches, enough to use keys and values often.
const BLOCK: usize = 48;

/// Number of keys of a block, which stay in the caches with their values for a block of queries.
const KEYS: usize = 256;

struct Inputs<'a> {
    qkv: &'a [f32],
    rotary: Option<RotarySlices<'a>>,
    tokens: usize,
    heads: usize,
    d: usize,
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

    /// Writes queries (0) or keys (1) of a head from token `first` on, as they enter the product, times
    /// `factor`, to `out: [.., d]`.
    fn enter(&self, [entry, head, part]: [usize; 3], first: usize, factor: f32, out: &mut [f32]) {
        let (rows, stride) = self.part(entry, head, part);
        wide!({
            for (l, out) in (first..).zip(out.chunks_exact_mut(self.d)) {
                let x = &rows[l * stride..][..self.d];
                let Some(rotary) = self.rotary else {
                    for (o, x) in out.iter_mut().zip(x) {
                        *o = x * factor;
                    }
                    continue;
                };
                let scale = rms_scale(x) * factor;
                for ((o, x), w) in out.iter_mut().zip(x).zip(rotary.norms[part]) {
                    *o = x * scale * w;
                }
                let (cos, sin) = rotary.angles(l, self.d);
                rotate(out, cos, sin, 1.0);
            }
        });
    }

    /// The keys of a head as they enter the product, `[L, d]`.
    fn keys(&self, entry: usize, head: usize) -> Vec<f32> {
        let mut keys = vec![0.0; self.tokens * self.d];
        self.enter([entry, head, 1], 0, 1.0, &mut keys);
        keys
    }

    /// A head's queries from token `first` on, as they enter the product, times log2(e) / sqrt(d), so
    /// that probabilities are powers of two.
    fn queries(&self, entry: usize, head: usize, first: usize, out: &mut [f32]) {
        let factor = std::f32::consts::LOG2_E / (self.d as f32).sqrt();
        self.enter([entry, head, 0], first, factor, out);
    }
}

/// `2^(x - top)` in place of each x; returns the sum.
#[inline(always)]
fn exponentials(row: &mut [f32], top: f32) -> f32 {
    let mut sums = [0.0; 16];
    let mut chunks = row.chunks_exact_mut(16);
    for chunk in &mut chunks {
        for (v, sum) in chunk.iter_mut().zip(&mut sums) {
            *v = exp2(*v - top);
            *sum += *v;
        }
    }
    for (v, sum) in chunks.into_remainder().iter_mut().zip(&mut sums) {
        *v = exp2(*v - top);
        *sum += *v;
    }
    sums.iter().sum()
}

/// Probabilities of all keys `[d, L]` for queries `[rows, d]`, as `[rows, L]`.
fn softmax(q: &[f32], keys: &Panels, out: &mut [f32]) {
    let [d, tokens] = keys.shape();
    keys.multiply(Matrix::rows(q, d), q.len() / d, out, false);
    wide!({
        for row in out.chunks_exact_mut(tokens) {
            let top = max(row);
            let inverse = 1.0 / exponentials(row, top);
            for p in row {
                *p *= inverse;
            }
        }
    });
}

/// Attention of a block of queries while keys and values come block by block.
struct Running {
    /// Sums of values, each times 2 to its product minus [`top`](Self::top): `[rows, d]`.
    sums: Vec<f32>,
    /// The largest product so far of each query.
    top: Vec<f32>,
    /// The sum of the powers of each query.
    total: Vec<f32>,
    /// Powers of the present block of keys, `[rows, KEYS]`.
    powers: Vec<f32>,
}

impl Running {
    fn new(rows: usize, d: usize) -> Self {
        Self {
            sums: vec![0.0; rows * d],
            top: vec![f32::NEG_INFINITY; rows],
            total: vec![0.0; rows],
            powers: vec![0.0; rows * KEYS],
        }
    }

    fn clear(&mut self) {
        self.sums.fill(0.0);
        self.top.fill(f32::NEG_INFINITY);
        self.total.fill(0.0);
    }

    /// Adds `count` keys `[d, count]` and values `[count, d]`.
    fn add(&mut self, q: &[f32], d: usize, count: usize, [keys, values]: &[Packed; 2]) {
        let rows = q.len() / d;
        let powers = &mut self.powers[..rows * count];
        keys.multiply(Matrix::rows(q, d), rows, powers);
        wide!({
            for (((row, sums), top), total) in powers
                .chunks_exact_mut(count)
                .zip(self.sums.chunks_exact_mut(d))
                .zip(&mut self.top)
                .zip(&mut self.total)
            {
                let higher = max(row).max(*top);
                if higher > *top {
                    let factor = exp2(*top - higher);
                    *top = higher;
                    *total *= factor;
                    for sum in sums {
                        *sum *= factor;
                    }
                }
                *total += exponentials(row, higher);
            }
        });
        values.multiply_add(Matrix::rows(powers, count), rows, &mut self.sums);
    }
}

/// Rotates consecutive pairs of channels by their angles; `direction` -1 rotates back.
#[inline(always)]
fn rotate(row: &mut [f32], cos: &[f32], sin: &[f32], direction: f32) {
    // Eight channels at a time, in a form that compilers turn into vectors.
    let mut eights = row.chunks_exact_mut(8);
    let (cos_fours, sin_fours) = (cos.chunks_exact(4), sin.chunks_exact(4));
    let rest = cos_fours.remainder().iter().zip(sin_fours.remainder());
    for (row, (c, s)) in (&mut eights).zip(cos_fours.zip(sin_fours)) {
        let x: [f32; 8] = std::array::from_fn(|i| row[i]);
        let across: [f32; 8] = std::array::from_fn(|i| {
            let s = s[i / 2] * direction;
            if i % 2 == 0 { -s } else { s }
        });
        for i in 0..8 {
            row[i] = x[i] * c[i / 2] + x[i ^ 1] * across[i];
        }
    }
    for (pair, (c, s)) in eights.into_remainder().chunks_exact_mut(2).zip(rest) {
        let (a, b, s) = (pair[0], pair[1], s * direction);
        pair[0] = a * c - b * s;
        pair[1] = a * s + b * c;
    }
}

fn inputs<'a>(qkv: &'a CpuTensor, rotary: Option<&'a Rotary>, heads: usize) -> Inputs<'a> {
    let shape = qkv.shape();
    Inputs {
        qkv: slice(qkv),
        rotary: rotary.map(Rotary::slices),
        tokens: shape[1],
        heads,
        d: shape[2] / 3 / heads,
    }
}

/// A matrix packed for many products, each on one thread: in single precision or rounded to bfloat16.
enum Packed {
    Single(Panels),
    Rounded(Strips),
}

impl Packed {
    /// Packs a matrix `[depth, columns]`.
    fn new(matrix: Matrix<'_>, shape: [usize; 2], rounded: bool) -> Self {
        if rounded {
            Self::Rounded(Strips::new(matrix, shape))
        } else {
            Self::Single(Panels::new(matrix, shape))
        }
    }

    /// `out = left self`, for `left: [rows, depth]`.
    fn multiply(&self, left: Matrix<'_>, rows: usize, out: &mut [f32]) {
        match self {
            Self::Single(panels) => panels.multiply(left, rows, out, false),
            Self::Rounded(strips) => _ = strips.multiply(left, rows, uninit(out)),
        }
    }

    /// `out += left self`, for `left: [rows, depth]`.
    fn multiply_add(&self, left: Matrix<'_>, rows: usize, out: &mut [f32]) {
        match self {
            Self::Single(panels) => panels.multiply(left, rows, out, true),
            Self::Rounded(strips) => strips.multiply_add(left, rows, out),
        }
    }
}

/// `qkv: [B, L, 3 D]` to `[B, L, D]`, with `heads` heads.
pub(crate) fn forward(
    qkv: CpuTensor,
    rotary: Option<Rotary>,
    heads: usize,
    precision: MatmulPrecision,
) -> CpuTensor {
    let batch = qkv.shape()[0];
    let (qkv, rotary) = (contiguous(qkv), rotary.map(Rotary::contiguous));
    let x = inputs(&qkv, rotary.as_ref(), heads);
    let (tokens, d) = (x.tokens, x.d);
    let rounded = precision.rounds(tokens);
    let packed: Vec<Vec<[Packed; 2]>> = (0..batch * heads)
        .into_par_iter()
        .map(|i| {
            let (entry, head) = (i / heads, i % heads);
            let k = x.keys(entry, head);
            let (v, stride) = x.part(entry, head, 2);
            (0..tokens)
                .step_by(KEYS)
                .map(|first| {
                    let count = KEYS.min(tokens - first);
                    [
                        Packed::new(Matrix::rows(&k[first * d..], d).t(), [d, count], rounded),
                        Packed::new(
                            Matrix::rows(&v[first * stride..], stride),
                            [count, d],
                            rounded,
                        ),
                    ]
                })
                .collect()
        })
        .collect();
    let mut out = vec![0.0; batch * tokens * heads * d];
    let blocks: Vec<(usize, usize, &mut [f32])> = out
        .chunks_mut(tokens * heads * d)
        .enumerate()
        .flat_map(|(entry, out)| {
            let blocks = out.chunks_mut(BLOCK * heads * d).enumerate();
            blocks.map(move |(block, out)| (entry, block * BLOCK, out))
        })
        .collect();
    blocks.into_par_iter().for_each(|(entry, first, out)| {
        let rows = out.len() / (heads * d);
        let mut q = vec![0.0; rows * d];
        let mut running = Running::new(rows, d);
        for head in 0..heads {
            x.queries(entry, head, first, &mut q);
            running.clear();
            for (block, packed) in packed[entry * heads + head].iter().enumerate() {
                running.add(&q, d, KEYS.min(tokens - block * KEYS), packed);
            }
            for ((out, sums), total) in out
                .chunks_exact_mut(heads * d)
                .zip(running.sums.chunks_exact(d))
                .zip(&running.total)
            {
                let inverse = 1.0 / total;
                for (out, sum) in out[head * d..][..d].iter_mut().zip(sums) {
                    *out = sum * inverse;
                }
            }
        }
    });
    cpu::tensor(out, [batch, tokens, heads * d])
}

/// What a token attends to: `softmax(q k^T / sqrt(D / heads))` for its query, `[B, heads, L]`.
pub(crate) fn row(qkv: CpuTensor, rotary: Option<Rotary>, heads: usize, token: usize) -> CpuTensor {
    let batch = qkv.shape()[0];
    let (qkv, rotary) = (contiguous(qkv), rotary.map(Rotary::contiguous));
    let x = inputs(&qkv, rotary.as_ref(), heads);
    let (tokens, d) = (x.tokens, x.d);
    let mut out = vec![0.0; batch * heads * tokens];
    out.par_chunks_mut(tokens)
        .enumerate()
        .for_each(|(i, weights)| {
            let (entry, head) = (i / heads, i % heads);
            let keys = Panels::new(Matrix::rows(&x.keys(entry, head), d).t(), [d, tokens]);
            let mut q = vec![0.0; d];
            x.queries(entry, head, token, &mut q);
            softmax(&q, &keys, weights);
        });
    cpu::tensor(out, [batch, heads, tokens])
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
    let out_row = x.model_width();
    let grad = &grad[entry * tokens * out_row + head * d..];
    let (v, v_row) = x.part(entry, head, 2);
    let k = x.keys(entry, head);
    let keys = Panels::new(Matrix::rows(&k, d).t(), [d, tokens]);
    let keys_by_row = Panels::new(Matrix::rows(&k, d), [tokens, d]);
    let values = Panels::new(Matrix::rows(v, v_row).t(), [d, tokens]);
    let [mut dq, mut dk, mut dv] = [0; 3].map(|_| vec![0.0; tokens * d]);

    let temperature = 1.0 / (d as f32).sqrt();
    let mut q = vec![0.0; BLOCK * d];
    let mut probability = vec![0.0; BLOCK * tokens];
    let mut dp = vec![0.0; BLOCK * tokens];
    for (block, dq) in dq.chunks_mut(BLOCK * d).enumerate() {
        let (first, rows) = (block * BLOCK, dq.len() / d);
        let g = &grad[first * out_row..];
        let q = &mut q[..rows * d];
        let probability = &mut probability[..rows * tokens];
        let dp = &mut dp[..rows * tokens];
        x.queries(entry, head, first, q);
        softmax(q, &keys, probability);
        let g = Matrix::rows(g, out_row);
        let transposed = Matrix::rows(probability, tokens).t();
        Panels::new(g, [rows, d]).multiply(transposed, tokens, &mut dv, true);
        values.multiply(g, rows, dp, false);
        // The softmax's backward pass, in place of the probabilities.
        wide!({
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
        let ds = Matrix::rows(probability, tokens);
        Panels::new(Matrix::rows(q, d), [rows, d]).multiply(ds.t(), tokens, &mut dk, true);
        keys_by_row.multiply(ds, rows, dq, false);
        for dq in dq {
            *dq *= temperature;
        }
    }
    // The queries entered with a further factor log2 e.
    for dk in &mut dk {
        *dk *= std::f32::consts::LN_2;
    }

    let mut norms = [vec![0.0; d], vec![0.0; d]];
    let Some(rotary) = x.rotary else {
        let parts = [dq, dk, dv];
        return HeadGradient { parts, norms };
    };
    for (part, gradient) in [&mut dq, &mut dk].into_iter().enumerate() {
        let (rows, stride) = x.part(entry, head, part);
        let mut turned = vec![0.0; d];
        wide!({
            for (l, dx) in gradient.chunks_exact_mut(d).enumerate() {
                let (cos, sin) = rotary.angles(l, d);
                rotate(dx, cos, sin, -1.0);
                turned.copy_from_slice(dx);
                let input = &rows[l * stride..][..d];
                let (weight, scale) = (rotary.norms[part], rms_scale(input));
                rms_backward_row(input, weight, &turned, scale, dx, &mut norms[part]);
            }
        });
    }
    HeadGradient {
        parts: [dq, dk, dv],
        norms,
    }
}
