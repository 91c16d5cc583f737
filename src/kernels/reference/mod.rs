//! The operations of the parent module as formulas over ordinary tensors.

pub mod potential;

use super::constants::{LAYER_EPSILON, NORM_FLOOR, RMS_EPSILON};
use super::matmul_precision::MatmulPrecision;
use super::optim::{AdamWUpdate, weight_of};
use crate::device::permute;
use burn::tensor::ops::PadMode;
use burn::tensor::{Int, Tensor, activation, s};

/// See [`kernels::rms_norm`](super::rms_norm): `x: [.., D]`, `weight: [D]` to the shape of `x`.
pub fn rms_norm<const R: usize>(x: Tensor<R>, weight: Tensor<1>) -> Tensor<R> {
    let scale = (x.clone().square().mean_dim(R - 1) + RMS_EPSILON)
        .sqrt()
        .recip();
    x * scale * weight.unsqueeze()
}

/// See [`kernels::modulated_norm`](super::modulated_norm): `x: [B, L, D]`, `weight: [D]`, `shift, scale: [B, 1, D]`
/// to `[B, L, D]`.
pub fn modulated_norm(
    x: Tensor<3>,
    weight: Tensor<1>,
    shift: Tensor<3>,
    scale: Tensor<3>,
) -> Tensor<3> {
    rms_norm(x, weight) * (scale + 1.0) + shift
}

/// See [`kernels::cross_entropy`](super::cross_entropy): `logits: [P, N]`, `labels, weights: [P]` to `[1]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, weights: Tensor<1>) -> Tensor<1> {
    let classes = logits.dims()[1] as i32;
    let labels = labels.clamp(0, classes - 1).unsqueeze_dim(1);
    let own = activation::log_softmax(logits, 1).gather(1, labels);
    (own.squeeze_dim(1) * weights).sum().neg()
}

/// See [`kernels::argmax`](super::argmax): `z: [patches, P, E]`, `weight: [E, N]`, `shares: [P, K]`,
/// `values: [patches, K, N]` to `[patches, P]`.
pub fn argmax(
    z: Tensor<3>,
    weight: Tensor<2>,
    shares: Tensor<2>,
    values: Tensor<3>,
) -> Tensor<2, Int> {
    let [patches, pixels, width] = z.dims();
    let classes = weight.dims()[1];
    let own = z.reshape([patches * pixels, width]).matmul(weight);
    let own = own.reshape([patches, pixels, classes]);
    let outputs = own + shares.unsqueeze::<3>().matmul(values);
    // A sum is finite only if all of its terms are.
    let finite = outputs.clone().sum_dim(2).is_finite();
    let largest = outputs.argmax(2);
    largest
        .mask_fill(finite.bool_not(), classes as i32)
        .squeeze_dim(2)
}

/// See [`kernels::gated_residual`](super::gated_residual): `x, y: [B, L, D]`, `gate: [B, 1, D]` to `[B, L, D]`.
pub fn gated_residual(x: Tensor<3>, gate: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
    x + gate * y
}

/// See [`kernels::gelu`](super::gelu), of any shape.
pub fn gelu<const R: usize>(x: Tensor<R>) -> Tensor<R> {
    activation::gelu(x)
}

/// See [`kernels::linear`](super::linear): `x: [rows, from]`, `weight: [from, to]`, `bias: [R, to]` to `[rows, to]`.
pub fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<2>>,
    precision: MatmulPrecision,
) -> Tensor<2> {
    let y = precision.matmul(x, weight);
    let Some(bias) = bias else {
        return y;
    };
    let [rows, to] = y.dims();
    let [period, _] = bias.dims();
    (y.reshape([rows / period, period, to]) + bias.unsqueeze()).reshape([rows, to])
}

/// See [`kernels::doubled`](super::doubled): `[B, C, H, W]` to `[B, C, 2 H, 2 W]`. A product with a matrix that is
/// nearly all zeros would cost far more.
pub fn doubled(x: Tensor<4>) -> Tensor<4> {
    doubled_along(doubled_along(x, 2), 3)
}

fn doubled_along(x: Tensor<4>, axis: usize) -> Tensor<4> {
    let mut shape = x.dims();
    let len = shape[axis];
    let edges = if axis == 2 {
        (0, 0, 1, 1)
    } else {
        (1, 1, 0, 0)
    };
    let wide = x.clone().pad(edges, PadMode::Edge) * 0.25;
    let near = x * 0.75;
    let before = near.clone() + wide.clone().narrow(axis, 0, len);
    let after = near + wide.narrow(axis, 2, len);
    let pairs: Tensor<5> = Tensor::stack(vec![before, after], axis + 1);
    shape[axis] = 2 * len;
    pairs.reshape(shape)
}

