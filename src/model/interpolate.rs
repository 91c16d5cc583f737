//! Interpolates values of tokens at the pixels.

use crate::patches::Patches;
use burn::tensor::{Device, Tensor, TensorData};

/// A token and its eight neighbours, row by row.
const NEIGHBOURS: usize = 9;

/// Values of tokens, `[B, L, N]`, at every pixel of their patches, `[B L, p p, N]`. A token's value
/// is at the centre of its patch; between four centres it is bilinear, and beyond the outermost
/// centres it is constant.
pub(super) fn to_pixels(values: Tensor<3>, cut: Patches) -> Tensor<3> {
    let shares = shares(cut.side, &values.device());
    shares.unsqueeze::<3>().matmul(around(values, cut))
}

/// The values of every token and its neighbours, `[B, L, N]` to `[B L, 9, N]`; a token at the
/// border is its own neighbour outside the grid.
pub(super) fn around(values: Tensor<3>, cut: Patches) -> Tensor<3> {
    let [batch, tokens, channels] = values.dims();
    let indices = TensorData::new(neighbours(cut.grid()), [tokens * NEIGHBOURS]);
    let indices = Tensor::from_data(indices, &values.device());
    let around = values.select(1, indices);
    around.reshape([batch * tokens, NEIGHBOURS, channels])
}

/// The weight of each neighbour at the pixels of a patch of side `patch`, `[p p, 9]`: the weights
/// of a pixel sum to 1.
pub(super) fn shares(patch: usize, device: &Device) -> Tensor<2> {
    let shares = TensorData::new(share_table(patch), [patch * patch, NEIGHBOURS]);
    Tensor::from_data(shares, device)
}

/// The numbers of [`shares`].
pub(crate) fn share_table(patch: usize) -> Vec<f32> {
    let axis: Vec<[f32; 3]> = (0..patch)
        .map(|i| {
            let from_middle = (i as f32 + 0.5) / patch as f32 - 0.5;
            let (before, after) = ((-from_middle).max(0.0), from_middle.max(0.0));
            [before, 1.0 - before - after, after]
        })
        .collect();
    let mut shares = Vec::with_capacity(patch * patch * NEIGHBOURS);
    for v in &axis {
        for u in &axis {
            shares.extend(v.iter().flat_map(|v| u.iter().map(move |u| v * u)));
        }
    }
    shares
}

/// The indices of every token's neighbours, `[L, 9]`.
fn neighbours([rows, columns]: [usize; 2]) -> Vec<i32> {
    let near = |at: usize, count: usize| [at.saturating_sub(1), at, (at + 1).min(count - 1)];
    let mut indices = Vec::with_capacity(rows * columns * NEIGHBOURS);
    for row in 0..rows {
        for column in 0..columns {
            for r in near(row, rows) {
                indices.extend(near(column, columns).map(|c| (r * columns + c) as i32));
            }
        }
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensors::read;

    #[test]
    fn a_slope_stays_a_slope_and_ends_flat() {
        // Two rows of three tokens in two channels: the first increases by 1 per column and by 10
        // per row, the second decreases twice as fast; the second batch entry is 100 above the
        // first.
        let cut = Patches {
            size: [7, 12],
            side: 4,
        };
        let slope = |row: f32, column: f32| 10.0 * row + column;
        let values = (0..12).flat_map(|i| {
            let (entry, row, column) = (i / 6, i % 6 / 3, i % 3);
            let value = 100.0 * entry as f32 + slope(row as f32, column as f32);
            [value, -2.0 * value]
        });
        let values = TensorData::new(values.collect(), [2, 6, 2]);
        let pixels = to_pixels(Tensor::from_data(values, &Device::flex()), cut);
        assert_eq!(pixels.dims(), [12, 16, 2]);
        for (index, found) in read(pixels).chunks_exact(2).enumerate() {
            let (entry, token, pixel) = (index / 96, index / 16 % 6, index % 16);
            let along = |token: usize, pixel: usize, count: usize| {
                let at = token as f32 + (pixel as f32 + 0.5) / 4.0 - 0.5;
                at.clamp(0.0, (count - 1) as f32)
            };
            let (row, column) = (
                along(token / 3, pixel / 4, 2),
                along(token % 3, pixel % 4, 3),
            );
            let expected = 100.0 * entry as f32 + slope(row, column);
            assert!(
                (found[0] - expected).abs() < 1e-4,
                "{index}: {found:?} {expected}"
            );
            assert!(
                (found[1] + 2.0 * expected).abs() < 2e-4,
                "{index}: {found:?}"
            );
        }
    }
}
