//! Kernels against their plain formulas, forward and backward, and against finite differences.

use super::*;
use crate::potential::Operator;
use burn::tensor::{Device, TensorData};

fn random<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<R> {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.random_range(-1.0f32..1.0))
        .collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
}

fn values<const R: usize>(x: Tensor<R>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().unwrap()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= 2e-5 * scale,
            "{what}[{i}]: {f} for {e} (scale {scale})"
        );
    }
}

/// Compares outputs, and the gradients that flow back from a random weighting of the output.
macro_rules! compare {
    ($fused:expr, $plain:expr, $($input:ident),+) => {{
        let fused = $fused;
        let plain = $plain;
        assert_close(&values(fused.clone()), &values(plain.clone()), "output");
        let weights = random(fused.dims(), 99).detach();
        let a = (fused * weights.clone()).sum().backward();
        let b = (plain * weights).sum().backward();
        $(
            let (x, y) = ($input.grad(&a).unwrap(), $input.grad(&b).unwrap());
            assert_close(&values(x), &values(y), stringify!($input));
        )+
    }};
}

#[test]
fn rms_norm_is_its_formula() {
    let (x, w) = (random([2, 37, 24], 1), random([24], 2));
    compare!(
        rms_norm(x.clone(), w.clone()),
        reference::rms_norm(x.clone(), w.clone()),
        x,
        w
    );
}

#[test]
fn modulated_norm_is_its_formula() {
    let (x, w) = (random([3, 45, 20], 1), random([20], 2));
    let (shift, scale) = (random([3, 1, 20], 3), random([3, 1, 20], 4));
    compare!(
        modulated_norm(x.clone(), w.clone(), shift.clone(), scale.clone()),
        reference::modulated_norm(x.clone(), w.clone(), shift.clone(), scale.clone()),
        x,
        w,
        shift,
        scale
    );
}

#[test]
fn gated_residual_is_its_formula() {
    let (x, gate, y) = (
        random([2, 9, 20], 1),
        random([2, 1, 20], 2),
        random([2, 9, 20], 3),
    );
    compare!(
        gated_residual(x.clone(), gate.clone(), y.clone()),
        x.clone() + gate.clone() * y.clone(),
        x,
        gate,
        y
    );
}

#[test]
fn swiglu_is_its_formula() {
    let (a, b) = (random([2, 9, 1001], 1), random([2, 9, 1001], 2));
    compare!(
        swiglu(a.clone(), b.clone()),
        reference::swiglu(a.clone(), b.clone()),
        a,
        b
    );
}

#[test]
fn attention_is_its_formula() {
    let (tokens, heads, d) = (15, 3, 8);
    let qkv = random([2, tokens, 3 * heads * d], 1);
    let (qn, kn) = (random([d], 2), random([d], 3));
    let (cos, sin) = crate::model::positions::rotary(3, 5, d);
    let device = qkv.device();
    let table = |v: Vec<f32>| Tensor::<2>::from_data(TensorData::new(v, [tokens, d / 2]), &device);
    let (cos, sin) = (table(cos), table(sin));
    compare!(
        rotary_attention(
            qkv.clone(),
            qn.clone(),
            kn.clone(),
            cos.clone(),
            sin.clone()
        ),
        reference::rotary_attention(qkv.clone(), qn.clone(), kn.clone(), cos, sin),
        qkv,
        qn,
        kn
    );
}

#[test]
fn self_attention_is_its_formula() {
    let (heads, d) = (3, 8);
    let qkv = random([2, 13, 3 * heads * d], 1);
    compare!(
        self_attention(qkv.clone(), heads),
        reference::self_attention(qkv.clone(), heads),
        qkv
    );
}

#[test]
fn layer_norm_is_its_formula() {
    let (x, w, b) = (random([2, 37, 24], 1), random([24], 2), random([24], 3));
    compare!(
        layer_norm(x.clone(), w.clone(), b.clone()),
        reference::layer_norm(x.clone(), w.clone(), b.clone()),
        x,
        w,
        b
    );
}

#[test]
fn gelu_is_its_formula() {
    let x = random([3, 5, 2001], 1) * 6.0;
    let x = x.detach().require_grad();
    compare!(
        gelu(x.clone()),
        burn::tensor::activation::gelu(x.clone()),
        x
    );
}

