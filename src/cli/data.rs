//! `flowseg data`: what a data folder holds and what is wrong with it.

use crate::data;
use anyhow::bail;
use indicatif::ProgressBar;
use std::path::PathBuf;

/// Report what a data folder holds and what is wrong with it
#[derive(clap::Args)]
pub struct Arguments {
    /// Data folder in any known layout
    folder: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command; problems are listed one a line and make the exit status 1.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let bar = ProgressBar::new(0);
    let report = data::inspect(&arguments.folder, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    match report.problems().len() {
        0 => Ok(()),
        n => bail!(
            "{} has {n} problems, listed above",
            arguments.folder.display()
        ),
    }
}
