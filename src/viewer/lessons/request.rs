//! What a person asks of the lessons.

use crate::viewer::exports::PictureKind;

/// A request of the Lessons panel, a key or a menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Begins with the card that was open last, or leaves the lessons.
    Toggle,
    /// Opens a card by its place, from 0.
    Open(usize),
    Next,
    Back,
    Leave,
    /// Answers with one of the choices, from 0.
    Choose(usize),
    /// Answers with the position of the playhead.
    Check,
    /// Makes the card's animation and saves it, or gives up the one that is being made.
    Save(PictureKind),
}
