//! Questions: the window waits for the answer.

use super::theme::GRID;
use eframe::egui;

/// A button of a question: the answer, its name and a description.
pub(super) type Button<T> = (T, &'static str, &'static str);

/// Draws a question. Returns the answer, once there is one; closing the question without a button is the answer
/// `closed`.
pub(super) fn question<T: Copy>(
    context: &egui::Context,
    heading: &str,
    buttons: &[Button<T>],
    closed: T,
    text: impl FnOnce(&mut egui::Ui),
) -> Option<T> {
    let frame = egui::Frame::popup(&context.global_style()).inner_margin(2.0 * GRID);
    let modal = egui::Modal::new(egui::Id::unique(("question", heading))).frame(frame);
    let modal = modal.show(context, |ui| {
        ui.set_width(52.0 * GRID);
        ui.heading(heading);
        ui.add_space(GRID);
        text(ui);
        ui.add_space(GRID);
        let mut answer = None;
        ui.horizontal(|ui| {
            for &(of_button, name, help) in buttons {
                if ui.button(name).on_hover_text(help).clicked() {
                    answer = Some(of_button);
                }
            }
        });
        answer
    });
    let closes = modal.should_close().then_some(closed);
    modal.inner.or(closes)
}
