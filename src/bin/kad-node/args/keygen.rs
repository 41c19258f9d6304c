//! The argument of the command that makes a key.

use std::path::PathBuf;

use clap::Args;

/// Make the key of a private network.
#[derive(Args, Debug)]
pub(crate) struct KeygenArgs {
    /// New file for the key, which only its owner may read; without it the key is printed.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
