//! A race as files: a table of its curves, a summary and an animation.

use super::error::RaceError;
use super::picture;
use super::record::Record;
use crate::csv;
use crate::files::{self, FileError};
use crate::pictures::Gif;
use crate::texts::Language;
use image::ImageError;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// The files of a race in its folder, each with what it is; the animation is written on request.
pub const FILES: [(&str, &str); 5] = [
    ("curves.csv", "the table of curves"),
    ("curves.png", "the picture of the curves"),
    ("race.png", "the last frame"),
    ("race.json", "the summary"),
    ("race.gif", "the animation"),
];

/// Columns of the table of curves.
const COLUMNS: [&str; 9] = [
    "step",
    "side",
    "name",
    "seconds",
    "loss",
    "miou",
    "pixel_accuracy",
    "crossing",
    "passes",
];
/// Some keys of the summary.
const KEYS: [&str; 5] = ["complete", "step", "scenes_measured", "a", "b"];

/// Refuses a folder with a table of curves or a summary that no race wrote; they are recognised by their columns
/// and keys.
///
/// # Errors
/// The file, and what to do.
pub fn keep_foreign(folder: &Path) -> Result<(), FileError> {
    let [curves, _, _, summary, _] = FILES.map(|(name, _)| folder.join(name));
    files::keep_table(&curves, &COLUMNS)?;
    files::keep_json(&summary, &KEYS)
}

/// How long a frame of the animation is shown, and how long the last one.
const STEP: Duration = Duration::from_millis(250);
const END: Duration = Duration::from_millis(3000);

/// The curves as CSV, one line for each measurement of each side.
pub fn curves_csv(record: &Record) -> String {
    let mut text = csv::line(COLUMNS);
    let titles = record.config.titles();
    let mut rows: Vec<(u64, usize, String)> = Vec::new();
    for (side, points) in record.points.iter().enumerate() {
        for point in points {
            let line = csv::line([
                point.step.to_string(),
                ["a", "b"][side].to_owned(),
                titles[side].clone(),
                format!("{:.3}", point.seconds),
                point
                    .loss
                    .map_or_else(String::new, |loss| format!("{loss:.6}")),
                format!("{:.6}", point.miou),
                format!("{:.6}", point.pixel_accuracy),
                format!("{:.6}", point.crossing),
                point.passes.to_string(),
            ]);
            rows.push((point.step, side, line));
        }
    }
    rows.sort_by_key(|(step, side, _)| (*step, *side));
    text.extend(rows.into_iter().map(|(_, _, line)| line));
    text
}

/// The settings and the last measurement of both sides as JSON. `complete` says whether the race came
/// to its end.
pub fn summary(record: &Record, complete: bool) -> Value {
    let titles = record.config.titles();
    let side = |side: usize| {
        let last = record.last().map(|frame| &frame[side]);
        last.map_or(Value::Null, |last| {
            json!({
                "name": titles[side],
                "loss": last.loss,
                "miou": last.miou,
                "pixel_accuracy": last.pixel_accuracy,
                "traversals": last.traversals,
                "gradient_by_distance": last.gradient.as_ref().map(|found| {
                    found.points().collect::<Vec<_>>()
                }),
            })
        })
    };
    json!({
        "complete": complete,
        "step": record.step(),
        "seconds": record.last().map_or(0.0, |[a, b]| a.seconds.max(b.seconds)),
        "classes": record.held_out.classes,
        "scenes_measured": record.held_out.scenes,
        "config": record.config,
        "a": side(0),
        "b": side(1),
    })
}

/// Writes the race as a GIF, with texts in a language. `progress` is told the share done, 0 to 1, and returns whether to
/// go on.
///
/// # Errors
/// Drawing or writing fails, or `progress` returned false.
pub fn animation(
    record: &Record,
    language: Language,
    mut writer: impl Write,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), RaceError> {
    let failed = |error| match error {
        ImageError::IoError(source) => RaceError::Write(source),
        other => RaceError::Picture(other.to_string()),
    };
    let mut gif = Gif::new(&mut writer);
    let frames = record.frames();
    for (at, frame) in frames.iter().enumerate() {
        let shown = if at + 1 == frames.len() { END } else { STEP };
        gif.frame(picture::frame(record, frame, language)?, shown)
            .map_err(failed)?;
        if !progress((at + 1) as f32 / frames.len() as f32) {
            return Err(RaceError::Cancelled);
        }
    }
    drop(gif);
    writer.flush().map_err(RaceError::Write)
}
