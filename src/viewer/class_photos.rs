//! The photos of the open list by a class: the class's share of each, and its IoU if labels are known.
//! A thread segments them one after another with its own network, which is freed when the list is
//! closed.

use super::latest::Latest;
use super::open_model::{OpenModel, load_same};
use super::photo_list::{Item, PhotoList};
use crate::data;
use crate::eval::Confusion;
use crate::inference::{self, Look};
use crate::job::{FlowSettings, SMALLER_INPUT, attempted, attempted_to_open};
use crate::labels;
use crate::model::Model;
use burn::tensor::Device;
use eframe::egui;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct PhotoClasses {
    /// The share of every class, 0 to 1.
    pub shares: Vec<f32>,
    /// IoU of every class, 0 to 1, if it occurs; `None` without labels.
    pub iou: Option<Vec<Option<f64>>>,
}

struct Request {
    index: usize,
    item: Item,
}

type Answer = (usize, Result<PhotoClasses, String>);

pub(super) struct ClassPhotos {
    pub class: usize,
    /// How the photos are segmented.
    pub settings: FlowSettings,
    items: Vec<Item>,
    /// The results of the first photos; `None` for one that could not be segmented.
    found: Vec<Option<PhotoClasses>>,
    worker: Latest<Request, Answer>,
}

/// A photo in the list of a class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Its index in the open list.
    pub index: usize,
    pub name: String,
    /// The class's share of its pixels, 0 to 1.
    pub share: f32,
    /// IoU of the class, 0 to 1.
    pub iou: Option<f64>,
}

impl ClassPhotos {
    /// Starts segmenting, with the first photo of the list.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(
        context: &egui::Context,
        device: Device,
        model: &OpenModel,
        settings: FlowSettings,
        photos: &PhotoList,
        class: usize,
    ) -> std::io::Result<Self> {
        let (name, file) = (model.name.clone(), model.file.clone());
        let load = move |device: &Device| load_same(&name, file.as_ref(), device);
        let answer = answers(device, settings, load);
        Ok(Self {
            class,
            settings,
            items: photos.items().to_vec(),
            found: Vec::new(),
            worker: Latest::start("flowseg-photos", context, answer)?,
        })
    }

    /// Receives results and requests the next photo. Returns an error in one line.
    pub(super) fn receive(&mut self) -> Option<String> {
        let mut error = None;
        if let Some((index, found)) = self.worker.poll() {
            error = found.as_ref().err().cloned();
            self.found.resize(index + 1, None);
            self.found[index] = found.ok();
        }
        if !self.worker.busy()
            && let Some(item) = self.items.get(self.found.len())
        {
            self.worker.ask(Request {
                index: self.found.len(),
                item: item.clone(),
            });
        }
        error
    }

    /// The number of segmented photos, and of all photos.
    pub(super) fn progress(&self) -> [usize; 2] {
        [self.found.len(), self.items.len()]
    }

    /// The photos in which the class occurs or is labelled: by its share, greatest first, or by its
    /// IoU, lowest first and undefined ones last.
    pub(super) fn rows(&self, by_iou: bool) -> Vec<Row> {
        let rows = self.found.iter().enumerate();
        let row = |(index, found): (usize, &Option<PhotoClasses>)| {
            let found = found.as_ref()?;
            let share = found.shares.get(self.class).copied().unwrap_or_default();
            let iou = found
                .iou
                .as_ref()
                .and_then(|iou| iou.get(self.class).copied()?);
            (share > 0.0 || iou.is_some()).then(|| Row {
                index,
                name: self.items[index].name(),
                share,
                iou,
            })
        };
        let mut rows: Vec<Row> = rows.filter_map(row).collect();
        if by_iou {
            let key = |row: &Row| row.iou.unwrap_or(f64::INFINITY);
            rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
        } else {
            rows.sort_by(|a, b| b.share.total_cmp(&a.share))
        }
        rows
    }
}

/// Answers requests with the model that `load` opens for the first one.
fn answers(
    device: Device,
    settings: FlowSettings,
    load: impl Fn(&Device) -> Result<Model, String>,
) -> impl FnMut(Request) -> Answer {
    let mut opened = None;
    move |request| {
        let loaded = match &opened {
            Some(model) => model,
            None => match attempted_to_open(&device, || load(&device)) {
                Ok(model) => &*opened.insert(model),
                Err(error) => return (request.index, Err(error)),
            },
        };
        let found = attempted(&device, || classes(loaded, &request.item, settings));
        (request.index, found)
    }
}

/// Segments a photo and measures its classes at its own size.
fn classes(model: &Model, item: &Item, settings: FlowSettings) -> Result<PhotoClasses, String> {
    let (photo, truth) = item.photo().labelled(&model.card.classes)?;
    let look = Look {
        scale: settings.scale,
        ..Look::default()
    };
    let votes = inference::votes(model, &photo, look, settings.sampling);
    let votes =
        votes.map_err(|error| format!("{}: {}", item.name(), error.with_remedy(SMALLER_INPUT)))?;
    let size = data::size_of(&photo);
    let labels = votes.labels(size);
    let count = model.card.classes.len();
    let iou = truth
        .filter(|truth| [truth.labels.height, truth.labels.width] == size)
        .map(|truth| {
            let mut confusion = Confusion::of(truth.known);
            confusion.add(&truth.labels.data, &labels);
            confusion.scores().iou
        });
    Ok(PhotoClasses {
        shares: labels::shares(&labels, count),
        iou,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_fills_the_memory_is_told_and_not_waited_for() {
        let load = |_: &Device| -> Result<Model, String> { panic!("out of memory") };
        let mut answer = answers(Device::flex(), FlowSettings::default(), load);
        for index in 0..2 {
            let item = PhotoList::samples(0).items()[index].clone();
            let told = "the device failed (its memory is full): try a smaller model";
            assert_eq!(
                answer(Request { index, item }),
                (index, Err(told.to_owned()))
            );
        }
    }

    #[test]
    fn photos_are_listed_by_share_and_by_score() {
        let context = egui::Context::default();
        let worker = Latest::start("flowseg-test", &context, |request: Request| {
            (request.index, Err("unused".to_owned()))
        });
        let of = |share: f32, iou: Option<f64>| {
            Some(PhotoClasses {
                shares: vec![1.0 - share, share],
                iou: iou.map(|iou| vec![None, Some(iou)]),
            })
        };
        let photos = ClassPhotos {
            class: 1,
            settings: FlowSettings::default(),
            items: PhotoList::samples(0).items().to_vec(),
            // The last photo neither has the class nor should have it; the third could not be read.
            found: vec![of(0.25, Some(0.5)), of(0.5, None), None, of(0.0, None)],
            worker: worker.unwrap(),
        };
        let order = |by_iou| {
            let rows = photos.rows(by_iou);
            rows.iter().map(|row| row.index).collect::<Vec<_>>()
        };
        assert_eq!((order(false), order(true)), (vec![1, 0], vec![0, 1]));
        assert_eq!(photos.rows(true)[0].iou, Some(0.5));
        assert_eq!(photos.progress(), [4, 4]);
    }
}
