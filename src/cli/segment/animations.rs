//! Frames of animations for threads that request them nearly in order.

use crate::data::{self, Frame, Frames};
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The animations of a batch. Each is decoded once, from the first wanted frame to the last.
#[derive(Default)]
pub(super) struct Animations(Mutex<HashMap<PathBuf, Animation>>);

/// An animation with frames still to be delivered.
#[derive(Default)]
struct Animation {
    wanted: BTreeSet<usize>,
    /// `None` before the first request.
    frames: Option<Frames>,
    /// The number of the frame to be decoded next.
    next: usize,
    /// Frames decoded before they were requested: at most one per requesting thread.
    early: BTreeMap<usize, anyhow::Result<Frame>>,
}

impl Animations {
    /// Prepares the given frames of animations.
    pub(super) fn of<'a>(wanted: impl Iterator<Item = (&'a Path, usize)>) -> Self {
        let mut all: HashMap<PathBuf, Animation> = HashMap::new();
        for (path, frame) in wanted {
            all.entry(path.to_owned()).or_default().wanted.insert(frame);
        }
        Self(Mutex::new(all))
    }

    /// A frame by its number, from 0. Each is delivered once.
    ///
    /// # Errors
    /// A file that cannot be read, or that is damaged before the frame.
    pub(super) fn frame(&self, path: &Path, frame: usize) -> anyhow::Result<Frame> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = || format!("{}: frame {} is missing", path.display(), frame + 1);
        let animation = all.get_mut(path).with_context(missing)?;
        let found = animation.take(path, frame);
        if animation.wanted.is_empty() {
            all.remove(path);
        }
        found?.with_context(missing)
    }
}

impl Animation {
    fn take(&mut self, path: &Path, frame: usize) -> anyhow::Result<Option<Frame>> {
        self.wanted.remove(&frame);
        if self.frames.is_none() {
            self.frames = Some(data::read_frames(path)?);
        }
        while self.next <= frame {
            let Some(read) = self.frames.as_mut().and_then(Iterator::next) else {
                break;
            };
            let at = self.next;
            self.next += 1;
            // An error is delivered in place of its frame.
            if at == frame || self.wanted.contains(&at) {
                self.early.insert(at, read.map_err(Into::into));
            }
        }
        self.early.remove(&frame).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::gif::GifEncoder;
    use image::{Delay, Rgba, RgbaImage};
    use std::fs::File;

    #[test]
    fn pictures_can_be_asked_for_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        let mut encoder = GifEncoder::new(File::create(&path).unwrap());
        for grey in 0..6 {
            let picture = RgbaImage::from_pixel(2, 2, Rgba([40 * grey, 0, 0, 255]));
            let delay = Delay::from_numer_denom_ms(20, 1);
            let frame = image::Frame::from_parts(picture, 0, 0, delay);
            encoder.encode_frame(frame).unwrap();
        }
        drop(encoder);
        let wanted = [0, 1, 3, 4, 5, 7].map(|frame| (path.as_path(), frame));
        let animations = Animations::of(wanted.into_iter());
        let red = |frame| {
            let frame = animations.frame(&path, frame)?;
            Ok::<u8, anyhow::Error>(frame.image.get_pixel(0, 0).0[0])
        };
        for (frame, expected) in [(1, 40), (0, 0), (4, 160), (3, 120), (5, 200)] {
            assert_eq!(red(frame).unwrap(), expected);
        }
        let error = red(7).unwrap_err().to_string();
        assert!(
            error.contains("a.gif") && error.contains("frame 8"),
            "{error}"
        );
        // All requested frames were delivered.
        assert!(animations.0.lock().unwrap().is_empty());
        assert!(red(0).is_err());
    }
}
