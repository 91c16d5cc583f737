//! Rows of controls: a label on the left, the control on the right.

use crate::potential::Operator;
use crate::viewer::theme::GRID;
use eframe::egui::{self, RichText, Ui, emath::Numeric};
use std::ops::RangeInclusive;

/// Width of the panel of controls, in points.
pub(crate) const PANEL: f32 = 41.0 * GRID;

/// The operators T with their names and descriptions.
pub(crate) const OPERATORS: [(Operator, &str, &str); 4] = [
    (
        Operator::Log,
        "log",
        "T(d) = −ln(d + ε), the paper's choice",
    ),
    (Operator::Sqrt, "sqrt", "T(d) = −sqrt(d + ε)"),
    (Operator::Linear, "linear", "T(d) = −(d + ε)"),
    (
        Operator::NormalizedGradient,
        "unit",
        "The logarithm's gradient scaled to unit length",
    ),
];
/// Where controls start in a row, in points.
const LABEL: f32 = 11.5 * GRID;

/// A row with a name and the control that `add` adds; the name is also the control's name for screen
/// readers.
pub(crate) fn row(
    ui: &mut Ui,
    name: &str,
    help: &str,
    add: impl FnOnce(&mut Ui) -> egui::Response,
) {
    ui.horizontal(|ui| {
        let label = ui
            .scope(|ui| {
                ui.set_width(LABEL);
                ui.label(name)
            })
            .inner;
        label.clone().on_hover_text(help);
        add(ui).labelled_by(label.id).on_hover_text(help);
    });
}

pub(crate) fn slider<N: Numeric>(
    ui: &mut Ui,
    name: &str,
    help: &str,
    value: &mut N,
    range: RangeInclusive<N>,
) {
    slide(ui, name, help, egui::Slider::new(value, range));
}

/// A row with a slider on a logarithmic scale.
pub(crate) fn log_slider<N: Numeric>(
    ui: &mut Ui,
    name: &str,
    help: &str,
    value: &mut N,
    range: RangeInclusive<N>,
) {
    let slider = egui::Slider::new(value, range).logarithmic(true);
    slide(ui, name, help, slider);
}

fn slide(ui: &mut Ui, name: &str, help: &str, slider: egui::Slider<'_>) {
    row(ui, name, help, |ui| {
        ui.spacing_mut().slider_width = (ui.available_width() - 9.0 * GRID).max(40.0);
        ui.add(slider.max_decimals(4))
    });
}

/// A row with a choice of a few named values, side by side.
pub(crate) fn choice<T: PartialEq + Copy>(
    ui: &mut Ui,
    name: &str,
    help: &str,
    value: &mut T,
    options: &[(T, &str, &str)],
) {
    ui.horizontal(|ui| {
        ui.scope(|ui| {
            ui.set_width(LABEL);
            ui.label(name).on_hover_text(help);
        });
        ui.spacing_mut().button_padding.x = 0.75 * GRID;
        ui.spacing_mut().item_spacing.x = GRID / 2.0;
        ui.horizontal_wrapped(|ui| {
            for (option, name, help) in options {
                ui.selectable_value(value, *option, *name)
                    .on_hover_text(*help);
            }
        });
    });
}

/// A row with a drop-down list of classes; typing filters it.
pub(crate) fn class(
    ui: &mut Ui,
    name: &str,
    help: &str,
    value: &mut usize,
    count: usize,
    named: impl Fn(usize) -> String,
) {
    row(ui, name, help, |ui| {
        egui::ComboBox::from_id_salt(name)
            .width(ui.available_width() - GRID)
            .selected_text(named(*value))
            .truncate()
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
            .show_ui(ui, |ui| {
                let id = ui.scope_id().with("filter");
                let mut filter: String = ui.data(|data| data.get_temp(id)).unwrap_or_default();
                let edit = egui::TextEdit::singleline(&mut filter).hint_text("find a class");
                if ui.add(edit).changed() {
                    ui.data_mut(|data| data.insert_temp(id, filter.clone()));
                }
                let wanted = filter.to_lowercase();
                egui::ScrollArea::vertical()
                    .max_height(40.0 * GRID)
                    .show(ui, |ui| {
                        for k in 0..count {
                            let name = named(k);
                            if name.to_lowercase().contains(&wanted) {
                                ui.selectable_value(value, k, name);
                            }
                        }
                    });
            })
            .response
    });
}

/// A group of controls; with a switch, they are visible only while it is on.
pub(crate) fn group(
    ui: &mut Ui,
    name: &str,
    help: &str,
    on: Option<&mut bool>,
    add: impl FnOnce(&mut Ui),
) {
    ui.separator();
    match on {
        None => {
            ui.label(RichText::new(name).strong());
            add(ui);
        }
        Some(on) => {
            ui.checkbox(on, RichText::new(name).strong())
                .on_hover_text(help);
            if *on {
                add(ui);
            }
        }
    }
}
