//! The compare panel: chooses a second result for the open photo and shows where the two differ.

use super::app_state::AppState;
use super::commands::{Action, Command, is_enabled, tooltip};
use super::field::widgets::ranged;
use super::panel::Panel;
use super::second::{Choice, Second};
use super::settings::STEPS;
use super::theme::{self, GRID};
use super::told_apart::model_names;
use crate::compare::{self, ClassRow, Comparison, JointClasses};
use crate::models;
use crate::sampler::Solver;
use eframe::egui;

/// Letters of the columns of numbers.
const WIDTHS: [usize; 4] = [8, 5, 5, 6];

#[derive(Default)]
pub(super) struct ComparePanel {
    /// The choice being edited.
    draft: Option<Choice>,
}

impl Panel for ComparePanel {
    fn title(&self) -> &'static str {
        "Compare"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        let Some(suggested) = app.suggested_comparison() else {
            theme::empty(ui, "Comparisons need an open model.");
            return;
        };
        egui::ScrollArea::vertical()
            .auto_shrink(false)
            .show(ui, |ui| {
                let running = app.second.as_ref().map(|second| second.choice.clone());
                let mut choice = self.draft.clone().or(running.clone()).unwrap_or(suggested);
                theme::section(ui, "Compare the result with");
                choose(app, ui, &mut choice);
                ui.horizontal(|ui| {
                    let help = tooltip(app, ui.ctx(), Action::Compare);
                    let differs = running.as_ref() != Some(&choice);
                    let start = ui.add_enabled(
                        differs && is_enabled(app, Action::Compare),
                        egui::Button::new("Compare"),
                    );
                    if start.on_hover_text(&help).clicked() {
                        commands.push(Command::Compare(choice.clone()));
                        self.draft = None;
                    } else {
                        self.draft = Some(choice.clone()).filter(|c| Some(c) != running.as_ref());
                    }
                    if running.is_some() && ui.button("Stop").on_hover_text(help).clicked() {
                        commands.push(Action::Compare.into());
                        self.draft = None;
                    }
                });
                if let Some(second) = &app.second {
                    ui.separator();
                    result(app, second, ui);
                }
            });
    }
}

fn choose(app: &AppState, ui: &mut egui::Ui, choice: &mut Choice) {
    ui.horizontal_wrapped(|ui| {
        let before = choice.model.clone();
        egui::ComboBox::from_id_salt("second model")
            .selected_text(compare::model_name(&choice.model))
            .width(11.0 * GRID)
            .show_ui(ui, |ui| {
                let named = models::NAMES.map(|name| (name.to_owned(), name.to_owned()));
                let recent = &app.settings.recent_models;
                let paths = recent
                    .iter()
                    .map(|path| path.to_string_lossy().into_owned());
                let recent = paths.zip(model_names(recent));
                for (name, text) in named.into_iter().chain(recent) {
                    let label = ui.selectable_label(choice.model == name, text);
                    if label.on_hover_text(&name).clicked() {
                        choice.model = name;
                    }
                }
            })
            .response
            .on_hover_text(
                "The second model; it may be the same one with other steps or another solver",
            );
        if choice.model != before {
            choice.steps = None;
        }
        let mut steps = choice.steps.unwrap_or(0);
        let range = 0..=*STEPS.end();
        let drag = egui::DragValue::new(&mut steps)
            .range(range.clone())
            .custom_formatter(|steps, _| match steps as usize {
                0 => "its steps".to_owned(),
                1 => "1 step".to_owned(),
                steps => format!("{steps} steps"),
            })
            .custom_parser(|text| text.split_whitespace().next()?.parse().ok());
        ui.add(drag).on_hover_text(ranged(
            "Solver steps of the second result; 0: as many as its model recommends",
            &range,
            0,
        ));
        choice.steps = Some(steps).filter(|steps| *steps > 0);
        egui::ComboBox::from_id_salt("second solver")
            .selected_text(solver(choice.solver))
            .width(6.0 * GRID)
            .show_ui(ui, |ui| {
                for known in [Solver::Euler, Solver::Heun, Solver::Rk4] {
                    ui.selectable_value(&mut choice.solver, known, solver(known));
                }
            })
            .response
            .on_hover_text("Solver of the second result");
    });
}

fn solver(solver: Solver) -> &'static str {
    match solver {
        Solver::Euler => "Euler",
        Solver::Heun => "Heun",
        Solver::Rk4 => "RK4",
    }
}

