//! Tables of training runs: one question, a grid of configurations and seeds, one answer.
//!
//! [`run`] trains every row of a [`Table`] with every seed, scores each finished model by the code
//! of `flowseg eval`, by default with the network's own outlines ([`ScoreSettings::outlines`]), and writes `table.md`,
//! `table.csv` and plots. Finished runs are kept, and an
//! interrupted run continues from its checkpoint, so a table can be made over days.
//!
//! ```text
//! OUT/table.md, table.csv, *.svg     the results so far
//! OUT/scores/NAME.json               a finished run: settings, curve, scores
//! OUT/runs/NAME/                     its run folder, without checkpoints once it is scored
//! ```

mod error;
mod plot;
mod record;
mod report;
mod table;

pub use error::AblateError;
pub use record::{Record, StepResult};
pub use report::{OUTPUTS, keep_foreign};
pub use table::{Job, ScoreSettings, Table};

use crate::data::{ClassTable, DataError, DataList, Dataset, check};
use crate::device::Opened;
use crate::eval::{self, Agreement, Confusion, EvalError, Scoring};
use crate::files;
use crate::flow::Source;
use crate::inference::Look;
use crate::model::{self, Card, Model};
use crate::run_format::{CHECKPOINTS, CONFIG, METRICS, MODEL};
use crate::train::config::Config;
use crate::train::folder::RunFolder;
use crate::train::{self, TrainError};
use burn::module::Module;
use std::path::Path;
use std::rc::Rc;

/// The events of making a table, in order.
pub enum Event {
    /// A run starts, continues, or was already finished.
    Job {
        /// Its number from 1, and the number of runs.
        number: [usize; 2],
        /// `ROW, seed SEED`
        name: String,
        /// Whether it was already finished.
        done: bool,
    },
    /// An event of its training.
    Train(train::Event),
    /// Its model is being scored.
    Scoring,
    /// It has been scored: mIoU, 0 to 1, at the last number of solver steps; `None` if it diverged.
    Scored(Option<f64>),
}

