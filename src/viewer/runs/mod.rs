//! The runs panel: training runs side by side, while they train.
//!
//! [`RunMonitor`] shows what a [`Watcher`] reports and reads no file itself. Only the watcher's `wake`
//! requests another frame.

pub(super) mod axes;
mod charts;
mod list;
mod panel;
mod samples;
mod shown;
#[cfg(test)]
mod tests;

pub(super) use panel::RunsPanel;

use super::platform;
use super::theme;
use super::told_apart::told_apart;
use crate::format::counted;
use crate::runs::{Run, Status, Update, Watcher};
use charts::Charts;
use eframe::egui::{self, Color32, RichText};
use egui_material_icons::MaterialIcon;
use egui_material_icons::icons::{ICON_ERROR, ICON_HOURGLASS_EMPTY, ICON_MONITORING};
use samples::Samples;
use shown::Shown;
use std::path::{Path, PathBuf};

/// Colours of runs: distinct, and of similar lightness that is legible on dark and light backgrounds.
/// The accent comes first.
const COLOURS: [Color32; 8] = [
    theme::ACCENT,
    Color32::from_rgb(222, 142, 62),
    Color32::from_rgb(82, 168, 112),
    Color32::from_rgb(200, 104, 160),
    Color32::from_rgb(60, 166, 178),
    Color32::from_rgb(208, 92, 86),
    Color32::from_rgb(142, 118, 206),
    Color32::from_rgb(160, 148, 60),
];

/// What begins a run.
const START: &str = "Start a run with: flowseg train --data FOLDER --out RUN";

/// The runs of some folders.
pub(super) struct RunMonitor {
    folders: Vec<PathBuf>,
    watcher: Result<Watcher, String>,
    /// `None` until the folders have been read for the first time.
    runs: Option<Vec<Shown>>,
    /// The folder of the run whose samples are shown.
    selected: Option<PathBuf>,
    /// The number of colours assigned so far.
    colours: usize,
    reports: u64,
    charts: Charts,
    samples: Samples,
}

impl RunMonitor {
    /// Follows the runs in `folders`: run folders, or folders of run folders. `wake` is called from
    /// another thread whenever there is something new to draw.
    pub(super) fn new(folders: Vec<PathBuf>, wake: impl Fn() + Send + 'static) -> Self {
        let watcher = Watcher::new(folders.clone(), wake);
        Self::with_watcher(folders, watcher)
    }

    fn with_watcher(folders: Vec<PathBuf>, watcher: std::io::Result<Watcher>) -> Self {
        Self {
            folders,
            watcher: watcher.map_err(|error| platform::no_thread(&error)),
            runs: None,
            selected: None,
            colours: 0,
            reports: 0,
            charts: Charts::default(),
            samples: Samples::default(),
        }
    }

    /// Follows a run that begins, too, and selects it.
    pub(super) fn add(&mut self, folder: &Path) {
        self.selected = Some(folder.to_owned());
        let parent = folder.parent();
        let follows = |known: &PathBuf| known == folder || Some(known.as_path()) == parent;
        if self.folders.iter().any(follows) {
            return;
        }
        self.folders.push(folder.to_owned());
        if let Ok(watcher) = &self.watcher {
            watcher.add(folder.to_owned());
        }
    }

    /// Whether the runs are read and the selected picture of samples is loaded.
    pub(super) fn settled(&self) -> bool {
        self.watcher.is_err() || (self.runs.is_some() && self.samples.settled())
    }

    fn receive(&mut self, context: &egui::Context) {
        while let Some(update) = self.watcher.as_ref().ok().and_then(Watcher::poll) {
            self.reports += 1;
            match update {
                Update::Runs(runs) => self.replace(runs),
                Update::Run(number, run) => {
                    let shown = self.runs.as_mut().and_then(|runs| runs.get_mut(number));
                    if let Some(shown) = shown {
                        shown.run = *run;
                        shown.version = self.reports;
                    }
                }
                Update::Picture(path, picture) => self.samples.take(context, &path, picture),
            }
        }
    }

