//! Word order in right-to-left scripts.

use super::is_drawn;
use super::system::System;
use std::borrow::Cow;

/// A line of text with its words in visual order, from left to right.
///
/// The layout draws the letters of a right-to-left word in the right order, but places words from
/// left to right. Words that are spelled in Latin letters because no font has them are not moved.
pub fn in_visual_order(text: &str) -> Cow<'_, str> {
    reordered(text, |c| is_drawn(System::installed, c))
}

pub(super) fn reordered(text: &str, is_drawn: impl Fn(char) -> bool) -> Cow<'_, str> {
    let right_to_left = |word: &str| word.chars().any(is_right_to_left);
    let Some(first) = text.chars().find(|&c| is_right_to_left(c)) else {
        return Cow::Borrowed(text);
    };
    if !text.contains(' ') || !is_drawn(first) {
        return Cow::Borrowed(text);
    }
    let words: Vec<&str> = text.split(' ').collect();
    let mut runs: Vec<Vec<&str>> = words
        .chunk_by(|a, b| right_to_left(a) == right_to_left(b))
        .map(<[&str]>::to_vec)
        .collect();
    for run in runs.iter_mut().filter(|run| right_to_left(run[0])) {
        run.reverse();
    }
    // The first letter decides the direction of the line.
    let letter = text.chars().find(|c| c.is_alphabetic());
    if letter.is_some_and(is_right_to_left) {
        runs.reverse();
    }
    Cow::Owned(runs.concat().join(" "))
}

/// Hebrew, Arabic and related scripts, by their Unicode blocks.
fn is_right_to_left(character: char) -> bool {
    matches!(
        u32::from(character),
        0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF
    )
}
