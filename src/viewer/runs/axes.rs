//! The axes of the charts: positions of tick marks, and formats of steps and values.

use crate::format::{round_step, thousands, tick};
use eframe::egui::{AsIdSalt, RichText, vec2};
use egui_plot::{GridInput, GridMark, Plot};

/// Minimum distance of tick marks along the axes, in points.
pub(crate) const X_MARKS: f64 = 88.0;
pub(crate) const Y_MARKS: f64 = 36.0;
/// Significant digits of the values beside an axis, at most.
pub(crate) const DIGITS: i32 = 4;

/// A chart that always shows all of its curves: no gesture moves or scales its axes, and a double-click undoes what
/// earlier versions let them do, which is remembered. The horizontal one has a name.
pub(crate) fn fixed<'a>(id: impl AsIdSalt, name: &str) -> Plot<'a> {
    Plot::new(id)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .include_x(0.0)
        .include_y(0.0)
        // The label of the highest mark stays below what is above the chart.
        .set_margin_fraction(vec2(0.02, 0.08))
        .x_axis_label(RichText::new(name).small())
        .x_grid_spacer(|input| even_marks(&input, X_MARKS))
        .y_grid_spacer(|input| even_marks(&input, 0.7 * Y_MARKS))
        .x_axis_formatter(|mark, _| tick(mark.value, DIGITS))
        .y_axis_formatter(|mark, _| tick(mark.value, DIGITS))
}

/// A step in the shortest exact form; empty if it is not whole.
pub(crate) fn step_mark(step: f64) -> String {
    if step < 0.0 || step.fract() != 0.0 {
        return String::new();
    }
    match step as u64 {
        step if step >= 1_000_000 && step % 10_000 == 0 => format!("{} M", step as f64 / 1e6),
        step if step >= 10_000 && step % 100 == 0 => format!("{} k", step as f64 / 1e3),
        step => thousands(step),
    }
}

/// Tick marks at even steps of 1, 2 or 5 times a power of ten, at least `distance` points apart.
pub(crate) fn even_marks(input: &GridInput, distance: f64) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let step = round_step(point(input) * distance);
    let count = (high - low) / step;
    if !step.is_normal() || !(0.0..1000.0).contains(&count) {
        return Vec::new();
    }
    ((low / step).ceil() as i64..=(high / step).floor() as i64)
        .map(|i| GridMark {
            value: i as f64 * step,
            step_size: step,
        })
        .collect()
}

/// [`even_marks`] with one at `end` in place of those nearer to it: even a short axis then says how far it
/// goes.
pub(crate) fn even_marks_to(input: &GridInput, distance: f64, end: f64) -> Vec<GridMark> {
    let mut marks = even_marks(input, distance);
    let (low, high) = input.bounds;
    if low < end && end <= high {
        let room = distance * point(input);
        marks.retain(|mark| (mark.value - end).abs() >= room);
        marks.push(GridMark {
            value: end,
            // Labels fade with the step.
            step_size: high - low,
        });
    }
    marks
}

/// The length of one point of the screen on the axis.
fn point(input: &GridInput) -> f64 {
    // The plot's finest step is its `grid_spacing`, by default 8 points.
    input.base_step_size / 8.0
}

/// Tick marks of a logarithmic axis: 1, 2 and 5 times the powers of ten, or for a short range even
/// steps of the value itself.
pub(crate) fn log_marks(input: GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let extent = high - low;
    if !(f64::MIN_POSITIVE..300.0).contains(&extent) {
        return Vec::new();
    }
    let mark = |value: f64, step_size: f64| GridMark { value, step_size };
    if extent > 1.5 {
        let decades = low.floor() as i32..=high.ceil() as i32;
        let marks = decades.flat_map(|decade| {
            [(1.0, 1.0), (2.0, 0.3), (5.0, 0.3)]
                .map(|(factor, size): (f64, f64)| mark(f64::from(decade) + factor.log10(), size))
        });
        return marks.filter(|m| (low..=high).contains(&m.value)).collect();
    }
    // On average as far apart as even marks.
    let (least, most) = (10f64.powf(low), 10f64.powf(high));
    let count = (extent / point(&input) / Y_MARKS).max(1.0);
    let step = round_step((most - least) / count);
    (1..)
        .map(|i| ((least / step).floor() + f64::from(i)) * step)
        .take_while(|value| *value <= most)
        .map(|value| mark(value.log10(), extent / count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_short_and_exact() {
        let steps = [0.0, 400.0, 2500.0, 12_500.0, 1_250_000.0, 0.5].map(step_mark);
        assert_eq!(steps, ["0", "400", "2 500", "12.5 k", "1.25 M", ""]);
    }

    #[test]
    fn marks_are_round_numbers_inside_the_axis() {
        let input = |low, high| GridInput {
            bounds: (low, high),
            base_step_size: 8.0 * (high - low) / 300.0,
        };
        let values = |marks: Vec<GridMark>| -> Vec<f64> { marks.iter().map(|m| m.value).collect() };
        assert_eq!(
            values(even_marks(&input(-3.0, 103.0), 60.0)),
            [0.0, 50.0, 100.0]
        );
        // As many points as a cell of a narrow race has.
        let short = GridInput {
            bounds: (-8.0, 408.0),
            base_step_size: 8.0 * 416.0 / 90.0,
        };
        assert_eq!(values(even_marks(&short, 61.6)), [0.0]);
        assert_eq!(values(even_marks_to(&short, 61.6, 400.0)), [0.0, 400.0]);
        assert_eq!(
            values(even_marks_to(&input(-3.0, 103.0), 60.0, 101.0)),
            [0.0, 50.0, 101.0]
        );
        // Three decades, then less than one.
        let wide = values(log_marks(input(-2.0, 1.0)));
        assert_eq!((wide.len(), wide[0], wide[9]), (10, -2.0, 1.0));
        let narrow: Vec<f64> = values(log_marks(input(0.7f64.log10(), 3.1f64.log10())));
        let narrow: Vec<f64> = narrow
            .iter()
            .map(|v| (1e6 * 10f64.powf(*v)).round() / 1e6)
            .collect();
        assert_eq!(narrow, [1.0, 1.5, 2.0, 2.5, 3.0]);
        for (low, high) in [(f64::NAN, 1.0), (0.0, 0.0), (f64::NEG_INFINITY, 0.0)] {
            assert!(log_marks(input(low, high)).is_empty());
            assert!(even_marks(&input(low, high), 60.0).is_empty());
            assert!(even_marks_to(&input(low, high), 60.0, f64::NAN).is_empty());
        }
    }
}
