//! Two results side by side, and where they differ.

use crate::export::{self, LegendEntry, Mask, percent, with_legend};
use crate::{labels, pictures};
use image::RgbImage;
use image::imageops::{self, FilterType};

/// Pictures on a sheet are scaled down until the longer side is at most `SIDE` pixels; small ones are
/// magnified by a whole factor up to `MAGNIFIED`.
const SIDE: u32 = 960;
const MAGNIFIED: u32 = 480;
/// Opacity of class colours over the photo.
const OPACITY: f32 = 0.7;

/// Where two results of a photo differ: red on the pale grey photo. Both are `[height, width]` of the
/// photo.
pub fn disagreement(photo: &RgbImage, [a, b]: [&[u16]; 2], classes: usize) -> RgbImage {
    labels::errors(photo, a, b, classes)
}

/// The contents of a sheet.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The photo, upright.
    pub photo: &'a RgbImage,
    /// The caption of each result.
    pub captions: [&'a str; 2],
    /// Both results, `[height, width]` of the photo, in the joint classes.
    pub labels: [&'a [u16]; 2],
    pub classes: &'a [String],
    pub colours: &'a [[u8; 3]],
}

/// Photo, both results and their disagreement, each with a caption, above a legend with the share of
/// every class in both.
pub fn sheet(of: &Sheet) -> RgbImage {
    let mask = |labels| Mask {
        photo: of.photo,
        labels,
        classes: of.classes,
        colours: of.colours,
    };
    let [a, b] = of.labels;
    let differing = a.iter().zip(b).filter(|(a, b)| a != b).count();
    let share = differing as f32 / a.len().max(1) as f32;
    let cells = [
        ("photo".to_owned(), of.photo.clone()),
        (
            format!("{} of the pixels differ", percent(share)),
            disagreement(of.photo, of.labels, of.classes.len()),
        ),
        (
            format!("A: {}", of.captions[0]),
            export::overlay(&mask(a), OPACITY),
        ),
        (
            format!("B: {}", of.captions[1]),
            export::overlay(&mask(b), OPACITY),
        ),
    ];
    let cells = cells.map(|(caption, picture)| pictures::captioned(&caption, &fitted(&picture)));
    let sheet = pictures::grid(&cells, 2);
    let shares = of
        .labels
        .map(|labels| labels::shares(labels, of.classes.len()));
    let mut entries: Vec<(f32, LegendEntry)> = of
        .classes
        .iter()
        .enumerate()
        .filter(|(class, _)| shares.iter().any(|shares| shares[*class] > 0.0))
        .map(|(class, name)| {
            let [a, b] = [0, 1].map(|side: usize| shares[side][class]);
            let entry = LegendEntry {
                class,
                colour: of.colours.get(class).copied().unwrap_or_default(),
                name,
                note: format!("A {}, B {}", percent(a), percent(b)),
            };
            (a.max(b), entry)
        })
        .collect();
    entries.sort_by(|a, b| b.0.total_cmp(&a.0));
    let entries: Vec<LegendEntry> = entries.into_iter().map(|(_, entry)| entry).collect();
    with_legend(&sheet, &entries)
}

/// A picture scaled for a sheet.
fn fitted(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let factor = MAGNIFIED / width.max(height).max(1);
    match factor {
        0 | 1 => pictures::thumbnail(picture, SIDE, FilterType::Triangle),
        _ => imageops::resize(
            picture,
            width * factor,
            height * factor,
            FilterType::Nearest,
        ),
    }
}
