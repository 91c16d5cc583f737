//! Converts samples of any width and order to 8-bit RGB.
//!
//! In 16-bit and floating-point samples the value of white is not defined. Cameras store 10, 12 or 14
//! bits in 16-bit files, and programs store 0..1 or any of these ranges as floating point. White is
//! therefore derived from the maximum sample of the picture, and the log warns of every photo that does
//! not have the full range of its format.

use std::path::Path;

use image::RgbImage;
use rayon::prelude::*;

use super::super::error::DataError;
use super::decoded::warn;

/// The meaning of a pixel's channels. Further channels are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channels {
    /// Whether three channels are red, green and blue; otherwise the first one is grey.
    pub rgb: bool,
    /// Kind of opacity in the channel after the colours.
    pub alpha: Option<Alpha>,
}

/// How colours relate to opacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    /// The colours are those of the opaque pixel.
    Straight,
    /// The colours are already multiplied by the opacity.
    Premultiplied,
}

impl Channels {
    pub(super) const GREY: Self = Self {
        rgb: false,
        alpha: None,
    };
    /// Red, green and blue without opacity.
    pub(super) const RGB: Self = Self {
        rgb: true,
        alpha: None,
    };

    /// Adds straight opacity.
    pub(super) const fn with_alpha(self) -> Self {
        Self {
            alpha: Some(Alpha::Straight),
            ..self
        }
    }

    fn colours(self) -> usize {
        if self.rgb { 3 } else { 1 }
    }
}

/// The samples of a picture in the decoder's memory layout.
pub(super) struct Raster<'a, T> {
    /// `[width, height]`.
    pub size: [u32; 2],
    pub samples: &'a [T],
    /// Stride between pixels, in samples.
    pub pixel: usize,
    /// Stride between channels of a pixel, in samples.
    pub channel: usize,
    pub channels: Channels,
}

impl<'a, T: Copy + Sync> Raster<'a, T> {
    /// A picture with interleaved channels.
    pub(super) fn interleaved(size: [u32; 2], samples: &'a [T], channels: Channels) -> Self {
        let count = channels.colours() + usize::from(channels.alpha.is_some());
        Self {
            size,
            samples,
            pixel: count,
            channel: 1,
            channels,
        }
    }

    /// Composites on white. `colour` and `alpha` map a sample to 0..=255. Missing samples are white.
    fn to_rgb(&self, colour: impl Fn(T) -> u8 + Sync, alpha: impl Fn(T) -> u8 + Sync) -> RgbImage {
        let [width, height] = self.size;
        let mut rgb = RgbImage::new(width, height);
        let row_bytes = 3 * width as usize;
        let rows = rgb.par_chunks_exact_mut(row_bytes.max(1)).enumerate();
        rows.for_each(|(y, row)| {
            for (x, out) in row.chunks_exact_mut(3).enumerate() {
                let first = (y * width as usize + x) * self.pixel;
                let sample = |c: usize| self.samples.get(first + c * self.channel).copied();
                for (c, out) in out.iter_mut().enumerate() {
                    let c = if self.channels.rgb { c } else { 0 };
                    *out = sample(c).map_or(255, &colour);
                }
                if let Some(kind) = self.channels.alpha {
                    let opacity = sample(self.channels.colours()).map_or(255, &alpha);
                    out.iter_mut()
                        .for_each(|c| *c = over_white(*c, opacity, kind));
                }
            }
        });
        rgb
    }

    /// Computes colours from the first four channels of each pixel, or fewer if it has fewer.
    pub(super) fn mapped(&self, colour: impl Fn([T; 4]) -> [u8; 3] + Sync) -> RgbImage
    where
        T: Default,
    {
        let [width, height] = self.size;
        let mut rgb = RgbImage::new(width, height);
        let pixels = rgb.as_chunks_mut::<3>().0;
        pixels.par_iter_mut().enumerate().for_each(|(i, out)| {
            let sample = |c: usize| self.samples.get(i * self.pixel + c * self.channel).copied();
            *out = colour([0, 1, 2, 3].map(|c| sample(c).unwrap_or_default()));
        });
        rgb
    }

    /// The maximum of `value` over the channels `from..to`.
    fn greatest<V>(
        &self,
        [from, to]: [usize; 2],
        none: V,
        value: impl Fn(T) -> V + Sync,
        greater: impl Fn(V, V) -> V + Sync,
    ) -> V
    where
        V: Copy + Send + Sync,
    {
        let pixels = self.size[0] as usize * self.size[1] as usize;
        (from..to)
            .map(|channel| {
                let offset = channel * self.channel;
                (0..pixels)
                    .into_par_iter()
                    .filter_map(|i| self.samples.get(i * self.pixel + offset))
                    .map(|sample| value(*sample))
                    .reduce(|| none, &greater)
            })
            .fold(none, &greater)
    }
}

