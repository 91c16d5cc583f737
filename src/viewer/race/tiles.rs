//! The shown scene: photo, truth and the masks of both sides.

use super::cell::{heading, space};
use super::shown::Shown;
use crate::race::Record;
use crate::texts::{FigureTexts, Named, fill};
use eframe::egui::{self, Color32, Rect, Sense, Ui};

/// Draws tile 0 (photo), 1 (truth), 2 or 3 (a mask).
pub(super) fn show(ui: &mut Ui, shown: &Shown, record: &Record, texts: &FigureTexts, tile: usize) {
    let titles = record.config.titles();
    let side = tile.checked_sub(2);
    let (text, help) = match side.and_then(|side| Some((side, shown.side(side)?))) {
        Some((side, snapshot)) => {
            let Named { name, help } = &texts.mask;
            let miou = format!("{:.1}", 100.0 * snapshot.miou);
            let steps = (snapshot.states.len() - 1).to_string();
            let scenes = record.held_out.scenes.to_string();
            (
                fill(name, &[("name", &titles[side]), ("miou", &miou)]),
                fill(help, &[("steps", &steps), ("scenes", &scenes)]),
            )
        }
        None => {
            let Named { name, help } = [&texts.photo, &texts.truth][usize::from(tile > 0)];
            (name.clone(), help.clone())
        }
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
