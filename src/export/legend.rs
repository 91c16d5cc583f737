//! A legend under a mask: a swatch, the name and the share of every class.

use ab_glyph::{Font, FontRef, Glyph, GlyphId, PxScaleFont, ScaleFont, point};
use epaint_default_fonts::{HACK_REGULAR, UBUNTU_LIGHT};
use image::{GenericImage, Rgb, RgbImage};

/// A class of the legend.
pub(super) struct Entry<'a> {
    /// Its colour.
    pub colour: [u8; 3],
    /// Its name.
    pub name: &'a str,
    /// Its share of the picture, 0 to 1.
    pub share: f32,
}

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: [u8; 3] = [34; 3];
const EDGE: Rgb<u8> = Rgb([150; 3]);
/// The height of a line of text, in pixels, and what share of the picture's longer side it takes
/// where that is more.
const LEAST_TEXT: f32 = 16.0;
const TEXT_SHARE: f32 = 1.0 / 48.0;
/// Longer names are cut, in line heights.
const LONGEST_NAME: f32 = 16.0;

/// `picture` with the legend of `entries` below it, in as many columns as its width allows. The
/// result is wider than the picture where not even one column fits.
pub(super) fn below(picture: &RgbImage, entries: &[Entry]) -> RgbImage {
    let longer = picture.width().max(picture.height()) as f32;
    let pen = Pen::new((longer * TEXT_SHARE).max(LEAST_TEXT).round());
    let lines: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let name = pen.cut(entry.name, LONGEST_NAME * pen.height);
            (name, percent(entry.share))
        })
        .collect();
    let widest = |text: fn(&(String, String)) -> &String| {
        let widths = lines.iter().map(|line| pen.width(text(line)));
        widths.fold(0.0, f32::max).ceil() as u32
    };
    let (names, shares) = (widest(|line| &line.0), widest(|line| &line.1));

    let em = pen.height as u32;
    let (swatch, row) = (em * 3 / 4, em * 3 / 2);
    let cell = swatch + em / 2 + names + em + shares;
    let (margin, gutter) = (em, 2 * em);
    let width = picture.width().max(cell + 2 * margin);
    let columns = ((width - 2 * margin + gutter) / (cell + gutter)).max(1);
    let rows = (lines.len() as u32).div_ceil(columns);
    let height = picture.height() + 2 * margin + rows * row;

    let mut sheet = RgbImage::from_pixel(width, height, PAPER);
    // The sheet is at least as large in both directions.
    let _ = sheet.copy_from(picture, 0, 0);
    for (i, ((name, share), entry)) in (0u32..).zip(lines.iter().zip(entries)) {
        let left = margin + (i / rows) * (cell + gutter);
        let top = picture.height() + margin + (i % rows) * row;
        square(&mut sheet, [left, top + (row - swatch) / 2], swatch, entry);
        let baseline = top as f32 + (row as f32 + pen.capital()) / 2.0;
        let text = (left + swatch + em / 2) as f32;
        pen.write(&mut sheet, name, text, baseline);
        let right = (left + cell) as f32 - pen.width(share);
        pen.write(&mut sheet, share, right, baseline);
    }
    sheet
}

/// A share in per cent; what rounds to nothing is still told from nothing.
fn percent(share: f32) -> String {
    match 100.0 * share {
        small if small < 0.05 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// A swatch with an edge, so that a class as white as the paper is seen.
fn square(sheet: &mut RgbImage, [left, top]: [u32; 2], side: u32, entry: &Entry) {
    for y in 0..side {
        for x in 0..side {
            let edge = x == 0 || y == 0 || x + 1 == side || y + 1 == side;
            let colour = if edge { EDGE } else { Rgb(entry.colour) };
            sheet.put_pixel(left + x, top + y, colour);
        }
    }
}

/// Text of one size, in the first of the window's fonts that has a character.
struct Pen {
    fonts: Vec<PxScaleFont<FontRef<'static>>>,
    height: f32,
}

impl Pen {
    fn new(height: f32) -> Self {
        let fonts = [UBUNTU_LIGHT, HACK_REGULAR]
            .into_iter()
            .filter_map(|bytes| FontRef::try_from_slice(bytes).ok())
            .map(|font| font.into_scaled(height))
            .collect();
        Self { fonts, height }
    }

    /// The fonts' glyphs of a text. Characters that no font has become question marks.
    fn glyphs(&self, text: &str) -> Vec<(&PxScaleFont<FontRef<'static>>, GlyphId)> {
        let find = |character: char| {
            let fonts = self.fonts.iter();
            let mut found = fonts.map(|font| (font, font.glyph_id(character)));
            found.find(|(_, glyph)| glyph.0 != 0)
        };
        text.chars()
            .filter_map(|character| find(character).or_else(|| find('?')))
            .collect()
    }

    fn width(&self, text: &str) -> f32 {
        let glyphs = self.glyphs(text);
        glyphs.iter().map(|(font, id)| font.h_advance(*id)).sum()
    }

    /// The height of a capital letter, which looks like the height of a line.
    fn capital(&self) -> f32 {
        self.fonts
            .first()
            .and_then(|font| font.outline_glyph(font.scaled_glyph('H')))
            .map_or(self.height, |glyph| glyph.px_bounds().height())
    }

    /// The text, or as much of it as fits with an ellipsis.
    fn cut(&self, text: &str, width: f32) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut cut = String::new();
        for character in text.chars() {
            cut.push(character);
            if self.width(&cut) + self.width("…") > width {
                cut.pop();
                break;
            }
        }
        format!("{}…", cut.trim_end())
    }

    fn write(&self, sheet: &mut RgbImage, text: &str, left: f32, baseline: f32) {
        let mut x = left;
        for (font, id) in self.glyphs(text) {
            let glyph: Glyph = id.with_scale_and_position(self.height, point(x, baseline));
            x += font.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                let (x, y) = (
                    corner.x as i64 + i64::from(dx),
                    corner.y as i64 + i64::from(dy),
                );
                let inside = |v: i64, end: u32| u32::try_from(v).ok().filter(|v| *v < end);
                if let (Some(x), Some(y)) = (inside(x, sheet.width()), inside(y, sheet.height())) {
                    let pixel = sheet.get_pixel_mut(x, y);
                    let blend = |paper: u8, ink: u8| {
                        let (paper, ink) = (f32::from(paper), f32::from(ink));
                        (paper + (ink - paper) * coverage.min(1.0)).round() as u8
                    };
                    pixel.0 = std::array::from_fn(|c| blend(pixel.0[c], INK[c]));
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_a_glyph_or_a_question_mark() {
        let pen = Pen::new(16.0);
        let glyphs =
            |text: &str| -> Vec<u16> { pen.glyphs(text).into_iter().map(|(_, id)| id.0).collect() };
        assert_eq!(glyphs("\u{e000}\u{4e2d}"), glyphs("??"));
        let text = "Straße, Οδός, дорога … %";
        assert_eq!(glyphs(text).len(), text.chars().count());
        assert!(!glyphs(text).contains(&glyphs("?")[0]));
    }

    #[test]
    fn long_names_are_cut_to_fit() {
        let pen = Pen::new(16.0);
        let name = "screen, silver screen, projection screen";
        let cut = pen.cut(name, 120.0);
        assert!(cut.ends_with('…') && pen.width(&cut) <= 120.0, "{cut}");
        assert_eq!(pen.cut("sky", 120.0), "sky");
    }
}
