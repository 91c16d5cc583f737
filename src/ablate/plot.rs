//! Line plots as SVG.

use super::error::AblateError;
use crate::files;
use crate::fonts::{self, Pen};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use std::path::Path;

/// Width and height in pixels.
const SIZE: (u32, u32) = (860, 520);

/// The font family of all text. The viewer of the plot draws it, with its own fonts for other
/// scripts.
const FONT: &str = "sans-serif";
/// Size of labels, and the maximum length of one, in pixels.
const LABEL: u32 = 13;
const LONGEST: f32 = 320.0;

#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Label of the horizontal axis.
    pub x: String,
    /// Label of the vertical axis.
    pub y: String,
    /// Factor on the values, 100 for %.
    pub scale: f64,
    /// Whether the horizontal axis is logarithmic.
    pub logarithmic: bool,
}

impl Axis {
    /// mIoU in % over a linear axis.
    pub(super) fn linear(x: &str) -> Self {
        Self {
            x: x.to_owned(),
            y: "mIoU (%)".to_owned(),
            scale: 100.0,
            logarithmic: false,
        }
    }

    /// mIoU in % over a logarithmic axis, for numbers above 0.
    pub(super) fn logarithmic(x: &str) -> Self {
        Self {
            logarithmic: true,
            ..Self::linear(x)
        }
    }
}

/// A line of a plot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub name: String,
    /// Points from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// The mean of all points with the same x.
    pub(super) fn mean(name: String, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut points: Vec<(f64, f64)> = points.into_iter().collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let points = points
            .chunk_by(|a, b| a.0 == b.0)
            .map(|same| {
                let sum: f64 = same.iter().map(|point| point.1).sum();
                (same[0].0, sum / same.len() as f64)
            })
            .collect();
        Self { name, points }
    }
}

/// Draws lines into an SVG file.
///
/// # Errors
/// If drawing or writing fails.
pub(super) fn plot(
    path: &Path,
    title: &str,
    axis: Axis,
    lines: &[Line],
) -> Result<(), AblateError> {
    let svg = draw(title, &axis, lines).map_err(|reason| AblateError::Plot {
        path: path.to_owned(),
        reason,
    })?;
    Ok(files::write_atomic(path, svg.as_bytes())?)
}

fn draw(title: &str, axis: &Axis, lines: &[Line]) -> Result<String, String> {
    fonts::register_for_plots(FONT)?;
    let points = || lines.iter().flat_map(|line| &line.points);
    let bounds = |value: fn(&(f64, f64)) -> f64| {
        let low = points().map(value).fold(f64::INFINITY, f64::min);
        let high = points().map(value).fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    };
    let (left, right) = bounds(|point| point.0);
    let (_, top) = bounds(|point| point.1);
    if !(left.is_finite() && right > left) {
        return Err("its points have no extent".to_owned());
    }
    let top = (top * axis.scale * 1.08).max(1e-6);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let drawn = if axis.logarithmic {
            let x = (left..right).log_scale().with_key_points(places(lines));
            chart(&root, x, top, title, axis, lines)
        } else {
            chart(&root, left..right, top, title, axis, lines)
        };
        drawn
            .and_then(|()| root.present())
            .map_err(|e| e.to_string())?;
    }
    Ok(svg)
}

/// The x of all points of the lines, ascending.
fn places(lines: &[Line]) -> Vec<f64> {
    let mut places: Vec<f64> = lines.iter().flat_map(|l| &l.points).map(|p| p.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    places
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn chart<'a, X>(
    root: &Area<'a>,
    x: X,
    top: f64,
    title: &str,
    axis: &Axis,
    lines: &[Line],
) -> Drawn<'a>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(root)
        .caption(title, (FONT, 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(x, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(&axis.x)
        .x_label_formatter(&|x| x.to_string())
        .y_desc(&axis.y)
        .label_style((FONT, LABEL))
        .draw()?;
    let mut pen = Pen::new(LABEL as f32);
    for (i, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.points.is_empty())
    {
        let colour = Palette99::pick(i).to_rgba();
        let points = || line.points.iter().map(|&(x, y)| (x, y * axis.scale));
        chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
            .label(pen.elide(&line.name, LONGEST))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, LABEL))
        .draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_averaged_where_they_share_a_place() {
        let points = [(2.0, 1.0), (1.0, 4.0), (2.0, 3.0)];
        let line = Line::mean("a".to_owned(), points);
        assert_eq!(line.points, [(1.0, 4.0), (2.0, 2.0)]);
    }

    #[test]
    fn plots_name_their_lines_and_axes() {
        let line = |name: &str, points| Line::mean(name.to_owned(), points);
        let lines = [
            line("reshaped & co", vec![(1.0, 0.2), (10.0, 0.4), (100.0, 0.5)]),
            line("vanilla", vec![(1.0, 0.1), (10.0, 0.3)]),
        ];
        for axis in [Axis::linear("training step"), Axis::logarithmic("classes")] {
            let svg = draw("mIoU over it", &axis, &lines).unwrap();
            for part in [
                "<svg",
                "mIoU over it",
                "reshaped &amp; co",
                "vanilla",
                &axis.x,
                "mIoU (%)",
            ] {
                assert!(svg.contains(part), "{part} is not in {svg}");
            }
            assert!(svg.contains("\n100\n"), "{svg}");
            assert_eq!(svg.matches("<polyline").count(), 2 + 2 + axes(&svg));
        }
        let one = [line("a", vec![(1.0, 0.2)])];
        assert!(draw("t", &Axis::linear("x"), &one).is_err());
    }

    /// The number of lines that are not data: ticks and frames.
    fn axes(svg: &str) -> usize {
        let data = |line: &&str| line.contains("stroke-width=\"2\"");
        svg.lines()
            .filter(|l| l.contains("<polyline"))
            .filter(|l| !data(l))
            .count()
    }
}