/// Makes a table in the folder `out`, continuing from what exists, and returns whether it is
/// complete. `stop` is polled before every training step and every scored batch.
///
/// # Errors
/// If `out` contains results of other settings, or data or files fail. A run that diverges is a
/// result, not an error.
pub fn run(
    table: &Table,
    out: &Path,
    device: &Opened,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<bool, AblateError> {
    let read = |job| Record::read(out, job, &table.score);
    let mut records: Vec<Option<Record>> = table.jobs.iter().map(read).collect::<Result<_, _>>()?;
    let Some(photos) = scored_photos(table, &records, report, stop)? else {
        return Ok(false);
    };
    for job in of_other_data(table, &records, &photos) {
        tracing::warn!(
            "{} was trained or scored on other data than there is now: its row cannot be compared with those that are \
             still to come; remove its record from scores/ and its folder from runs/ to make it again",
            job.title()
        );
    }
    for folder in ["runs", "scores"] {
        files::create_folder(&out.join(folder))?;
    }
    // A row that is inserted or trained again does not hide those that follow.
    let write = |records: &[Option<Record>]| {
        let finished: Vec<Record> = records.iter().flatten().cloned().collect();
        report::write(table, out, &finished)
    };
    write(&records)?;
    for (i, job) in table.jobs.iter().enumerate() {
        report(Event::Job {
            number: [i + 1, table.jobs.len()],
            name: job.title(),
            done: records[i].is_some(),
        });
        let Some(photos) = &photos[i] else {
            continue;
        };
        match finish(table, job, photos, out, device, report, stop)? {
            Some(record) => records[i] = Some(record),
            None => return Ok(false),
        }
        write(&records)?;
    }
    Ok(true)
}

/// The photos that runs of one data set are scored on.
struct Photos {
    list: DataList,
    skip_bad: bool,
    /// Number of pairs that are trained on.
    training: usize,
    scored: Dataset,
    /// Those of a [`Record`].
    fingerprints: [String; 2],
}

/// The photos that each run will be scored on, by the index of the run; `None` for a finished run.
type Scored = Vec<Option<Rc<Photos>>>;

/// Opens and checks what the unfinished runs will be scored on: a training of hours should not end with
/// a photo that cannot be read. `None` if stopped.
fn scored_photos(
    table: &Table,
    records: &[Option<Record>],
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Option<Scored>, DataError> {
    let mut opened: Scored = Vec::new();
    for (job, record) in table.jobs.iter().zip(records) {
        if record.is_some() {
            opened.push(None);
            continue;
        }
        let settings = scored_on(job);
        let (list, skip_bad) = (settings.data_list(), settings.data.skip_bad);
        let known = opened.iter().flatten();
        let mut same = known.filter(|photos| photos.list == list && photos.skip_bad == skip_bad);
        let photos = match same.next().cloned() {
            Some(photos) => photos,
            None => match Photos::open(list, &table.score.split, skip_bad, report, stop)? {
                Some(photos) => Rc::new(photos),
                None => return Ok(None),
            },
        };
        opened.push(Some(photos));
    }
    Ok(Some(opened))
}

impl Photos {
    /// Opens and checks the photos; `None` if stopped. Unusable pairs of the training split are
    /// counted; if they are not to be skipped, the training reports them.
    fn open(
        list: DataList,
        split: &str,
        skip_bad: bool,
        report: &mut dyn FnMut(Event),
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, DataError> {
        let training = list.open_training()?;
        let scored = list.open_first(split, &training)?;
        let memory = check::memory();
        let mut check = |data: &Dataset, split| {
            let mut progress =
                |done, of| report(Event::Train(train::Event::Checking { split, done, of }));
            data.check(memory.as_deref(), &mut progress, stop)
        };
        let Some(of_scored) = check(&scored, "scored") else {
            return Ok(None);
        };
        let scored = scored.checked(of_scored, skip_bad)?;
        let Some(of_training) = check(&training, "training") else {
            return Ok(None);
        };
        Ok(Some(Self {
            training: training.len() - of_training.bad.len(),
            fingerprints: [&training, &scored].map(Dataset::fingerprint),
            list,
            skip_bad,
            scored,
        }))
    }
}

/// The finished runs whose data is that of an unfinished one by its settings, but has changed since.
fn of_other_data<'a>(
    table: &'a Table,
    records: &'a [Option<Record>],
    photos: &'a Scored,
) -> impl Iterator<Item = &'a Job> {
    let finished = table.jobs.iter().zip(records);
    finished.filter_map(|(job, record)| {
        let record = record.as_ref()?;
        let settings = scored_on(job);
        let now = photos.iter().flatten().find(|photos| {
            photos.list == settings.data_list() && photos.skip_bad == settings.data.skip_bad
        })?;
        let is_known = record.fingerprints.iter().all(|print| !print.is_empty());
        (is_known && record.fingerprints != now.fingerprints).then_some(job)
    })
}

/// The settings of the data that a run is scored on: stages may repeat them, but all use the same.
fn scored_on(job: &Job) -> Config {
    let plan = job.config.plan().unwrap_or_default();
    let first = plan.into_iter().next();
    first.map_or_else(|| job.config.clone(), |stage| stage.config)
}

/// Trains and scores one run; `None` if stopped.
fn finish(
    table: &Table,
    job: &Job,
    photos: &Photos,
    out: &Path,
    device: &Opened,
    report: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Option<Record>, AblateError> {
    let folder = out.join("runs").join(&job.name);
    unchanged(&folder, &job.config)?;
    let resume = RunFolder::holds_run(&folder);
    let path = folder.join(MODEL);
    let mut record = Record::new(job, &table.score, device);
    record.fingerprints = photos.fingerprints.clone();
    if path.exists() {
        // Its time per step is that of the device that it was trained on, and its photos are those of then.
        if let Some(before) = Record::stored(out, job)? {
            record.device = before.device;
            let [trained_on, _] = before.fingerprints;
            record.fingerprints[0] = trained_on;
        }
    } else {
        let mut parameters = 0;
        let mut tell = |event| {
            if let train::Event::Started { parameters: of, .. } = &event {
                parameters = *of;
            }
            report(Event::Train(event));
        };
        match train::run(
            &job.config,
            &folder,
            resume,
            &device.device,
            &mut tell,
            stop,
        ) {
            Ok(outcome) if outcome.stopped => return Ok(None),
            Ok(_) => {}
            // Divergence is a result that the table should show.
            Err(error @ TrainError::Diverged { .. }) => record.failure = Some(error.to_string()),
            Err(error) => return Err(AblateError::of_training(job.title(), error)),
        }
        record.parameters = parameters;
    }
    record.read_metrics(&folder.join(METRICS));
    if record.failure.is_none() {
        report(Event::Scoring);
        let model = model::file::read(&path, &device.device)?;
        match score(table, job, photos, &model, &mut record, stop) {
            Err(EvalError::Stopped) => return Ok(None),
            Err(error @ EvalError::NotFinite(_)) => record.failure = Some(error.to_string()),
            result => result.map_err(|source| AblateError::Eval {
                name: job.title(),
                source: Box::new(source),
            })?,
        }
    }
    report(Event::Scored(record.results.last().map(|r| r.miou)));
    record.write(out, job)?;
    // Keep only the finished model: the checkpoints are many times its size.
    let _ = std::fs::remove_dir_all(folder.join(CHECKPOINTS));
    Ok(Some(record))
}

/// Checks that the run folder in progress was started with the same settings.
fn unchanged(folder: &Path, config: &Config) -> Result<(), AblateError> {
    let path = folder.join(CONFIG);
    let whole = |config: &Config| config.absolute().ok();
    match std::fs::read_to_string(&path) {
        // Runs store absolute paths, tables the paths as written.
        Ok(text) if Config::parse(&text, &[]).ok().as_ref().and_then(whole) != whole(config) => {
            Err(AblateError::Changed(folder.to_owned()))
        }
        _ => Ok(()),
    }
}

/// How many photos are scored at once: as many as in a part of a training batch of the last stage, whose
/// size the model has, and fewer if they are seen larger than that, so that memory suffices.
fn scored_at_once(job: &Job, scale: f64) -> usize {
    let last = job.config.plan().unwrap_or_default().pop();
    let config = last.map_or_else(|| job.config.clone(), |stage| stage.config);
    let t = &config.train;
    let trained_at_once = t.batch_size.div_ceil(t.accumulate.max(1));
    let area = scale.max(1.0).powi(2);
    ((trained_at_once as f64 / area) as usize).max(1)
}

/// Whether a model's masks depend on the seed of the noise: not if its flow starts at the photo, and not those of a
/// classifier, whose decision does not depend on the state.
fn depends_on_noise(card: &Card) -> bool {
    card.source == Source::Noise && !card.prediction.is_one_step()
}

/// The seeds of the noise that a model is scored with: only the first if its masks do not depend on it.
fn noise_seeds<'a>(seeds: &'a [u64], card: &Card) -> &'a [u64] {
    if depends_on_noise(card) {
        seeds
    } else {
        &seeds[..seeds.len().min(1)]
    }
}

