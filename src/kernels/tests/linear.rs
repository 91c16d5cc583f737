//! Linear layers, in single precision and in bfloat16.

use super::*;

proptest! {
    #![proptest_config(configured())]

    #[test]
    fn linear_is_its_formula(
        (repeats, period, from, to) in (length(), prop_oneof![3 => Just(1usize), 1 => 2usize..5], length(), long()),
        seed in 0u64..1000,
    ) {
        let x = random([repeats * period, from], seed);
        let (w, b) = (random([from, to], seed + 1), random([period, to], seed + 2));
        compare!(
            linear(x.clone(), w.clone(), Some(b.clone()), MatmulPrecision::Single, None),
            reference::linear(x.clone(), w.clone(), Some(b.clone()), MatmulPrecision::Single),
            x,
            w,
            b
        );
        compare!(
            linear(x.clone(), w.clone(), None, MatmulPrecision::Single, None),
            reference::linear(x.clone(), w.clone(), None, MatmulPrecision::Single),
            x,
            w
        );
    }

    /// Against products in single precision, within the rounding of both operands to 8 bits.
    #[test]
    fn linear_in_bfloat16_rounds_its_operands(
        (rows, from, to) in (prop_oneof![length(), Just(61usize)], long(), long()),
        seed in 0u64..1000,
    ) {
        let x = random([rows, from], seed);
        let (w, b) = (random([from, to], seed + 1), random([1, to], seed + 2));
        let layer = |precision| {
            let y = linear(x.clone(), w.clone(), Some(b.clone()), precision, None);
            // All gradients are those of this weighting.
            let sum = (y.clone() * random([rows, to], 99).detach()).sum().backward();
            let [dx, dw, db] = [&x, &w, &b].map(|parent| values(parent.grad(&sum).unwrap()));
            [values(y), dx, dw, db]
        };
        let single = layer(MatmulPrecision::Single);
        let rounded = layer(MatmulPrecision::Bfloat16);
        // The terms of every sum, and the rows of the product.
        let sizes = [(from, rows), (to, rows), (rows, from), (0, 0)];
        for ((single, rounded), (terms, rows)) in single.iter().zip(&rounded).zip(sizes) {
            let error = single.iter().zip(rounded).map(|(a, b)| (a - b).abs());
            let worst = error.fold(0.0, f32::max);
            // Each factor, at most 1, is rounded by 2^-9 of itself at most; errors of both signs add up.
            prop_assert!(worst <= 5.0 * (terms as f32).sqrt() / 512.0 + 1e-5, "{worst} of {terms}");
            prop_assert!(worst > 0.0 || rows < 24, "nothing was rounded");
        }
    }
}

#[test]
fn kept_weights_are_those_of_the_product() {
    // The second is large enough for a product by columns.
    for (rows, from, to) in [(40, 70, 50), (25, 1024, 1024)] {
        let x = random([rows, from], 1).inner();
        let packed = PackedWeight::default();
        let layer = |w: &Tensor<2>, packed| {
            values(linear(
                x.clone(),
                w.clone(),
                None,
                MatmulPrecision::Bfloat16,
                packed,
            ))
        };
        let mut first = random([from, to], 2).inner();
        let second = random([from, to], 3).inner();
        for _ in 0..2 {
            // The kept weight is the one that is multiplied next.
            for w in [&second, &first, &first] {
                assert_eq!(layer(w, Some(&packed)), layer(w, None));
            }
            // In the memory of the old weight, if nothing held it.
            first = first * 2.0;
        }
    }
}
