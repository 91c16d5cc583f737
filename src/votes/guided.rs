//! Moves the outlines of votes to the edges of the photo: a guided filter.
//!
//! In every window around a pixel, the probability of a class is fitted by an affine function of the
//! photo's colour, and a pixel takes the mean of the functions of all windows that it is in. Within an
//! area of one colour, votes are smoothed; where colours change, they may change as sharply.
//! He, Sun and Tang, "Guided Image Filtering", ECCV 2010.

use super::{Votes, WHOLE};
use crate::data;
use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Where the outlines of masks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Outlines {
    /// Along the edges of the photo: the network's votes are filtered along its colours.
    #[default]
    Photo,
    /// Where the network's votes change from one class to another.
    Network,
}

impl Outlines {
    /// The radius of [`Votes::along`] for a model that recommends `radius`: that, or 0.
    pub fn radius(self, radius: usize) -> usize {
        match self {
            Self::Photo => radius,
            Self::Network => 0,
        }
    }
}

/// Variance of colours, each in `[0, 1]`, that counts as noise.
const NOISE: f32 = 2.5e-4;
/// Rows that are filtered at a time, which bounds the memory for large pictures.
const BAND: usize = 256;
/// A class whose share is below this part of the greatest keeps its votes in rows where it is so
/// everywhere: it would not win there.
const CONTENDER: f32 = 0.5;

impl Votes {
    /// The same votes, filtered along the colours of their photo in windows that reach `radius` pixels
    /// of the votes around their centre; unchanged if that is 0, or if they take more than [`WHOLE`].
    #[must_use]
    pub fn along(self, photo: &RgbImage, radius: usize) -> Self {
        if radius == 0 || size_of_val(self.shares.as_slice()) > WHOLE {
            return self;
        }
        let guide = data::photo_to_chw(photo, self.size);
        self.guided(&guide, radius).squared()
    }

    /// The squares of the probabilities, divided by their sum. Filtered votes are less certain than they
    /// are right; this makes them more certain.
    fn squared(mut self) -> Self {
        let (looks, classes) = (self.looks(), self.classes);
        self.shares
            .par_chunks_exact_mut(classes.max(1))
            .for_each(|shares| {
                let sum: f32 = shares.iter().map(|share| share * share).sum();
                let scale = looks / sum.max(f32::MIN_POSITIVE);
                for share in shares {
                    *share = *share * *share * scale;
                }
            });
        self
    }

    /// The same votes, filtered along a guide: colours `[3, H, W]` of the photo at this size, each in
    /// `[-1, 1]`. Windows reach `radius` pixels around their centre.
    fn guided(mut self, guide: &[f32], radius: usize) -> Self {
        let ([height, width], classes) = (self.size, self.classes);
        let pixels = height * width;
        if radius == 0 || pixels == 0 || guide.len() != 3 * pixels {
            return self;
        }
        let looks = self.looks();
        // Filtered rows wait here until no later band needs the votes from which they were computed.
        let mut waiting: Vec<f32> = Vec::new();
        let mut written = 0;
        for top in (0..height).step_by(BAND) {
            let bottom = (top + BAND).min(height);
            let whole = Window {
                size: self.size,
                radius,
            };
            let rows = whole.read(top..bottom);
            let first = rows.start;
            let planes = [0, 1, 2].map(|channel| {
                let plane = &guide[channel * pixels..][..pixels];
                let rows = &plane[rows.start * width..rows.end * width];
                rows.iter().map(|value| 0.5 * value + 0.5).collect()
            });
            let window = Window {
                size: [rows.len(), width],
                radius,
            };
            let votes = &self.shares[rows.start * width * classes..rows.end * width * classes];
            let fit = Fit::new(window, planes);
            let filtered: Vec<Contender> = contenders(votes, classes, width)
                .into_par_iter()
                .map(|(class, rows)| {
                    let read = window.read(rows.clone());
                    let votes = &votes[read.start * width * classes..read.end * width * classes];
                    let share = votes.chunks_exact(classes).map(|shares| shares[class]);
                    let mut shares = fit.filtered(&share.collect::<Vec<_>>(), read.start);
                    shares.truncate((rows.end - read.start) * width);
                    shares.drain(..(rows.start - read.start) * width);
                    let first = rows.start * width;
                    Contender {
                        class,
                        first,
                        shares,
                    }
                })
                .collect();
            let inside = (top - first) * width..(bottom - first) * width;
            let mut band = votes[inside.start * classes..inside.end * classes].to_vec();
            band.par_chunks_exact_mut(classes)
                .zip(inside)
                .for_each(|(shares, pixel)| {
                    for contender in &filtered {
                        if let Some(share) = contender.share(pixel) {
                            shares[contender.class] = share.max(0.0);
                        }
                    }
                    let sum: f32 = shares.iter().sum();
                    let scale = looks / sum.max(f32::MIN_POSITIVE);
                    shares.iter_mut().for_each(|share| *share *= scale);
                });
            waiting.extend(band);
            // The next band begins to read `2 * radius` rows above its own.
            let free = if bottom == height {
                height
            } else {
                bottom.saturating_sub(2 * radius).max(written)
            };
            let length = (free - written) * width * classes;
            self.shares[written * width * classes..][..length].copy_from_slice(&waiting[..length]);
            waiting.drain(..length);
            written = free;
        }
        self
    }
}

