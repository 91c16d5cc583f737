//! A screenshot of the window, taken once nothing changes any more.

use crate::{files, pictures};
use eframe::egui;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use web_time::Instant;

/// Unchanged frames before the screenshot, so that layout and textures are complete.
const SETTLE: u8 = 4;
/// How long to wait for a driver to deliver the picture.
const PATIENCE: Duration = Duration::from_secs(20);

/// The result of the screenshot, or `None` before it is taken.
pub(super) type Outcome = Arc<Mutex<Option<Result<(), String>>>>;

/// A screenshot to be taken.
pub(super) struct Capture {
    path: PathBuf,
    frames: u8,
    asked: Option<Instant>,
    outcome: Outcome,
}

impl Capture {
    /// The result will be stored in `outcome`.
    pub(super) fn new(path: PathBuf, outcome: Outcome) -> Self {
        Self {
            path,
            frames: 0,
            asked: None,
            outcome,
        }
    }

    /// Must be called every frame, with `still` if nothing changes any more. With a `problem`, the
    /// picture is written but counts as failed. Closes the window afterwards.
    pub(super) fn frame(&mut self, context: &egui::Context, still: bool, problem: Option<&str>) {
        context.request_repaint();
        if let Some(asked) = self.asked {
            if asked.elapsed() > PATIENCE {
                let text = "the graphics driver did not deliver a picture of the window";
                end(&self.outcome, context, Err(text.to_owned()));
            }
            return;
        }
        self.frames = if still { self.frames + 1 } else { 0 };
        if self.frames < SETTLE {
            return;
        }
        self.asked = Some(Instant::now());
        let (path, outcome, context) = (self.path.clone(), self.outcome.clone(), context.clone());
        let problem = problem.map(str::to_owned);
        context.clone().request_screenshot(move |image| {
            let written = write(&path, &image).and(problem.map_or(Ok(()), Err));
            end(&outcome, &context, written);
        });
    }
}

fn end(outcome: &Outcome, context: &egui::Context, result: Result<(), String>) {
    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    context.send_viewport_cmd(egui::ViewportCommand::Close);
    context.request_repaint();
}

/// Whether the screenshot was written; to be called after the window has closed.
///
/// # Errors
/// Why it was not written, or the problem that it shows.
pub(super) fn result(path: &Path, outcome: &Outcome) -> Result<(), String> {
    let outcome = outcome
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    outcome.unwrap_or_else(|| {
        let path = path.display();
        Err(format!(
            "the window was closed before its picture {path} was taken"
        ))
    })
}

fn write(path: &Path, image: &egui::ColorImage) -> Result<(), String> {
    let [width, height] = image.size.map(|side| side as u32);
    let pixels = image.pixels.iter();
    let rgb = pixels.flat_map(|p| [p.r(), p.g(), p.b()]).collect();
    let picture = image::RgbImage::from_raw(width, height, rgb)
        .filter(|picture| !picture.is_empty())
        .ok_or_else(|| format!("cannot write {}: the window is empty", path.display()))?;
    let png = pictures::png(&picture)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    files::write_atomic(path, &png).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_closes_too_early_is_a_failure() {
        let (path, outcome) = (Path::new("a.png"), Outcome::default());
        assert!(result(path, &outcome).unwrap_err().contains("a.png"));
        *outcome.lock().unwrap() = Some(Ok(()));
        result(path, &outcome).unwrap();
    }
}
