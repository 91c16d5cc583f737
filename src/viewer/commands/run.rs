//! What commands do.

use super::Command;
use crate::gpu::canvas::Layer;
use crate::viewer::app_state::AppState;
use crate::viewer::file_open::Dialog;
use crate::viewer::settings::SCALE;
use crate::viewer::view::{Arrangement, Camera};
use eframe::egui;

impl AppState {
    /// Carries out a command.
    pub fn run(&mut self, context: &egui::Context, command: Command) {
        match command {
            Command::OpenPhotos => self.ask(Dialog::Photos),
            Command::OpenFolder => self.ask(Dialog::Folder),
            Command::OpenModel => self.ask(Dialog::Model),
            Command::OpenRun => self.ask(Dialog::Runs),
            Command::Paste => context.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            Command::Next | Command::Previous => {
                if self
                    .photos
                    .turn(if command == Command::Next { 1 } else { -1 })
                {
                    self.open();
                }
            }
            Command::Export => self.exporting = true,
            Command::Quit => context.send_viewport_cmd(egui::ViewportCommand::Close),
            Command::Play => {
                if !self.play.playing && self.play.position >= self.sampling.steps as f32 {
                    self.play.position = 0.0;
                }
                self.play.playing = !self.play.playing;
            }
            Command::Loop => self.settings.looping = !self.settings.looping,
            Command::StepForward => self.go_to(self.play.position.floor() + 1.0),
            Command::StepBack => self.go_to(self.play.position.ceil() - 1.0),
            Command::First => self.go_to(0.0),
            Command::Last => self.go_to(self.reachable()),
            Command::Rerun => {
                self.play.playing = true;
                self.sample();
            }
            Command::Cancel => {
                // What is nearest to the eye goes first.
                if self.help || self.exporting {
                    (self.help, self.exporting) = (false, false);
                } else if self.busy() || !self.clear_brush() {
                    self.brushing &= self.busy();
                    self.cancel();
                }
            }
            Command::Show(layer) => {
                let labelled = matches!(layer, Layer::Truth | Layer::Error);
                if !labelled || self.has_truth() {
                    self.settings.view.layers[self.active.min(3)] = layer;
                }
            }
            Command::Arrange(arrangement) => {
                self.settings.view.arrangement = arrangement;
                if self.active >= arrangement.panes() || arrangement == Arrangement::Single {
                    self.active = 0;
                }
            }
            Command::Fit => self.settings.view.camera = Camera::default(),
            Command::ActualSize => {
                if let Some((pane, photo)) = self.pane {
                    let scale = 1.0 / context.pixels_per_point();
                    self.settings.view.camera.magnify_to(scale, pane, photo);
                }
            }
            Command::ZoomIn => self.zoom(1.25),
            Command::ZoomOut => self.zoom(0.8),
            Command::Fine => self.settings.view.fine = !self.settings.view.fine,
            Command::Colours => self.toggle_colours(),
            Command::Undo => {
                self.undo();
            }
            Command::Redo => {
                self.redo();
            }
            Command::ShowAll => self.mark(|selection| selection.hidden.clear()),
            Command::Brush => self.brushing = !self.brushing,
            Command::ClearBrush => {
                self.clear_brush();
            }
            Command::ClearPins => self.mark(|selection| selection.pins.clear()),
            Command::ResetPanels => self.reset_panels = true,
            Command::LargerText => self.rescale(1.1),
            Command::SmallerText => self.rescale(1.0 / 1.1),
            Command::Help => self.help = !self.help,
        }
    }

    fn ask(&mut self, ask: Dialog) {
        if let Err(error) = self.opener.ask(ask) {
            self.errors.tell(format!("cannot show the dialog: {error}"));
        }
    }

    fn zoom(&mut self, factor: f32) {
        if let Some((pane, photo)) = self.pane {
            let camera = &mut self.settings.view.camera;
            camera.magnify(factor, pane.center(), pane, photo);
        }
    }

    fn rescale(&mut self, factor: f32) {
        let wanted = self.settings.scale * factor;
        // Back at the designed size exactly, rather than a rounding error beside it.
        let scale = if (wanted - 1.0).abs() < 0.04 {
            1.0
        } else {
            wanted
        };
        self.settings.scale = scale.clamp(*SCALE.start(), *SCALE.end());
    }
}
