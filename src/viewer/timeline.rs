//! The timeline: scrub the ODE, play it, change how it is solved.

use super::{App, theme};
use crate::sampler::Solver;
use eframe::egui;

/// States a second while playing.
const SPEED: f32 = 6.0;

/// Play from the start where the end was reached, else play or pause.
pub fn toggle(app: &mut App) {
    if !app.playing && app.position >= app.sampling.steps as f32 {
        app.position = 0.0;
    }
    app.playing = !app.playing;
}

/// Draws the panel and advances the playhead.
pub fn show(app: &mut App, ui: &mut egui::Ui) {
    let steps = app.sampling.steps as f32;
    let computed = app.flow.as_ref().map_or(0, |flow| flow.states.len());
    let reachable = computed.saturating_sub(1) as f32;
    if app.playing && computed > 0 {
        let by = ui.input(|input| input.stable_dt.min(0.1)) * SPEED;
        app.position = (app.position + by).min(reachable);
        if app.position >= steps {
            app.playing = false;
        } else if app.position < reachable {
            ui.ctx().request_repaint();
        }
    }
    ui.add_space(theme::GRID / 2.0);
    ui.horizontal(|ui| {
        let label = if app.playing { "Pause" } else { "Play" };
        if ui
            .button(label)
            .on_hover_text("Play or pause (Space)")
            .clicked()
        {
            toggle(app);
        }
        ui.spacing_mut().slider_width = (ui.available_width() - 52.0 * theme::GRID).max(80.0);
        let slider = egui::Slider::new(&mut app.position, 0.0..=steps.max(1.0))
            .show_value(false)
            .trailing_fill(true);
        let slider = ui
            .add(slider)
            .on_hover_text("Step of the ODE (left, right, Home, End)");
        if slider.dragged() || slider.changed() {
            app.playing = false;
        }
        let t = app
            .flow
            .as_ref()
            .filter(|flow| !flow.states.is_empty())
            .map_or(0.0, |flow| {
                let at = (app.position.round() as usize).min(flow.states.len() - 1);
                flow.states[at].t
            });
        ui.monospace(format!("step {:>3}  t {t:.2}", app.position.round()));
        ui.separator();
        let before = app.sampling;
        egui::ComboBox::from_id_salt("solver")
            .selected_text(format!("{:?}", app.sampling.solver))
            .width(9.0 * theme::GRID)
            .show_ui(ui, |ui| {
                for solver in [Solver::Euler, Solver::Heun, Solver::Rk4] {
                    let text = format!("{solver:?}");
                    ui.selectable_value(&mut app.sampling.solver, solver, text);
                }
            });
        let steps = egui::DragValue::new(&mut app.sampling.steps)
            .range(1..=100)
            .suffix(" steps");
        ui.add(steps).on_hover_text("Number of solver steps");
        if app.job.is_some() {
            if ui.button("Cancel").clicked() {
                app.job = None;
            }
            ui.label(format!("{reachable:.0} of {}", app.sampling.steps));
        }
        if app.sampling != before {
            let context = ui.ctx().clone();
            app.restart(&context);
        }
    });
    ui.add_space(theme::GRID / 2.0);
}
