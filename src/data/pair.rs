//! Reads a photo with its labels, and maps them to class indices.

use super::decode::{RawLabels, read_raw_labels};
use super::error::DataError;
use super::mapping::LabelMapping;
use super::photo::{Stored, read_stored, stored_weight};
use super::sample::Sample;
use super::split::Pair;
use crate::labels::LabelMap;

/// A pair that was read.
pub(super) struct Loaded {
    pub sample: Sample,
    /// Whether an EXIF orientation was applied although the sizes don't show whether the labels were
    /// made on the upright photo.
    pub ambiguous: bool,
}

/// The pixels of a photo whose header does not tell them.
const UNTOLD: u64 = 12_000_000;

/// The number of pixels that a pair's photo counts as while it is decoded, by its header.
pub(super) fn pixels(pair: &Pair) -> u64 {
    stored_weight(&pair.image).unwrap_or(UNTOLD)
}

/// Reads one pair and maps its labels.
pub(super) fn load_pair(
    pair: &Pair,
    mapping: &LabelMapping,
    classes: usize,
) -> Result<Sample, DataError> {
    Ok(load(pair, mapping, classes)?.sample)
}

/// [`load_pair`] that also reports doubtful orientations.
pub(super) fn load(
    pair: &Pair,
    mapping: &LabelMapping,
    classes: usize,
) -> Result<Loaded, DataError> {
    let mut photo = None;
    let raw = match &pair.drawing {
        None => read_raw_labels(&pair.labels)?,
        Some(drawing) => drawing.0.draw(&mut |stated| {
            let stored = match &photo {
                Some(stored) => stored,
                None => photo.insert(read_stored(&pair.image)?),
            };
            let size = stated.map_or(stored.upright_size(), |[width, height]| {
                (width as usize, height as usize)
            });
            if size == stored.upright_size() || size == stored.size() {
                Ok(size)
            } else {
                Err(size_mismatch(pair, stored, size))
            }
        })?,
    };
    let stored = match photo {
        Some(stored) => stored,
        None => read_stored(&pair.image)?,
    };
    let size = (raw.width, raw.height);
    let ambiguous = stored.is_ambiguous();
    let image = match size {
        size if size == stored.upright_size() => stored.upright(),
        size if size == stored.size() => stored.image,
        _ => return Err(size_mismatch(pair, &stored, size)),
    };
    let sample = Sample {
        name: pair.name.clone(),
        image,
        labels: mapped(raw, pair, mapping, classes)?,
    };
    Ok(Loaded { sample, ambiguous })
}

fn size_mismatch(pair: &Pair, photo: &Stored, labels_size: (usize, usize)) -> DataError {
    DataError::SizeMismatch {
        image: pair.image.clone(),
        image_size: photo.upright_size(),
        labels: pair.labels.clone(),
        labels_size,
    }
}

/// The raw labels of a pair; the photo is read if they have no size of their own.
pub(super) fn raw_labels(pair: &Pair) -> Result<RawLabels, DataError> {
    match &pair.drawing {
        None => read_raw_labels(&pair.labels),
        Some(drawing) => drawing.0.draw(&mut |stated| match stated {
            Some([width, height]) => Ok((width as usize, height as usize)),
            None => Ok(read_stored(&pair.image)?.upright_size()),
        }),
    }
}

/// Maps the labels of a file to class indices.
pub(super) fn mapped(
    raw: RawLabels,
    pair: &Pair,
    mapping: &LabelMapping,
    classes: usize,
) -> Result<LabelMap, DataError> {
    let (width, height) = (raw.width, raw.height);
    let data = mapping
        .apply(raw)
        .map_err(|values| DataError::UnknownLabel {
            path: pair.labels.clone(),
            values,
            classes,
        })?;
    Ok(LabelMap {
        width,
        height,
        data,
    })
}
