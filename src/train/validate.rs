//! Validation during training: mIoU at network size, and sample predictions as pictures.

use super::TrainError;
use super::checkpoint::RunFolder;
use super::config::Config;
use super::metrics::ValidationLine;
use crate::data::{self, Dataset};
use crate::encoding::Centroids;
use crate::eval::Confusion;
use crate::files;
use crate::inference::{self, Sampling};
use crate::model::Model;
use burn::tensor::{Tensor, TensorData};
use image::{ImageFormat, RgbImage};
use std::io::Cursor;

/// Photos that are shown in a sample sheet.
const SHOWN: usize = 6;

/// Scores `model` on the validation split, whole photos fitted to the network's size and labels
/// with them, and writes `samples/step-N.png`: photo, prediction and truth, a row each.
pub(super) fn validate(
    config: &Config,
    model: &Model,
    data: &Dataset,
    step: u64,
    folder: &RunFolder,
) -> Result<ValidationLine, TrainError> {
    let size = config.data.size;
    let count = match config.train.validate_samples {
        0 => data.len(),
        n => n.min(data.len()),
    };
    let centroids = model.centroids();
    let device = model.network.device();
    let sampling = Sampling {
        steps: config.train.validate_steps,
        ..Sampling::default()
    };
    let mut confusion = Confusion::new(centroids.len());
    let mut shown = Vec::new();
    let indices: Vec<usize> = (0..count).collect();
    for chunk in indices.chunks(config.train.batch_size) {
        let samples = chunk
            .iter()
            .map(|&i| data.load(i).map(|sample| data::fit(&sample, size)))
            .collect::<Result<Vec<_>, _>>()?;
        let pixels: Vec<f32> = samples
            .iter()
            .flat_map(|(image, _)| image.clone())
            .collect();
        let shape = [chunk.len(), 3, size[0], size[1]];
        let photos = Tensor::<4>::from_data(TensorData::new(pixels, shape), &device);
        let Some(last) = inference::flow(model, photos, sampling).last() else {
            continue;
        };
        let predictions = inference::decode(&centroids, last.x);
        for ((image, labels), prediction) in samples.into_iter().zip(predictions) {
            confusion.add(&labels, &prediction);
            if shown.len() < SHOWN {
                shown.push((image, prediction, labels));
            }
        }
    }
    let sheet = sheet(&shown, size, &centroids);
    let mut png = Vec::new();
    // Encoding to memory cannot fail for an RGB picture of sane size; a sheet is no reason to stop.
    if sheet
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .is_ok()
    {
        files::write_atomic(
            &folder.path("samples").join(format!("step-{step:08}.png")),
            &png,
        )?;
    }
    let scores = confusion.scores();
    Ok(ValidationLine {
        step,
        miou: scores.miou,
        pixel_accuracy: scores.pixel_accuracy,
    })
}

type Shown = (Vec<f32>, Vec<u16>, Vec<u16>);

fn sheet(shown: &[Shown], size: [usize; 2], centroids: &Centroids) -> RgbImage {
    let [height, width] = size;
    let mut sheet = RgbImage::new((width * shown.len().max(1)) as u32, (3 * height) as u32);
    for (column, (image, prediction, labels)) in shown.iter().enumerate() {
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                let channel = |c: usize| crate::encoding::to_byte(image[c * width * height + at]);
                let colours = [
                    [channel(0), channel(1), channel(2)],
                    centroids.colour(usize::from(prediction[at])),
                    centroids.colour(usize::from(labels[at])),
                ];
                for (row, colour) in colours.into_iter().enumerate() {
                    let (px, py) = (column * width + x, row * height + y);
                    sheet.put_pixel(px as u32, py as u32, image::Rgb(colour));
                }
            }
        }
    }
    sheet
}
