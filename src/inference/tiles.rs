//! Cuts large photos into overlapping windows, each of which the network sees at its training size.

use super::network_size;
use crate::model::{Fit, Model};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a photo is cut into windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tiling {
    /// The network sees the whole photo at once.
    #[default]
    Off,
    /// As many windows as keep a network pixel within [`COARSEST`] photo pixels per axis: for photos of the
    /// training size's shape a single one up to 16 times its area.
    Auto,
    /// Windows along the side that needs more, 1 to [`MOST_WINDOWS`]; fewer where a network pixel would cover
    /// less than 1/[`FINEST`] of a photo pixel per axis.
    Windows(usize),
}

/// Maximum photo pixels per network pixel and axis with [`Tiling::Auto`]. More windows show more detail
/// and less context.
pub const COARSEST: usize = 4;
/// Maximum network pixels per photo pixel and axis with [`Tiling::Windows`]: small photos hold no more detail.
pub const FINEST: usize = 8;
/// Maximum number of windows along a side.
pub const MOST_WINDOWS: usize = 64;
/// Neighbours overlap by at least this fraction of a side, 1/4.
const SHARED: usize = 4;

impl FromStr for Tiling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            number => match number.parse() {
                Ok(windows) if (1..=MOST_WINDOWS).contains(&windows) => Ok(Self::Windows(windows)),
                _ => Err(format!(
                    "write auto, off, or the number of tiles along a side, 1 to {MOST_WINDOWS}"
                )),
            },
        }
    }
}

impl fmt::Display for Tiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Auto => f.write_str("auto"),
            Self::Windows(windows) => windows.fmt(f),
        }
    }
}

/// Positions of a photo's windows: in rows from top to bottom, each from left to right.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    rows: Axis,
    columns: Axis,
}

impl Tiles {
    /// The windows of a photo of `[height, width]` pixels, for a model that sees them at a
    /// [`scale`](super::Look::scale).
    pub fn new(model: &Model, photo: [usize; 2], scale: f64, tiling: Tiling) -> Self {
        let [height, width] = photo;
        // Looks at another scale have the same windows.
        let trained = network_size(model, model.card.size[1], model.card.size[0], 1.0);
        let windows = match tiling {
            Tiling::Off => 1,
            Tiling::Auto if whole_is_enough(model, trained, photo) => 1,
            Tiling::Auto => automatic(trained, photo),
            Tiling::Windows(windows) => windows.clamp(1, useful(trained, photo)),
        };
        let whole = network_size(model, width, height, scale);
        if windows == 1 {
            return Self::of(photo, whole, whole);
        }
        let [trained_height, trained_width] = model.card.size;
        let window = network_size(model, trained_width, trained_height, scale);
        let most = window.map(|side| along(side, windows));
        let canvas = match model.card.fit {
            // Windows have the photo's shape and are stretched like whole photos.
            Fit::Stretch => most,
            Fit::Aspect => {
                let ratio = |axis: usize| photo[axis] as f64 / most[axis] as f64;
                let ratio = ratio(0).max(ratio(1));
                let patch = model.card.network.patch_size;
                [0, 1].map(|axis| {
                    let side = (photo[axis] as f64 / ratio).round() as usize;
                    // An axis with one window is rounded to whole patches.
                    if side <= window[axis] {
                        side.next_multiple_of(patch).min(window[axis]).max(patch)
                    } else {
                        side
                    }
                })
            }
        };
        Self::of(photo, canvas, window)
    }

    fn of(photo: [usize; 2], canvas: [usize; 2], window: [usize; 2]) -> Self {
        let axis = |axis: usize| Axis::new(photo[axis], canvas[axis], window[axis]);
        Self {
            rows: axis(0),
            columns: axis(1),
        }
    }

    /// `[height, width]` of the photo in network pixels.
    pub fn canvas(&self) -> [usize; 2] {
        [self.rows.canvas, self.columns.canvas]
    }

    /// `[height, width]` of a window in network pixels.
    pub fn window(&self) -> [usize; 2] {
        [self.rows.window, self.columns.window]
    }

    /// Number of rows and columns of windows.
    pub fn grid(&self) -> [usize; 2] {
        [self.rows.starts.len(), self.columns.starts.len()]
    }

    /// Whether the whole photo is one window.
    pub fn is_whole(&self) -> bool {
        self.grid() == [1, 1]
    }

    /// The first row and column of a window, in network pixels.
    pub(super) fn start(&self, row: usize, column: usize) -> [usize; 2] {
        [self.rows.starts[row], self.columns.starts[column]]
    }

    /// The blending weights of the rows and columns of a window.
    pub(super) fn weights(&self, row: usize, column: usize) -> [&[f32]; 2] {
        [&self.rows.weights[row], &self.columns.weights[column]]
    }

