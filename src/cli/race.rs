//! `flowseg race`: two objectives train side by side.

use super::arguments::{DeviceArgument, any_whole, number};
use super::interrupt::Stop;
use crate::data;
use crate::export;
use crate::files::{self, Plan};
use crate::format::{counted, minutes};
use crate::pictures;
use crate::race::{self, Event, FILES, Race, RaceConfig, RaceError, Record, StartOptions};
use crate::terminal::{self, err, out};
use crate::texts::Language;
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(100);
/// The length of a bar over the share of a race that is over.
const WHOLE: u64 = 10_000;
/// The animation among the files of a race.
const ANIMATION: &str = "race.gif";

/// Train two small networks side by side that differ in their objective only
///
/// Both start from the same weights and see the same batches. OUT receives curves.csv, curves.png, the
/// last frame as race.png and a summary as race.json. Ctrl-C writes what there is so far, and ends with
/// exit status 130.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The settings of the race (TOML, see --print-config); by default vanilla against reshaped flow
    /// matching on procedural scenes
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Folder for the results
    #[arg(
        short,
        long,
        value_name = "OUT",
        required_unless_present = "print_config"
    )]
    output: Option<PathBuf>,
    /// Also write the race as an animation, OUT/race.gif; that of an earlier race is removed otherwise
    #[arg(long)]
    animation: bool,
    /// Language of the texts in pictures
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    language: Language,
    /// Seed of the initial weights and of the batches, instead of that of CONFIG
    #[arg(long, value_name = "N", value_parser = any_whole::<u64>)]
    seed: Option<u64>,
    /// Training steps of each side, instead of those of CONFIG
    #[arg(long, value_name = "N", value_parser = any_whole::<u64>)]
    steps: Option<u64>,
    /// End after this many seconds of training
    #[arg(long, value_name = "SECONDS", value_parser = number)]
    seconds: Option<f64>,
    /// Print all settings as TOML and exit
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    device: DeviceArgument,
}

impl Arguments {
    fn settings(&self) -> anyhow::Result<RaceConfig> {
        let mut config = match &self.config {
            Some(path) => RaceConfig::read(path)?,
            None => RaceConfig::default(),
        };
        config.seed = self.seed.unwrap_or(config.seed);
        config.steps = self.steps.unwrap_or(config.steps);
        config.seconds = self.seconds.or(config.seconds);
        config.check()?;
        Ok(config)
    }
}

