//! Segmentation on a worker thread; in a browser, in turns of the page's event loop.
//!
//! A [`Worker`] segments photos and reports every state as it is computed. Its single thread lives as
//! long as the window, since GPU work is ordered by thread. It takes the latest request, stops the
//! previous one within one solver step, and reports through a bounded channel. When idle, it computes
//! the masks of a queue of photos, one after the other.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{LoadModel, Worker};
#[cfg(target_arch = "wasm32")]
pub use web::{LoadModel, Worker};

use crate::data::{self, ClassTable, SceneConfig, Truth};
use crate::device::{Failed, attempt};
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::panics::panic_message;
use crate::sampler::State;
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a photo comes from.
#[derive(Clone)]
pub enum Photo {
    /// A file, decoded by the worker.
    File(PathBuf),
    /// A decoded picture.
    Picture(Arc<RgbImage>),
    /// A procedural scene, rendered by the worker.
    Scene(SceneConfig, u64),
}

impl Photo {
    /// The photo, upright.
    pub(crate) fn picture(&self) -> Result<Arc<RgbImage>, String> {
        match self {
            Self::Picture(picture) => Ok(picture.clone()),
            Self::Scene(config, index) => Ok(Arc::new(data::render(config, *index).image)),
            Self::File(path) => match data::read_photo(path) {
                Ok(photo) => Ok(Arc::new(photo)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    /// The photo, upright, and its labels as indices of a model's classes: of a file, if its data set has one of
    /// them; of a scene, if all of its classes are among them.
    pub(crate) fn labelled(
        &self,
        classes: &[String],
    ) -> Result<(Arc<RgbImage>, Option<Truth>), String> {
        Ok(match self {
            Self::Scene(config, index) => {
                let scene = data::render(config, *index);
                let (own, table) = (
                    data::scene_classes(config),
                    ClassTable::new(classes.to_vec()),
                );
                let known = own.iter().all(|name| table.find(name).is_some());
                let truth = known.then(|| Truth::new(scene.labels, &own, &table));
                (Arc::new(scene.image), truth)
            }
            Self::File(path) => (self.picture()?, data::labels_of(path, classes)),
            Self::Picture(picture) => (picture.clone(), None),
        })
    }
}

/// How the flow of a photo is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowSettings {
    pub sampling: Sampling,
    /// The size that the network sees, see [`Look::scale`](inference::Look::scale).
    pub scale: f64,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self {
            sampling: Sampling::default(),
            scale: 1.0,
        }
    }
}

/// What the worker reports.
pub enum Message {
    /// A model was opened.
    Model(Arc<Model>),
    /// The photo was decoded.
    Opened {
        /// The photo, upright.
        photo: Arc<RgbImage>,
        /// Its labels, if it belongs to a data set with classes of the model.
        truth: Option<Arc<Truth>>,
        /// `[height, width]` of the states.
        size: [usize; 2],
    },
    /// The device compiles its kernels for this size; later photos of this size start at once.
    Preparing,
    /// A state was computed. Its values, `[d, H, W]`, are on the host and have passed
    /// [`check_finite`](inference::check_finite).
    State(Box<State>, Vec<f32>),
    /// All states were computed.
    Finished,
    /// A one-line error with a remedy.
    Failed(String),
    /// A photo of the queue is done: its number, and its mask or a one-line error.
    Mask(usize, Result<Mask, String>),
}

/// The mask of a photo.
pub struct Mask {
    /// The photo as it was read, upright.
    pub photo: Arc<RgbImage>,
    /// One class index per pixel, row by row.
    pub labels: Vec<u16>,
}

/// A photo that is ready for its flow.
struct Opened {
    photo: Arc<RgbImage>,
    truth: Option<Arc<Truth>>,
    /// `[height, width]` of the states.
    size: [usize; 2],
    input: Tensor<4>,
}

/// What makes the work on a photo need less memory.
pub(crate) const SMALLER_INPUT: &str = "a smaller scale of the input";
/// What makes opening a model need less memory.
const SMALLER_MODEL: &str = "a smaller model";

/// The line about a computation on a device that failed with a panic or an error of Burn with this message;
/// `smaller` is what needs less memory.
fn failure(message: &str, device: &Device, smaller: &'static str) -> String {
    let failed = Failed::of(message, device).needing_less_with(smaller);
    failed.to_string()
}

/// The result of work with a photo on a device, or one line about its panic.
pub(crate) fn attempted<T>(
    device: &Device,
    work: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    attempted_with(device, SMALLER_INPUT, work)
}

/// The result of opening a model on a device, or one line about its panic.
pub(crate) fn attempted_to_open<T>(
    device: &Device,
    open: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    attempted_with(device, SMALLER_MODEL, open)
}

fn attempted_with<T>(
    device: &Device,
    smaller: &'static str,
    work: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    attempt(work).unwrap_or_else(|panic| Err(failure(&panic_message(&*panic), device, smaller)))
}

/// Decodes a photo, with its labels if they have classes of the model; `scale` is that of [`FlowSettings`].
fn open(model: &Model, photo: Photo, scale: f64) -> Result<Opened, String> {
    let (photo, truth) = photo.labelled(&model.card.classes)?;
    let [height, width] = data::size_of(&photo);
    let fits = |truth: &Truth| [truth.labels.height, truth.labels.width] == [height, width];
    let truth = truth.filter(fits).map(Arc::new);
    let size = inference::network_size(model, width, height, scale);
    let input = inference::input(&[&photo], size, &model.network.device());
    Ok(Opened {
        photo,
        truth,
        size,
        input,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Viewing;
    use crate::labels::IGNORE;
    use crate::model::testing;
    use crate::votes::Outlines;

    fn load() -> LoadModel {
        Box::new(|_| Ok(testing::tiny(&["a", "b"], [16, 16], |_| ())))
    }

    fn worker() -> Worker<Message> {
        Worker::start(Device::flex(), |message, send| send(message), || ()).unwrap()
    }

    fn wait(worker: &Worker<Message>) -> Message {
        loop {
            if let Some(message) = worker.poll() {
                return message;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    fn sampling(steps: usize) -> Sampling {
        Sampling {
            steps,
            ..Sampling::default()
        }
    }

    fn settings(steps: usize) -> FlowSettings {
        FlowSettings {
            sampling: sampling(steps),
            ..FlowSettings::default()
        }
    }

    fn picture() -> Photo {
        Photo::Picture(Arc::new(RgbImage::new(30, 20)))
    }

    #[test]
    fn states_come_in_order_and_then_the_end() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), settings(3));
        let Message::Opened { size, truth, .. } = wait(&worker) else {
            panic!("expected the photo")
        };
        assert!(truth.is_none());
        for step in 0..=3 {
            let Message::State(state, values) = wait(&worker) else {
                panic!("expected a state")
            };
            assert_eq!(state.step, step);
            assert_eq!(state.x.dims(), [1, 3, size[0], size[1]]);
            assert_eq!(values, crate::model::tensors::read(state.x));
        }
        assert!(matches!(wait(&worker), Message::Finished));
    }

    #[test]
    fn a_scene_has_labels_for_models_with_all_of_its_classes() {
        let config = SceneConfig {
            size: [16, 24],
            classes: 3,
            ..SceneConfig::default()
        };
        let scene = data::render(&config, 1);
        let mut classes = data::scene_classes(&config);
        let truth = |classes: &[String]| Photo::Scene(config, 1).labelled(classes).unwrap().1;
        assert_eq!(truth(&classes).unwrap().labels, scene.labels);
        // As in training on several data sets: more classes, in another order.
        classes.insert(0, "other".to_owned());
        let moved = truth(&classes).unwrap();
        assert_eq!(moved.known, [false, true, true, true]);
        for (moved, label) in moved.labels.data.iter().zip(&scene.labels.data) {
            let expected = if *label == IGNORE { IGNORE } else { label + 1 };
            assert_eq!(*moved, expected);
        }
        assert!(truth(&classes[..3]).is_none());
    }

    #[test]
    fn a_newer_task_replaces_a_running_one() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), settings(100_000));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        worker.flow(picture(), settings(1));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        let Message::State(state, _) = wait(&worker) else {
            panic!("expected a state")
        };
        assert_eq!(state.step, 0);
    }

    #[test]
    fn states_of_a_model_that_diverged_are_not_shown() {
        let worker = worker();
        worker.open_model(Box::new(|_| {
            let model = testing::tiny(&["a", "b"], [16, 16], |_| ());
            Ok(testing::constant(model, &[1e20; 3]))
        }));
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), settings(2));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        // The source is the photo.
        assert!(matches!(wait(&worker), Message::State(..)));
        let Message::Failed(text) = wait(&worker) else {
            panic!("expected a failure")
        };
        assert!(text.contains("out of range"), "{text}");
    }

    #[test]
    fn failures_are_reported_and_the_worker_goes_on() {
        let worker = worker();
        worker.flow(picture(), settings(1));
        assert!(matches!(wait(&worker), Message::Failed(_)));
        worker.open_model(Box::new(|_| panic!("out of memory")));
        let Message::Failed(text) = wait(&worker) else {
            panic!("expected what the panic says")
        };
        let told = "the device failed (its memory is full): try a smaller model";
        assert_eq!(text, told);
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(Photo::File("no such photo.png".into()), settings(1));
        let Message::Failed(text) = wait(&worker) else {
            panic!("expected an error")
        };
        assert!(text.contains("no such photo.png"));
    }

    #[test]
    fn a_panic_of_other_work_is_told_like_that_of_the_worker() {
        let device = Device::flex();
        assert_eq!(attempted(&device, || Ok(3)), Ok(3));
        let full = || -> Result<(), String> {
            panic!("Caused by: can't allocate buffer of size: 1048577")
        };
        // On the CPU nothing says to use it.
        let told = "the device failed (it cannot allocate 2 MiB): try a smaller scale of the input";
        assert_eq!(attempted(&device, full), Err(told.to_owned()));
        let told = "the device failed (it cannot allocate 2 MiB): try a smaller model";
        assert_eq!(attempted_to_open(&device, full), Err(told.to_owned()));
    }

    fn viewing() -> Viewing {
        Viewing {
            outlines: Outlines::default(),
            looks: vec![inference::Look::default()],
            tiling: inference::Tiling::Auto,
            sampling: sampling(1),
            ignore_below: 0.0,
        }
    }

    #[test]
    fn a_queue_goes_on_after_requests_and_failures() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        let mut photos: Vec<_> = (0..5).map(|number| (number, picture())).collect();
        photos[2].1 = Photo::File("no such photo.png".into());
        // A request comes before the queue and is not part of it.
        worker.flow(picture(), settings(1));
        worker.queue(photos, viewing());
        let (mut done, mut finished) = (Vec::new(), false);
        while done.len() < 5 {
            match wait(&worker) {
                Message::Mask(number, Ok(mask)) => {
                    assert_eq!(mask.photo.dimensions(), (30, 20));
                    assert_eq!(mask.labels.len(), 600);
                    done.push(number);
                }
                Message::Mask(number, Err(error)) => {
                    assert!(number == 2 && error.contains("no such photo.png"));
                    done.push(number);
                }
                Message::Finished => finished = true,
                _ => {}
            }
        }
        assert!(finished);
        assert_eq!(done, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_request_interrupts_a_photo_of_the_queue_which_is_done_later() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        let mut slow = viewing();
        slow.sampling.steps = 3000;
        worker.queue(vec![(7, picture())], slow);
        std::thread::sleep(std::time::Duration::from_millis(20));
        worker.flow(picture(), settings(1));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        let last = loop {
            match wait(&worker) {
                Message::Mask(number, Ok(_)) => break number,
                Message::State(..) | Message::Finished => {}
                _ => panic!("expected a mask"),
            }
        };
        assert_eq!(last, 7);
        // A new queue replaces the old one; an empty one cancels it.
        let mut slow = viewing();
        slow.sampling.steps = 1_000_000;
        worker.queue(vec![(8, picture())], slow);
        worker.queue(Vec::new(), viewing());
        worker.flow(picture(), settings(1));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
    }

    #[test]
    fn another_model_makes_no_masks_of_the_queue_so_far() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        let mut slow = viewing();
        slow.sampling.steps = 1_000_000;
        worker.queue(vec![(8, picture()), (9, picture())], slow);
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), settings(1));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        while !matches!(wait(&worker), Message::Finished) {}
        worker.queue(vec![(5, picture())], viewing());
        assert!(matches!(wait(&worker), Message::Mask(5, Ok(_))));
    }

    #[test]
    fn a_cancelled_task_sends_nothing_more() {
        let worker = worker();
        worker.open_model(load());
        assert!(matches!(wait(&worker), Message::Model(_)));
        worker.flow(picture(), settings(100_000));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        worker.cancel();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(worker.poll().is_none());
    }

    #[test]
    fn a_worker_that_is_dropped_frees_its_model() {
        let worker = worker();
        worker.open_model(load());
        let Message::Model(model) = wait(&worker) else {
            panic!("expected a model")
        };
        let held = Arc::downgrade(&model);
        drop(model);
        worker.flow(picture(), settings(100_000));
        assert!(matches!(wait(&worker), Message::Opened { .. }));
        assert!(held.upgrade().is_some());
        drop(worker);
        assert!(held.upgrade().is_none());
    }
}