    /// The part of the photo in a window: `[top, left, height, width]` in photo pixels.
    pub fn part(&self, row: usize, column: usize) -> [f32; 4] {
        let [top, height] = self.rows.part(row);
        let [left, width] = self.columns.part(column);
        [top, left, height, width]
    }
}

/// The length covered by a number of windows with the minimum overlap.
fn along(window: usize, windows: usize) -> usize {
    window + (windows - 1) * (window - window / SHARED)
}

/// Whether the network sees a whole photo at a size that satisfies [`COARSEST`]. Photos whose shape it does
/// not keep, stretched ones and long strips, are seen coarser along one axis than along the other.
fn whole_is_enough(model: &Model, trained: [usize; 2], photo: [usize; 2]) -> bool {
    let [height, width] = photo;
    let whole = network_size(model, width, height, 1.0);
    // Where the shape is kept, sides are rounded to whole patches.
    let rounding = match model.card.fit {
        Fit::Stretch => 0,
        Fit::Aspect => model.card.network.patch_size,
    };
    COARSEST * COARSEST * trained[0] * trained[1] >= height * width
        && [0, 1]
            .iter()
            .all(|&axis| COARSEST * (whole[axis] + rounding) >= photo[axis])
}

/// The smallest number of windows along a side, 2 or more, that satisfies [`COARSEST`].
fn automatic(window: [usize; 2], photo: [usize; 2]) -> usize {
    let enough = |windows: usize| {
        let reach = |axis: usize| COARSEST * along(window[axis], windows) >= photo[axis];
        reach(0) && reach(1)
    };
    (2..MOST_WINDOWS)
        .find(|&windows| enough(windows))
        .unwrap_or(MOST_WINDOWS)
}

/// The largest number of windows along a side that [`FINEST`] allows on one of the sides, 1 to [`MOST_WINDOWS`].
fn useful(window: [usize; 2], photo: [usize; 2]) -> usize {
    let fits = |windows: usize| {
        [0, 1]
            .iter()
            .any(|&axis| along(window[axis], windows) <= FINEST * photo[axis])
    };
    (2..=MOST_WINDOWS)
        .rev()
        .find(|&windows| fits(windows))
        .unwrap_or(1)
}

/// The windows along one side.
#[derive(Clone, Debug, PartialEq)]
struct Axis {
    /// Length of the side in photo pixels and in network pixels.
    photo: usize,
    canvas: usize,
    window: usize,
    starts: Vec<usize>,
    /// Weights per window and pixel; at each pixel of the canvas they add up to 1.
    weights: Vec<Vec<f32>>,
}

impl Axis {
    fn new(photo: usize, canvas: usize, window: usize) -> Self {
        let window = window.min(canvas);
        let free = canvas - window;
        let count = free.div_ceil(window - window / SHARED) + 1;
        let starts: Vec<usize> = (0..count).map(|i| i * free / (count - 1).max(1)).collect();
        // A raised cosine: the border of a window has the least context and counts least.
        let bell = |i: usize| {
            let turn = (i as f64 + 0.5) / window as f64;
            (0.5 - 0.5 * (std::f64::consts::TAU * turn).cos()) as f32
        };
        let bell: Vec<f32> = (0..window).map(bell).collect();
        let mut sums = vec![0.0f32; canvas];
        for &start in &starts {
            for (sum, weight) in sums[start..].iter_mut().zip(&bell) {
                *sum += weight;
            }
        }
        let weights = starts.iter().map(|&start| {
            let pairs = bell.iter().zip(&sums[start..]);
            pairs.map(|(weight, sum)| weight / sum).collect()
        });
        Self {
            photo,
            canvas,
            window,
            weights: weights.collect(),
            starts,
        }
    }

