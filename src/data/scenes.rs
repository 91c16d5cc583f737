//! Procedural scenes: data without files, for samples, tests and first experiments.

use std::path::Path;

use image::{Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::appearance::{self, Appearance, from_hsv, noise, soft_step};
use super::classes::ClassTable;
use super::error::DataError;
use super::sample::Sample;
use crate::labels::IGNORE;
use crate::labels::LabelMap;

/// Settings of scenes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SceneConfig {
    /// Classes including the background, which is class 0; from 2 to 1000.
    pub classes: usize,
    /// `[height, width]` in pixels, from 1 to 8192 each.
    pub size: [usize; 2],
    /// Scenes of different seeds share only the appearance of their classes.
    pub seed: u64,
    /// Strength of textures and grain, from 0 to 1.
    pub texture: f32,
    /// Share of pixels around outlines that are [`IGNORE`], from 0 to 0.5.
    pub ignore: f32,
}

impl Default for SceneConfig {
    fn default() -> Self {
        Self {
            classes: 20,
            size: [128, 128],
            seed: 0,
            texture: 0.7,
            ignore: 0.02,
        }
    }
}

impl SceneConfig {
    /// Clamps every value to its documented range.
    pub(super) fn clamped(mut self) -> Self {
        let share = |x: f32, most: f32| {
            if x.is_finite() {
                x.clamp(0.0, most)
            } else {
                0.0
            }
        };
        self.classes = self.classes.clamp(2, 1000);
        self.size = self.size.map(|side| side.clamp(1, 8192));
        self.texture = share(self.texture, 1.0);
        self.ignore = share(self.ignore, 0.5);
        self
    }
}

/// Number of scenes in the splits of a `scenes:N` path.
const SPLITS: [(&str, usize); 2] = [("training", 512), ("validation", 64)];

/// How the paths of procedural data sets begin.
const PREFIX: &str = "scenes:";

/// Whether a path is that of a procedural data set, which may be misspelt.
pub fn is_procedural(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with(PREFIX))
}

/// The configuration for a `scenes:N[@HEIGHTxWIDTH]` path; `None` for any other path.
pub(super) fn parse(path: &Path) -> Option<Result<SceneConfig, DataError>> {
    let spec = path.to_str()?;
    let rest = spec.strip_prefix(PREFIX)?;
    let parsed = || {
        let (classes, size) = match rest.split_once('@') {
            Some((classes, size)) => (classes, Some(size)),
            None => (rest, None),
        };
        let classes = classes.parse().ok().filter(|n| (2..=1000).contains(n));
        let classes = classes.ok_or("the number of classes is not from 2 to 1000")?;
        let mut config = SceneConfig {
            classes,
            ..SceneConfig::default()
        };
        if let Some(size) = size {
            let side = |text: &str| text.parse().ok().filter(|n| (1..=8192).contains(n));
            config.size = size
                .split_once('x')
                .and_then(|(height, width)| Some([side(height)?, side(width)?]))
                .ok_or("the size is not two numbers from 1 to 8192 with an x between them")?;
        }
        Ok(config)
    };
    Some(parsed().map_err(|reason| DataError::Scenes {
        spec: spec.to_owned(),
        reason,
    }))
}

/// The configuration and number of scenes of one split; the splits differ in their seeds.
pub(super) fn split(config: SceneConfig, split: &str) -> Result<(SceneConfig, usize), DataError> {
    let at = SPLITS.iter().position(|(name, _)| *name == split);
    let at = at.ok_or_else(|| DataError::NoSplit {
        path: format!("{PREFIX}{}", config.classes).into(),
        split: split.to_owned(),
        available: SPLITS.map(|(name, _)| name).join(", "),
    })?;
    Ok((
        SceneConfig {
            seed: appearance::hash(config.seed, at as u64, 0),
            ..config
        },
        SPLITS[at].1,
    ))
}

/// The split names of every `scenes:N` path.
pub(super) fn split_names() -> [&'static str; 2] {
    SPLITS.map(|(name, _)| name)
}

