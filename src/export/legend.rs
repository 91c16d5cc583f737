//! A legend under a mask: a swatch, the name and the share of every class.

use crate::fonts::Pen;
use image::{GenericImage, Rgb, RgbImage};

pub struct Entry<'a> {
    pub class: usize,
    pub colour: [u8; 3],
    pub name: &'a str,
    /// Text to the right of the name, such as the share.
    pub note: String,
}

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: [u8; 3] = [34; 3];
const EDGE: Rgb<u8> = Rgb([150; 3]);
/// The em of the text as a fraction of the picture's shorter side, and its limits in pixels, so that it
/// is readable at the picture's own size even under a long panorama.
const TEXT_SHARE: f32 = 1.0 / 40.0;
const TEXT: [f32; 2] = [14.0, 120.0];
/// The height of a line of text, in ems.
const LINE: f32 = 1.15;
/// Longer names are shortened; in line heights.
const LONGEST_NAME: f32 = 16.0;

/// `picture` above the legend of `entries`, in as many columns as its width allows. The result is wider
/// than the picture if not even one column fits.
pub fn below(picture: &RgbImage, entries: &[Entry]) -> RgbImage {
    let shorter = picture.width().min(picture.height()) as f32;
    let em = (shorter * TEXT_SHARE).clamp(TEXT[0], TEXT[1]);
    below_in(picture, entries, em)
}

/// [`below`] in text of `em` pixels.
pub fn below_in(picture: &RgbImage, entries: &[Entry], em: f32) -> RgbImage {
    let mut pen = Pen::new(em.round());
    let line = (LINE * em).round();
    let names: Vec<(usize, &str)> = entries.iter().map(|e| (e.class, e.name)).collect();
    let names = pen.labels(&names, LONGEST_NAME * line);
    let mut widest = |texts: &mut dyn Iterator<Item = &str>| {
        let widths = texts.map(|text| pen.width(text));
        widths.fold(0.0, f32::max).ceil() as u32
    };
    let name_width = widest(&mut names.iter().map(String::as_str));
    let note_width = widest(&mut entries.iter().map(|entry| entry.note.as_str()));

    let em = line as u32;
    let (swatch, row) = (em * 3 / 4, em * 3 / 2);
    let cell = swatch + em / 2 + name_width + em + note_width;
    let (margin, gutter) = (em, 2 * em);
    let width = picture.width().max(cell + 2 * margin);
    let columns = ((width - 2 * margin + gutter) / (cell + gutter)).max(1);
    let rows = (entries.len() as u32).div_ceil(columns);
    let height = picture.height() + 2 * margin + rows * row;

    let mut sheet = RgbImage::from_pixel(width, height, PAPER);
    // The sheet is at least as large in both directions.
    let _ = sheet.copy_from(picture, 0, 0);
    let capital = pen.capital();
    for (i, (name, entry)) in (0u32..).zip(names.iter().zip(entries)) {
        let left = margin + (i / rows) * (cell + gutter);
        let top = picture.height() + margin + (i % rows) * row;
        square(&mut sheet, [left, top + (row - swatch) / 2], swatch, entry);
        let baseline = top as f32 + (row as f32 + capital) / 2.0;
        let text = (left + swatch + em / 2) as f32;
        pen.write(&mut sheet, name, [text, baseline], INK);
        let right = (left + cell) as f32 - pen.width(&entry.note);
        pen.write(&mut sheet, &entry.note, [right, baseline], INK);
    }
    sheet
}

/// A share in %. A share that rounds to 0 is not written as 0.
pub fn percent(share: f32) -> String {
    match 100.0 * share {
        small if small < 0.05 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// A swatch with an edge, so that a white class is visible on the paper.
fn square(sheet: &mut RgbImage, [left, top]: [u32; 2], side: u32, entry: &Entry) {
    for y in 0..side {
        for x in 0..side {
            let edge = x == 0 || y == 0 || x + 1 == side || y + 1 == side;
            let colour = if edge { EDGE } else { Rgb(entry.colour) };
            sheet.put_pixel(left + x, top + y, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legend(size: [u32; 2], names: &[&str]) -> RgbImage {
        let entries: Vec<Entry> = names
            .iter()
            .enumerate()
            .map(|(class, name)| Entry {
                class,
                colour: [10, 200, 30],
                name,
                note: percent(0.5),
            })
            .collect();
        below(&RgbImage::new(size[0], size[1]), &entries)
    }

    /// The lines of a one-column legend below a picture of this height.
    fn lines(sheet: &RgbImage, below: u32, count: u32) -> Vec<RgbImage> {
        let margin = (LINE * TEXT[0]).round() as u32;
        let row = (sheet.height() - below - 2 * margin) / count;
        let line =
            |i| image::imageops::crop_imm(sheet, 0, below + margin + i * row, sheet.width(), row);
        (0..count).map(|i| line(i).to_image()).collect()
    }

    /// The number of rows with ink below a picture of this height.
    fn inked(sheet: &RgbImage, below: u32) -> usize {
        let dark = |y| (0..sheet.width()).any(|x| sheet.get_pixel(x, y).0.iter().all(|c| *c < 90));
        (below..sheet.height()).filter(|&y| dark(y)).count()
    }

    #[test]
    fn a_panorama_costs_little_more_than_its_photo_and_has_readable_letters() {
        for size in [[20_000, 400], [3, 20_000], [400, 300]] {
            let sheet = legend(size, &["sky", "road"]);
            let more = [sheet.width() - size[0], sheet.height() - size[1]];
            assert!(more[0] < 400 && more[1] < 120, "{size:?}: {more:?} more");
            let letters = inked(&sheet, size[1]);
            assert!(
                (8..60).contains(&letters),
                "{size:?}: {letters} rows of ink"
            );
        }
        let large = legend([9000, 6000], &["sky"]);
        assert!(inked(&large, 6000) > 60, "letters grow with the photo");
    }

    #[test]
    fn a_name_of_300_letters_keeps_its_ends_and_the_sheet_its_size() {
        let long = |middle: &str| format!("{}{middle}{}", "first ".repeat(25), " last".repeat(25));
        let plain = legend([64, 48], &["sky", "road"]);
        let sheet = legend([64, 48], &[&long("x"), &long("y")]);
        assert!(sheet.width() < 600 && sheet.height() == plain.height());
        // They differ only in the middle, so their numbers are printed too.
        let lines = lines(&sheet, 48, 2);
        assert_ne!(lines[0], lines[1]);
    }

    #[test]
    fn names_of_every_script_are_distinct() {
        for names in [
            ["人行道", "机动车", "天空树", "建筑物"],
            ["شارع", "سماء", "شجرة", "بناء"],
            ["सड़क", "पेड़", "आकाश", "भवन"],
            ["дор", "неб", "лес", "дом"],
            ["δρό", "ουρ", "δέν", "σπί"],
            ["\u{e000}", "\u{e001}", "\u{e002}", "\u{e003}"],
            // Latin transliterations of these are identical.
            ["树", "数", "书", "鼠"],
        ] {
            let sheet = legend([96, 64], &names);
            let lines = lines(&sheet, 64, 4);
            for (i, line) in lines.iter().enumerate() {
                assert!(!lines[..i].contains(line), "{} in {names:?}", names[i]);
            }
        }
    }
}
