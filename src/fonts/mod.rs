//! Text in any script, in the window and in pictures.
//!
//! The built-in fonts have Latin, Greek and Cyrillic letters. Other characters are drawn with the
//! fonts installed on the system; a character that none of them has is spelled in Latin letters, so
//! that names stay readable and distinct. The system's fonts are listed when the first such
//! character is drawn, not at startup.

mod latin;
mod order;
mod pen;
mod system;
#[cfg(test)]
mod tests;

pub use order::in_visual_order;
pub use pen::Pen;

use eframe::egui::epaint::text::{
    FallbackRequest, FontData, FontDefinitions, FontFamily, FontInsert, FontPriority, FontProvider,
    GlyphRasterizer, GlyphRasterizerRequest, RasterizedGlyph,
};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use system::{Coverage, System};

/// Finds a system font for a character that no built-in font has.
pub fn provider() -> Arc<dyn FontProvider> {
    Arc::new(|request: &FallbackRequest<'_>| insert(System::installed(), request.cluster))
}

fn insert(system: &System, cluster: &str) -> Option<FontInsert> {
    let font = system.find(cluster.chars().next()?)?;
    let data = FontData {
        index: font.index,
        ..FontData::from_static(font.bytes)
    };
    Some(FontInsert::new(font.name, data, Vec::new()))
}

/// Draws characters that no font has in Latin letters.
///
/// It is called before the fonts: a sequence of missing right-to-left characters would otherwise be
/// reordered as if it were drawn in its own script.
pub fn rasterizer() -> GlyphRasterizer {
    GlyphRasterizer::new("flowseg::latin", |request| {
        spell(System::installed, request)
    })
    .with_priority(FontPriority::Highest)
}

fn spell<'a>(
    system: impl FnOnce() -> &'a System,
    request: &GlyphRasterizerRequest<'_>,
) -> Option<RasterizedGlyph> {
    let character = request.cluster.chars().next()?;
    // Icons have their own families, and tabs are handled by the layout.
    let text = matches!(
        request.family,
        FontFamily::Proportional | FontFamily::Monospace
    );
    if !text || character == '\t' || is_drawn(system, character) {
        return None;
    }
    latin::draw(request.cluster, request.font_size_px)
}

/// Whether a built-in font or a system font has a character.
fn is_drawn<'a>(system: impl FnOnce() -> &'a System, character: char) -> bool {
    if character.is_control() {
        return false;
    }
    character.is_ascii() || built_in().has(character) || system().find(character).is_some()
}

/// A text as it is drawn: characters that no font has are replaced by their spelling.
fn as_drawn(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| is_drawn(System::installed, c)) {
        return Cow::Borrowed(text);
    }
    let spelled = |c: char| {
        if is_drawn(System::installed, c) {
            c.to_string()
        } else {
            latin::spelled(c.encode_utf8(&mut [0; 4]))
        }
    };
    Cow::Owned(text.chars().map(spelled).collect())
}

/// Class names as they are drawn on one line. Names that look alike, such as two words with the
/// same Latin spelling, are followed by their class numbers.
pub fn distinct(classes: &[String]) -> Vec<String> {
    let numbered: Vec<(usize, &str)> = classes.iter().map(String::as_str).enumerate().collect();
    let alike = alike(&numbered);
    let names = numbered.iter().zip(alike);
    names
        .map(|((class, name), alike)| {
            let name = in_visual_order(name);
            if alike {
                format!("{name} ({class})")
            } else {
                name.into_owned()
            }
        })
        .collect()
}

/// For each name, whether it looks like that of another class.
fn alike<S: AsRef<str>>(names: &[(usize, S)]) -> Vec<bool> {
    let drawn: Vec<Cow<'_, str>> = names
        .iter()
        .map(|(_, name)| as_drawn(name.as_ref()))
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in &drawn {
        *counts.entry(name.trim()).or_default() += 1;
    }
    drawn.iter().map(|name| counts[name.trim()] > 1).collect()
}

/// Whether the built-in fonts draw a character, so that it looks the same on every machine.
#[cfg(test)]
pub(crate) fn is_built_in(character: char) -> bool {
    character.is_ascii() || built_in().has(character)
}

/// The characters of the built-in fonts.
fn built_in() -> &'static Coverage {
    static BUILT_IN: OnceLock<Coverage> = OnceLock::new();
    BUILT_IN.get_or_init(|| {
        let fonts = FontDefinitions::default().font_data;
        let bytes = fonts.values().map(|data| (data.bytes(), data.index));
        Coverage::of(bytes)
    })
}

/// Gives the plotting library, which measures text, a font of this name.
///
/// # Errors
/// The font cannot be read; one line.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn register_for_plots(name: &str) -> Result<(), String> {
    let font = epaint_default_fonts::UBUNTU_LIGHT;
    plotters::style::register_font(name, plotters::style::FontStyle::Normal, font)
        .map_err(|_| "its font cannot be read".to_owned())
}

/// In a browser, plots take the page's fonts.
///
/// # Errors
/// Never.
#[cfg(target_arch = "wasm32")]
pub(crate) fn register_for_plots(_: &str) -> Result<(), String> {
    Ok(())
}