/// `background`, then a description of each class's appearance.
pub(super) fn class_table(classes: usize) -> ClassTable {
    let shapes = (1..classes).map(Appearance::name);
    ClassTable::new(
        std::iter::once("background".to_owned())
            .chain(shapes)
            .collect(),
    )
}

/// The class names of scenes, in index order.
pub fn scene_classes(config: &SceneConfig) -> Vec<String> {
    let table = class_table(config.clamped().classes);
    (0..table.len()).map(|i| table.name(i).to_owned()).collect()
}

pub(super) fn scene_name(index: u64) -> String {
    format!("scene-{index:05}")
}

/// Renders one scene: lit, textured, overlapping shapes that cast shadows on a soft background.
///
/// The result depends only on `config` and `index`. Values of `config` outside their ranges are
/// clamped.
pub fn render(config: &SceneConfig, index: u64) -> Sample {
    let config = config.clamped();
    let [height, width] = config.size;
    let mut rng = ChaCha8Rng::seed_from_u64(appearance::hash(config.seed, index, 1));
    let angle = rng.random_range(-2.4f32..-0.7);
    let light = [angle.cos(), angle.sin()];
    let mut canvas = Canvas::background(&config, &mut rng);
    for _ in 0..rng.random_range(5..=9) {
        let object = Object::random(&config, &mut rng);
        canvas.paint(&object, light, config.texture);
    }
    canvas.ignore_outlines(config.ignore);
    let grain = rng.random::<u64>();
    let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let across = [
            x as f32 / width as f32 - 0.5,
            y as f32 / height as f32 - 0.5,
        ];
        let lit = 1.0 + 0.22 * (across[0] * light[0] + across[1] * light[1]);
        let speck = appearance::unit(appearance::hash(u64::from(x), u64::from(y), grain)) - 0.5;
        let pixel = canvas.colours[y as usize * width + x as usize];
        Rgb(pixel.map(|c| ((c * lit + 0.06 * config.texture * speck) * 255.0).round() as u8))
    });
    let labels = LabelMap {
        width,
        height,
        data: canvas.labels,
    };
    Sample {
        name: scene_name(index),
        image,
        labels,
    }
}

/// One object in a scene, in pixels.
struct Object {
    class: u16,
    appearance: Appearance,
    centre: [f32; 2],
    radius: f32,
    sin_cos: (f32, f32),
    phase: f32,
    period: f32,
    salt: u64,
}

impl Object {
    fn random(config: &SceneConfig, rng: &mut ChaCha8Rng) -> Self {
        let [height, width] = config.size.map(|side| side as f32);
        let short = height.min(width);
        let class = rng.random_range(1..config.classes as u32) as u16;
        let appearance = Appearance::of(usize::from(class));
        Self {
            class,
            appearance,
            centre: [rng.random_range(0.0..width), rng.random_range(0.0..height)],
            radius: (short * rng.random_range(0.13f32..0.3)).max(1.0),
            sin_cos: rng.random_range(0.0..std::f32::consts::TAU).sin_cos(),
            phase: rng.random_range(0.0..std::f32::consts::TAU),
            period: (short * appearance.period).max(2.5),
            salt: rng.random(),
        }
    }

    /// The rotated offset from the centre.
    fn local(&self, x: f32, y: f32) -> [f32; 2] {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let (sin, cos) = self.sin_cos;
        [cos * dx + sin * dy, cos * dy - sin * dx]
    }

    /// Signed distance to the outline in pixels.
    fn distance(&self, local: [f32; 2]) -> f32 {
        self.appearance
            .distance(local.map(|c| c / self.radius), self.phase)
            * self.radius
    }
}

/// A scene during painting, back to front.
struct Canvas {
    size: [usize; 2],
    colours: Vec<[f32; 3]>,
    labels: Vec<u16>,
    /// Pixels to the nearest visible outline.
    outline: Vec<f32>,
}

