//! From a sample to the network's input: plain resizing for scoring, random views for training.

use image::RgbImage;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::resample::{self, Axis, ColourMap, Window};
use super::sample::Sample;
use super::tint::tint;

/// Random changes to training samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Range of the magnification. At 1 a crop has the photo's area and the training size's aspect; at
    /// 2 it shows a quarter of that, below 1 the photo is padded.
    pub scale: [f32; 2],
    /// Whether the crop is random (in scale, position and, by 10 %, aspect). Otherwise the whole photo
    /// is stretched to the training size.
    pub crop: bool,
    /// Whether half of the samples are mirrored left to right.
    pub flip: bool,
    /// Whether brightness, contrast, saturation and (slightly) hue change, and one photo in
    /// twenty turns grey.
    pub photometric: bool,
    /// Share of the samples, 0 to 1, whose photo is chosen for a rare class (see
    /// [`Rare`](super::balance::Rare)); a crop is then made around one of the class's pixels.
    pub balance: f32,
    /// Share of the samples, 0 to 1, in which half of the classes get a brightness and a tint of their
    /// own.
    pub tint: f32,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            scale: [0.75, 1.75],
            crop: true,
            flip: true,
            photometric: true,
            balance: 0.0,
            tint: 0.0,
        }
    }
}

/// Accepted magnifications; beyond them a crop is a pixel, or the photo a speck in it.
pub(crate) const SCALES: [f32; 2] = [0.05, 20.0];
/// Aspect jitter, as a factor and its reciprocal.
const ASPECT: f32 = 1.1;

/// Fits the whole photo to `size` (`[height, width]`).
///
/// Returns the photo, `[3, height, width]` in [-1, 1], and the labels, `[height, width]`. The photo is
/// filtered with a triangle as wide as the shrinking factor; labels are taken from the nearest
/// neighbour.
pub fn fit(sample: &Sample, size: [usize; 2]) -> (Vec<f32>, Vec<u16>) {
    let (mut image, mut labels) = buffers(size);
    fit_into(sample, size, &mut image, &mut labels);
    (image, labels)
}

/// [`fit`] for a photo without labels: `[3, height, width]` in [-1, 1].
pub fn photo_to_chw(photo: &RgbImage, size: [usize; 2]) -> Vec<f32> {
    let whole = [0.0, 0.0, photo.height() as f32, photo.width() as f32];
    part_to_chw(photo, whole, size, false)
}

/// [`photo_to_chw`] for a part of a photo (`[top, left, height, width]` in its pixels); `flip` mirrors
/// it left to right. The filter may reach pixels around the part.
pub fn part_to_chw(
    photo: &RgbImage,
    [top, left, height, width]: [f32; 4],
    size: [usize; 2],
    flip: bool,
) -> Vec<f32> {
    let window = Window {
        left,
        top,
        width,
        height,
    };
    let mut image = vec![0.0; 3 * size[0] * size[1]];
    let [rows, columns] = axes(window, photo, size, flip);
    resample::photo(photo, &rows, &columns, &ColourMap::IDENTITY, &mut image);
    image
}

/// One random view of a sample, with the shapes of [`fit`].
///
/// Outside the photo the image is 0 (mid grey) and the labels are
/// [`IGNORE`](crate::labels::IGNORE). The result
/// depends only on the arguments and the state of `rng`.
pub fn augmented(
    sample: &Sample,
    size: [usize; 2],
    augment: &Augment,
    rng: &mut impl Rng,
) -> (Vec<f32>, Vec<u16>) {
    let (mut image, mut labels) = buffers(size);
    augment_into(sample, size, augment, None, rng, &mut image, &mut labels);
    (image, labels)
}

/// [`fit`] into slices of a batch.
pub(super) fn fit_into(sample: &Sample, size: [usize; 2], image: &mut [f32], labels: &mut [u16]) {
    let [rows, columns] = axes(whole(&sample.image), &sample.image, size, false);
    resample::photo(&sample.image, &rows, &columns, &ColourMap::IDENTITY, image);
    resample::labels(&sample.labels, &rows, &columns, labels);
}

