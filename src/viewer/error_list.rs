//! The list of errors, which never blocks the window.

use super::commands::Command;
use super::photo_list::Item;
use super::platform;
use super::theme::{self, GRID};
use eframe::egui;
use egui_material_icons::icons;
use std::io;
use std::ops::Range;
use std::time::Duration;
use web_time::Instant;

/// The most errors kept; older ones are dropped.
const MOST: usize = 50;

/// A line that is reported again within this time is the same event, such as an error of every frame.
const SAME: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct ErrorList {
    lines: Vec<String>,
    /// When each of them was reported last.
    times: Vec<Instant>,
    /// Whether the list is expanded.
    pub open: bool,
    /// The photo that was opened last.
    photo: Option<Item>,
}

impl ErrorList {
    /// Adds a line, which should name the file and a remedy, and expands the list. A repeated line moves to
    /// the end.
    pub(super) fn report(&mut self, text: impl Into<String>) {
        let text = text.into();
        tracing::warn!("{text}");
        let now = Instant::now();
        if let Some(at) = self.lines.iter().position(|line| *line == text) {
            let before = std::mem::replace(&mut self.times[at], now);
            if now.duration_since(before) < SAME {
                return;
            }
            self.dismiss(at..at + 1);
        }
        self.lines.push(text);
        self.times.push(now);
        if self.lines.len() > MOST {
            self.dismiss(0..1);
        }
        self.open = true;
    }

    /// Reports that the system cannot start another thread.
    pub(super) fn report_no_thread(&mut self, error: &io::Error) {
        self.report(platform::no_thread(error));
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.lines.first().map(String::as_str)
    }

    /// Folds the list if another photo is opened than the last time.
    pub(super) fn follow(&mut self, photo: Option<&Item>) {
        if photo.is_some() && photo != self.photo.as_ref() {
            let before = std::mem::replace(&mut self.photo, photo.cloned());
            // What went wrong at the start is not about the first photo.
            self.open &= before.is_none();
        }
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(super) fn dismiss(&mut self, lines: Range<usize>) {
        self.times.drain(lines.clone());
        self.lines.drain(lines);
    }

    /// Removes a line that is not so any longer.
    pub(super) fn withdraw(&mut self, text: &str) {
        if let Some(at) = self.lines.iter().position(|line| line == text) {
            self.dismiss(at..at + 1);
        }
    }

    /// Draws the button in the status line.
    pub(super) fn button(&self, ui: &mut egui::Ui, commands: &mut Vec<Command>) {
        if self.lines.is_empty() {
            return;
        }
        let count = self.lines.len();
        let text = format!("{count} problem{}", if count == 1 { "" } else { "s" });
        // Red is hard to read on the blue of a pressed button.
        let colour = if self.open {
            ui.visuals().strong_text_color()
        } else {
            theme::ERROR
        };
        let label = egui::RichText::new(text).small().color(colour);
        let button = ui.selectable_label(self.open, label);
        if button.on_hover_text("Show what went wrong").clicked() {
            commands.push(Command::ShowErrors(!self.open));
        }
    }

    /// Draws the list at the right, above what begins at `bottom`, in points.
    pub(super) fn show(&self, context: &egui::Context, bottom: f32, commands: &mut Vec<Command>) {
        if !self.open || self.lines.is_empty() {
            return;
        }
        let up = context.content_rect().bottom() - bottom;
        let offset = egui::vec2(-2.0 * GRID, -up - GRID);
        egui::Window::new("problems")
            .anchor(egui::Align2::RIGHT_BOTTOM, offset)
            .title_bar(false)
            .resizable(false)
            .default_width(52.0 * GRID)
            // A picture of the window is taken before the list would have its full colours.
            .fade_in(false)
            .show(context, |ui| {
                ui.horizontal(|ui| {
                    ui.label(egui::RichText::new("Problems").strong());
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        if theme::icon_button(ui, icons::ICON_CLOSE, "Hide the list").clicked() {
                            commands.push(Command::ShowErrors(false));
                        }
                        let clear =
                            theme::icon_button(ui, icons::ICON_DELETE_SWEEP, "Clear the list");
                        if clear.clicked() {
                            commands.push(Command::DismissErrors(0..self.lines.len()));
                        }
                    });
                });
                egui::ScrollArea::vertical()
                    .max_height(30.0 * GRID)
                    .show(ui, |ui| {
                        for (i, line) in self.lines.iter().enumerate().rev() {
                            ui.separator();
                            ui.horizontal_top(|ui| {
                                let warning = theme::icon(icons::ICON_WARNING).color(theme::ERROR);
                                ui.label(warning);
                                let width = ui.available_width() - 5.0 * GRID;
                                ui.allocate_ui(egui::vec2(width, 0.0), |ui| {
                                    ui.add(egui::Label::new(line).wrap());
                                });
                                let done = theme::icon_button(ui, icons::ICON_CLOSE, "Dismiss");
                                if done.clicked() {
                                    commands.push(Command::DismissErrors(i..i + 1));
                                }
                            });
                        }
                    });
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_error_is_listed_once_and_the_list_is_bounded() {
        let mut errors = ErrorList::default();
        for i in 0..2 * MOST {
            errors.report(format!("file {i}"));
            errors.report(format!("file {i}"));
        }
        assert_eq!(errors.lines().len(), MOST);
        assert!(errors.open);
        let last = format!("file {}", 2 * MOST - 1);
        errors.withdraw(&last);
        errors.withdraw("another");
        assert_eq!(errors.lines().len(), MOST - 1);
        assert!(!errors.lines().contains(&last));
    }

    #[test]
    fn a_lack_of_threads_names_a_remedy() {
        let mut errors = ErrorList::default();
        errors.report_no_thread(&io::Error::other("no more processes"));
        let told = "cannot start a thread (no more processes): close other programs";
        assert_eq!(errors.first(), Some(told));
    }

    #[test]
    fn the_list_folds_when_another_photo_is_opened() {
        let mut errors = ErrorList::default();
        errors.report("there is no graphics device");
        errors.follow(None);
        errors.follow(Some(&Item::Sample(0)));
        assert!(errors.open, "the first photo");
        errors.follow(Some(&Item::Sample(0)));
        assert!(errors.open, "the same photo");
        errors.follow(Some(&Item::Sample(1)));
        assert!(!errors.open);
    }
}
