//! Flicker: how often the class of a pixel changes from one frame of a sequence to the next although
//! the photo hardly does.

use crate::cli::inputs::Input;
use crate::data::natural;
use crate::files::folder_of;
use image::RgbImage;
use serde_json::{Value, json};

/// A pixel is still if none of its channels changes by more than this, of 255.
pub(super) const STILL: u8 = 8;
/// Maximum number of pixels compared, spread evenly: early results wait in memory.
const COMPARED: usize = 1 << 20;

/// Sorts photos by folder, and within each by the numbers in their names: 9 comes before 10. Animations, which are
/// sequences of their own and have a number of frames, come after the photos of their folder, which are one.
pub(super) fn sort(found: &mut [(Input, Option<usize>)]) {
    found.sort_by_cached_key(|(Input { path, .. }, frames)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let folder = folder_of(path).to_owned();
        (folder, frames.is_some(), natural(&name), path.clone())
    });
}

/// The pixels of a frame that are compared.
pub(super) struct Sampled {
    /// Width and height of the frame.
    size: [u32; 2],
    colours: Vec<[u8; 3]>,
    labels: Vec<u16>,
}

impl Sampled {
    /// A photo and its labels, `[height, width]`.
    pub(super) fn of(photo: &RgbImage, labels: &[u16]) -> Self {
        let size = [photo.width(), photo.height()];
        let stride = (labels.len() as f64 / COMPARED as f64)
            .sqrt()
            .ceil()
            .max(1.0) as usize;
        let width = size[0] as usize;
        let places = (0..size[1] as usize)
            .step_by(stride)
            .flat_map(|y| (0..width).step_by(stride).map(move |x| y * width + x));
        let pixels = photo.as_chunks::<3>().0;
        let (colours, labels) = places.map(|at| (pixels[at], labels[at])).unzip();
        Self {
            size,
            colours,
            labels,
        }
    }
}

/// Counts of pixels over pairs of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flicker {
    compared: usize,
    /// Pixels that are still.
    still: usize,
    /// Still pixels whose class changes.
    changed: usize,
}

impl Flicker {
    /// Compares two consecutive frames; `None` if their sizes differ.
    pub(super) fn between(before: &Sampled, after: &Sampled) -> Option<Self> {
        if before.size != after.size {
            return None;
        }
        let mut flicker = Self {
            compared: before.labels.len(),
            ..Self::default()
        };
        let colours = before.colours.iter().zip(&after.colours);
        let labels = before.labels.iter().zip(&after.labels);
        for ((a, b), (before, after)) in colours.zip(labels) {
            let still = a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= STILL);
            flicker.still += usize::from(still);
            flicker.changed += usize::from(still && before != after);
        }
        Some(flicker)
    }

    /// Counts another pair.
    pub(super) fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.still += other.still;
        self.changed += other.changed;
    }

    /// The share of still pixels whose class changes, 0 to 1; `None` if no pixel is still.
    pub(super) fn share(self) -> Option<f64> {
        (self.still > 0).then(|| self.changed as f64 / self.still as f64)
    }

    /// The share of pixels that are still, 0 to 1.
    pub(super) fn still(self) -> Option<f64> {
        (self.compared > 0).then(|| self.still as f64 / self.compared as f64)
    }

    /// Both shares and the threshold.
    pub(super) fn json(self) -> Value {
        json!({"flicker": self.share(), "still": self.still(), "threshold": STILL})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn input(path: &str, frames: Option<usize>) -> (Input, Option<usize>) {
        let input = Input {
            path: path.into(),
            below: "".into(),
        };
        (input, frames)
    }

    #[test]
    fn frames_are_taken_by_their_numbers() {
        let names = ["b/f1.png", "a/f1.png", "a/f10.png", "a/f2.png", "b/f0.png"];
        let mut sorted = names.map(|name| input(name, None));
        sort(&mut sorted);
        let expected = ["a/f1.png", "a/f2.png", "a/f10.png", "b/f0.png", "b/f1.png"];
        assert_eq!(sorted, expected.map(|name| input(name, None)));
    }

    #[test]
    fn animations_come_after_the_photos_of_their_folder() {
        let [photo, animation, other] = [("f1.png", None), ("f2.gif", Some(2)), ("f3.png", None)]
            .map(|(name, frames)| input(name, frames));
        let mut sorted = [photo.clone(), animation.clone(), other.clone()];
        sort(&mut sorted);
        assert_eq!(sorted, [photo, other, animation]);
    }

    #[test]
    fn only_still_pixels_can_flicker() {
        let photo = |greys: [u8; 4]| {
            let pixels = greys.into_iter().flat_map(|grey| [grey, 0, 0]).collect();
            RgbImage::from_raw(4, 1, pixels).unwrap()
        };
        let before = Sampled::of(&photo([0, 100, 200, 50]), &[0, 0, 1, 1]);
        // Still, still at the threshold, beyond it, still; classes change at the second and third.
        let after = Sampled::of(&photo([0, 100 + STILL, 201 + STILL, 50]), &[0, 1, 0, 1]);
        let flicker = Flicker::between(&before, &after).unwrap();
        assert_eq!(flicker.share(), Some(1.0 / 3.0));
        assert_eq!(flicker.still(), Some(0.75));
        let mut twice = flicker;
        twice.add(Flicker::between(&before, &before).unwrap());
        assert_eq!(twice.share(), Some(1.0 / 7.0));
        let other = Sampled::of(&RgbImage::new(2, 2), &[0; 4]);
        assert_eq!(Flicker::between(&before, &other), None);
        assert_eq!(Flicker::default().share(), None);
    }

    #[test]
    fn large_pictures_are_compared_at_an_even_grid() {
        let photo = RgbImage::from_fn(3000, 2000, |x, _| Rgb([(x / 12) as u8, 0, 0]));
        let labels: Vec<u16> = (0..6_000_000).map(|at| (at % 3000 / 1500) as u16).collect();
        let sampled = Sampled::of(&photo, &labels);
        assert!(sampled.labels.len() <= COMPARED && sampled.labels.len() > COMPARED / 2);
        let right = sampled.labels.iter().filter(|&&label| label == 1).count();
        assert_eq!(2 * right, sampled.labels.len());
        assert_eq!(sampled.labels.len(), sampled.colours.len());
    }
}