/// The filtered shares of a class in the rows where it could win.
struct Contender {
    class: usize,
    /// The first pixel of these rows.
    first: usize,
    shares: Vec<f32>,
}

impl Contender {
    fn share(&self, pixel: usize) -> Option<f32> {
        let at = pixel.checked_sub(self.first)?;
        self.shares.get(at).copied()
    }
}

/// The classes that could win somewhere, each with the rows from the first to the last place.
fn contenders(shares: &[f32], classes: usize, width: usize) -> Vec<(usize, Range<usize>)> {
    let mut found = vec![0..0; classes];
    for (row, shares) in shares.chunks_exact(classes * width).enumerate() {
        for pixel in shares.chunks_exact(classes) {
            let greatest = pixel.iter().copied().fold(0.0, f32::max);
            for (found, share) in found.iter_mut().zip(pixel) {
                if *share >= CONTENDER * greatest {
                    let start = if found.end == 0 { row } else { found.start };
                    *found = start..row + 1;
                }
            }
        }
    }
    let found = found.into_iter().enumerate();
    found.filter(|(_, rows)| !rows.is_empty()).collect()
}

/// Windows around every pixel, cut at the borders of the picture.
#[derive(Clone, Copy)]
struct Window {
    /// `[height, width]`
    size: [usize; 2],
    radius: usize,
}

impl Window {
    /// The rows from which filtered rows are computed: a window of windows around them.
    fn read(self, rows: Range<usize>) -> Range<usize> {
        let reach = 2 * self.radius;
        rows.start.saturating_sub(reach)..(rows.end + reach).min(self.size[0])
    }

    /// The mean over the window of every pixel.
    fn means(self, plane: &[f32]) -> Vec<f32> {
        let ([height, width], radius) = (self.size, self.radius);
        let mut means = vec![0.0f32; plane.len()];
        let row = |row: usize| &plane[row * width..][..width];
        // The sums of the columns over the rows of the window; and between zeros, so that columns leave
        // and enter a window without a test for the border.
        let mut sums = vec![0.0f32; width];
        let mut padded = vec![0.0f32; width + 2 * radius + 1];
        let columns: Vec<f32> = (0..width)
            .map(|at| (at + radius + 1).min(width) - at.saturating_sub(radius))
            .map(|columns| columns as f32)
            .collect();
        let change = |sums: &mut [f32], row: &[f32], sign: f32| {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += sign * value;
            }
        };
        for below in 0..radius.min(height) {
            change(&mut sums, row(below), 1.0);
        }
        for (at, means) in means.chunks_exact_mut(width).enumerate() {
            if at + radius < height {
                change(&mut sums, row(at + radius), 1.0);
            }
            if at > radius {
                change(&mut sums, row(at - radius - 1), -1.0);
            }
            let rows = (at + radius + 1).min(height) - at.saturating_sub(radius);
            padded[radius + 1..][..width].copy_from_slice(&sums);
            let mut sum: f64 = sums[..radius.min(width)]
                .iter()
                .copied()
                .map(f64::from)
                .sum();
            let changes = padded[2 * radius + 1..].iter().zip(&padded);
            for ((mean, (after, before)), columns) in means.iter_mut().zip(changes).zip(&columns) {
                sum += f64::from(*after) - f64::from(*before);
                *mean = sum as f32 / (rows as f32 * columns);
            }
        }
        means
    }

    fn means_of_products(self, a: &[f32], b: &[f32]) -> Vec<f32> {
        let products: Vec<f32> = a.iter().zip(b).map(|(a, b)| a * b).collect();
        self.means(&products)
    }
}

