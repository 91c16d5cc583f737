//! The dialog about the devices, for bug reports.

use super::app_state::AppState;
use super::commands::Command;
use super::latest::Latest;
use super::panel::Panel;
use super::platform::{DESKTOP, no_thread};
use super::theme::{self, GRID};
use crate::{device, system_report};
use eframe::egui;
use egui_material_icons::icons;

#[derive(Default)]
pub(super) struct DeviceDialog {
    /// The thread that asks the graphics drivers, which may take a second.
    reporter: Option<Latest<(), String>>,
    report: Option<String>,
}

impl DeviceDialog {
    /// What this window uses, and the report once it is complete.
    fn text(&mut self, app: &AppState, context: &egui::Context) -> Result<String, String> {
        let devices = &app.devices;
        let used = format!(
            "Compute: {}\nGraphics: {}\n",
            devices.compute, devices.adapter
        );
        if self.report.is_none() {
            if self.reporter.is_none() {
                let ask = |()| system_report::text(&device::adapters());
                let started = Latest::start("flowseg-devices", context, ask);
                self.reporter = Some(started.map_err(|error| no_thread(&error))?);
            }
            if let Some(reporter) = &mut self.reporter {
                reporter.ask(());
                self.report = reporter.poll();
            }
        }
        if self.report.is_some() {
            self.reporter = None;
        }
        let report = self.report.as_deref();
        Ok(used + report.unwrap_or("asking the graphics drivers"))
    }
}

#[cfg(test)]
impl DeviceDialog {
    pub(super) fn is_complete(&self) -> bool {
        self.report.is_some()
    }
}

impl Panel for DeviceDialog {
    fn title(&self) -> &'static str {
        "Devices and system"
    }

    fn ui(&mut self, ui: &mut egui::Ui, app: &AppState, _: &mut Vec<Command>) {
        let text = match self.text(app, ui.ctx()) {
            Ok(text) => text,
            Err(error) => {
                theme::empty(ui, &error);
                return;
            }
        };
        ui.horizontal(|ui| {
            let label = (theme::icon(icons::ICON_CONTENT_COPY), "Copy");
            let button = ui.add_enabled(self.report.is_some(), egui::Button::new(label));
            if button
                .on_hover_text("Copy all of this into a bug report")
                .clicked()
            {
                ui.copy_text(text.clone());
            }
            ui.weak(if DESKTOP {
                "For bug reports; flowseg devices prints the same"
            } else {
                "For bug reports"
            });
        });
        ui.separator();
        egui::ScrollArea::vertical()
            .max_height(ui.ctx().viewport_rect().height() - 20.0 * GRID)
            .show(ui, |ui| {
                let label = egui::Label::new(egui::RichText::new(text).monospace());
                ui.add(label.selectable(true).wrap());
            });
    }
}
