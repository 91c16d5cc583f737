//! `flowseg segment`: masks without a window.

use super::{DeviceArgument, model::ModelArgument};
use crate::encoding::{Centroids, to_byte};
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::model::tensors::read;
use crate::sampler::{Solver, State};
use crate::{data, files};
use anyhow::{Context, bail};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, ImageFormat, RgbImage, RgbaImage, imageops};
use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longer side of an animation, in pixels.
const ANIMATION_SIDE: u32 = 512;

/// Write the masks of photos
#[derive(clap::Args)]
pub struct Arguments {
    /// Photos: JPEG, PNG, WebP, BMP, GIF, TIFF, PNM or TGA
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Folder for the masks: OUT/NAME.png holds a class index a pixel at the photo's own size
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    model: ModelArgument,
    /// Solver steps, 1 to 1000
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    steps: u64,
    /// The solver
    #[arg(long, value_enum, default_value_t)]
    solver: Solver,
    /// Seed of the noise, for models whose flow starts at noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also write OUT/NAME.overlay.png: the photo under half-transparent class colours
    #[arg(long)]
    overlay: bool,
    /// Also write OUT/NAME.trajectory.gif: the flow from photo to mask
    #[arg(long)]
    trajectory: bool,
    /// Print a JSON object a photo with the share of every class
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the command. A photo that fails is reported and the others still get their masks.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let names = names(&arguments.images)?;
    files::create_folder(&arguments.output)?;
    let opened = arguments.device.open()?;
    let model = arguments.model.load(&opened.device)?;
    if let ([path], [name]) = (arguments.images.as_slice(), names.as_slice()) {
        return segment(arguments, &model, path, name);
    }
    let mut failed = 0;
    for (path, name) in arguments.images.iter().zip(names) {
        if let Err(error) = segment(arguments, &model, path, &name) {
            eprintln!("flowseg: {}", super::one_line(&error));
            failed += 1;
        }
    }
    match failed {
        0 => Ok(()),
        n => bail!("{n} of {} photos got no mask", arguments.images.len()),
    }
}

/// The output names: the photos' names without their endings, which must differ.
fn names(images: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut taken: HashMap<String, &Path> = HashMap::new();
    let mut names = Vec::new();
    for path in images {
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
        let Some(name) = stem else {
            bail!("{} is not a file name", path.display())
        };
        if let Some(first) = taken.insert(name.clone(), path) {
            bail!(
                "{} and {} would both become {name}.png: segment them into two folders",
                first.display(),
                path.display()
            );
        }
        names.push(name);
    }
    Ok(names)
}

fn segment(a: &Arguments, model: &Model, path: &Path, name: &str) -> anyhow::Result<()> {
    let photo = data::read_photo(path)?;
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let size = inference::network_size(model, width, height);
    let input = inference::input(&[&photo], size, &model.network.device());
    let sampling = Sampling {
        solver: a.solver,
        steps: a.steps as usize,
        seed: a.seed,
        ..Sampling::default()
    };
    let centroids = model.centroids();
    let mut frames = Vec::new();
    let mut last = None;
    for state in inference::flow(model, input, sampling) {
        if a.trajectory {
            frames.push(picture(&state, size));
        }
        last = Some(state);
    }
    let state = last.context("a flow has at least its source")?;
    let small = inference::decode(&centroids, state.x).swap_remove(0);
    let labels = inference::scale_labels(&small, size, [height, width]);

    let file = |ending: &str| a.output.join(format!("{name}{ending}"));
    data::write_labels(file(".png"), width, height, &labels)?;
    if a.overlay {
        files::write_atomic(
            &file(".overlay.png"),
            &png(&overlay(&photo, &labels, &centroids))?,
        )?;
    }
    if a.trajectory {
        files::write_atomic(&file(".trajectory.gif"), &gif(&frames)?)?;
    }
    if a.json {
        println!("{}", shares(path, &labels, model, size));
    }
    Ok(())
}

fn shares(path: &Path, labels: &[u16], model: &Model, size: [usize; 2]) -> serde_json::Value {
    let mut counts = vec![0u64; model.card.classes.len()];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    let share = |count: u64| count as f64 / labels.len() as f64;
    let classes: serde_json::Map<String, serde_json::Value> = model
        .card
        .classes
        .iter()
        .zip(counts)
        .map(|(name, count)| (name.clone(), share(count).into()))
        .collect();
    serde_json::json!({ "image": path, "network_size": size, "shares": classes })
}

/// A state as a picture: its three channels read as RGB.
fn picture(state: &State, [height, width]: [usize; 2]) -> RgbImage {
    let values = read(state.x.clone());
    let pixels = width * height;
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        image::Rgb([0, 1, 2].map(|c| to_byte(values[c * pixels + at])))
    })
}

fn overlay(photo: &RgbImage, labels: &[u16], centroids: &Centroids) -> RgbImage {
    let mut picture = photo.clone();
    for (pixel, &label) in picture.pixels_mut().zip(labels) {
        let colour = centroids.colour(usize::from(label));
        for (channel, class) in pixel.0.iter_mut().zip(colour) {
            *channel = ((u16::from(*channel) + u16::from(class)) / 2) as u8;
        }
    }
    picture
}

fn png(picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}

fn gif(frames: &[RgbImage]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    encoder.set_repeat(Repeat::Infinite)?;
    for (i, frame) in frames.iter().enumerate() {
        let scale = (ANIMATION_SIDE / frame.width().max(frame.height())).max(1);
        let (width, height) = (frame.width() * scale, frame.height() * scale);
        let big = imageops::resize(frame, width, height, imageops::FilterType::Nearest);
        // Both ends stand still long enough to be looked at.
        let ends = i == 0 || i + 1 == frames.len();
        let delay =
            Delay::from_saturating_duration(Duration::from_millis(if ends { 1200 } else { 120 }));
        let rgba: RgbaImage = image::DynamicImage::ImageRgb8(big).to_rgba8();
        encoder.encode_frame(Frame::from_parts(rgba, 0, 0, delay))?;
    }
    drop(encoder);
    Ok(bytes)
}
