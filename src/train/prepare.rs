//! Opens and checks the data of a run. That can take minutes on a slow disk, so it runs on its own
//! thread, and stopping does not wait for it.

use super::config::Stage;
use super::{Event, TrainError};
use crate::data::{ClassTable, DataError, DataList, Dataset, check};
use crate::eval;
use crate::format::some_of;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// Interval between calls of `stop` while waiting.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) struct Prepared {
    pub training: Arc<Dataset>,
    pub validation: Option<Dataset>,
    /// [`Dataset::fingerprint`] of both, with the classes in their own order; empty without validation.
    pub fingerprints: [String; 2],
}

impl Prepared {
    /// The same data with these classes, among which are all of its own.
    pub(super) fn within(self, classes: &ClassTable) -> Self {
        let with = |data: Dataset| data.clone().within(classes).unwrap_or(data);
        Self {
            training: Arc::new(with(Dataset::clone(&self.training))),
            validation: self.validation.map(with),
            fingerprints: self.fingerprints,
        }
    }
}

/// Opens and checks a run's data, and reads all labels if the run depends on class frequencies.
/// `None` if stopped.
pub(super) fn prepare(
    plan: &[Stage],
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Option<Prepared>, TrainError> {
    let Some(first) = plan.first() else {
        return Ok(None);
    };
    let list = first.config.data_list();
    let any = |needs: fn(&Stage) -> bool| plan.iter().any(needs);
    let validates = any(|Stage { config, .. }| config.train.validate_every > 0);
    let counts =
        any(|Stage { config, .. }| config.loss.class_balance > 0.0 || config.data.balance > 0.0);
    let Some(opened) = unless_stopped(stop, move || open(&list, validates))?.transpose()? else {
        return Ok(None);
    };
    let (training, validation) = opened;
    let skip_bad = first.config.data.skip_bad;
    let Some(training) = checked(training, "training", skip_bad, report, stop)? else {
        return Ok(None);
    };
    training.refuse_black_and_white()?;
    let missing = training.missing_classes();
    if !missing.is_empty() {
        let (noun, it) = match missing.len() {
            1 => ("class", "it"),
            _ => ("classes", "them"),
        };
        tracing::warn!(
            "no label of the training data has the {noun} {}: the model cannot learn {it}",
            some_of(&missing)
        );
    }
    let validation = match validation {
        None => None,
        Some(data) => match checked(data, "validation", skip_bad, report, stop)? {
            None => return Ok(None),
            usable => usable,
        },
    };
    let validated = plan.iter().map(|stage| &stage.config.train);
    let samples: BTreeSet<usize> = validated
        .filter(|t| t.validate_every > 0)
        .map(|t| t.validate_samples)
        .collect();
    let finished = unless_stopped(stop, move || {
        for samples in samples {
            if let Some(data) = &validation
                && !has_labels(data, samples)?
            {
                return Err(TrainError::Unlabelled { samples });
            }
        }
        Ok(finish(training, validation, counts))
    })?;
    finished.transpose()
}

fn open(list: &DataList, validates: bool) -> Result<(Dataset, Option<Dataset>), TrainError> {
    let training = open_training(list)?;
    let validation = if validates {
        Some(open_validation(list, &training)?)
    } else {
        None
    };
    Ok((training, validation))
}

/// A data set after checking that all its pairs can be read. `None` if stopped.
fn checked(
    data: Dataset,
    split: &'static str,
    skip_bad: bool,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Option<Dataset>, TrainError> {
    let mut progress = |done, of| report(Event::Checking { split, done, of });
    let memory = check::memory();
    match data.check(memory.as_deref(), &mut progress, stop) {
        None => Ok(None),
        Some(check) => Ok(Some(data.checked(check, skip_bad)?)),
    }
}

/// Whether any of the photos that a validation scores has a labelled pixel.
///
/// # Errors
/// If labels cannot be read.
fn has_labels(data: &Dataset, samples: usize) -> Result<bool, DataError> {
    for i in eval::spread(data.len(), samples) {
        let labels = data.load_labels(i)?;
        if !labels.present_classes(data.classes().len()).is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn finish(training: Dataset, validation: Option<Dataset>, counts: bool) -> Prepared {
    if counts {
        training.class_pixels();
    }
    let fingerprint = |data: &Dataset| data.fingerprint();
    Prepared {
        fingerprints: [
            fingerprint(&training),
            validation.as_ref().map_or_else(String::new, fingerprint),
        ],
        training: Arc::new(training),
        validation,
    }
}

/// The training splits, which must have at least two classes together.
pub(super) fn open_training(list: &DataList) -> Result<Dataset, TrainError> {
    let data = list.open_training()?;
    match data.classes().len() {
        count @ (0 | 1) => Err(TrainError::FewClasses { count }),
        _ => Ok(data),
    }
}

/// The validation split of the first data set: scores then compare with those of a run on it alone.
fn open_validation(list: &DataList, training: &Dataset) -> Result<Dataset, TrainError> {
    list.open_first("validation", training)
        .map_err(|error| match error {
            DataError::NoSplit { .. } | DataError::EmptySplit { .. } => {
                TrainError::NoValidation(error)
            }
            other => TrainError::Data(other),
        })
}

/// Runs `work` on another thread and waits for it. `None` if stopped; the thread is then detached.
fn unless_stopped<T: Send + 'static>(
    stop: &dyn Fn() -> bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, TrainError> {
    let (sender, result) = sync_channel(1);
    let failed = |reason: String| TrainError::Thread(reason);
    Builder::new()
        .name("flowseg-prepare".into())
        .spawn(move || {
            // Fails if the result is no longer awaited.
            let _ = sender.send(work());
        })
        .map_err(|error| failed(error.to_string()))?;
    while !stop() {
        match result.recv_timeout(POLL_INTERVAL) {
            Ok(done) => return Ok(Some(done)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(failed("its thread ended unexpectedly".into()));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::config::Config;
    use std::fs;
    use std::time::Instant;

    #[test]
    fn photos_without_labels_are_refused_before_the_first_step() {
        let folder = tempfile::tempdir().unwrap();
        for split in ["training", "validation"] {
            let [photos, labels] =
                ["images", "annotations"].map(|kind| folder.path().join(kind).join(split));
            for path in [&photos, &labels] {
                fs::create_dir_all(path).unwrap();
            }
            for i in 0..3 {
                let name = format!("p{i}.png");
                let photo = image::RgbImage::new(24, 16);
                photo.save(photos.join(&name)).unwrap();
                // 255 has no class.
                let class = if split == "training" || i == 2 {
                    0
                } else {
                    255
                };
                let label = image::GrayImage::from_pixel(24, 16, image::Luma([class]));
                label.save(labels.join(&name)).unwrap();
            }
        }
        fs::write(folder.path().join("classes.txt"), "sky\nroad\n").unwrap();
        let prepared = |settings: &[&str]| {
            let path = format!("data.path={}", folder.path().display());
            let settings = settings.iter().map(ToString::to_string);
            let settings: Vec<String> = std::iter::once(path).chain(settings).collect();
            let plan = Config::parse("", &settings).unwrap().plan().unwrap();
            prepare(&plan, &mut |_| (), &|| false)
        };
        // Two of three are the first and the second.
        let error = prepared(&["train.validate_samples=2"]).err().unwrap();
        assert!(matches!(error, TrainError::Unlabelled { samples: 2 }));
        let usable = prepared(&["train.validate_samples=0"]).unwrap().unwrap();
        // Where a model gives the classes another order, the data is the same.
        let fingerprints = usable.fingerprints.clone();
        let names = ["road", "sky"].map(str::to_owned).to_vec();
        let turned = usable.within(&ClassTable { names });
        assert_eq!(turned.training.classes().names, ["road", "sky"]);
        assert_eq!(turned.fingerprints, fingerprints);
        let off = ["train.validate_samples=2", "train.validate_every=0"];
        assert!(prepared(&off).unwrap().is_some());
    }

    #[test]
    fn a_stop_does_not_wait_for_work() {
        let started = Instant::now();
        let stop = || started.elapsed() > Duration::from_millis(100);
        let forever = || std::thread::sleep(Duration::from_secs(600));
        assert!(unless_stopped(&stop, forever).unwrap().is_none());
        assert!(started.elapsed() < Duration::from_secs(60));
        assert_eq!(unless_stopped(&|| false, || 7).unwrap(), Some(7));
        let failed = unless_stopped(&|| false, || panic!("on purpose"));
        assert!(matches!(failed, Err(TrainError::Thread(_))));
    }
}
