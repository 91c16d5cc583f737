//! Follows `metrics.jsonl` as it grows.

use super::{Curve, Curves};
use crate::run_format::AnyLine;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes per read, far more than a line has.
const CHUNK: u64 = 4 << 20;
/// Number of bytes before the reading position that are compared to detect a rewritten file.
const TAIL: usize = 256;

/// Follows one file: reads appended lines, waits for the end of a half-written line, and starts over
/// if the file was truncated or rewritten.
#[derive(Default)]
pub(super) struct Follower {
    position: u64,
    tail: Vec<u8>,
}

impl Follower {
    /// Reads new lines into `curves` until `stop`. Returns whether there were any.
    ///
    /// # Errors
    /// If the file cannot be read or contains no lines.
    pub(super) fn read(
        &mut self,
        path: &Path,
        curves: &mut Curves,
        stop: &dyn Fn() -> bool,
    ) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let mut changed = false;
        if file.metadata()?.len() < self.position || !self.is_continued(&mut file)? {
            (*self, *curves) = Default::default();
            changed = true;
        }
        while !stop() {
            file.seek(SeekFrom::Start(self.position))?;
            let mut bytes = Vec::new();
            file.by_ref().take(CHUNK).read_to_end(&mut bytes)?;
            let full = bytes.len() as u64 == CHUNK;
            // The text after the last line break may be incomplete.
            let end = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
            if end == 0 && full {
                return Err(io::Error::other("it contains no lines"));
            }
            changed |= end > 0;
            self.add_lines(&bytes[..end], curves);
            if !full {
                break;
            }
        }
        Ok(changed)
    }

    /// Whether the bytes before the reading position are unchanged.
    fn is_continued(&self, file: &mut File) -> io::Result<bool> {
        let start = self.position - self.tail.len() as u64;
        file.seek(SeekFrom::Start(start))?;
        let mut found = Vec::new();
        file.take(self.tail.len() as u64).read_to_end(&mut found)?;
        Ok(found == self.tail)
    }

    fn add_lines(&mut self, bytes: &[u8], curves: &mut Curves) {
        for line in bytes.split(|&b| b == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let known = serde_json::from_slice(line).is_ok_and(|line| add_line(curves, &line));
            curves.damaged_lines += usize::from(!known);
        }
        self.position += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }
}

/// Reads a file of metrics, for fuzzing.
///
/// # Errors
/// If it cannot be read.
#[cfg(fuzzing)]
pub fn read_metrics(path: &Path) -> io::Result<Curves> {
    let mut curves = Curves::default();
    Follower::default().read(path, &mut curves, &|| false)?;
    Ok(curves)
}

/// Adds the numbers of a line. Returns `false` if it has none.
fn add_line(curves: &mut Curves, line: &AnyLine) -> bool {
    let has_number = line.loss.or(line.miou).is_some();
    let Some(step) = line.step.filter(|_| has_number || line.skipped.is_some()) else {
        return false;
    };
    for (curve, value) in [
        (&mut curves.loss, line.loss),
        (&mut curves.learning_rate, line.learning_rate),
        (&mut curves.photos_per_second, line.photos_per_second),
        (&mut curves.waiting, line.waiting),
        (&mut curves.miou, line.miou),
        (&mut curves.pixel_accuracy, line.pixel_accuracy),
    ] {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            add(curve, step as f64, value);
        }
    }
    true
}

/// Adds a point. Points of steps that a resumed run repeats are replaced.
fn add(curve: &mut Curve, step: f64, value: f64) {
    while curve.last().is_some_and(|last| last[0] >= step) {
        curve.pop();
    }
    curve.push([step, value]);
}
