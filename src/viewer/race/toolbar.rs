//! The row of buttons above a race.

use super::panel::RacePanel;
use crate::format::thousands;
use crate::pictures;
use crate::race::{self, Record};
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::exports::NewFile;
use crate::viewer::theme::{self, GRID};
use eframe::egui::{self, Ui};
use egui_material_icons::icons::{
    ICON_DOWNLOAD, ICON_PAUSE, ICON_PLAY_ARROW, ICON_RESTART_ALT, ICON_SKIP_NEXT, ICON_STOP,
    ICON_TUNE,
};

/// Speeds by name, in training steps per second.
const PACES: [(Option<f32>, &str); 4] = [
    (None, "full speed"),
    (Some(20.0), "20 steps/s"),
    (Some(5.0), "5 steps/s"),
    (Some(1.0), "1 step/s"),
];

impl RacePanel {
    pub(super) fn toolbar(&mut self, ui: &mut Ui, app: &AppState, commands: &mut Vec<Command>) {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = GRID / 2.0;
            self.steer(ui, app);
            ui.separator();
            self.speed(ui);
            ui.separator();
            let help = "Show or hide the settings of the next race";
            if theme::icon_toggle(ui, !self.folded, ICON_TUNE, help).clicked() {
                self.folded = !self.folded;
            }
            self.exports(ui, commands);
            ui.add_space(GRID);
            self.status(ui);
        });
    }

    /// Start, pause, step and restart.
    fn steer(&mut self, ui: &mut Ui, app: &AppState) {
        let context = ui.ctx().clone();
        match self.race.as_ref().map(|race| race.paused()) {
            None => {
                let help = "Start a race with the chosen settings";
                let start = egui::Button::new((theme::icon(ICON_PLAY_ARROW), "Start"));
                let start = theme::named(ui.add(start), "Start the race", help);
                if start.clicked() {
                    self.folded = true;
                    self.start(app.device(), &context, None);
                }
            }
            Some(paused) => {
                let (icon, name) = if paused {
                    (ICON_PLAY_ARROW, "Continue the race")
                } else {
                    (ICON_PAUSE, "Pause the race")
                };
                if theme::icon_button(ui, icon, name).clicked()
                    && let Some(race) = &self.race
                {
                    race.pause(!paused);
                }
                let name = "One training step of both sides, then pause";
                if theme::icon_button(ui, ICON_SKIP_NEXT, name).clicked()
                    && let Some(race) = &self.race
                {
                    race.single_step();
                }
                if theme::icon_button(ui, ICON_STOP, "End the race here").clicked()
                    && let Some(race) = &self.race
                {
                    race.stop();
                }
            }
        }
        let name = "Restart with the next seed";
        if theme::icon_button(ui, ICON_RESTART_ALT, name).clicked() {
            self.settings.seed = self.settings.seed.wrapping_add(1);
            self.folded = true;
            self.start(app.device(), &context, None);
        }
    }

    fn speed(&mut self, ui: &mut Ui) {
        let chosen = PACES.iter().find(|(pace, _)| *pace == self.pace);
        let before = self.pace;
        let list = egui::ComboBox::from_id_salt("race speed")
            .width(13.0 * GRID)
            .selected_text(chosen.map_or("", |(_, name)| name))
            .show_ui(ui, |ui| {
                for (pace, name) in PACES {
                    ui.selectable_value(&mut self.pace, pace, name);
                }
            });
        let help = "Training steps per second, at most";
        list.response
            .accessible_name("Speed of the race")
            .on_hover_text(help);
        if self.pace != before
            && let Some(race) = &self.race
        {
            race.set_pace(self.pace);
        }
    }

    fn exports(&self, ui: &mut Ui, commands: &mut Vec<Command>) {
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
                    if ui.button(name).clicked() {
                        commands.push(Command::Save(make(record.clone())));
                        ui.close();
                    }
                }
            });
            let name = "Export the race";
            theme::named(response, name, name);
        });
    }

    fn status(&self, ui: &mut Ui) {
        let Some(race) = &self.race else {
            if let Some(last) = self.record.as_ref().and_then(Record::last) {
                let text = format!("ended after {} steps", thousands(last[0].step));
                ui.weak(text);
            }
            return;
        };
        let steps = thousands(race.steps());
        let paused = if race.paused() { ", paused" } else { "" };
        let text = match (&self.record, self.started.seconds) {
            (None, _) => "opening the data".to_owned(),
            (_, Some(seconds)) => format!("step {steps}, {seconds} s in all{paused}"),
            (_, None) => format!("step {steps} of {}{paused}", thousands(self.started.steps)),
        };
        ui.label(text);
    }
}

type Export = (&'static str, fn(Record) -> NewFile);

/// What can be exported, by its name in the menu.
const EXPORTS: [Export; 4] = [
    ("Animation (GIF)", |record| {
        NewFile::made("race.gif", move || {
            let mut gif = Vec::new();
            race::animation(&record, &mut gif).map_err(|error| error.to_string())?;
            Ok(gif)
        })
    }),
    ("Last frame (PNG)", |record| {
        NewFile::made("race.png", move || {
            let last = record.last().ok_or("nothing was measured yet")?;
            let picture = race::frame(&record, last).map_err(|error| error.to_string())?;
            pictures::png(&picture).map_err(|error| error.to_string())
        })
    }),
    ("Curves (PNG)", |record| {
        NewFile::made("curves.png", move || {
            let picture = race::curves(&record).map_err(|error| error.to_string())?;
            pictures::png(&picture).map_err(|error| error.to_string())
        })
    }),
    ("Curves (CSV)", |record| {
        NewFile::text("curves.csv", race::curves_csv(&record))
    }),
];
