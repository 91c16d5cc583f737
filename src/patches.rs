//! Cuts images into the square patches that a network works on.

use crate::device::permute;
use crate::kernels;
use burn::tensor::{Int, Tensor, kind::Numeric, ops::PadMode};

/// How images of one size are cut. If a side is not a multiple of the patch size, the image is
/// padded on the right and at the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Height and width of the image.
    pub size: [usize; 2],
    /// Side of a patch in pixels, p.
    pub side: usize,
}

impl Patches {
    /// Rows and columns of patches; their product is L.
    pub fn grid(self) -> [usize; 2] {
        self.size.map(|side| side.div_ceil(self.side))
    }

    /// Height and width of the padded image.
    pub fn whole(self) -> [usize; 2] {
        self.size.map(|side| side.next_multiple_of(self.side))
    }

    /// An image `[B, C, H, W]` padded to whole patches by repeating its border pixels.
    pub fn continued(self, image: Tensor<4>) -> Tensor<4> {
        self.padded(image, PadMode::Edge)
    }

    /// `[B, C, H, W]` to `[B L, C, p p]`, padded by repeating the border pixels.
    pub fn cut(self, image: Tensor<4>) -> Tensor<3> {
        let [batch, channels, ..] = image.dims();
        let ([rows, columns], p) = (self.grid(), self.side);
        let patches = self
            .continued(image)
            .reshape([batch, channels, rows, p, columns, p]);
        permute(patches, [0, 2, 4, 1, 3, 5]).reshape([batch * rows * columns, channels, p * p])
    }

    /// Pixels of patches, `[B L, p p, C]`, back to `[B, C, H, W]`.
    pub fn image(self, pixels: Tensor<3>) -> Tensor<4> {
        let [patches, _, channels] = pixels.dims();
        let [rows, columns] = self.grid();
        let ([height, width], batch) = (self.size, patches / (rows * columns));
        kernels::from_patches(pixels, [rows, columns]).slice([
            0..batch,
            0..channels,
            0..height,
            0..width,
        ])
    }

    /// Patches with one number per pixel, `[B L, p p]`, back to `[B, H, W]`.
    pub fn map(self, pixels: Tensor<2, Int>) -> Tensor<3, Int> {
        let ([rows, columns], p) = (self.grid(), self.side);
        let ([height, width], batch) = (self.size, pixels.dims()[0] / (rows * columns));
        pixels
            .reshape([batch, rows, columns, p, p])
            .swap_dims(2, 3)
            .reshape([batch, rows * p, columns * p])
            .slice([0..batch, 0..height, 0..width])
    }

    /// A map with one number per pixel, `[B, H, W]`, in the order of the patches' pixels,
    /// `[B L, p p]`, padded with `beyond`.
    pub fn cut_map<K: Numeric>(self, map: Tensor<3, K>, beyond: f32) -> Tensor<2, K> {
        let map = self.padded(map, PadMode::Constant(beyond));
        let ([rows, columns], p) = (self.grid(), self.side);
        let batch = map.dims()[0];
        map.reshape([batch, rows, p, columns, p])
            .swap_dims(2, 3)
            .reshape([batch * rows * columns, p * p])
    }

    fn padded<const D: usize, K: Numeric>(self, x: Tensor<D, K>, mode: PadMode) -> Tensor<D, K> {
        let [height, width] = self.size;
        let [whole_height, whole_width] = self.whole();
        let (bottom, right) = (whole_height - height, whole_width - width);
        match (bottom, right) {
            (0, 0) => x,
            _ => x.pad((0, right, 0, bottom), mode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensors::read;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn a_map_comes_back_from_its_patches() {
        for (size, side) in [([4, 6], 2), ([5, 3], 4), ([1, 1], 3)] {
            let cut = Patches { size, side };
            let count = 2 * size[0] * size[1];
            let numbers = TensorData::new((0..count as i32).collect(), [2, size[0], size[1]]);
            let map = Tensor::<3, Int>::from_data(numbers.clone(), &Device::flex());
            let patches = cut.cut_map(map, -1.0);
            let [rows, columns] = cut.grid();
            assert_eq!(patches.dims(), [2 * rows * columns, side * side]);
            let back = cut.map(patches).into_data().convert::<i32>();
            back.assert_eq(&numbers, true);
        }
    }

    #[test]
    fn an_image_and_its_map_are_cut_alike() {
        let cut = Patches {
            size: [5, 7],
            side: 3,
        };
        let image = Tensor::<4>::from_data(
            TensorData::new((0..70).map(|v| v as f32).collect(), [2, 1, 5, 7]),
            &Device::flex(),
        );
        let patches = cut.cut(image.clone()).swap_dims(1, 2);
        let back = cut.image(patches.clone());
        back.into_data().assert_eq(&image.to_data(), true);
        // Beyond the border the image is repeated and the map has its own value.
        let map = read(cut.cut_map(image.squeeze_dim(1), -1.0));
        let [rows, columns] = cut.grid();
        for (index, found) in read(patches).into_iter().enumerate() {
            let (patch, pixel) = (index / 9, index % 9);
            let (entry, patch) = (patch / (rows * columns), patch % (rows * columns));
            let (row, column) = (
                patch / columns * 3 + pixel / 3,
                patch % columns * 3 + pixel % 3,
            );
            let inside = row < 5 && column < 7;
            let nearest = (entry * 35 + row.min(4) * 7 + column.min(6)) as f32;
            assert_eq!(found, nearest);
            assert_eq!(map[index], if inside { nearest } else { -1.0 });
        }
    }
}
