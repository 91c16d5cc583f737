//! The panels of the window.

use serde::{Deserialize, Serialize};

/// A panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PanelKind {
    /// The photo and its states.
    Canvas,
    /// The vector field around the centroids.
    Field,
    /// Training runs.
    Runs,
    /// The classes.
    Classes,
    /// The open model.
    Model,
    /// A pixel's answers.
    Pixel,
    /// Charts over t.
    Charts,
}

impl PanelKind {
    /// Its name on a tab.
    pub fn title(self) -> &'static str {
        match self {
            PanelKind::Canvas => "Flow",
            PanelKind::Field => "Field",
            PanelKind::Runs => "Runs",
            PanelKind::Classes => "Classes",
            PanelKind::Model => "Model",
            PanelKind::Pixel => "Pixel",
            PanelKind::Charts => "Charts",
        }
    }
}
