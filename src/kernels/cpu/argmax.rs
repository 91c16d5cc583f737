//! The class of every pixel on the CPU, patch by patch: the outputs of all classes, by far the
//! largest values of a forward pass, never leave the processor's cache.

use super::{Matrix, matmul};
use crate::simd::{max, wide};
use rayon::prelude::*;

/// The inputs of the outputs `z W + shares values`; patches are independent.
pub(super) struct Outputs<'a> {
    /// Features of the pixels, `[patches, P, E]`.
    pub features: &'a [f32],
    /// W, `[E, N]`.
    pub weight: &'a [f32],
    /// The weight of each of a patch's K values in each pixel, `[P, K]`.
    pub shares: &'a [f32],
    /// `[patches, K, N]`
    pub values: &'a [f32],
}

/// The index of the largest output in each pixel, the first among equals: `[patches, P]`; the number of
/// outputs where one of them is not finite.
pub(super) fn forward(outputs: &Outputs<'_>, [patches, pixels, width]: [usize; 3]) -> Vec<f32> {
    let classes = outputs.weight.len() / width;
    let kept = outputs.shares.len() / pixels;
    let inner = width + kept;
    let mut out = vec![0.0; patches * pixels];
    out.par_chunks_mut(pixels)
        .zip(outputs.features.par_chunks(pixels * width))
        .zip(outputs.values.par_chunks(kept * classes))
        .for_each_init(
            || Scratch::new(outputs, [pixels, inner, classes]),
            |scratch, ((out, features), values)| {
                for (row, features) in scratch
                    .left
                    .chunks_exact_mut(inner)
                    .zip(features.chunks_exact(width))
                {
                    row[..width].copy_from_slice(features);
                }
                scratch.right[width * classes..].copy_from_slice(values);
                let (left, right) = (
                    Matrix::rows(&scratch.left, inner),
                    Matrix::rows(&scratch.right, classes),
                );
                let shape = [pixels, inner, classes];
                matmul(shape, 1.0, left, right, &mut scratch.product);
                wide!({
                    for (out, row) in out.iter_mut().zip(scratch.product.chunks_exact(classes)) {
                        let finite = row.iter().fold(true, |all, v| all & v.is_finite());
                        let largest = max(row);
                        let index = row.iter().position(|v| *v == largest);
                        *out = index.filter(|_| finite).unwrap_or(classes) as f32;
                    }
                });
            },
        );
    out
}

/// `[z | shares]`, `[W ; values]` and their product; the buffers are reused for every patch.
struct Scratch {
    left: Vec<f32>,
    right: Vec<f32>,
    product: Vec<f32>,
}

impl Scratch {
    fn new(outputs: &Outputs<'_>, [pixels, inner, classes]: [usize; 3]) -> Self {
        let kept = outputs.shares.len() / pixels;
        let mut left = vec![0.0; pixels * inner];
        for (row, shares) in left
            .chunks_exact_mut(inner)
            .zip(outputs.shares.chunks_exact(kept))
        {
            row[inner - kept..].copy_from_slice(shares);
        }
        let mut right = outputs.weight.to_vec();
        right.resize(inner * classes, 0.0);
        Self {
            left,
            right,
            product: vec![0.0; pixels * classes],
        }
    }
}
