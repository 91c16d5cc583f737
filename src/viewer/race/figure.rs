//! The layout of a race: pictures, charts, and the cubes of both sides.

use super::panel::RacePanel;
use super::{charts, cloud, slice, tiles};
use crate::race::Record;
use crate::texts::{RaceTexts, fill};
use crate::viewer::theme::{self, GRID, ROW};
use eframe::egui::{self, Rect, RichText, Ui, UiBuilder};

/// Cells in a row, and rows.
const COLUMNS: usize = 4;
const ROWS: usize = 3;
/// Cells are at least this large, in points; a smaller panel scrolls.
const LEAST: egui::Vec2 = egui::vec2(118.0, 118.0);

impl RacePanel {
    pub(super) fn figure(&mut self, ui: &mut Ui, texts: &RaceTexts) {
        if let Some(error) = &self.failed {
            let text = RichText::new(fill(&texts.failed, &[("error", error)]));
            ui.label(text.color(theme::ERROR));
        }
        let now = ui.input(|input| input.time);
        if self.shown.advance(now) {
            ui.ctx().request_repaint();
        }
        if self.shown.frame.is_none() {
            let text = match (&self.race, &self.failed) {
                (Some(_), _) => &texts.measuring,
                (None, Some(_)) => "",
                (None, None) => &texts.intro,
            };
            theme::empty(ui, text);
        }
        // Moved out while cells change the rest of the panel.
        let Some(record) = self.record.take() else {
            return;
        };
        if self.shown.frame.is_some() {
            let area = egui::ScrollArea::both().auto_shrink(false);
            area.show(ui, |ui| self.cells(ui, &record, texts));
        }
        self.record = Some(record);
    }

    fn cells(&mut self, ui: &mut Ui, record: &Record, texts: &RaceTexts) {
        let area = ui.available_rect_before_wrap();
        let gap = GRID;
        let fit = |space: f32, count: usize, least: f32| {
            ((space - gap * (count - 1) as f32) / count as f32).max(least)
        };
        let cell = egui::vec2(
            fit(area.width(), COLUMNS, LEAST.x),
            fit(area.height(), ROWS, LEAST.y + ROW),
        );
        for at in 0..COLUMNS * ROWS {
            let place = egui::vec2((at % COLUMNS) as f32, (at / COLUMNS) as f32);
            let rect =
                Rect::from_min_size(area.min + place * (cell + egui::Vec2::splat(gap)), cell);
            ui.scope_builder(UiBuilder::new().max_rect(rect).id_salt(at), |ui| {
                self.cell(ui, record, texts, at);
            });
        }
        ui.advance_cursor_after_rect(Rect::from_min_size(
            area.min,
            egui::vec2(
                COLUMNS as f32 * (cell.x + gap) - gap,
                ROWS as f32 * (cell.y + gap) - gap,
            ),
        ));
    }

    /// The cell number `at`, from left to right and from top to bottom.
    fn cell(&mut self, ui: &mut Ui, record: &Record, texts: &RaceTexts, at: usize) {
        let figure = &texts.figure;
        ui.spacing_mut().item_spacing.y = GRID / 4.0;
        match at {
            0..4 => tiles::show(ui, &self.shown, record, figure, at),
            4..8 => charts::show(ui, record, &self.shown, figure, at - 4),
            8 | 9 => cloud::show(
                ui,
                &self.shown,
                record,
                &mut self.camera,
                &figure.targets,
                at - 8,
            ),
            _ => slice::show(ui, &mut self.shown, record, self.slice, texts, at - 10),
        }
    }
}
