//! What the window remembers between starts.

use super::view::View;
use crate::sampler::Solver;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Files that are remembered.
const RECENT: usize = 12;

/// Remembered choices. Unknown or missing ones take their defaults, so that another version's
/// file never keeps the window from opening.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Photos, folders and runs opened lately, the last first.
    pub recent: Vec<PathBuf>,
    /// Model files opened lately, the last first.
    pub recent_models: Vec<PathBuf>,
    /// How the canvas shows a flow.
    pub view: View,
    /// States a second while playing.
    pub speed: f32,
    /// Whether playing starts over at the end.
    pub looping: bool,
    /// The solver.
    pub solver: Solver,
    /// Solver steps, where they were chosen; otherwise every model has those that it recommends.
    pub steps: Option<usize>,
    /// Whether the filmstrip is shown.
    pub filmstrip: bool,
    /// Whether masks have the colours that their data set was published with, where it has some.
    pub published_colours: bool,
    /// Size of text and controls, 1 as designed.
    pub scale: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recent: Vec::new(),
            recent_models: Vec::new(),
            view: View::default(),
            speed: 6.0,
            looping: false,
            solver: Solver::Euler,
            steps: None,
            filmstrip: true,
            published_colours: false,
            scale: 1.0,
        }
    }
}

impl Settings {
    /// Puts a photo, folder or run at the top of the list.
    pub fn remember(&mut self, path: &Path) {
        remember(&mut self.recent, path);
    }

    /// Puts a model file at the top of the list.
    pub fn remember_model(&mut self, path: &Path) {
        remember(&mut self.recent_models, path);
    }
}

fn remember(list: &mut Vec<PathBuf>, path: &Path) {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    list.retain(|known| *known != path);
    list.insert(0, path);
    list.truncate(RECENT);
}
