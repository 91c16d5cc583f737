//! Line charts of a race, drawn into pictures.

use super::config::RaceConfig;
use super::error::RaceError;
use super::record::{Point, Record};
use crate::fonts::{self, Pen};
use crate::format::{thousands, tick};
use image::RgbImage;
use plotters::coord::Shift;
use plotters::prelude::*;

const FONT: &str = "sans-serif";
/// Size of tick labels and of titles, in pixels.
const LABEL: u32 = 14;
const TITLE: f32 = 14.5;
/// Height of a title's line.
const HEAD: u32 = 26;
/// Width of the vertical axis with its labels, and of the margin on both sides.
const AXIS: u32 = 44;
const SIDES: u32 = 8;
/// The colours of sides a and b, legible on white and on black.
pub(super) const COLOURS: [[u8; 3]; 2] = [[222, 142, 62], [72, 140, 240]];

/// A quantity over the training steps.
pub(super) type Quantity = fn(&Point) -> Option<f64>;

pub(super) const MIOU: Quantity = |point| Some(100.0 * point.miou);
pub(super) const LOSS: Quantity = |point| point.loss;
pub(super) const CROSSING: Quantity = |point| Some(100.0 * point.crossing);

/// Draws quantities with their titles side by side into a picture, at `corner`, `size` pixels in all, up to the
/// training step `until`. The axes are those of the whole race.
pub(super) fn draw(
    sheet: &mut RgbImage,
    corner: [u32; 2],
    size: [u32; 2],
    record: &Record,
    until: u64,
    quantities: &[(Quantity, &str)],
) -> Result<(), RaceError> {
    fonts::register_for_plots(FONT).map_err(RaceError::Picture)?;
    let (width, height) = sheet.dimensions();
    let count = quantities.len() as u32;
    let mut pen = Pen::new(TITLE);
    for (number, (_, title)) in (0u32..).zip(quantities) {
        let width = size[0] / count;
        let room = (width - AXIS - 2 * SIDES) as f32;
        let title = pen.elide(title, room);
        let left = corner[0] + number * width + SIDES + AXIS;
        pen.write(
            sheet,
            &title,
            [left as f32, (corner[1] + 16) as f32],
            [20; 3],
        );
    }
    let mut drawn = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let backend = BitMapBackend::with_buffer(sheet, (width, height));
        let root = backend.into_drawing_area();
        let below = (corner[0], corner[1] + HEAD - SIDES);
        let area = root
            .clone()
            .shrink(below, (size[0], size[1] + SIDES - HEAD));
        for (area, (quantity, _)) in area
            .split_evenly((1, quantities.len()))
            .iter()
            .zip(quantities)
        {
            chart(area, record, until, *quantity)?;
        }
        root.present()?;
        Ok(())
    };
    drawn().map_err(|error| RaceError::Picture(error.to_string()))
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

fn chart<'a>(area: &Area<'a>, record: &Record, until: u64, quantity: Quantity) -> Drawn<'a> {
    let values = |side: usize| {
        let points = record.points[side].iter();
        points.filter_map(|point| Some((point.step, quantity(point)?)))
    };
    let top = values(0)
        .chain(values(1))
        .map(|point| point.1)
        .fold(0.0, f64::max);
    let top = if top > 0.0 { 1.08 * top } else { 1.0 };
    let mut chart = ChartBuilder::on(area)
        .margin(SIDES)
        .margin_right(20)
        .x_label_area_size(24)
        .y_label_area_size(AXIS)
        .build_cartesian_2d(0.0..steps(&record.config, record) as f64, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(222, 222, 222))
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|step| thousands(*step as u64))
        .y_label_formatter(&|value| tick(*value, 3))
        .label_style((FONT, LABEL))
        .draw()?;
    for (side, [r, g, b]) in COLOURS.into_iter().enumerate() {
        let colour = RGBColor(r, g, b);
        let points = values(side).filter(|point| point.0 <= until);
        let points = points.map(|(step, value)| (step as f64, value));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    Ok(())
}

/// The end of the axis of steps: the planned end, or for a race that ended early, its last step.
fn steps(config: &RaceConfig, record: &Record) -> u64 {
    let last = record.points.iter().filter_map(|points| points.last());
    let last = last.map(|point| point.step).max().unwrap_or(0);
    if config.seconds.is_some() {
        last.max(1)
    } else {
        config.steps.max(last)
    }
}
