//! Converts photos with a colour profile to sRGB, which models are trained on.

use std::path::Path;

use image::RgbImage;
use moxcms::{CmsError, ColorProfile, DataColorSpace, Layout, TransformOptions};
use rayon::prelude::*;

/// A profile that changes no colour by more than this, of 255, counts as sRGB.
const SAME: u8 = 2;
/// Values per channel in the comparison with sRGB.
const TRIED: usize = 9;
/// Pixels converted at a time.
const BLOCK: usize = 1 << 14;

/// Converts a photo from its embedded profile. A profile that is damaged or not for RGB or grey pixels
/// is ignored, as in other programs.
pub(super) fn to_srgb(path: &Path, image: &mut RgbImage, profile: &[u8]) {
    if let Err(error) = convert(image, profile) {
        tracing::debug!("{}: its colour profile is ignored: {error}", path.display());
    }
}

fn convert(image: &mut RgbImage, profile: &[u8]) -> Result<(), CmsError> {
    let profile = ColorProfile::new_from_slice(profile)?;
    let srgb = ColorProfile::new_srgb();
    let from = match profile.color_space {
        DataColorSpace::Rgb => Layout::Rgb,
        DataColorSpace::Gray => Layout::Gray,
        _ => return Err(CmsError::UnsupportedProfileConnection),
    };
    let options = TransformOptions::default();
    let transform = profile.create_transform_8bit(from, &srgb, Layout::Rgb, options)?;
    if from == Layout::Gray {
        let greys: Vec<u8> = (0..=255).collect();
        let mut colours = vec![0; 3 * greys.len()];
        transform.transform(&greys, &mut colours)?;
        for pixel in image.pixels_mut() {
            for (c, value) in pixel.0.iter_mut().enumerate() {
                *value = colours
                    .get(3 * usize::from(*value) + c)
                    .copied()
                    .unwrap_or(*value);
            }
        }
        return Ok(());
    }
    let tried = lattice();
    let mut moved = vec![0; tried.len()];
    transform.transform(&tried, &mut moved)?;
    if tried
        .iter()
        .zip(&moved)
        .all(|(a, b)| a.abs_diff(*b) <= SAME)
    {
        return Ok(());
    }
    let converted = |block: &mut [u8]| {
        let before = block.to_vec();
        transform.transform(&before, block)
    };
    image.par_chunks_mut(3 * BLOCK).try_for_each(converted)
}

/// A regular grid of RGB colours.
fn lattice() -> Vec<u8> {
    let value = |i: usize| (255 * (i % TRIED) / (TRIED - 1)) as u8;
    (0..TRIED.pow(3))
        .flat_map(|i| [value(i), value(i / TRIED), value(i / TRIED.pow(2))])
        .collect()
}
