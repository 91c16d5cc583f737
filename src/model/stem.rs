//! The pixel stem: features of each pixel's neighbourhood for the neural field, which otherwise
//! sees only the pixel's own colour and its token. Outlines can then follow the photo instead of
//! the patch.

use super::init::Initializer;
use super::linear::Linear;
use super::matmul_precision::MatmulPrecision;
use super::resize::{self, Filter};
use crate::device::permute;
use crate::kernels;
use burn::module::Module;
use burn::tensor::{Tensor, ops::PadMode, s};

/// Features of 3 x 3 neighbourhoods at half and at a quarter of the photo's resolution, with widths
/// S and 2 S, projected to the pixel width E, scaled bilinearly to the photo's size and added up.
#[derive(Module, Debug)]
pub struct Stem {
    /// `[9 * 4 * 3, S]`
    pub half: Linear,
    /// `[9 * 4 * S, 2 S]`
    pub quarter: Linear,
    /// `[S, E]`
    pub of_half: Linear,
    /// `[2 S, E]`
    pub of_quarter: Linear,
}

/// Side of the smallest block that both resolutions divide evenly.
const BLOCK: usize = 4;

impl Stem {
    /// A stem of width `width` (S) for pixels of `pixel_width` (E) features.
    pub(super) fn init(width: usize, pixel_width: usize, init: &mut Initializer) -> Self {
        Self {
            half: init.linear(9 * 4 * 3, width, true),
            quarter: init.linear(9 * 4 * width, 2 * width, true),
            of_half: init.linear(width, pixel_width, true),
            of_quarter: init.linear(2 * width, pixel_width, true),
        }
    }

    pub(super) fn parameters(width: usize, pixel_width: usize) -> usize {
        let linear = |from: usize, to: usize| from * to + to;
        linear(9 * 4 * 3, width)
            + linear(9 * 4 * width, 2 * width)
            + linear(width, pixel_width)
            + linear(2 * width, pixel_width)
    }

    /// Features of every pixel of `photo: [B, 3, H, W]`: `[B, E, H, W]`.
    pub(super) fn forward(&self, photo: Tensor<4>, precision: MatmulPrecision) -> Tensor<4> {
        let [_, _, height, width] = photo.dims();
        let whole = [height, width].map(|side| side.next_multiple_of(BLOCK));
        let (right, bottom) = (whole[1] - width, whole[0] - height);
        let photo = match (right, bottom) {
            (0, 0) => photo,
            _ => photo.pad((0, right, 0, bottom), PadMode::Edge),
        };
        let half = kernels::gelu(apply(&self.half, neighbourhoods(halved(photo)), precision));
        let deeper = neighbourhoods(halved(half.clone()));
        let quarter = kernels::gelu(apply(&self.quarter, deeper, precision));
        let at_half = whole.map(|side| side / 2);
        let coarse = apply(&self.of_quarter, quarter, precision);
        let features =
            apply(&self.of_half, half, precision) + resize::planes(coarse, at_half, Filter::Linear);
        let features = resize::planes(features, whole, Filter::Linear);
        features.slice(s![.., .., 0..height, 0..width])
    }
}

/// 2 x 2 blocks of pixels as channels: `[B, C, H, W]` to `[B, 4 C, H / 2, W / 2]`.
fn halved(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let (rows, columns) = (height / 2, width / 2);
    let blocks = x.reshape([batch, channels, rows, 2, columns, 2]);
    permute(blocks, [0, 1, 3, 5, 2, 4]).reshape([batch, 4 * channels, rows, columns])
}

/// Every pixel with its eight neighbours as channels: `[B, C, H, W]` to `[B, 9 C, H, W]`. The border
/// is repeated.
fn neighbourhoods(x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let wide = x.pad((1, 1, 1, 1), PadMode::Edge);
    let shifted = (0..9).map(|i| {
        let (row, column) = (i / 3, i % 3);
        wide.clone()
            .slice(s![.., .., row..row + height, column..column + width])
    });
    Tensor::cat(shifted.collect(), 1)
}

/// A linear layer over the channels of `[B, C, H, W]`. The transposed weights come first in the
/// product, so that no plane has to be reordered.
fn apply(linear: &Linear, x: Tensor<4>, precision: MatmulPrecision) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [_, out] = linear.weight.dims();
    let weight = linear.weight.val().transpose().unsqueeze::<3>();
    let weight = weight.expand([batch, out, channels]);
    let mut y = precision.matmul(weight, x.reshape([batch, channels, height * width]));
    if let Some(bias) = &linear.bias {
        y = y + bias.val().reshape([1, out, 1]);
    }
    y.reshape([batch, out, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensors::read;
    use burn::tensor::{Device, TensorData};

    fn photo(size: [usize; 2], value: impl Fn(usize, usize) -> f32) -> Tensor<4> {
        let [height, width] = size;
        let plane = (0..height * width).map(|i| value(i / width, i % width));
        let plane: Vec<f32> = plane.collect();
        let data = TensorData::new(plane.repeat(3), [1, 3, height, width]);
        Tensor::from_data(data, &Device::flex())
    }

    #[test]
    fn a_pixel_sees_its_neighbourhood_and_nothing_far_away() {
        let device = Device::flex();
        let stem = Stem::init(4, 5, &mut Initializer::new(3, &device));
        let size = [30, 42];
        let features = |x| read(stem.forward(x, MatmulPrecision::Single));
        let plain = features(photo(size, |_, _| 0.2));
        assert_eq!(plain.len(), 5 * 30 * 42);
        let dotted = features(photo(size, |row, column| match (row, column) {
            (10, 20) => 1.0,
            _ => 0.2,
        }));
        let changed = |row: usize, column: usize| {
            (0..5).any(|e| {
                let at = e * 30 * 42 + row * 42 + column;
                (plain[at] - dotted[at]).abs() > 1e-6
            })
        };
        assert!(changed(10, 20) && changed(8, 18) && changed(13, 24));
        assert!(!changed(29, 41) && !changed(0, 0) && !changed(10, 40));
    }

    #[test]
    fn channels_hold_blocks_and_neighbours() {
        let x = photo([4, 4], |row, column| (10 * row + column) as f32);
        let blocks = read(halved(x.clone()).narrow(1, 0, 4));
        assert_eq!(blocks[..4], [0.0, 2.0, 20.0, 22.0]);
        assert_eq!(blocks[12..], [11.0, 13.0, 31.0, 33.0]);
        let around = read(neighbourhoods(x));
        // The pixel at (1, 2): its upper left neighbour comes first; there is one plane per shift.
        let at = |shift: usize| around[shift * 3 * 16 + 6];
        assert_eq!([at(0), at(4), at(8)], [1.0, 12.0, 23.0]);
    }
}