/// Runs the command. The exit status of a race that was stopped before its end is that of the signal.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.settings()?;
    if arguments.print_config {
        out!("{}", config.to_toml().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let output = arguments
        .output
        .as_deref()
        .context("give a folder for the results with -o")?;
    prepare(arguments, &config, output)?;
    let device = arguments.device.open()?;
    let stop = Stop::listen()?;
    let race = Race::start(
        config.clone(),
        &device.device,
        StartOptions::default(),
        || (),
    )?;
    let (record, ended) = watch(&race, config, &stop)?;
    let Some(record) = record else {
        ended?;
        let message = "the race was stopped before its first measurement";
        if !stop.asked() {
            bail!(message);
        }
        err!("flowseg: {message}");
        return Ok(stop.status());
    };
    let stopped = stop.asked();
    // What was measured before an error is kept.
    write(&record, ended.is_ok() && !stopped, arguments, output)?;
    ended?;
    Ok(if stopped {
        stop.status()
    } else {
        ExitCode::SUCCESS
    })
}

/// Creates the folder and proves that the results can be written there, over no input.
fn prepare(arguments: &Arguments, config: &RaceConfig, output: &Path) -> anyhow::Result<()> {
    files::create_output_folder(output)?;
    race::keep_foreign(output)?;
    let mut plan = Plan::default();
    for (name, what) in FILES {
        if name != ANIMATION || arguments.animation {
            plan.write(output.join(name), what);
        }
    }
    plan.check(|| {
        let data = config.data.iter().flat_map(|folder| data::files_in(folder));
        arguments.config.iter().cloned().chain(data).collect()
    })?;
    Ok(())
}

/// Shows the progress until the end. Returns what was measured, if anything, and how the race ended.
fn watch(
    race: &Race,
    config: RaceConfig,
    stop: &Stop,
) -> anyhow::Result<(Option<Record>, Result<(), RaceError>)> {
    let bar = bar();
    let mut record: Option<Record> = None;
    let mut started = None;
    loop {
        if stop.asked() {
            race.stop();
        }
        match race.wait(TICK)? {
            None => {}
            Some(Event::Ready(held_out)) => {
                record = Some(Record::new(config.clone(), held_out));
            }
            Some(Event::Snapshot(snapshot)) => {
                if let Some(record) = record.as_mut()
                    && record.add(snapshot)
                {
                    // That before the first training step.
                    started.get_or_insert_with(Instant::now);
                    report(record, &bar);
                }
            }
            Some(Event::Ended(outcome)) => {
                bar.finish_and_clear();
                let record = record.filter(|record| record.last().is_some());
                return Ok((record, outcome));
            }
        }
        let step = race.steps();
        let seconds = started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        let (steps, limit) = (config.steps, config.seconds);
        let time = limit.map_or_else(String::new, |limit| format!(", {seconds:.0}/{limit} s"));
        bar.set_prefix(format!("{step}/{steps}{time}"));
        bar.set_position((config.share(step, seconds) * WHOLE as f64) as u64);
    }
}

/// A bar over the share of a race that is over.
fn bar() -> ProgressBar {
    let bar = terminal::bar(WHOLE);
    let template = "{bar:30} {prefix}  ETA {eta}  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Shows the scores of both sides: beside the bar, or as a line where there is none.
fn report(record: &Record, bar: &ProgressBar) {
    let Some(frame) = record.last() else { return };
    let titles = record.config.titles();
    let scores = titles.iter().zip(frame);
    let scores = scores.map(|(title, side)| format!("{title} {:.1}", 100.0 * side.miou));
    let scores = format!("mIoU: {}", scores.collect::<Vec<_>>().join(", "));
    let (step, seconds) = (record.step(), frame[0].seconds.max(frame[1].seconds));
    if bar.is_hidden() {
        let left = record.config.seconds_left(step, seconds);
        let eta = if step == 0 {
            String::new()
        } else {
            format!(", ETA {}", minutes(left as u64))
        };
        out!("step {step}: {scores}{eta}");
    } else {
        bar.set_message(scores);
    }
}

fn write(
    record: &Record,
    complete: bool,
    arguments: &Arguments,
    output: &Path,
) -> anyhow::Result<()> {
    let language = arguments.language;
    let Some(last) = record.last() else {
        bail!("nothing was measured");
    };
    let file = |name: &str| output.join(name);
    files::write_atomic(&file("curves.csv"), race::curves_csv(record).as_bytes())?;
    files::write_atomic(
        &file("curves.png"),
        &pictures::png(&race::curves(record, language)?)?,
    )?;
    files::write_atomic(
        &file("race.png"),
        &pictures::png(&race::frame(record, last, language)?)?,
    )?;
    let summary = race::summary(record, complete);
    let summary = format!("{}\n", serde_json::to_string_pretty(&summary)?);
    files::write_atomic(&file("race.json"), summary.as_bytes())?;
    let path = file(ANIMATION);
    let animated = if arguments.animation {
        files::write_with(&path, |file| {
            race::animation(record, language, BufWriter::new(file), &|_| true)
        })
    } else {
        Ok(())
    };
    // One of an earlier race does not belong to the other files.
    if (!arguments.animation || animated.is_err()) && export::is_marked(&path) {
        files::remove_file(&path)?;
    }
    animated.with_context(|| format!("cannot write {}", path.display()))?;
    for (title, side) in record.config.titles().iter().zip(last) {
        out!(
            "{title}: mIoU {:.2}, pixel accuracy {:.2}, {:.1} % of the trajectories pass through another class's neighbourhood",
            100.0 * side.miou,
            100.0 * side.pixel_accuracy,
            100.0 * side.traversals.share()
        );
    }
    let stopped = if complete { "" } else { "stopped; " };
    let seconds = last[0].seconds.max(last[1].seconds);
    out!(
        "{stopped}wrote {} after {}, {seconds:.0} s",
        output.display(),
        counted(record.step(), "step")
    );
    Ok(())
}