    /// Shows exactly these runs; runs that were shown before keep their colour.
    fn replace(&mut self, runs: Vec<Run>) {
        let mut before = self.runs.take().unwrap_or_default();
        let named = runs
            .iter()
            .map(|run| (run.name.clone(), run.folder.as_path()));
        let names = told_apart(&named.collect::<Vec<_>>());
        let shown = runs.into_iter().zip(names).map(|(run, name)| {
            let known = before.iter().position(|s| s.run.folder == run.folder);
            let (colour, visible) = match known.map(|i| before.swap_remove(i)) {
                Some(shown) => (shown.colour, shown.visible),
                None => {
                    self.colours += 1;
                    (COLOURS[(self.colours - 1) % COLOURS.len()], true)
                }
            };
            Shown {
                run,
                name,
                colour,
                visible,
                version: self.reports,
            }
        });
        self.runs = Some(shown.collect());
    }

    /// Draws the monitor into the whole of `ui`.
    pub(super) fn ui(&mut self, ui: &mut egui::Ui) {
        self.receive(&ui.ctx().clone());
        let watcher = match &self.watcher {
            Ok(watcher) => watcher,
            Err(text) => return notice(ui, ICON_ERROR, "No run can be followed", text),
        };
        let Some(runs) = &mut self.runs else {
            let folders: Vec<String> = self
                .folders
                .iter()
                .map(|f| f.display().to_string())
                .collect();
            return notice(
                ui,
                ICON_HOURGLASS_EMPTY,
                "Reading the runs",
                &folders.join(", "),
            );
        };
        egui::Panel::left("runs")
            .default_size(36.0 * theme::GRID)
            .size_range(28.0 * theme::GRID..=60.0 * theme::GRID)
            .show(ui, |ui| list::show(runs, &mut self.selected, ui));
        let selected = runs
            .iter()
            .find(|shown| Some(&shown.run.folder) == self.selected.as_ref())
            .or_else(|| runs.iter().find(|shown| !shown.run.samples.is_empty()));
        if let Some(shown) = selected.filter(|shown| !shown.run.samples.is_empty()) {
            egui::Panel::bottom("samples")
                .resizable(true)
                .default_size(0.36 * ui.available_height())
                .size_range(
                    16.0 * theme::GRID..=(0.7 * ui.available_height()).max(16.0 * theme::GRID),
                )
                .show(ui, |ui| self.samples.show(shown, watcher, ui));
        }
        egui::CentralPanel::default().show(ui, |ui| {
            if runs.iter().any(|shown| !shown.run.curves.is_empty()) {
                self.charts.show(runs, ui);
            } else if let Some(text) = failure(runs) {
                notice(ui, ICON_ERROR, "This run can't be shown", text);
            } else if let Some(text) = beginning(runs) {
                notice(ui, ICON_HOURGLASS_EMPTY, "Training has begun", &text);
            } else {
                let text = format!("A run folder holds metrics.jsonl.\n{START}");
                notice(ui, ICON_MONITORING, "No line of metrics yet", &text);
            }
        });
    }
}

/// When the first numbers come, if a run waits for them whose settings are there.
fn beginning(runs: &[Shown]) -> Option<String> {
    let mut waiting = runs
        .iter()
        .filter(|shown| shown.run.status == Status::Waiting);
    let steps = waiting.find_map(|shown| shown.run.plan.log_every)?;
    Some(format!(
        "The first numbers come after {}.",
        counted(steps, "step")
    ))
}

/// Why nothing can be shown, if every run has failed.
fn failure(runs: &[Shown]) -> Option<&str> {
    let failed = |shown: &Shown| matches!(shown.run.status, Status::Failed(_));
    match &runs.first()?.run.status {
        Status::Failed(text) if runs.iter().all(failed) => Some(text),
        _ => None,
    }
}

/// Draws a status with advice in the middle of an empty panel.
fn notice(ui: &mut egui::Ui, icon: MaterialIcon, title: &str, text: &str) {
    let height = 14.0 * theme::GRID;
    ui.vertical_centered(|ui| {
        ui.add_space((0.4 * (ui.available_height() - height)).max(theme::GRID));
        let weak = ui.visuals().weak_text_color();
        ui.label(icon.rich_text().size(5.0 * theme::GRID).color(weak));
        ui.heading(title);
        ui.label(RichText::new(text).color(weak));
    });
}
