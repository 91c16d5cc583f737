//! The gated activation of the transformer's MLP on the CPU: `SiLU(a) * b`, element by element.

use super::{self as cpu, CpuTensor, contiguous, slice};
use crate::simd::{exp, wide};
use burn::backend::TensorMetadata;
use rayon::prelude::*;

const BLOCK: usize = 8192;

/// `SiLU(a) * b` for tensors of one shape.
pub(crate) fn forward(a: CpuTensor, b: CpuTensor) -> CpuTensor {
    let b = contiguous(b);
    let b = slice(&b);
    cpu::in_place(a, BLOCK, |block, values| {
        wide!({
            for (v, b) in values.iter_mut().zip(&b[block * BLOCK..]) {
                let a = *v;
                *v = a / (1.0 + exp(-a)) * b;
            }
        });
    })
}

/// Gradients of `a` and `b`.
pub(crate) fn backward(a: CpuTensor, b: CpuTensor, grad: CpuTensor) -> (CpuTensor, CpuTensor) {
    let (a, b, grad) = (contiguous(a), contiguous(b), contiguous(grad));
    let mut da = vec![0.0; slice(&a).len()];
    let mut db = vec![0.0; da.len()];
    da.par_chunks_mut(BLOCK)
        .zip(db.par_chunks_mut(BLOCK))
        .zip(slice(&a).par_chunks(BLOCK))
        .zip(slice(&b).par_chunks(BLOCK))
        .zip(slice(&grad).par_chunks(BLOCK))
        .for_each(|((((da, db), a), b), g)| {
            wide!({
                for i in 0..a.len() {
                    let sigmoid = 1.0 / (1.0 + exp(-a[i]));
                    da[i] = g[i] * b[i] * sigmoid * (1.0 + a[i] * (1.0 - sigmoid));
                    db[i] = g[i] * a[i] * sigmoid;
                }
            });
        });
    (cpu::tensor(da, a.shape()), cpu::tensor(db, b.shape()))
}
