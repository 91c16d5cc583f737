//! `flowseg eval --sheet`: scored photos, from the worst to the best, with the states of their flows.

use super::arguments::SMALLER_VOTES;
use crate::data::Dataset;
use crate::eval::{PhotoScores, Photos, Scoring};
use crate::export::{LegendEntry, with_legend_in};
use crate::inference::{self, Look, Sampling};
use crate::model::{Model, tensors::read};
use crate::{labels, pictures};
use anyhow::Error;
use image::RgbImage;
use image::imageops::FilterType;

/// Number of photos.
const ROWS: usize = 8;
/// Number of states between photo and mask.
const STATES: usize = 3;
/// The em of the legend, in pixels.
const LEGEND: f32 = 15.0;
/// The longer side of a picture, in pixels.
const SIDE: u32 = 240;

/// A sheet of at most [`ROWS`] of the scored photos: the worst, the best, and others evenly spaced by
/// rank; each as photo, states of the first look's flow, mask and ground truth, above a legend.
///
/// # Errors
/// A photo that can no longer be loaded, or states that are not finite.
pub(super) fn sheet(
    model: &Model,
    data: &Dataset,
    photos: &Photos,
    scoring: &Scoring,
    steps: usize,
) -> anyhow::Result<RgbImage> {
    let centroids = model.centroids();
    let ranked = photos.ranked();
    let mut cells = Vec::new();
    let mut shown = vec![false; centroids.len()];
    let chosen = with_ends(ranked.len(), ROWS);
    for photo in chosen.iter().map(|&at| ranked[at]) {
        let sample = data.load(photo.index)?;
        let [width, height] = [sample.image.width(), sample.image.height()].map(|n| n as usize);
        let viewing = &scoring.viewing(steps, scoring.seed_of(photo.index));
        let look = viewing.looks.first().copied().unwrap_or_default();
        cells.push((caption(photo), sample.image.clone()));
        let states = states(model, &sample.image, look, viewing.sampling)?;
        cells.extend(
            states
                .into_iter()
                .map(|(t, state)| (format!("t = {t:.2}"), state)),
        );
        let segmented = inference::segment(model, &centroids, &sample.image, viewing, &|| false);
        let segmented = segmented.map_err(|error| Error::msg(error.with_remedy(SMALLER_VOTES)))?;
        let (mask, _) = segmented.into_labels([height, width], 0.0);
        for labels in [&mask, &sample.labels.data] {
            for (shown, share) in shown
                .iter_mut()
                .zip(labels::shares(labels, centroids.len()))
            {
                *shown |= share > 0.0;
            }
        }
        let truth = (&sample.labels.data, sample.labels.width, "ground truth");
        for (labels, width, name) in [(&mask, width, "mask"), truth] {
            cells.push((name.to_owned(), labels::mask(labels, width, &centroids)));
        }
    }
    let columns = cells.len() / chosen.len().max(1);
    let cells: Vec<RgbImage> = cells
        .iter()
        .map(|(caption, picture)| {
            let small = pictures::thumbnail(picture, SIDE, FilterType::Triangle);
            pictures::captioned(caption, &small)
        })
        .collect();
    let colours = centroids.colours();
    let classes = model.card.classes.iter().enumerate();
    let entries: Vec<LegendEntry> = classes
        .filter(|(class, _)| shown[*class])
        .map(|(class, name)| LegendEntry {
            class,
            colour: colours[class],
            name,
            note: String::new(),
        })
        .collect();
    let sheet = pictures::grid(&cells, columns);
    Ok(with_legend_in(&sheet, &entries, LEGEND))
}

fn caption(photo: &PhotoScores) -> String {
    let miou = 100.0 * photo.miou.unwrap_or_default();
    format!("mIoU {miou:.0}: {}", photo.name)
}

/// The times and pictures of some states after the first, the last among them.
fn states(
    model: &Model,
    photo: &RgbImage,
    look: Look,
    sampling: Sampling,
) -> anyhow::Result<Vec<(f32, RgbImage)>> {
    let upright = Look {
        mirrored: false,
        ..look
    };
    let (size, flow) = inference::look_at(model, photo, upright, sampling);
    let wanted: Vec<usize> = with_ends(sampling.steps, STATES)
        .into_iter()
        .map(|at| at + 1)
        .collect();
    let mut found = Vec::new();
    for (step, state) in flow.enumerate() {
        if wanted.contains(&step) {
            let x = read(state.x);
            inference::check_finite(model, &x)?;
            found.push((state.t, pictures::of_state(&x, size)));
        }
    }
    Ok(found)
}

/// At most `wanted` of `0..count`, evenly spaced, the last among them, and the first if there is more
/// than one.
fn with_ends(count: usize, wanted: usize) -> Vec<usize> {
    let wanted = wanted.min(count);
    (0..wanted)
        .map(|i| match wanted {
            1 => count - 1,
            _ => (i * (count - 1) + (wanted - 1) / 2) / (wanted - 1),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_are_among_those_chosen() {
        assert!(with_ends(0, 8).is_empty());
        assert_eq!(with_ends(1, 3), [0]);
        assert_eq!(with_ends(2, 3), [0, 1]);
        assert_eq!(with_ends(5, 3), [0, 2, 4]);
        assert_eq!(with_ends(101, 8), [0, 14, 29, 43, 57, 71, 86, 100]);
        assert_eq!(with_ends(9, 1), [8]);
    }
}
