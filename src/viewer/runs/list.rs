//! The list of runs with their status. It is also the legend of the charts.

use super::shown::Shown;
use crate::format::{duration, thousands};
use crate::runs::{Run, Status};
use crate::viewer::theme;
use eframe::egui::{self, Align, Color32, Layout, RichText};
use egui_material_icons::MaterialIcon;
use egui_material_icons::icons::{
    ICON_CHECK_CIRCLE, ICON_ERROR, ICON_HOURGLASS_EMPTY, ICON_PLAY_CIRCLE, ICON_SCHEDULE,
    ICON_STOP_CIRCLE, ICON_VISIBILITY, ICON_VISIBILITY_OFF,
};
use std::path::PathBuf;

/// Draws the list. A click on a name selects the run, and one on an eye hides or shows its curves.
pub(super) fn show(runs: &mut [Shown], selected: &mut Option<PathBuf>, ui: &mut egui::Ui) {
    ui.add_space(theme::GRID);
    ui.heading(if runs.len() == 1 { "Run" } else { "Runs" });
    egui::ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| {
            for (i, shown) in runs.iter_mut().enumerate() {
                if i > 0 {
                    ui.separator();
                }
                ui.push_id(i, |ui| entry(shown, selected, ui));
            }
        });
}

fn entry(shown: &mut Shown, selected: &mut Option<PathBuf>, ui: &mut egui::Ui) {
    let name = shown.name.clone();
    ui.horizontal(|ui| {
        let weak = ui.visuals().weak_text_color();
        let (icon, colour, verb) = if shown.visible {
            (ICON_VISIBILITY, shown.colour, "Hide")
        } else {
            (ICON_VISIBILITY_OFF, weak, "Show")
        };
        let hint = format!("{verb} {name}");
        let text = icon.rich_text().size(18.0).color(colour);
        let eye = ui.add(egui::Button::new(text).frame(false));
        if eye.on_hover_text(&hint).accessible_name(&hint).clicked() {
            shown.visible = !shown.visible;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            state(&shown.run, ui);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let chosen = selected.as_ref() == Some(&shown.run.folder);
                let text = RichText::new(&name).strong();
                let label = egui::Button::selectable(chosen, text).truncate();
                let label = ui.add(label).accessible_name(&name);
                let folder = shown.run.folder.display().to_string();
                if label.on_hover_text(folder).clicked() {
                    *selected = Some(shown.run.folder.clone());
                }
            });
        });
    });
    if let Some(progress) = shown.run.progress() {
        let bar = egui::ProgressBar::new(progress)
            .desired_height(theme::GRID / 2.0)
            .fill(shown.colour);
        ui.add(bar).accessible_name(format!("Progress of {name}"));
    }
    if let Status::Failed(text) = &shown.run.status {
        ui.label(RichText::new(text).color(theme::ERROR));
    }
    for (label, value) in facts(&shown.run) {
        ui.horizontal(|ui| {
            ui.label(RichText::new(label).color(ui.visuals().weak_text_color()));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.monospace(value);
            });
        });
    }
}

/// Draws the icon and the name of a run's status.
fn state(run: &Run, ui: &mut egui::Ui) {
    let visuals = ui.visuals();
    let (icon, colour): (MaterialIcon, Color32) = match run.status {
        Status::Waiting => (ICON_HOURGLASS_EMPTY, visuals.weak_text_color()),
        Status::Running => (ICON_PLAY_CIRCLE, theme::ACCENT),
        Status::Finished => (ICON_CHECK_CIRCLE, visuals.weak_text_color()),
        Status::Stale => (ICON_SCHEDULE, visuals.warn_fg_color),
        Status::Stopped => (ICON_STOP_CIRCLE, visuals.weak_text_color()),
        Status::Failed(_) => (ICON_ERROR, theme::ERROR),
    };
    ui.spacing_mut().item_spacing.x = theme::GRID / 2.0;
    ui.label(RichText::new(run.status.label()).small().color(colour));
    ui.label(icon.rich_text().size(16.0).color(colour));
}

/// The facts about a run, as labels and values.
fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if !run.curves.is_empty() {
        let step = thousands(run.curves.last_step());
        let step = match run.plan.steps {
            Some(steps) => format!("{step} of {}", thousands(steps)),
            None => step,
        };
        facts.push(("step", step));
    }
    if let Some((miou, step)) = run.best_miou() {
        let text = format!("{:.1} % at {}", 100.0 * miou, thousands(step));
        facts.push(("best mIoU", text));
    }
    if let Some(left) = run.time_left() {
        facts.push(("time left", format!("about {}", duration(left))));
    }
    if run.is_ending() {
        facts.push(("now", "validating, saving".to_owned()));
    } else if run.is_validating() {
        facts.push(("now", "validating".to_owned()));
    }
    let is_quiet = run.status == Status::Stopped || run.is_validating();
    if run.status == Status::Stale || is_quiet && !run.silence.is_zero() {
        facts.push(("last update", format!("{} ago", duration(run.silence))));
    }
    if run.curves.damaged_lines > 0 {
        let count = thousands(run.curves.damaged_lines as u64);
        facts.push(("unreadable lines", count));
    }
    facts
}
