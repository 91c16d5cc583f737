//! Pixels in the order of patches, `[B rows columns, p p, C]`, and as an image, `[B, C, rows p, columns p]`, on the CPU.

use super::{self as cpu, CpuTensor, contiguous, slice};
use burn::backend::TensorMetadata;
use rayon::prelude::*;

/// Patches of a task.
const PATCHES_PER_TASK: usize = 16;

/// Sizes of an image and its patches.
struct Cut {
    batch: usize,
    channels: usize,
    /// Rows and columns of patches.
    rows: usize,
    columns: usize,
    /// Side of a patch.
    side: usize,
}

impl Cut {
    /// That of `pixels` on a grid of `[rows, columns]` patches.
    fn new(pixels: &CpuTensor, [rows, columns]: [usize; 2]) -> Self {
        let shape = pixels.shape();
        Self {
            batch: shape[0] / (rows * columns),
            channels: shape[2],
            rows,
            columns,
            side: shape[1].isqrt(),
        }
    }

    /// Columns of pixels.
    fn width(&self) -> usize {
        self.columns * self.side
    }

    /// Pixels of a plane.
    fn plane(&self) -> usize {
        self.rows * self.side * self.width()
    }

    /// Values of a patch.
    fn patch(&self) -> usize {
        self.side * self.side * self.channels
    }
}

/// `pixels: [B rows columns, p p, C]` as an image, `[B, C, rows p, columns p]`.
pub(crate) fn from_patches(pixels: CpuTensor, grid: [usize; 2]) -> CpuTensor {
    let cut = Cut::new(&pixels, grid);
    let (pixels, p) = (contiguous(pixels), cut.side);
    let mut out = vec![0.0; slice(&pixels).len()];
    // One row of patches in one channel at a time.
    out.par_chunks_mut(p * cut.width())
        .enumerate()
        .for_each(|(index, out)| {
            let (plane, row) = (index / cut.rows, index % cut.rows);
            let (entry, channel) = (plane / cut.channels, plane % cut.channels);
            let first = (entry * cut.rows + row) * cut.columns * cut.patch();
            let patches = slice(&pixels)[first..].chunks_exact(cut.patch());
            for (column, patch) in (0..cut.columns).zip(patches) {
                let mut values = patch[channel..].iter().step_by(cut.channels);
                for line in out.chunks_exact_mut(cut.width()) {
                    let line = &mut line[column * p..][..p];
                    for (out, value) in line.iter_mut().zip(&mut values) {
                        *out = *value;
                    }
                }
            }
        });
    cpu::tensor(
        out,
        [cut.batch, cut.channels, cut.rows * p, cut.columns * p],
    )
}

/// Pixels of patches plus those of `image: [B, C, rows p, columns p]`.
pub(crate) fn add_image(pixels: CpuTensor, image: CpuTensor) -> CpuTensor {
    let shape = image.shape();
    let side = pixels.shape()[1].isqrt();
    let cut = Cut::new(&pixels, [shape[2] / side, shape[3] / side]);
    let image = contiguous(image);
    let planes = slice(&image);
    cpu::in_place(pixels, PATCHES_PER_TASK * cut.patch(), |task, patches| {
        let first = task * PATCHES_PER_TASK;
        for (index, patch) in (first..).zip(patches.chunks_exact_mut(cut.patch())) {
            let (entry, column) = (index / cut.columns / cut.rows, index % cut.columns);
            let row = index / cut.columns % cut.rows;
            let corner = row * side * cut.width() + column * side;
            for (y, line) in patch.chunks_exact_mut(side * cut.channels).enumerate() {
                for channel in 0..cut.channels {
                    let plane = &planes[(entry * cut.channels + channel) * cut.plane()..];
                    let values = &plane[corner + y * cut.width()..][..side];
                    let line = line[channel..].iter_mut().step_by(cut.channels);
                    for (pixel, value) in line.zip(values) {
                        *pixel += value;
                    }
                }
            }
        }
    })
}