/// What the fits of all classes share.
struct Fit {
    window: Window,
    guide: [Vec<f32>; 3],
    means: [Vec<f32>; 3],
    /// The upper triangle of the inverse of the colours' covariance: rr, rg, rb, gg, gb, bb.
    inverse: Vec<[f32; 6]>,
}

impl Fit {
    fn new(window: Window, guide: [Vec<f32>; 3]) -> Self {
        let means = [0, 1, 2].map(|channel| window.means(&guide[channel]));
        let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
        let products = pairs.map(|(a, b)| window.means_of_products(&guide[a], &guide[b]));
        let inverse = (0..guide[0].len()).map(|pixel| {
            let mut covariance = [0.0; 6];
            for ((entry, products), (a, b)) in covariance.iter_mut().zip(&products).zip(pairs) {
                *entry = products[pixel] - means[a][pixel] * means[b][pixel];
                if a == b {
                    *entry = entry.max(0.0) + NOISE;
                }
            }
            inverse(covariance)
        });
        Self {
            inverse: inverse.collect(),
            window,
            guide,
            means,
        }
    }

    /// A plane, filtered along the rows of the guide from `top` on. Within two radii of the plane's first
    /// and last row it counts only where the guide ends there, too.
    fn filtered(&self, plane: &[f32], top: usize) -> Vec<f32> {
        let width = self.window.size[1];
        let window = Window {
            size: [plane.len() / width, width],
            ..self.window
        };
        let rows = top * width..top * width + plane.len();
        let guide = [0, 1, 2].map(|channel| &self.guide[channel][rows.clone()]);
        let guide_means = [0, 1, 2].map(|channel| &self.means[channel][rows.clone()]);
        let inverse = &self.inverse[rows];
        let [mut a, mut b, mut c] = guide.map(|guide| window.means_of_products(guide, plane));
        let mut offset = window.means(plane);
        for pixel in 0..plane.len() {
            let means = guide_means.map(|means| means[pixel]);
            let x = a[pixel] - means[0] * offset[pixel];
            let y = b[pixel] - means[1] * offset[pixel];
            let z = c[pixel] - means[2] * offset[pixel];
            let [rr, rg, rb, gg, gb, bb] = inverse[pixel];
            a[pixel] = rr * x + rg * y + rb * z;
            b[pixel] = rg * x + gg * y + gb * z;
            c[pixel] = rb * x + gb * y + bb * z;
            offset[pixel] -= a[pixel] * means[0] + b[pixel] * means[1] + c[pixel] * means[2];
        }
        let [a, b, c, mut sum] = [a, b, c, offset].map(|plane| window.means(&plane));
        for (factors, guide) in [a, b, c].iter().zip(guide) {
            for ((sum, factor), colour) in sum.iter_mut().zip(factors).zip(guide) {
                *sum += factor * colour;
            }
        }
        sum
    }
}

