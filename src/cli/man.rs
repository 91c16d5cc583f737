//! `flowseg man`: manual pages.

use crate::files::{self, Plan};
use crate::terminal::out;
use clap::builder::Resettable;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::path::PathBuf;

/// Print the manual page, or write one for every command
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Folder for flowseg.1 and one page per command, such as flowseg-segment.1
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, mut program: clap::Command) -> anyhow::Result<()> {
    // `help` needs no page, and a manual belongs to a version, not to a build.
    program = program
        .disable_help_subcommand(true)
        .long_version(Resettable::Reset);
    let Some(folder) = &arguments.output else {
        let (_, text) = page(program)?;
        out!("{}", text.trim_end());
        return Ok(());
    };
    // Gives each command the name of its page.
    program.build();
    let mut pages = vec![page(program.clone())?];
    for command in program.get_subcommands() {
        pages.push(page(command.clone())?);
    }
    files::create_output_folder(folder)?;
    let mut plan = Plan::default();
    for (name, _) in &pages {
        plan.write(folder.join(name), format!("the page {name}"));
    }
    plan.check(Vec::new)?;
    for (name, text) in pages {
        files::write_atomic(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

/// The file name and the text of a command's page. Notes after the options keep their lines: some are
/// tables.
fn page(command: clap::Command) -> anyhow::Result<(String, String)> {
    let notes = command.get_after_help().map(ToString::to_string);
    let page = Man::new(command.after_help(Resettable::Reset)).manual("FlowSeg");
    let mut text = Vec::new();
    page.render(&mut text)?;
    let mut text = String::from_utf8(text)?;
    if let Some(notes) = notes {
        let mut section = Roff::new();
        section.control("SH", ["NOTES"]).control("nf", []);
        section.text([roman(notes)]).control("fi", []);
        text.push_str(&section.to_roff());
    }
    Ok((page.get_filename(), text))
}
