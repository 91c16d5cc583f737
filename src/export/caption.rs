//! Pictures with a caption: a title and a text below them.

use crate::fonts::Pen;
use image::{GenericImage, Rgb, RgbImage};

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: [u8; 3] = [34; 3];
/// The em of the text and of the title, in pixels.
const TEXT: [f32; 2] = [15.0, 19.0];
/// The height of a line of text, in ems.
const LINE: f32 = 1.4;
/// The margin around the caption, in pixels.
const MARGIN: u32 = 16;
/// Maximum number of lines; a longer text is cut.
const MOST_LINES: usize = 40;

/// `picture` above a title and a text, which is broken into lines as wide as the picture.
pub fn with_caption(picture: &RgbImage, title: &str, text: &str) -> RgbImage {
    let [small, large] = TEXT.map(Pen::new);
    let width = picture.width().max(8 * MARGIN);
    let room = (width - 2 * MARGIN) as f32;
    let mut pens = [large, small];
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (pen, text) in [title, text].into_iter().enumerate() {
        let broken = broken(&mut pens[pen], text, room);
        lines.extend(broken.into_iter().map(|line| (pen, line)));
    }
    lines.truncate(MOST_LINES);
    let step = |pens: &[Pen; 2], pen: usize| (LINE * pens[pen].size()).round() as u32;
    let height: u32 = lines.iter().map(|(pen, _)| step(&pens, *pen)).sum();
    let total = picture.height() + height + 2 * MARGIN;
    let mut sheet = RgbImage::from_pixel(width, total, PAPER);
    // The sheet is at least as large in both directions.
    let _ = sheet.copy_from(picture, 0, 0);
    let mut top = picture.height() + MARGIN;
    for (pen, line) in &lines {
        let step = step(&pens, *pen);
        let capital = pens[*pen].capital();
        let baseline = top as f32 + (step as f32 + capital) / 2.0;
        pens[*pen].write(&mut sheet, line, [MARGIN as f32, baseline], INK);
        top += step;
    }
    sheet
}

/// A text in lines of at most `room` pixels; a longer word is shortened.
fn broken(pen: &mut Pen, text: &str, room: f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line} {word}");
            if pen.width(&longer) <= room {
                *line = longer;
                continue;
            }
        }
        lines.push(pen.elide(word, room));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_below_its_picture_and_inside_the_sheet() {
        let red = RgbImage::from_pixel(200, 50, Rgb([255, 0, 0]));
        let text = "Every pixel gets the class of the nearest point. ".repeat(3);
        let sheet = with_caption(&red, "A title", &text);
        assert_eq!(sheet.width(), 200);
        for y in 0..50 {
            assert!((0..200).all(|x| sheet.get_pixel(x, y) == &Rgb([255, 0, 0])));
        }
        let ink = |x: u32, y: u32| sheet.get_pixel(x, y).0[0] < 128;
        let inked: Vec<u32> = (50..sheet.height())
            .filter(|&y| (0..200).any(|x| ink(x, y)))
            .collect();
        assert!(inked.len() > 40, "{} rows with ink", inked.len());
        // Nothing is cut off: the margins are empty.
        let inside = |at: u32, side: u32| (8..side - 8).contains(&at);
        for (x, y, _) in sheet
            .enumerate_pixels()
            .filter(|(x, y, _)| *y >= 50 && ink(*x, *y))
        {
            assert!(
                inside(x, 200) && inside(y - 50, sheet.height() - 50),
                "{x} {y}"
            );
        }
        // More text needs more room, and an endless word no more than its line.
        assert!(with_caption(&red, "A title", "short").height() < sheet.height());
        assert_eq!(
            with_caption(&red, "A title", &"x".repeat(5000)).height(),
            with_caption(&red, "A title", "x").height()
        );
    }
}
