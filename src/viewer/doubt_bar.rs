//! The colour bar of a measure of uncertainty.

use super::theme::{self, GRID};
use crate::gpu::canvas::DOUBT_COLOURS;
use crate::votes::Doubt;
use eframe::egui::{self, Align2, Color32, FontId, Pos2, Rect, Stroke, Ui};

/// Maximum length and height of the bar, in points.
const BAR: [f32; 2] = [220.0, 10.0];
/// Height of the bar with its title and ticks, in points.
const HEIGHT: f32 = 46.0;
/// The labelled values.
const TICKS: [f32; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Draws the bar in the lower left or right corner of a pane, if there is room.
pub(super) fn show(ui: &Ui, pane: Rect, doubt: Doubt, right: bool) {
    let width = BAR[0].min(pane.width() - 7.0 * GRID);
    if width < 12.0 * GRID || pane.height() < 3.0 * HEIGHT {
        return;
    }
    let left = if right {
        pane.right() - width - 3.0 * GRID
    } else {
        pane.left() + 3.0 * GRID
    };
    let corner = egui::pos2(left, pane.bottom() - HEIGHT - GRID);
    let place = Rect::from_min_size(corner, egui::vec2(width, HEIGHT));
    let (painter, ink) = (ui.painter(), Color32::WHITE);
    let dark = Color32::from_black_alpha(190);
    painter.rect_filled(place.expand2(egui::vec2(2.0 * GRID, 0.5 * GRID)), 4.0, dark);
    let font = FontId::proportional(11.5);
    painter.text(
        corner,
        Align2::LEFT_TOP,
        title(doubt, width),
        font.clone(),
        ink,
    );
    let strip = Rect::from_min_size(corner + egui::vec2(0.0, 17.0), egui::vec2(width, BAR[1]));
    painter.add(theme::gradient(strip, &colours(doubt)));
    for value in TICKS {
        let x = strip.left() + value * width;
        let bottom = strip.bottom();
        painter.vline(x, bottom..=bottom + 3.0, Stroke::new(1.0, ink));
        let at = Pos2::new(x, bottom + 3.0);
        painter.text(at, Align2::CENTER_TOP, value.to_string(), font.clone(), ink);
    }
}

/// The title of the bar, shorter if the bar is short.
fn title(doubt: Doubt, width: f32) -> &'static str {
    match (doubt, width < BAR[0]) {
        (Doubt::Probability, false) => "p1, probability of the class",
        (Doubt::Probability, true) => "p1",
        (Doubt::Margin, false) => "p1 - p2, lead over the second class",
        (Doubt::Margin, true) => "p1 - p2",
        (Doubt::Entropy, false) => "entropy / ln N, 1 = all equally probable",
        (Doubt::Entropy, true) => "entropy / ln N",
    }
}

/// The colour ramp for values from 0 to 1.
fn colours(doubt: Doubt) -> [Color32; 8] {
    let mut colours = DOUBT_COLOURS.map(|[r, g, b]| Color32::from_rgb(r, g, b));
    if doubt.as_doubt(0.0) > 0.5 {
        colours.reverse();
    }
    colours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bright_stands_for_doubt_in_every_measure() {
        let [certain, open] = [DOUBT_COLOURS[0], DOUBT_COLOURS[7]];
        let rgb = |[r, g, b]: [u8; 3]| Color32::from_rgb(r, g, b);
        for doubt in Doubt::ALL {
            let colours = colours(doubt);
            let ends = [certain, open].map(rgb);
            match doubt {
                Doubt::Entropy => assert_eq!([colours[0], colours[7]], ends),
                _ => assert_eq!([colours[7], colours[0]], ends),
            }
        }
    }
}
