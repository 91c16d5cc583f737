//! Pictures with a palette, for GIFs.

use color_quant::NeuQuant;
use image::{Rgb, RgbImage};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

/// The most colours of a palette.
const COLOURS: usize = 256;
/// The most colours of a larger picture that its palette has exactly; the others share the rest of it.
const EXACT: usize = 128;
/// A colour of more pixels than one in so many is of an area.
const AREA: usize = 4096;
/// About how many pixels the other colours are chosen from.
const SAMPLES: usize = 30_000;

/// A palette, and the number in it of every pixel.
pub(super) struct Indexed {
    pub palette: Vec<u8>,
    pub pixels: Vec<u8>,
}

impl Indexed {
    /// A picture of at most 256 colours exactly. Of others, flat areas keep their colours, such as those of classes,
    /// and every other pixel gets the nearest colour of the palette: one that is chosen for all pixels alike would
    /// mix the colours of areas as well.
    pub(super) fn of(picture: &RgbImage) -> Self {
        let counts = counted(picture);
        let palette = if counts.len() <= COLOURS {
            let colours: BTreeSet<[u8; 3]> = counts.into_keys().collect();
            colours.into_iter().collect()
        } else {
            let mut palette = of_areas(&counts, picture.pixels().len());
            let others = others(picture, &palette);
            palette.extend(others);
            palette
        };
        let numbered = palette.iter().copied().zip(0..=u8::MAX);
        let mut numbers: HashMap<[u8; 3], u8> = numbered.collect();
        let pixels = picture.pixels().map(|Rgb(colour)| {
            *numbers
                .entry(*colour)
                .or_insert_with(|| nearest(&palette, *colour))
        });
        Self {
            pixels: pixels.collect(),
            palette: palette.concat(),
        }
    }
}

/// The number of pixels of each colour.
fn counted(picture: &RgbImage) -> HashMap<[u8; 3], usize> {
    let mut counts = HashMap::new();
    for Rgb(colour) in picture.pixels() {
        *counts.entry(*colour).or_default() += 1;
    }
    counts
}

/// The most frequent colours of areas, none if all are about as frequent: where every pixel is drawn magnified, none is
/// of an area.
fn of_areas(counts: &HashMap<[u8; 3], usize>, pixels: usize) -> Vec<[u8; 3]> {
    let mut frequent: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count * AREA > pixels && **count * counts.len() > 2 * pixels)
        .map(|(colour, count)| (Reverse(*count), *colour))
        .collect();
    frequent.sort_unstable();
    frequent.truncate(EXACT);
    frequent.into_iter().map(|(_, colour)| colour).collect()
}

/// Colours for the pixels that have none of `exact`, as many as a palette has room for beside those.
fn others(picture: &RgbImage, exact: &[[u8; 3]]) -> Vec<[u8; 3]> {
    let exact: BTreeSet<_> = exact.iter().collect();
    let left = picture.pixels().filter(|pixel| !exact.contains(&pixel.0));
    let pixels: Vec<u8> = left
        .flat_map(|&Rgb([r, g, b])| [r, g, b, u8::MAX])
        .collect();
    // Its range is 1, for all pixels, to 30.
    let one_in = (pixels.len() / 4 / SAMPLES).clamp(1, 30) as i32;
    let chosen = NeuQuant::new(one_in, COLOURS - exact.len(), &pixels).color_map_rgb();
    chosen.as_chunks().0.to_vec()
}

/// The number of the colour nearest to another.
fn nearest(palette: &[[u8; 3]], colour: [u8; 3]) -> u8 {
    let distance = |other: &[u8; 3]| -> u32 {
        let channels = other.iter().zip(colour);
        channels.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let numbered = (0..=u8::MAX).zip(palette);
    let best = numbered.min_by_key(|(_, other)| distance(other));
    best.map_or(0, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture that a reader sees.
    fn shown(indexed: &Indexed, width: u32) -> RgbImage {
        let colour = |&number: &u8| &indexed.palette[3 * usize::from(number)..][..3];
        let pixels: Vec<u8> = indexed.pixels.iter().flat_map(colour).copied().collect();
        let height = indexed.pixels.len() as u32 / width;
        RgbImage::from_raw(width, height, pixels).unwrap()
    }

    #[test]
    fn areas_keep_their_colours_beside_any_number_of_others() {
        // A shade of grey is near, and would move its colour.
        let areas = [[120, 120, 128], [0, 130, 180], [230, 25, 75], [229, 26, 75]];
        let picture = RgbImage::from_fn(256, 256, |x, y| {
            Rgb(match (x, y) {
                (0..128, _) => areas[(y / 64) as usize],
                _ => [(2 * x) as u8, y as u8, (x ^ y) as u8],
            })
        });
        let indexed = Indexed::of(&picture);
        assert_eq!(indexed.palette.len(), 3 * COLOURS);
        let shown = shown(&indexed, 256);
        let (mut off, mut others) = (0, 0);
        for (x, y, Rgb(colour)) in picture.enumerate_pixels() {
            let Rgb(given) = shown.get_pixel(x, y);
            if x < 128 {
                assert_eq!(given, colour, "at {x}, {y}");
            } else {
                let channels = colour.iter().zip(given);
                off += channels
                    .map(|(a, b)| u32::from(a.abs_diff(*b)))
                    .sum::<u32>();
                others += 3;
            }
        }
        assert!(off < 12 * others, "{off} in {others} values");
    }

    #[test]
    fn a_picture_of_few_colours_is_exact() {
        let picture = RgbImage::from_fn(16, 17, |x, y| Rgb([x as u8, 15 * (y % 16) as u8, 7]));
        let indexed = Indexed::of(&picture);
        assert_eq!(indexed.palette.len(), 3 * COLOURS);
        assert_eq!(shown(&indexed, 16), picture);
        let single = Indexed::of(&RgbImage::from_pixel(3, 2, Rgb([9, 8, 7])));
        assert_eq!(single.palette, [9, 8, 7]);
        assert_eq!(single.pixels, [0; 6]);
    }

    /// No colour is of an area where every pixel has its own, however small the picture or large its pixels.
    #[test]
    fn noise_has_a_palette_of_its_own() {
        for magnified in [1, 8] {
            let picture = RgbImage::from_fn(48 * magnified, 64 * magnified, |x, y| {
                Rgb([(5 * (x / magnified)) as u8, (4 * (y / magnified)) as u8, 0])
            });
            assert!(of_areas(&counted(&picture), picture.pixels().len()).is_empty());
            let indexed = Indexed::of(&picture);
            assert_eq!(indexed.palette.len(), 3 * COLOURS);
            let used: BTreeSet<u8> = indexed.pixels.iter().copied().collect();
            assert!(used.len() > 128, "{} colours", used.len());
        }
    }
}