/// See [`kernels::neighbourhoods`](super::neighbourhoods): `[B, C, H, W]` to `[B, 9 * 4 C, H / 2, W / 2]`.
pub fn neighbourhoods(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let (rows, columns) = (height / 2, width / 2);
    let blocks = x.reshape([batch, channels, rows, 2, columns, 2]);
    let blocks = permute(blocks, [0, 1, 3, 5, 2, 4]);
    let blocks = blocks.reshape([batch, 4 * channels, rows, columns]);
    let wide = blocks.pad((1, 1, 1, 1), PadMode::Edge);
    let shifted = (0..9).map(|i| {
        let (down, right) = (i / 3, i % 3);
        wide.clone()
            .slice(s![.., .., down..down + rows, right..right + columns])
    });
    Tensor::cat(shifted.collect(), 1)
}

/// See [`kernels::from_patches`](super::from_patches): `[B rows columns, p p, C]` to `[B, C, rows p, columns p]`.
pub fn from_patches(pixels: Tensor<3>, [rows, columns]: [usize; 2]) -> Tensor<4> {
    let [patches, count, channels] = pixels.dims();
    let (batch, p) = (patches / (rows * columns), count.isqrt());
    let pixels = pixels.reshape([batch, rows, columns, p, p, channels]);
    permute(pixels, [0, 5, 1, 3, 2, 4]).reshape([batch, channels, rows * p, columns * p])
}

/// See [`kernels::add_image`](super::add_image): `pixels: [patches, p p, C]`, `image: [B, C, H, W]` to the shape of
/// `pixels`.
pub fn add_image(pixels: Tensor<3>, image: Tensor<4>) -> Tensor<3> {
    let [patches, count, channels] = pixels.dims();
    let [batch, _, height, width] = image.dims();
    let p = count.isqrt();
    let image = image.reshape([batch, channels, height / p, p, width / p, p]);
    let image = permute(image, [0, 2, 4, 1, 3, 5]).reshape([patches, channels, count]);
    pixels + image.swap_dims(1, 2)
}

/// See [`kernels::swiglu`](super::swiglu): two tensors of one shape to that shape.
pub fn swiglu<const R: usize>(a: Tensor<R>, b: Tensor<R>) -> Tensor<R> {
    activation::silu(a) * b
}

/// See [`kernels::layer_norm`](super::layer_norm): `x: [.., D]`, `weight, bias: [D]` to the shape of `x`.
pub fn layer_norm<const R: usize>(x: Tensor<R>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<R> {
    let centred = x.clone() - x.mean_dim(R - 1);
    let variance = centred.clone().square().mean_dim(R - 1);
    let scale = (variance + LAYER_EPSILON).sqrt().recip();
    centred * scale * weight.unsqueeze() + bias.unsqueeze()
}

/// See [`kernels::rotary_attention`](super::rotary_attention): `qkv: [B, L, 3 D]`, `q_norm, k_norm: [d]`,
/// `cos, sin: [L, d / 2]` to `[B, L, D]`.
pub fn rotary_attention(
    qkv: Tensor<3>,
    q_norm: Tensor<1>,
    k_norm: Tensor<1>,
    cos: Tensor<2>,
    sin: Tensor<2>,
) -> Tensor<3> {
    let [q, k, v] = rotated(qkv, [q_norm, k_norm], &cos, &sin);
    attend(q, k, v)
}

/// See [`kernels::rotary_attention_row`](super::rotary_attention_row): shapes as for [`rotary_attention`], to
/// `[B, heads, L]`.
pub fn rotary_attention_row(
    qkv: Tensor<3>,
    q_norm: Tensor<1>,
    k_norm: Tensor<1>,
    cos: Tensor<2>,
    sin: Tensor<2>,
    token: usize,
) -> Tensor<3> {
    let [q, k, _] = rotated(qkv, [q_norm, k_norm], &cos, &sin);
    weights(q.narrow(2, token, 1), k).squeeze_dim(2)
}

/// See [`kernels::self_attention_row`](super::self_attention_row): `qkv: [B, L, 3 D]` to `[B, heads, L]`.
pub fn self_attention_row(qkv: Tensor<3>, heads: usize, token: usize) -> Tensor<3> {
    let [q, k, _] = heads_of(qkv, heads);
    weights(q.narrow(2, token, 1), k).squeeze_dim(2)
}

/// Normalised and rotated queries and keys, and values, each `[B, heads, L, d]`.
fn rotated(
    qkv: Tensor<3>,
    [q_norm, k_norm]: [Tensor<1>; 2],
    cos: &Tensor<2>,
    sin: &Tensor<2>,
) -> [Tensor<4>; 3] {
    let heads = qkv.dims()[2] / 3 / q_norm.dims()[0];
    let [q, k, v] = heads_of(qkv, heads);
    let q = rotate(rms_norm(q, q_norm), cos, sin);
    let k = rotate(rms_norm(k, k_norm), cos, sin);
    [q, k, v]
}

/// See [`kernels::self_attention`](super::self_attention): `qkv: [B, L, 3 D]` to `[B, L, D]`.
pub fn self_attention(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    let [q, k, v] = heads_of(qkv, heads);
    attend(q, k, v)
}

/// `[B, L, 3 D]` to queries, keys and values, each `[B, heads, L, d]`.
fn heads_of(qkv: Tensor<3>, heads: usize) -> [Tensor<4>; 3] {
    let [batch, tokens, triple] = qkv.dims();
    let parts = qkv.reshape([batch, tokens, 3, heads, triple / 3 / heads]);
    let parts = permute(parts, [2, 0, 3, 1, 4]);
    [0, 1, 2].map(|i| parts.clone().narrow(0, i, 1).squeeze_dim::<4>(0))
}

/// `softmax(q k^T / sqrt(d)) v` as `[B, L, heads d]`.
fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, d] = q.dims();
    let out = weights(q, k).matmul(v);
    out.swap_dims(1, 2).reshape([batch, tokens, heads * d])
}

