//! From photos to masks: the size that the network sees, the flow, and the mask at the photo's own
//! size.

mod segment;
mod tiles;

pub use crate::model::SCALES;
pub use segment::{SegmentError, Segmented, Viewing, check_votes, segment, segment_counting};
pub use tiles::{COARSEST, FINEST, MOST_WINDOWS, Tiles, Tiling};

use crate::data;
use crate::device::{ON_CPU, on_cpu};
use crate::encoding::Centroids;
use crate::flow::{Prediction, Source};
use crate::kernels::MatmulPrecision;
use crate::model::{self, Card, Fit, Model, tensors::read};
use crate::sampler::{self, Solver, State, Trajectory};
use crate::votes::Votes;
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use rayon::prelude::*;

/// How a flow is solved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    pub solver: Solver,
    /// Steps, at least 1.
    pub steps: usize,
    /// Where the steps are, 0.001 to 1000, see [`sampler::times`]: with 1 they are equally long, below it the first
    /// are longer.
    pub shift: f64,
    /// Seed of the noise, if the flow starts from noise.
    pub seed: u64,
    /// Where the flow starts; `None` for what the model was trained with.
    pub source: Option<Source>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            solver: Solver::Euler,
            steps: model::STEPS,
            shift: 1.0,
            seed: 0,
            source: None,
        }
    }
}

/// `[height, width]` of the network's input for a photo, in whole patches: the model's training size,
/// or a size of the same area and the photo's shape (see [`Fit`]), each side times `scale`.
pub fn network_size(model: &Model, width: usize, height: usize, scale: f64) -> [usize; 2] {
    let [trained_height, trained_width] = model.card.size;
    let patch = model.card.network.patch_size;
    let stretched = match model.card.fit {
        Fit::Stretch => true,
        Fit::Aspect => width * trained_height == height * trained_width,
    };
    if scale == 1.0 && stretched {
        return model.card.size;
    }
    let whole = |side: f64| (side / patch as f64).round().max(1.0) as usize * patch;
    if stretched {
        return model.card.size.map(|side| whole(side as f64 * scale));
    }
    let area = (trained_height * trained_width) as f64 * scale * scale;
    let aspect = (width as f64 / height as f64).clamp(1.0 / 16.0, 16.0);
    [whole((area / aspect).sqrt()), whole((area * aspect).sqrt())]
}

/// One look at a photo (a test-time augmentation); the votes of all looks are added up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// The size that the network sees, as a factor of each side of the size it was trained at, within
    /// [`SCALES`].
    pub scale: f64,
    /// Whether the photo is mirrored left to right.
    pub mirrored: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            scale: 1.0,
            mirrored: false,
        }
    }
}

impl Look {
    /// The looks that score best according to a model's card, if it names any.
    pub fn best(card: &Card) -> Option<Vec<Self>> {
        let quality = card.quality.as_ref()?;
        Some(Self::all(&quality.scales, quality.flip))
    }

    /// A look at every scale, with `flip` also at the mirror image. Votes are added up at the size of the first look:
    /// that is the scale nearest to 1, as a factor, whatever the order of `scales`; of two equally near ones, the
    /// larger.
    pub fn all(scales: &[f64], flip: bool) -> Vec<Self> {
        let mut scales = scales.to_vec();
        let distance = |scale: f64| scale.max(1.0 / scale);
        scales.sort_by(|&a, &b| {
            let nearer = distance(a).total_cmp(&distance(b));
            nearer.then(b.total_cmp(&a))
        });
        let both = [false, true];
        let each = |&scale: &f64| both.map(|mirrored| Self { scale, mirrored });
        let looks = scales.iter().flat_map(each);
        looks.filter(|look| flip || !look.mirrored).collect()
    }

    /// Photos as the network sees them, `[B, 3, H, W]`.
    pub fn input(self, photos: &[&RgbImage], size: [usize; 2], device: &Device) -> Tensor<4> {
        let planes: Vec<Vec<f32>> = photos
            .par_iter()
            .map(|photo| {
                let whole = [0.0, 0.0, photo.height() as f32, photo.width() as f32];
                data::part_to_chw(photo, whole, size, self.mirrored)
            })
            .collect();
        let data = TensorData::new(planes.concat(), [photos.len(), 3, size[0], size[1]]);
        Tensor::from_data(data, device)
    }

