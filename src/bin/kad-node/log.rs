//! The log: lines on standard error that never break the line being edited on a
//! terminal.
//!
//! The log never blocks the node. A separate thread writes the lines, so a reader that
//! stops reading delays nothing else. Lines beyond [`LINES_WAITING_MAX`] are dropped and
//! counted. A line that cannot be written (full disk, closed pipe) is lost silently.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use kad_node::printable;
use rustyline::ExternalPrinter;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::{Format, LogArgs};
use crate::failure::Failure;

/// Most lines that wait to be written: some 100 bytes each.
const LINES_WAITING_MAX: usize = 8192;

/// What the libraries log is shown from this level on, unless `RUST_LOG` names them: the
/// line editor logs a dozen lines for each key.
const QUIET_LIBRARIES: &str = "rustyline=warn";

/// The line editor's printer. Only the writing thread holds the lock while it prints.
static PRINTER: Mutex<Option<Box<dyn ExternalPrinter + Send>>> = Mutex::new(None);
/// Whether a line may be being edited, so that [`PRINTER`] must be used.
static ABOVE_PROMPT: AtomicBool = AtomicBool::new(false);
/// Whether each line of the log is an object of JSON.
static JSON: AtomicBool = AtomicBool::new(false);
/// Whether a line of progress is shown, which a line of the log takes the place of.
static PROGRESS: AtomicBool = AtomicBool::new(false);
/// Sends lines to the writing thread, once the log has started.
static WRITER: OnceLock<NonBlocking> = OnceLock::new();
/// When dropped, writes the waiting lines and ends the writing thread.
static WORKER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Starts the log. `--log` overrides `RUST_LOG`, which overrides `info`.
pub(crate) fn start(args: &LogArgs) -> Result<(), Failure> {
    let variable = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let directives = match args.log {
        None if !variable.is_empty() => format!("{QUIET_LIBRARIES},{variable}"),
        level => format!("{QUIET_LIBRARIES},{}", level.unwrap_or(LevelFilter::INFO)),
    };
    let default = Directive::from(LevelFilter::INFO);
    let filter = EnvFilter::builder().with_default_directive(default).parse(directives).map_err(
        |error| {
            Failure::Usage(format!(
                "invalid value '{variable}' for RUST_LOG: {error}: set a level, such as debug"
            ))
        },
    )?;
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(Line);
    *WORKER.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
    let writer = WRITER.get_or_init(|| writer).clone();
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(colours);
    match args.log_format {
        Format::Text => log.compact().with_writer(Escaping { writer, colours }).init(),
        Format::Json => {
            JSON.store(true, Ordering::Relaxed);
            log.json().flatten_event(true).with_ansi(false).with_writer(writer).init();
        }
    }
    Ok(())
}

/// Waits until all logged lines are written, for about a second at most.
pub(crate) fn finish() {
    drop(WORKER.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Reports why the program fails, on a line of its own, whatever it says of files and arguments.
pub(crate) fn fail(why: impl Display) {
    if JSON.load(Ordering::Relaxed) {
        tracing::error!("{why}");
    } else {
        say(format_args!("error: {}", printable::line(&why.to_string())));
    }
}

/// Writes text of the program itself to standard error, after the lines logged before it.
pub(crate) fn say(line: impl Display) {
    let line = format!("{line}\n");
    // An error could be reported only to standard error itself.
    let _ = match WRITER.get() {
        Some(writer) => writer.clone().write_all(line.as_bytes()),
        None => io::stderr().write_all(line.as_bytes()),
    };
}

/// Moves the cursor to the beginning of its line, and clears that.
const CLEAR_LINE: &[u8] = b"\r\x1b[K";

/// Shows `line` on the terminal of standard error, in place of what it showed before.
pub(crate) fn show_progress(line: impl Display) {
    // A terminal that has closed needs no progress.
    let _ = io::stderr().write_all(format!("\r{line}\x1b[K").as_bytes());
    PROGRESS.store(true, Ordering::Relaxed);
}

/// Clears what [`show_progress`] shows.
pub(crate) fn end_progress() {
    if PROGRESS.swap(false, Ordering::Relaxed) {
        let _ = io::stderr().write_all(CLEAR_LINE);
    }
}

/// How many lines were dropped because too many waited to be written.
pub(crate) fn lines_dropped() -> u64 {
    WRITER.get().map_or(0, |writer| writer.error_counter().dropped_lines() as u64)
}

/// Sends the log through `printer` when standard error is the terminal on which a line
/// is being edited.
pub(crate) fn print_above_prompt(printer: impl ExternalPrinter + Send + 'static) {
    if io::stderr().is_terminal() {
        *PRINTER.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(printer));
        ABOVE_PROMPT.store(true, Ordering::Relaxed);
    }
}

/// Sends the log to standard error again. It never waits: a busy printer may wait for the
/// line editor.
pub(crate) fn print_plainly() {
    ABOVE_PROMPT.store(false, Ordering::Relaxed);
}

/// Keeps each event on one line, whatever the names of files and hosts in it hold.
#[derive(Clone)]
struct Escaping {
    writer: NonBlocking,
    /// Whether the log has colours, which begin by the escape character. Where an event says
    /// one, the library has escaped it before.
    colours: bool,
}

impl Escaping {
    fn is_escaped(&self, character: char) -> bool {
        printable::is_hidden(character) && !(self.colours && character == '\u{1b}')
    }
}

impl Write for Escaping {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut shown = String::with_capacity(event.len());
        for character in line.chars() {
            if self.is_escaped(character) {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
        }
        shown.push('\n');
        self.writer.write_all(shown.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<'a> MakeWriter<'a> for Escaping {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes one log line per call, whole.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        end_progress();
        if !print(line) {
            // On a full disk or a closed pipe the line is lost, and the node goes on.
            let _ = io::stderr().write_all(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints above the line being edited, if there is one. Returns whether it did.
fn print(line: &[u8]) -> bool {
    if !ABOVE_PROMPT.load(Ordering::Relaxed) {
        return false;
    }
    let mut printer = PRINTER.lock().unwrap_or_else(PoisonError::into_inner);
    let line = String::from_utf8_lossy(line).into_owned();
    printer.as_mut().is_some_and(|printer| printer.print(line).is_ok())
}
