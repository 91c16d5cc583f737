//! `flowseg train`, also spelt `flowseg --train`.

use super::DeviceArgument;
use crate::files;
use crate::train::{self, Event, config};
use anyhow::Context;
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
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
    /// Say what the run would need in memory and whether it fits, and stop there
    #[arg(long)]
    dry_run: bool,
    /// Override a setting, as often as needed
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let saved = arguments.out.join("config.toml");
    let path = match &arguments.config {
        Some(path) => Some(path.clone()),
        None => Some(saved).filter(|path| arguments.resume && path.exists()),
    };
    let text = match &path {
        Some(path) => String::from_utf8_lossy(&files::read(path)?).into_owned(),
        None => String::new(),
    };
    let data = arguments.data.iter().map(|path| {
        format!(
            "data.path={}",
            toml::Value::String(path.to_string_lossy().into_owned())
        )
    });
    let overrides: Vec<String> = data.chain(arguments.overrides.iter().cloned()).collect();
    let config = config::Config::parse(&text, &overrides)
        .with_context(|| path.map_or("--set".to_owned(), |p| p.display().to_string()))?;
    let opened = arguments.device.open()?;
    if arguments.dry_run {
        return dry_run(&config, &opened.device);
    }
    let stop = stop_on_interrupt()?;
    let mut screen = Screen::new();
    let outcome = train::run(
        &config,
        &arguments.out,
        arguments.resume,
        &opened.device,
        &mut |event| screen.show(event),
        &|| stop.load(Ordering::Relaxed) > 0,
    );
    screen.bar.finish_and_clear();
    let outcome = outcome?;
    if let Some((miou, step)) = outcome.best {
        println!("best validation mIoU {:.2} at step {step}", 100.0 * miou);
    }
    match outcome.model {
        Some(path) => println!("wrote {}", path.display()),
        None => println!("stopped after step {}; go on with --resume", outcome.step),
    }
    Ok(())
}

fn dry_run(config: &config::Config, device: &Device) -> anyhow::Result<()> {
    let fits = train::dry_run(config, device)?;
    for (index, fit) in fits.iter().enumerate() {
        if index == 0 {
            println!("{:.1} M parameters", fit.estimate.parameters as f64 / 1e6);
        }
        println!("{fit}");
    }
    for fit in &fits {
        fit.check()?;
    }
    Ok(())
}

/// Counts interrupts (Ctrl-C, SIGTERM): the first asks to stop, the second leaves at once.
fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicUsize>> {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    ctrlc::set_handler(move || {
        if seen.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(130);
        }
        eprintln!("stopping after this step; once more to leave at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(count)
}

/// A progress bar on a terminal, plain lines elsewhere.
struct Screen {
    bar: ProgressBar,
}

impl Screen {
    fn new() -> Self {
        Self {
            bar: ProgressBar::hidden(),
        }
    }

    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            println!("{text}")
        } else {
            self.bar.println(text)
        }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Started {
                step,
                steps,
                parameters,
                photos: [training, validation],
            } => {
                let style =
                    ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} ETA {eta} {msg}");
                self.bar = ProgressBar::new(steps);
                if let Ok(style) = style {
                    self.bar.set_style(style);
                }
                self.bar.set_position(step);
                self.bar.reset_eta();
                self.line(&format!(
                    "{:.1} M parameters, {training} training and {validation} validation photos",
                    parameters as f64 / 1e6
                ));
                if step > 0 {
                    self.line(&format!("resumed after step {step}"));
                }
            }
            Event::Stage {
                number,
                of,
                last,
                size: [height, width],
                batch_size,
            } => {
                if of > 1 {
                    self.line(&format!(
                        "stage {number} of {of}: {height} x {width}, {batch_size} photos a step, to step {last}"
                    ));
                }
            }
            Event::Initialized { path, loaded } => {
                self.line(&format!(
                    "started from {}: {} tensors, {:.1} % of the parameters",
                    path.display(),
                    loaded.tensors,
                    100.0 * loaded.share
                ));
                for (what, names) in [
                    ("fitted", &loaded.fitted),
                    ("fresh", &loaded.fresh),
                    ("not used", &loaded.unused),
                ] {
                    if !names.is_empty() {
                        self.line(&format!("  {what}: {}", names.join(", ")));
                    }
                }
            }
            Event::Skipped { step, count } => self.line(&format!(
                "step {step}: {count} steps without a finite gradient were skipped"
            )),
            Event::Step { step } => self.bar.set_position(step),
            Event::Logged(line) => {
                let text = format!(
                    "loss {:.4}, {:.1} photos/s, waiting {:.0} %",
                    line.loss,
                    line.photos_per_second,
                    100.0 * line.waiting
                );
                if self.bar.is_hidden() {
                    let eta = self.bar.eta().as_secs();
                    println!(
                        "step {}: {text}, ETA {}:{:02}",
                        line.step,
                        eta / 60,
                        eta % 60
                    );
                } else {
                    self.bar.set_message(text);
                }
            }
            Event::Validating => self.bar.set_message("validating"),
            Event::Validated(line) => self.line(&format!(
                "step {}: mIoU {:.2}, pixel accuracy {:.2}",
                line.step,
                100.0 * line.miou,
                100.0 * line.pixel_accuracy
            )),
            Event::Saved { path } => tracing::info!("saved {}", path.display()),
        }
    }
}
