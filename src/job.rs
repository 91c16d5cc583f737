//! Work off the caller's thread: one message type for whoever shows it.
//!
//! A job runs on a named thread and reports through a bounded channel. Dropping its handle, or
//! calling [`Job::cancel`], stops it within one solver step.

use crate::data;
use crate::encoding::Centroids;
use crate::inference::{self, Sampling};
use crate::model::Model;
use crate::model::tensors::read;
use image::RgbImage;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Messages that wait for a reader before the worker does.
const QUEUE: usize = 4;

/// Where a photo comes from.
#[derive(Clone)]
pub enum Photo {
    /// A file, decoded by the job.
    File(PathBuf),
    /// A picture at hand.
    Picture(Arc<RgbImage>),
}

/// One state of a flow, on the host.
pub struct HostState {
    /// Its number, from 0.
    pub step: usize,
    /// Its time.
    pub t: f32,
    /// `x_t: [3, H, W]`, channel-major.
    pub x: Vec<f32>,
    /// The nearest class of every pixel, `[H, W]`.
    pub labels: Vec<u16>,
}

/// What a job reports.
pub enum Message {
    /// The photo was decoded; the network sees it at this height and width.
    Opened {
        /// The photo, upright.
        photo: Arc<RgbImage>,
        /// Height and width of the states.
        size: [usize; 2],
    },
    /// A state was computed.
    State(HostState),
    /// It came to its end.
    Finished,
    /// It failed; one line that says what to do.
    Failed(String),
}

/// A running segmentation.
pub struct Job {
    cancelled: Arc<AtomicBool>,
    messages: Option<Receiver<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl Job {
    /// Starts segmenting a photo. `wake` is called after every message.
    ///
    /// # Errors
    /// A system that can't start another thread.
    pub fn segment(
        model: Arc<Model>,
        photo: Photo,
        sampling: Sampling,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, messages) = sync_channel(QUEUE);
        let cancelled = Arc::new(AtomicBool::new(false));
        let stop = cancelled.clone();
        let thread = Builder::new().name("flowseg-flow".into()).spawn(move || {
            let tell = |message| {
                let told = sender.send(message).is_ok();
                wake();
                told && !stop.load(Ordering::Relaxed)
            };
            flow(&model, photo, sampling, &tell);
            drop::<SyncSender<Message>>(sender);
            wake();
        })?;
        Ok(Self {
            cancelled,
            messages: Some(messages),
            thread: Some(thread),
        })
    }

    /// The next message, if one is there.
    pub fn poll(&self) -> Option<Message> {
        self.messages.as_ref()?.try_recv().ok()
    }

    /// Stops it within one solver step.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.cancel();
        // Without a reader a blocked send returns, so that joining cannot hang.
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn flow(model: &Model, photo: Photo, sampling: Sampling, tell: &impl Fn(Message) -> bool) {
    let photo = match photo {
        Photo::Picture(picture) => picture,
        Photo::File(path) => match data::read_photo(&path) {
            Ok(photo) => Arc::new(photo),
            Err(error) => {
                tell(Message::Failed(error.to_string()));
                return;
            }
        },
    };
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let size = inference::network_size(model, width, height);
    if !tell(Message::Opened {
        photo: photo.clone(),
        size,
    }) {
        return;
    }
    let input = inference::input(&[&photo], size, &model.network.device());
    let centroids: Centroids = model.centroids();
    for state in inference::flow(model, input, sampling) {
        let x = read(state.x);
        let labels = centroids.decode(&x);
        if !tell(Message::State(HostState {
            step: state.step,
            t: state.t,
            x,
            labels,
        })) {
            return;
        }
    }
    tell(Message::Finished);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{config::Config, step};
    use burn::tensor::Device;

    fn model() -> Arc<Model> {
        let settings = ["model.hidden_size=16", "model.heads=2", "data.size=[16,16]"];
        let config = Config::parse("", &settings.map(str::to_owned)).unwrap();
        let classes = ["a".to_owned(), "b".to_owned()];
        Arc::new(step::start(&config, "test", &classes, &Device::flex()).average)
    }

    fn wait(job: &Job) -> Message {
        loop {
            if let Some(message) = job.poll() {
                return message;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    #[test]
    fn states_come_in_order_and_then_the_end() {
        let photo = Photo::Picture(Arc::new(RgbImage::new(30, 20)));
        let sampling = Sampling {
            steps: 3,
            ..Sampling::default()
        };
        let job = Job::segment(model(), photo, sampling, || ()).unwrap();
        assert!(matches!(wait(&job), Message::Opened { .. }));
        for step in 0..=3 {
            let Message::State(state) = wait(&job) else {
                panic!("a state is due")
            };
            assert_eq!(state.step, step);
            assert_eq!(state.x.len(), 3 * state.labels.len());
        }
        assert!(matches!(wait(&job), Message::Finished));
    }

    #[test]
    fn a_cancelled_job_ends_soon_and_a_bad_file_says_so() {
        let photo = Photo::Picture(Arc::new(RgbImage::new(30, 20)));
        let sampling = Sampling {
            steps: 1000,
            ..Sampling::default()
        };
        drop(Job::segment(model(), photo, sampling, || ()).unwrap());
        let missing = Photo::File("no such photo.png".into());
        let job = Job::segment(model(), missing, sampling, || ()).unwrap();
        let Message::Failed(text) = wait(&job) else {
            panic!("it cannot be opened")
        };
        assert!(text.contains("no such photo.png"));
    }
}