#[test]
fn cross_entropy_is_its_formula() {
    // More pixels than one task takes, more classes than one vector; labels out of range have no weight.
    let (pixels, classes) = (2500, 37);
    let logits = random([pixels, classes], 1) * 5.0;
    let logits = logits.detach().require_grad();
    let device = logits.device();
    let labels: Vec<i32> = (0..pixels as i32)
        .map(|p| match p {
            0 => -1,
            4 => 99,
            p => p * 7 % 37,
        })
        .collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [pixels]), &device);
    let weights = (0..pixels).map(|p| (p % 4) as f32 * 1e-3).collect();
    let weights = Tensor::<1>::from_data(TensorData::new(weights, [pixels]), &device);
    compare!(
        cross_entropy(logits.clone(), labels.clone(), weights.clone()),
        reference::cross_entropy(logits.clone(), labels.clone(), weights.clone()),
        logits
    );
}

#[test]
fn argmax_is_its_formula() {
    let (patches, pixels, width, kept, classes) = (5, 16, 8, 9, 21);
    let z = random([patches, pixels, width], 1).inner();
    let (weight, shares) = (
        random([width, classes], 2).inner(),
        random([pixels, kept], 3).inner(),
    );
    let values = random([patches, kept, classes], 4).inner();
    let [found, expected] = [argmax, reference::argmax].map(|f| {
        let args = (z.clone(), weight.clone(), shares.clone(), values.clone());
        f(args.0, args.1, args.2, args.3)
            .into_data()
            .convert::<i32>()
    });
    found.assert_eq(&expected, true);
    let distinct: std::collections::HashSet<i32> = found.iter::<i32>().collect();
    assert!(distinct.len() > 5);
}

#[test]
fn neural_field_is_its_formula() {
    let (patches, pixels, e, m) = (7, 16, 12, 24);
    let z = random([patches, pixels, e], 1);
    let w = random([patches, 2 * e * m], 2);
    let norm = random([e], 3);
    compare!(
        neural_field(z.clone(), w.clone(), norm.clone()),
        reference::neural_field(z.clone(), w.clone(), norm.clone()),
        z,
        w,
        norm
    );
}

#[test]
fn neural_field_gradient_is_a_finite_difference() {
    let (patches, pixels, e, m) = (2, 4, 4, 8);
    let z = random([patches, pixels, e], 1);
    let w = random([patches, 2 * e * m], 2);
    let norm = random([e], 3);
    let direction = random([patches, 2 * e * m], 4).detach();
    let grads = neural_field(z.clone(), w.clone(), norm.clone())
        .square()
        .sum()
        .backward();
    let slope = values((w.grad(&grads).unwrap() * direction.clone().inner()).sum())[0];
    let at = |h: f32| {
        let w = w.clone() + direction.clone() * h;
        values(neural_field(z.clone(), w, norm.clone()).square().sum())[0]
    };
    let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
    assert!(
        (slope - numeric).abs() < 1e-2 * numeric.abs().max(1.0),
        "{slope} for {numeric}"
    );
}

#[test]
fn adamw_and_the_moving_average_are_their_formulas() {
    let plain_tensor = |seed| random([3, 700], seed).inner();
    let moments = plain_tensor(3).abs();
    let u = AdamWUpdate {
        rate: 0.01,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        decay: 0.1,
    };
    let (p, g, m) = (plain_tensor(1), plain_tensor(2), plain_tensor(4));
    let one = |v: f32| Tensor::<1>::from_data([v], &p.device());
    for (factor, number) in [(0.5, 3.0), (0.5, 1.0), (0.0, 3.0)] {
        let (m, v) = (m.clone(), moments.clone());
        let (p, g, number, scale) = (p.clone(), g.clone(), one(number), one(factor));
        let a = adamw_update(
            p.clone(),
            g.clone(),
            scale.clone(),
            m.clone(),
            v.clone(),
            number.clone(),
            u,
        );
        let b = reference::adamw_update(p, g, scale, m, v, number, u);
        assert_close(&values(a.0), &values(b.0), "parameter");
        assert_close(&values(a.1), &values(b.1), "first moment");
        assert_close(&values(a.2), &values(b.2), "second moment");
    }
    // NaN gradients are skipped by both implementations.
    let nan = g.clone() * f32::NAN;
    for update in [adamw_update, reference::adamw_update] {
        let (m, v) = (m.clone(), moments.clone());
        let (number, scale) = (one(3.0), one(0.0));
        let nan = nan.clone();
        let after = update(p.clone(), nan, scale, m.clone(), v.clone(), number, u);
        assert_eq!(values(after.0), values(p.clone()));
        assert_eq!(values(after.1), values(m));
        assert_eq!(values(after.2), values(v));
    }
    let average = moving_average(p.clone(), g.clone(), one(0.9));
    assert_close(
        &values(average),
        &values(p.clone() * 0.9 + g.clone() * 0.1),
        "average",
    );
    assert_close(
        &values(square_sum(g.clone())),
        &values(g.square().sum()),
        "square sum",
    );
}

