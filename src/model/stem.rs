//! The pixel stem: features of each pixel's neighbourhood for the neural field, which otherwise
//! sees only the pixel's own colour and its token. Outlines can then follow the photo instead of
//! the patch.

use super::init::Initializer;
use super::linear::Linear;
use super::resize::{self, Filter};
use crate::kernels::{self, MatmulPrecision};
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
pub(crate) const BLOCK: usize = 4;

impl Stem {
    /// A stem of width `width` (S) for pixels of `pixel_width` (E) features. Weights are drawn in the order of the
    /// fields.
    pub(super) fn init(width: usize, pixel_width: usize, init: &mut Initializer) -> Self {
        Self {
            half: init.linear(9 * 4 * 3, width, true),
            quarter: init.linear(9 * 4 * width, 2 * width, true),
            of_half: init.linear(width, pixel_width, true),
            of_quarter: init.linear(2 * width, pixel_width, true),
        }
    }

    /// The number of parameters of such a stem.
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
        let half = kernels::gelu(apply(&self.half, kernels::neighbourhoods(photo), precision));
        let deeper = kernels::neighbourhoods(half.clone());
        let quarter = kernels::gelu(apply(&self.quarter, deeper, precision));
        let at_half = whole.map(|side| side / 2);
        let coarse = apply(&self.of_quarter, quarter, precision);
        let features =
            apply(&self.of_half, half, precision) + resize::planes(coarse, at_half, Filter::Linear);
        let features = resize::planes(features, whole, Filter::Linear);
        features.slice(s![.., .., 0..height, 0..width])
    }
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
}
