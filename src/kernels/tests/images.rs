//! The operations on images and patches.

use super::*;

proptest! {
    #![proptest_config(configured())]

    #[test]
    fn planes_are_their_formulas(
        (batch, channels, rows, columns) in (1usize..3, 1usize..4, 1usize..20, length()),
        seed in 0u64..1000,
    ) {
        let x = random([batch, channels, rows, columns], seed);
        compare!(doubled(x.clone()), reference::doubled(x.clone()), x);
        let x = random([batch, channels, 2 * rows, 2 * columns], seed);
        compare!(neighbourhoods(x.clone()), reference::neighbourhoods(x.clone()), x);
    }

    #[test]
    fn patches_are_their_formulas(
        (batch, channels, rows, columns, side) in (1usize..3, 1usize..20, 1usize..6, 1usize..6, 1usize..9),
        seed in 0u64..1000,
    ) {
        let pixels = random([batch * rows * columns, side * side, channels], seed);
        let grid = [rows, columns];
        compare!(from_patches(pixels.clone(), grid), reference::from_patches(pixels.clone(), grid), pixels);
        let plane = random([batch, channels, rows * side, columns * side], seed + 1);
        compare!(
            add_image(pixels.clone(), plane.clone()),
            reference::add_image(pixels.clone(), plane.clone()),
            pixels,
            plane
        );
    }
}

#[test]
fn channels_hold_blocks_and_neighbours() {
    let plane: Vec<f32> = (0..16).map(|i| (10 * (i / 4) + i % 4) as f32).collect();
    let x = Tensor::<4>::from_data(
        TensorData::new(plane.repeat(3), [1, 3, 4, 4]),
        &Device::flex(),
    );
    for around in [neighbourhoods(x.clone()), reference::neighbourhoods(x)] {
        let around = values(around);
        // The block's own pixels, then the first pixel of the block at (1, 0) and of its neighbours.
        let own = 4 * 12 * 4;
        assert_eq!(around[own..own + 4], [0.0, 2.0, 20.0, 22.0]);
        assert_eq!(around[own + 12..own + 16], [11.0, 13.0, 31.0, 33.0]);
        let at = |neighbour: usize| around[neighbour * 12 * 4 + 2];
        assert_eq!(
            [at(0), at(2), at(4), at(5), at(7)],
            [0.0, 2.0, 20.0, 22.0, 20.0]
        );
    }
}
