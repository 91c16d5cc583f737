//! The image encoder as a graph; see [`crate::model::vit`].

use super::builder::{Builder, Extent, Value};
use super::grid::{Cut, Filter, Size, resize};
use super::proto::Attribute;
use crate::kernels::LAYER_EPSILON;
use crate::model::vit::{DEVIATION, MEAN, VitConfig};

/// The tokens `[L, W]` of a photo `[1, 3, H, W]` in [-1, 1], one for each patch of the network, with
/// W for each of the joined layers.
pub(super) fn encode(g: &mut Builder, config: &VitConfig, photo: &Value, cut: &Cut) -> Value {
    let prepared = prepare(g, config, photo, cut);
    let (w, p) = (config.width, config.patch_size);
    let size = cut.grid.times(g, p);
    let own = Cut {
        size,
        grid: cut.grid.clone(),
        side: p,
    };
    let patches = own.cut(g, &prepared, 3);
    let patches = g.reshape(&patches, &[-1, (3 * p * p) as i64].map(Extent::Of));
    let patches = g.linear(&patches, "encoder.patches");
    let positions = positions(g, config, &cut.grid);
    let patches = g.add(&patches, &positions);
    let class = g.weight("encoder.class_token");
    let mut tokens = vec![class];
    if config.registers > 0 {
        tokens.push(g.weight("encoder.registers"));
    }
    tokens.push(patches);
    let mut x = g.concat(&tokens.iter().collect::<Vec<_>>(), 0);
    let extra = 1 + config.registers as i64;
    let mut joined = Vec::new();
    for index in 0..config.blocks {
        x = block(g, config, &x, &format!("encoder.blocks.{index}"));
        let number = index + 1;
        let last = config.layers.is_empty() && number == config.blocks;
        if last || config.layers.contains(&number) {
            let patches = g.slice(&x, 0, extra, i64::MAX);
            joined.push(layer_norm(g, &patches, "encoder.norm"));
        }
        // Blocks beyond the last joined one are not looked at.
        if config.layers.iter().max() == Some(&number) {
            break;
        }
    }
    debug_assert_eq!(joined.len() * w, config.tokens_width());
    g.concat(&joined.iter().collect::<Vec<_>>(), 1)
}

/// What the transformer sees: normalised by channel, and with patches of its own side.
fn prepare(g: &mut Builder, config: &VitConfig, photo: &Value, cut: &Cut) -> Value {
    let (one, half) = (g.scalar(1.0), g.scalar(0.5));
    let mean = g.table("encoder.mean", &[1, 3, 1, 1], &MEAN);
    let deviation = g.table("encoder.deviation", &[1, 3, 1, 1], &DEVIATION);
    let shifted = g.add(photo, &one);
    let unit = g.mul(&shifted, &half);
    let centred = g.sub(&unit, &mean);
    let normalized = g.div(&centred, &deviation);
    if config.patch_size == cut.side {
        return normalized;
    }
    let to = cut.grid.times(g, config.patch_size);
    resize(g, &normalized, 3, &to, Filter::Cubic)
}

/// The table of positions on the grid, `[L, W]`.
fn positions(g: &mut Builder, config: &VitConfig, grid: &Size) -> Value {
    let (w, side) = (config.width, config.side);
    let table = &g.host("encoder.positions").data;
    let plane = |channel: usize| (0..side * side).map(move |at| table[at * w + channel]);
    let planes: Vec<f32> = (0..w).flat_map(plane).collect();
    let planes = g.table("encoder.positions.planes", &[1, w, side, side], &planes);
    let filter = match config.registers {
        0 => Filter::Cubic,
        _ => Filter::CubicAntialiased,
    };
    let resized = resize(g, &planes, w, grid, filter);
    let rows = g.reshape(&resized, &[w as i64, -1].map(Extent::Of));
    g.transpose(&rows, &[1, 0])
}

fn block(g: &mut Builder, config: &VitConfig, x: &Value, name: &str) -> Value {
    let d = config.width / config.heads;
    let scaled = |g: &mut Builder, x: &Value, scale: &str, y: &Value| {
        let scale = g.weight(&format!("{name}.{scale}"));
        let y = g.mul(y, &scale);
        g.add(x, &y)
    };
    let h = layer_norm(g, x, &format!("{name}.norm1"));
    let qkv = g.linear(&h, &format!("{name}.qkv"));
    let heads = g.heads(&qkv, config.heads, d);
    let h = g.attend(&heads, config.heads, d);
    let h = g.linear(&h, &format!("{name}.projection"));
    let x = scaled(g, x, "scale1", &h);
    let h = layer_norm(g, &x, &format!("{name}.norm2"));
    let h = g.linear(&h, &format!("{name}.up"));
    let h = g.gelu(&h);
    let h = g.linear(&h, &format!("{name}.down"));
    scaled(g, &x, "scale2", &h)
}

fn layer_norm(g: &mut Builder, x: &Value, name: &str) -> Value {
    let weight = g.weight(&format!("{name}.weight"));
    let bias = g.weight(&format!("{name}.bias"));
    let attributes = [
        ("axis", Attribute::Int(-1)),
        ("epsilon", Attribute::Float(LAYER_EPSILON)),
    ];
    g.node("LayerNormalization", &[x, &weight, &bias], &attributes)
}
