//! The command line: one file per command.

mod ablate;
mod agreement;
mod arguments;
mod compare;
mod compiling;
mod completions;
mod console;
mod contact_sheet;
mod dashboard;
mod data;
mod devices;
mod eval;
mod export_onnx;
mod import;
mod inputs;
mod interrupt;
mod man;
mod models;
mod output;
mod progress;
mod race;
mod segment;
mod selftest;
mod serve;
mod train;
mod view;
mod worst_photos;

use crate::crash;
use crate::terminal::{self, err};
use anyhow::anyhow;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};
use output::one_line;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

/// Generative segmentation by flow matching.
#[derive(Parser)]
#[command(
    name = "flowseg",
    version,
    long_version = crate::version::LONG,
    about,
    max_term_width = 100,
    override_usage = "flowseg [COMMAND]",
    after_help = "Without a command, the window opens on procedural scenes.\n\nExit status: 0 for success, 1 for failure, \
                  2 for wrong usage;\n130, 143 or 129 where Ctrl-C, SIGTERM or a hang-up stopped a command \
                  before its end."
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
    Compare(compare::Arguments),
    Import(import::Arguments),
    Selftest(selftest::Arguments),
    Data(data::Arguments),
    Ablate(ablate::Arguments),
    Race(race::Arguments),
    Devices(devices::Arguments),
    Models(models::Arguments),
    ExportOnnx(export_onnx::Arguments),
    Serve(serve::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Runs the program; the exit status is 0 for success, 1 for failure and 2 for wrong usage. A command
/// that a signal stopped before its end has 130 for Ctrl-C, 143 for SIGTERM and 129 for a hang-up.
pub fn main() -> ExitCode {
    terminal::start_log();
    crash::log_panics();
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.len() < 2 {
        // Without a command, open the window.
        arguments.push("view".into());
    }
    let command = match Arguments::try_parse_from(arguments) {
        Ok(Arguments { command }) => command,
        Err(help) => {
            let status = show_help(&help);
            if let Some(hint) = hint_at_commands(&help) {
                err!("{hint}");
            }
            return status;
        }
    };
    match run(command) {
        Ok(status) => match terminal::failure() {
            None => status,
            Some(error) => failed(&unprinted(&error)),
        },
        Err(error) => failed(&error),
    }
}

/// Prints requested help to standard output, and usage errors to standard error.
fn show_help(help: &clap::Error) -> ExitCode {
    match help.print() {
        Err(error) if !help.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            failed(&unprinted(&error))
        }
        _ => ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(1)),
    }
}

/// What to write where a file or folder stands in the place of a command.
fn hint_at_commands(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    Path::new(given).exists().then(|| {
        format!("to open it: flowseg view {given}; to segment it: flowseg segment {given} -o masks")
    })
}

fn unprinted(error: &io::Error) -> anyhow::Error {
    anyhow!("cannot write to standard output ({error}): check the free space of its destination")
}

fn failed(error: &anyhow::Error) -> ExitCode {
    err!("flowseg: {}", one_line(error));
    ExitCode::FAILURE
}

/// Runs a command. The result is its exit status, unless it fails.
fn run(command: Command) -> anyhow::Result<ExitCode> {
    // Training, tables and races stop at a step, comparisons at a photo, servers once they have answered.
    let listens = matches!(
        command,
        Command::Train(_)
            | Command::Ablate(_)
            | Command::Compare(_)
            | Command::Race(_)
            | Command::Serve(_)
    );
    if !listens {
        interrupt::leave_when_asked()?;
    }
    match command {
        Command::View(arguments) => view::run(arguments)?,
        Command::Segment(arguments) => segment::run(&arguments)?,
        Command::Train(arguments) => return train::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments)?,
        Command::Compare(arguments) => return compare::run(&arguments),
        Command::Import(arguments) => import::run(&arguments)?,
        Command::Selftest(arguments) => selftest::run(&arguments)?,
        Command::Data(arguments) => data::run(&arguments)?,
        Command::Ablate(arguments) => return ablate::run(&arguments),
        Command::Race(arguments) => return race::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments)?,
        Command::Models(arguments) => models::run(&arguments)?,
        Command::ExportOnnx(arguments) => export_onnx::run(&arguments)?,
        Command::Serve(arguments) => serve::run(&arguments)?,
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command())?,
        Command::Man(arguments) => man::run(&arguments, Arguments::command())?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::config::keys;

    /// clap forgives that an argument lacks the one which it requires if a third excludes that one.
    #[test]
    fn arguments_without_effect_are_refused() {
        for line in [
            "models scenes --card {} -o copy.safetensors",
            "models scenes --card {}",
            "models -o copy.safetensors scenes",
            "models --json --card {}",
            "models --json -o copy.safetensors",
            "data scenes:6 --json --skip-bad",
            "data scenes:6 --sheet sheet.png --skip-bad",
            "view --race --preset fig1b",
            "view --lesson 1 --preset fig1b",
            #[cfg(feature = "remote")]
            "serve --port 0 --steps 5",
            #[cfg(feature = "remote")]
            "serve --host 127.0.0.1 --model scenes",
        ] {
            let words = std::iter::once("flowseg").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_err(), "{line}");
        }
        let complete = "flowseg models --edit scenes --card {} -o copy.safetensors";
        assert!(Arguments::try_parse_from(complete.split(' ')).is_ok());
    }

    #[test]
    fn settings_are_indented_below_their_names_whatever_the_width() {
        for width in [60, 100] {
            let mut program = Arguments::command().term_width(width);
            program.build();
            let train = program.find_subcommand_mut("train").unwrap();
            let help = train.render_long_help().to_string();
            let settings = help.trim_end().lines();
            let settings = settings.skip_while(|line| !line.starts_with("  model."));
            let (names, meanings): (Vec<&str>, Vec<&str>) =
                settings.partition(|line| !line.starts_with("      "));
            let expected = keys().map(|key| format!("  {} = ", key.name));
            assert_eq!(names.len(), keys().count());
            for (name, expected) in names.iter().zip(expected) {
                assert!(name.starts_with(&expected), "{name}");
            }
            for line in names.iter().chain(&meanings) {
                assert!(line.len() <= width, "{line}");
            }
        }
    }
}
