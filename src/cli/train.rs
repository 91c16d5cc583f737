//! `flowseg train`, also spelt `flowseg --train`.

use super::DevicesArgument;
use super::dashboard::Dashboard;
use crate::files;
use crate::terminal::{err, out};
use crate::text_file;
use crate::train::{self, config};
use anyhow::Context;
use burn::tensor::Device;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Train a model
#[derive(clap::Args)]
#[command(long_flag = "train", after_help = config::help())]
pub struct Arguments {
    /// Settings as TOML; without it every setting has its default
    #[arg(long, value_name = "TOML")]
    config: Option<PathBuf>,
    /// Data folder, the same as --set data.path=DIR
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run folder: checkpoints, metrics, samples and the finished model
    #[arg(long, value_name = "RUN", default_value = "run")]
    out: PathBuf,
    /// Go on from the newest checkpoint of the run folder
    #[arg(long)]
    resume: bool,
    /// Leave pairs of photo and labels out that cannot be read, the same as
    /// --set data.skip_bad=true; without it one bad pair refuses the data set
    #[arg(long)]
    skip_bad: bool,
    /// Say what the run would need in memory and whether it fits, and stop there
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run, also take so many steps of every stage on the first device, without keeping
    /// them, and say what they really cost
    #[arg(long, value_name = "STEPS", requires = "dry_run", value_parser = clap::value_parser!(u64).range(1..=1000))]
    measure: Option<u64>,
    /// Override a setting, as often as needed
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    devices: DevicesArgument,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let saved = arguments.out.join("config.toml");
    let path = match &arguments.config {
        Some(path) => Some(path.clone()),
        None => Some(saved).filter(|path| arguments.resume && path.exists()),
    };
    let text = match &path {
        Some(path) => text_file::read(path)?,
        None => String::new(),
    };
    let data = arguments.data.iter().map(|path| {
        format!(
            "data.path={}",
            toml::Value::String(path.to_string_lossy().into_owned())
        )
    });
    let skip_bad = arguments.skip_bad.then(|| "data.skip_bad=true".to_owned());
    let overrides: Vec<String> = data
        .chain(skip_bad)
        .chain(arguments.overrides.iter().cloned())
        .collect();
    let config = config::Config::parse(&text, &overrides)
        .with_context(|| path.map_or("--set".to_owned(), |p| p.display().to_string()))?;
    let devices = arguments.devices.open()?;
    if arguments.dry_run {
        return dry_run(&config, &devices, arguments.measure);
    }
    let stop = stop_on_interrupt()?;
    let mut screen = Dashboard::new("");
    let outcome = train::run_on(
        &config,
        &arguments.out,
        arguments.resume,
        &devices,
        &mut |event| screen.show(event),
        &|| stop.load(Ordering::Relaxed) > 0,
    );
    screen.clear();
    let outcome = outcome?;
    if let Some((miou, step)) = outcome.best {
        out!("best validation mIoU {:.2} at step {step}", 100.0 * miou);
    }
    match outcome.model {
        Some(path) => out!("wrote {}", path.display()),
        None if outcome.step == 0 => out!("stopped before the first step"),
        None => out!("stopped after step {}; go on with --resume", outcome.step),
    }
    Ok(())
}

fn dry_run(
    config: &config::Config,
    devices: &[Device],
    measure: Option<u64>,
) -> anyhow::Result<()> {
    let fits = train::dry_run(config, devices)?;
    for (index, fit) in fits.iter().enumerate() {
        if index == 0 {
            out!("{:.1} M parameters", fit.estimate.parameters as f64 / 1e6);
        }
        out!("{fit}");
    }
    for fit in &fits {
        fit.check()?;
    }
    if let (Some(steps), Some(device)) = (measure, devices.first()) {
        for measured in train::measure::measure(config, device, steps as usize)? {
            out!("{measured}");
        }
    }
    Ok(())
}

/// Counts interrupts (Ctrl-C, SIGTERM): the first asks to stop, the second leaves at once.
pub(super) fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicUsize>> {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    ctrlc::set_handler(move || {
        if seen.fetch_add(1, Ordering::Relaxed) > 0 {
            files::remove_temporaries();
            std::process::exit(130);
        }
        err!("stopping after this step; once more to leave at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(count)
}
