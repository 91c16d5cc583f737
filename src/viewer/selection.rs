//! The user's selection, with undo and redo.

use super::brush::Brush;
use eframe::egui::util::undoer::Undoer;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Selection {
    /// Pinned pixels, by their index at the network's size, in row-major order.
    pub pins: Vec<usize>,
    pub hidden: BTreeSet<usize>,
    /// For each pixel at the network's size whether it is brushed; empty if none is.
    pub brushed: Arc<Vec<bool>>,
}

/// The selection with its history for undo and redo.
#[derive(Default)]
pub(super) struct SelectionHistory {
    current: Selection,
    history: Undoer<Selection>,
}

impl Deref for SelectionHistory {
    type Target = Selection;

    fn deref(&self) -> &Selection {
        &self.current
    }
}

impl SelectionHistory {
    /// A selection of one pinned pixel or of nothing, without a history.
    pub(super) fn pinned(pixel: Option<usize>) -> Self {
        Self {
            current: Selection {
                pins: pixel.into_iter().collect(),
                ..Selection::default()
            },
            history: Undoer::default(),
        }
    }

    /// Changes the selection so that it can be undone.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Selection)) {
        self.history.add_undo(&self.current);
        change(&mut self.current);
        self.forget_redo();
    }

    /// Forgets what was undone, if the selection has changed since then.
    fn forget_redo(&mut self) {
        // All undo points are made before changes, so that time does not count.
        self.history.feed_state(0.0, &self.current);
    }

    pub(super) fn toggle_pin(&mut self, pixel: usize) {
        self.change(|selection| {
            let before = selection.pins.len();
            selection.pins.retain(|&pin| pin != pixel);
            if selection.pins.len() == before {
                selection.pins.push(pixel);
            }
        });
    }

    pub(super) fn toggle_class(&mut self, class: usize) {
        self.change(|selection| {
            if !selection.hidden.remove(&class) {
                selection.hidden.insert(class);
            }
        });
    }

    pub(super) fn undo(&mut self) {
        if let Some(selection) = self.history.undo(&self.current) {
            self.current = selection.clone();
        }
    }

    pub(super) fn redo(&mut self) {
        if let Some(selection) = self.history.redo(&self.current) {
            self.current = selection.clone();
        }
    }

    /// Whether there is something to undo, and to redo.
    pub(super) fn can_undo(&self) -> [bool; 2] {
        [
            self.history.has_undo(&self.current),
            self.history.has_redo(&self.current),
        ]
    }

    /// Replaces the brushed pixels; an empty brush clears them. All frames of a drag are undone
    /// together.
    pub(super) fn brush(&mut self, brush: Brush) {
        if brush.begins {
            self.history.add_undo(&self.current);
        }
        let pixels = Some(brush.pixels).filter(|pixels| pixels.contains(&true));
        self.current.brushed = Arc::new(pixels.unwrap_or_default());
        self.forget_redo();
    }

    /// Clears the brush. Returns whether there was one.
    pub(super) fn clear_brush(&mut self) -> bool {
        let brushed = !self.current.brushed.is_empty();
        if brushed {
            self.change(|selection| selection.brushed = Arc::default());
        }
        brushed
    }

    /// Clears pins and brushed pixels because other states have other pixels. This cannot be undone.
    pub(super) fn forget_pixels(&mut self) {
        self.current.pins.clear();
        self.current.brushed = Arc::default();
        self.history = Undoer::default();
    }

    /// Shows all classes because another model has other classes.
    pub(super) fn forget_classes(&mut self) {
        self.current.hidden.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_an_undo_leaves_nothing_else_to_redo() {
        let mut selection = SelectionHistory::default();
        selection.toggle_pin(1);
        selection.undo();
        selection.toggle_pin(2);
        selection.undo();
        for _ in 0..2 {
            selection.redo();
            assert_eq!(selection.pins, [2]);
        }
        selection.undo();
        selection.brush(Brush {
            pixels: vec![true],
            begins: true,
        });
        selection.undo();
        for _ in 0..2 {
            selection.redo();
            assert!(selection.pins.is_empty());
            assert_eq!(*selection.brushed, [true]);
        }
    }
}
