//! A picture of the window itself, taken once everything stands still.

use crate::{files, pictures};
use eframe::egui;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Frames drawn at rest before the picture is taken, so that layout and textures have arrived.
const SETTLE: u8 = 4;

/// A picture that was asked for.
pub struct Capture {
    path: PathBuf,
    frames: u8,
    asked: bool,
    failure: Arc<Mutex<Option<String>>>,
}

impl Capture {
    /// Why the picture could not be written is left in `failure`.
    pub fn new(path: PathBuf, failure: Arc<Mutex<Option<String>>>) -> Self {
        Self {
            path,
            frames: 0,
            asked: false,
            failure,
        }
    }

    /// To be called every frame; `still` says whether nothing more will change. Closes the window
    /// after the picture is written.
    pub fn frame(&mut self, context: &egui::Context, still: bool) {
        if self.asked {
            return;
        }
        context.request_repaint();
        self.frames = if still { self.frames + 1 } else { 0 };
        if self.frames < SETTLE {
            return;
        }
        self.asked = true;
        let (path, failure, close) = (self.path.clone(), self.failure.clone(), context.clone());
        context.request_screenshot(move |image| {
            if let (Err(error), Ok(mut failure)) = (write(&path, &image), failure.lock()) {
                *failure = Some(error);
            }
            close.send_viewport_cmd(egui::ViewportCommand::Close);
            close.request_repaint();
        });
    }
}

fn write(path: &Path, image: &egui::ColorImage) -> Result<(), String> {
    let [width, height] = image.size;
    let rgb = image
        .pixels
        .iter()
        .flat_map(|p| [p.r(), p.g(), p.b()])
        .collect();
    let picture = image::RgbImage::from_raw(width as u32, height as u32, rgb)
        .ok_or_else(|| format!("cannot write {}: the window is empty", path.display()))?;
    let png = pictures::png(&picture)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    files::write_atomic(path, &png).map_err(|error| error.to_string())
}
