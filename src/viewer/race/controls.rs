//! The settings of the next race.

use super::panel::RacePanel;
use crate::device::on_cpu;
use crate::encoding::Order;
use crate::flow::Prediction;
use crate::potential::Operator;
use crate::race::{CLASSES, Side, Slice};
use crate::texts::{ControlTexts, Named, fill};
use crate::train::objective::{Objective, TimeDistribution};
use crate::viewer::app_state::AppState;
use crate::viewer::field::widgets::{choice, group, log_slider, ranged, row, slider};
use crate::viewer::theme::{self, GRID};
use eframe::egui::{self, Ui, emath::Numeric};
use egui_material_icons::icons::ICON_FOLDER_OPEN;
use std::ops::RangeInclusive;

/// The sides of a picture to choose from, in pixels.
const SIZES: [usize; 3] = [32, 48, 64];

impl RacePanel {
    pub(super) fn controls(&mut self, ui: &mut Ui, app: &AppState) {
        let texts = &app.texts().race.controls;
        ui.add_space(GRID / 2.0);
        ui.weak(&texts.shared);
        self.scene(ui, app, texts);
        let sides = [("A", &mut self.settings.a), ("B", &mut self.settings.b)];
        for (letter, side) in sides {
            let name = fill(&texts.side, &[("letter", letter)]);
            ui.push_id(letter, |ui| {
                group(ui, &name, "", None, |ui| objective(ui, side, texts))
            });
        }
        self.view(ui, texts);
        ui.add_space(2.0 * GRID);
    }

    fn scene(&mut self, ui: &mut Ui, app: &AppState, texts: &ControlTexts) {
        group(ui, &texts.scene, "", None, |ui| {
            let settings = &mut self.settings;
            whole(ui, &texts.classes, &mut settings.classes, CLASSES, false);
            self.folder(ui, texts);
            let settings = &mut self.settings;
            let mut side = settings.size[0];
            let sizes = SIZES.map(|side| {
                let name = side.to_string();
                let help = fill(&texts.pixels, &[("side", &name)]);
                (side, name, help)
            });
            let sizes = sizes
                .each_ref()
                .map(|(side, name, help)| (*side, name.as_str(), help.as_str()));
            let Named { name, help } = &texts.size;
            choice(ui, name, help, &mut side, &sizes);
            if side != settings.size[0] {
                settings.size = [side; 2];
            }
            whole(ui, &texts.steps, &mut settings.steps, 50..=5000, true);
            whole(
                ui,
                &texts.solver_steps,
                &mut settings.solver_steps,
                1..=20,
                false,
            );
            row(ui, &texts.seed.name, &texts.seed.help, |ui| {
                ui.add(egui::DragValue::new(&mut settings.seed))
            });
            if !on_cpu(app.device()) {
                let text = fill(&texts.device.name, &[("device", &app.devices.compute)]);
                theme::checkbox(ui, &mut self.on_window_device, text)
                    .on_hover_text(&texts.device.help);
            }
        });
    }

    /// The field of the data folder, and the button that opens a dialog for it.
    fn folder(&mut self, ui: &mut Ui, texts: &ControlTexts) {
        let Named { name, help } = &texts.folder;
        let mut browse = false;
        row(ui, name, help, |ui| {
            let button = egui::Button::new(theme::icon(ICON_FOLDER_OPEN));
            let room = ui.available_width() - 5.0 * GRID;
            let edit =
                egui::TextEdit::singleline(&mut self.folder).hint_text(texts.procedural.as_str());
            let edit = ui.add(edit.desired_width(room));
            let browsing = self.chosen_folder.is_some();
            let response = ui.add_enabled(!browsing, button);
            let Named { name, help } = &texts.browse;
            browse = theme::named(response, name, help).clicked();
            edit
        });
        if browse {
            self.ask_folder(ui.ctx(), &texts.browse.help);
        }
    }

    fn view(&mut self, ui: &mut Ui, texts: &ControlTexts) {
        group(ui, &texts.view, "", None, |ui| {
            let Slice { axis, at } = &mut self.slice;
            let axes = [
                option(0, &texts.red),
                option(1, &texts.green),
                option(2, &texts.blue),
            ];
            let Named { name, help } = &texts.slice_across;
            choice(ui, name, help, axis, &axes);
            let Named { name, help } = &texts.slice_at;
            slider(ui, name, help, at, -1.0..=1.0);
            let Named { name, help } = &texts.turn;
            let turn = &mut self.camera.yaw;
            slider(ui, name, help, turn, 0.0..=std::f32::consts::TAU);
        });
    }
}

/// A value to choose, with its name and tooltip.
fn option<T>(value: T, texts: &Named) -> (T, &str, &str) {
    (value, &texts.name, &texts.help)
}

/// A row with a slider over whole numbers.
fn whole<N: Numeric>(
    ui: &mut Ui,
    texts: &Named,
    value: &mut N,
    range: RangeInclusive<N>,
    logarithmic: bool,
) {
    let help = ranged(&texts.help, &range, 0);
    row(ui, &texts.name, &help, |ui| {
        ui.spacing_mut().slider_width = (ui.available_width() - 9.0 * GRID).max(40.0);
        let slider = egui::Slider::new(value, range).logarithmic(logarithmic);
        // Other values, such as those of a test, are kept until they are edited.
        let slider = slider.clamping(egui::SliderClamping::Edits);
        ui.add(slider.fixed_decimals(0).update_while_editing(false))
    });
}

fn objective(ui: &mut Ui, side: &mut Side, texts: &ControlTexts) {
    let objectives = [
        option(Objective::Vanilla, &texts.vanilla),
        option(Objective::Reshaped, &texts.reshaped),
        option(Objective::Annealed, &texts.annealed),
        option(Objective::CrossEntropy, &texts.twin),
    ];
    let Named { name, help } = &texts.objective;
    choice(ui, name, help, &mut side.objective, &objectives);
    if matches!(side.objective, Objective::Reshaped | Objective::Annealed) {
        let operators = [
            option(Operator::Log, &texts.log),
            option(Operator::Sqrt, &texts.sqrt),
            option(Operator::Linear, &texts.linear),
            option(Operator::NormalizedGradient, &texts.unit),
        ];
        let Named { name, help } = &texts.operator;
        choice(ui, name, help, &mut side.operator, &operators);
        let Named { name, help } = &texts.temperature;
        log_slider(ui, name, help, &mut side.temperature, 0.25..=4.0);
        let Named { name, help } = &texts.epsilon;
        log_slider(ui, name, help, &mut side.epsilon, 1e-4..=0.1);
    }
    if side.objective != Objective::CrossEntropy {
        let predictions = [
            option(Prediction::Target, &texts.target),
            option(Prediction::Velocity, &texts.velocity),
        ];
        let Named { name, help } = &texts.prediction;
        choice(ui, name, help, &mut side.prediction, &predictions);
        let times = [
            option(TimeDistribution::Power, &texts.early),
            option(TimeDistribution::Uniform, &texts.uniform),
            option(TimeDistribution::LogitNormal, &texts.middle),
        ];
        let Named { name, help } = &texts.times;
        choice(ui, name, help, &mut side.time, &times);
        let Named { name, help } = &texts.time_zero;
        slider(ui, name, help, &mut side.time_zero, 0.0..=1.0);
    }
    let orders = [
        option(Order::Index, &texts.by_index),
        option(Order::Assigned, &texts.assigned),
    ];
    let Named { name, help } = &texts.order;
    choice(ui, name, help, &mut side.order, &orders);
}
