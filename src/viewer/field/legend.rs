//! The bars below the field that say which colour is which value.

use super::panel::FieldPanel;
use super::settings::FieldSettings;
use super::style::backdrop;
use crate::format::{round_step, tick};
use crate::gpu::field::{FieldScene, Quantity};
use crate::viewer::theme::{self, GRID};
use eframe::egui::{self, Align2, Color32, FontId, Pos2, Rect, Ui};

const BAR: [f32; 2] = [180.0, 10.0];
/// Height of a bar with its title and ticks, in points.
const ROW: f32 = 48.0;

struct Bar {
    title: &'static str,
    /// Position along the bar, 0 to 1, and text.
    ticks: Vec<(f32, String)>,
}

/// The height of the bars of the layers shown, in points.
pub(super) fn height(settings: &FieldSettings) -> f32 {
    let layers = &settings.layers;
    let quantity = layers.slice.shown.then(|| settings.drawn_quantity());
    let magnitude = layers.arrows.shown || quantity == Some(Quantity::Magnitude);
    let other = [Quantity::Potential, Quantity::Probability].map(Some);
    let bars = usize::from(magnitude) + usize::from(other.contains(&quantity));
    if bars == 0 {
        0.0
    } else {
        ROW * bars as f32 + GRID
    }
}

/// Draws the scene's bars at the lower right; returns their bounding rectangle.
pub(super) fn show(panel: &FieldPanel, ui: &Ui, scene: &FieldScene, area: Rect) -> Rect {
    let mut all = Rect::NOTHING;
    let Some(ranges) = panel.picture.ranges() else {
        return all;
    };
    let quantity = scene.layers.slice.map(|slice| slice.quantity);
    let mut bars = Vec::new();
    if scene.layers.arrows.is_some() || quantity == Some(Quantity::Magnitude) {
        bars.push(magnitude(ranges.magnitude));
    }
    if quantity == Some(Quantity::Potential) {
        bars.push(linear("Φ, the potential (nats)", ranges.phi));
    }
    if quantity == Some(Quantity::Probability) {
        bars.push(linear("p of the target", 1.0));
    }
    let ramp = scene.view.style.ramp;
    let ramp = ramp.map(|[r, g, b]| Color32::from_rgb(r, g, b));
    let [width, height] = BAR;
    let (painter, ink) = (ui.painter(), ui.visuals().text_color());
    let font = FontId::proportional(11.0);
    for (i, bar) in bars.into_iter().enumerate() {
        let left = area.right() - width - 3.0 * GRID;
        let top = area.bottom() - ROW * (i + 1) as f32 - GRID;
        let corner = egui::pos2(left, top);
        let place = Rect::from_min_size(corner, egui::vec2(width, ROW - 4.0));
        let behind = place.expand2(egui::vec2(1.5 * GRID, 2.0));
        painter.rect_filled(behind, 4.0, backdrop(ui.visuals()));
        all = all.union(behind);
        painter.text(corner, Align2::LEFT_TOP, bar.title, font.clone(), ink);
        let below = corner + egui::vec2(0.0, 16.0);
        let strip = Rect::from_min_size(below, egui::vec2(width, height));
        painter.add(theme::gradient(strip, &ramp));
        let bottom = strip.bottom();
        for (share, text) in bar.ticks {
            let x = strip.left() + share * width;
            painter.vline(x, bottom..=bottom + 3.0, egui::Stroke::new(1.0, ink));
            let at = Pos2::new(x, bottom + 3.0);
            painter.text(at, Align2::CENTER_TOP, text, font.clone(), ink);
        }
    }
    all
}

/// Adds ticks at the ends of a bar, 0 and 1, unless others are too near for two labels. `ticks` are in order.
fn with_ends(mut ticks: Vec<(f32, String)>, ends: [String; 2]) -> Vec<(f32, String)> {
    /// As a share of the bar.
    const APART: f32 = 0.17;
    let [low, high] = ends;
    if ticks.first().is_none_or(|(share, _)| *share > APART) {
        ticks.insert(0, (0.0, low));
    }
    if ticks.last().is_none_or(|(share, _)| *share < 1.0 - APART) {
        ticks.push((1.0, high));
    }
    ticks
}

/// The field magnitude on a logarithmic scale: a tick at every decade and at both ends.
fn magnitude([low, high]: [f32; 2]) -> Bar {
    let text = |exponent: f32| tick(10f64.powf(f64::from(exponent)), 2);
    let at = |exponent: f32| ((exponent - low) / (high - low), text(exponent));
    let decades = low.ceil() as i32..=high.floor() as i32;
    let ticks = decades.map(|decade| at(decade as f32)).collect();
    Bar {
        title: "|f|, field magnitude (1 = half the cube)",
        ticks: with_ends(ticks, [low, high].map(text)),
    }
}

fn linear(title: &'static str, end: f32) -> Bar {
    let end = f64::from(end);
    let step = round_step(end / 4.0);
    let values = (0..=(end / step + 1e-3) as i32).map(|i| f64::from(i) * step);
    let ticks = values.map(|value| ((value / end) as f32, tick(value, 2)));
    Bar {
        title,
        ticks: with_ends(ticks.collect(), [0.0, end].map(|value| tick(value, 2))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_decades_has_a_tick_at_each_and_at_both_ends() {
        for (range, expected) in [
            ([-1.0, 1.5], &["0.1", "1", "10", "32"][..]),
            ([-0.5, 1.0], &["0.32", "1", "10"][..]),
            // Labels so near to each other would overlap.
            ([-0.1, 1.0], &["1", "10"][..]),
            ([-1.0, 1.1], &["0.1", "1", "10"][..]),
        ] {
            let bar = magnitude(range);
            let texts: Vec<&str> = bar.ticks.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts, expected);
            let shares = bar.ticks.iter().map(|(share, _)| *share);
            assert!(shares.is_sorted());
        }
    }

    #[test]
    fn a_short_range_has_its_ends() {
        let bar = magnitude([0.1, 0.6]);
        assert_eq!(bar.ticks.len(), 2);
    }

    #[test]
    fn a_linear_range_has_ticks_at_round_values() {
        let bar = linear("", 1.0);
        let texts: Vec<&str> = bar.ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["0", "0.5", "1"]);
    }
}
