//! The timeline: scrubs and plays the flow, and changes how it is solved.

use super::app_event::AppEvent;
use super::app_state::AppState;
use super::commands::{self, Action, Command};
use super::field::widgets::ranged;
use super::panel::Panel;
use super::platform;
use super::settings::{SPEED, STEPS};
use super::theme::{self, GRID};
use crate::flow::Source;
use crate::gpu::canvas::Layer;
use crate::inference::Tiling;
use crate::sampler::Solver;
use crate::votes::Outlines;
use eframe::egui::{self, Color32, Rect, Sense, Stroke, pos2, vec2};
use egui_material_icons::icons;

/// Height of the filmstrip, in points.
const STRIP: f32 = 7.0 * GRID;
/// The width from which all controls have room in one row, in points.
const ONE_ROW: f32 = 126.0 * GRID;
/// The width from which the position has room beside the buttons.
const POSITION: f32 = 66.0 * GRID;

#[derive(Default)]
pub(super) struct TimelinePanel {
    /// The number of steps while it is being changed; it applies when its control is released.
    steps: Option<usize>,
}

impl Panel for TimelinePanel {
    fn title(&self) -> &'static str {
        "Timeline"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, commands: &mut Vec<Command>) {
        ui.add_space(GRID / 2.0);
        if app.settings.filmstrip {
            filmstrip(app, ui, commands);
        }
        track(app, ui, commands);
        let one_row = ui.available_width() >= ONE_ROW;
        let has_position = ui.available_width() >= POSITION;
        ui.horizontal(|ui| {
            transport(app, ui, commands);
            if has_position {
                ui.separator();
                reading(app, ui);
            }
            if one_row {
                ui.separator();
                self.sampling(app, ui, commands);
            }
            progress(app, ui, commands);
        });
        if !has_position {
            reading(app, ui);
        }
        if !one_row {
            ui.horizontal(|ui| self.sampling(app, ui, commands));
        }
        ui.add_space(GRID / 2.0);
    }

    fn on_event(&mut self, event: &AppEvent, _: &egui::Context) {
        if matches!(event, AppEvent::ModelOpened) {
            self.steps = None;
        }
    }
}

/// The x coordinate of a state along a row.
fn x_of(rect: Rect, position: f32, steps: f32) -> f32 {
    egui::lerp(rect.x_range(), (position / steps.max(1.0)).clamp(0.0, 1.0))
}

/// Draws thumbnails of evenly spaced states, as many as fit; a click goes to a state.
fn filmstrip(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let size = vec2(ui.available_width(), STRIP);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, "filmstrip"));
    ui.painter()
        .rect_filled(rect, 4.0, ui.visuals().extreme_bg_color);
    let steps = app.flow_settings.sampling.steps;
    let Some(flow) = &app.flow else {
        return;
    };
    let aspect = flow.size[1] as f32 / flow.size[0].max(1) as f32;
    let height = STRIP - GRID;
    let width = (height * aspect).clamp(GRID, 3.0 * height);
    let inner = rect.shrink2(vec2(GRID / 2.0, GRID / 2.0));
    let count = ((inner.width() + 2.0) / (width + 2.0)).floor().max(1.0) as usize;
    let count = count.min(steps + 1);
    let raw = matches!(app.active_layer(), Layer::Raw | Layer::Photo);
    let now = app.playhead.position.round() as usize;
    for i in 0..count {
        let step = if count > 1 {
            (i * steps + (count - 1) / 2) / (count - 1)
        } else {
            0
        };
        let share = if count > 1 {
            i as f32 / (count - 1) as f32
        } else {
            0.0
        };
        let left = inner.left() + share * (inner.width() - width);
        let cell = Rect::from_min_size(pos2(left, inner.top()), vec2(width, height));
        let Some(state) = flow.states.get(step) else {
            let stroke = ui.visuals().widgets.noninteractive.bg_stroke;
            ui.painter()
                .rect_stroke(cell, 2.0, stroke, egui::StrokeKind::Inside);
            continue;
        };
        if let Some(thumbnails) = &state.thumbnails {
            let texture = if raw {
                &thumbnails.raw
            } else {
                &thumbnails.map
            };
            let inner = theme::fitted(cell, vec2(aspect, 1.0));
            egui::Image::new(texture)
                .corner_radius(theme::picture_corner(inner))
                .paint_at(ui, inner);
        }
        if step == now {
            let stroke = Stroke::new(2.0, theme::ACCENT);
            ui.painter()
                .rect_stroke(cell, 2.0, stroke, egui::StrokeKind::Outside);
        }
    }
    if let Some(pointer) = response.interact_pointer_pos()
        && (response.clicked() || response.dragged())
    {
        let share = (pointer.x - inner.left() - width / 2.0) / (inner.width() - width).max(1.0);
        let position = (share.clamp(0.0, 1.0) * steps as f32).round();
        commands.push(Command::GoTo(position));
    }
}

