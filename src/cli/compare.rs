//! `flowseg compare`: two models, or one with other steps or another solver, on the same photos.

mod tables;
mod training;

use super::arguments::{DeviceArgument, OutlinesArgument, ScaleArgument, any_whole, solver_steps};
use super::compiling::Compiling;
use super::inputs;
use super::interrupt::Stop;
use super::output::{class_column, per_cent};
use crate::compare::{self, ClassRow, Comparison, JointClasses, Sheet, Side};
use crate::data::{self, Dataset, Truth};
use crate::device;
use crate::export;
use crate::files::{self, Plan};
use crate::format::counted;
use crate::inference::{self, Look, Sampling};
use crate::model::Model;
use crate::models;
use crate::sampler::Solver;
use crate::terminal::{self, err, out};
use crate::votes::Outlines;
use crate::{csv, pictures};
use anyhow::{Context, Error, bail};
use burn::tensor::Device;
use clap::ArgGroup;
use image::RgbImage;
use serde_json::json;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tables::{CLASS_COLUMNS, PHOTO_COLUMNS, TABLES};

/// Compare two models, or one model with two step counts or solvers, on the same photos
///
/// Ctrl-C writes the tables of the photos that are done, compare.json with "complete": false, and ends with
/// exit status 130. If the device fails, the same tables are written.
#[derive(clap::Args)]
#[command(
    group = ArgGroup::new("compared").args(["photos", "data"]).required(true).multiple(true),
    // Made from the group, it would name the photos before the models.
    override_usage = "flowseg compare [OPTIONS] --output <OUT> <A> <B> <PHOTO>...\n       \
                      flowseg compare [OPTIONS] --output <OUT> --data <DIR> <A> <B> [PHOTO]..."
)]
pub(super) struct Arguments {
    /// The first model: a model file, a run folder, or the name of a built-in or installed model
    #[arg(value_name = "A")]
    a: OsString,
    /// The second model; may be the same one with other steps or another solver
    #[arg(value_name = "B")]
    b: OsString,
    /// Photos, folders, patterns, or - for paths on standard input. If a photo belongs to a data set,
    /// its labels are used, by the names of their classes
    #[arg(value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Folder for the results: OUT/NAME.a.png and OUT/NAME.b.png hold one class index per pixel,
    /// OUT/NAME.disagreement.png shows where they differ, OUT/NAME.compare.png both side by side.
    /// compare.json, photos.csv and classes.csv hold the numbers, classes.txt the joint classes; those of an
    /// earlier comparison are removed first. Tables and pictures of other programs are not replaced
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Also compare all photos of this data set: a data folder in any known layout, or scenes:N, procedural
    /// scenes of N classes
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which split of --data to compare on: training, validation or test, if the data set
    /// has it
    #[arg(long, default_value = "validation", requires = "data")]
    split: String,
    /// Solver steps of A, 1 to 1000; by default what the model recommends
    #[arg(long, value_parser = solver_steps())]
    steps_a: Option<u64>,
    /// Solver steps of B, 1 to 1000; by default what the model recommends
    #[arg(long, value_parser = solver_steps())]
    steps_b: Option<u64>,
    /// Solver of the ODE of A
    #[arg(long, value_enum, default_value_t)]
    solver_a: Solver,
    /// Solver of the ODE of B
    #[arg(long, value_enum, default_value_t)]
    solver_b: Solver,
    /// Seed of the noise, for models whose flow starts from noise
    #[arg(long, default_value_t = 0, value_parser = any_whole::<u64>)]
    seed: u64,
    #[command(flatten)]
    scale: ScaleArgument,
    #[command(flatten)]
    outlines: OutlinesArgument,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Maximum bytes of a photo's name in the names of its files.
const LONGEST_PART: usize = 200;

struct Item {
    /// Name in tables.
    name: String,
    source: Source,
    files: Outputs,
}

enum Source {
    File(PathBuf),
    /// Index in the data set.
    Sample(usize),
}

/// Files written for one photo.
struct Outputs {
    masks: [PathBuf; 2],
    disagreement: PathBuf,
    sheet: PathBuf,
}

impl Outputs {
    fn of(folder: &Path, stem: &OsStr) -> Self {
        let path = |suffix: &str| {
            let mut name = stem.to_owned();
            name.push(suffix);
            folder.join(name)
        };
        Self {
            masks: [path(".a.png"), path(".b.png")],
            disagreement: path(".disagreement.png"),
            sheet: path(".compare.png"),
        }
    }

