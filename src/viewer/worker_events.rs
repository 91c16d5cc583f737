//! Converts the worker's messages into what the window shows. Tensors are shared or uploaded, read
//! back, decoded and counted on the worker's thread, so that no frame waits for that.

use super::mask_store::{self, LabelPicture, StoredMask};
use crate::data::Truth;
use crate::encoding::{COLOUR_AXES, Centroids, FIRST_AXES, to_byte};
use crate::gpu::canvas::{Pipelines, Values};
use crate::gpu::resident::Resident;
use crate::gpu::textures::{LabelTexture, Photo};
use crate::inference;
use crate::job::Message;
use crate::labels;
use crate::model::Card;
use crate::trajectory;
use crate::votes::{Outlines, Votes};
use eframe::egui::{self, ColorImage, TextureHandle, TextureOptions};
use image::{RgbImage, imageops};
use std::borrow::Cow;
use std::sync::Arc;

/// Maximum longer side of a thumbnail, in pixels.
const THUMBNAIL: usize = 112;

/// A report of the worker's thread to the window.
pub(super) enum WorkerEvent {
    Model(Box<Card>, Centroids),
    Photo(OpenedPhoto),
    /// The device is compiling its kernels.
    Preparing,
    Flow(FlowEvent),
    Failed(String),
    /// The mask of a photo of the list, by its place, or an error in one line.
    Mask(usize, Result<StoredMask, String>),
}

/// What is new about the flow of the photo.
pub(super) enum FlowEvent {
    /// A state can be shown.
    State {
        t: f32,
        /// Its copy in graphics memory, or `None` without a graphics device.
        values: Option<Arc<Values>>,
    },
    Numbers {
        step: usize,
        host: Host,
        /// `None` for a comparison.
        thumbnails: Option<Thumbnails>,
    },
    Finished {
        /// The step from which each pixel keeps its class.
        settled: Vec<u16>,
        /// Of every step, the share of pixels, 0 to 1, whose predicted target has their final class.
        foreseen: Vec<f32>,
        /// The mask whose outlines follow the photo; not for a comparison.
        mask: Option<LabelPicture>,
    },
}

/// A photo whose flow is about to be sampled.
pub(super) struct OpenedPhoto {
    pub photo: Arc<RgbImage>,
    /// See [`mask_store::digest`].
    pub digest: u64,
    /// The photo in graphics memory.
    pub picture: Option<Arc<Photo>>,
    /// Its labels, if known.
    pub truth: Option<Arc<Truth>>,
    /// Its labels in graphics memory.
    pub truth_picture: Option<Arc<LabelTexture>>,
    /// `[height, width]` of the states.
    pub size: [usize; 2],
}

/// The numbers of a state on the host.
pub(super) struct Host {
    /// `x_t: [d, H, W]`, channel-major.
    pub x: Arc<Vec<f32>>,
    /// The nearest class of every pixel, `[H, W]`.
    pub labels: Arc<Vec<u16>>,
    /// The share of every class, 0 to 1.
    pub shares: Vec<f32>,
    /// Mean speed `|v|` over the step that leads to it; `None` for the source.
    pub speed: Option<f32>,
}

impl Host {
    /// Three channels, `[3, H, W]`; those of [`FIRST_AXES`] are the picture's colours.
    pub(super) fn along(&self, axes: [usize; COLOUR_AXES]) -> Cow<'_, [f32]> {
        let pixels = self.labels.len();
        if axes == FIRST_AXES {
            return Cow::Borrowed(&self.x[..self.x.len().min(COLOUR_AXES * pixels)]);
        }
        let channels = axes.map(|axis| self.x.get(axis * pixels..(axis + 1) * pixels));
        let channels = channels.into_iter().flatten();
        Cow::Owned(channels.flatten().copied().collect())
    }

    /// A pixel's state, `[d]`.
    pub(super) fn at(&self, pixel: usize) -> Vec<f32> {
        self.x
            .iter()
            .skip(pixel)
            .step_by(self.labels.len().max(1))
            .copied()
            .collect()
    }
}

pub(super) struct Thumbnails {
    pub raw: TextureHandle,
    pub map: TextureHandle,
    /// Width and height in pixels.
    size: [usize; 2],
    /// The classes of its pixels.
    labels: Vec<u16>,
}

impl Thumbnails {
    /// Draws the classes in new colours.
    pub(super) fn recolour(&mut self, colours: &[[u8; 3]]) {
        let colour = |&label: &u16| colours.get(usize::from(label)).copied().unwrap_or_default();
        let rgb: Vec<u8> = self.labels.iter().flat_map(colour).collect();
        let image = ColorImage::from_rgb(self.size, &rgb);
        self.map.set(image, TextureOptions::LINEAR);
    }
}

