//! Position features: the rotary angles of the patch grid and the cosines inside a patch.

use super::config::POSITION_FEATURES;

/// The end of both axes of a grid, which begin at 0; see [`rotary`].
pub(crate) const SPAN: f64 = 16.0;
/// Numbers that [`time`] makes of each time.
pub(crate) const TIME_FEATURES: usize = 256;

/// `n` evenly spaced numbers from 0 to `end` inclusive; only 0 if `n` is 1.
fn linspace(end: f64, n: usize) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| {
        if n > 1 {
            end * i as f64 / (n - 1) as f64
        } else {
            0.0
        }
    })
}

/// Cosines and sines of the two-dimensional rotary embedding (PixNerd, "rotary positions") for a
/// grid of `rows x columns` patches and heads of `width` channels: each `[rows * columns, width / 2]`.
///
/// Both axes of the grid span `[0, 16]` whatever its size; even pairs rotate with x, odd ones with
/// y, at frequencies `10000^(-4 j / width)`.
pub fn rotary(rows: usize, columns: usize, width: usize) -> (Vec<f32>, Vec<f32>) {
    let frequencies: Vec<f64> = rotary_rates(width).collect();
    let mut cos = Vec::with_capacity(rows * columns * width / 2);
    let mut sin = Vec::with_capacity(cos.capacity());
    for y in linspace(SPAN, rows) {
        for x in linspace(SPAN, columns) {
            for g in &frequencies {
                for angle in [x * g, y * g] {
                    cos.push(angle.cos() as f32);
                    sin.push(angle.sin() as f32);
                }
            }
        }
    }
    (cos, sin)
}

/// The frequencies of [`rotary`], one for four channels of a head.
pub(crate) fn rotary_rates(width: usize) -> impl Iterator<Item = f64> {
    (0..width / 4).map(move |j| 10_000f64.powf(-4.0 * j as f64 / width as f64))
}

/// The DCT features of the pixels of a patch of side `patch`: `[patch * patch, 64]`, pixels row by
/// row. Feature (i, j) at (u, v) is `cos(pi u a_i) cos(pi v a_j) / (1 + a_i a_j)` with u the column,
/// v the row in `[0, 1]` and `a = linspace(0, 8, 8)`; the column's index comes first.
pub fn cosines(patch: usize) -> Vec<f32> {
    let frequencies: Vec<f64> = linspace(8.0, 8).collect();
    let mut features = Vec::with_capacity(patch * patch * POSITION_FEATURES);
    for v in linspace(1.0, patch) {
        for u in linspace(1.0, patch) {
            for a in &frequencies {
                for b in &frequencies {
                    let wave =
                        (std::f64::consts::PI * u * a).cos() * (std::f64::consts::PI * v * b).cos();
                    features.push((wave / (1.0 + a * b)) as f32);
                }
            }
        }
    }
    features
}

/// The frequencies of [`time`], `f_i = 10^(-i / 128)`.
pub(crate) fn time_rates() -> impl Iterator<Item = f64> + Clone {
    let half = TIME_FEATURES / 2;
    (0..half).map(move |i| 10f64.powf(-(i as f64) / half as f64))
}

/// The time features: `[cos(t f_i), sin(t f_i)]`, 256 numbers per time.
pub fn time(times: &[f32]) -> Vec<f32> {
    let mut features = Vec::with_capacity(times.len() * TIME_FEATURES);
    for &t in times {
        let angles = time_rates().map(|rate| f64::from(t) * rate);
        features.extend(angles.clone().map(|a| a.cos() as f32));
        features.extend(angles.map(|a| a.sin() as f32));
    }
    features
}
