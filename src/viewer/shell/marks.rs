//! What a person has marked, and taking it back.

use super::Shell;
use crate::viewer::brush::Brush;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What can be undone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// Pinned pixels, by their index at the network's size.
    pub pins: Vec<usize>,
    /// Hidden classes.
    pub hidden: BTreeSet<usize>,
    /// Brushed pixels, one entry a pixel at the network's size, or none at all.
    pub brushed: Arc<Vec<bool>>,
}

impl Shell {
    /// Changes pins or hidden classes so that it can be undone.
    pub fn mark(&mut self, change: impl FnOnce(&mut Marks)) {
        self.history.add_undo(&self.marks);
        change(&mut self.marks);
    }

    /// Pins a pixel or unpins it.
    pub fn toggle_pin(&mut self, pixel: usize) {
        self.mark(|marks| {
            let before = marks.pins.len();
            marks.pins.retain(|&pin| pin != pixel);
            if marks.pins.len() == before {
                marks.pins.push(pixel);
            }
        });
    }

    /// Takes back the last change of the marks.
    pub fn undo(&mut self) {
        if let Some(marks) = self.history.undo(&self.marks) {
            self.marks = marks.clone();
        }
    }

    /// Makes the change again that was taken back.
    pub fn redo(&mut self) {
        if let Some(marks) = self.history.redo(&self.marks) {
            self.marks = marks.clone();
        }
    }

    /// Whether there is something to undo and to redo.
    pub fn can_undo(&self) -> [bool; 2] {
        [
            self.history.has_undo(&self.marks),
            self.history.has_redo(&self.marks),
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
            self.history.add_undo(&self.marks);
        }
        self.marks.brushed = Arc::new(pixels);
    }

    /// Clears the brush; says whether there was one.
    pub fn clear_brush(&mut self) -> bool {
        let brushed = !self.marks.brushed.is_empty();
        if brushed {
            self.mark(|marks| marks.brushed = Arc::default());
        }
        brushed
    }
}
