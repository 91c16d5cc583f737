//! Segments a photo: the votes of all looks at all of its windows, in bounded memory.

use super::{Encoded, Look, NotFinite, Sampling, Tiles, Tiling, last_states};
use crate::data;
use crate::encoding::Centroids;
use crate::labels::LabelMap;
use crate::model::Model;
use crate::votes::{Blend, Outlines, Strips, Votes, WHOLE};
use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use rayon::prelude::*;

/// Maximum bytes of votes kept for a photo that has more than [`WHOLE`] and is decided in strips, at a
/// coarser resolution.
const COARSE: usize = 64 << 20;
/// Maximum bytes of a row of windows while it is blended, and of one window's votes meanwhile.
const STRIP: usize = 2 << 30;
/// Maximum number of windows that the network sees together.
const BATCH: usize = 4;

/// How photos are segmented.
#[derive(Clone, Debug, PartialEq)]
pub struct Viewing {
    /// The looks whose votes are added up; at least one.
    pub looks: Vec<Look>,
    /// The windows of each look.
    pub tiling: Tiling,
    /// How the flow of each window is solved.
    pub sampling: Sampling,
    /// Where outlines run. Photos with more than 256 MiB of votes keep the network's.
    pub outlines: Outlines,
    /// Pixels whose most probable class is less probable than this, 0 to 1, are ignored.
    pub ignore_below: f32,
}

/// A segmented photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmented {
    /// Height and width of the photo in pixels of the network.
    pub size: [usize; 2],
    /// The votes, at that size or, for very large photos, at a coarser one.
    pub votes: Votes,
    /// The labels at the photo's size, if they were decided strip by strip: the votes are then too
    /// coarse to decide them.
    labels: Option<LabelMap>,
}

impl Segmented {
    /// From the votes of one or more looks at a whole photo.
    pub fn whole(votes: Votes) -> Self {
        Self {
            size: votes.size(),
            votes,
            labels: None,
        }
    }

    /// From labels at the photo's size that were decided strip by strip, and coarse votes; `size` is
    /// that of the photo in pixels of the network.
    pub(crate) fn in_strips(size: [usize; 2], labels: LabelMap, coarse: Votes) -> Self {
        Self {
            size,
            votes: coarse,
            labels: Some(labels),
        }
    }

    /// The labels at the photo's size, `[height, width]`, and the votes; see [`Viewing::ignore_below`].
    pub fn into_labels(self, photo: [usize; 2], ignore_below: f32) -> (Vec<u16>, Votes) {
        let Self { votes, labels, .. } = self;
        let labels = match labels {
            Some(labels) => labels.data,
            None => votes.labels_above(photo, ignore_below),
        };
        (labels, votes)
    }

    /// The labels at any size, `[height, width]`. Those that were decided strip by strip are the same at
    /// every size, by nearest neighbour.
    pub fn labels(&self, to: [usize; 2]) -> Vec<u16> {
        match &self.labels {
            Some(labels) => labels.scaled(to),
            None => self.votes.labels(to),
        }
    }

    /// The [`labels`](Self::labels) at any size, `[height, width]`, and their probabilities, 0 to 1.
    pub fn decide(&self, to: [usize; 2]) -> (Vec<u16>, Vec<f32>) {
        match &self.labels {
            Some(labels) => {
                let labels = labels.scaled(to);
                let probabilities = self.votes.probabilities(&labels, to);
                (labels, probabilities)
            }
            None => self.votes.decide(to),
        }
    }
}

/// Why a photo has no labels.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SegmentError {
    /// States that are not finite.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// The votes of a window or a row of windows would take too much memory; the value is in MiB.
    #[error("the votes of its classes take {0} MiB of memory")]
    TooWide(usize),
    #[error("stopped before the photo was segmented")]
    Stopped,
}

impl SegmentError {
    /// The error in one line, where `smaller` makes votes fit into memory.
    pub fn with_remedy(self, smaller: &str) -> String {
        match self {
            Self::TooWide(_) => format!("{self}: try {smaller}"),
            _ => self.to_string(),
        }
    }
}

