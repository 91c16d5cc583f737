//! Rows of controls: a label on the left, the control on the right.

use crate::potential::Operator;
use crate::viewer::theme::{self, GRID};
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
        "normalised gradient",
        "The logarithm's gradient scaled to unit length",
    ),
];
/// Where controls start in a row, in points.
const LABEL: f32 = 11.5 * GRID;
/// Decimals to which sliders round.
const DECIMALS: usize = 4;

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
    let decimals = decimals::<N>(DECIMALS);
    let help = ranged(help, &range, decimals);
    let slider = egui::Slider::new(value, range);
    slide(ui, name, &help, slider, decimals);
}

/// A row with a slider on a logarithmic scale. Both ends of the range are positive.
pub(crate) fn log_slider<N: Numeric>(
    ui: &mut Ui,
    name: &str,
    help: &str,
    value: &mut N,
    range: RangeInclusive<N>,
) {
    let [low, high] = [range.start(), range.end()].map(|end| end.to_f64());
    // Two digits of the smallest value: what is rounded to fewer may be 0.
    let digits = (1.0 - low.log10().floor()).max(0.0) as usize;
    let decimals = decimals::<N>(digits.max(DECIMALS));
    let help = ranged(help, &range, decimals);
    let slider = egui::Slider::new(&mut *value, range).logarithmic(true);
    slide(ui, name, &help, slider, decimals);
    let chosen = value.to_f64();
    if !(low..=high).contains(&chosen) {
        *value = N::from_f64(chosen.clamp(low, high));
    }
}

/// The tooltip of a number with the range that it can have, as in "Temperature [0.25, 4]".
pub(crate) fn ranged<N: Numeric>(help: &str, range: &RangeInclusive<N>, decimals: usize) -> String {
    let power = 10f64.powi(decimals as i32);
    let [low, high] =
        [range.start(), range.end()].map(|end| (end.to_f64() * power).round() / power);
    let range = format!("[{low}, {high}]").replace('-', "\u{2212}");
    format!("{help} {range}")
}

/// The most decimals of a number: none of an integer.
fn decimals<N: Numeric>(of_fraction: usize) -> usize {
    if N::INTEGRAL { 0 } else { of_fraction }
}

