//! `completions`: the one place that knows clap_complete.

use clap::Args;
use clap_complete::Shell;

use crate::cli::words::{self, Words};
use crate::cli::{Exit, command};

/// Print the completion script for a shell
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Completions {
    /// bash, zsh, fish, powershell or elvish
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

const AFTER: &str = "\
Examples:
  redkit completions bash > ~/.local/share/bash-completion/completions/redkit
  redkit completions zsh > ~/.zfunc/_redkit
  redkit completions fish > ~/.config/fish/completions/redkit.fish
  redkit completions powershell >> $PROFILE

Exit status:
  0  the script was printed
  2  there is no script for this shell";

impl Completions {
    pub(super) fn run(self, _: &Words) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "redkit", &mut script);
        words::print(&String::from_utf8(script)?)?;
        Ok(Exit::Done)
    }
}