fn result(app: &AppState, second: &Second, ui: &mut egui::Ui) {
    ui.add(egui::Label::new(format!("A: {}", app.caption())).truncate());
    ui.add(egui::Label::new(format!("B: {}", second.caption())).truncate());
    let flow = app.flow.as_ref();
    let comparison = flow.and_then(|flow| second.comparison(flow));
    let (Some(comparison), Some(classes)) = (comparison, &second.classes) else {
        let text = match (&second.model, &second.classes) {
            (Some(_), None) => "The two models have too many classes to compare.",
            _ if second.busy() || app.busy() => "Computing the second result …",
            _ if second.flow.is_some() => "The results are not compared: see the list of problems.",
            _ => "There is no second result: see the list of problems.",
        };
        ui.weak(text);
        return;
    };
    if let Some(said) = classes.unshared() {
        ui.label(said);
    }
    summary(comparison, ui);
    table(app, comparison, classes, ui);
}

fn summary(comparison: &Comparison, ui: &mut egui::Ui) {
    let differing = 1.0 - comparison.agreement().unwrap_or(1.0);
    ui.strong(format!("{:.2} % of the pixels differ", 100.0 * differing));
    match comparison.miou() {
        [Some(a), Some(b)] => ui.label(format!(
            "mIoU: A {:.1}, B {:.1} ({})",
            100.0 * a,
            100.0 * b,
            signed(100.0 * (b - a))
        )),
        _ => ui.weak("This photo has no known ground truth, so neither is scored."),
    };
}

/// A number with its sign and one decimal. One that is rounded to nothing is not negative.
fn signed(number: f64) -> String {
    // Adding zero turns -0 into 0.
    let number = (10.0 * number).round() / 10.0 + 0.0;
    format!("{number:+.1}").replace('-', "\u{2212}")
}

/// Draws the classes, those with the most differing pixels first.
fn table(app: &AppState, comparison: &Comparison, classes: &JointClasses, ui: &mut egui::Ui) {
    let Some(model) = &app.model else { return };
    let colours = classes.colours(&model.colours);
    let mut rows = comparison.rows();
    let weight = |row: &ClassRow| row.shares[0].max(row.shares[1]);
    rows.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let scored = rows.iter().any(|row| row.difference.is_some());
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}", 100.0 * share))
    };
    let heads = [
        (
            "differ %",
            "Of the pixels that either result gives to the class, the share that the other does not, in %",
        ),
        ("A", "IoU of the first result with the ground truth, in %"),
        ("B", "IoU of the second result with the ground truth, in %"),
        (
            "B \u{2212} A",
            "Difference of the IoU, in percentage points",
        ),
    ];
    let shown = if scored { heads.len() } else { 1 };
    let grid = egui::Grid::new("compared classes")
        .num_columns(2 + shown)
        .min_col_width(0.0)
        .striped(true)
        .spacing([GRID, GRID / 2.0]);
    let contents = |ui: &mut egui::Ui| {
        grid.show(ui, |ui| {
            ui.label("");
            ui.weak("class");
            for ((head, about), width) in heads.iter().zip(WIDTHS).take(shown) {
                let text = egui::RichText::new(format!("{head:>width$}"));
                ui.label(text.monospace().weak()).on_hover_text(*about);
            }
            ui.end_row();
            for row in &rows {
                let colour = colours.get(row.class).copied().unwrap_or_default();
                theme::swatch(ui, colour, 1.5 * GRID);
                let name = &classes.names()[row.class];
                let size = egui::vec2(10.0 * GRID, theme::ROW);
                let left = egui::Layout::left_to_right(egui::Align::Center);
                ui.allocate_ui_with_layout(size, left, |ui| {
                    ui.set_min_width(size.x);
                    ui.add(egui::Label::new(name).truncate())
                        .on_hover_text(name);
                });
                let difference = row.difference.map(|d| signed(100.0 * d));
                let numbers = [
                    percent(row.disagreement),
                    percent(row.iou[0]),
                    percent(row.iou[1]),
                    difference.unwrap_or_else(|| "-".to_owned()),
                ];
                for (number, width) in numbers.iter().zip(WIDTHS).take(shown) {
                    ui.monospace(format!("{number:>width$}"));
                }
                ui.end_row();
            }
        });
    };
    // A panel may be narrower than the table.
    egui::ScrollArea::horizontal()
        .id_salt("table of compared classes")
        .show(ui, contents);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign_and_no_hyphen() {
        assert_eq!(signed(-4.44), "\u{2212}4.4");
        assert_eq!(signed(0.3), "+0.3");
        assert_eq!(signed(-0.04), "+0.0");
    }

    #[test]
    fn every_difference_fits_its_column() {
        for difference in [-100.0, -0.04, 100.0] {
            assert!(signed(difference).chars().count() <= WIDTHS[3]);
        }
    }
}
