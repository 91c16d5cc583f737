//! `flowseg train`, also spelt `flowseg --train`.

use super::arguments::{DevicesArgument, whole};
use super::dashboard::Dashboard;
use super::interrupt::Stop;
use crate::format::counted;
use crate::model::Card;
use crate::models;
use crate::run_format;
use crate::terminal::out;
use crate::text_file;
use crate::train::folder::RunFolder;
use crate::train::{self, Event, Judgement, Outcome, config};
use anyhow::{Context, bail};
use burn::tensor::Device;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Train a model
///
/// Ctrl-C or SIGTERM saves the run and ends with exit status 130 or 143: --resume continues it.
#[derive(clap::Args)]
#[command(long_flag = "train", after_help = config::help())]
pub(super) struct Arguments {
    /// Settings as TOML; by default every setting has its default value
    #[arg(long, value_name = "TOML")]
    config: Option<PathBuf>,
    /// Start from a trained model: a file, a run folder, or the name of a built-in or installed one. The
    /// network's settings come from its card; so do the size of the photos and the solver steps of a
    /// validation, unless --config sets them. Without --config the others come from
    /// assets/presets/fine-tune.toml. The data may have additional classes, and its own order of them: the
    /// model's come first. The scores before and after are printed at the end
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    init: Option<PathBuf>,
    /// Data folder, the same as --set data.path=DIR. Several, separated by commas or given by several
    /// --data, are trained on together; validation uses the first, and its classes come first in the
    /// model
    #[arg(long, value_name = "DIR,...")]
    data: Vec<PathBuf>,
    /// Run folder: checkpoints, metrics, samples and the finished model; new or empty, or with --resume
    /// that of a run
    #[arg(long, value_name = "RUN", default_value = "run")]
    out: PathBuf,
    /// Resume from the newest undamaged checkpoint of the run folder, with the settings in RUN/config.toml unless --config
    /// gives others. A folder without a run is an error: a job script that starts and resumes by the
    /// same line adds --resume if RUN/config.toml exists
    #[arg(long)]
    resume: bool,
    /// Leave out pairs of photo and labels that cannot be read, the same as --set data.skip_bad=true;
    /// otherwise one bad pair is an error
    #[arg(long)]
    skip_bad: bool,
    /// Print how much memory the run would need and whether it fits, without training. Data and the files
    /// that the run starts from are read as it would read them
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run, also run this many steps of every stage on the first device, without keeping
    /// them, and print their time and memory
    #[arg(long, value_name = "STEPS", requires = "dry_run", value_parser = whole(1..=1000))]
    measure: Option<u64>,
    /// Override a setting; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    devices: DevicesArgument,
}

