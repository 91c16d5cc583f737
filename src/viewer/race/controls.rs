//! The settings of the next race.

use super::panel::RacePanel;
use crate::encoding::Order;
use crate::flow::Prediction;
use crate::race::{CLASSES, Side, Slice};
use crate::train::objective::{Objective, TimeDistribution};
use crate::viewer::app_state::AppState;
use crate::viewer::field::widgets::{OPERATORS, choice, group, log_slider, row, slider};
use crate::viewer::theme::GRID;
use eframe::egui::{self, Ui, emath::Numeric};
use std::ops::RangeInclusive;

const OBJECTIVES: [(Objective, &str, &str); 4] = [
    (
        Objective::Vanilla,
        "vanilla",
        "Plain flow matching (equation 3)",
    ),
    (
        Objective::Reshaped,
        "reshaped",
        "v − grad Φ at every time (equation 12)",
    ),
    (
        Objective::Annealed,
        "annealed",
        "v − t grad Φ (section 5.3)",
    ),
    (
        Objective::CrossEntropy,
        "twin",
        "The discriminative twin: cross-entropy of one output per class, no flow",
    ),
];
const PREDICTIONS: [(Prediction, &str, &str); 2] = [
    (
        Prediction::Target,
        "target",
        "The network predicts the end of the path, as in the paper's Figure 1",
    ),
    (
        Prediction::Velocity,
        "velocity",
        "The network predicts the velocity",
    ),
];
const TIMES: [(TimeDistribution, &str, &str); 3] = [
    (
        TimeDistribution::Power,
        "early",
        "A power of a uniform number: times near 0, where the mask is not in the state yet",
    ),
    (TimeDistribution::Uniform, "uniform", "Uniform on [0, 1)"),
    (
        TimeDistribution::LogitNormal,
        "middle",
        "Logit-normal: times around 0.5",
    ),
];
const ORDERS: [(Order, &str, &str); 2] = [
    (
        Order::Index,
        "by index",
        "Class k has point k, as in the paper",
    ),
    (
        Order::Assigned,
        "assigned",
        "The same points, given to the classes so that mixtures decode to one of their classes",
    ),
];
const SIZES: [(usize, &str, &str); 3] = [
    (32, "32", "32 x 32 pixels"),
    (48, "48", "48 x 48 pixels"),
    (64, "64", "64 x 64 pixels"),
];
const AXES: [(usize, &str, &str); 3] = [
    (0, "red", "Across the red axis"),
    (1, "green", "Across the green axis"),
    (2, "blue", "Across the blue axis"),
];

impl RacePanel {
    pub(super) fn controls(&mut self, ui: &mut Ui, app: &AppState) {
        ui.add_space(GRID / 2.0);
        ui.weak("For the next race; both sides share the scene, the network, the first weights and the batches.");
        self.scene(ui, app);
        let names = [
            ("Side a", &mut self.settings.a),
            ("Side b", &mut self.settings.b),
        ];
        for (name, side) in names {
            ui.push_id(name, |ui| {
                group(ui, name, "", None, |ui| objective(ui, side))
            });
        }
        self.view(ui);
        ui.add_space(2.0 * GRID);
    }

    fn scene(&mut self, ui: &mut Ui, app: &AppState) {
        let settings = &mut self.settings;
        group(ui, "Scene", "", None, |ui| {
            let help = "Classes of the procedural scenes, the background included";
            whole(ui, "Classes", help, &mut settings.classes, CLASSES, false);
            let help =
                "A data folder in any known layout, instead of procedural scenes; empty for those";
            row(ui, "Data folder", help, |ui| {
                let edit =
                    egui::TextEdit::singleline(&mut self.folder).hint_text("procedural scenes");
                ui.add(edit.desired_width(ui.available_width() - GRID))
            });
            let mut side = settings.size[0];
            choice(
                ui,
                "Size",
                "Pixels that the networks see",
                &mut side,
                &SIZES,
            );
            if side != settings.size[0] {
                settings.size = [side; 2];
            }
            let help = "Training steps of each side";
            whole(ui, "Steps", help, &mut settings.steps, 50..=5000, true);
            let help = "K, the solver steps from the photo to the mask";
            whole(
                ui,
                "Solver steps",
                help,
                &mut settings.solver_steps,
                1..=20,
                false,
            );
            row(
                ui,
                "Seed",
                "Of the first weights, the batches and the times",
                |ui| ui.add(egui::DragValue::new(&mut settings.seed)),
            );
            if app.devices.compute != "CPU" {
                let text = format!("Train on {}", app.devices.compute);
                let help = "Otherwise the CPU trains; either way the window shares its processor";
                ui.checkbox(&mut self.on_window_device, text)
                    .on_hover_text(help);
            }
        });
    }

    fn view(&mut self, ui: &mut Ui) {
        group(ui, "View", "", None, |ui| {
            let Slice { axis, at } = &mut self.slice;
            choice(
                ui,
                "Slice across",
                "The axis that the slice of velocities is across",
                axis,
                &AXES,
            );
            slider(
                ui,
                "Slice at",
                "Where the slice lies on that axis",
                at,
                -1.0..=1.0,
            );
            let turn = &mut self.camera.yaw;
            let help = "Turns the cubes of predicted targets; dragging them does as well";
            slider(ui, "Turn", help, turn, 0.0..=std::f32::consts::TAU);
        });
    }
}

/// A row with a slider over whole numbers.
fn whole<N: Numeric>(
    ui: &mut Ui,
    name: &str,
    help: &str,
    value: &mut N,
    range: RangeInclusive<N>,
    logarithmic: bool,
) {
    row(ui, name, help, |ui| {
        ui.spacing_mut().slider_width = (ui.available_width() - 9.0 * GRID).max(40.0);
        let slider = egui::Slider::new(value, range).logarithmic(logarithmic);
        // Other values, such as those of a test, are kept until they are edited.
        let slider = slider.clamping(egui::SliderClamping::Edits);
        ui.add(slider.fixed_decimals(0))
    });
}

fn objective(ui: &mut Ui, side: &mut Side) {
    let help = "What the side is trained towards";
    choice(ui, "Objective", help, &mut side.objective, &OBJECTIVES);
    if matches!(side.objective, Objective::Reshaped | Objective::Annealed) {
        let help = "How a squared distance d becomes a logit";
        choice(ui, "Operator T", help, &mut side.operator, &OPERATORS);
        let help = "τ, temperature of the softmax (equation 9): smaller is sharper";
        log_slider(ui, "Temperature", help, &mut side.temperature, 0.25..=4.0);
        let help = "ε, added to every squared distance; limits the gradient near a wrong centroid";
        log_slider(ui, "Epsilon", help, &mut side.epsilon, 1e-4..=0.1);
    }
    if side.objective != Objective::CrossEntropy {
        let help = "What the network predicts";
        choice(ui, "Prediction", help, &mut side.prediction, &PREDICTIONS);
        let help = "The distribution of t in training";
        choice(ui, "Times", help, &mut side.time, &TIMES);
        let help = "Share of the samples at exactly t = 0";
        slider(ui, "At t = 0", help, &mut side.time_zero, 0.0..=1.0);
    }
    let help = "Which class gets which centroid";
    choice(ui, "Order", help, &mut side.order, &ORDERS);
}