/// One way to compute the potential's gradient.
type Gradient = fn(Tensor<4>, Tensor<3, Int>, &Centroids, Potential) -> Tensor<4>;

#[test]
fn potential_gradient_is_its_definition() {
    let pixels = 83;
    for classes in [1, 2, 11, 171] {
        let centroids = Centroids::kronecker(classes);
        let x = random([2, 3, 1, pixels], classes as u64).inner();
        let mut host = values(x.clone());
        // One pixel exactly on a centroid, one close by.
        for axis in 0..3 {
            host[axis * pixels] = centroids.points()[0][axis] as f32;
            host[axis * pixels + 1] = centroids.points()[0][axis] as f32 + 1e-3;
        }
        let x = Tensor::<4>::from_data(
            TensorData::new(host.clone(), [2, 3, 1, pixels]),
            &Device::flex(),
        );
        let labels: Vec<i32> = (0..2 * pixels as i32)
            .map(|i| if i % 7 == 3 { -1 } else { i % classes as i32 })
            .collect();
        let label_tensor = Tensor::<3, Int>::from_data(
            TensorData::new(labels.clone(), [2, 1, pixels]),
            &Device::flex(),
        );
        for operator in Operator::ALL {
            for temperature in [0.25, 1.0, 4.0] {
                let potential = Potential {
                    operator,
                    temperature,
                    epsilon: 1e-4,
                };
                let of = |gradient: Gradient| {
                    let x = x.clone();
                    values(gradient(x, label_tensor.clone(), &centroids, potential))
                };
                let found = of(potential_gradient);
                let plain = of(reference::potential::gradient);
                for (i, &label) in labels.iter().enumerate() {
                    let at = |axis: usize| (i / pixels * 3 + axis) * pixels + i % pixels;
                    let point = [0, 1, 2].map(|a| f64::from(host[at(a)]));
                    for axis in 0..3 {
                        let expected = match usize::try_from(label) {
                            Ok(label) => {
                                potential.at(point, centroids.points(), label).gradient[axis]
                            }
                            Err(_) => 0.0,
                        };
                        for (way, found) in [("kernel", &found), ("plain", &plain)] {
                            let found = found[at(axis)];
                            let error =
                                (f64::from(found) - expected).abs() / expected.abs().max(0.01);
                            assert!(
                                error < 1e-3,
                                "{way} {operator:?} tau {temperature} N {classes} pixel {i}: \
                                 {found} for {expected}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn plain_operations_take_a_large_image_in_pieces() {
    // More than one chunk: 171 classes and 4 x 96 x 96 pixels.
    let centroids = Centroids::kronecker(171);
    let x = random([4, 3, 96, 96], 5).inner();
    let labels: Vec<i32> = (0..4 * 96 * 96).map(|i| i % 172 - 1).collect();
    let labels = TensorData::new(labels, [4, 96, 96]);
    let labels = Tensor::<3, Int>::from_data(labels, &Device::flex());
    let potential = Potential {
        operator: Operator::Log,
        temperature: 1.0,
        epsilon: 1e-2,
    };
    let kernel = potential_gradient(x.clone(), labels.clone(), &centroids, potential);
    let plain = reference::potential::gradient(x, labels, &centroids, potential);
    assert_close(&values(plain), &values(kernel), "gradient");
}

#[test]
fn swaps_make_every_permutation() {
    let x = random([2, 3, 4, 5, 6], 1).inner();
    for axes in [
        [0, 1, 2, 3, 4],
        [2, 0, 3, 1, 4],
        [4, 3, 2, 1, 0],
        [1, 2, 3, 4, 0],
        [3, 4, 0, 2, 1],
    ] {
        let (swapped, permuted) = (
            crate::device::permute_by_swaps(x.clone(), axes),
            x.clone().permute(axes),
        );
        assert_eq!(swapped.dims(), permuted.dims());
        assert_eq!(values(swapped), values(permuted), "{axes:?}");
    }
}
