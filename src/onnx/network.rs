//! The network `v_theta(x_t, t, I)` as a graph; see [`crate::model::network`].

use super::builder::{Builder, Extent, Value};
use super::encoder;
use super::grid::{Cut, Filter, Size, resize};
use super::proto::Attribute;
use crate::kernels::{NORM_FLOOR, RMS_EPSILON};
use crate::model::config::{Condition, NetworkConfig, PHOTO_CHANNELS, POSITION_FEATURES};
use crate::model::positions::{self, TIME_FEATURES};
use crate::model::{interpolate, stem::BLOCK};

/// What is the same at all times of a flow.
pub(super) struct Scene {
    pub cut: Cut,
    /// The photo, where the network sees its pixels.
    photo: Option<Value>,
    /// Cosines and sines of the rotary embedding, `[L, d / 2]`.
    rotation: [Value; 2],
    /// The encoder's part of the tokens, `[L, D]`.
    encoded: Option<Value>,
    /// The stem's part of the pixels' features, `[L, p p, E]`.
    stem: Option<Value>,
}

impl Scene {
    /// Looks at a photo `[1, 3, H, W]`, where the network [sees](NetworkConfig::sees_pixels) one. `features: [L, W]`
    /// are the encoder's.
    pub(super) fn new(
        g: &mut Builder,
        config: &NetworkConfig,
        size: &Size,
        photo: Option<&Value>,
        features: Option<&Value>,
    ) -> Self {
        let cut = Cut::new(g, size, config.patch_size);
        let encoded = features.map(|features| g.linear(features, "encoder_projection"));
        let stem = match photo {
            Some(photo) if config.stem_width > 0 => {
                let around = stem(g, config, photo, size);
                let patches = cut.cut(g, &around, config.pixel_width);
                Some(g.transpose(&patches, &[0, 2, 1]))
            }
            _ => None,
        };
        Self {
            rotation: rotation(g, config, &cut.grid),
            photo: photo.cloned(),
            encoded,
            stem,
            cut,
        }
    }

    /// Looks at a photo with the network's encoder, if it has one: `[L, W]`.
    pub(super) fn encode(
        g: &mut Builder,
        config: &NetworkConfig,
        size: &Size,
        photo: &Value,
    ) -> Option<Value> {
        let vit = config.encoder.as_ref()?;
        let cut = Cut::new(g, size, config.patch_size);
        Some(encoder::encode(g, vit, photo, &cut))
    }

    /// The network's outputs for a state `[1, d, H, W]` at a time whose features are `[1, 256]`:
    /// `[L, p p, outputs]`.
    pub(super) fn evaluate(
        &self,
        g: &mut Builder,
        config: &NetworkConfig,
        state: &Value,
        time: &Value,
    ) -> Value {
        let (p, channels) = (config.patch_size, config.in_channels());
        let input = match (config.condition, &self.photo) {
            (Condition::Concat, Some(photo)) => g.concat(&[state, photo], 1),
            _ => state.clone(),
        };
        let patches = self.cut.cut(g, &input, channels);
        let flat = g.reshape(&patches, &[-1, (channels * p * p) as i64].map(Extent::Of));
        let mut tokens = g.linear(&flat, "patch_embedder");
        if let Some(encoded) = &self.encoded {
            tokens = g.add(&tokens, encoded);
        }
        let time = embed_time(g, time);
        let class = null_class(g, config);
        let condition = g.add(&time, &class);
        let condition = g.silu(&condition);
        for index in 0..config.transformer_blocks {
            let name = format!("blocks.{index}");
            tokens = block(g, config, &tokens, &condition, &self.rotation, &name);
        }
        let s = g.add(&tokens, &time);
        let s = g.silu(&s);
        let z = self.pixels(g, config, &patches, &s);
        let output = g.linear(&z, "final_layer.linear");
        if !config.patch_output {
            return output;
        }
        let values = g.linear(&s, "patch_output");
        let shares = interpolate::share_table(p);
        let shares = g.table("patch_output.shares", &[p * p, 9], &shares);
        let coarse = self.cut.to_pixels(g, &values, config.outputs, &shares);
        g.add(&output, &coarse)
    }

    /// Features of the pixels of patches `[L, C, p p]` after the neural field that the tokens
    /// `s: [L, D]` generate: `[L, p p, E]`.
    fn pixels(&self, g: &mut Builder, config: &NetworkConfig, patches: &Value, s: &Value) -> Value {
        let pixels = g.transpose(patches, &[0, 2, 1]);
        let mut z = embed_pixels(g, config, &pixels);
        if let Some(stem) = &self.stem {
            z = g.add(&z, stem);
        }
        for index in 0..config.field_blocks {
            z = field(g, config, &z, s, &format!("fields.{index}"));
        }
        rms_norm(g, &z, "final_layer.norm")
    }
}