    /// The votes of the last state `[d, H, W]` of a flow from [`input`](Self::input).
    pub fn votes(self, centroids: &Centroids, state: &[f32], size: [usize; 2]) -> Votes {
        let votes = Votes::of(centroids, state, size);
        if self.mirrored {
            votes.mirrored()
        } else {
            votes
        }
    }
}

/// Photos as the network's input `[B, 3, H, W]`, all resized to `size`.
pub fn input(photos: &[&RgbImage], size: [usize; 2], device: &Device) -> Tensor<4> {
    Look::default().input(photos, size, device)
}

/// The flow of a batch of photos, state by state.
pub fn flow<'a>(
    model: &'a Model,
    photos: Tensor<4>,
    sampling: Sampling,
) -> impl Iterator<Item = State> + 'a {
    let source = model.source(sampling.source, &photos, sampling.seed);
    flow_from(model, source, Encoded::by(model, photos), sampling)
}

/// Photos with their encoder features.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `[B, 3, H, W]`
    photos: Tensor<4>,
    /// Output of the encoder, if the model has one.
    features: Option<Tensor<3>>,
}

impl Encoded {
    /// Encodes `photos: [B, 3, H, W]` once for any number of flows.
    pub fn by(model: &Model, photos: Tensor<4>) -> Self {
        let features = model.network.encode(&photos);
        Self { photos, features }
    }

    /// The predicted target `x1_hat` (equation 4) at the states `x: [B, d, H, W]` and the time `t`, 0
    /// to below 1.
    pub fn predicted_target(&self, model: &Model, x: Tensor<4>, t: f32) -> Tensor<4> {
        let left = 1.0 - t;
        let v = model.velocity(x.clone(), t, left, &self.photos, self.features.as_ref());
        x + v * left
    }
}

/// [`flow`] from a given source `[B, d, H, W]`.
pub fn flow_from<'a>(
    model: &'a Model,
    source: Tensor<4>,
    encoded: Encoded,
    sampling: Sampling,
) -> impl Iterator<Item = State> + 'a {
    let solver = if model.card.prediction.is_one_step() {
        Solver::Euler
    } else {
        sampling.solver
    };
    let times = sampler::times(model.card.flow_steps(sampling.steps), sampling.shift);
    let flow = Trajectory::new(source, times, solver, move |x, t, h| {
        model.velocity(x, t, h, &encoded.photos, encoded.features.as_ref())
    });
    match model.card.prediction {
        Prediction::Velocity => flow,
        Prediction::Target | Prediction::Logits | Prediction::Posterior => flow.ending_by_euler(),
    }
}

/// The last state of every photo's flow from `source: [B, d, H, W]`, each `[d, H, W]`. `stop` is called before every
/// solver step; `None` if it returned true.
///
/// # Errors
/// [`NotFinite`].
pub fn last_states(
    model: &Model,
    source: Tensor<4>,
    encoded: Encoded,
    sampling: Sampling,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Vec<Vec<f32>>>, NotFinite> {
    let photos = source.dims()[0];
    let mut last = None;
    for state in flow_from(model, source, encoded, sampling) {
        if stop() {
            return Ok(None);
        }
        last = Some(state.x);
    }
    // A flow has its source at least, so there always is a last state.
    let values = last.map_or_else(Vec::new, read);
    check_finite(model, &values)?;
    let states = values.chunks_exact((values.len() / photos.max(1)).max(1));
    Ok(Some(states.map(<[f32]>::to_vec).collect()))
}

/// The flow of one look at a whole photo, and the size of its states, `[height, width]`.
pub fn look_at<'a>(
    model: &'a Model,
    photo: &RgbImage,
    look: Look,
    sampling: Sampling,
) -> ([usize; 2], impl Iterator<Item = State> + use<'a>) {
    let [height, width] = data::size_of(photo);
    let size = network_size(model, width, height, look.scale);
    let input = look.input(&[photo], size, &model.network.device());
    (size, flow(model, input, sampling))
}

/// The votes of one look at a photo, from the last state of its flow.
///
/// # Errors
/// States that are not finite, and votes that do not fit into memory, before the flow.
pub fn votes(
    model: &Model,
    photo: &RgbImage,
    look: Look,
    sampling: Sampling,
) -> Result<Votes, SegmentError> {
    let [height, width] = data::size_of(photo);
    let size = network_size(model, width, height, look.scale);
    check_votes([size], model.card.classes.len())?;
    let (size, flow) = look_at(model, photo, look, sampling);
    // A flow has at least its source, so there is always a last state.
    let last = flow.last();
    let state = last.map_or_else(Vec::new, |state| read(state.x));
    check_finite(model, &state)?;
    Ok(look.votes(&model.centroids(), &state, size))
}

