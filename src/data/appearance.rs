//! The appearance of each class of the procedural scenes: a hue, a texture and a shape.
//!
//! It depends only on the class index, so that it is the same for every scene and seed and a network
//! can learn it.

use std::f32::consts::{PI, TAU};

/// The appearance of one class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Appearance {
    base: [f32; 3],
    accent: [f32; 3],
    hue: f32,
    texture: Texture,
    shape: Shape,
    /// Period of the texture as a share of the scene's shorter side.
    pub period: f32,
}

#[derive(Debug, Clone, Copy)]
enum Texture {
    Smooth,
    Striped,
    Chequered,
    Dotted,
    Marbled,
    Ringed,
    Wavy,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Disc,
    Box,
    Triangle,
    Hexagon,
    Ring,
    Cross,
    Blob,
    Bar,
}

const TEXTURES: [(Texture, &str); 7] = [
    (Texture::Striped, "striped"),
    (Texture::Smooth, "smooth"),
    (Texture::Dotted, "dotted"),
    (Texture::Marbled, "marbled"),
    (Texture::Chequered, "chequered"),
    (Texture::Ringed, "ringed"),
    (Texture::Wavy, "wavy"),
];
const SHAPES: [(Shape, &str); 8] = [
    (Shape::Disc, "disc"),
    (Shape::Box, "box"),
    (Shape::Triangle, "triangle"),
    (Shape::Blob, "blob"),
    (Shape::Ring, "ring"),
    (Shape::Hexagon, "hexagon"),
    (Shape::Bar, "bar"),
    (Shape::Cross, "cross"),
];
const HUES: [&str; 12] = [
    "red", "orange", "yellow", "lime", "green", "jade", "cyan", "azure", "blue", "violet",
    "magenta", "pink",
];

impl Appearance {
    /// The appearance of class `k`, at least 1; class 0 is the background.
    pub(super) fn of(k: usize) -> Self {
        // Steps by the golden ratio keep any number of first hues well apart; 7 textures and 8 shapes
        // have no common divisor, so a combination recurs only after 56 classes.
        let hue = (k as f32 * 0.618_034).fract();
        let (texture, shape) = (TEXTURES[k % TEXTURES.len()].0, SHAPES[k % SHAPES.len()].0);
        let detail = |salt: u64| unit(hash(k as u64, salt, 0));
        let (saturation, value) = (0.55 + 0.35 * detail(1), 0.62 + 0.33 * detail(2));
        let accent_hue = (hue + 0.06 + 0.08 * detail(3)).fract();
        // The accent differs in brightness, which survives a conversion to grey.
        let accent_value = if value > 0.78 {
            value - 0.42
        } else {
            value + 0.3
        };
        Self {
            base: from_hsv(hue, saturation, value),
            accent: from_hsv(accent_hue, saturation * 0.8, accent_value),
            hue,
            texture,
            shape,
            period: 0.06 + 0.05 * detail(4),
        }
    }

    /// A name that can be checked by eye, such as `blue striped disc`.
    pub(super) fn name(k: usize) -> String {
        let hue = (Self::of(k).hue * HUES.len() as f32).round() as usize % HUES.len();
        let (texture, shape) = (TEXTURES[k % TEXTURES.len()].1, SHAPES[k % SHAPES.len()].1);
        format!("{} {texture} {shape}", HUES[hue])
    }

