//! The panels of the window.

use serde::{Deserialize, Serialize};

/// A panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Panel {
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

impl Panel {
    /// Its name on a tab.
    pub fn title(self) -> &'static str {
        match self {
            Panel::Canvas => "Flow",
            Panel::Field => "Field",
            Panel::Runs => "Runs",
            Panel::Classes => "Classes",
            Panel::Model => "Model",
            Panel::Pixel => "Pixel",
            Panel::Charts => "Charts",
        }
    }
}