pub(super) struct EventConverter {
    /// Makes thumbnails.
    context: Option<egui::Context>,
    pipelines: Option<Arc<Pipelines>>,
    centroids: Centroids,
    /// See [`Outlines::radius`].
    radius: usize,
    photo: Option<Arc<RgbImage>>,
    size: [usize; 2],
    before: Option<(f32, Arc<Vec<f32>>)>,
    labels: Vec<Arc<Vec<u16>>>,
    /// The classes of the predicted target of every step.
    targets: Vec<Vec<u16>>,
}

impl EventConverter {
    /// Without a context there are no thumbnails, and without pipelines nothing else is uploaded.
    pub(super) fn new(context: Option<egui::Context>, pipelines: Option<Arc<Pipelines>>) -> Self {
        Self {
            context,
            pipelines,
            centroids: Centroids::kronecker(0),
            radius: 0,
            photo: None,
            size: [0, 0],
            before: None,
            labels: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Converts a message to one or two events. Returns whether the window still receives events.
    pub(super) fn convert(
        &mut self,
        message: Message,
        send: &mut dyn FnMut(WorkerEvent) -> bool,
    ) -> bool {
        match message {
            Message::Model(model) => {
                self.centroids = model.centroids();
                self.radius = Outlines::Photo.radius(model.card.filter_radius());
                send(WorkerEvent::Model(
                    Box::new(model.card.clone()),
                    self.centroids.clone(),
                ))
            }
            Message::Opened { photo, truth, size } => {
                self.size = size;
                self.photo = Some(photo.clone());
                self.before = None;
                self.labels.clear();
                self.targets.clear();
                match self.open(photo, truth, size) {
                    Ok(opened) => send(WorkerEvent::Photo(opened)),
                    Err(error) => {
                        send(WorkerEvent::Failed(error.to_string()));
                        false
                    }
                }
            }
            Message::Preparing => send(WorkerEvent::Preparing),
            Message::State(state, x) => {
                let (step, t) = (state.step, state.t);
                let values = match &self.pipelines {
                    None => None,
                    Some(pipelines) => match Resident::of(state.x) {
                        Some(resident) => Some(Arc::new(Values::Resident(resident))),
                        None => match pipelines.state(&x) {
                            Ok(values) => Some(Arc::new(values)),
                            Err(error) => {
                                send(WorkerEvent::Failed(error.to_string()));
                                return false;
                            }
                        },
                    },
                };
                // The numbers follow in the same queue, so that they arrive soon after the state.
                let state = FlowEvent::State { t, values };
                send(WorkerEvent::Flow(state)) && send(WorkerEvent::Flow(self.numbers(step, t, x)))
            }
            Message::Finished => {
                let labels: Vec<&[u16]> = self.labels.iter().map(|l| l.as_slice()).collect();
                let settled = trajectory::settle_steps(&labels);
                let last = labels.last().copied().unwrap_or_default();
                // Nothing else needs them, and they are not held until the next photo.
                let targets = std::mem::take(&mut self.targets);
                let agreement = |target: &Vec<u16>| trajectory::agreement(target, last);
                send(WorkerEvent::Flow(FlowEvent::Finished {
                    settled,
                    foreseen: targets.iter().map(agreement).collect(),
                    mask: self.mask(),
                }))
            }
            Message::Failed(text) => send(WorkerEvent::Failed(text)),
            Message::Mask(at, mask) => {
                let stored = mask.and_then(|mask| StoredMask::new(&mask.labels, &mask.photo));
                send(WorkerEvent::Mask(at, stored))
            }
        }
    }

    /// The mask of the last state with outlines that follow the photo; `None` where nothing is drawn, and see
    /// [`mask`].
    fn mask(&self) -> Option<LabelPicture> {
        self.pipelines.as_ref()?;
        let ((_, x), photo) = (self.before.as_ref()?, self.photo.as_ref()?);
        mask(&self.centroids, x, self.size, photo, self.radius)
    }

    fn open(
        &self,
        photo: Arc<RgbImage>,
        truth: Option<Arc<Truth>>,
        size: [usize; 2],
    ) -> Result<OpenedPhoto, crate::gpu::GpuError> {
        let (mut picture, mut truth_picture) = (None, None);
        if let Some(pipelines) = &self.pipelines {
            let longest = pipelines.longest_side();
            let uploaded = match reduced(photo.dimensions().into(), longest) {
                Some([width, height]) => {
                    pipelines.photo(&imageops::thumbnail(&*photo, width, height))?
                }
                None => pipelines.photo(&photo)?,
            };
            picture = Some(Arc::new(uploaded));
            // They are scored at their own size.
            if let Some(labels) = truth.as_ref().map(|truth| &truth.labels) {
                let size = [labels.height, labels.width];
                let uploaded = match reduced(size.map(|side| side as u32), longest) {
                    Some(smaller) => {
                        let smaller = smaller.map(|side| side as usize);
                        pipelines.labels(smaller, &labels.scaled(smaller))?
                    }
                    None => pipelines.labels(size, &labels.data)?,
                };
                truth_picture = Some(Arc::new(uploaded));
            }
        }
        Ok(OpenedPhoto {
            digest: mask_store::digest(&photo),
            photo,
            picture,
            truth,
            truth_picture,
            size,
        })
    }

    fn numbers(&mut self, step: usize, t: f32, x: Vec<f32>) -> FlowEvent {
        let labels = Arc::new(self.centroids.decode(&x));
        let x = Arc::new(x);
        let shares = labels::shares(&labels, self.centroids.len());
        let speed = self.before.take().map(|(before, a)| {
            let target = trajectory::target(&a, before, &x, t);
            self.targets.push(self.centroids.decode(&target));
            trajectory::mean_speed(&a, &x, labels.len(), t - before)
        });
        let context = self.context.as_ref();
        let thumbnails = context.map(|context| self.thumbnails(context, &x, &labels));
        self.before = Some((t, x.clone()));
        self.labels.push(labels.clone());
        let host = Host {
            x,
            labels,
            shares,
            speed,
        };
        FlowEvent::Numbers {
            step,
            host,
            thumbnails,
        }
    }

    fn thumbnails(&self, context: &egui::Context, x: &[f32], labels: &[u16]) -> Thumbnails {
        let [height, width] = self.size;
        let pixels = height * width;
        let side = height.max(width).max(1);
        let (rows, columns) = (
            (height * THUMBNAIL / side).max(1),
            (width * THUMBNAIL / side).max(1),
        );
        let cells: Vec<usize> = (0..rows * columns)
            .map(|i| (i / columns) * height / rows * width + (i % columns) * width / columns)
            .collect();
        let picture = |colour: &dyn Fn(usize) -> [u8; 3]| {
            let rgb: Vec<u8> = cells.iter().flat_map(|&cell| colour(cell)).collect();
            ColorImage::from_rgb([columns, rows], &rgb)
        };
        let load = |image| context.load_texture("thumbnail", image, TextureOptions::LINEAR);
        Thumbnails {
            raw: load(picture(&|p| [0, 1, 2].map(|c| to_byte(x[c * pixels + p])))),
            map: load(picture(&|p| self.centroids.colour(usize::from(labels[p])))),
            size: [columns, rows],
            labels: cells.iter().map(|&cell| labels[cell]).collect(),
        }
    }
}

/// The mask of a state `[d, H, W]`, filtered along its photo. `None` where the votes do not fit into memory: they would
/// not be filtered, and the state itself is shown.
fn mask(
    centroids: &Centroids,
    x: &[f32],
    size: [usize; 2],
    photo: &RgbImage,
    radius: usize,
) -> Option<LabelPicture> {
    inference::check_votes([size], centroids.len()).ok()?;
    let votes = Votes::of(centroids, x, size).along(photo, radius);
    let of_photo = [photo.width(), photo.height()].map(|side| side as usize);
    Some(LabelPicture::of_votes(&votes, of_photo))
}

/// A size with the same shape whose longer side is `longest`; `None` if neither side is longer.
fn reduced(size: [u32; 2], longest: u32) -> Option<[u32; 2]> {
    let longer = size[0].max(size[1]);
    let scaled = |side: u32| u64::from(side) * u64::from(longest) / u64::from(longer);
    (longer > longest).then(|| size.map(|side| (scaled(side) as u32).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_that_do_not_fit_into_memory_are_not_computed() {
        let photo = RgbImage::new(4, 2);
        let few = Centroids::kronecker(2);
        let x = few.encode(&[0, 1]);
        let small = mask(&few, &x, [1, 2], &photo, 0).unwrap();
        assert_eq!(
            (small.size, small.labels),
            ([4, 2], vec![0, 0, 1, 1, 0, 0, 1, 1])
        );
        // 4000 MiB; the state is not even read.
        let many = Centroids::kronecker(1000);
        assert!(mask(&many, &[], [1024, 1024], &photo, 0).is_none());
    }

    #[test]
    fn pictures_beyond_the_limit_of_a_device_are_reduced() {
        for (size, reduced_to) in [
            ([8192, 10], None),
            ([0, 0], None),
            ([16_384, 4096], Some([8192, 2048])),
            ([3, 40_000], Some([1, 8192])),
        ] {
            assert_eq!(reduced(size, 8192), reduced_to);
        }
    }

    #[test]
    fn a_state_along_three_of_its_axes() {
        let host = Host {
            x: Arc::new((0..10).map(|i| i as f32).collect()),
            labels: Arc::new(vec![0; 2]),
            shares: vec![1.0],
            speed: None,
        };
        assert_eq!(*host.along(FIRST_AXES), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(*host.along([4, 0, 3]), [8.0, 9.0, 0.0, 1.0, 6.0, 7.0]);
        // Another model's axis: what is left is too short to be drawn.
        assert_eq!(*host.along([0, 1, 5]), [0.0, 1.0, 2.0, 3.0]);
    }
}