/// Checks that the votes of a window fit into memory, given `[height, width]` of every look at it. Two
/// pictures are kept at once: the sum, at the size of the first look, and another look.
///
/// # Errors
/// [`SegmentError::TooWide`].
pub fn check_votes(
    looks: impl IntoIterator<Item = [usize; 2]>,
    classes: usize,
) -> Result<(), SegmentError> {
    let mut bytes = looks.into_iter().map(|[height, width]| {
        let pixels = height.saturating_mul(width);
        pixels.saturating_mul(classes * size_of::<f32>())
    });
    let sum = bytes.next().unwrap_or(0);
    let both = sum.saturating_add(bytes.max().unwrap_or(0));
    if both > STRIP {
        return Err(SegmentError::TooWide(both >> 20));
    }
    Ok(())
}

/// Segments a photo. `stop` is called before every solver step.
///
/// # Errors
/// States that are not finite, votes that do not fit into memory, or [`SegmentError::Stopped`].
pub fn segment(
    model: &Model,
    centroids: &Centroids,
    photo: &RgbImage,
    viewing: &Viewing,
    stop: &dyn Fn() -> bool,
) -> Result<Segmented, SegmentError> {
    segment_counting(model, centroids, photo, viewing, stop, &|_, _| {})
}

/// [`segment`], which calls `seen` with the number of tiles that are done and of all: before the first, and whenever some
/// are done.
///
/// # Errors
/// As of [`segment`].
pub fn segment_counting(
    model: &Model,
    centroids: &Centroids,
    photo: &RgbImage,
    viewing: &Viewing,
    stop: &dyn Fn() -> bool,
    seen: &dyn Fn(usize, usize),
) -> Result<Segmented, SegmentError> {
    let viewer = Viewer {
        model,
        centroids,
        photo,
        viewing,
        stop,
        seen,
    };
    let first = viewing.looks.first().copied().unwrap_or_default();
    check_votes(viewer.windows().map(|(_, size)| size), centroids.len())?;
    let tiles = viewer.tiles(first);
    let [height, width] = tiles.canvas();
    let bytes = |rows: usize| rows.saturating_mul(width * centroids.len() * size_of::<f32>());
    let blend = Blend::new(tiles.canvas(), centroids.len());
    if bytes(height) <= WHOLE {
        let mut blend = blend;
        for row in 0..tiles.grid()[0] {
            viewer.add_row(&tiles, row, &mut blend)?;
        }
        let radius = viewing.outlines.radius(model.card.filter_radius());
        return Ok(Segmented::whole(blend.whole().along(photo, radius)));
    }
    if bytes(tiles.window()[0] + 1) > STRIP {
        return Err(SegmentError::TooWide(bytes(tiles.window()[0]) >> 20));
    }
    let factor = (bytes(height) as f64 / COARSE as f64).sqrt();
    let coarse = tiles.canvas().map(|side| (side as f64 / factor) as usize);
    let least = viewing.ignore_below * viewing.looks.len() as f32;
    let [height, width] = data::size_of(photo);
    let mut strips = Strips::new(blend, [height, width], least, coarse);
    for row in 0..tiles.grid()[0] {
        viewer.add_row(&tiles, row, strips.blend())?;
        if row + 1 < tiles.grid()[0] {
            strips.decide_above(tiles.start(row + 1, 0)[0]);
        }
    }
    let (data, votes) = strips.finish();
    let labels = LabelMap {
        width,
        height,
        data,
    };
    Ok(Segmented::in_strips(tiles.canvas(), labels, votes))
}

struct Viewer<'a> {
    model: &'a Model,
    centroids: &'a Centroids,
    photo: &'a RgbImage,
    viewing: &'a Viewing,
    stop: &'a dyn Fn() -> bool,
    seen: &'a dyn Fn(usize, usize),
}