    /// Start and length of a window in photo pixels.
    fn part(&self, at: usize) -> [f32; 2] {
        let pixels = |side: usize| (side as f64 * self.photo as f64 / self.canvas as f64) as f32;
        [pixels(self.starts[at]), pixels(self.window)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;

    fn model(fit: Fit) -> Model {
        testing::tiny(&["a", "b"], [32, 48], |card| card.fit = fit)
    }

    #[test]
    fn windows_cover_the_photo_and_their_weights_add_up_to_one() {
        let model = model(Fit::Aspect);
        for photo in [[300, 500], [2000, 100], [33, 48], [7, 5000]] {
            for windows in [1, 2, 3, 7] {
                let tiles = Tiles::new(&model, photo, 1.0, Tiling::Windows(windows));
                let [rows, columns] = tiles.grid();
                assert_eq!(rows.max(columns) == 1, windows == 1, "{photo:?}");
                assert!(rows.max(columns) <= windows);
                let mut sums = vec![0.0f32; tiles.canvas().iter().product()];
                for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                    let [down, across] = tiles.weights(row, column);
                    let [top, left] = tiles.start(row, column);
                    for (y, down) in down.iter().enumerate() {
                        for (x, across) in across.iter().enumerate() {
                            sums[(top + y) * tiles.canvas()[1] + left + x] += down * across;
                        }
                    }
                    let [y, x, height, width] = tiles.part(row, column);
                    assert!(y >= 0.0 && x >= 0.0 && y + height < photo[0] as f32 + 0.01);
                    assert!(x + width < photo[1] as f32 + 0.01);
                }
                assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5));
            }
        }
    }

    #[test]
    fn a_window_alone_is_the_whole_photo() {
        let model = model(Fit::Aspect);
        for photo in [[301, 499], [64, 48]] {
            let tiles = Tiles::new(&model, photo, 1.5, Tiling::Windows(1));
            assert!(tiles.is_whole());
            let [height, width] = photo.map(|side| side as f32);
            assert_eq!(tiles.part(0, 0), [0.0, 0.0, height, width]);
            let size = network_size(&model, photo[1], photo[0], 1.5);
            assert_eq!((tiles.canvas(), tiles.window()), (size, size));
            assert!(
                tiles
                    .weights(0, 0)
                    .concat()
                    .iter()
                    .all(|&weight| weight == 1.0)
            );
        }
    }

    #[test]
    fn automatic_windows_follow_from_the_photos_size() {
        let model = model(Fit::Aspect);
        let grid = |photo| Tiles::new(&model, photo, 1.0, Tiling::Auto).grid();
        assert_eq!(grid([32 * 4, 48 * 4]), [1, 1]);
        assert_eq!(grid([32 * 4 + 2, 48 * 4 + 2]), [2, 2]);
        // 4 windows of 48 pixels that share 12 each are 156 pixels long.
        assert_eq!(grid([4 * 100, 4 * 156]), [4, 4]);
        assert_eq!(grid([4 * 32, 4 * 156]), [1, 4]);
        let large = Tiles::new(&model, [10_000, 20_000], 1.0, Tiling::Auto);
        assert_eq!(large.grid()[1], MOST_WINDOWS);
        // Looks at a larger scale have the same windows.
        let twice = Tiles::new(&model, [400, 624], 2.0, Tiling::Auto);
        assert_eq!((twice.grid(), twice.window()), ([4, 4], [64, 96]));
    }

    #[test]
    fn automatic_windows_are_fine_enough_on_both_axes() {
        for (fit, photo) in [
            // All but the last have at most 16 times the training area, 24576 pixels.
            (Fit::Stretch, [32, 660]),
            (Fit::Stretch, [660, 32]),
            (Fit::Stretch, [180, 130]),
            (Fit::Aspect, [10, 2000]),
            (Fit::Aspect, [2000, 10]),
            (Fit::Aspect, [180, 130]),
            (Fit::Aspect, [3000, 30]),
        ] {
            let model = model(fit);
            let tiles = Tiles::new(&model, photo, 1.0, Tiling::Auto);
            let canvas = tiles.canvas();
            for axis in [0, 1] {
                // Sides are rounded to patches of 4.
                let most = COARSEST * (canvas[axis] + 4);
                assert!(most >= photo[axis], "{fit:?}: {photo:?} at {canvas:?}");
            }
            // A photo that keeps its shape is seen whole.
            assert_eq!(tiles.is_whole(), fit == Fit::Aspect && photo == [180, 130]);
        }
    }

    #[test]
    fn small_photos_are_not_cut_into_more_windows_than_their_pixels_deserve() {
        let model = model(Fit::Aspect);
        let grid = |photo| Tiles::new(&model, photo, 1.0, Tiling::Windows(64)).grid();
        // At most 8 x 48 network pixels along a side of 48: 10 windows that share 12 each have 372, 11 have 408.
        assert_eq!(grid([32, 48]), [10, 10]);
        assert_eq!(grid([2, 3]), [1, 1]);
        assert_eq!(grid([2000, 3000]), [64, 64]);
    }

    #[test]
    fn stretched_photos_have_stretched_windows() {
        let tiles = Tiles::new(
            &self::model(Fit::Stretch),
            [500, 100],
            1.0,
            Tiling::Windows(3),
        );
        assert_eq!((tiles.grid(), tiles.window()), ([3, 3], [32, 48]));
        let [_, _, height, width] = tiles.part(1, 1);
        assert!((height / width - 5.0).abs() < 1e-3);
    }

    #[test]
    fn tilings_are_written_as_they_are_read() {
        for text in ["off", "auto", "1", "64"] {
            assert_eq!(text.parse::<Tiling>().unwrap().to_string(), text);
        }
        for text in ["", "0", "65", "-1", "some", "1.5"] {
            assert!(text.parse::<Tiling>().unwrap_err().contains("auto"));
        }
    }
}
