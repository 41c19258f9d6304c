//! The log: lines on standard error, which never tear the line that is being
//! edited on a terminal.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

use rustyline::ExternalPrinter;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

use crate::args::LogArgs;
use crate::failure::Failure;

/// Prints above the line that is being edited, while one is.
static ABOVE_PROMPT: Mutex<Option<Box<dyn ExternalPrinter + Send>>> = Mutex::new(None);

/// Starts the log. `--log` wins over `RUST_LOG`, which wins over `info`.
pub(crate) fn start(args: &LogArgs) -> Result<(), Failure> {
    let default = Directive::from(args.log.unwrap_or(LevelFilter::INFO));
    let variable = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let directives = if args.log.is_some() { "" } else { variable.as_str() };
    let filter = EnvFilter::builder().with_default_directive(default).parse(directives).map_err(
        |error| {
            Failure::Usage(format!(
                "invalid value '{variable}' for RUST_LOG: {error}: set a level, such as debug"
            ))
        },
    )?;
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(colours)
        .with_writer(|| Line)
        .init();
    Ok(())
}

/// Leads the log through `printer`, where standard error is the terminal on
/// which a line is being edited.
pub(crate) fn print_above_prompt(printer: impl ExternalPrinter + Send + 'static) {
    if io::stderr().is_terminal() {
        *ABOVE_PROMPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(printer));
    }
}

/// Leads the log to standard error again.
pub(crate) fn print_plainly() {
    *ABOVE_PROMPT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Where one line of the log goes; it is written whole, by one call.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut printer = ABOVE_PROMPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(printer) = printer.as_mut()
            && printer.print(String::from_utf8_lossy(line).into_owned()).is_ok()
        {
            return Ok(line.len());
        }
        io::stderr().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
