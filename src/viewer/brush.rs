//! Brushed pixels: a region of the photo that is highlighted there and in the colour cube of the field.

use eframe::egui::{Pos2, Rect, Vec2};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Brush {
    /// One entry per pixel at the network's size, in row-major order.
    pub pixels: Vec<bool>,
    /// Whether this begins a brush; otherwise it continues the same drag.
    pub begins: bool,
}

/// The pixels of a picture `[height, width]` that a rectangle touches. Its corners are relative to the
/// picture, 0 to 1 from the left and from the top.
pub(super) fn region([height, width]: [usize; 2], from: Vec2, to: Vec2) -> Vec<bool> {
    let span = |a: f32, b: f32, count: usize| {
        let of = |at: f32| ((at * count as f32).max(0.0) as usize).min(count.saturating_sub(1));
        of(a.min(b))..=of(a.max(b))
    };
    let (columns, rows) = (span(from.x, to.x, width), span(from.y, to.y, height));
    (0..height * width)
        .map(|pixel| columns.contains(&(pixel % width)) && rows.contains(&(pixel / width)))
        .collect()
}

/// A point of the window relative to a picture, 0 to 1 from the left and from the top.
pub(super) fn within(picture: Rect, at: Pos2) -> Vec2 {
    ((at - picture.min) / picture.size()).clamp(Vec2::ZERO, Vec2::splat(1.0))
}

/// The number of brushed pixels, or `None` if there are none.
pub(super) fn count(brushed: &[bool]) -> Option<usize> {
    Some(brushed.iter().filter(|lit| **lit).count()).filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::vec2;

    #[test]
    fn a_rectangle_takes_the_pixels_that_it_touches() {
        // Three columns, two rows: from the middle of the first to the middle of the second.
        let brushed = region([2, 3], vec2(0.5, 0.2), vec2(0.1, 0.3));
        assert_eq!(brushed, [true, true, false, false, false, false]);
        let all = region([2, 3], vec2(-1.0, 0.0), vec2(7.0, 1.0));
        assert_eq!(all, [true; 6]);
        assert!(region([0, 0], Vec2::ZERO, vec2(1.0, 1.0)).is_empty());
    }
}
