//! A confusion matrix as a CSV file and as a picture.

use super::Confusion;
use crate::{csv, pictures};
use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Side of the cells of all classes together, in pixels, as far as a cell's limits allow.
const SIDE: usize = 1600;
/// Least and greatest side of a cell.
const CELL: [usize; 2] = [2, 40];
/// Cells smaller than this have no room for a name beside them.
const NAMED: usize = 9;
/// Characters of a class name beside the matrix.
const NAME: usize = 24;

/// Why a matrix can't be written.
#[derive(Debug, thiserror::Error)]
#[error("the confusion matrix cannot be drawn: {0}")]
pub struct MatrixError(String);

impl MatrixError {
    fn because(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

/// Pixel counts as CSV: a row a true class, a column a predicted class, the names first.
///
/// # Errors
/// None; it has the form of [`to_png`].
pub fn to_csv(confusion: &Confusion, classes: &[String]) -> Result<Vec<u8>, MatrixError> {
    let head = std::iter::once("truth").chain(classes.iter().map(String::as_str));
    let mut text = csv::line(head);
    for (truth, name) in classes.iter().enumerate() {
        let counts = (0..classes.len()).map(|k| confusion.count(truth, k).to_string());
        text.push_str(&csv::line(std::iter::once(name.clone()).chain(counts)));
    }
    Ok(text.into_bytes())
}

/// The matrix as a picture: rows are true classes, columns predicted ones, and a cell's darkness is
/// its share of the row's labelled pixels, so that rare classes show as clearly as common ones.
///
/// # Errors
/// A drawing that fails.
pub fn to_png(confusion: &Confusion, classes: &[String]) -> Result<Vec<u8>, MatrixError> {
    let picture = picture(confusion, classes)?;
    pictures::png(&picture).map_err(MatrixError::because)
}

fn picture(confusion: &Confusion, classes: &[String]) -> Result<RgbImage, MatrixError> {
    pictures::register_font().map_err(MatrixError::because)?;
    let n = classes.len();
    let cell = (SIDE / n.max(1)).clamp(CELL[0], CELL[1]);
    let text = cell.min(16) as i32 - 1;
    let longest = classes.iter().map(|c| shorten(c).chars().count()).max();
    let margin = match cell >= NAMED {
        true => 30 + longest.unwrap_or(0) as i32 * text * 6 / 10,
        false => 40,
    };
    let side = margin + (n * cell) as i32 + 12;
    let mut pixels = vec![0u8; 3 * (side * side) as usize];
    {
        let size = (side as u32, side as u32);
        let root = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        root.fill(&WHITE).map_err(MatrixError::because)?;
        let at = |k: usize| margin + (k * cell) as i32;
        for truth in 0..n {
            let all = confusion.labelled(truth);
            for predicted in 0..n {
                let share = confusion.count(truth, predicted) as f64 / all.max(1) as f64;
                let corner = (at(predicted), at(truth));
                let far = (corner.0 + cell as i32, corner.1 + cell as i32);
                let area = Rectangle::new([corner, far], shade(share).filled());
                root.draw(&area).map_err(MatrixError::because)?;
            }
        }
        let end = at(n);
        let frame = Rectangle::new([(margin, margin), (end, end)], BLACK.mix(0.4));
        root.draw(&frame).map_err(MatrixError::because)?;
        let style = |size: i32, anchor: Pos| {
            TextStyle::from((pictures::FONT, size).into_font()).pos(anchor)
        };
        let row = style(text, Pos::new(HPos::Right, VPos::Center));
        let column =
            style(text, Pos::new(HPos::Left, VPos::Center)).transform(FontTransform::Rotate270);
        for (k, name) in classes.iter().enumerate().filter(|_| cell >= NAMED) {
            let middle = at(k) + cell as i32 / 2;
            let name = shorten(name);
            let places = [
                (&row, (margin - 4, middle)),
                (&column, (middle, margin - 4)),
            ];
            for (style, place) in places {
                root.draw_text(&name, style, place)
                    .map_err(MatrixError::because)?;
            }
        }
        let title = style(12, Pos::new(HPos::Left, VPos::Top));
        for (line, y) in [("rows: truth", 4), ("columns: prediction", 20)] {
            root.draw_text(line, &title, (4, y))
                .map_err(MatrixError::because)?;
        }
        root.present().map_err(MatrixError::because)?;
    }
    RgbImage::from_raw(side as u32, side as u32, pixels)
        .ok_or_else(|| MatrixError::because("it has another size than announced"))
}

/// From white for nothing to dark blue for all; the root lifts small shares out of the white.
fn shade(share: f64) -> RGBColor {
    let depth = share.clamp(0.0, 1.0).sqrt();
    let mix = |from: f64, to: f64| (from + (to - from) * depth) as u8;
    RGBColor(mix(255.0, 8.0), mix(255.0, 48.0), mix(255.0, 107.0))
}

fn shorten(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        Some((cut, _)) => format!("{}\u{2026}", &name[..cut]),
        None => name.to_owned(),
    }
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
        let text = String::from_utf8(to_csv(&confusion, &names).unwrap()).unwrap();
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
            let picture = picture(&confusion, &names).unwrap();
            assert!(picture.width() < 2100, "{n}: {}", picture.width());
            let cell = (SIDE / n).clamp(CELL[0], CELL[1]) as u32;
            let first = picture.width() - 12 - n as u32 * cell;
            let middle = |k: usize| first + k as u32 * cell + cell / 2;
            let blue = |x, y| picture.get_pixel(x, y).0[0];
            let last = n - 1;
            assert!(blue(middle(last), middle(last)) < 60, "{n}");
            if n > 2 {
                // Whole shares show as all, three quarters a little paler, nothing as white.
                assert!(blue(middle(0), middle(0)) < blue(middle(1), middle(1)));
                assert_eq!(blue(middle(2), middle(1)), 255);
            }
            if n == 3 {
                // Names stand to the left of their rows.
                let dark = (20..first - 4).any(|x| blue(x, middle(1)) < 128);
                assert!(dark, "no text");
            }
        }
    }
}