/// The features `[1, 256]` of a time that is known.
pub(super) fn time_at(g: &mut Builder, t: f32) -> Value {
    let features = positions::time(&[t]);
    g.table(&format!("time[{t}]"), &[1, TIME_FEATURES], &features)
}

/// The features `[1, 256]` of a time `[1]`.
pub(super) fn time_of(g: &mut Builder, t: &Value) -> Value {
    let rates: Vec<f32> = positions::time_rates().map(|rate| rate as f32).collect();
    let rates = g.table("time.rates", &[1, rates.len()], &rates);
    let angles = g.mul(t, &rates);
    let (cos, sin) = (
        g.node("Cos", &[&angles], &[]),
        g.node("Sin", &[&angles], &[]),
    );
    g.concat(&[&cos, &sin], 1)
}

/// `[1, D]`
fn embed_time(g: &mut Builder, features: &Value) -> Value {
    let hidden = g.linear(features, "time_embedder.linear1");
    let hidden = g.silu(&hidden);
    g.linear(&hidden, "time_embedder.linear2")
}

/// The embedding of no class, `[1, D]`.
fn null_class(g: &mut Builder, config: &NetworkConfig) -> Value {
    let d = config.hidden_size;
    let null = &g.host("class_table").data[config.class_conditions * d..];
    g.table("class_table.null", &[1, d], null)
}

/// `x / sqrt(mean(x^2) + epsilon) * weight` over the last axis.
fn rms_norm(g: &mut Builder, x: &Value, weight: &str) -> Value {
    let weight = g.weight(weight);
    let epsilon = g.scalar(RMS_EPSILON);
    let last = g.ints(&[-1]);
    let square = g.mul(x, x);
    let mean = g.node("ReduceMean", &[&square, &last], &[]);
    let mean = g.add(&mean, &epsilon);
    let root = g.node("Sqrt", &[&mean], &[]);
    let unit = g.div(x, &root);
    g.mul(&unit, &weight)
}

/// A transformer block: `[L, D]` to the same, under the condition `[1, D]`.
fn block(
    g: &mut Builder,
    config: &NetworkConfig,
    s: &Value,
    condition: &Value,
    rotation: &[Value; 2],
    name: &str,
) -> Value {
    let d = config.hidden_size;
    let one = g.scalar(1.0);
    let modulation = g.linear(condition, &format!("{name}.modulation"));
    let parts: [Value; 6] = g.split(&modulation, d, 1);
    let modulated = |g: &mut Builder, x: &Value, norm: &str, shift: &Value, scale: &Value| {
        let normed = rms_norm(g, x, &format!("{name}.{norm}"));
        let scale = g.add(scale, &one);
        let scaled = g.mul(&normed, &scale);
        g.add(&scaled, shift)
    };
    let gated = |g: &mut Builder, x: &Value, gate: &Value, y: &Value| {
        let y = g.mul(gate, y);
        g.add(x, &y)
    };
    let h = modulated(g, s, "norm1", &parts[0], &parts[1]);
    let h = attention(g, config, &h, rotation, &format!("{name}.attn"));
    let s = gated(g, s, &parts[2], &h);
    let h = modulated(g, &s, "norm2", &parts[3], &parts[4]);
    let gate = g.linear(&h, &format!("{name}.mlp.w1"));
    let value = g.linear(&h, &format!("{name}.mlp.w3"));
    let gate = g.silu(&gate);
    let h = g.mul(&gate, &value);
    let h = g.linear(&h, &format!("{name}.mlp.w2"));
    gated(g, &s, &parts[5], &h)
}

fn attention(
    g: &mut Builder,
    config: &NetworkConfig,
    x: &Value,
    rotation: &[Value; 2],
    name: &str,
) -> Value {
    let (heads, d) = (config.heads, config.head_width());
    let qkv = g.linear(x, &format!("{name}.qkv"));
    let [q, k, v] = g.heads(&qkv, heads, d);
    let q = rms_norm(g, &q, &format!("{name}.q_norm"));
    let k = rms_norm(g, &k, &format!("{name}.k_norm"));
    let q = rotate(g, &q, rotation);
    let k = rotate(g, &k, rotation);
    let h = g.attend(&[q, k, v], heads, d);
    g.linear(&h, &format!("{name}.proj"))
}

