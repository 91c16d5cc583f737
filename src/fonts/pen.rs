//! Writes text into pictures.

use super::{alike, in_visual_order, provider, rasterizer};
use eframe::egui::Color32;
use eframe::egui::epaint::FontColorTransferFunction;
use eframe::egui::epaint::text::{
    FontDefinitions, FontFamily, FontId, Fonts, Galley, LayoutJob, TextOptions, ViewportKey,
};
use image::RgbImage;
use std::sync::Arc;
use unicode_normalization::char::is_combining_mark;

/// Maximum number of characters that are measured; longer texts are shortened first.
const LONGEST: usize = 1024;

/// Writes text of one size into pictures, one line at a time, with the fonts of the window and of
/// the system.
pub struct Pen {
    fonts: Fonts,
    options: TextOptions,
    font: FontId,
}

impl Pen {
    pub fn new(size: f32) -> Self {
        let options = TextOptions {
            max_texture_side: 4096,
            color_transfer_function: FontColorTransferFunction::LIGHT_MODE_DEFAULT,
            ..TextOptions::default()
        };
        let fonts = Fonts::new(options, FontDefinitions::default())
            .with_font_providers(vec![provider()])
            .with_glyph_rasterizer(rasterizer());
        Self {
            fonts,
            options,
            font: FontId::new(size, FontFamily::Proportional),
        }
    }

    /// The size of an em, in pixels.
    pub fn size(&self) -> f32 {
        self.font.size
    }

    fn line(&mut self, text: &str) -> Galley {
        // Clears earlier glyphs once they have filled their texture.
        self.fonts.begin_pass(self.options, ViewportKey::default());
        let text = in_visual_order(text).into_owned();
        let job = LayoutJob::simple_singleline(text, self.font.clone(), Color32::WHITE);
        self.fonts.layout_uncached(1.0, Arc::new(job))
    }

    /// The width of a line, in pixels.
    pub fn width(&mut self, text: &str) -> f32 {
        self.line(text).size().x
    }

    /// The height of a capital letter, in pixels.
    pub fn capital(&mut self) -> f32 {
        let line = self.line("H");
        let glyph = line.rows.first().and_then(|row| row.glyphs.first());
        glyph.map_or(self.font.size, |glyph| glyph.uv_rect.size.y)
    }

    /// The text, or its start and end around an ellipsis if it is wider than `width` pixels.
    pub fn elide(&mut self, text: &str, width: f32) -> String {
        let mut characters: Vec<char> = text.chars().take(LONGEST + 1).collect();
        if characters.len() > LONGEST {
            // The end is as important as the start.
            characters.truncate(LONGEST / 2);
            let end: Vec<char> = text.chars().rev().take(LONGEST / 2).collect();
            characters.extend(end.into_iter().rev());
        } else if self.width(text) <= width {
            return text.to_owned();
        }
        let (mut fits, mut over) = (0, characters.len());
        while fits + 1 < over {
            let middle = (fits + over) / 2;
            if self.width(&ends(&characters, middle)) <= width {
                fits = middle;
            } else {
                over = middle;
            }
        }
        ends(&characters, fits)
    }

    /// The names of classes, each given with its number, in at most `width` pixels. Names that look
    /// alike in that width are followed by their numbers.
    pub fn labels(&mut self, names: &[(usize, &str)], width: f32) -> Vec<String> {
        let elided: Vec<(usize, String)> = names
            .iter()
            .map(|(class, name)| (*class, self.elide(name, width)))
            .collect();
        let alike = alike(&elided);
        let labels = elided.into_iter().zip(names).zip(alike);
        labels
            .map(|(((class, elided), (_, name)), alike)| {
                if !alike {
                    return elided;
                }
                let number = format!(" ({class})");
                let left = width - self.width(&number);
                self.elide(name, left) + &number
            })
            .collect()
    }

    /// Writes a line with its left end at `left` and its baseline at `baseline`, both in pixels.
    /// Parts outside the picture are clipped.
    pub fn write(
        &mut self,
        picture: &mut RgbImage,
        text: &str,
        [left, baseline]: [f32; 2],
        ink: [u8; 3],
    ) {
        let line = self.line(text);
        let atlas = self.fonts.texture_atlas().image();
        for row in &line.rows {
            for glyph in &row.glyphs {
                let place = glyph.uv_rect;
                let x = (left + row.pos.x + glyph.pos.x + place.offset.x).round() as i64;
                let y = (baseline + place.offset.y).round() as i64;
                for (dy, v) in (place.min[1]..place.max[1]).enumerate() {
                    for (dx, u) in (place.min[0]..place.max[0]).enumerate() {
                        let coverage = atlas[(usize::from(u), usize::from(v))].a();
                        blend(picture, [x + dx as i64, y + dy as i64], ink, coverage);
                    }
                }
            }
        }
    }
}

/// The first and last of `keep` characters around an ellipsis; combining marks stay with their
/// letters.
fn ends(characters: &[char], keep: usize) -> String {
    let mut head = keep.div_ceil(2);
    let mut tail = characters.len() - keep / 2;
    while head > 0 && characters.get(head).is_some_and(|&c| is_combining_mark(c)) {
        head -= 1;
    }
    while characters.get(tail).is_some_and(|&c| is_combining_mark(c)) {
        tail += 1;
    }
    let text = |part: &[char]| part.iter().collect::<String>();
    let (head, tail) = (text(&characters[..head]), text(&characters[tail..]));
    format!("{}\u{2026}{}", head.trim_end(), tail.trim_start())
}

fn blend(picture: &mut RgbImage, [x, y]: [i64; 2], ink: [u8; 3], coverage: u8) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
        return;
    };
    if coverage == 0 || x >= picture.width() || y >= picture.height() {
        return;
    }
    let share = u32::from(coverage);
    let pixel = picture.get_pixel_mut(x, y);
    for (below, ink) in pixel.0.iter_mut().zip(ink) {
        let mixed = u32::from(*below) * (255 - share) + u32::from(ink) * share;
        *below = ((mixed + 127) / 255) as u8;
    }
}