    fn plan(&self, plan: &mut Plan, name: &str) {
        for mask in &self.masks {
            plan.write(mask, format!("a mask of {name}"));
        }
        plan.write(&self.disagreement, format!("the disagreement of {name}"));
        plan.write(&self.sheet, format!("the comparison of {name}"));
    }
}

struct Contender {
    name: String,
    caption: String,
    model: Model,
    sampling: Sampling,
}

/// A photo that was compared.
struct Compared<'a> {
    item: &'a Item,
    /// Width and height.
    size: [u32; 2],
    summary: Summary,
}

/// The results of a comparison without its matrix: one matrix per photo would fill the memory.
struct Summary {
    agreement: Option<f64>,
    miou: [Option<f64>; 2],
    rows: Vec<ClassRow>,
}

impl Summary {
    fn of(comparison: &Comparison) -> Self {
        Self {
            agreement: comparison.agreement(),
            miou: comparison.miou(),
            rows: comparison.rows(),
        }
    }

    /// mIoU of the second minus that of the first, in shares.
    fn difference(&self) -> Option<f64> {
        let [a, b] = self.miou;
        b.zip(a).map(|(b, a)| b - a)
    }
}

/// Compares the photos. One that fails is reported and the others are still compared. The exit status of a comparison
/// that was stopped before its end is that of the signal.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let data = arguments.data.as_deref();
    let data = data
        .map(|folder| Dataset::open(folder, &arguments.split))
        .transpose()?;
    let (items, unread) = planned(arguments, data.as_ref())?;
    let opened = arguments.device.open_quietly()?;
    let all_read = unread.is_empty();
    let work = || compare_all(arguments, data, &items, all_read, &opened.device);
    let ended = device::guarded(&opened.device, work);
    match ended?? {
        Some(stopped) => Ok(stopped),
        None => unread.report().map(|()| ExitCode::SUCCESS),
    }
}