/// Turns pairs of channels by their angle. All first ones come before all second ones in the result:
/// products of queries and keys do not depend on the order of their channels.
fn rotate(g: &mut Builder, x: &Value, [cos, sin]: &[Value; 2]) -> Value {
    let (a, b) = (g.every_second(x, 0), g.every_second(x, 1));
    let (a_cos, b_sin) = (g.mul(&a, cos), g.mul(&b, sin));
    let (a_sin, b_cos) = (g.mul(&a, sin), g.mul(&b, cos));
    let first = g.sub(&a_cos, &b_sin);
    let second = g.add(&a_sin, &b_cos);
    g.concat(&[&first, &second], -1)
}

/// Cosines and sines of the rotary embedding of a grid, `[L, d / 2]`; see [`positions::rotary`].
fn rotation(g: &mut Builder, config: &NetworkConfig, grid: &Size) -> [Value; 2] {
    let d = config.head_width();
    let rates: Vec<f32> = positions::rotary_rates(d).map(|rate| rate as f32).collect();
    let rates = g.table("rotary.rates", &[1, 1, d / 4], &rates);
    let y = evenly_spaced(g, &grid.height);
    let x = evenly_spaced(g, &grid.width);
    // [rows, 1, 1] and [1, columns, 1] to [rows, columns, d / 4], and both side by side.
    let (y, x) = (
        g.reshape(&y, &[-1, 1, 1].map(Extent::Of)),
        g.reshape(&x, &[1, -1, 1].map(Extent::Of)),
    );
    let quarter = g.ints(&[1]);
    let shape = g.concat(&[&grid.height, &grid.width, &quarter], 0);
    let both = [&x, &y].map(|axis| {
        let whole = g.node("Expand", &[axis, &shape], &[]);
        let angles = g.mul(&whole, &rates);
        g.unsqueeze(&angles, 3)
    });
    let angles = g.concat(&[&both[0], &both[1]], 3);
    let angles = g.reshape(&angles, &[-1, (d / 2) as i64].map(Extent::Of));
    ["Cos", "Sin"].map(|operator| g.node(operator, &[&angles], &[]))
}

/// As many numbers from 0 to [`positions::SPAN`], both included, as `count: [1]` says; 0 alone for one.
fn evenly_spaced(g: &mut Builder, count: &Value) -> Value {
    let axis = g.ints(&[0]);
    let none = Value::none();
    let scalar = g.node("Squeeze", &[count, &axis], &[]);
    let (start, step) = (g.whole(0), g.whole(1));
    let numbers = g.node("Range", &[&start, &scalar, &step], &[]);
    let numbers = g.as_numbers(&numbers);
    let one = g.scalar(1.0);
    let end = g.scalar(positions::SPAN as f32);
    let gaps = g.as_numbers(count);
    let gaps = g.sub(&gaps, &one);
    let gaps = g.node("Clip", &[&gaps, &one, &none], &[]);
    let scaled = g.mul(&numbers, &end);
    g.div(&scaled, &gaps)
}

/// Pixels `[L, p p, C]` to features `[L, p p, E]`. The position's part is the same in all patches.
fn embed_pixels(g: &mut Builder, config: &NetworkConfig, pixels: &Value) -> Value {
    let (channels, e) = (config.in_channels(), config.pixel_width);
    let count = config.patch_size.pow(2);
    let weight = &g.host("pixel_embedder.weight").data;
    let (of_channels, of_position) = weight.split_at(channels * e);
    let cosines = positions::cosines(config.patch_size);
    let bias = if g.has("pixel_embedder.bias") {
        &g.host("pixel_embedder.bias").data[..]
    } else {
        &[]
    };
    let mut position = Vec::with_capacity(count * e);
    for features in cosines.chunks_exact(POSITION_FEATURES) {
        position.extend((0..e).map(|column| {
            let weights = of_position.iter().skip(column).step_by(e);
            let product = features.iter().zip(weights);
            let sum: f64 = product.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            sum as f32 + bias.get(column).copied().unwrap_or(0.0)
        }));
    }
    let of_channels = g.table("pixel_embedder.of_channels", &[channels, e], of_channels);
    let position = g.table("pixel_embedder.of_position", &[count, e], &position);
    let z = g.matmul(pixels, &of_channels);
    g.add(&z, &position)
}

/// The neural field that the tokens `s: [L, D]` generate, at the pixels `z: [L, p p, E]`.
fn field(g: &mut Builder, config: &NetworkConfig, z: &Value, s: &Value, name: &str) -> Value {
    let e = config.pixel_width;
    let hidden = config.field_ratio * e;
    let weights = g.linear(s, &format!("{name}.generator"));
    let halves: [Value; 2] = g.split(&weights, e * hidden, 1);
    let [w1, w2] = [(0, [e, hidden]), (1, [hidden, e])].map(|(half, [from, to])| {
        let shape = [-1, from as i64, to as i64].map(Extent::Of);
        let matrix = g.reshape(&halves[half], &shape);
        unit_columns(g, &matrix)
    });
    let h = rms_norm(g, z, &format!("{name}.norm"));
    let h = g.matmul(&h, &w1);
    let h = g.silu(&h);
    let h = g.matmul(&h, &w2);
    g.add(z, &h)
}

