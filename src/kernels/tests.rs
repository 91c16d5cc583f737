//! Compares kernels with their plain formulas, forward and backward, and with finite differences.

mod adapter;

use super::*;
use crate::potential::Operator;
use burn::tensor::{Device, TensorData};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn random<const R: usize>(shape: [usize; R], seed: u64) -> Tensor<R> {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.random_range(-1.0f32..1.0))
        .collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
}

/// Features `[patches, pixels, e]`, weights and norm of a neural field whose hidden width is `ratio * e`.
fn field_inputs(shape: [usize; 4], seed: u64) -> (Tensor<3>, Tensor<2>, Tensor<1>) {
    let [patches, pixels, e, ratio] = shape;
    let z = random([patches, pixels, e], seed);
    let w = random([patches, 2 * e * ratio * e], seed + 1);
    (z, w, random([e], seed + 2))
}

fn values<const R: usize>(x: Tensor<R>) -> Vec<f32> {
    x.into_data().try_to_vec::<f32>().unwrap()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.1f32, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= 1e-4 * scale,
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

// The macro is known to what follows it.
mod decisions;
mod images;
mod linear;

fn configured() -> ProptestConfig {
    ProptestConfig {
        cases: 24,
        // Rounding may exceed any tolerance for some numbers: the same ones are drawn every time.
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Lengths of axes: one, primes, and more than a vector, a task or a workgroup processes at once.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(1usize),
        Just(2),
        Just(13),
        Just(31),
        Just(67),
        1usize..90
    ]
}

/// Like [`length`], up to several workgroups.
fn long() -> impl Strategy<Value = usize> {
    prop_oneof![2 => length(), 1 => Just(257usize), 1 => 500usize..1100]
}

/// Like [`length`], but even, for pairs of channels.
fn even() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(2usize),
        Just(6),
        (1usize..20).prop_map(|half| 2 * half)
    ]
}

