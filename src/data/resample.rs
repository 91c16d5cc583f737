//! Resamples any window of a photo to any size, in one pass over the pixels.
//!
//! This is the hot path of the loader. A triangle filter as wide as the shrinking factor antialiases
//! (it is bilinear when enlarging). Rows are summed first, because whole rows of bytes vectorise, then
//! columns, on the few remaining rows.

use image::RgbImage;

use crate::labels::IGNORE;
use crate::labels::LabelMap;

/// A rectangle in photo pixels, which may extend beyond the photo on any side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// A colour transform, `matrix * rgb + offset`, on values in [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ColourMap {
    pub matrix: [[f32; 3]; 3],
    pub offset: [f32; 3],
}

impl ColourMap {
    pub(super) const IDENTITY: Self = Self {
        matrix: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        offset: [0.0; 3],
    };

    fn apply(&self, rgb: [f32; 3]) -> [f32; 3] {
        std::array::from_fn(|c| {
            let m = self.matrix[c];
            let value = m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2] + self.offset[c];
            value.clamp(-1.0, 1.0)
        })
    }
}

/// The input range and weights of one output row or column.
#[derive(Clone, Copy)]
struct Tap {
    /// First input index; the number of weights is given by the next field.
    start: usize,
    /// Range of this tap's weights.
    weights: (usize, usize),
    /// The input index at the centre, for nearest neighbour; `None` outside the photo.
    nearest: Option<usize>,
}

/// The taps of one axis.
pub(super) struct Axis {
    taps: Vec<Tap>,
    weights: Vec<f32>,
}

impl Axis {
    /// `out` samples across `[origin, origin + extent)` of an input of `len` pixels, mirrored if
    /// `flip`.
    pub(super) fn new(origin: f32, extent: f32, len: usize, out: usize, flip: bool) -> Self {
        let step = extent / out as f32;
        let radius = step.max(1.0);
        let mut taps = Vec::with_capacity(out);
        let mut weights = Vec::with_capacity(out * (2.0 * radius + 2.0) as usize);
        for i in 0..out {
            let i = if flip { out - 1 - i } else { i };
            let centre = origin + (i as f32 + 0.5) * step;
            let first = weights.len();
            if !(0.0..len as f32).contains(&centre) {
                taps.push(Tap {
                    start: 0,
                    weights: (first, first),
                    nearest: None,
                });
                continue;
            }
            let start = (centre - radius).floor().max(0.0) as usize;
            let end = ((centre + radius).ceil() as usize).min(len);
            weights.extend((start..end).map(|j| {
                let distance = (j as f32 + 0.5 - centre).abs() / radius;
                (1.0 - distance).max(0.0)
            }));
            let total: f32 = weights[first..].iter().sum();
            weights[first..]
                .iter_mut()
                .for_each(|weight| *weight /= total);
            let nearest = Some((centre as usize).min(len - 1));
            taps.push(Tap {
                start,
                weights: (first, weights.len()),
                nearest,
            });
        }
        Self { taps, weights }
    }

    fn weights(&self, tap: &Tap) -> &[f32] {
        &self.weights[tap.weights.0..tap.weights.1]
    }

    /// The range of input indices used by any tap.
    fn span(&self) -> std::ops::Range<usize> {
        let inside = || self.taps.iter().filter(|tap| tap.nearest.is_some());
        let start = inside().map(|tap| tap.start).min().unwrap_or(0);
        let end = inside()
            .map(|tap| tap.start + tap.weights.1 - tap.weights.0)
            .max();
        start..end.unwrap_or(0)
    }
}

/// Resamples a window into `out`, `[3, rows, columns]` in [-1, 1]; pixels outside the photo are 0.
///
/// `out.len()` must be 3 * rows * columns.
pub(super) fn photo(
    image: &RgbImage,
    rows: &Axis,
    columns: &Axis,
    colour: &ColourMap,
    out: &mut [f32],
) {
    let (height, width) = (rows.taps.len(), columns.taps.len());
    let stride = image.width() as usize * 3;
    let pixels = image.as_raw();
    let span = columns.span();
    let mut sums = vec![0.0f32; span.len() * 3];
    let (red, rest) = out.split_at_mut(height * width);
    let (green, blue) = rest.split_at_mut(height * width);
    out_rows(rows, |y, tap| {
        let at = y * width..(y + 1) * width;
        let (red, green, blue) = (&mut red[at.clone()], &mut green[at.clone()], &mut blue[at]);
        if tap.nearest.is_none() {
            red.fill(0.0);
            green.fill(0.0);
            blue.fill(0.0);
            return;
        }
        sums.fill(0.0);
        for (j, &weight) in rows.weights(tap).iter().enumerate() {
            let row = (tap.start + j) * stride;
            let row = &pixels[row + span.start * 3..row + span.end * 3];
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum += weight * f32::from(byte);
            }
        }
        for (x, tap) in columns.taps.iter().enumerate() {
            if tap.nearest.is_none() {
                (red[x], green[x], blue[x]) = (0.0, 0.0, 0.0);
                continue;
            }
            let mut rgb = [0.0f32; 3];
            let first = (tap.start - span.start) * 3;
            for (pixel, &weight) in sums[first..].chunks_exact(3).zip(columns.weights(tap)) {
                rgb[0] += weight * pixel[0];
                rgb[1] += weight * pixel[1];
                rgb[2] += weight * pixel[2];
            }
            [red[x], green[x], blue[x]] = colour.apply(rgb.map(|c| c / 127.5 - 1.0));
        }
    });
}

/// Takes the label at the centre of every output pixel: labels are never interpolated. Pixels outside
/// the photo are [`IGNORE`].
pub(super) fn labels(map: &LabelMap, rows: &Axis, columns: &Axis, out: &mut [u16]) {
    let width = columns.taps.len();
    out_rows(rows, |y, tap| {
        let out = &mut out[y * width..(y + 1) * width];
        let Some(row) = tap.nearest else {
            out.fill(IGNORE);
            return;
        };
        let row = &map.data[row * map.width..(row + 1) * map.width];
        for (label, tap) in out.iter_mut().zip(&columns.taps) {
            *label = tap.nearest.map_or(IGNORE, |x| row[x]);
        }
    });
}

fn out_rows(rows: &Axis, mut each: impl FnMut(usize, &Tap)) {
    for (y, tap) in rows.taps.iter().enumerate() {
        each(y, tap);
    }
}