/// Matrices `[L, from, to]` with columns of length 1.
fn unit_columns(g: &mut Builder, w: &Value) -> Value {
    let floor = g.scalar(NORM_FLOOR);
    let axis = g.ints(&[1]);
    let length = g.node("ReduceL2", &[w, &axis], &[]);
    let length = g.node("Max", &[&length, &floor], &[]);
    g.div(w, &length)
}

/// The pixel stem, `[1, E, H, W]`; see [`crate::model`]. Its linear layers over neighbourhoods are
/// convolutions.
fn stem(g: &mut Builder, config: &NetworkConfig, photo: &Value, size: &Size) -> Value {
    let (s, e) = (config.stem_width, config.pixel_width);
    let block = g.ints(&[BLOCK as i64]);
    let whole = size.map(|side| {
        let above = g.node("Mod", &[side, &block], &[]);
        let missing = g.sub(&block, &above);
        let missing = g.node("Mod", &[&missing, &block], &[]);
        g.add(side, &missing)
    });
    let (bottom, right) = (
        g.sub(&whole.height, &size.height),
        g.sub(&whole.width, &size.width),
    );
    let before = g.ints(&[0; 6]);
    let pads = g.concat(&[&before, &bottom, &right], 0);
    let photo = g.pad_edge(photo, &pads);
    let at_half = whole.divided(g, 2);
    let at_quarter = whole.divided(g, BLOCK);
    let half = halved(g, &photo, PHOTO_CHANNELS, &at_half);
    let half = around(g, &half, "stem.half", [4 * PHOTO_CHANNELS, s]);
    let half = g.gelu(&half);
    let quarter = halved(g, &half, s, &at_quarter);
    let quarter = around(g, &quarter, "stem.quarter", [4 * s, 2 * s]);
    let quarter = g.gelu(&quarter);
    let coarse = convolve(g, &quarter, "stem.of_quarter", [2 * s, e], 1);
    let coarse = resize(g, &coarse, e, &at_half, Filter::Linear);
    let fine = convolve(g, &half, "stem.of_half", [s, e], 1);
    let features = g.add(&fine, &coarse);
    let features = resize(g, &features, e, &whole, Filter::Linear);
    let features = g.slice_to(&features, 2, 0, &size.height);
    g.slice_to(&features, 3, 0, &size.width)
}

/// Blocks of 2 x 2 pixels as channels: `[1, C, H, W]` to `[1, 4 C, H / 2, W / 2]`, `half` of it.
fn halved(g: &mut Builder, x: &Value, channels: usize, half: &Size) -> Value {
    let (rows, columns) = (Extent::In(&half.height), Extent::In(&half.width));
    let (c, two) = (channels as i64, Extent::Of(2));
    let blocks = g.reshape(x, &[Extent::Of(c), rows, two, columns, two]);
    let blocks = g.transpose(&blocks, &[0, 2, 4, 1, 3]);
    g.reshape(&blocks, &[Extent::Of(1), Extent::Of(4 * c), rows, columns])
}

/// A linear layer over every pixel and its eight neighbours, the border being repeated.
fn around(g: &mut Builder, x: &Value, name: &str, channels: [usize; 2]) -> Value {
    let pads = g.ints(&[0, 0, 1, 1, 0, 0, 1, 1]);
    let wide = g.pad_edge(x, &pads);
    convolve(g, &wide, name, channels, 3)
}

/// A linear layer over the squares of a side at every pixel, whose rows are those of its weight
/// position by position: `[1, from, H, W]` to `[1, to, H - side + 1, W - side + 1]`.
fn convolve(g: &mut Builder, x: &Value, name: &str, channels: [usize; 2], side: usize) -> Value {
    let [from, to] = channels;
    let matrix = &g.host(&format!("{name}.weight")).data;
    let positions = side * side;
    let mut kernel = Vec::with_capacity(matrix.len());
    for output in 0..to {
        for input in 0..from {
            kernel.extend((0..positions).map(|at| matrix[(at * from + input) * to + output]));
        }
    }
    let kernel = g.table(&format!("{name}.kernel"), &[to, from, side, side], &kernel);
    let bias = g.weight(&format!("{name}.bias"));
    let shape = [side as i64; 2];
    g.node(
        "Conv",
        &[x, &kernel, &bias],
        &[("kernel_shape", Attribute::Ints(&shape))],
    )
}