/// Draws the slider over all states, which shows how many are computed.
fn track(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let steps = app.flow_settings.sampling.steps as f32;
    let size = vec2(ui.available_width(), 2.5 * GRID);
    let (outer, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let rect = outer.shrink2(vec2(GRID, 0.0));
    response.widget_info(|| {
        egui::WidgetInfo::slider(true, f64::from(app.playhead.position), "step of the ODE")
    });
    if let Some(pointer) = response.interact_pointer_pos()
        && (response.dragged() || response.clicked())
    {
        let share = (pointer.x - rect.left()) / rect.width();
        let mut position = (share.clamp(0.0, 1.0) * steps).min(app.reachable());
        // Near a stored state, the playhead snaps to it.
        if (position - position.round()).abs() * rect.width() / steps < 4.0 {
            position = position.round();
        }
        commands.push(Command::GoTo(position));
    }
    let painter = ui.painter();
    let visuals = ui.visuals();
    let bar = |to: f32, colour: Color32| {
        let min = pos2(rect.left(), rect.center().y - 2.0);
        let max = pos2(x_of(rect, to, steps), rect.center().y + 2.0);
        painter.rect_filled(Rect::from_min_max(min, max), 2.0, colour);
    };
    bar(steps, visuals.widgets.inactive.weak_bg_fill);
    bar(
        app.reachable(),
        visuals.weak_text_color().gamma_multiply(0.6),
    );
    bar(app.playhead.position, theme::ACCENT);
    if rect.width() / steps > 5.0 {
        for step in 0..=app.flow_settings.sampling.steps {
            let x = x_of(rect, step as f32, steps);
            let y = rect.center().y + 5.0..=rect.center().y + 8.0;
            painter.vline(x, y, Stroke::new(1.0, visuals.weak_text_color()));
        }
    }
    let knob = pos2(x_of(rect, app.playhead.position, steps), rect.center().y);
    let radius = if response.hovered() || response.dragged() {
        7.0
    } else {
        6.0
    };
    painter.circle(
        knob,
        radius,
        Color32::WHITE,
        Stroke::new(1.0, visuals.weak_text_color()),
    );
    response.on_hover_text_at_pointer("Solver step: drag, or use the arrow keys, Home and End");
}

fn transport(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.x = GRID / 4.0;
    // Without a flow, nothing plays, whatever will happen once there is one.
    let play = if app.playhead.playing && commands::is_enabled(app, Action::Play) {
        icons::ICON_PAUSE
    } else {
        icons::ICON_PLAY_ARROW
    };
    for (action, icon) in [
        (Action::First, icons::ICON_FIRST_PAGE),
        (Action::StepBack, icons::ICON_CHEVRON_LEFT),
        (Action::Play, play),
        (Action::StepForward, icons::ICON_CHEVRON_RIGHT),
        (Action::Last, icons::ICON_LAST_PAGE),
    ] {
        commands::button(app, ui, action, icon, commands);
    }
    commands::toggle(app, ui, Action::Loop, icons::ICON_REPEAT, commands);
    let mut speed = app.settings.speed;
    let drag = egui::DragValue::new(&mut speed)
        .range(SPEED)
        .speed(0.1)
        .max_decimals(1)
        .suffix(" states/s");
    ui.add(drag)
        .on_hover_text(ranged("Playback speed", &SPEED, 1));
    if speed != app.settings.speed {
        commands.push(Command::SetSpeed(speed));
    }
}

fn reading(app: &AppState, ui: &mut egui::Ui) {
    let position = app.playhead.position;
    let t = app.flow.as_ref().map_or(0.0, |flow| flow.time(position));
    let text = format!("step {position:>5.1}   t {t:.3}");
    ui.monospace(text)
        .on_hover_text("Position of the playhead: linear between two stored states");
}

impl TimelinePanel {
    /// Draws the controls of solver, steps and source.
    fn sampling(&mut self, app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
        ui.spacing_mut().item_spacing.x = GRID;
        let mut sampling = app.flow_settings.sampling;
        let card = app.model.as_ref().map(|model| &model.card);
        let has_steps = !card.is_some_and(|card| card.prediction.is_one_step());
        let one_step = "This model always takes one step of Euler";
        let solver = if has_steps {
            sampling.solver
        } else {
            Solver::Euler
        };
        let solvers = egui::ComboBox::from_id_salt("solver")
            .selected_text(name(solver))
            .width(8.0 * GRID);
        let choice = |ui: &mut egui::Ui| {
            let entries = |ui: &mut egui::Ui| {
                for solver in [Solver::Euler, Solver::Heun, Solver::Rk4] {
                    ui.selectable_value(&mut sampling.solver, solver, name(solver));
                }
            };
            solvers.show_ui(ui, entries).response
        };
        ui.add_enabled_ui(has_steps, choice)
            .inner
            .on_hover_text(
                "Solver: Euler evaluates the network once per step, Heun twice, RK4 four times",
            )
            .on_disabled_hover_text(one_step);
        let mut steps = self.steps.unwrap_or(sampling.steps);
        let unit = if steps == 1 { " step" } else { " steps" };
        let drag = egui::DragValue::new(&mut steps).range(STEPS).suffix(unit);
        let drag = ui
            .add_enabled(has_steps, drag)
            .on_hover_text(ranged("Number of solver steps", &STEPS, 0))
            .on_disabled_hover_text(one_step);
        // Nothing is sampled while the number is being dragged or typed.
        self.steps = Some(steps).filter(|_| drag.dragged() || drag.has_focus());
        if self.steps.is_none() {
            sampling.steps = steps;
        }
        let source = app.source();
        let sources = [
            (Source::Image, "from the photo"),
            (Source::Noise, "from noise"),
        ];
        let current = sources.iter().find(|(value, _)| *value == source);
        egui::ComboBox::from_id_salt("source")
            .selected_text(current.map_or("", |(_, text)| *text))
            .width(12.0 * GRID)
            .show_ui(ui, |ui| {
                for (value, text) in sources {
                    if ui.selectable_label(source == value, text).clicked() {
                        sampling.source = Some(value);
                    }
                }
            })
            .response
            .on_hover_text(
                "Where the flow starts; a model only works from the source that it was trained with",
            );
        if source == Source::Noise {
            let seed = egui::DragValue::new(&mut sampling.seed).prefix("seed ");
            // Nothing is sampled while a number is being typed.
            ui.add(seed.update_while_editing(false))
                .on_hover_text("Seed of the noise");
        }
        if sampling != app.flow_settings.sampling {
            commands.push(Command::Sample(sampling));
        }
        if platform::DESKTOP {
            masks(app, ui, commands);
        }
    }
}

/// Draws the controls of how masks are made.
fn masks(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    let mut masks = app.settings.masks;
    let quality = app
        .model
        .as_ref()
        .and_then(|model| model.card.quality.as_ref());
    let best = masks.best && quality.is_some();
    let gain = quality.map_or_else(
        || "The card of this model recommends a single pass".to_owned(),
        |quality| {
            let [fast, best] = [quality.fast, quality.best].map(|miou| 100.0 * miou);
            format!(
                "Best: the passes that the model's card recommends; {best:.1} mIoU, fast: {fast:.1}, on {}",
                quality.on
            )
        },
    );
    let help = format!("Quality of masks\n{gain}");
    egui::ComboBox::from_id_salt("quality")
        .selected_text(if best { "best" } else { "fast" })
        .width(7.0 * GRID)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut masks.best, false, "fast");
            ui.add_enabled_ui(quality.is_some(), |ui| {
                ui.selectable_value(&mut masks.best, true, "best");
            });
        })
        .response
        .on_hover_text(help);
    let text = |tiling: Tiling| match tiling {
        Tiling::Off => "no tiles".to_owned(),
        Tiling::Auto => "auto tiles".to_owned(),
        Tiling::Windows(windows) => format!("{windows} tiles"),
    };
    egui::ComboBox::from_id_salt("tiles")
        .selected_text(text(masks.tiling))
        .width(9.0 * GRID)
        .show_ui(ui, |ui| {
            let counts = [2, 3, 4, 6, 8].map(Tiling::Windows);
            for tiling in [Tiling::Off, Tiling::Auto].into_iter().chain(counts) {
                ui.selectable_value(&mut masks.tiling, tiling, text(tiling));
            }
        })
        .response
        .on_hover_text(
            "Tiles along the side of a photo that needs more, each scaled to the network's training \
             size; auto: by the size of the photo. The canvas shows such a mask at the last step",
        );
    let on = masks.outlines == Outlines::Photo;
    let help = "Outlines along the edges of the photo: the votes are filtered along its colours. \
                The canvas shows such a mask at the last step";
    if theme::icon_toggle(ui, on, icons::ICON_AUTO_FIX_HIGH, help).clicked() {
        masks.outlines = if on {
            Outlines::Network
        } else {
            Outlines::Photo
        };
    }
    if masks != app.settings.masks {
        commands.push(Command::SetMasks(masks));
    }
}

fn name(solver: Solver) -> &'static str {
    match solver {
        Solver::Euler => "Euler",
        Solver::Heun => "Heun",
        Solver::Rk4 => "RK4",
    }
}

fn progress(app: &AppState, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        let help = "Show the states as small pictures";
        let on = app.settings.filmstrip;
        if theme::icon_toggle(ui, on, icons::ICON_THEATERS, help).clicked() {
            commands.push(Command::ShowFilmstrip(!on));
        }
        let (action, icon) = if app.busy() {
            (Action::Cancel, icons::ICON_CLOSE)
        } else {
            (Action::Rerun, icons::ICON_REFRESH)
        };
        commands::button(app, ui, action, icon, commands);
        if let Some(doing) = app.doing() {
            if ui.available_width() > 24.0 * GRID {
                let share = app.reachable() / app.flow_settings.sampling.steps.max(1) as f32;
                ui.add(
                    egui::ProgressBar::new(share)
                        .desired_width(12.0 * GRID)
                        .desired_height(GRID)
                        .fill(theme::ACCENT),
                );
            }
            if ui.available_width() > 4.0 * GRID {
                let text = egui::RichText::new(doing).weak();
                ui.add(egui::Label::new(text).truncate());
            }
        }
    });
}
