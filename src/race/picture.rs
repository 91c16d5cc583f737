//! A race as a picture: the scene, both masks with their scores, and the curves.

use super::chart::{self, COLOURS, CROSSING, LOSS, MIOU};
use super::config::RaceConfig;
use super::error::RaceError;
use super::record::{Frame, Record};
use super::scenes::Snapshot;
use crate::fonts::Pen;
use crate::format::thousands;
use crate::labels;
use crate::texts::{Language, PictureTexts, Texts, fill};
use crate::train::objective::Objective;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

/// Side of a picture of the scene in pixels, the gap between two, and the margin around them.
const TILE: u32 = 220;
const GAP: u32 = 16;
const MARGIN: u32 = 24;
const WIDTH: u32 = 2 * MARGIN + 4 * TILE + 3 * GAP;
/// Tops of the pictures and of the charts.
const TILES: u32 = 62;
const CHARTS: u32 = TILES + TILE + 40;
const CHART: u32 = 230;
const HEIGHT: u32 = CHARTS + CHART + 34;
/// Ems of the title, of labels and of the caption, in pixels.
const TITLE: f32 = 21.0;
const LABEL: f32 = 15.0;
const CAPTION: f32 = 13.0;

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: [u8; 3] = [20; 3];
const WEAK: [u8; 3] = [96; 3];

/// Both sides after the same number of steps: the photo, the truth, both masks with their scores, and
/// the curves up to there, with texts in a language.
///
/// # Errors
/// The plotting library fails.
pub fn frame(record: &Record, frame: &Frame, language: Language) -> Result<RgbImage, RaceError> {
    let texts = &Texts::of(language).race.picture;
    let mut sheet = RgbImage::from_pixel(WIDTH, HEIGHT, PAPER);
    let [a, _] = frame;
    title(&mut sheet, record, texts, a);
    let width = record.held_out.size[1];
    let truth = labels::mask(&record.held_out.truth, width, &a.centroids);
    let titles = record.config.titles();
    let scored = |side: usize| {
        let (title, snapshot) = (&titles[side], &frame[side]);
        let miou = format!("{:.1}", 100.0 * snapshot.miou);
        let label = fill(&texts.score, &[("name", title), ("miou", &miou)]);
        (snapshot.picture(width), label, COLOURS[side])
    };
    let tiles = [
        (record.held_out.photo.clone(), texts.photo.clone(), INK),
        (truth, texts.truth.clone(), INK),
        scored(0),
        scored(1),
    ];
    for (column, (picture, label, ink)) in (0u32..).zip(tiles) {
        let left = MARGIN + column * (TILE + GAP);
        tile(&mut sheet, &picture, left);
        let mut pen = Pen::new(LABEL);
        let label = pen.elide(&label, (TILE - 4) as f32);
        // A dark outline would not help orange or blue on white; the ink is darkened instead.
        let ink = if ink == INK {
            INK
        } else {
            ink.map(|c| (f32::from(c) * 0.8) as u8)
        };
        let baseline = (TILES + TILE + 22) as f32;
        pen.write(&mut sheet, &label, [left as f32, baseline], ink);
    }
    let size = [WIDTH - 2 * MARGIN, CHART];
    chart::draw(
        &mut sheet,
        [MARGIN, CHARTS],
        size,
        record,
        a.step,
        &[(MIOU, &texts.miou), (LOSS, &texts.loss)],
    )?;
    caption(&mut sheet, record, texts, HEIGHT);
    Ok(sheet)
}