/// `softmax(q k^T / sqrt(d))`, `[B, heads, queries, keys]`.
fn weights(q: Tensor<4>, k: Tensor<4>) -> Tensor<4> {
    let d = q.dims()[3];
    let logits = q.matmul(k.transpose()) * (1.0 / (d as f64).sqrt());
    activation::softmax(logits, 3)
}

/// Rotates consecutive pairs of channels of `x: [B, heads, L, d]` by their angles.
fn rotate(x: Tensor<4>, cos: &Tensor<2>, sin: &Tensor<2>) -> Tensor<4> {
    let [batch, heads, tokens, d] = x.dims();
    let pairs = x.reshape([batch, heads, tokens, d / 2, 2]);
    let a = pairs
        .clone()
        .slice([0..batch, 0..heads, 0..tokens, 0..d / 2, 0..1]);
    let b = pairs.slice([0..batch, 0..heads, 0..tokens, 0..d / 2, 1..2]);
    let cos = cos.clone().reshape([1, 1, tokens, d / 2, 1]);
    let sin = sin.clone().reshape([1, 1, tokens, d / 2, 1]);
    let turned = Tensor::cat(
        vec![
            a.clone() * cos.clone() - b.clone() * sin.clone(),
            a * sin + b * cos,
        ],
        4,
    );
    turned.reshape([batch, heads, tokens, d])
}

/// See [`kernels::neural_field`](super::neural_field): `z: [patches, P, E]`, `weights: [patches, 2 E M]`, `norm: [E]`
/// to the shape of `z`.
pub fn neural_field(z: Tensor<3>, weights: Tensor<2>, norm: Tensor<1>) -> Tensor<3> {
    let [patches, _, width] = z.dims();
    let hidden = weights.dims()[1] / (2 * width);
    let half = width * hidden;
    let w1 = weights
        .clone()
        .slice([0..patches, 0..half])
        .reshape([patches, width, hidden]);
    let w2 = weights
        .slice([0..patches, half..2 * half])
        .reshape([patches, hidden, width]);
    let unit = |w: Tensor<3>| {
        let norm = w.clone().square().sum_dim(1).sqrt().clamp_min(NORM_FLOOR);
        w / norm
    };
    let hidden = activation::silu(rms_norm(z.clone(), norm).matmul(unit(w1)));
    z + hidden.matmul(unit(w2))
}

/// See [`kernels::adamw_update`](super::adamw_update): `parameter`, `gradient` and moments of one shape, `scale` and
/// `number: [1]`. Returns the parameter and its two moments, which are the given ones where `scale` is 0.
pub fn adamw_update<const R: usize>(
    parameter: Tensor<R>,
    gradient: Tensor<R>,
    scale: Tensor<1>,
    moment1: Tensor<R>,
    moment2: Tensor<R>,
    number: Tensor<1>,
    u: AdamWUpdate,
) -> (Tensor<R>, Tensor<R>, Tensor<R>) {
    let shape = parameter.dims();
    let skip = scale.clone().equal_elem(0.0).reshape([1; R]).expand(shape);
    let before = (parameter.clone(), moment1.clone(), moment2.clone());
    let gradient = gradient * scale.reshape([1; R]);
    let moment1 = moment1 * u.beta1 + gradient.clone() * (1.0 - u.beta1);
    let moment2 = moment2 * u.beta2 + gradient.square() * (1.0 - u.beta2);
    let weight = |beta| weight_of(beta, number.clone()).reshape([1; R]);
    let mean = moment1.clone() / weight(u.beta1);
    let delta = mean / ((moment2.clone() / weight(u.beta2)).sqrt() + u.epsilon);
    let parameter = parameter * (1.0 - u.rate * u.decay) - delta * u.rate;
    // A selection instead of a product, since 0 * NaN is NaN.
    (
        parameter.mask_where(skip.clone(), before.0),
        moment1.mask_where(skip.clone(), before.1),
        moment2.mask_where(skip, before.2),
    )
}

/// See [`kernels::moving_average`](super::moving_average): `average` and `value` of one shape, `keep: [1]`.
pub fn moving_average<const R: usize>(
    average: Tensor<R>,
    value: Tensor<R>,
    keep: Tensor<1>,
) -> Tensor<R> {
    let keep = keep.reshape([1; R]);
    average * keep.clone() + value * (keep.neg() + 1.0)
}

/// See [`kernels::square_sum`](super::square_sum): any shape to `[1]`.
pub fn square_sum<const R: usize>(x: Tensor<R>) -> Tensor<1> {
    x.square().sum()
}
