//! What a person has marked, and taking it back.

use super::AppState;
use crate::viewer::brush::Brush;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What can be undone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Pinned pixels, by their index at the network's size.
    pub pins: Vec<usize>,
    /// Hidden classes.
    pub hidden: BTreeSet<usize>,
    /// Brushed pixels, one entry a pixel at the network's size, or none at all.
    pub brushed: Arc<Vec<bool>>,
}

impl AppState {
    /// Changes pins or hidden classes so that it can be undone.
    pub fn mark(&mut self, change: impl FnOnce(&mut Selection)) {
        self.history.add_undo(&self.selection);
        change(&mut self.selection);
    }

    /// Pins a pixel or unpins it.
    pub fn toggle_pin(&mut self, pixel: usize) {
        self.mark(|selection| {
            let before = selection.pins.len();
            selection.pins.retain(|&pin| pin != pixel);
            if selection.pins.len() == before {
                selection.pins.push(pixel);
            }
        });
    }

    /// Takes back the last change of the selection.
    pub fn undo(&mut self) {
        if let Some(selection) = self.history.undo(&self.selection) {
            self.selection = selection.clone();
        }
    }

    /// Makes the change again that was taken back.
    pub fn redo(&mut self) {
        if let Some(selection) = self.history.redo(&self.selection) {
            self.selection = selection.clone();
        }
    }

    /// Whether there is something to undo and to redo.
    pub fn can_undo(&self) -> [bool; 2] {
        [
            self.history.has_undo(&self.selection),
            self.history.has_redo(&self.selection),
        ]
    }

    /// Brushes pixels in place of those before; none of them clears the brush. The frames of one
    /// drag are undone together.
    pub fn brush(&mut self, brush: Brush) {
        let pixels = match brush.pixels.contains(&true) {
            true => brush.pixels,
            false => Vec::new(),
        };
        if brush.begins {
            self.history.add_undo(&self.selection);
        }
        self.selection.brushed = Arc::new(pixels);
    }

    /// Clears the brush; says whether there was one.
    pub fn clear_brush(&mut self) -> bool {
        let brushed = !self.selection.brushed.is_empty();
        if brushed {
            self.mark(|selection| selection.brushed = Arc::default());
        }
        brushed
    }
}