impl Viewer<'_> {
    fn tiles(&self, look: Look) -> Tiles {
        let photo = data::size_of(self.photo);
        Tiles::new(self.model, photo, look.scale, self.viewing.tiling)
    }

    fn add_row(&self, tiles: &Tiles, row: usize, blend: &mut Blend) -> Result<(), SegmentError> {
        let [rows, all] = tiles.grid();
        let columns: Vec<usize> = (0..all).collect();
        if row == 0 {
            (self.seen)(0, rows * all);
        }
        for columns in columns.chunks(BATCH) {
            let parts = columns.iter().map(|&column| tiles.part(row, column));
            let numbers = columns.iter().map(|column| row * tiles.grid()[1] + column);
            let parts: Vec<_> = numbers.zip(parts).collect();
            let looks = self.looks(&parts)?;
            // Votes are many times the size of states: only those of one window are kept.
            for (part, &column) in columns.iter().enumerate() {
                let votes = looks
                    .iter()
                    .map(|states| states.votes(self.centroids, part));
                if let Some(votes) = Votes::sum(votes) {
                    let weights = tiles.weights(row, column);
                    blend.add(&votes, tiles.start(row, column), weights);
                }
            }
            let done = columns.last().map_or(0, |column| row * all + column + 1);
            (self.seen)(done, rows * all);
        }
        Ok(())
    }

    /// Every look with `[height, width]` of its windows: looks at other scales see the same parts of the
    /// photo in windows of their own size.
    fn windows(&self) -> impl Iterator<Item = (Look, [usize; 2])> {
        let looks = self.viewing.looks.iter();
        looks.map(move |&look| (look, self.tiles(look).window()))
    }

    /// The last states of all looks at some parts of the photo.
    fn looks(&self, parts: &[(usize, [f32; 4])]) -> Result<Vec<LastStates>, SegmentError> {
        self.windows()
            .map(|(look, size)| self.look(parts, size, look))
            .collect()
    }

    /// The last states of one look at some parts of the photo.
    fn look(
        &self,
        parts: &[(usize, [f32; 4])],
        size: [usize; 2],
        look: Look,
    ) -> Result<LastStates, SegmentError> {
        let seen = parts.par_iter();
        let seen: Vec<Vec<f32>> = seen
            .map(|(_, part)| data::part_to_chw(self.photo, *part, size, look.mirrored))
            .collect();
        let seen = TensorData::new(seen.concat(), [parts.len(), 3, size[0], size[1]]);
        let seen = Tensor::from_data(seen, &self.model.network.device());
        let Sampling { source, seed, .. } = self.viewing.sampling;
        // Noise depends on the number of the window.
        let seeds = parts
            .iter()
            .map(|(number, _)| seed.wrapping_add(*number as u64));
        let source = self.model.sources(source, &seen, seeds);
        let encoded = Encoded::by(self.model, seen);
        let sampling = self.viewing.sampling;
        let states = last_states(self.model, source, encoded, sampling, self.stop)?;
        let states = states.ok_or(SegmentError::Stopped)?;
        Ok(LastStates { look, size, states })
    }
}

/// The last states of one look at some parts of a photo.
struct LastStates {
    look: Look,
    /// `[height, width]` of each.
    size: [usize; 2],
    /// `[d, H, W]` of each.
    states: Vec<Vec<f32>>,
}

