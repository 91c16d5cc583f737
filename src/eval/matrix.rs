//! A confusion matrix as a CSV file and as a picture.

use super::Confusion;
use crate::fonts::Pen;
use crate::{csv, pictures};
use image::{Rgb, RgbImage, imageops};

/// Side of the matrix in pixels, as far as the limits of a cell allow.
const SIDE: usize = 1600;
/// Minimum and maximum side of a cell, in pixels.
const CELL: [usize; 2] = [2, 40];
/// Cells smaller than this have no names beside them.
const NAMED: usize = 9;
/// The longest class name beside the matrix, in ems.
const NAME: f32 = 13.0;
/// Em of the title, in pixels.
const TITLE: f32 = 11.0;
/// Gap between a name and the matrix, in pixels.
const GAP: u32 = 4;
const PAPER: Rgb<u8> = Rgb([255; 3]);
const FRAME: Rgb<u8> = Rgb([153; 3]);
const INK: [u8; 3] = [0; 3];

#[derive(Debug, thiserror::Error)]
#[error("the picture of the scores cannot be encoded: {0}")]
pub struct MatrixError(#[from] png::EncodingError);

/// Pixel counts as CSV: a header of class names, then one row per true class with one column per
/// predicted class.
pub fn to_csv(confusion: &Confusion, classes: &[String]) -> String {
    let head = std::iter::once("truth").chain(classes.iter().map(String::as_str));
    let mut text = csv::line(head);
    for (truth, name) in classes.iter().enumerate() {
        let counts = (0..classes.len()).map(|k| confusion.count(truth, k).to_string());
        text.push_str(&csv::line(std::iter::once(name.clone()).chain(counts)));
    }
    text
}

/// The matrix as a picture: rows are true classes, columns predicted ones. A cell's darkness is its
/// share of the row's labelled pixels, so that rare classes are as visible as common ones.
///
/// # Errors
/// The picture cannot be encoded.
pub fn to_png(confusion: &Confusion, classes: &[String]) -> Result<Vec<u8>, MatrixError> {
    Ok(pictures::png(&picture(confusion, classes))?)
}

fn picture(confusion: &Confusion, classes: &[String]) -> RgbImage {
    let n = classes.len();
    let cell = (SIDE / n.max(1)).clamp(CELL[0], CELL[1]);
    let mut pen = Pen::new(0.9 * (cell.min(16) - 1) as f32);
    let names = if cell >= NAMED {
        let classes: Vec<(usize, &str)> = classes.iter().map(String::as_str).enumerate().collect();
        pen.labels(&classes, NAME * pen.size())
    } else {
        Vec::new()
    };
    let names: Vec<RgbImage> = names.iter().map(|name| written(&mut pen, name)).collect();
    let longest = names.iter().map(RgbImage::width).max();
    let margin = longest.unwrap_or(0).max(32) + 2 * GAP;
    let (cell, end) = (cell as u32, margin + (n * cell) as u32);
    let mut picture = RgbImage::from_pixel(end + 12, end + 12, PAPER);
    let at = |k: usize| margin + k as u32 * cell;
    for truth in 0..n {
        let all = confusion.labelled(truth);
        for predicted in 0..n {
            let share = confusion.count(truth, predicted) as f64 / all.max(1) as f64;
            let (left, top) = (at(predicted), at(truth));
            for (x, y) in (0..cell * cell).map(|i| (i % cell, i / cell)) {
                picture.put_pixel(left + x, top + y, shade(share));
            }
        }
    }
    for i in margin..=end {
        for (x, y) in [(i, margin), (i, end), (margin, i), (end, i)] {
            picture.put_pixel(x, y, FRAME);
        }
    }
    for (k, name) in names.iter().enumerate() {
        let middle = i64::from(at(k) + cell / 2);
        let across = middle - i64::from(name.height() / 2);
        let along = i64::from(margin - GAP) - i64::from(name.width());
        imageops::replace(&mut picture, name, along, across);
        imageops::replace(&mut picture, &imageops::rotate270(name), across, along);
    }
    let mut pen = Pen::new(TITLE);
    for (line, baseline) in [("rows: ground truth", 14.0), ("columns: prediction", 30.0)] {
        pen.write(&mut picture, line, [4.0, baseline], INK);
    }
    picture
}

/// A line of text on paper of the same size.
pub(super) fn written(pen: &mut Pen, text: &str) -> RgbImage {
    let height = (1.4 * pen.size()).ceil();
    let mut line = RgbImage::from_pixel(pen.width(text).ceil() as u32 + 1, height as u32, PAPER);
    let baseline = (height + pen.capital()) / 2.0;
    pen.write(&mut line, text, [0.0, baseline.round()], INK);
    line
}

/// From white for 0 to dark blue for 1; the square root makes small shares visible.
fn shade(share: f64) -> Rgb<u8> {
    let depth = share.clamp(0.0, 1.0).sqrt();
    let mix = |from: f64, to: f64| (from + (to - from) * depth) as u8;
    Rgb([mix(255.0, 8.0), mix(255.0, 48.0), mix(255.0, 107.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(n: usize) -> (Confusion, Vec<String>) {
        let mut confusion = Confusion::new(n);
        let truth: Vec<u16> = (0..n as u16).flat_map(|k| [k, k, k, k]).collect();
        let prediction: Vec<u16> = (0..n as u16).flat_map(|k| [k, k, k, 0]).collect();
        confusion.add(&truth, &prediction);
        let names = (0..n).map(|k| format!("class, number {k}")).collect();
        (confusion, names)
    }

    #[test]
    fn csv_holds_every_count_and_quotes_names() {
        let (confusion, names) = example(3);
        let text = to_csv(&confusion, &names);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("truth,\"class, number 0\""), "{text}");
        assert!(lines[1].ends_with(",4,0,0"), "{text}");
        assert!(lines[3].ends_with(",1,0,3"), "{text}");
    }

    #[test]
    fn pictures_are_dark_where_the_counts_are() {
        for n in [1, 3, 150, 900] {
            let (confusion, names) = example(n);
            let picture = picture(&confusion, &names);
            assert!(picture.width() < 2100, "{n}: {}", picture.width());
            let cell = (SIDE / n).clamp(CELL[0], CELL[1]) as u32;
            let first = picture.width() - 12 - n as u32 * cell;
            let middle = |k: usize| first + k as u32 * cell + cell / 2;
            let blue = |x, y| picture.get_pixel(x, y).0[0];
            let last = n - 1;
            assert!(blue(middle(last), middle(last)) < 60, "{n}");
            if n > 2 {
                // A share of 1 is darkest, 3/4 a little paler, and 0 white.
                assert!(blue(middle(0), middle(0)) < blue(middle(1), middle(1)));
                assert_eq!(blue(middle(2), middle(1)), 255);
            }
            if n == 3 {
                // Names are to the left of their rows.
                let rows = middle(1) - 6..middle(1) + 6;
                let dark = rows.flat_map(|y| (20..first - 4).map(move |x| (x, y)));
                assert!(dark.clone().any(|(x, y)| blue(x, y) < 128), "no text");
                // And above their columns, from the bottom up.
                assert!(dark.into_iter().any(|(x, y)| blue(y, x) < 128), "no text");
            }
        }
    }

    #[test]
    fn a_long_name_does_not_widen_the_picture() {
        let (confusion, mut names) = example(3);
        let plain = picture(&confusion, &names).width();
        names[1] = "name ".repeat(60);
        let long = picture(&confusion, &names).width();
        assert!(long < plain + 150, "{long} rather than {plain}");
        // Names in other scripts are drawn, and differ.
        let one = |name: &str| {
            let names = [name, "b", "c"].map(str::to_owned);
            picture(&confusion, &names)
        };
        assert_ne!(one("人行道"), one("机动车"));
        assert_ne!(one("سماء"), one("شجرة"));
    }
}
