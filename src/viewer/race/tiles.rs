//! The shown scene: photo, truth and the masks of both sides.

use super::cell::{heading, space};
use super::shown::Shown;
use crate::race::Record;
use eframe::egui::{self, Color32, Rect, Sense, Ui};

/// Draws tile 0 (photo), 1 (truth), 2 or 3 (a mask).
pub(super) fn show(ui: &mut Ui, shown: &Shown, record: &Record, tile: usize) {
    let titles = record.config.titles();
    let side = tile.checked_sub(2);
    let (text, help) = match side.and_then(|side| Some((side, shown.side(side)?))) {
        Some((side, snapshot)) => {
            let text = format!("{}: mIoU {:.1} %", titles[side], 100.0 * snapshot.miou);
            let steps = snapshot.states.len() - 1;
            let help = format!(
                "The mask after {steps} solver steps; mean IoU over {} scenes that are not trained on",
                record.held_out.scenes
            );
            (text, help)
        }
        None if tile == 0 => {
            let help = "A scene that is not trained on: the one with the most classes";
            ("Photo".to_owned(), help.to_owned())
        }
        None => (
            "Truth".to_owned(),
            "The classes of the scene; pixels without one are hatched".to_owned(),
        ),
    };
    heading(ui, &text, side);
    let response = space(ui, Sense::hover(), &text, &help);
    if let Some(texture) = shown.tiles.get(tile) {
        let [height, width] = record.held_out.size.map(|side| side as f32);
        let scale = (response.rect.width() / width).min(response.rect.height() / height);
        let rect = Rect::from_min_size(response.rect.min, scale * egui::vec2(width, height));
        let whole = Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
        ui.painter()
            .image(texture.id(), rect, whole, Color32::WHITE);
    }
}
