//! The form of a result.

use clap::Args;

use super::value;

/// How something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people, and for simple scripts.
    Text,
    /// For programs.
    Json,
}

/// How a command prints its result.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OutputArgs {
    /// How the result is written: text, or json (an object on one line for each text, key or
    /// node that was given).
    #[arg(long, value_name = "text|json", default_value = "text", value_parser = value::format)]
    pub(crate) output: Format,
}