proptest! {
    #![proptest_config(configured())]

    #[test]
    fn rms_norm_is_its_formula(
        (batch, rows, width) in (1usize..4, length(), long()),
        seed in 0u64..1000,
    ) {
        let (x, w) = (random([batch, rows, width], seed), random([width], seed + 1));
        compare!(
            rms_norm(x.clone(), w.clone()),
            reference::rms_norm(x.clone(), w.clone()),
            x,
            w
        );
    }

    #[test]
    fn modulated_norm_is_its_formula(
        (batch, rows, width) in (1usize..4, length(), length()),
        seed in 0u64..1000,
    ) {
        let (x, w) = (random([batch, rows, width], seed), random([width], seed + 1));
        let shift = random([batch, 1, width], seed + 2);
        let scale = random([batch, 1, width], seed + 3);
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
    fn gated_residual_is_its_formula(
        (batch, rows, width) in (1usize..4, length(), length()),
        seed in 0u64..1000,
    ) {
        let (x, y) = (random([batch, rows, width], seed), random([batch, rows, width], seed + 1));
        let gate = random([batch, 1, width], seed + 2);
        compare!(
            gated_residual(x.clone(), gate.clone(), y.clone()),
            x.clone() + gate.clone() * y.clone(),
            x,
            gate,
            y
        );
    }

    #[test]
    fn swiglu_is_its_formula(
        (batch, rows, width) in (1usize..4, length(), long()),
        seed in 0u64..1000,
    ) {
        let (a, b) = (random([batch, rows, width], seed), random([batch, rows, width], seed + 1));
        compare!(
            swiglu(a.clone(), b.clone()),
            reference::swiglu(a.clone(), b.clone()),
            a,
            b
        );
    }

    #[test]
    fn attention_is_its_formula(
        (rows, columns, heads, d) in (1usize..9, 1usize..15, 1usize..4, even()),
        seed in 0u64..1000,
    ) {
        let tokens = rows * columns;
        let d = 2 * d;
        let qkv = random([2, tokens, 3 * heads * d], seed);
        let (qn, kn) = (random([d], seed + 1), random([d], seed + 2));
        let (cos, sin) = crate::model::positions::rotary(rows, columns, d);
        let device = qkv.device();
        let table =
            |v: Vec<f32>| Tensor::<2>::from_data(TensorData::new(v, [tokens, d / 2]), &device);
        let (cos, sin) = (table(cos), table(sin));
        compare!(
            rotary_attention(
                qkv.clone(),
                qn.clone(),
                kn.clone(),
                cos.clone(),
                sin.clone(),
                MatmulPrecision::Single
            ),
            reference::rotary_attention(qkv.clone(), qn.clone(), kn.clone(), cos, sin),
            qkv,
            qn,
            kn
        );
    }

    #[test]
    fn self_attention_is_its_formula(
        (batch, tokens, heads, d) in (1usize..3, length(), 1usize..4, length()),
        seed in 0u64..1000,
    ) {
        let qkv = random([batch, tokens, 3 * heads * d], seed);
        compare!(
            self_attention(qkv.clone(), heads, MatmulPrecision::Single),
            reference::self_attention(qkv.clone(), heads),
            qkv
        );
    }

    /// A row of weights is that of its formula, on devices with and without the kernel, and what the
    /// whole attention averages the values with.
    #[test]
    fn a_row_of_attention_belongs_to_its_output(
        (rows, columns, heads, d) in (1usize..6, 1usize..9, 1usize..4, even()),
        place in 0.0f64..1.0,
        seed in 0u64..1000,
    ) {
        let (tokens, d) = (rows * columns, 2 * d);
        let token = (place * tokens as f64) as usize;
        let qkv = random([2, tokens, 3 * heads * d], seed).inner();
        let norms = [1, 2].map(|more| random([d], seed + more).inner());
        let (cos, sin) = crate::model::positions::rotary(rows, columns, d);
        let table = |v: Vec<f32>| {
            Tensor::<2>::from_data(TensorData::new(v, [tokens, d / 2]), &qkv.device())
        };
        let (cos, sin) = (table(cos), table(sin));
        let [q, k] = norms;
        let rotary = (q.clone(), k.clone(), cos.clone(), sin.clone());
        let found = rotary_attention_row(
            qkv.clone(), rotary.0, rotary.1, rotary.2, rotary.3, token,
        );
        let rotary = (q.clone(), k.clone(), cos.clone(), sin.clone());
        let plain = reference::rotary_attention_row(
            qkv.clone(), rotary.0, rotary.1, rotary.2, rotary.3, token,
        );
        let whole = rotary_attention(qkv.clone(), q, k, cos, sin, MatmulPrecision::Single);
        let pairs = [
            (found, plain, whole),
            (
                self_attention_row(qkv.clone(), heads, token),
                reference::self_attention_row(qkv.clone(), heads, token),
                self_attention(qkv.clone(), heads, MatmulPrecision::Single),
            ),
        ];
        let of_values = values(qkv);
        for (found, plain, whole) in pairs {
            prop_assert_eq!(found.dims(), [2, heads, tokens]);
            let (weights, whole) = (values(found), values(whole));
            assert_close(&weights, &values(plain), "weights");
            for (row, weights) in weights.chunks_exact(tokens).enumerate() {
                let (entry, head) = (row / heads, row % heads);
                prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-4);
                for c in 0..d {
                    let value = |l: usize| {
                        of_values[((entry * tokens + l) * 3 + 2) * heads * d + head * d + c]
                    };
                    let mean: f32 = (0..tokens).map(|l| weights[l] * value(l)).sum();
                    let out = whole[(entry * tokens + token) * heads * d + head * d + c];
                    prop_assert!((mean - out).abs() < 1e-4, "{} {}", mean, out);
                }
            }
        }
    }

    #[test]
    fn layer_norm_is_its_formula(
        (batch, rows, width) in (1usize..4, length(), long()),
        seed in 0u64..1000,
    ) {
        let x = random([batch, rows, width], seed);
        let (w, b) = (random([width], seed + 1), random([width], seed + 2));
        compare!(
            layer_norm(x.clone(), w.clone(), b.clone()),
            reference::layer_norm(x.clone(), w.clone(), b.clone()),
            x,
            w,
            b
        );
    }

    #[test]
    fn gelu_is_its_formula((batch, rows, width) in (1usize..4, length(), long()), seed in 0u64..1000) {
        let x = random([batch, rows, width], seed) * 6.0;
        let x = x.detach().require_grad();
        compare!(
            gelu(x.clone()),
            burn::tensor::activation::gelu(x.clone()),
            x
        );
    }

    /// Labels out of range have no weight.
    #[test]
    fn cross_entropy_is_its_formula(
        (pixels, classes) in (prop_oneof![long(), Just(2500usize)], long()),
        seed in 0u64..1000,
    ) {
        let logits = random([pixels, classes], seed) * 5.0;
        let logits = logits.detach().require_grad();
        let device = logits.device();
        let labels: Vec<i32> = (0..pixels as i32)
            .map(|p| match p {
                0 => -1,
                4 => classes as i32 + 9,
                p => p * 7 % classes as i32,
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
    fn argmax_is_its_formula(
        (patches, side, width, kept) in (1usize..9, 1usize..7, length(), 1usize..20),
        classes in 1usize..70,
        seed in 0u64..1000,
    ) {
        let pixels = side * side;
        let z = random([patches, pixels, width], seed).inner();
        let weight = random([width, classes], seed + 1).inner();
        let shares = random([pixels, kept], seed + 2).inner();
        let values_of = random([patches, kept, classes], seed + 3).inner();
        let found = argmax(z.clone(), weight.clone(), shares.clone(), values_of.clone());
        let found = found.into_data().convert::<i32>().try_to_vec::<i32>().unwrap();
        let logits = z.matmul(weight.unsqueeze()) + shares.unsqueeze().matmul(values_of);
        // Of classes whose logits differ by rounding alone, either may be found.
        for (logits, class) in values(logits).chunks_exact(classes).zip(found) {
            let largest = logits.iter().copied().fold(f32::MIN, f32::max);
            prop_assert!(logits[class as usize] >= largest - 1e-4, "{class} of {logits:?}");
        }
    }

    #[test]
    fn neural_field_is_its_formula(
        (patches, side, e, ratio) in (1usize..9, 1usize..9, 2usize..70, 1usize..4),
        seed in 0u64..1000,
    ) {
        let (z, w, norm) = field_inputs([patches, side * side, e, ratio], seed);
        compare!(
            neural_field(z.clone(), w.clone(), norm.clone(), MatmulPrecision::Single),
            reference::neural_field(z.clone(), w.clone(), norm.clone()),
            z,
            w,
            norm
        );
    }

    /// Against products in single precision: each of the four operands is rounded by 2^-9 of itself at most.
    #[test]
    fn neural_field_in_bfloat16_rounds_its_operands(
        (patches, side, e, ratio) in (1usize..9, 1usize..9, 2usize..70, 1usize..4),
        seed in 0u64..1000,
    ) {
        let (z, w, norm) = field_inputs([patches, side * side, e, ratio], seed);
        let field = |precision| values(neural_field(z.clone(), w.clone(), norm.clone(), precision));
        let single = field(MatmulPrecision::Single);
        let rounded = field(MatmulPrecision::Bfloat16);
        let distance = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
        };
        let (error, change) = (distance(&single, &rounded), distance(&single, &values(z)));
        prop_assert!(error <= 0.01 * change + 1e-5, "{error} of {change}");
        prop_assert!(error > 0.0 || side * side < 24, "nothing was rounded");
    }
}

#[test]
fn neural_field_gradient_is_a_finite_difference() {
    let (z, w, norm) = field_inputs([2, 4, 4, 2], 1);
    let direction = random(w.dims(), 4).detach();
    let grads = neural_field(z.clone(), w.clone(), norm.clone(), MatmulPrecision::Single)
        .square()
        .sum()
        .backward();
    let slope = values((w.grad(&grads).unwrap() * direction.clone().inner()).sum())[0];
    let at = |h: f32| {
        let w = w.clone() + direction.clone() * h;
        values(
            neural_field(z.clone(), w, norm.clone(), MatmulPrecision::Single)
                .square()
                .sum(),
        )[0]
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

/// A function that computes the potential's gradient.
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

/// One token more and less than a block of queries and of keys, and several blocks; products are so
/// large that the greatest one of a query is often found late.
#[test]
fn attention_is_its_formula_across_blocks() {
    for tokens in [47, 48, 49, 255, 256, 257, 600] {
        let qkv = random([1, tokens, 3 * 2 * 24], tokens as u64) * 3.0;
        let qkv = qkv.detach().require_grad();
        compare!(
            self_attention(qkv.clone(), 2, MatmulPrecision::Single),
            reference::self_attention(qkv.clone(), 2),
            qkv
        );
    }
}

/// Attention in bfloat16 averages the values with weights near those of single precision; few tokens are not rounded.
#[test]
fn attention_in_bfloat16_rounds_its_operands() {
    for (tokens, d) in [(23, 8), (24, 7), (49, 64), (300, 33)] {
        let qkv = random([2, tokens, 3 * 2 * d], tokens as u64).inner();
        let attend = |precision| values(self_attention(qkv.clone(), 2, precision));
        let single = attend(MatmulPrecision::Single);
        let rounded = attend(MatmulPrecision::Bfloat16);
        assert_eq!(single == rounded, tokens < 24, "{tokens} tokens");
        // A product of d terms, divided by sqrt(d), errs by at most 2 sqrt(d) / 512, and so do the weights,
        // relatively; the weights and the values are rounded by 1 / 512 each.
        let bound = 2.0 * (2.0 * (d as f32).sqrt() + 2.0) / 512.0;
        for (single, rounded) in single.iter().zip(&rounded) {
            assert!((single - rounded).abs() < bound, "{single} {rounded}");
        }
    }
}

/// A result in the memory of an input that nothing else holds is that of an input that is kept.
#[test]
fn operations_in_place_spare_what_is_held() {
    let (x, y) = (
        random([2, 70, 33], 1).inner(),
        random([2, 70, 33], 2).inner(),
    );
    let (gate, weight) = (random([2, 1, 33], 3).inner(), random([33], 4).inner());
    let operations: [&dyn Fn(Tensor<3>) -> Tensor<3>; 5] = [
        &|x| gelu(x),
        &|x| swiglu(x, y.clone()),
        &|x| rms_norm(x, weight.clone()),
        &|x| gated_residual(x, gate.clone(), y.clone()),
        // A part of a tensor is contiguous, but not all of its memory.
        &|x| gelu(x.narrow(0, 1, 1)),
    ];
    let before = values(x.clone());
    for operation in operations {
        let kept = values(operation(x.clone()));
        assert_eq!(values(x.clone()), before);
        let alone = Tensor::from_data(x.to_data(), &x.device());
        assert_eq!(values(operation(alone)), kept);
    }
    let weights = random([2, 2 * 33 * 5], 5).inner();
    let field = |x| {
        values(neural_field(
            x,
            weights.clone(),
            weight.clone(),
            MatmulPrecision::Single,
        ))
    };
    let kept = field(x.clone());
    assert_eq!(values(x.clone()), before);
    assert_eq!(field(Tensor::from_data(x.to_data(), &x.device())), kept);
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
