//! The reliability diagram: the share of right pixels against their probability.

use super::matrix::written;
use super::{Bin, Calibration, MatrixError};
use crate::fonts::Pen;
use crate::pictures;
use image::{Rgb, RgbImage, imageops};

/// Side of the diagram, and height of the histogram below it, in pixels.
const SIDE: u32 = 480;
const HISTOGRAM: u32 = 80;
/// The left and top margins of the diagram, and the space to its right.
const LEFT: u32 = 84;
const TOP: u32 = 84;
const RIGHT: u32 = 36;
/// Gap between the diagram and the histogram, and the space below that.
const BETWEEN: u32 = 24;
const BOTTOM: u32 = 58;
/// Ems of the title and of all other text, in pixels.
const TITLE: f32 = 17.0;
const TEXT: f32 = 14.0;
/// Length of a tick, in pixels.
const TICK: u32 = 5;

const PAPER: Rgb<u8> = Rgb([255; 3]);
const FRAME: Rgb<u8> = Rgb([110; 3]);
const GRID: Rgb<u8> = Rgb([228; 3]);
const RIGHT_SHARE: Rgb<u8> = Rgb([66, 118, 184]);
const GAP: Rgb<u8> = Rgb([232, 148, 132]);
const DIAGONAL: Rgb<u8> = Rgb([40; 3]);
const COUNT: Rgb<u8> = Rgb([150, 158, 170]);
const INK: [u8; 3] = [20; 3];

/// The diagram as a PNG: for every range of probabilities a bar as high as the share of its pixels that
/// are right, and the gap to their mean probability; the diagonal of perfect calibration; and below, a
/// histogram of all pixels. The title is `name` and the calibration error.
///
/// # Errors
/// The picture cannot be encoded.
pub fn reliability_png(calibration: &Calibration, name: &str) -> Result<Vec<u8>, MatrixError> {
    Ok(pictures::png(&picture(calibration, name))?)
}

fn picture(calibration: &Calibration, name: &str) -> RgbImage {
    let height = TOP + SIDE + BETWEEN + HISTOGRAM + BOTTOM;
    let mut sheet = RgbImage::from_pixel(LEFT + SIDE + RIGHT, height, PAPER);
    let bins = calibration.bins();
    grid(&mut sheet);
    for (at, bin) in bins.iter().enumerate() {
        bar(&mut sheet, at, bins.len(), bin);
    }
    for i in 0..SIDE {
        for across in 0..2 {
            sheet.put_pixel(
                LEFT + i,
                TOP + (SIDE - 1 - i).saturating_sub(across),
                DIAGONAL,
            );
        }
    }
    let greatest = bins.iter().map(|bin| bin.pixels).max().unwrap_or(0);
    let foot = TOP + SIDE + BETWEEN + HISTOGRAM;
    for (at, bin) in bins.iter().enumerate() {
        let [left, right] = columns(at, bins.len());
        let high = share(bin.pixels, greatest) * f64::from(HISTOGRAM);
        fill(
            &mut sheet,
            [left + 1, foot - high.round() as u32],
            [right, foot],
            COUNT,
        );
    }
    frame(&mut sheet, [LEFT, TOP], [SIDE, SIDE]);
    frame(&mut sheet, [LEFT, foot - HISTOGRAM], [SIDE, HISTOGRAM]);
    words(&mut sheet, calibration, name, greatest);
    sheet
}

fn share(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}

/// The left and the right end of a bin's bar.
fn columns(at: usize, bins: usize) -> [u32; 2] {
    [at, at + 1].map(|edge| LEFT + (edge as u32 * SIDE) / bins as u32)
}

/// The pixel row of a share, 0 to 1.
fn row(share: f64) -> u32 {
    TOP + SIDE - (share.clamp(0.0, 1.0) * f64::from(SIDE)).round() as u32
}

/// Draws the share of right pixels of a bin, and the gap between it and their mean probability.
fn bar(sheet: &mut RgbImage, at: usize, bins: usize, bin: &Bin) {
    if bin.pixels == 0 {
        return;
    }
    let [left, right] = columns(at, bins);
    let found = row(share(bin.right, bin.pixels));
    let claimed = row(bin.probability / bin.pixels as f64);
    fill(sheet, [left + 1, found], [right, TOP + SIDE], RIGHT_SHARE);
    let [top, bottom] = [found.min(claimed), found.max(claimed)];
    fill(sheet, [left + 1, top], [right, bottom], GAP);
    if found < claimed {
        // The height of the bar stays visible above a gap that lies within it.
        fill(sheet, [left + 1, found], [right, found + 2], RIGHT_SHARE);
    }
}

fn grid(sheet: &mut RgbImage) {
    for tick in 1..5 {
        let at = tick * SIDE / 5;
        fill(sheet, [LEFT, TOP + at], [LEFT + SIDE, TOP + at + 1], GRID);
        fill(sheet, [LEFT + at, TOP], [LEFT + at + 1, TOP + SIDE], GRID);
    }
}

