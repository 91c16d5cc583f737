//! Fused operations of the CPU backend, one file per operation, and shared helpers: tensors as
//! slices, small matrix products, row-parallel loops.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod argmax;
pub(super) mod attention;
pub(super) mod bfloat16;
mod cross_entropy;
pub(super) mod gelu;
pub(super) mod linear;
mod neural_field;
pub(super) mod norm;
pub(super) mod ops;
mod optim;
mod panels;
pub(super) mod patches;
pub(super) mod planes;
mod potential;
mod rounded;
pub(super) mod swiglu;
#[cfg(test)]
mod testing;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata, ops::FloatTensorOps};
use burn::tensor::{Shape, TensorData};
use rayon::prelude::*;
use std::mem::MaybeUninit;

pub(super) type CpuTensor = FloatTensor<Flex>;

/// Number of rows per task. Fixed, so that partial sums over tasks are added in the same order
/// whatever the number of threads.
pub(super) const ROWS_PER_TASK: usize = 32;

/// The tensor with its elements contiguous in row-major order, so that [`slice`] can borrow it.
pub(super) fn contiguous(tensor: CpuTensor) -> CpuTensor {
    if tensor.as_slice::<f32>().is_some() {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The elements of a [`contiguous`] single-precision tensor.
pub(super) fn slice(tensor: &CpuTensor) -> &[f32] {
    tensor
        .as_slice::<f32>()
        .expect("a contiguous f32 tensor: kernels run in single precision")
}

/// `x`, changed by `change` block by block on all threads: in its own memory if nothing else holds it, else in a copy.
/// `change` receives a block's number and its elements, `block` of them but in the last one.
pub(super) fn in_place(
    x: CpuTensor,
    block: usize,
    change: impl Fn(usize, &mut [f32]) + Send + Sync,
) -> CpuTensor {
    let mut x = contiguous(x);
    let len = slice(&x).len();
    if let Some(whole) = x.try_storage_mut::<f32>()
        && whole.len() == len
    {
        let blocks = whole.par_chunks_mut(block).enumerate();
        blocks.for_each(|(i, values)| change(i, values));
        return x;
    }
    let mut out = vec![0.0; len];
    out.par_chunks_mut(block)
        .zip(slice(&x).par_chunks(block))
        .enumerate()
        .for_each(|(i, (out, x))| {
            out.copy_from_slice(x);
            change(i, out);
        });
    tensor(out, x.shape())
}

/// A tensor that owns `data`.
pub(super) fn tensor(data: Vec<f32>, shape: impl Into<Shape>) -> CpuTensor {
    Flex::float_from_data(TensorData::new(data, shape), &Default::default())
}

/// The size of the last axis.
pub(super) fn width(tensor: &CpuTensor) -> usize {
    tensor.shape().iter().last().copied().unwrap_or(1)
}

/// A matrix inside a slice: element (r, c) is at `r * row + c * column`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix whose rows start `row` elements apart.
    pub(super) fn rows(data: &'a [f32], row: usize) -> Self {
        Self {
            data,
            row,
            column: 1,
        }
    }

    /// The transpose: the same memory with the axes swapped.
    pub(super) fn t(self) -> Self {
        Self {
            data: self.data,
            row: self.column,
            column: self.row,
        }
    }

    /// The rows from `first` on.
    fn rows_from(self, first: usize) -> Self {
        Self {
            data: &self.data[first * self.row..],
            ..self
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }
}

/// `out = alpha * a b` for `a: [m, k]`, `b: [k, n]`, `out: [m, n]` row-major, on this thread.
///
/// # Panics
/// If a slice is too short for its sizes, or a size is zero.
pub(super) fn matmul(sizes: [usize; 3], alpha: f32, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) {
    product(sizes, alpha, a, b, uninit(out), gemm::Parallelism::None);
}

/// Numbers as memory for a product, which only writes numbers.
fn uninit(out: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    // SAFETY: what is given out stays in this module and its children, which write numbers only.
    unsafe { &mut *(std::ptr::from_mut(out) as *mut [MaybeUninit<f32>]) }
}

/// `a b` in memory that nothing has been written to, which is returned; on this thread.
pub(super) fn part_of_product<'o>(
    sizes: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &'o mut [MaybeUninit<f32>],
) -> &'o mut [f32] {
    product(sizes, 1.0, a, b, out, gemm::Parallelism::None)
}

/// `a b`, on all threads if it is worth it.
pub(super) fn whole_product([m, k, n]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    let parallelism = if m.saturating_mul(k).saturating_mul(n) >= PARALLEL {
        gemm::Parallelism::Rayon(0)
    } else {
        gemm::Parallelism::None
    };
    let mut out = Vec::with_capacity(m * n);
    product([m, k, n], 1.0, a, b, out.spare_capacity_mut(), parallelism);
    // SAFETY: the product has written m n elements.
    unsafe { out.set_len(m * n) };
    out
}

/// Multiplications from which a product gains from several threads.
const PARALLEL: usize = 1 << 22;

/// `out = alpha * a b`, whatever `out` holds. Returns what was written.
fn product<'o>(
    [m, k, n]: [usize; 3],
    alpha: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &'o mut [MaybeUninit<f32>],
    parallelism: gemm::Parallelism,
) -> &'o mut [f32] {
    assert!(m > 0 && k > 0 && n > 0 && a.holds(m, k) && b.holds(k, n) && out.len() >= m * n);
    // SAFETY: every element that gemm touches was just checked to lie inside its slice, and `out`
    // is borrowed mutably, so it cannot overlap the inputs.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr().cast(),
            1,
            n as isize,
            false,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            0.0,
            alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
    // SAFETY: gemm, told not to read the destination (the first `false`), has written m n elements.
    unsafe { out[..m * n].assume_init_mut() }
}

/// Adds each of `partials`, of length `total.len()`, to `total` in order.
pub(super) fn add_partials(total: &mut [f32], partials: &[f32]) {
    for partial in partials.chunks_exact(total.len()) {
        for (sum, value) in total.iter_mut().zip(partial) {
            *sum += value;
        }
    }
}
