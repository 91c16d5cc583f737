//! The pixels under a brush.

use std::ops::Range;

/// Below this diameter in pixels, a stroke runs through pixel centres, so that a brush of one pixel
/// paints a line one pixel wide.
const THIN: f32 = 3.0;

/// The pixels of `[height, width]` whose centres a round brush covers on its way between two points:
/// rows and columns.
pub(super) fn stroke(
    from: [f32; 2],
    to: [f32; 2],
    diameter: f32,
    [height, width]: [usize; 2],
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let radius = (diameter / 2.0).max(0.5);
    let place = |point: [f32; 2]| {
        if diameter < THIN {
            point.map(|v| v.floor() + 0.5)
        } else {
            point
        }
    };
    let (a, b) = (place(from), place(to));
    let finite = a.iter().chain(&b).all(|v| v.is_finite()) && radius.is_finite();
    let rows = if finite {
        covered(a[1].min(b[1]) - radius, a[1].max(b[1]) + radius, height)
    } else {
        0..0
    };
    rows.filter_map(move |y| {
        let (low, high) = across(a, b, radius, y as f32 + 0.5)?;
        let columns = covered(low, high, width);
        (!columns.is_empty()).then_some((y, columns))
    })
}

/// The indices of the pixels of a line of `count` whose centres are between `low` and `high`.
fn covered(low: f32, high: f32, count: usize) -> Range<usize> {
    let first = (low - 0.5).ceil().max(0.0) as usize;
    // A negative end becomes 0, one past the line becomes `count`.
    let end = (high - 0.5).floor() + 1.0;
    let end = (end.max(0.0) as usize).min(count);
    first.min(end)..end
}

/// The intersection of the shape that a disc sweeps from `a` to `b` with the horizontal line at `y`.
/// The shape is convex, so this is one interval: the union of those of the two discs and of the band
/// between them.
fn across(a: [f32; 2], b: [f32; 2], radius: f32, y: f32) -> Option<(f32, f32)> {
    let mut found: Option<(f32, f32)> = None;
    let mut add = |x: f32| {
        let (low, high) = found.unwrap_or((x, x));
        found = Some((low.min(x), high.max(x)));
    };
    for [cx, cy] in [a, b] {
        let square = radius * radius - (y - cy) * (y - cy);
        if square >= 0.0 {
            add(cx - square.sqrt());
            add(cx + square.sqrt());
        }
    }
    let along = [b[0] - a[0], b[1] - a[1]];
    let length = along[0].hypot(along[1]);
    if length > 0.0 {
        let side = [-along[1] / length * radius, along[0] / length * radius];
        for sign in [-1.0, 1.0] {
            // An edge of the band, parallel to the path.
            let start = [a[0] + sign * side[0], a[1] + sign * side[1]];
            let share = (y - start[1]) / along[1];
            if (0.0..=1.0).contains(&share) {
                add(start[0] + share * along[0]);
            }
        }
    }
    found
}
