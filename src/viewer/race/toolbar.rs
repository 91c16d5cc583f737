//! The row of buttons above a race.

use super::panel::RacePanel;
use crate::format::thousands;
use crate::pictures;
use crate::race::{self, Record};
use crate::texts::{Language, Named, ToolbarTexts, fill};
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::exports::NewFile;
use crate::viewer::theme::{self, GRID};
use eframe::egui::{self, Ui};
use egui_material_icons::icons::{
    ICON_DOWNLOAD, ICON_PAUSE, ICON_PLAY_ARROW, ICON_RESTART_ALT, ICON_SKIP_NEXT, ICON_STOP,
    ICON_TUNE,
};

/// The speeds to choose from, in training steps per second.
const PACES: [Option<f32>; 4] = [None, Some(20.0), Some(5.0), Some(1.0)];

impl RacePanel {
    pub(super) fn toolbar(&mut self, ui: &mut Ui, app: &AppState, commands: &mut Vec<Command>) {
        let texts = &app.texts().race.toolbar;
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            self.steer(ui, app, texts);
            ui.separator();
            self.speed(ui, texts);
            ui.separator();
            if theme::icon_toggle(ui, !self.folded, ICON_TUNE, &texts.settings).clicked() {
                self.folded = !self.folded;
            }
            self.exports(ui, app, commands);
            ui.add_space(GRID);
            self.status(ui, texts);
        });
    }

    /// Start, pause, step and restart.
    fn steer(&mut self, ui: &mut Ui, app: &AppState, texts: &ToolbarTexts) {
        let context = ui.ctx().clone();
        match self.race.as_ref().map(|race| race.paused()) {
            None => {
                let label = texts.start_button.as_str();
                let start = egui::Button::new((theme::icon(ICON_PLAY_ARROW), label));
                let Named { name, help } = &texts.start;
                let start = theme::named(ui.add(start), name, help);
                if start.clicked() {
                    self.folded = true;
                    self.start(app.device(), &context, None);
                }
            }
            Some(paused) => {
                let (icon, name) = if paused {
                    (ICON_PLAY_ARROW, &texts.r#continue)
                } else {
                    (ICON_PAUSE, &texts.pause)
                };
                if theme::icon_button(ui, icon, name).clicked()
                    && let Some(race) = &self.race
                {
                    race.pause(!paused);
                }
                if theme::icon_button(ui, ICON_SKIP_NEXT, &texts.step).clicked()
                    && let Some(race) = &self.race
                {
                    race.single_step();
                }
                if theme::icon_button(ui, ICON_STOP, &texts.stop).clicked()
                    && let Some(race) = &self.race
                {
                    race.stop();
                }
            }
        }
        if theme::icon_button(ui, ICON_RESTART_ALT, &texts.restart).clicked() {
            self.settings.seed = self.settings.seed.wrapping_add(1);
            self.folded = true;
            self.start(app.device(), &context, None);
        }
    }

    fn speed(&mut self, ui: &mut Ui, texts: &ToolbarTexts) {
        let before = self.pace;
        let list = egui::ComboBox::from_id_salt("race speed")
            .width(13.0 * GRID)
            .selected_text(pace(self.pace, texts))
            .show_ui(ui, |ui| {
                for value in PACES {
                    ui.selectable_value(&mut self.pace, value, pace(value, texts));
                }
            });
        list.response
            .accessible_name(texts.speed.name.as_str())
            .on_hover_text(&texts.speed.help);
        if self.pace != before
            && let Some(race) = &self.race
        {
            race.set_pace(self.pace);
        }
    }

    fn exports(&self, ui: &mut Ui, app: &AppState, commands: &mut Vec<Command>) {
        let (texts, language) = (&app.texts().race.toolbar, app.settings.language);
        let record = self
            .record
            .as_ref()
            .filter(|record| record.last().is_some());
        ui.add_enabled_ui(record.is_some(), |ui| {
            let button = egui::Button::new(theme::icon(ICON_DOWNLOAD)).frame_when_inactive(false);
            let menu = egui::containers::menu::MenuButton::from_button(button);
            let (response, _) = menu.ui(ui, |ui| {
                let Some(record) = record else { return };
                for (name, make) in EXPORTS {
                    if ui.button(name(texts)).clicked() {
                        commands.push(Command::Save(make(record.clone(), language)));
                        ui.close();
                    }
                }
            });
            theme::named(response, &texts.export, &texts.export);
        });
    }

    fn status(&self, ui: &mut Ui, texts: &ToolbarTexts) {
        let Some(race) = &self.race else {
            if let Some(last) = self.record.as_ref().and_then(Record::last) {
                ui.weak(fill(&texts.ended, &[("steps", &thousands(last[0].step))]));
            }
            return;
        };
        let [step, steps] = [race.steps(), self.started.steps].map(thousands);
        let text = match (&self.record, self.started.seconds) {
            (None, _) => {
                ui.label(&texts.opening);
                return;
            }
            (_, Some(seconds)) => {
                let seconds = seconds.to_string();
                let values = [("step", &*step), ("steps", &steps), ("seconds", &seconds)];
                fill(&texts.timed, &values)
            }
            (_, None) => fill(&texts.counted, &[("step", &step), ("steps", &steps)]),
        };
        ui.label(if race.paused() {
            fill(&texts.paused, &[("status", &text)])
        } else {
            text
        });
    }
}

/// The name of a speed.
fn pace(limit: Option<f32>, texts: &ToolbarTexts) -> String {
    match limit {
        None => texts.full_speed.clone(),
        Some(1.0) => texts.one_step.clone(),
        Some(steps) => fill(&texts.some_steps, &[("steps", &steps.to_string())]),
    }
}

/// What can be exported: its name in the menu, and how it is made.
type Export = (fn(&ToolbarTexts) -> &str, fn(Record, Language) -> NewFile);

const EXPORTS: [Export; 4] = [
    (
        |texts| &texts.animation,
        |record, language| {
            NewFile::made("race.gif", move |progress| {
                let mut gif = Vec::new();
                race::animation(&record, language, &mut gif, progress)
                    .map_err(|error| error.to_string())?;
                Ok(gif)
            })
        },
    ),
    (
        |texts| &texts.last_frame,
        |record, language| {
            NewFile::made("race.png", move |_| {
                let last = record.last().ok_or("nothing was measured yet")?;
                let picture =
                    race::frame(&record, last, language).map_err(|error| error.to_string())?;
                pictures::png(&picture).map_err(|error| error.to_string())
            })
        },
    ),
    (
        |texts| &texts.curves,
        |record, language| {
            NewFile::made("curves.png", move |_| {
                let picture = race::curves(&record, language).map_err(|error| error.to_string())?;
                pictures::png(&picture).map_err(|error| error.to_string())
            })
        },
    ),
    (
        |texts| &texts.table,
        |record, _| NewFile::text("curves.csv", race::curves_csv(&record)),
    ),
];
