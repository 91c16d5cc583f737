//! Masks and states as pictures and animations.

use super::error::{ExportError, go_on};
use super::legend;
use super::mask::Mask;
use super::scene::{Look, Scene};
use crate::files;
use crate::labels;
use crate::labels::IGNORE;
use crate::own_gif::is_own_gif;
use crate::own_png;
use crate::pictures::{self, Gif};
use image::codecs::gif::GifDecoder;
use image::imageops::{self, FilterType};
use image::{AnimationDecoder, DynamicImage, Rgb, RgbImage};
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

/// Pictures are magnified by a whole factor as long as their longer side stays within this many pixels.
const SHOWN_SIDE: u32 = 512;
/// How long every state but the first and last is shown.
const STEP: Duration = Duration::from_millis(120);
/// How long the first and last states are shown.
const END: Duration = Duration::from_millis(1200);

/// The mask in class colours at the photo's size, a small one magnified by a whole factor, above a
/// legend of its classes with their shares, greatest first.
pub fn colours(mask: &Mask) -> RgbImage {
    let [width, height] = mask.size();
    let map = RgbImage::from_fn(width, height, |x, y| {
        Rgb(mask.colour(mask.labels[y as usize * width as usize + x as usize]))
    });
    let scale = magnification(width, height);
    let map = imageops::resize(&map, width * scale, height * scale, FilterType::Nearest);
    let shares = labels::shares(mask.labels, mask.classes.len());
    let mut entries: Vec<(f32, legend::Entry)> = mask
        .classes
        .iter()
        .zip(shares)
        .enumerate()
        .filter(|(_, (_, share))| *share > 0.0)
        .map(|(class, (name, share))| {
            let entry = legend::Entry {
                class,
                colour: mask.colour(class as u16),
                name,
                note: legend::percent(share),
            };
            (share, entry)
        })
        .collect();
    entries.sort_by(|a, b| b.0.total_cmp(&a.0));
    let entries: Vec<legend::Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
    legend::below(&map, &entries)
}

/// The photo under class colours of an opacity from 0 to 1, at the photo's own size. Pixels without a
/// class are unchanged.
pub fn overlay(mask: &Mask, opacity: f32) -> RgbImage {
    let mut picture = mask.photo.clone();
    for (pixel, &label) in picture.pixels_mut().zip(mask.labels) {
        if label != IGNORE {
            pixel.0 = mix(pixel.0, mask.colour(label), opacity);
        }
    }
    picture
}

/// `above` blended over `below` with an opacity from 0 to 1.
fn mix(below: [u8; 3], above: [u8; 3], opacity: f32) -> [u8; 3] {
    let share = (opacity.clamp(0.0, 1.0) * 256.0).round() as u32;
    std::array::from_fn(|c| {
        ((u32::from(below[c]) * (256 - share) + u32::from(above[c]) * share) / 256) as u8
    })
}

/// A label map `[height, width]` in class colours.
fn map(scene: &Scene, labels: &[u16], [height, width]: [usize; 2]) -> RgbImage {
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let label = labels[y as usize * width + x as usize];
        Rgb(scene.colour(usize::from(label)))
    })
}

fn magnification(width: u32, height: u32) -> u32 {
    (SHOWN_SIDE / width.max(height).max(1)).max(1)
}

/// The pictures of an animation, made one by one.
pub trait Pictures {
    fn count(&self) -> usize;

    /// The picture at a place from 0 to `count() - 1`.
    fn picture(&self, at: usize) -> RgbImage;
}

/// The pictures of a flow, state by state.
struct Animation<'a> {
    scene: &'a Scene<'a>,
    /// The photo at the animation's size, if it is shown.
    photo: Option<RgbImage>,
    scale: u32,
}

impl<'a> Animation<'a> {
    fn new(scene: &'a Scene<'a>) -> Self {
        let [height, width] = scene.trajectory.size.map(|side| side as u32);
        let scale = magnification(width, height);
        let photo = (scene.look == Look::Overlay).then(|| {
            let (width, height) = (width * scale, height * scale);
            imageops::resize(scene.photo, width, height, FilterType::Triangle)
        });
        Self {
            scene,
            photo,
            scale,
        }
    }
}