/// The upper triangle of the inverse of a symmetric positive definite matrix.
fn inverse([a, b, c, d, e, f]: [f32; 6]) -> [f32; 6] {
    let cofactors = [
        d * f - e * e,
        c * e - b * f,
        b * e - c * d,
        a * f - c * c,
        b * c - a * e,
        a * d - b * b,
    ];
    let determinant = a * cofactors[0] + b * cofactors[1] + c * cofactors[2];
    // At least the cube of the noise, but for rounding.
    let scale = 1.0 / determinant.max(f32::MIN_POSITIVE);
    cofactors.map(|entry| entry * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Votes of two classes by the share of the second.
    fn votes(size: [usize; 2], second: impl Fn(usize, usize) -> f32) -> Votes {
        let pixel = |at: usize| {
            let share = second(at / size[1], at % size[1]);
            [1.0 - share, share]
        };
        Votes {
            size,
            classes: 2,
            shares: (0..size[0] * size[1]).flat_map(pixel).collect(),
        }
    }

    fn guide(size: [usize; 2], colour: impl Fn(usize, usize) -> [f32; 3]) -> Vec<f32> {
        let at = |channel: usize| {
            let pixels = 0..size[0] * size[1];
            pixels.map(move |at| (channel, at))
        };
        let all = (0..3).flat_map(at);
        all.map(|(channel, at)| colour(at / size[1], at % size[1])[channel])
            .collect()
    }

    /// What the definition gives for a pixel, in double precision.
    fn expected(votes: &Votes, guide: &[f32], radius: usize, row: usize, column: usize) -> f64 {
        let [height, width] = votes.size;
        let reach = |at: usize, end: usize| at.saturating_sub(radius)..(at + radius + 1).min(end);
        let window = |row: usize, column: usize| {
            let rows = reach(row, height);
            rows.flat_map(move |row| reach(column, width).map(move |column| row * width + column))
        };
        let colour = |pixel: usize| {
            [0, 1, 2].map(|channel| 0.5 * f64::from(guide[channel * height * width + pixel]) + 0.5)
        };
        let share = |pixel: usize| f64::from(votes.shares[2 * pixel + 1]);
        let mean = |row: usize, column: usize, value: &dyn Fn(usize) -> f64| {
            let pixels: Vec<usize> = window(row, column).collect();
            pixels.iter().map(|&pixel| value(pixel)).sum::<f64>() / pixels.len() as f64
        };
        let own = colour(row * width + column);
        let value = |at: usize| {
            let (row, column) = (at / width, at % width);
            let mu = [0, 1, 2].map(|i| mean(row, column, &|pixel| colour(pixel)[i]));
            let p = mean(row, column, &share);
            let mut system = [[0.0f64; 4]; 3];
            for i in 0..3 {
                for j in 0..3 {
                    let product = |pixel: usize| colour(pixel)[i] * colour(pixel)[j];
                    system[i][j] = mean(row, column, &product) - mu[i] * mu[j];
                }
                system[i][i] += f64::from(NOISE);
                let product = |pixel: usize| colour(pixel)[i] * share(pixel);
                system[i][3] = mean(row, column, &product) - mu[i] * p;
            }
            // Gauss and Jordan.
            for pivot in 0..3 {
                let scale = system[pivot][pivot];
                system[pivot].iter_mut().for_each(|entry| *entry /= scale);
                for other in (0..3).filter(|other| *other != pivot) {
                    let factor = system[other][pivot];
                    let row = system[pivot];
                    for (entry, pivot) in system[other].iter_mut().zip(row) {
                        *entry -= factor * pivot;
                    }
                }
            }
            (0..3).fold(p, |sum, i| sum + system[i][3] * (own[i] - mu[i]))
        };
        mean(row, column, &value).max(0.0)
    }

    #[test]
    fn it_is_the_filter_of_its_definition_across_bands() {
        let size = [BAND + 30, 9];
        let wave = |at: usize| 0.5 + 0.4 * (at as f32 * 0.7).sin();
        let votes = votes(size, |row, column| wave(3 * row + 5 * column));
        let colours = guide(size, |row, column| {
            [(7 * row + column) as f32, (row * column) as f32, row as f32].map(f32::sin)
        });
        let radius = 3;
        let found = votes.clone().guided(&colours, radius);
        for row in [
            0,
            1,
            5,
            BAND - 7,
            BAND - 6,
            BAND - 1,
            BAND,
            BAND + 5,
            BAND + 29,
        ] {
            for column in [0, 2, 4, 8] {
                let expected = expected(&votes, &colours, radius, row, column);
                let found = f64::from(found.at(row * size[1] + column)[1]);
                assert!(
                    (found - expected).abs() < 1e-3,
                    "row {row}, column {column}: {found}, not {expected}"
                );
            }
        }
        for pixel in 0..size[0] * size[1] {
            assert!((found.at(pixel).iter().sum::<f32>() - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn stairs_become_the_edge_of_the_photo() {
        // The edge is a diagonal; the votes decide by squares of 4 pixels.
        let size = [64, 64];
        let is_below = |row: usize, column: usize| row > column;
        let colours = guide(size, |row, column| {
            if is_below(row, column) {
                [0.6, -0.2, 0.1]
            } else {
                [-0.4, 0.3, 0.2]
            }
        });
        let votes = votes(size, |row, column| {
            if is_below(row / 4, column / 4) {
                0.9
            } else {
                0.1
            }
        });
        let wrong = |votes: &Votes| {
            let labels = votes.labels(size);
            let pixels = labels.iter().enumerate();
            pixels
                .filter(|(at, label)| (**label == 1) != is_below(at / 64, at % 64))
                .count()
        };
        let before = wrong(&votes);
        let mut twice = votes.clone();
        twice.add(&votes);
        let filtered = votes.guided(&colours, 4);
        assert!(before > 90, "{before}");
        assert!(
            wrong(&filtered) < before / 8,
            "{} of {before}",
            wrong(&filtered)
        );
        // Votes of two looks stay votes of two looks.
        let twice = twice.guided(&colours, 4);
        for (twice, once) in twice.shares.iter().zip(&filtered.shares) {
            assert!((twice - 2.0 * once).abs() < 1e-4);
        }
    }

    #[test]
    fn a_class_is_filtered_only_in_rows_where_it_could_win() {
        let size = [60, 12];
        let wave = |at: usize| 0.5 + 0.4 * (at as f32 * 0.9).sin();
        // Sure of the first class, apart from rows 20 to 29.
        let votes = votes(size, |row, column| match row {
            20..30 => wave(7 * row + 3 * column),
            _ => 0.01,
        });
        let colours = guide(size, |row, column| {
            [(5 * row + column) as f32, (row * column) as f32, row as f32].map(f32::cos)
        });
        let found = contenders(&votes.shares, 2, size[1]);
        assert_eq!(found, [(0, 0..60), (1, 20..30)]);
        let radius = 2;
        let filtered = votes.clone().guided(&colours, radius);
        for (row, column) in [(20, 0), (21, 5), (24, 11), (28, 3), (29, 7)] {
            let expected = expected(&votes, &colours, radius, row, column);
            let found = f64::from(filtered.at(row * size[1] + column)[1]);
            assert!(
                (found - expected).abs() < 1e-3,
                "row {row}, column {column}: {found}, not {expected}"
            );
        }
        for row in [0, 10, 19, 30, 59] {
            assert!(filtered.at(row * size[1])[1] < 0.02, "row {row}");
        }
    }

    #[test]
    fn filtered_votes_become_more_certain() {
        let mut votes = votes([2, 3], |_, column| [0.5, 0.75, 1.0][column]);
        votes.add(&votes.clone());
        let squared = votes.squared();
        for (column, expected) in [(0, 0.5), (1, 0.9), (2, 1.0)] {
            let [first, second] = [0, 1].map(|class| squared.at(column)[class]);
            assert!((second - 2.0 * expected).abs() < 1e-5, "{second}");
            assert!((first + second - 2.0).abs() < 1e-5);
        }
        let photo = RgbImage::from_pixel(3, 2, image::Rgb([9, 60, 200]));
        let along = votes_in_one_colour().along(&photo, 2);
        assert!((along.at(0)[1] - 0.9).abs() < 1e-4);
        assert_eq!(
            votes_in_one_colour().along(&photo, 0),
            votes_in_one_colour()
        );
    }

    #[test]
    fn votes_that_are_not_kept_whole_are_not_filtered() {
        let width = WHOLE / size_of::<f32>() / 2 + 1;
        let mut votes = Votes {
            size: [1, width],
            classes: 2,
            shares: vec![0.0; 2 * width],
        };
        votes.shares[..2].copy_from_slice(&[0.75, 0.25]);
        let photo = RgbImage::from_pixel(1, 1, image::Rgb([9, 60, 200]));
        assert_eq!(votes.along(&photo, 2).at(0), [0.75, 0.25]);
    }

    fn votes_in_one_colour() -> Votes {
        votes([2, 3], |_, _| 0.75)
    }

    #[test]
    fn certain_votes_in_one_colour_are_unchanged() {
        let size = [20, 30];
        let colours = guide(size, |_, _| [0.3, 0.3, -0.5]);
        let votes = votes(size, |_, _| 0.875);
        for pixel in votes.guided(&colours, 7).shares.chunks(2) {
            assert!((pixel[1] - 0.875).abs() < 1e-5, "{pixel:?}");
        }
    }
}