/// A colour composited on white.
fn over_white(colour: u8, opacity: u8, kind: Alpha) -> u8 {
    let (c, a) = (u32::from(colour), u32::from(opacity));
    match kind {
        Alpha::Straight => ((c * a + 255 * (255 - a) + 127) / 255) as u8,
        Alpha::Premultiplied => (c + 255 - a).min(255) as u8,
    }
}

/// Converts 8-bit samples.
pub(super) fn from_bytes(raster: &Raster<u8>) -> RgbImage {
    raster.to_rgb(|v| v, |v| v)
}

/// Converts stored samples that `value` maps to 16 bits. If all colours fit into 8, 10, 12 or 14 bits,
/// the smallest of these is used as the full range, with a warning.
pub(super) fn from_words<T>(
    path: &Path,
    raster: &Raster<T>,
    value: impl Fn(T) -> u16 + Sync,
) -> RgbImage
where
    T: Copy + Sync,
{
    let colours = raster.channels.colours();
    let greatest = raster.greatest([0, colours], 0, &value, u16::max);
    let white = white(greatest);
    let opaque = match (white, raster.channels.alpha) {
        (u16::MAX, _) | (_, None) => u16::MAX,
        // The opacity of such a picture may have the same range or the full one.
        _ => match raster.greatest([colours, colours + 1], 0, &value, u16::max) {
            alpha if alpha <= white => white,
            _ => u16::MAX,
        },
    };
    if white < u16::MAX {
        let bits = 16 - white.leading_zeros();
        warn(
            path,
            &format!(
                "its 16-bit samples only reach {greatest}: they are read as {bits}-bit samples"
            ),
        );
    }
    let scaled = |white: u16| {
        let white = u32::from(white);
        let value = &value;
        move |v: T| ((u32::from(value(v)) * 255 + white / 2) / white).min(255) as u8
    };
    raster.to_rgb(scaled(white), scaled(opaque))
}

/// The value of white in 16-bit data with this maximum.
fn white(greatest: u16) -> u16 {
    let whites = [8, 10, 12, 14].map(|bits: u32| ((1u32 << bits) - 1) as u16);
    let fitting = whites.into_iter().find(|white| greatest <= *white);
    // A black picture has no range.
    fitting.filter(|_| greatest > 0).unwrap_or(u16::MAX)
}

/// Converts stored samples that `value` maps to floating point. White is 1 or, if samples exceed 2, the smallest
/// full range of 8, 10, 12, 14 or 16 bits that holds them, with a warning. NaN is black.
///
/// # Errors
/// Samples far below 0 or above 65535; the message states the range.
pub(super) fn from_floats<T>(
    path: &Path,
    raster: &Raster<T>,
    value: impl Fn(T) -> f32 + Sync,
) -> Result<RgbImage, DataError>
where
    T: Copy + Sync,
{
    let all = [0, raster.channels.colours()];
    let finite = |v: T, otherwise: f32| {
        Some(value(v))
            .filter(|v| v.is_finite())
            .unwrap_or(otherwise)
    };
    let greatest = raster.greatest(all, f32::MIN, |v| finite(v, f32::MIN), f32::max);
    let least = raster.greatest(all, f32::MAX, |v| finite(v, f32::MAX), f32::min);
    let white = if greatest <= 2.0 {
        Some(1.0)
    } else {
        let whites = [255.0, 1023.0, 4095.0, 16383.0, 65535.0];
        whites.into_iter().find(|white| greatest <= *white)
    };
    // Resampling can leave values slightly below 0.
    let Some(white) = white.filter(|white| least >= -0.1 * white) else {
        return Err(DataError::unsupported(
            path,
            &format!("a picture of floating-point samples from {least} to {greatest}"),
            "scale them to 0..1, or save the picture with 8 or 16 bits per sample",
        ));
    };
    if greatest > 1.0 {
        let range = match white {
            1.0 => "values above 1 are clipped".to_owned(),
            white => format!("0..{white} is used as the full range"),
        };
        warn(
            path,
            &format!("its floating-point samples reach {greatest}: {range}"),
        );
    }
    let scaled = |white: f32| {
        let value = &value;
        // A cast of NaN gives 0.
        move |v: T| (value(v) / white * 255.0 + 0.5).clamp(0.0, 255.0) as u8
    };
    // Opacity beyond 1 has the same range as the colours.
    let opacity = [
        all[1],
        all[1] + usize::from(raster.channels.alpha.is_some()),
    ];
    let opaque = match raster.greatest(opacity, 0.0, |v| finite(v, 0.0), f32::max) {
        alpha if alpha <= 1.0 => 1.0,
        _ => white,
    };
    Ok(raster.to_rgb(scaled(white), scaled(opaque)))
}