impl Pictures for Animation<'_> {
    fn count(&self) -> usize {
        self.scene.trajectory.states.len()
    }

    fn picture(&self, at: usize) -> RgbImage {
        let trajectory = &self.scene.trajectory;
        let small = match self.scene.look {
            Look::Raw => pictures::of_state(trajectory.states[at], trajectory.size),
            Look::Map | Look::Overlay => map(self.scene, trajectory.labels[at], trajectory.size),
        };
        let (width, height) = (small.width() * self.scale, small.height() * self.scale);
        let mut picture = imageops::resize(&small, width, height, FilterType::Nearest);
        if let Some(photo) = &self.photo {
            for (pixel, below) in picture.pixels_mut().zip(photo.pixels()) {
                pixel.0 = mix(below.0, pixel.0, self.scene.opacity);
            }
        }
        picture
    }
}

/// The bytes of a PNG file with 8 bits per channel: grey, or colours with or without transparency.
pub(super) fn png(path: &Path, picture: impl Into<DynamicImage>) -> Result<Vec<u8>, ExportError> {
    let picture = picture.into();
    let (colour, picture) = match picture {
        DynamicImage::ImageLuma8(_) => (png::ColorType::Grayscale, picture),
        DynamicImage::ImageRgba8(_) => (png::ColorType::Rgba, picture),
        other => (png::ColorType::Rgb, other.into_rgb8().into()),
    };
    let size = [picture.width(), picture.height()];
    let encoded = own_png::encoded(size, colour, picture.as_bytes());
    encoded.map_err(|error| ExportError::write(path, error))
}

pub(super) fn write_png(path: &Path, picture: impl Into<DynamicImage>) -> Result<(), ExportError> {
    Ok(files::write_atomic(path, &png(path, picture)?)?)
}

/// Writes the flow as an endlessly looping GIF, frame by frame.
pub(super) fn write_gif(
    path: &Path,
    scene: &Scene,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), ExportError> {
    write_animation(path, &Animation::new(scene), progress)
}

/// Writes the flow as `0000.png`, `0001.png` and so on; see [`write_sequence`].
pub(super) fn write_frames(
    path: &Path,
    scene: &Scene,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), ExportError> {
    write_sequence(path, &Animation::new(scene), progress)
}

/// Writes pictures of one size as an endlessly looping GIF, in which the first and the last are shown
/// longer. `progress` is as in [`write`](super::write).
///
/// # Errors
/// The disk cannot be written, or `progress` returned false.
pub fn write_animation(
    path: &Path,
    pictures: &dyn Pictures,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), ExportError> {
    let count = pictures.count();
    files::write_with(path, |file| {
        let mut file = BufWriter::new(file);
        let mut gif = Gif::new(&mut file);
        for at in 0..count {
            let ends = at == 0 || at + 1 == count;
            let shown = if ends { END } else { STEP };
            gif.frame(pictures.picture(at), shown)
                .map_err(|e| failed(path, e))?;
            go_on(progress((at + 1) as f32 / count as f32))?;
        }
        drop(gif);
        file.flush().map_err(|e| ExportError::write(path, e))
    })
}

/// Whether a file is an animation as [`write_animation`] writes them. Those of earlier versions have no mark, but
/// show the first picture so long.
pub(super) fn is_own_animation(path: &Path) -> bool {
    if is_own_gif(path) {
        return true;
    }
    let decoder = File::open(path)
        .ok()
        .and_then(|file| GifDecoder::new(BufReader::new(file)).ok());
    let first = decoder.and_then(|decoder| decoder.into_frames().next()?.ok());
    first.is_some_and(|first| Duration::from(first.delay()) == END)
}

/// Writes pictures as `0000.png`, `0001.png` and so on into a new or empty folder, which appears under
/// its name once the last of them is written. `progress` is as in [`write`](super::write).
///
/// # Errors
/// The disk cannot be written, the folder is not empty, or `progress` returned false.
pub fn write_sequence(
    path: &Path,
    pictures: &dyn Pictures,
    progress: &dyn Fn(f32) -> bool,
) -> Result<(), ExportError> {
    let empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if path.exists() && !empty() {
        return Err(ExportError::Occupied(path.to_owned()));
    }
    let count = pictures.count();
    files::write_folder(path, |folder| {
        for at in 0..count {
            let file = folder.join(format!("{at:04}.png"));
            let png = png(path, pictures.picture(at))?;
            files::write_atomic(&file, &png).map_err(|error| error.moved(folder, path))?;
            go_on(progress((at + 1) as f32 / count as f32))?;
        }
        Ok(())
    })
}

fn failed(path: &Path, error: image::ImageError) -> ExportError {
    match error {
        image::ImageError::IoError(source) => ExportError::write(path, source),
        other => ExportError::write(path, other),
    }
}