/// The agreement of several noise seeds where it is known: masks that do not depend on the noise always agree.
fn known_agreement(seeds: &[u64], card: &Card) -> Option<f64> {
    (seeds.len() > 1 && !depends_on_noise(card)).then_some(1.0)
}

/// Scores a model at every number of solver steps, with every seed of the noise; the scores are
/// computed over all seeds together.
fn score(
    table: &Table,
    job: &Job,
    photos: &Photos,
    model: &Model,
    record: &mut Record,
    stop: &dyn Fn() -> bool,
) -> Result<(), EvalError> {
    let settings = &table.score;
    // A run that starts from a model has that one's order of classes.
    let own = ClassTable {
        names: model.card.classes.clone(),
    };
    let data = photos.scored.clone().within(&own);
    let data = data.as_ref().unwrap_or(&photos.scored);
    let classes = model.card.classes.len();
    let scored_at = model.card.scored_steps(&settings.steps);
    let mut sums = vec![Confusion::of(data.known_classes()); scored_at.len()];
    let mut agreement = Agreement::default();
    let seeds = noise_seeds(&settings.noise_seeds, &model.card);
    let known = known_agreement(&settings.noise_seeds, &model.card);
    for &seed in seeds {
        let scoring = Scoring {
            steps: scored_at.clone(),
            resolutions: vec![settings.resolution],
            batch: scored_at_once(job, settings.scale),
            samples: settings.samples,
            looks: Look::all(&[settings.scale], false),
            outlines: settings.outlines,
            seed,
            ..Scoring::default()
        };
        let mut seen = |seen: &eval::ScoredPhoto| {
            if seeds.len() > 1 {
                agreement.add(seen);
            }
        };
        let outcomes = eval::score(model, data, &scoring, &mut seen, stop)?;
        for (sum, outcome) in sums.iter_mut().zip(&outcomes) {
            sum.merge(&outcome.confusion);
        }
    }
    let scored = eval::spread(data.len(), settings.samples).len();
    record.data = data.name().to_owned();
    record.classes = classes;
    record.photos = [photos.training, scored];
    record.parameters = model.network.num_params();
    record.steps = model.card.steps;
    record.results = settings
        .steps
        .iter()
        // The one result of a classifier is that of every number of steps.
        .zip(sums.iter().cycle())
        .map(|(&steps, confusion)| {
            let scores = confusion.scores();
            Ok(StepResult {
                steps,
                miou: scores.miou.ok_or(EvalError::Unlabelled)?,
                pixel_accuracy: scores.pixel_accuracy.ok_or(EvalError::Unlabelled)?,
                agreement: known.or_else(|| agreement.share(steps)),
                iou: scores.iou,
            })
        })
        .collect::<Result<_, EvalError>>()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Prediction;
    use crate::model::testing;

    fn card(source: Source, prediction: Prediction) -> Card {
        let change = |card: &mut Card| {
            card.source = source;
            card.prediction = prediction;
        };
        testing::tiny(&["a", "b"], [8, 8], change).card
    }

    #[test]
    fn a_model_without_noise_is_scored_once_and_always_agrees() {
        let noisy = card(Source::Noise, Prediction::Velocity);
        assert_eq!(noise_seeds(&[4, 5], &noisy), [4, 5]);
        assert_eq!(known_agreement(&[4, 5], &noisy), None);
        for without in [
            card(Source::Image, Prediction::Velocity),
            card(Source::Noise, Prediction::Logits),
        ] {
            assert_eq!(noise_seeds(&[4, 5], &without), [4]);
            assert_eq!(known_agreement(&[4, 5], &without), Some(1.0));
            assert_eq!(known_agreement(&[4], &without), None);
        }
    }

    #[test]
    fn finished_runs_of_data_that_has_changed_are_told() {
        let job = |row, path: &str| Job {
            name: format!("{row}-seed0"),
            row,
            row_name: row.to_string(),
            seed: 0,
            config: Config::parse("", &[format!("data.path={path}")]).unwrap(),
        };
        let table = Table {
            title: String::new(),
            about: String::new(),
            axis: None,
            score: ScoreSettings::default(),
            rows: Vec::new(),
            jobs: ["scenes:3", "scenes:3", "scenes:4", "scenes:3", "scenes:3"]
                .iter()
                .enumerate()
                .map(|(row, path)| job(row, path))
                .collect(),
        };
        let fingerprints = |prints: [&str; 2]| prints.map(str::to_owned);
        let finished = |prints| {
            Some(Record {
                fingerprints: fingerprints(prints),
                ..record::tests::record("", 0, Some(0.5))
            })
        };
        // As now, scored on others, of other data, of an earlier version, and one to come.
        let records = [
            finished(["a", "b"]),
            finished(["a", "c"]),
            finished(["d", "e"]),
            finished(["", ""]),
            None,
        ];
        let now = Photos {
            list: table.jobs[4].config.data_list(),
            skip_bad: false,
            training: 1,
            scored: Dataset::open(Path::new("scenes:3"), "validation").unwrap(),
            fingerprints: fingerprints(["a", "b"]),
        };
        let mut photos: Scored = vec![None; 4];
        photos.push(Some(Rc::new(now)));
        let told: Vec<usize> = of_other_data(&table, &records, &photos)
            .map(|job| job.row)
            .collect();
        assert_eq!(told, [1]);
    }

    #[test]
    fn no_more_photos_are_scored_at_once_than_are_trained_on_at_once() {
        let at_once = |sets: &[&str], scale| {
            let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
            let job = Job {
                name: "a-seed0".to_owned(),
                row: 0,
                row_name: "a".to_owned(),
                seed: 0,
                config: Config::parse("[[stages]]\n[[stages]]\n", &sets).unwrap(),
            };
            scored_at_once(&job, scale)
        };
        let sets = ["train.batch_size=30", "train.accumulate=4"];
        assert_eq!(at_once(&sets, 1.0), 8);
        assert_eq!(at_once(&sets, 0.5), 8);
        assert_eq!(at_once(&sets, 2.0), 2);
        assert_eq!(at_once(&sets, 4.0), 1);
        let of_last = ["stages.2.train.batch_size=3", "train.accumulate=1"];
        assert_eq!(at_once(&of_last, 1.0), 3);
    }
}
