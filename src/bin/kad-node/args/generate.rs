//! The arguments of the commands that print what belongs to an installation.

use clap::Args;
use clap_complete::Shell;

/// Print completions.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell: bash, zsh, fish, elvish or powershell.
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub(crate) shell: Shell,
}

/// Print a manual page.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The command, such as put [default: the program itself].
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}
