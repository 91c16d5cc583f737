//! `flowseg ablate`: a table of training runs.

use super::arguments::DeviceArgument;
use super::dashboard::Dashboard;
use super::interrupt::Stop;
use crate::ablate::{self, Event, Table};
use crate::device;
use crate::files::{self, Plan};
use crate::terminal::out;
use std::path::PathBuf;
use std::process::ExitCode;

/// Train and score a table of configurations; rerun the same command to resume
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The table: rows of settings, seeds, and how to score (see assets/presets/ablate-*.toml)
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Folder for table.md, table.csv, plots, scores and runs. Tables and plots of other programs are not
    /// replaced
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Override a setting of every run, as often as needed
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the command. The exit status of a table that was stopped before its end is that of the signal.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let table = Table::read(&arguments.table, &arguments.overrides)?;
    let output = &arguments.output;
    files::create_output_folder(output)?;
    ablate::keep_foreign(output)?;
    let mut plan = Plan::default();
    for name in ablate::OUTPUTS {
        plan.write(output.join(name), format!("the file {name} of the table"));
    }
    plan.check(|| vec![arguments.table.clone()])?;
    let opened = arguments.device.open()?;
    let stop = Stop::listen()?;
    let mut screen = Dashboard::new("");
    let mut show = |event| match event {
        Event::Job {
            number: [number, all],
            name,
            done,
        } => {
            screen.clear();
            let before = if done { ": finished before" } else { "" };
            let title = format!("[{number}/{all}] {name}");
            out!("{title}{before}");
            screen = Dashboard::new(&title);
        }
        Event::Train(event) => screen.show(event),
        Event::Scoring => screen.line("scoring"),
        Event::Scored(Some(miou)) => {
            screen.clear();
            out!("mIoU {:.2}", 100.0 * miou);
        }
        Event::Scored(None) => {
            screen.clear();
            out!("diverged");
        }
    };
    let work = || ablate::run(&table, output, &opened, &mut show, &|| stop.asked());
    let complete = device::guarded(&opened.device, work)
        .map_err(|failed| failed.needing_less_with("a smaller scale in [score]"))??;
    screen.clear();
    let file = output.join("table.md");
    if !complete {
        out!("stopped; rerun the same command to resume");
        return Ok(stop.status());
    }
    out!("wrote {}", file.display());
    Ok(ExitCode::SUCCESS)
}
