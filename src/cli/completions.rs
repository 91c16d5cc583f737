//! `flowseg completions`: shell completion scripts.

use crate::terminal::out;
use clap_complete::Shell;

/// Print a shell script that completes commands, options and file names
#[derive(clap::Args)]
#[command(after_help = "\
For bash: flowseg completions bash > ~/.local/share/bash-completion/completions/flowseg
For zsh: flowseg completions zsh > _flowseg, in a folder of $fpath
For fish: flowseg completions fish > ~/.config/fish/completions/flowseg.fish")]
pub(super) struct Arguments {
    /// The shell to write completions for
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// A script that is not text.
pub(super) fn run(arguments: &Arguments, mut program: clap::Command) -> anyhow::Result<()> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, name, &mut script);
    out!("{}", String::from_utf8(script)?.trim_end());
    Ok(())
}
