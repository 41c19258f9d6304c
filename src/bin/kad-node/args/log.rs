//! The flags of the log.

use clap::Args;
use tracing::level_filters::LevelFilter;

use super::{Format, value};

/// Options of the log.
#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Least severe level to log to standard error: error, warn, info, debug, trace or
    /// off [default: `RUST_LOG`, or info].
    #[arg(long, value_name = "LEVEL", value_parser = value::log_level)]
    pub(crate) log: Option<LevelFilter>,
    /// How a line of the log is written: text, or json (one object a line, for programs).
    #[arg(long, value_name = "text|json", default_value = "text", value_parser = value::format)]
    pub(crate) log_format: Format,
}
