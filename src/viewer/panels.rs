//! The panels of the window.

use super::canvas_panel::CanvasPanel;
use super::charts_panel::ChartsPanel;
use super::classes_panel::ClassesPanel;
use super::compare_panel::ComparePanel;
use super::device_dialog::DeviceDialog;
use super::export_dialog::ExportDialog;
use super::field::FieldPanel;
use super::lessons::LessonsPanel;
use super::model_panel::ModelPanel;
use super::network::NetworkPanel;
use super::panel::Panel;
use super::photos_panel::PhotosPanel;
use super::pixel_panel::PixelPanel;
use super::race::RacePanel;
use super::runs::RunsPanel;
use super::timeline_panel::TimelinePanel;
use serde::{Deserialize, Serialize};

/// A panel that can be dragged to another place. The names are stored in the settings file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PanelKind {
    Canvas,
    Field,
    Runs,
    Race,
    Classes,
    Model,
    Photos,
    Compare,
    Pixel,
    Charts,
    Network,
    Lessons,
}

#[derive(Default)]
pub(super) struct Panels {
    pub canvas: CanvasPanel,
    pub field: FieldPanel,
    pub runs: RunsPanel,
    pub race: RacePanel,
    pub classes: ClassesPanel,
    pub model: ModelPanel,
    pub photos: PhotosPanel,
    pub compare: ComparePanel,
    pub pixel: PixelPanel,
    pub charts: ChartsPanel,
    pub network: NetworkPanel,
    pub lessons: LessonsPanel,
    pub timeline: TimelinePanel,
    pub export: ExportDialog,
    pub device: DeviceDialog,
}

impl Panels {
    pub(super) fn get(&mut self, kind: PanelKind) -> &mut dyn Panel {
        match kind {
            PanelKind::Canvas => &mut self.canvas,
            PanelKind::Field => &mut self.field,
            PanelKind::Runs => &mut self.runs,
            PanelKind::Race => &mut self.race,
            PanelKind::Classes => &mut self.classes,
            PanelKind::Model => &mut self.model,
            PanelKind::Photos => &mut self.photos,
            PanelKind::Compare => &mut self.compare,
            PanelKind::Pixel => &mut self.pixel,
            PanelKind::Charts => &mut self.charts,
            PanelKind::Network => &mut self.network,
            PanelKind::Lessons => &mut self.lessons,
        }
    }

    pub(super) fn all(&mut self) -> [&mut dyn Panel; 15] {
        [
            &mut self.canvas,
            &mut self.field,
            &mut self.runs,
            &mut self.race,
            &mut self.classes,
            &mut self.model,
            &mut self.photos,
            &mut self.compare,
            &mut self.pixel,
            &mut self.charts,
            &mut self.network,
            &mut self.lessons,
            &mut self.timeline,
            &mut self.export,
            &mut self.device,
        ]
    }
}
