//! The command line: one file a command.

mod ablate;
mod dashboard;
mod data;
mod devices;
mod eval;
mod import;
mod interrupt;
mod model;
mod segment;
mod selftest;
#[cfg(feature = "remote")]
mod serve;
mod train;
mod view;

use crate::device::{self, Choice, Opened};
use crate::inference::SCALES;
use crate::terminal::{self, err, out};
use crate::verify::Check;
use anyhow::{anyhow, bail};
use burn::tensor::Device;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

/// Generative segmentation by flow matching.
#[derive(Parser)]
#[command(
    name = "flowseg",
    version,
    about,
    max_term_width = 100,
    override_usage = "flowseg [COMMAND]",
    after_help = "Without a command, the window opens on samples."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    View(view::Arguments),
    Segment(segment::Arguments),
    Train(train::Arguments),
    Eval(eval::Arguments),
    Import(import::Arguments),
    Selftest(selftest::Arguments),
    Data(data::Arguments),
    Ablate(ablate::Arguments),
    Devices(devices::Arguments),
    #[cfg(feature = "remote")]
    Serve(serve::Arguments),
}

/// The device that a command runs on.
#[derive(clap::Args)]
struct DeviceArgument {
    /// auto, cpu, wgpu or wgpu:N (see `flowseg devices`); cuda:N in a build with CUDA,
    /// remote:ws://HOST:PORT in one with remote devices
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: Choice,
}

impl DeviceArgument {
    fn open(&self) -> anyhow::Result<Opened> {
        open(&self.device)
    }
}

/// The size that the network sees.
#[derive(clap::Args)]
struct ScaleArgument {
    /// The size that the network sees, as a factor of each side of the size it was trained at, 0.25 to
    /// 4: larger shows it more detail and costs more time
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    scale: f64,
}

fn scale(text: &str) -> Result<f64, String> {
    let [low, high] = SCALES;
    let factor = text.parse().ok();
    factor
        .filter(|factor| (low..=high).contains(factor))
        .ok_or_else(|| format!("a factor is a number from {low} to {high}"))
}

/// The devices that a command runs on together.
#[derive(clap::Args)]
struct DevicesArgument {
    /// auto, cpu, wgpu or wgpu:N (see `flowseg devices`); cuda:N in a build with CUDA,
    /// remote:ws://HOST:PORT in one with remote devices. Several, with commas between, share
    /// every batch: cuda:0,cuda:1
    #[arg(
        long = "device",
        value_name = "DEVICE,...",
        default_value = "auto",
        value_delimiter = ','
    )]
    devices: Vec<Choice>,
}

impl DevicesArgument {
    fn open(&self) -> anyhow::Result<Vec<Device>> {
        let opened = self.devices.iter().map(|choice| Ok(open(choice)?.device));
        opened.collect()
    }
}

/// Opens a device and says which.
fn open(choice: &Choice) -> anyhow::Result<Opened> {
    let opened = device::open(choice.clone())?;
    match &opened.note {
        Some(note) => err!("device: {opened} ({note})"),
        None => err!("device: {opened}"),
    }
    Ok(opened)
}

/// A progress bar over a number of photos.
fn bar(photos: usize) -> ProgressBar {
    let bar = terminal::bar(photos as u64);
    if let Ok(style) =
        ProgressStyle::with_template("{prefix}{bar:30} {pos}/{len} {elapsed} ETA {eta}")
    {
        bar.set_style(style);
    }
    bar
}

/// Runs the program; the exit status is 0 for done, 1 for failed and 2 for wrong usage.
pub fn main() -> ExitCode {
    terminal::start_log();
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.len() < 2 {
        // Without a command the program is the viewer.
        arguments.push("view".into());
    }
    let command = match Arguments::try_parse_from(arguments) {
        Ok(Arguments { command }) => command,
        Err(help) => return show_help(&help),
    };
    match run(command) {
        Ok(()) => match terminal::failure() {
            None => ExitCode::SUCCESS,
            Some(error) => failed(&unprinted(&error)),
        },
        Err(error) => failed(&error),
    }
}

/// Shows help that was asked for on standard output, and wrong usage on standard error.
fn show_help(help: &clap::Error) -> ExitCode {
    match help.print() {
        Err(error) if !help.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            failed(&unprinted(&error))
        }
        _ => ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(1)),
    }
}

fn unprinted(error: &io::Error) -> anyhow::Error {
    anyhow!("cannot write to standard output ({error}): check the space where it goes")
}

fn failed(error: &anyhow::Error) -> ExitCode {
    err!("flowseg: {}", one_line(error));
    ExitCode::FAILURE
}

fn run(command: Command) -> anyhow::Result<()> {
    // Training and tables stop at a step; the server listens for itself.
    let listens = match &command {
        Command::Train(_) | Command::Ablate(_) => true,
        #[cfg(feature = "remote")]
        Command::Serve(_) => true,
        _ => false,
    };
    if !listens {
        interrupt::leave_when_asked()?;
    }
    match command {
        Command::View(arguments) => view::run(arguments),
        Command::Segment(arguments) => segment::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Selftest(arguments) => selftest::run(&arguments),
        Command::Data(arguments) => data::run(&arguments),
        Command::Ablate(arguments) => ablate::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        #[cfg(feature = "remote")]
        Command::Serve(arguments) => serve::run(&arguments),
    }
}

/// An error with its causes on one line, leaving out causes that the text before already names.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        let cause = terminal::name(&cause.replace('\n', " ")).into_owned();
        if !line.contains(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    line
}

/// Prints a line for every check and fails if any check did.
fn report(checks: &[Check]) -> anyhow::Result<()> {
    for check in checks {
        out!("{check}");
    }
    match checks.iter().filter(|check| !check.passed()).count() {
        0 => Ok(()),
        n => bail!("{n} of {} checks failed", checks.len()),
    }
}
