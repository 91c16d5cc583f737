//! Linear layers on the CPU: a product and its bias in one pass, while the product is in the caches.

use super::bfloat16::{self, Right, Strips};
use super::{self as cpu, CpuTensor, Matrix, ROWS_PER_TASK, add_partials, contiguous};
use super::{part_of_product, slice, whole_product};
use crate::kernels::MatmulPrecision;
use crate::simd::wide;
use burn::backend::TensorMetadata;
use rayon::prelude::*;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows from which a thread packs the weights for its own part of a product.
const ROWS_PER_THREAD: usize = 48;

/// Rows up to which, and elements of a right matrix from which, the threads share its columns when it is
/// rounded: reading it takes a part of the time that counts, and rounded rows stay in the caches.
const FEW_ROWS: usize = 1024;
const LARGE: usize = 1 << 20;

/// A layer's weight rounded for its products, kept for as long as the weight is the same: rounding takes
/// a tenth of a product of a few hundred rows.
#[derive(Clone, Default)]
pub struct PackedWeight(Arc<Mutex<Option<Kept>>>);

struct Kept {
    /// Holds the memory, so that nothing else can be in its place.
    weight: CpuTensor,
    strips: Arc<Strips>,
}

impl PackedWeight {
    /// The rounded `weight`, which is contiguous. The lock is not held meanwhile: a thread that waits for
    /// the others' parts may take up another product with this weight.
    fn get(&self, weight: &CpuTensor) -> Arc<Strips> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let data = slice(weight);
        if let Some(kept) = &*lock()
            && std::ptr::eq(slice(&kept.weight), data)
        {
            return kept.strips.clone();
        }
        let [from, to] = sizes(weight);
        let strips = Arc::new(Strips::new(Matrix::rows(data, to), [from, to]));
        *lock() = Some(Kept {
            weight: weight.clone(),
            strips: strips.clone(),
        });
        strips
    }
}

impl fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackedWeight")
    }
}

/// `x W + b`: `x: [rows, from]`, `weight: [from, to]`, `bias: [R, to]`, whose row `i mod R` is added to row i.
pub(crate) fn forward(
    x: CpuTensor,
    weight: CpuTensor,
    bias: CpuTensor,
    precision: MatmulPrecision,
    packed: Option<PackedWeight>,
) -> CpuTensor {
    let [rows, from] = sizes(&x);
    let [period, to] = sizes(&bias);
    let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
    let packed = packed.filter(|_| precision.rounds(rows));
    let packed = packed.map(|packed| packed.get(&weight));
    let (w, b) = (Matrix::rows(slice(&weight), to), slice(&bias));
    let x = Matrix::rows(slice(&x), from);
    let out = by_rows(
        [rows, from, to],
        x,
        w,
        (precision, packed.as_deref()),
        |first, out| {
            wide!({
                for (row, out) in (first..).zip(out.chunks_exact_mut(to)) {
                    for (out, b) in out.iter_mut().zip(&b[row % period * to..]) {
                        *out += b;
                    }
                }
            });
        },
    );
    cpu::tensor(out, [rows, to])
}

/// `x w` for `x: [rows, from]` and `w: [from, to]`, with `finish` called for parts of it: the number of
/// their first row, and their elements. A product of rounded matrices takes `packed` instead of `w`.
fn by_rows(
    [rows, from, to]: [usize; 3],
    x: Matrix<'_>,
    w: Matrix<'_>,
    (precision, packed): (MatmulPrecision, Option<&Strips>),
    finish: impl Fn(usize, &mut [f32]) + Send + Sync,
) -> Vec<f32> {
    let rounded = precision.rounds(rows);
    let tasks = (rows / ROWS_PER_THREAD).clamp(1, rayon::current_num_threads());
    if tasks == 1 && !rounded {
        let mut out = whole_product([rows, from, to], x, w);
        finish(0, &mut out);
        return out;
    }
    let mut out = Vec::with_capacity(rows * to);
    let memory = &mut out.spare_capacity_mut()[..rows * to];
    if rounded && rows <= FEW_ROWS && from * to >= LARGE {
        let right = packed.map_or(Right::Plain(w), Right::Packed);
        let part = rows.div_ceil(rayon::current_num_threads());
        bfloat16::multiply_by_columns([rows, from, to], x, right, memory)
            .par_chunks_mut(part * to)
            .enumerate()
            .for_each(|(i, out)| finish(i * part, out));
    } else {
        let own = (rounded && packed.is_none()).then(|| Strips::new(w, [from, to]));
        let strips = packed.filter(|_| rounded).or(own.as_ref());
        let block = rows.div_ceil(tasks);
        let blocks = memory.par_chunks_mut(block * to).enumerate();
        blocks.for_each(|(i, out)| {
            let (first, count) = (i * block, out.len() / to);
            let x = x.rows_from(first);
            let out = match strips {
                Some(strips) => strips.multiply(x, count, out),
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
    let dx = by_rows(
        [rows, to, from],
        grad,
        transposed,
        (precision, None),
        |_, _| (),
    );
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
        MatmulPrecision::Bfloat16 => by_rows(sizes, x.t(), grad, (precision, None), |_, _| ()),
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
