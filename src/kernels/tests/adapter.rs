//! Compares operations on a graphics adapter with their plain formulas on the CPU.

use super::*;
use crate::device::{self, Choice};
use std::sync::OnceLock;

/// Any adapter; Mesa's software one will do.
fn adapter() -> Device {
    static ADAPTER: OnceLock<Device> = OnceLock::new();
    let open = || device::open(Choice::Wgpu(None)).expect("an adapter").device;
    ADAPTER.get_or_init(open).clone()
}

/// The same leaf on the adapter.
fn there<const R: usize>(x: &Tensor<R>) -> Tensor<R> {
    let data = x.clone().detach().into_data();
    Tensor::from_data(data, &adapter().autodiff()).require_grad()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn neural_field_is_its_formula(
        (patches, side, e, ratio) in (1usize..9, 1usize..9, 2usize..70, 1usize..4),
        seed in 0u64..1000,
    ) {
        let (z, w, norm) = field_inputs([patches, side * side, e, ratio], seed);
        let expected = reference::neural_field(z.clone(), w.clone(), norm.clone());
        let (z2, w2, norm2) = (there(&z), there(&w), there(&norm));
        let found = neural_field(z2.clone(), w2.clone(), norm2.clone(), MatmulPrecision::Single);
        assert_close(&values(found.clone()), &values(expected.clone()), "output");
        let weights = random(expected.dims(), 99);
        let a = (found * there(&weights).detach()).sum().backward();
        let b = (expected * weights.detach()).sum().backward();
        let gradient = |found: Option<Tensor<2>>, expected: Option<Tensor<2>>, what: &str| {
            assert_close(&values(found.unwrap()), &values(expected.unwrap()), what);
        };
        gradient(w2.grad(&a), w.grad(&b), "weights");
        assert_close(&values(z2.grad(&a).unwrap()), &values(z.grad(&b).unwrap()), "z");
        let (found, expected) = (norm2.grad(&a).unwrap(), norm.grad(&b).unwrap());
        assert_close(&values(found), &values(expected), "norm");
    }

    #[test]
    fn the_potentials_gradient_is_its_formula(
        (batch, height, width) in (1usize..3, 1usize..6, long()),
        (classes, dims) in (long(), 3usize..17),
        temperature in 0.1f64..4.0,
        operator in 0usize..Operator::ALL.len(),
        seed in 0u64..1000,
    ) {
        let centroids = Centroids::kronecker_in(classes, dims);
        let x = random([batch, dims, height, width], seed).inner();
        let labels: Vec<i32> = (0..batch * height * width)
            .map(|pixel| if pixel % 7 == 3 { -1 } else { (pixel * 13 % classes) as i32 })
            .collect();
        let potential = Potential {
            operator: Operator::ALL[operator],
            temperature,
            epsilon: 1e-2,
        };
        let of = |device: &Device, gradient: Gradient| {
            let labels = TensorData::new(labels.clone(), [batch, height, width]);
            let labels = Tensor::from_data(labels, device);
            let x = Tensor::from_data(x.clone().into_data(), device);
            values(gradient(x, labels, &centroids, potential))
        };
        let found = of(&adapter(), potential_gradient);
        let expected = of(&Device::flex(), reference::potential::gradient);
        assert_close(&found, &expected, "gradient");
    }
}

/// A shader compiler may assume that there are no NaNs, and then compiles comparisons with them away.
#[test]
fn a_step_with_a_gradient_of_nan_changes_nothing() {
    let update = AdamWUpdate {
        rate: 0.01,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        decay: 0.1,
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let start = |seed| there(&random([3, 70], seed)).inner();
        let (p, m, v) = (start(1), start(2), start(3).abs());
        let mut gradient = values(start(4));
        gradient[101] = value;
        let gradient = Tensor::<2>::from_data(TensorData::new(gradient, [3, 70]), &adapter());
        let norm = square_sum(gradient.clone()).sqrt();
        let finite = norm.clone().is_finite();
        assert_eq!(values(finite.clone().float()), [0.0]);
        let scale = norm.zeros_like().mask_where(finite, norm.ones_like());
        let number = scale.ones_like();
        let before = (p.clone(), m.clone(), v.clone());
        let after = adamw_update(p, gradient, scale, m, v, number, update);
        assert_eq!(values(after.0), values(before.0));
        assert_eq!(values(after.1), values(before.1));
        assert_eq!(values(after.2), values(before.2));
    }
}

#[test]
fn a_pixel_whose_outputs_are_nan_has_no_class() {
    let mut features = values(random([2, 4, 3], 1));
    features[7] = f32::NAN;
    let z = Tensor::<3>::from_data(TensorData::new(features, [2, 4, 3]), &adapter());
    let weight = there(&random([3, 5], 2)).inner();
    let shares = there(&random([4, 1], 3)).inner();
    let around = there(&random([2, 1, 5], 4)).inner();
    let found = argmax(z, weight, shares, around)
        .into_data()
        .convert::<i32>();
    for (pixel, class) in found.try_to_vec::<i32>().unwrap().into_iter().enumerate() {
        assert_eq!(class == 5, pixel == 2, "{class} at {pixel}");
    }
}
