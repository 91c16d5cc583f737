//! Linear layers on the CPU: a product and its bias in one pass, while the product is in the caches.

use super::{self as cpu, CpuTensor, Matrix, ROWS_PER_TASK, add_partials, bfloat16, contiguous};
use super::{part_of_product, slice, whole_product};
use crate::kernels::MatmulPrecision;
use crate::simd::wide;
use burn::backend::TensorMetadata;
use rayon::prelude::*;

/// Rows from which a thread packs the weights for its own part of a product.
const ROWS_PER_THREAD: usize = 48;

/// Rows up to which, and elements of a right matrix from which, the threads share its columns when it is
/// rounded: reading it takes a part of the time that counts, and rounded rows stay in the caches.
const FEW_ROWS: usize = 1024;
const LARGE: usize = 1 << 20;

/// `x W + b`: `x: [rows, from]`, `weight: [from, to]`, `bias: [R, to]`, whose row `i mod R` is added to row i.
pub(crate) fn forward(
    x: CpuTensor,
    weight: CpuTensor,
    bias: CpuTensor,
    precision: MatmulPrecision,
) -> CpuTensor {
    let [rows, from] = sizes(&x);
    let [period, to] = sizes(&bias);
    let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
    let (w, b) = (Matrix::rows(slice(&weight), to), slice(&bias));
    let x = Matrix::rows(slice(&x), from);
    let out = by_rows([rows, from, to], x, w, precision, |first, out| {
        wide!({
            for (row, out) in (first..).zip(out.chunks_exact_mut(to)) {
                for (out, b) in out.iter_mut().zip(&b[row % period * to..]) {
                    *out += b;
                }
            }
        });
    });
    cpu::tensor(out, [rows, to])
}

/// `x w` for `x: [rows, from]` and `w: [from, to]`, with `finish` called for parts of it: the number of
/// their first row, and their elements.
fn by_rows(
    [rows, from, to]: [usize; 3],
    x: Matrix<'_>,
    w: Matrix<'_>,
    precision: MatmulPrecision,
    finish: impl Fn(usize, &mut [f32]) + Send + Sync,
) -> Vec<f32> {
    let rounded = precision == MatmulPrecision::Bfloat16 && rows >= bfloat16::LEAST_ROWS;
    let mut out = Vec::with_capacity(rows * to);
    if rounded && rows <= FEW_ROWS && from * to >= LARGE {
        let part = rows.div_ceil(rayon::current_num_threads());
        let sizes = [rows, from, to];
        bfloat16::multiply_by_columns(sizes, x, w, out.spare_capacity_mut())
            .par_chunks_mut(part * to)
            .enumerate()
            .for_each(|(i, out)| finish(i * part, out));
    } else {
        let rounded = rounded.then(|| bfloat16::Strips::new(w, [from, to]));
        let tasks = (rows / ROWS_PER_THREAD).clamp(1, rayon::current_num_threads());
        if tasks == 1 && rounded.is_none() {
            let mut out = whole_product([rows, from, to], x, w);
            finish(0, &mut out);
            return out;
        }
        let block = rows.div_ceil(tasks);
        out.spare_capacity_mut()[..rows * to]
            .par_chunks_mut(block * to)
            .enumerate()
            .for_each(|(i, out)| {
                let (first, count) = (i * block, out.len() / to);
                let x = x.rows_from(first);
                let out = match &rounded {
                    Some(w) => w.multiply(x, count, out),
                    None => part_of_product([count, from, to], x, w, out),
                };
                finish(first, out);
            });
    }
    // SAFETY: the products have written every element.
    unsafe { out.set_len(rows * to) };
    out
}

/// The gradient of `x`, given that of the result, `[rows, to]`.
pub(crate) fn input_gradient(
    weight: CpuTensor,
    grad: CpuTensor,
    precision: MatmulPrecision,
) -> CpuTensor {
    let [from, to] = sizes(&weight);
    let rows = sizes(&grad)[0];
    let (weight, grad) = (contiguous(weight), contiguous(grad));
    let transposed = Matrix::rows(slice(&weight), to).t();
    let grad = Matrix::rows(slice(&grad), to);
    let dx = by_rows([rows, to, from], grad, transposed, precision, |_, _| ());
    cpu::tensor(dx, [rows, from])
}

/// The gradient of `weight`.
pub(crate) fn weight_gradient(
    x: CpuTensor,
    grad: CpuTensor,
    precision: MatmulPrecision,
) -> CpuTensor {
    let [rows, from] = sizes(&x);
    let to = sizes(&grad)[1];
    let (x, grad) = (contiguous(x), contiguous(grad));
    let (x, grad) = (
        Matrix::rows(slice(&x), from),
        Matrix::rows(slice(&grad), to),
    );
    let sizes = [from, rows, to];
    let dw = match precision {
        MatmulPrecision::Bfloat16 => by_rows(sizes, x.t(), grad, precision, |_, _| ()),
        MatmulPrecision::Single | MatmulPrecision::Half => whole_product(sizes, x.t(), grad),
    };
    cpu::tensor(dw, [from, to])
}

/// The gradient of a bias with `period` rows.
pub(crate) fn bias_gradient(period: usize, grad: CpuTensor) -> CpuTensor {
    let to = sizes(&grad)[1];
    let grad = contiguous(grad);
    let block = ROWS_PER_TASK.next_multiple_of(period) * to;
    let len = period * to;
    let mut partials = vec![0.0; slice(&grad).len().div_ceil(block) * len];
    partials
        .par_chunks_mut(len)
        .zip(slice(&grad).par_chunks(block))
        .for_each(|(sums, rows)| {
            wide!({
                for rows in rows.chunks(len) {
                    for (sum, v) in sums.iter_mut().zip(rows) {
                        *sum += v;
                    }
                }
            });
        });
    let mut db = vec![0.0; len];
    add_partials(&mut db, &partials);
    cpu::tensor(db, [period, to])
}

fn sizes(matrix: &CpuTensor) -> [usize; 2] {
    let shape = matrix.shape();
    [shape[0], shape[1]]
}