    /// Signed distance to the outline at a point of the unit-sized shape, negative inside.
    pub(super) fn distance(&self, [x, y]: [f32; 2], phase: f32) -> f32 {
        let slab = |w: f32, h: f32| {
            let (dx, dy) = (x.abs() - w, y.abs() - h);
            dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0)
        };
        let radius = x.hypot(y);
        match self.shape {
            Shape::Disc => radius - 0.9,
            Shape::Ring => (radius - 0.66).abs() - 0.27,
            Shape::Box => slab(0.78, 0.6) - 0.08,
            Shape::Cross => slab(0.9, 0.27).min(slab(0.27, 0.9)),
            Shape::Bar => slab(1.15, 0.12) - 0.14,
            Shape::Triangle => polygon(x, y, 3.0) - 0.52,
            Shape::Hexagon => polygon(x, y, 6.0) - 0.8,
            Shape::Blob => {
                let angle = y.atan2(x);
                let bumps = 0.13 * (3.0 * angle + phase).sin() + 0.07 * (5.0 * angle - phase).sin();
                (radius - 0.78 - bumps) * 0.85
            }
        }
    }

    /// Roundness for lighting, from 0 (flat) to 1 (a ball).
    pub(super) fn roundness(&self) -> f32 {
        match self.shape {
            Shape::Disc | Shape::Blob => 1.0,
            Shape::Ring | Shape::Bar => 0.6,
            _ => 0.3,
        }
    }

    /// The surface colour at a point in units of the texture period; `strength` is from 0 to 1.
    pub(super) fn colour(&self, [u, v]: [f32; 2], strength: f32, salt: u64) -> [f32; 3] {
        let wave = |t: f32| soft_step((t * TAU).sin() * 1.6);
        let share = match self.texture {
            Texture::Smooth => 0.25 * noise(u * 0.5, v * 0.5, salt),
            Texture::Striped => wave(u),
            Texture::Chequered => wave_product(u * 0.7, v * 0.7),
            Texture::Dotted => {
                let (x, y) = (u.rem_euclid(1.0) - 0.5, v.rem_euclid(1.0) - 0.5);
                soft_step((0.3 - x.hypot(y)) * 8.0)
            }
            Texture::Marbled => {
                let swirl = noise(u, v, salt) + 0.5 * noise(2.0 * u, 2.0 * v, salt ^ 1);
                soft_step((swirl - 0.75) * 5.0)
            }
            Texture::Ringed => wave(u.hypot(v) * 0.9),
            Texture::Wavy => wave(v + 0.3 * (u * PI).sin()),
        };
        std::array::from_fn(|c| self.base[c] + (self.accent[c] - self.base[c]) * share * strength)
    }
}

/// Largest projection on the outward normals of a regular polygon.
fn polygon(x: f32, y: f32, sides: f32) -> f32 {
    let sector = TAU / sides;
    let angle = x.atan2(-y).rem_euclid(sector) - sector / 2.0;
    x.hypot(y) * angle.cos()
}

fn wave_product(u: f32, v: f32) -> f32 {
    soft_step((u * TAU).sin() * (v * TAU).sin() * 3.0)
}

/// A smooth step from 0 at -1 to 1 at 1.
pub(super) fn soft_step(t: f32) -> f32 {
    let t = (t * 0.5 + 0.5).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Smooth value noise in [0, 1] with a period of about 1.
pub(super) fn noise(x: f32, y: f32, salt: u64) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (
        soft_step(2.0 * (x - left) - 1.0),
        soft_step(2.0 * (y - top) - 1.0),
    );
    let corner = |dx: i64, dy: i64| {
        unit(hash(
            (left as i64 + dx) as u64,
            (top as i64 + dy) as u64,
            salt,
        ))
    };
    let above = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * fx;
    let below = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * fx;
    above + (below - above) * fy
}

/// A hash of three numbers (the finaliser of splitmix64).
pub(super) fn hash(a: u64, b: u64, c: u64) -> u64 {
    let mut h = a
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(b.wrapping_mul(0xC2B2_AE3D_27D4_EB4F))
        .wrapping_add(c.wrapping_mul(0x1656_67B1_9E37_79F9))
        .wrapping_add(0x2545_F491_4F6C_DD1D);
    h = (h ^ (h >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    h ^ (h >> 31)
}

/// Maps a hash to [0, 1).
pub(super) fn unit(hash: u64) -> f32 {
    (hash >> 40) as f32 / (1u64 << 24) as f32
}

/// Hue, saturation and value, each in [0, 1], as RGB in [0, 1].
pub(super) fn from_hsv(hue: f32, saturation: f32, value: f32) -> [f32; 3] {
    [5.0, 3.0, 1.0].map(|n| {
        let k = (n + hue * 6.0) % 6.0;
        value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}