impl Canvas {
    /// Two muted surfaces that meet at a horizon.
    fn background(config: &SceneConfig, rng: &mut ChaCha8Rng) -> Self {
        let [height, width] = config.size;
        let short = height.min(width) as f32;
        let mut muted = |value: std::ops::Range<f32>| {
            let hue = rng.random();
            from_hsv(hue, rng.random_range(0.05..0.22), rng.random_range(value))
        };
        let (sky, ground) = (muted(0.62..0.84), muted(0.3..0.56));
        let horizon = height as f32 * rng.random_range(0.3f32..0.65);
        let tilt = rng.random_range(-0.12f32..0.12);
        let salt = rng.random();
        let mut colours = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
                let below = y - horizon - tilt * (x - width as f32 / 2.0);
                let share = soft_step(below / (0.015 * short).max(0.75));
                // Haze: both surfaces pale towards the horizon.
                let haze = 0.14 * (-below.abs() / (0.3 * short)).exp();
                let scale = 9.0 / short;
                let cloud = noise(x * scale, y * scale * 2.0, salt) - 0.5;
                let lift = haze + 0.12 * config.texture * cloud;
                colours.push(std::array::from_fn(|c| {
                    sky[c] + (ground[c] - sky[c]) * share + lift
                }));
            }
        }
        let labels = vec![0; height * width];
        let outline = vec![f32::INFINITY; height * width];
        Self {
            size: config.size,
            colours,
            labels,
            outline,
        }
    }

    fn paint(&mut self, object: &Object, light: [f32; 2], texture: f32) {
        let [height, width] = self.size;
        // The longest shape extends 1.3 radii, its shadow slightly further.
        let reach = object.radius * 1.75 + 2.0;
        let range = |centre: f32, len: usize| {
            let low = (centre - reach).floor().clamp(0.0, len as f32) as usize;
            let high = (centre + reach).ceil().clamp(0.0, len as f32) as usize;
            low..high
        };
        let thrown = object.radius * 0.22;
        for y in range(object.centre[1], height) {
            for x in range(object.centre[0], width) {
                let at = y * width + x;
                let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
                let shadow = object.local(x + light[0] * thrown, y + light[1] * thrown);
                let dark = soft_step(-object.distance(shadow) / (object.radius * 0.14).max(0.7));
                self.colours[at] = self.colours[at].map(|c| c * (1.0 - 0.42 * dark));
                let local = object.local(x, y);
                let distance = object.distance(local);
                let cover = (0.5 - distance).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let colour = surface(object, [x, y], local, light, texture);
                    let under = self.colours[at];
                    self.colours[at] =
                        std::array::from_fn(|c| under[c] + (colour[c] - under[c]) * cover);
                }
                if distance < 0.0 {
                    self.labels[at] = object.class;
                    self.outline[at] = -distance;
                } else {
                    self.outline[at] = self.outline[at].min(distance);
                }
            }
        }
    }

    /// Ignores the pixels nearest to an outline, until `share` of all are ignored.
    fn ignore_outlines(&mut self, share: f32) {
        let count = (share * self.labels.len() as f32).round() as usize;
        if count == 0 {
            return;
        }
        let mut sorted = self.outline.clone();
        let (_, &mut limit, _) = sorted.select_nth_unstable_by(count - 1, f32::total_cmp);
        for (label, outline) in self.labels.iter_mut().zip(&self.outline) {
            if *outline <= limit && outline.is_finite() {
                *label = IGNORE;
            }
        }
    }
}

/// The lit surface of an object at a pixel.
fn surface(
    object: &Object,
    [x, y]: [f32; 2],
    local: [f32; 2],
    light: [f32; 2],
    texture: f32,
) -> [f32; 3] {
    let colour = object
        .appearance
        .colour(local.map(|c| c / object.period), texture, object.salt);
    let (nx, ny) = (
        (x - object.centre[0]) / object.radius,
        (y - object.centre[1]) / object.radius,
    );
    let towards = nx * light[0] + ny * light[1];
    let round = object.appearance.roundness();
    let shade = 0.92 + (0.14 + 0.22 * round) * towards;
    // A highlight where a ball would reflect the light.
    let off = (nx - 0.45 * light[0]).hypot(ny - 0.45 * light[1]);
    let gloss = 0.22 * round * (-off * off * 9.0).exp();
    colour.map(|c| (c * shade + gloss).clamp(0.0, 1.0))
}