fn slide(ui: &mut Ui, name: &str, help: &str, slider: egui::Slider<'_>, decimals: usize) {
    row(ui, name, help, |ui| {
        ui.spacing_mut().slider_width = (ui.available_width() - 9.0 * GRID).max(40.0);
        // The first digits of a number are no choice: classes out of their range would be lost.
        let slider = slider.update_while_editing(false);
        ui.add(slider.max_decimals(decimals))
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

/// A row with a drop-down list of classes; typing filters it, and Return chooses the first that is left.
pub(crate) fn class(
    ui: &mut Ui,
    name: &str,
    help: &str,
    value: &mut usize,
    count: usize,
    named: impl Fn(usize) -> String,
) {
    row(ui, name, help, |ui| {
        let id = ui.make_persistent_id((name, "filter"));
        let list = egui::ComboBox::from_id_salt(name)
            .width(ui.available_width() - GRID)
            .selected_text(named(*value))
            .truncate()
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
            .show_ui(ui, |ui| {
                let before: Option<String> = ui.data(|data| data.get_temp(id));
                let opens = before.is_none();
                let mut filter = before.unwrap_or_default();
                let edit = egui::TextEdit::singleline(&mut filter).hint_text("find a class");
                let edit = ui.add(edit);
                if opens {
                    edit.request_focus();
                }
                // While a new list is being measured, nothing in it can have the focus.
                if !ui.is_sizing_pass() {
                    ui.data_mut(|data| data.insert_temp(id, filter.clone()));
                }
                let wanted = filter.to_lowercase();
                let matches = |name: &str| name.to_lowercase().contains(&wanted);
                if edit.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
                    let first = (0..count).find(|k| matches(&named(*k)));
                    if let Some(first) = first.filter(|_| !wanted.is_empty()) {
                        *value = first;
                    }
                    ui.close();
                }
                egui::ScrollArea::vertical()
                    .max_height(40.0 * GRID)
                    .show(ui, |ui| {
                        for k in 0..count {
                            let name = named(k);
                            if matches(&name) && ui.selectable_value(value, k, name).clicked() {
                                ui.close();
                            }
                        }
                    });
            });
        if list.inner.is_none() {
            // A list that opens later shows all classes.
            ui.data_mut(|data| data.remove_temp::<String>(id));
        }
        list.response
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
            theme::checkbox(ui, on, RichText::new(name).strong()).on_hover_text(help);
            if *on {
                add(ui);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui_kittest::kittest::Queryable;

    #[test]
    fn a_class_is_found_by_typing_and_the_list_closes() {
        let mut window = egui_kittest::Harness::new_ui_state(
            |ui, chosen: &mut usize| {
                let named = |k: usize| format!("thing {k}");
                class(ui, "Target", "The class", chosen, 9, named);
            },
            4,
        );
        let open = |window: &mut egui_kittest::Harness<'_, usize>| {
            window.get_by_role(egui::Role::ComboBox).click();
            window.run_steps(6);
            assert!(window.query_by_label("thing 2").is_some(), "all classes");
        };
        open(&mut window);
        window.event(egui::Event::Text("G 7".into()));
        window.run_steps(2);
        assert!(window.query_by_label("thing 2").is_none());
        window.key_press(egui::Key::Enter);
        window.run_steps(4);
        assert_eq!(*window.state(), 7);
        assert!(window.query_by_role(egui::Role::TextInput).is_none());

        open(&mut window);
        window.get_by_label("thing 2").click();
        window.run_steps(4);
        assert_eq!(*window.state(), 2);
        assert!(window.query_by_role(egui::Role::TextInput).is_none());

        // Nothing was typed: nothing is chosen.
        window.get_by_role(egui::Role::ComboBox).click();
        window.run_steps(6);
        window.key_press(egui::Key::Enter);
        window.run_steps(4);
        assert_eq!(*window.state(), 2);
    }

    /// The first digits of a number are another one.
    #[test]
    fn a_typed_number_counts_once_it_is_complete() {
        let mut window = egui_kittest::Harness::new_ui_state(
            |ui, classes: &mut usize| log_slider(ui, "Classes N", "", classes, 2..=1000),
            40,
        );
        window.get_by_role(egui::Role::SpinButton).click();
        window.run_steps(4);
        for text in ["1", "000"] {
            window.event(egui::Event::Text(text.into()));
            window.run_steps(2);
            assert_eq!(*window.state(), 40);
        }
        window.key_press(egui::Key::Enter);
        window.run_steps(2);
        assert_eq!(*window.state(), 1000);
    }

    #[test]
    fn a_tooltip_says_which_values_a_number_can_have() {
        assert_eq!(ranged("N", &(2..=100_000u32), 0), "N [2, 100000]");
        assert_eq!(ranged("At", &(-1.0..=1.0f32), 4), "At [\u{2212}1, 1]");
        let turn = 0.0..=std::f32::consts::TAU;
        assert_eq!(ranged("Turn", &turn, 4), "Turn [0, 6.2832]");
        assert_eq!(ranged("ε", &(1e-6..=0.1), 7), "ε [0.000001, 0.1]");
    }

    #[test]
    fn a_slider_on_a_logarithmic_scale_keeps_its_small_values() {
        for (before, after) in [(2e-6, 2e-6), (4.7e-5, 4.7e-5), (0.0, 1e-6), (0.5, 0.1)] {
            let mut value: f64 = before;
            egui::__run_test_ui(|ui| log_slider(ui, "Epsilon", "", &mut value, 1e-6..=0.1));
            assert!((value - after).abs() < 1e-9, "{before}: {value}");
        }
        let mut count = 20_000u32;
        egui::__run_test_ui(|ui| log_slider(ui, "Count", "", &mut count, 16..=100_000));
        assert_eq!(count, 20_000);
        assert_eq!(decimals::<u32>(DECIMALS), 0);
        assert_eq!(decimals::<f32>(DECIMALS), DECIMALS);
    }
}