/// Maximum absolute value of a state. The classes lie within -1 and 1, and squared distances between
/// them and much larger values overflow.
const LARGEST: f32 = 1e6;

/// States that are infinite, NaN or beyond all classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model's output is {fault}: {cause}{option}")]
pub struct NotFinite {
    fault: &'static str,
    /// Possible causes, and what to do.
    cause: &'static str,
    /// The option that the remedy ends with, if it is one of the device.
    option: &'static str,
}

impl NotFinite {
    fn of(model: &Model, fault: &'static str) -> Self {
        let mut option = "";
        let cause = match model.network.precision() {
            MatmulPrecision::Half => {
                "its training diverged, or it exceeds the range of half precision (use --precision single or \
                 bfloat16)"
            }
            MatmulPrecision::Bfloat16 => {
                "its training diverged, or bfloat16 is too coarse for it (use --precision single)"
            }
            MatmulPrecision::Single if on_cpu(&model.network.device()) => {
                "its training diverged; use another model or an earlier checkpoint"
            }
            MatmulPrecision::Single => {
                option = ON_CPU;
                "its training diverged, or this device's precision is too low for it: try "
            }
        };
        Self {
            fault,
            cause,
            option,
        }
    }
}

/// Checks that every value of a state of a model's flow is finite and at most 1000000 from 0.
///
/// # Errors
/// [`NotFinite`].
pub fn check_finite(model: &Model, state: &[f32]) -> Result<(), NotFinite> {
    let all = |fits: fn(&f32) -> bool| state.par_chunks(1 << 14).all(|some| some.iter().all(fits));
    // NaN is not below the limit either.
    if all(|x| x.abs() <= LARGEST) {
        Ok(())
    } else if all(|x| x.is_finite()) {
        let fault = "far out of range (the classes lie within -1 and 1)";
        Err(NotFinite::of(model, fault))
    } else {
        Err(NotFinite::of(model, "not finite"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{self, constant};

    /// A small untrained model with three classes.
    fn model(prediction: Prediction) -> Model {
        testing::tiny(&["a", "b", "c"], [8, 12], |card| {
            card.prediction = prediction;
        })
    }

    #[test]
    fn every_solver_and_every_prediction_end_at_a_constant_target() {
        let centroid = Centroids::kronecker(3).points()[2].map(|v| v as f32);
        let start = [0.25f32, -0.5, 0.75];
        // The third class has the largest logit; a velocity leads from the start to its centroid.
        let logits = [-1.0, 0.5, 2.0];
        let velocity = std::array::from_fn(|a| centroid[a] - start[a]);
        let models = [
            (Prediction::Velocity, velocity),
            (Prediction::Target, centroid),
            (Prediction::Posterior, logits),
            (Prediction::Logits, logits),
        ]
        .map(|(prediction, outputs)| (constant(model(prediction), &outputs), prediction));
        let plane = |value: f32| vec![value; 8 * 12];
        let photo = TensorData::new(start.map(plane).concat(), [1, 3, 8, 12]);
        let photo = Tensor::<4>::from_data(photo, &Device::flex());
        for (model, prediction) in &models {
            for solver in [Solver::Euler, Solver::Heun, Solver::Rk4] {
                for (steps, shift) in [1, 2, 5, 10, 50, 100]
                    .map(|steps| (steps, 1.0))
                    .into_iter()
                    .chain([(5, 0.2), (5, 4.0), (30, 0.2)])
                {
                    let sampling = Sampling {
                        solver,
                        steps,
                        shift,
                        ..Sampling::default()
                    };
                    let end = read(flow(model, photo.clone(), sampling).last().unwrap().x);
                    for (i, found) in end.iter().enumerate() {
                        let expected = centroid[i / 96];
                        assert!(
                            (found - expected).abs() < 1e-4,
                            "{prediction:?}, {solver:?}, {steps} steps, shift {shift}: {found} {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_photo_keeps_its_shape_or_is_stretched_as_the_card_says() {
        let mut model = model(Prediction::Velocity);
        assert_eq!(model.card.fit, Fit::Aspect);
        // A square photo at the area of 8 x 12, in patches of 4.
        assert_eq!(network_size(&model, 100, 100, 1.0), [8, 8]);
        assert_eq!(network_size(&model, 100, 100, 2.0), [20, 20]);
        assert_eq!(network_size(&model, 300, 200, 1.0), [8, 12]);
        model.card.fit = Fit::Stretch;
        assert_eq!(network_size(&model, 100, 100, 1.0), [8, 12]);
        assert_eq!(network_size(&model, 100, 900, 2.0), [16, 24]);
        assert_eq!(network_size(&model, 100, 100, 0.25), [4, 4]);
    }

    #[test]
    fn a_card_without_a_recommendation_or_with_an_absurd_one_is_of_use() {
        let mut card = model(Prediction::Velocity).card;
        assert_eq!(card.default_steps(), model::STEPS);
        for (recommended, steps) in [(1, 1), (0, 1), (usize::MAX, 1000)] {
            card.sampling_steps = Some(recommended);
            assert_eq!(card.default_steps(), steps);
        }
        // As in files of earlier versions.
        let mut json = serde_json::to_value(&card).unwrap();
        for key in ["fit", "sampling_steps"] {
            json.as_object_mut().unwrap().remove(key).unwrap();
        }
        assert!(json.get("quality").is_none());
        let card: Card = serde_json::from_value(json).unwrap();
        assert_eq!((card.fit, card.sampling_steps), (Fit::Aspect, None));
    }

    #[test]
    fn states_that_are_no_output_are_refused_with_a_remedy() {
        let model = model(Prediction::Velocity);
        let checked = |model: &Model, value: f32| {
            let checked = check_finite(model, &[0.0, value, -0.5]);
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(checked(&model, 0.25), Ok(()));
        assert_eq!(checked(&model, -9e5), Ok(()));
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = checked(&model, value).unwrap_err();
            assert!(error.contains("not finite"), "{error}");
            assert!(!error.contains("--"), "{error}");
        }
        for value in [1.1e6, -1e20, f32::MAX] {
            let error = checked(&model, value).unwrap_err();
            assert!(error.contains("out of range"), "{error}");
        }
        let half = model.with_precision(MatmulPrecision::Half);
        let error = checked(&half, f32::NAN).unwrap_err();
        assert!(error.contains("--precision single"), "{error}");
        assert!(!error.contains("--device"), "{error}");
    }

    #[test]
    fn votes_are_added_up_at_the_scale_nearest_to_1_in_any_order() {
        let scales = |given: &[f64]| -> Vec<f64> {
            let looks = Look::all(given, false).into_iter();
            looks.map(|look| look.scale).collect()
        };
        for given in [[0.5, 1.0, 2.0], [2.0, 1.0, 0.5], [1.0, 0.5, 2.0]] {
            assert_eq!(scales(&given), [1.0, 2.0, 0.5]);
        }
        assert_eq!(scales(&[2.0, 1.5, 1.0]), [1.0, 1.5, 2.0]);
        assert_eq!(scales(&[0.5, 0.75]), [0.75, 0.5]);
        let mirrored = Look::all(&[1.5, 1.0], true);
        let mirrored = mirrored.iter().map(|look| (look.scale, look.mirrored));
        let expected = [(1.0, false), (1.0, true), (1.5, false), (1.5, true)];
        assert!(mirrored.eq(expected));
    }

    #[test]
    fn votes_that_do_not_fit_into_memory_are_refused_before_the_flow() {
        let photo = RgbImage::new(12, 8);
        let look = Look {
            scale: 2000.0,
            mirrored: false,
        };
        let model = model(Prediction::Velocity);
        let refused = votes(&model, &photo, look, Sampling::default());
        // 16000 x 24000 pixels, three classes and four bytes each, in units of 2^20 bytes.
        assert_eq!(refused, Err(SegmentError::TooWide(4394)));
    }

    #[test]
    fn a_photo_has_no_votes_where_a_model_diverged() {
        let photo = RgbImage::from_fn(12, 8, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let failure = |model: &Model| {
            let votes = votes(model, &photo, Look::default(), Sampling::default());
            votes.unwrap_err().to_string()
        };
        let far = constant(model(Prediction::Velocity), &[1e20; 3]);
        assert!(failure(&far).contains("out of range"));
        for prediction in [
            Prediction::Velocity,
            Prediction::Target,
            Prediction::Posterior,
            Prediction::Logits,
        ] {
            let error = failure(&testing::overflowing(model(prediction)));
            assert!(
                error.contains("the model's output is"),
                "{prediction:?}: {error}"
            );
        }
    }
}
