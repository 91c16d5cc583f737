//! `flowseg ablate`: a table of training runs.

use super::DeviceArgument;
use super::dashboard::Dashboard;
use super::interrupt::Stop;
use crate::ablate::{self, Event, Table};
use std::path::PathBuf;

/// Train and score a table of configurations; the same command goes on where it stopped
#[derive(clap::Args)]
pub struct Arguments {
    /// The table: rows of settings, seeds, and how to score (see assets/presets/ablate-*.toml)
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Folder for table.md, table.csv, plots, scores and runs
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Override a setting of every run, as often as needed
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let table = Table::read(&arguments.table, &arguments.overrides)?;
    let device = arguments.device.open()?;
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
            println!("{title}{before}");
            screen = Dashboard::new(&title);
        }
        Event::Train(event) => screen.show(event),
        Event::Scoring => screen.line("scoring"),
        Event::Scored(Some(miou)) => {
            screen.clear();
            println!("mIoU {:.2}", 100.0 * miou);
        }
        Event::Scored(None) => {
            screen.clear();
            println!("diverged");
        }
    };
    let complete = ablate::run(&table, &arguments.output, &device, &mut show, &|| {
        stop.asked()
    })?;
    screen.clear();
    let file = arguments.output.join("table.md");
    match complete {
        true => println!("wrote {}", file.display()),
        false => println!("stopped; the same command goes on from here"),
    }
    Ok(())
}
