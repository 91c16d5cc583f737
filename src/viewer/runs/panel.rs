//! The panel, before and after runs are opened.

use super::{RunMonitor, START};
use crate::viewer::app_event::AppEvent;
use crate::viewer::app_state::AppState;
use crate::viewer::commands::Command;
use crate::viewer::panel::Panel;
use crate::viewer::theme;
use eframe::egui;

/// Shows the training runs that were opened last.
#[derive(Default)]
pub(crate) struct RunsPanel {
    monitor: Option<RunMonitor>,
}

impl RunsPanel {
    /// Whether the opened runs are shown, with the picture of their samples.
    pub(crate) fn settled(&self) -> bool {
        self.monitor.as_ref().is_none_or(RunMonitor::settled)
    }
}

impl Panel for RunsPanel {
    fn title(&self) -> &'static str {
        "Runs"
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &AppState, _: &mut Vec<Command>) {
        match &mut self.monitor {
            Some(monitor) => monitor.ui(ui),
            None => {
                let open =
                    "Follow training runs here: File, Open training run, or drop run folders.";
                theme::empty(ui, &format!("{open}\n{START}"));
            }
        }
    }

    fn on_event(&mut self, event: &AppEvent, context: &egui::Context) {
        let context = context.clone();
        let wake = move || context.request_repaint();
        match (event, &mut self.monitor) {
            (AppEvent::RunBegun(folder), Some(monitor)) => monitor.add(folder),
            (AppEvent::RunBegun(folder), None) => {
                self.monitor = Some(RunMonitor::new(vec![folder.clone()], wake));
            }
            (AppEvent::RunsOpened(folders), _) => {
                self.monitor = Some(RunMonitor::new(folders.clone(), wake));
            }
            _ => {}
        }
    }
}