/// [`augmented`] into slices of a batch. A crop contains the `focus`, `[x, y]` in pixels of the photo,
/// if given.
pub(super) fn augment_into(
    sample: &Sample,
    size: [usize; 2],
    augment: &Augment,
    focus: Option<[f32; 2]>,
    rng: &mut impl Rng,
    image: &mut [f32],
    labels: &mut [u16],
) {
    let window = if augment.crop {
        random_window(&sample.image, size, augment.scale, focus, rng)
    } else {
        whole(&sample.image)
    };
    let flip = augment.flip && rng.random_bool(0.5);
    let colour = if augment.photometric {
        random_colour(rng)
    } else {
        ColourMap::IDENTITY
    };
    let [rows, columns] = axes(window, &sample.image, size, flip);
    resample::photo(&sample.image, &rows, &columns, &colour, image);
    resample::labels(&sample.labels, &rows, &columns, labels);
    if augment.tint > 0.0 && rng.random::<f32>() < augment.tint {
        tint(image, labels, size[1], rng);
    }
}

fn buffers([height, width]: [usize; 2]) -> (Vec<f32>, Vec<u16>) {
    (vec![0.0; 3 * height * width], vec![0; height * width])
}

fn whole(photo: &RgbImage) -> Window {
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    Window {
        left: 0.0,
        top: 0.0,
        width,
        height,
    }
}

fn axes(window: Window, photo: &RgbImage, size: [usize; 2], flip: bool) -> [Axis; 2] {
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    [
        Axis::new(window.top, window.height, height, size[0], false),
        Axis::new(window.left, window.width, width, size[1], flip),
    ]
}

/// A window with the aspect of `size` up to jitter, so that nothing is stretched. Magnifications are
/// uniform in their logarithm, so that halving and doubling are equally likely.
fn random_window(
    photo: &RgbImage,
    size: [usize; 2],
    scale: [f32; 2],
    focus: Option<[f32; 2]>,
    rng: &mut impl Rng,
) -> Window {
    let [low, high] = scale.map(|s| {
        if s.is_finite() {
            s.clamp(SCALES[0], SCALES[1])
        } else {
            1.0
        }
    });
    let (low, high) = (low.min(high).ln(), low.max(high).ln());
    let scale = (low + (high - low) * rng.random::<f32>()).exp();
    let aspect = ((2.0 * rng.random::<f32>() - 1.0) * ASPECT.ln() / 2.0).exp();
    let (photo_width, photo_height) = (photo.width() as f32, photo.height() as f32);
    let [whole_width, whole_height] = unstretched(photo, size);
    let (width, height) = (whole_width / scale * aspect, whole_height / scale / aspect);
    let mut place = |photo: f32, window: f32, focus: Option<f32>| {
        // A photo smaller than the window lies anywhere inside it.
        let (mut low, mut high) = (0.0, photo - window);
        if let Some(focus) = focus
            && window < photo
        {
            (low, high) = ((focus - window).max(low), focus.min(high));
        }
        low + (high - low) * rng.random::<f32>()
    };
    let left = place(photo_width, width, focus.map(|[x, _]| x));
    let top = place(photo_height, height, focus.map(|[_, y]| y));
    Window {
        left,
        top,
        width,
        height,
    }
}

/// Width and height of a window with the photo's area and the aspect of `size`.
fn unstretched(photo: &RgbImage, [height, width]: [usize; 2]) -> [f32; 2] {
    let (photo_width, photo_height) = (f64::from(photo.width()), f64::from(photo.height()));
    let (width, height) = (width as f64, height as f64);
    if photo_width * height == photo_height * width {
        return [photo.width() as f32, photo.height() as f32];
    }
    let area = photo_width * photo_height;
    let aspect = width / height;
    [(area * aspect).sqrt() as f32, (area / aspect).sqrt() as f32]
}

/// Rec. 601 luma weights, the axis of saturation and hue.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Brightness, contrast, saturation and hue are all linear in the colour, so one matrix combines them.
fn random_colour(rng: &mut impl Rng) -> ColourMap {
    let mut around = |centre: f32, reach: f32| centre + reach * (2.0 * rng.random::<f32>() - 1.0);
    let brightness = around(0.0, 0.2);
    let contrast = around(1.0, 0.3);
    let saturation = around(1.0, 0.4);
    let (sin, cos) = around(0.0, 0.1 * std::f32::consts::PI).sin_cos();
    let grey = rng.random_bool(0.05);
    let saturation = if grey { 0.0 } else { saturation };
    let matrix = std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            // Rotation about the grey axis (Rodrigues), then a mix with the luma.
            let identity = if row == column { 1.0 } else { 0.0 };
            let cross = match (3 + column - row) % 3 {
                0 => 0.0,
                1 => -1.0,
                _ => 1.0,
            };
            let hue = cos * identity + (1.0 - cos) / 3.0 + sin * cross / 3f32.sqrt();
            contrast * (saturation * hue + (1.0 - saturation) * LUMA[column])
        })
    });
    ColourMap {
        matrix,
        offset: [brightness; 3],
    }
}