impl LastStates {
    /// The votes at one of the parts.
    fn votes(&self, centroids: &Centroids, part: usize) -> Votes {
        self.look.votes(centroids, &self.states[part], self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Source;
    use crate::model::tensors::{export, import, read};
    use crate::model::testing;
    use burn::tensor::Device;

    /// An untrained model with three classes whose velocities are not all 0.
    fn model(change: impl FnOnce(&mut crate::model::Card)) -> Model {
        let mut model = testing::tiny(&["a", "b", "c"], [16, 24], change);
        let mut tensors = export(&model.network);
        for tensor in tensors.values_mut() {
            for (i, value) in tensor.data.iter_mut().enumerate() {
                *value += 0.05 * ((i * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.025;
            }
        }
        model.network = import(model.network, tensors).unwrap();
        model
    }

    /// A photo in which no two rows or columns are alike.
    fn photo(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let wave = |speed: f32| (127.0 + 120.0 * (speed * (x + 3 * y) as f32).sin()) as u8;
            image::Rgb([wave(0.05), wave(0.031), (x * 255 / width) as u8])
        })
    }

    fn viewing(tiling: Tiling) -> Viewing {
        Viewing {
            looks: Look::all(&[1.0, 1.5], true),
            tiling,
            sampling: Sampling {
                steps: 2,
                ..Sampling::default()
            },
            outlines: Outlines::Network,
            ignore_below: 0.0,
        }
    }

    fn seen(model: &Model, photo: &RgbImage, viewing: &Viewing) -> Segmented {
        segment(model, &model.centroids(), photo, viewing, &|| false).unwrap()
    }

    #[test]
    fn one_window_is_no_window_bit_for_bit() {
        for source in [Source::Image, Source::Noise] {
            let model = model(|card| card.source = source);
            let (photo, centroids) = (photo(61, 40), model.centroids());
            let viewing = viewing(Tiling::Windows(1));
            // The sum of all looks without windows.
            let looks = viewing.looks.iter().map(|&look| {
                let size = super::super::network_size(&model, 61, 40, look.scale);
                let input = look.input(&[&photo], size, &Device::flex());
                let flow = super::super::flow(&model, input, viewing.sampling);
                look.votes(&centroids, &read(flow.last().unwrap().x), size)
            });
            let votes = Votes::sum(looks).unwrap();
            let windows = seen(&model, &photo, &viewing);
            assert_eq!(windows.votes, votes);
            assert_eq!(windows, seen(&model, &photo, &self::viewing(Tiling::Off)));
            assert_eq!(windows.into_labels([40, 61], 0.0).0, votes.labels([40, 61]));
        }
    }

    #[test]
    fn the_order_of_scales_does_not_change_the_votes() {
        let (model, photo) = (model(|_| ()), photo(61, 40));
        let of = |scales: &[f64]| {
            let viewing = Viewing {
                looks: Look::all(scales, false),
                ..viewing(Tiling::Off)
            };
            seen(&model, &photo, &viewing)
        };
        let votes = of(&[0.5, 1.0, 1.5]);
        assert_eq!(votes, of(&[1.5, 0.5, 1.0]));
        assert_eq!(votes.size, of(&[1.0]).size);
    }

    #[test]
    fn a_constant_photo_has_constant_votes() {
        // An untrained network predicts no change, so the votes follow from the colour.
        let model = testing::tiny(&["a", "b", "c"], [16, 24], |_| ());
        let photo = RgbImage::from_pixel(300, 200, image::Rgb([90, 140, 30]));
        let whole = seen(&model, &photo, &viewing(Tiling::Off));
        let tiled = seen(&model, &photo, &viewing(Tiling::Windows(4)));
        assert_eq!(tiled.size, [52, 78]);
        for pixel in 0..tiled.size[0] * tiled.size[1] {
            for (found, expected) in tiled.votes.at(pixel).iter().zip(whole.votes.at(0)) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn no_border_of_a_window_can_be_seen() {
        let model = model(|_| ());
        let photo = photo(480, 320);
        let viewing = viewing(Tiling::Windows(5));
        let tiled = seen(&model, &photo, &viewing);
        let tiles = Tiles::new(&model, [320, 480], 1.0, viewing.tiling);
        assert_eq!((tiles.grid(), tiles.canvas()), ([5, 5], tiled.size));
        let [height, width] = tiled.size;
        let change = |a: usize, b: usize| -> f64 {
            let pairs = tiled.votes.at(a).iter().zip(tiled.votes.at(b));
            f64::from(pairs.map(|(a, b)| (a - b).abs()).sum::<f32>())
        };
        // Changes from one column to the next: where a window begins or ends, and elsewhere.
        let borders: Vec<usize> = (0..5)
            .flat_map(|column| {
                let start = tiles.start(0, column)[1];
                [start, start + tiles.window()[1]]
            })
            .collect();
        let (mut at_borders, mut elsewhere) = (Vec::new(), Vec::new());
        for column in 1..width {
            let changes =
                (0..height).map(|row| change(row * width + column - 1, row * width + column));
            let mean = changes.sum::<f64>() / height as f64;
            if borders.contains(&column) {
                at_borders.push(mean)
            } else {
                elsewhere.push(mean)
            }
        }
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        assert!(at_borders.len() == 8 && mean(&elsewhere) > 0.0);
        assert!(
            mean(&at_borders) <= 1.25 * mean(&elsewhere),
            "{} at borders, {} elsewhere",
            mean(&at_borders),
            mean(&elsewhere)
        );
    }

    #[test]
    fn what_was_decided_in_strips_is_the_mask_at_every_size() {
        // The coarse votes are sure of class 0 on the left and of class 1 on the right.
        let coarse = Votes::for_labels(&[0, 1], 3, [1, 2]);
        let labels = LabelMap {
            width: 4,
            height: 2,
            data: vec![2, 0, 1, 1, 0, 0, 1, 2],
        };
        let segmented = Segmented::in_strips([4, 8], labels.clone(), coarse.clone());
        assert_eq!(segmented.labels([2, 4]), labels.data);
        assert_eq!(segmented.labels([4, 8]), labels.scaled([4, 8]));
        for to in [[2, 4], [4, 8]] {
            let (found, probability) = segmented.decide(to);
            assert_eq!(found, segmented.labels(to));
            assert_eq!(probability, coarse.probabilities(&found, to));
        }
        // The corners of class 2 have its probability, not that of the class the coarse votes prefer.
        let (_, probability) = segmented.decide([2, 4]);
        assert!(
            probability[0] < 0.1 && probability[4] > 0.9,
            "{probability:?}"
        );
        assert_eq!(segmented.into_labels([2, 4], 0.0).0, labels.data);
    }

    #[test]
    fn outlines_follow_the_photo_where_that_is_wanted() {
        let model = model(|_| ());
        let photo = photo(61, 40);
        let of = |outlines| {
            let viewing = Viewing {
                outlines,
                ..viewing(Tiling::Off)
            };
            seen(&model, &photo, &viewing).votes
        };
        let radius = Outlines::Photo.radius(model.card.filter_radius());
        assert!(radius > 0);
        assert_eq!(
            of(Outlines::Photo),
            of(Outlines::Network).along(&photo, radius)
        );
        assert_ne!(of(Outlines::Photo), of(Outlines::Network));
    }

    #[test]
    fn votes_that_do_not_fit_into_memory_are_refused() {
        assert_eq!(check_votes([], 3), Ok(()));
        assert_eq!(check_votes([[64, 64], [256, 256], [64, 64]], 1000), Ok(()));
        // 16 MB for the sum and 4194 MB for the second look, in units of 2^20 bytes.
        let looks = [[64, 64], [1024, 1024], [256, 256]];
        assert_eq!(check_votes(looks, 1000), Err(SegmentError::TooWide(4015)));
        let model = model(|_| ());
        for tiling in [Tiling::Off, Tiling::Windows(2)] {
            let viewing = Viewing {
                looks: Look::all(&[1.0, 1000.0], false),
                ..viewing(tiling)
            };
            let centroids = model.centroids();
            let segmented = segment(&model, &centroids, &photo(60, 40), &viewing, &|| false);
            assert!(matches!(segmented, Err(SegmentError::TooWide(4000..))));
        }
    }

    #[test]
    fn only_votes_that_do_not_fit_need_something_smaller() {
        let told = SegmentError::TooWide(4000).with_remedy("a smaller --scale");
        assert_eq!(
            told,
            "the votes of its classes take 4000 MiB of memory: try a smaller --scale"
        );
        let stopped = SegmentError::Stopped.with_remedy("a smaller --scale");
        assert_eq!(stopped, SegmentError::Stopped.to_string());
    }

    #[test]
    fn a_task_that_nobody_wants_stops() {
        let model = model(|_| ());
        let stopped = segment(
            &model,
            &model.centroids(),
            &photo(60, 40),
            &viewing(Tiling::Auto),
            &|| true,
        );
        assert_eq!(stopped, Err(SegmentError::Stopped));
    }
}