/// The curves of a whole race, with texts in a language.
///
/// # Errors
/// The plotting library fails.
pub fn curves(record: &Record, language: Language) -> Result<RgbImage, RaceError> {
    let texts = &Texts::of(language).race.picture;
    const SIZE: [u32; 2] = [1380, 430];
    let mut sheet = RgbImage::from_pixel(SIZE[0], SIZE[1], PAPER);
    let size = [SIZE[0] - 2 * MARGIN, SIZE[1] - 90];
    let quantities = [
        (MIOU, texts.miou.as_str()),
        (LOSS, &texts.loss),
        (CROSSING, &texts.traversals),
    ];
    chart::draw(
        &mut sheet,
        [MARGIN, 46],
        size,
        record,
        u64::MAX,
        &quantities,
    )?;
    let mut pen = Pen::new(LABEL);
    let mut left = MARGIN as f32;
    for (title, colour) in record.config.titles().iter().zip(COLOURS) {
        for y in 22..26 {
            for x in 0..24 {
                sheet.put_pixel(left as u32 + x, y, Rgb(colour));
            }
        }
        let title = pen.elide(title, 400.0);
        pen.write(&mut sheet, &title, [left + 32.0, 29.0], INK);
        left += 32.0 + pen.width(&title) + 32.0;
    }
    caption(&mut sheet, record, texts, SIZE[1]);
    Ok(sheet)
}

fn title(sheet: &mut RgbImage, record: &Record, texts: &PictureTexts, snapshot: &Snapshot) {
    let [a, b] = record.config.titles();
    let mut pen = Pen::new(TITLE);
    let step = thousands(snapshot.step);
    let at = match record.config.seconds {
        Some(_) => fill(&texts.timed, &[("step", &step)]),
        None => {
            let steps = thousands(record.config.steps);
            fill(&texts.counted, &[("step", &step), ("steps", &steps)])
        }
    };
    let room = (WIDTH - 3 * MARGIN) as f32 - pen.width(&at);
    let race = fill(&texts.against, &[("a", &a), ("b", &b)]);
    let race = pen.elide(&race, room);
    pen.write(sheet, &race, [MARGIN as f32, 40.0], INK);
    let right = (WIDTH - MARGIN) as f32 - pen.width(&at);
    pen.write(sheet, &at, [right, 40.0], WEAK);
}

/// Draws a picture scaled to fit a tile, with pixels left sharp.
fn tile(sheet: &mut RgbImage, picture: &RgbImage, left: u32) {
    let (width, height) = picture.dimensions();
    let longer = width.max(height).max(1);
    let side = |n: u32| (n * TILE / longer).max(1);
    let picture = imageops::resize(picture, side(width), side(height), FilterType::Nearest);
    let [dx, dy] = [(TILE - side(width)) / 2, (TILE - side(height)) / 2];
    imageops::replace(sheet, &picture, i64::from(left + dx), i64::from(TILES + dy));
}

fn caption(sheet: &mut RgbImage, record: &Record, texts: &PictureTexts, height: u32) {
    let held_out = &record.held_out;
    let text = fill(
        &texts.caption,
        &[
            ("seed", &record.config.seed.to_string()),
            ("steps", &solver_steps(&record.config)),
            ("scenes", &held_out.scenes.to_string()),
            ("classes", &held_out.classes.len().to_string()),
        ],
    );
    let mut pen = Pen::new(CAPTION);
    let text = pen.elide(&text, (sheet.width() - 2 * MARGIN) as f32);
    pen.write(sheet, &text, [MARGIN as f32, height as f32 - 14.0], WEAK);
}

/// How many solver steps lead to the masks: one number if it is that of both sides, else that of each. The
/// twin takes one.
fn solver_steps(config: &RaceConfig) -> String {
    let [a, b] = [&config.a, &config.b].map(|side| match side.objective {
        Objective::CrossEntropy => 1,
        _ => config.solver_steps,
    });
    if a == b {
        a.to_string()
    } else {
        format!("{a} / {b}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_is_said_to_take_one_step() {
        let mut config = RaceConfig {
            solver_steps: 4,
            ..RaceConfig::default()
        };
        assert_eq!(solver_steps(&config), "4");
        config.a.objective = Objective::CrossEntropy;
        assert_eq!(solver_steps(&config), "1 / 4");
        config.b.objective = Objective::CrossEntropy;
        assert_eq!(solver_steps(&config), "1");
    }
}