/// [`run`] on an open device; `all_read` is false where there may be more photos than the items. The exit status is
/// that of a comparison that was stopped. If the device fails at a photo, the tables of those before it are written.
fn compare_all(
    arguments: &Arguments,
    data: Option<Dataset>,
    items: &[Item],
    all_read: bool,
    device: &Device,
) -> anyhow::Result<Option<ExitCode>> {
    let work = Work::new(arguments, data, device)?;
    tables::keep_foreign(&arguments.output, work.classes.names())?;
    let stop = Stop::listen_until("this photo")?;
    tables::remove_former(&arguments.output)?;
    let bar = super::output::bar(items.len());
    let mut compiling = Compiling::on(device);
    let (mut done, mut failed) = (Vec::new(), 0);
    let mut total = Comparison::new(work.classes.names().len());
    let mut lost = None;
    for item in items {
        if stop.asked() {
            break;
        }
        // By itself, so that the tables of the photos before are written whatever becomes of the device.
        let compared = device::guarded(device, || work.compare(item, &mut total));
        drop(compiling.take());
        match compared {
            Err(failed) => {
                lost = Some(Error::from(failed).context(item.name.clone()));
                break;
            }
            Ok(Ok(compared)) => {
                print_photo(&compared);
                done.push(compared);
            }
            Ok(Err(error)) => {
                err!("not compared: {}", super::output::one_line(&error));
                failed += 1;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seen = done.len() + failed;
    let is_stopped = seen < items.len();
    if done.is_empty() && !is_stopped {
        bail!("none of the {failed} photos could be compared; they are listed above");
    }
    if !done.is_empty() {
        let total = Summary::of(&total);
        work.print(&total, done.len());
        let complete = all_read && done.len() == items.len();
        work.write_tables(&arguments.output, &done, &total, complete)?;
    }
    if is_stopped {
        let all = counted(items.len(), "photo");
        let tables = match (done.len(), failed) {
            (0, _) => "no tables were written".to_owned(),
            (_, 0) => "the tables cover these".to_owned(),
            (done, _) => format!("the tables cover {done} of these"),
        };
        err!("stopped after {seen} of {all}: {tables}");
        return lost.map_or_else(|| Ok(Some(stop.status())), Err);
    }
    if failed > 0 {
        bail!(
            "{failed} of {} photos could not be compared; they are listed above",
            items.len()
        );
    }
    Ok(None)
}

/// The photos and their output paths, each checked to be writable, not an input and not another output;
/// and folders that could not be read.
fn planned(
    arguments: &Arguments,
    data: Option<&Dataset>,
) -> anyhow::Result<(Vec<Item>, inputs::Unread)> {
    let out = &arguments.output;
    let (mut items, mut unread) = (Vec::new(), inputs::Unread::default());
    let mut folders = BTreeSet::from([out.clone()]);
    if !arguments.photos.is_empty() {
        training::note(&arguments.photos);
        let photos;
        (photos, unread) = inputs::find(&arguments.photos, out, std::io::stdin().lock())?;
        for found in photos {
            let stem = found.path.file_stem();
            let stem = stem
                .with_context(|| format!("{} is not the name of a photo", found.path.display()))?;
            let folder = out.join(&found.below);
            items.push(Item {
                name: found.path.display().to_string(),
                files: Outputs::of(&folder, stem),
                source: Source::File(found.path),
            });
            folders.insert(folder);
        }
    }
    for index in 0..data.map_or(0, Dataset::len) {
        let name = data.map_or_else(String::new, |data| data.sample_name(index));
        let stem = files::name_part(&name, LONGEST_PART);
        items.push(Item {
            files: Outputs::of(out, stem.as_ref()),
            name,
            source: Source::Sample(index),
        });
    }
    let mut plan = Plan::default();
    for name in TABLES {
        plan.write(out.join(name), format!("the table {name}"));
    }
    for item in &items {
        item.files.plan(&mut plan, &item.name);
    }
    for folder in &folders {
        files::create_output_folder(folder)?;
    }
    plan.check(|| {
        let models = [&arguments.a, &arguments.b].map(models::file);
        let photos = items.iter().filter_map(|item| match &item.source {
            Source::File(path) => Some(path.clone()),
            Source::Sample(_) => None,
        });
        let of_data = arguments.data.iter().flat_map(|dir| data::files_in(dir));
        photos.chain(of_data).chain(models).collect()
    })?;
    Ok((items, unread))
}

/// Everything shared by all photos.
struct Work {
    contenders: [Contender; 2],
    classes: JointClasses,
    colours: Vec<[u8; 3]>,
    look: Look,
    outlines: Outlines,
    data: Option<Dataset>,
}

impl Work {
    fn new(arguments: &Arguments, data: Option<Dataset>, device: &Device) -> anyhow::Result<Self> {
        let given = [&arguments.a, &arguments.b].map(|name| name.to_string_lossy());
        let [name_a, name_b] = compare::model_names([&given[0], &given[1]]);
        let contender = |model: &OsStr, name: &str, steps: Option<u64>, solver| {
            let given = model.to_string_lossy().into_owned();
            let model = models::load(model, device)?;
            let steps = model.card.solver_steps(steps.map(|steps| steps as usize));
            anyhow::Ok(Contender {
                caption: compare::caption(name, steps, solver),
                name: given,
                model,
                sampling: Sampling {
                    steps,
                    solver,
                    seed: arguments.seed,
                    ..Sampling::default()
                },
            })
        };
        let contenders = [
            contender(&arguments.a, &name_a, arguments.steps_a, arguments.solver_a)?,
            contender(&arguments.b, &name_b, arguments.steps_b, arguments.solver_b)?,
        ];
        let [a, b] = [0, 1].map(|side| &contenders[side].model.card.classes);
        let classes = JointClasses::new(a, b)
            .with_context(|| "the two models have too many classes together for a mask")?;
        let colours = classes.colours(&contenders[0].model.centroids().colours());
        Ok(Self {
            contenders,
            classes,
            colours,
            look: Look {
                scale: arguments.scale.scale,
                ..Look::default()
            },
            outlines: arguments.outlines.outlines,
            data,
        })
    }

    /// The photo and its labels, if known.
    fn read(&self, source: &Source) -> anyhow::Result<(RgbImage, Option<Truth>)> {
        match (source, &self.data) {
            (Source::Sample(index), Some(data)) => {
                let sample = data.load(*index)?;
                let truth = self.classes.truth(sample.labels, &data.classes().names);
                Ok((sample.image, Some(truth)))
            }
            (Source::Sample(_), None) => bail!("there is no data set"),
            (Source::File(path), _) => {
                let photo = data::read_photo(path)?;
                let labels = data::labels_and_classes(path, |_| true);
                let truth = labels.map(|(labels, names)| self.classes.truth(labels, &names));
                Ok((photo, truth))
            }
        }
    }

    /// Compares one photo, writes its files and adds its counts to the total.
    fn compare<'a>(&self, item: &'a Item, total: &mut Comparison) -> anyhow::Result<Compared<'a>> {
        let (photo, truth) = self.read(&item.source).with_context(|| item.name.clone())?;
        let (width, height) = photo.dimensions();
        let size = [height, width].map(|side| side as usize);
        // One after the other: votes are many times the size of labels.
        let labels = |contender: &Contender| {
            let model = &contender.model;
            let radius = self.outlines.radius(model.card.filter_radius());
            inference::votes(model, &photo, self.look, contender.sampling)
                .map(|votes| votes.along(&photo, radius).labels(size))
                .map_err(|error| Error::msg(error.with_remedy("a smaller --scale")))
                .with_context(|| contender.name.clone())
        };
        let labels = [labels(&self.contenders[0])?, labels(&self.contenders[1])?];
        let (comparison, labels) =
            Comparison::of_labels(&self.classes, labels, size, truth.as_ref());
        for (labels, path) in labels.iter().zip(&item.files.masks) {
            data::write_labels(path, size[1], size[0], labels, self.classes.names().len())?;
        }
        let labels = [labels[0].as_slice(), labels[1].as_slice()];
        let classes = self.classes.names();
        let disagreement = compare::disagreement(&photo, labels, classes.len());
        files::write_atomic(&item.files.disagreement, &pictures::png(&disagreement)?)?;
        let sheet = compare::sheet(&Sheet {
            photo: &photo,
            captions: [&self.contenders[0].caption, &self.contenders[1].caption],
            labels,
            classes,
            colours: &self.colours,
        });
        files::write_atomic(&item.files.sheet, &pictures::png(&sheet)?)?;
        total.merge(&comparison);
        Ok(Compared {
            item,
            size: [width, height],
            summary: Summary::of(&comparison),
        })
    }

    /// Prints the results over all photos.
    fn print(&self, total: &Summary, photos: usize) {
        for (side, contender) in Side::BOTH.into_iter().zip(&self.contenders) {
            out!("{side:?}: {}", terminal::name(&contender.caption));
        }
        if let Some(said) = self.classes.unshared() {
            out!("{}", terminal::name(&said));
        }
        let differing = total.agreement.map(|share| 1.0 - share);
        out!(
            "{}: {} % of the pixels differ{}",
            counted(photos, "photo"),
            per_cent(differing),
            scores(total)
        );
        let rows = &total.rows;
        let names = self.classes.names();
        let (head, cells) = class_column(rows.iter().map(|row| &names[row.class]));
        let heads = ["A has", "B has", "differ", "IoU A", "IoU B", "B - A"];
        let heads = heads.map(|head| format!("{head:>7}")).join(" ");
        out!("  {head} {heads}");
        for (cell, row) in cells.iter().zip(rows) {
            let [a, b] = row.shares.map(|share| per_cent(Some(share)));
            let [iou_a, iou_b] = row.iou.map(per_cent);
            let difference = row.difference.map_or_else(|| "-".to_owned(), signed);
            let numbers = [a, b, per_cent(row.disagreement), iou_a, iou_b, difference];
            let numbers = numbers.map(|number| format!("{number:>7}")).join(" ");
            out!("  {cell} {numbers}");
        }
    }

    /// Writes the tables of the photos that are done; `complete` says whether these are all.
    fn write_tables(
        &self,
        folder: &Path,
        done: &[Compared],
        total: &Summary,
        complete: bool,
    ) -> anyhow::Result<()> {
        let names = self.classes.names();
        let contender = |contender: &Contender| {
            json!({
                "model": contender.name,
                "steps": contender.sampling.steps,
                "solver": contender.sampling.solver,
            })
        };
        let photos = done.iter().map(|compared| {
            let mut numbers = numbers(&compared.summary, names);
            numbers.insert("photo".into(), json!(compared.item.name));
            numbers.insert("size".into(), json!(compared.size));
            numbers
        });
        let mut report = numbers(total, names);
        report.insert("complete".into(), json!(complete));
        report.insert("a".into(), contender(&self.contenders[0]));
        report.insert("b".into(), contender(&self.contenders[1]));
        report.insert("photos".into(), json!(photos.collect::<Vec<_>>()));
        let report = format!("{}\n", serde_json::to_string_pretty(&report)?);
        let contents = [
            report,
            photo_table(done),
            class_table(&total.rows, names),
            export::class_list(names),
        ];
        for (name, contents) in TABLES.into_iter().zip(contents) {
            files::write_atomic(&folder.join(name), contents.as_bytes())?;
        }
        Ok(())
    }
}

/// The numbers of a comparison; null if undefined.
fn numbers(summary: &Summary, names: &[String]) -> serde_json::Map<String, serde_json::Value> {
    let class = |row: &ClassRow| {
        let numbers = json!({
            "share_a": row.shares[0],
            "share_b": row.shares[1],
            "disagreement": row.disagreement,
            "iou_a": row.iou[0],
            "iou_b": row.iou[1],
            "difference": row.difference,
        });
        (names[row.class].clone(), numbers)
    };
    let classes = summary.rows.iter().map(class).collect();
    let fields = [
        ("agreement", json!(summary.agreement)),
        ("miou_a", json!(summary.miou[0])),
        ("miou_b", json!(summary.miou[1])),
        ("difference", json!(summary.difference())),
        ("classes", serde_json::Value::Object(classes)),
    ];
    let fields = fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    fields.collect()
}

fn text(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn photo_table(done: &[Compared]) -> String {
    let mut table = csv::line(PHOTO_COLUMNS);
    for Compared { item, summary, .. } in done {
        let [a, b] = summary.miou;
        table += &csv::line([
            item.name.clone(),
            text(summary.agreement),
            text(a),
            text(b),
            text(summary.difference()),
            item.files.sheet.display().to_string(),
        ]);
    }
    table
}

fn class_table(rows: &[ClassRow], names: &[String]) -> String {
    let mut table = csv::line(CLASS_COLUMNS);
    for row in rows {
        table += &csv::line([
            names[row.class].clone(),
            row.shares[0].to_string(),
            row.shares[1].to_string(),
            text(row.disagreement),
            text(row.iou[0]),
            text(row.iou[1]),
            text(row.difference),
        ]);
    }
    table
}

fn print_photo(compared: &Compared) {
    let differing = compared.summary.agreement.map(|share| 1.0 - share);
    out!(
        "{}: {} % of the pixels differ{}",
        terminal::name(&compared.item.name),
        per_cent(differing),
        scores(&compared.summary)
    );
}

/// Both scores as part of a line; empty without labels.
fn scores(summary: &Summary) -> String {
    match summary.miou {
        [Some(a), Some(b)] => format!(
            ", mIoU {:.2} and {:.2} ({})",
            100.0 * a,
            100.0 * b,
            signed(b - a)
        ),
        _ => String::new(),
    }
}

/// A difference of shares in percentage points, with its sign.
fn signed(difference: f64) -> String {
    format!("{:+.2}", 100.0 * difference)
}