fn words(sheet: &mut RgbImage, calibration: &Calibration, name: &str, greatest: u64) {
    let bins = calibration.bins();
    let all: u64 = bins.iter().map(|bin| bin.pixels).sum();
    let error = calibration.error().map_or_else(
        || "no labelled pixel".to_owned(),
        |error| format!("expected calibration error (ECE) {:.2} %", 100.0 * error),
    );
    let mut pen = Pen::new(TITLE);
    let title = pen.elide(name, (LEFT + SIDE + RIGHT - 32) as f32);
    pen.write(sheet, &title, [16.0, 26.0], INK);
    pen.write(sheet, &error, [16.0, 50.0], INK);

    let mut pen = Pen::new(TEXT);
    let capital = pen.capital();
    let foot = TOP + SIDE + BETWEEN + HISTOGRAM;
    for tick in 0..=5 {
        let text = format!("{:.1}", f64::from(tick) / 5.0);
        let width = pen.width(&text);
        let (x, y) = (LEFT + tick * SIDE / 5, row(f64::from(tick) / 5.0));
        fill(sheet, [LEFT - TICK, y], [LEFT, y + 1], FRAME);
        fill(sheet, [x, foot], [x + 1, foot + TICK], FRAME);
        let left = (LEFT - TICK - 4) as f32 - width;
        pen.write(sheet, &text, [left, y as f32 + capital / 2.0], INK);
        let below = (foot + TICK + 4) as f32 + capital;
        pen.write(sheet, &text, [x as f32 - width / 2.0, below], INK);
    }
    let most = format!("{:.0} %", 100.0 * share(greatest, all));
    let left = (LEFT - TICK - 4) as f32 - pen.width(&most);
    let top = (foot - HISTOGRAM) as f32 + capital;
    pen.write(sheet, &most, [left, top], INK);

    let x_label = "probability of the predicted class";
    let middle = (LEFT + SIDE / 2) as f32 - pen.width(x_label) / 2.0;
    pen.write(sheet, x_label, [middle, (foot + BOTTOM - 12) as f32], INK);
    for (text, centre) in [
        ("share of right pixels", TOP + SIDE / 2),
        ("of pixels", foot - HISTOGRAM / 2),
    ] {
        let turned = imageops::rotate270(&written(&mut pen, text));
        let top = i64::from(centre) - i64::from(turned.height() / 2);
        imageops::replace(sheet, &turned, 16, top);
    }
    let mut left = LEFT;
    for (colour, text) in [(RIGHT_SHARE, "right"), (GAP, "gap to the mean probability")] {
        fill(sheet, [left, 62], [left + 12, 74], colour);
        pen.write(sheet, text, [(left + 18) as f32, 63.0 + capital], INK);
        left += 42 + pen.width(text).ceil() as u32;
    }
}

fn frame(sheet: &mut RgbImage, [left, top]: [u32; 2], [width, height]: [u32; 2]) {
    let (right, bottom) = (left + width, top + height);
    fill(sheet, [left, top], [right, top + 1], FRAME);
    fill(sheet, [left, bottom - 1], [right, bottom], FRAME);
    fill(sheet, [left, top], [left + 1, bottom], FRAME);
    fill(sheet, [right - 1, top], [right, bottom], FRAME);
}

fn fill(sheet: &mut RgbImage, [left, top]: [u32; 2], [right, bottom]: [u32; 2], colour: Rgb<u8>) {
    for y in top..bottom.min(sheet.height()) {
        for x in left..right.min(sheet.width()) {
            sheet.put_pixel(x, y, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_share_of_right_pixels() {
        let mut calibration = Calibration::default();
        // Four pixels at 0.9, of which one is right; one pixel at 0.5 that is right.
        calibration.add(&[0, 1, 1, 1, 0], &[0; 5], &[0.9, 0.9, 0.9, 0.9, 0.5], 2);
        let sheet = picture(&calibration, "a model on some data");
        let of = |probability: f64| LEFT + (probability * f64::from(SIDE)) as u32;
        let at = |probability: f64, share: f64| *sheet.get_pixel(of(probability) - 6, row(share));
        assert_eq!(at(0.9, 0.15), RIGHT_SHARE);
        assert_eq!(at(0.9, 0.35), GAP);
        assert_eq!(at(0.9, 0.97), PAPER);
        // More right than claimed: the gap lies above the mean probability, up to the bar's end.
        assert_eq!(at(0.5, 0.2), RIGHT_SHARE);
        assert_eq!(at(0.5, 0.7), GAP);
        // An empty bin has no bar.
        assert_eq!(at(0.3, 0.1), PAPER);
        // The histogram has four times the pixels at 0.9.
        let foot = TOP + SIDE + BETWEEN + HISTOGRAM;
        let count = |probability: f64| {
            let column = of(probability) - 6;
            (foot - HISTOGRAM..foot)
                .filter(|y| *sheet.get_pixel(column, *y) == COUNT)
                .count()
        };
        assert!(
            count(0.9).abs_diff(4 * count(0.5)) <= 4,
            "{} {}",
            count(0.9),
            count(0.5)
        );
        // The title has ink.
        let dark = |y| (16..300).any(|x| sheet.get_pixel(x, y).0[0] < 90);
        assert!((8..30).any(dark) && (34..54).any(dark));
    }

    #[test]
    fn nothing_to_show_is_a_diagram_without_bars() {
        let sheet = picture(&Calibration::default(), "empty");
        let bars = [RIGHT_SHARE, GAP, COUNT];
        let (width, height) = sheet.dimensions();
        let plots = (TOP..height).flat_map(|y| (LEFT..width).map(move |x| (x, y)));
        for (x, y) in plots {
            assert!(!bars.contains(sheet.get_pixel(x, y)), "{x}, {y}");
        }
    }
}
