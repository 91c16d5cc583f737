//! The colour bars.

use super::FieldLab;
use crate::gpu::field::{Quantity, Scene, round_step};
use crate::viewer::theme::GRID;
use eframe::egui::{self, Align2, Color32, FontId, Mesh, Pos2, Rect, Ui};

/// Size of a bar.
const BAR: [f32; 2] = [180.0, 10.0];
/// Height of a bar with its title and ticks.
const ROW: f32 = 48.0;

/// A bar: its title and its ticks, each at a share of the bar.
struct Bar {
    title: &'static str,
    ticks: Vec<(f32, String)>,
}

/// Paints the bars that the scene needs, at the lower right; returns where they are.
pub fn show(lab: &FieldLab, ui: &Ui, scene: &Scene, area: Rect) -> Rect {
    let mut all = Rect::NOTHING;
    let Some(ranges) = lab.renderer.as_ref().map(|renderer| renderer.ranges()) else {
        return all;
    };
    let quantity = scene.slice.as_ref().map(|slice| slice.quantity);
    let mut bars = Vec::new();
    if scene.arrows.is_some() || quantity == Some(Quantity::Magnitude) {
        bars.push(magnitude(ranges.magnitude));
    }
    if quantity == Some(Quantity::Potential) {
        bars.push(linear("Φ, the potential (nats)", ranges.phi));
    }
    if quantity == Some(Quantity::Probability) {
        bars.push(linear("p of the target", 1.0));
    }
    let ramp = scene.look.ramp.map(|[r, g, b]| Color32::from_rgb(r, g, b));
    let [width, height] = BAR;
    for (i, bar) in bars.into_iter().enumerate() {
        let left = area.right() - width - 3.0 * GRID;
        let top = area.bottom() - ROW * (i + 1) as f32 - GRID;
        let place = Rect::from_min_size(egui::pos2(left, top), egui::vec2(width, ROW - 4.0));
        let shade = ui.visuals().extreme_bg_color.gamma_multiply(0.78);
        let ground = place.expand2(egui::vec2(1.5 * GRID, 2.0));
        ui.painter().rect_filled(ground, 4.0, shade);
        all = all.union(ground);
        let ink = ui.visuals().text_color();
        let font = FontId::proportional(11.0);
        ui.painter().text(
            place.left_top(),
            Align2::LEFT_TOP,
            bar.title,
            font.clone(),
            ink,
        );
        let strip = Rect::from_min_size(
            place.left_top() + egui::vec2(0.0, 16.0),
            egui::vec2(width, height),
        );
        ui.painter().add(gradient(strip, &ramp));
        for (share, text) in bar.ticks {
            let x = strip.left() + share * width;
            let line = egui::Stroke::new(1.0, ink);
            ui.painter()
                .vline(x, strip.bottom()..=strip.bottom() + 3.0, line);
            let at = Pos2::new(x, strip.bottom() + 3.0);
            ui.painter()
                .text(at, Align2::CENTER_TOP, text, font.clone(), ink);
        }
    }
    all
}

/// The field's length on a logarithmic scale: a tick a decade, or at both ends of a shorter range.
fn magnitude([low, high]: [f32; 2]) -> Bar {
    let share = |decade: f32| (decade - low) / (high - low);
    let first = low.ceil() as i32;
    let mut ticks: Vec<(f32, String)> = (first..=high.floor() as i32)
        .map(|decade| (share(decade as f32), number(10f32.powi(decade))))
        .collect();
    if ticks.len() < 2 {
        ticks = vec![
            (0.0, number(10f32.powf(low))),
            (1.0, number(10f32.powf(high))),
        ];
    }
    Bar {
        title: "|f|, length of the field (1 = half the cube)",
        ticks,
    }
}

fn linear(title: &'static str, end: f32) -> Bar {
    let step = round_step(end, 4.0);
    let ticks = (0..=(end / step + 1e-3) as i32)
        .map(|i| (i as f32 * step / end, number(i as f32 * step)))
        .collect();
    Bar { title, ticks }
}

fn number(value: f32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (1.0 - value.log10().floor()).clamp(0.0, 4.0) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn gradient(rect: Rect, ramp: &[Color32]) -> Mesh {
    let mut mesh = Mesh::default();
    for (i, &colour) in ramp.iter().enumerate() {
        let x = egui::lerp(rect.x_range(), i as f32 / (ramp.len() - 1) as f32);
        mesh.colored_vertex(egui::pos2(x, rect.top()), colour);
        mesh.colored_vertex(egui::pos2(x, rect.bottom()), colour);
        if i > 0 {
            let first = 2 * (i as u32 - 1);
            mesh.add_triangle(first, first + 1, first + 2);
            mesh.add_triangle(first + 1, first + 2, first + 3);
        }
    }
    mesh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_two_decades_has_a_tick_a_decade() {
        let bar = magnitude([-1.0, 1.5]);
        let texts: Vec<&str> = bar.ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["0.1", "1", "10"]);
        assert_eq!(bar.ticks[0].0, 0.0);
    }

    #[test]
    fn a_short_range_has_its_ends() {
        let bar = magnitude([0.1, 0.6]);
        assert_eq!(bar.ticks.len(), 2);
    }
}
