//! Spells characters that no font has in Latin letters.

use ab_glyph::{Font, FontRef, OutlinedGlyph, Rect, ScaleFont, point};
use eframe::egui::epaint::text::{GlyphBitmap, RasterizedGlyph};
use eframe::egui::{Color32, ColorImage, vec2};
use epaint_default_fonts::UBUNTU_LIGHT;
use std::fmt::Write;

/// Maximum letters in the spelling of a cluster of characters.
const LONGEST: usize = 24;

/// A cluster of characters in Latin letters, such as "Ren " for 人. Control characters become
/// spaces; a character without a known spelling becomes its code point, such as "[E000]".
pub(super) fn spelled(cluster: &str) -> String {
    let mut text = String::new();
    for character in cluster.chars() {
        match deunicode::deunicode_char(character) {
            _ if character.is_control() => text.push(' '),
            Some(latin) => text.extend(latin.chars().filter(|c| !c.is_control())),
            None => {
                // Writing into a string does not fail.
                let _ = write!(text, "[{:X}]", u32::from(character));
            }
        }
    }
    text.chars().take(LONGEST).collect()
}

/// Draws the spelling of a cluster; the em is `size` pixels.
pub(super) fn draw(cluster: &str, size: f32) -> Option<RasterizedGlyph> {
    let font = FontRef::try_from_slice(UBUNTU_LIGHT).ok()?;
    // The text layout measures in ems, the rasterizer in line heights.
    let scale = size * font.height_unscaled() / font.units_per_em()?;
    let scaled = font.as_scaled(scale);
    let mut advance = 0.0;
    let mut glyphs: Vec<OutlinedGlyph> = Vec::new();
    for character in spelled(cluster).chars() {
        let id = font.glyph_id(character);
        let glyph = id.with_scale_and_position(scale, point(advance, 0.0));
        glyphs.extend(font.outline_glyph(glyph));
        advance += scaled.h_advance(id);
    }
    let bounds = glyphs
        .iter()
        .map(OutlinedGlyph::px_bounds)
        .reduce(union)
        .unwrap_or_default();
    let [width, height] = [bounds.width(), bounds.height()].map(|side| side.max(1.0) as usize);
    let mut image = ColorImage::filled([width, height], Color32::TRANSPARENT);
    for glyph in &glyphs {
        let corner = glyph.px_bounds().min - bounds.min;
        glyph.draw(|x, y, coverage| {
            let at = [
                corner.x as usize + x as usize,
                corner.y as usize + y as usize,
            ];
            if at[0] < width && at[1] < height {
                let alpha = (255.0 * coverage.clamp(0.0, 1.0)).round() as u8;
                let before = image[(at[0], at[1])].a();
                image[(at[0], at[1])] = Color32::from_white_alpha(before.max(alpha));
            }
        });
    }
    let bitmap = GlyphBitmap {
        image,
        offset_px: vec2(bounds.min.x, bounds.min.y),
        is_color: false,
    };
    Some(RasterizedGlyph {
        bitmap,
        advance_px: advance,
    })
}

fn union(a: Rect, b: Rect) -> Rect {
    Rect {
        min: point(a.min.x.min(b.min.x), a.min.y.min(b.min.y)),
        max: point(a.max.x.max(b.max.x), a.max.y.max(b.max.y)),
    }
}