/// Runs the command. The exit status of a run that was stopped before its end is that of the signal.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // An estimate does not need the folder, unless the settings are those of its run.
    if !arguments.dry_run || arguments.resume {
        // Before reading the configuration of a folder that may not be a run's.
        RunFolder::check(&arguments.out, arguments.resume)?;
    }
    let saved = arguments.out.join(run_format::CONFIG);
    let (path, text) = match (&arguments.config, &arguments.init) {
        (Some(path), _) => (Some(path.clone()), text_file::read(path)?),
        (None, _) if arguments.resume => (Some(saved), RunFolder::settings(&arguments.out)?),
        (None, Some(_)) => (None, config::FINE_TUNE.to_owned()),
        (None, None) => (None, String::new()),
    };
    let of_model = match &arguments.init {
        Some(model) => settings_of(model)?,
        None => config::OfModel::default(),
    };
    let checked = of_model.check(&text, &arguments.overrides);
    match &path {
        Some(path) => checked.with_context(|| path.display().to_string())?,
        None => checked?,
    }
    let mut overrides = [of_model.files, of_model.network].concat();
    if let Some(paths) = data_paths(&arguments.data)? {
        overrides.push(format!("data.path={paths}"));
    }
    if arguments.skip_bad {
        overrides.push("data.skip_bad=true".to_owned());
    }
    overrides.extend(arguments.overrides.iter().cloned());
    let config = parse(&text, path.as_deref(), &of_model.defaults, &overrides)?;
    let devices = arguments.devices.open()?;
    if arguments.dry_run {
        dry_run(&config, &devices, arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stop = Stop::listen()?;
    let mut screen = Dashboard::new("");
    let mut ended_before = None;
    let mut validated = 0;
    let place = train::Place {
        out: &arguments.out,
        resume: arguments.resume,
        devices: &devices,
    };
    let outcome = train::run_at(
        &config,
        place,
        &mut |event| {
            if let Event::Started {
                step,
                steps,
                photos: [_, held_back],
                ..
            } = event
            {
                ended_before = (step >= steps).then_some(step);
                validated = held_back;
            }
            screen.show(event);
        },
        &|| stop.asked(),
    );
    screen.clear();
    if let Some(step) = ended_before {
        out!(
            "no step was taken: the run is at step {step} already, and its settings ask for {}; raise train.steps to \
             continue it",
            counted(config.steps(), "step")
        );
    }
    // The terminal may be gone by now, but the run has been saved.
    let outcome = outcome?;
    out!("{}", ending(&outcome, scored(&config, validated)));
    Ok(if outcome.stopped {
        stop.status()
    } else {
        ExitCode::SUCCESS
    })
}

/// The settings of a run. A mistake in the file at `path` names it; one in an override names the setting.
fn parse(
    text: &str,
    path: Option<&Path>,
    defaults: &[String],
    overrides: &[String],
) -> anyhow::Result<config::Config> {
    config::Config::parse_over(defaults, text, overrides).map_err(|error| {
        let of_file = config::Config::parse(text, &[]).err();
        let same = of_file.is_some_and(|of_file| of_file.to_string() == error.to_string());
        let error = anyhow::Error::from(error);
        match path.filter(|_| same) {
            Some(path) => error.context(path.display().to_string()),
            None => error,
        }
    })
}

/// The settings of a run that starts from a model.
fn settings_of(model: &Path) -> anyhow::Result<config::OfModel> {
    // The run says what its name hides.
    let bytes = models::bytes_without_note(model)?;
    let card = Card::read(&bytes).with_context(|| model.display().to_string())?;
    if card.classes.is_empty() {
        bail!(
            "{} has no class table: use --set model.init with the settings of its network",
            model.display()
        );
    }
    Ok(config::settings_of(&card, model)?)
}

/// The data folders as the value of a setting.
fn data_paths(given: &[PathBuf]) -> anyhow::Result<Option<toml::Value>> {
    let mut texts = Vec::new();
    for path in given {
        let text = path.to_str().with_context(|| {
            format!(
                "--data {}: this is not UTF-8, and settings must be: rename the folder",
                path.display()
            )
        })?;
        // A folder's name may contain a comma.
        if path.exists() {
            texts.push(text)
        } else {
            texts.extend(text.split(',').filter(|part| !part.is_empty()))
        }
    }
    let value = |text: &str| toml::Value::String(text.to_owned());
    Ok(match texts.as_slice() {
        // An empty path is rejected when it is opened.
        [] => given.first().map(|_| value("")),
        [one] => Some(value(one)),
        several => Some(
            several
                .iter()
                .copied()
                .map(value)
                .collect::<Vec<_>>()
                .into(),
        ),
    })
}

/// The number of photos that the last validation of a run scores, of those that are held back.
fn scored(config: &config::Config, held_back: usize) -> usize {
    let plan = config.plan().unwrap_or_default();
    let last = plan.last().map_or(config, |stage| &stage.config);
    match last.train.validate_samples {
        0 => held_back,
        samples => held_back.min(samples),
    }
}

/// How a run ended, in words; `validated` is the number of photos that it was scored on.
fn ending(outcome: &Outcome, validated: usize) -> String {
    let mut text = String::new();
    if let Some(gain @ [before, after]) = outcome.gain {
        let judgement = Judgement::of(gain).words();
        text.push_str(&format!(
            "validation mIoU {:.2} before and {:.2} after, on {}: {judgement}\n",
            100.0 * before,
            100.0 * after,
            counted(validated, "photo")
        ));
    }
    if let Some((miou, step)) = outcome.best {
        let miou = 100.0 * miou;
        text.push_str(&format!("best validation mIoU {miou:.2} at step {step}\n"));
    }
    text.push_str(&match (&outcome.model, &outcome.saved) {
        (Some(path), _) => format!("wrote {}", path.display()),
        (None, Some(_)) => format!(
            "stopped after step {}; continue with --resume",
            outcome.step
        ),
        (None, None) => "stopped before the run began; nothing was written".to_owned(),
    });
    text
}

fn dry_run(
    config: &config::Config,
    devices: &[Device],
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let estimates = train::dry_run(config, devices, arguments.resume)?;
    for (index, estimate) in estimates.iter().enumerate() {
        if index == 0 {
            out!(
                "{:.1} M parameters",
                estimate.needed.parameters as f64 / 1e6
            );
        }
        out!("{estimate}");
    }
    for estimate in &estimates {
        estimate.check()?;
    }
    if let (Some(steps), Some(device)) = (arguments.measure, devices.first()) {
        for measured in train::measure::measure(config, device, steps as usize)? {
            out!("{measured}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_difference_is_a_judgement() {
        let said = |after| {
            let gain = Some([0.7648, after]);
            let outcome = Outcome {
                step: 1,
                stopped: false,
                best: None,
                gain,
                saved: None,
                model: None,
            };
            ending(&outcome, 2)
        };
        for (after, words) in [
            (
                0.7652,
                "76.48 before and 76.52 after, on 2 photos: no clear difference",
            ),
            (0.80, "on 2 photos: the new model is better"),
            (0.70, "on 2 photos: the new model is not better"),
        ] {
            assert!(said(after).contains(words), "{}", said(after));
        }
    }

    #[test]
    fn photos_are_counted_as_the_last_stage_chooses_them() {
        let scored = |stages: &str| {
            let text = format!("train.validate_samples = 64\n{stages}");
            scored(&config::Config::parse(&text, &[]).unwrap(), 100)
        };
        assert_eq!(scored(""), 64);
        let last =
            "[[stages]]\ntrain.steps = 1\n[[stages]]\ntrain.steps = 1\ntrain.validate_samples = ";
        assert_eq!(scored(&format!("{last}2\n")), 2);
        assert_eq!(scored(&format!("{last}0\n")), 100);
    }

    #[test]
    fn only_a_mistake_of_the_file_names_it() {
        let error = |text: &str, overrides: &[&str]| {
            let overrides: Vec<String> = overrides.iter().map(|set| (*set).to_owned()).collect();
            let parsed = parse(text, Some(Path::new("c.toml")), &[], &overrides);
            format!("{:#}", parsed.unwrap_err())
        };
        let of_override = error("[train]\nsteps = 5\n", &["train.stepz=7"]);
        assert!(of_override.starts_with("there is no setting train.stepz"));
        let of_file = error("[train]\nstepz = 5\n", &["train.seed=7"]);
        assert!(of_file.starts_with("c.toml: there is no setting train.stepz"));
    }
}
