//! The prompt on a terminal: line editing, history, completion of commands, keys and files,
//! and the keys that interrupt or suspend.

mod completion;
mod files;
mod history;

use std::io::{self, IsTerminal as _, Write};
use std::iter;
use std::mem;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::termios::{self, SetArg, Termios};
use rustyline::config::{Behavior, Config};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ConditionalEventHandler, Editor, Event, EventContext, EventHandler, KeyEvent, RepeatCount,
};

use self::completion::Commands;
pub(crate) use self::completion::RecentKeys;
pub(crate) use self::history::History;
use self::history::Lines;
use crate::ongoing::Ongoing;
use crate::request::RequestError;
use crate::session::{Session, SessionError};
use crate::{job_control, log};

/// Ends the mode in which a terminal marks pasted text. The line editor begins it.
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// The terminal's settings before the line editor changed them.
pub(crate) struct Original(Option<Termios>);

impl Original {
    /// Remembers the settings of the terminal on standard input, if it is one.
    pub(crate) fn remember() -> Self {
        Self(io::stdin().is_terminal().then(|| termios::tcgetattr(io::stdin()).ok()).flatten())
    }

    /// Restores the terminal while a line may still be being edited: the line editor
    /// cannot do it then.
    pub(crate) fn restore(&self) {
        let Some(original) = &self.0 else { return };
        log::print_plainly();
        if !job_control::is_in_foreground() {
            return; // another process uses the terminal now
        }
        // If the terminal has closed, there is nothing to restore.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, original);
        if io::stderr().is_terminal() {
            let _ = io::stderr().write_all(BRACKETED_PASTE_OFF);
            let _ = io::stderr().write_all(b"\n");
        }
    }
}

/// Descriptors that the line editor opens while a line is edited: both ends of its pipe
/// for SIGWINCH.
const EDITOR_DESCRIPTORS: usize = 2;

/// Reserves the lowest free descriptors for the line editor. It waits by `select`, which
/// takes only descriptors below 1024, and the nodes of a demo may use all of those.
struct LowDescriptors(Vec<OwnedFd>);

impl LowDescriptors {
    fn keep() -> Self {
        let copy = || io::stdin().as_fd().try_clone_to_owned().ok();
        Self(iter::repeat_with(copy).take(EDITOR_DESCRIPTORS).flatten().collect())
    }

    /// Frees the descriptors for the line editor.
    fn lend(&mut self) {
        self.0.clear();
    }
}

/// A terminal with a line editor.
pub(crate) struct Terminal {
    editor: Editor<Commands, FileHistory>,
    lines: Lines,
    recent: RecentKeys,
    keys: Keys,
    low_descriptors: LowDescriptors,
}

impl Terminal {
    /// Opens the line editor, if standard input is a terminal. Must come before the
    /// sockets of many nodes are opened: see [`LowDescriptors`].
    pub(crate) fn open(history: History) -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        match Self::edit(history) {
            Ok(terminal) => Some(terminal),
            Err(error) => {
                tracing::warn!(%error, "cannot edit lines on this terminal: no prompt");
                None
            }
        }
    }

    fn edit(history: History) -> rustyline::Result<Self> {
        // Only results go to standard output: when that is a file, the prompt goes to the
        // terminal itself.
        let is_terminal = io::stdout().is_terminal();
        let behavior = if is_terminal { Behavior::Stdio } else { Behavior::PreferTerm };
        let config = Config::builder().behavior(behavior).auto_add_history(true).build();
        let lines = Lines::empty(&config)?;
        let mut editor = Editor::with_history(config, lines)?;
        let recent = RecentKeys::default();
        let lines = Lines::read(history, &mut editor, &recent);
        editor.set_helper(Some(Commands { recent: recent.clone() }));
        let keys = Keys::default();
        for key in [KeyEvent::ctrl('C'), KeyEvent::ctrl('\\'), KeyEvent::ctrl('Z')] {
            editor.bind_sequence(key, EventHandler::Conditional(Box::new(keys.clone())));
        }
        if let Ok(printer) = editor.create_external_printer() {
            log::print_above_prompt(printer);
        }
        Ok(Self { editor, lines, recent, keys, low_descriptors: LowDescriptors::keep() })
    }

    /// The keys that are completed, which the prompt adds to.
    pub(crate) fn recent_keys(&self) -> RecentKeys {
        self.recent.clone()
    }

    /// Runs the typed lines until `exit`, the end of input, or a second Ctrl-C on an empty
    /// line.
    pub(crate) fn run(
        &mut self,
        session: &mut Session,
        ongoing: &Ongoing,
        mut out: impl Write,
    ) -> Result<ControlFlow<()>, SessionError> {
        let mut before = Typed::default();
        let mut interrupts = 0;
        loop {
            // A Ctrl-C of before, which cleared an empty line, interrupts no later command.
            ongoing.edit();
            await_foreground();
            let typed = (before.left.as_str(), before.right.as_str());
            self.low_descriptors.lend();
            let read = self.editor.readline_with_initial(session.prompt(), typed);
            self.low_descriptors = LowDescriptors::keep();
            let key = self.keys.take();
            before = Typed::default();
            interrupts =
                if matches!(read, Err(ReadlineError::Interrupted)) { interrupts } else { 0 };
            match read {
                // The handler of SIGHUP decides whether the node stops when its terminal
                // closes.
                Err(_) if job_control::has_hung_up() => return Ok(ControlFlow::Continue(())),
                Ok(lines) => {
                    self.lines.keep(&mut self.editor);
                    if run_lines(session, ongoing, &lines, &mut out)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(ReadlineError::Interrupted) => match key {
                    Key::Suspend(typed) => {
                        before = typed;
                        job_control::suspend();
                    }
                    Key::Interrupt { on_empty_line: false } => {
                        session.cancel_text();
                        interrupts = 0;
                    }
                    Key::Interrupt { on_empty_line: true } if session.cancel_text() => {}
                    Key::Interrupt { on_empty_line: true } if interrupts == 0 => {
                        interrupts = 1;
                        log::say("To stop the node type 'exit', or press Ctrl-C once more.");
                    }
                    Key::Interrupt { .. } => return Ok(ControlFlow::Break(())),
                },
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    session.refuse(&RequestError::NotUtf8 { column: 1 }, &mut out)?;
                }
                // Another process took the terminal while a line was read from it.
                Err(ReadlineError::Io(_) | ReadlineError::Errno(_))
                    if !job_control::is_in_foreground() => {}
                Err(ReadlineError::Eof) => return Ok(ControlFlow::Break(())),
                Err(error) => {
                    tracing::warn!(%error, "cannot read the terminal");
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
    }
}

/// Waits until this process may read from the terminal.
fn await_foreground() {
    if !job_control::is_in_foreground() {
        tracing::info!("serving in the background: bring it to the foreground for the prompt");
        job_control::await_foreground();
    }
}

/// Runs one line, or each of several pasted lines. An interrupt ends the running line and
/// skips those after it.
fn run_lines(
    session: &mut Session,
    ongoing: &Ongoing,
    lines: &str,
    out: &mut impl Write,
) -> Result<ControlFlow<()>, SessionError> {
    for line in lines.split('\n') {
        ongoing.begin();
        let flow = session.line(line.as_bytes(), out);
        let interrupted = ongoing.end();
        if flow?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if interrupted {
            break;
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The text left and right of the cursor.
#[derive(Debug, Default)]
struct Typed {
    left: String,
    right: String,
}

/// The key that ended the editing of a line.
#[derive(Debug)]
enum Key {
    Interrupt { on_empty_line: bool },
    Suspend(Typed),
}

/// Remembers which of Ctrl-C and Ctrl-Z was pressed and what had been typed: the line editor
/// reports both as the same error, without the text.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<Option<Key>>>);

impl Keys {
    fn take(&self) -> Key {
        let key = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        key.unwrap_or(Key::Interrupt { on_empty_line: false })
    }
}

impl ConditionalEventHandler for Keys {
    fn handle(
        &self,
        event: &Event,
        _count: RepeatCount,
        _positive: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        let line = context.line();
        let key = if event.get(0) == Some(&KeyEvent::ctrl('Z')) {
            let (left, right) = line.split_at(context.pos());
            Key::Suspend(Typed { left: left.into(), right: right.into() })
        } else {
            Key::Interrupt { on_empty_line: line.is_empty() }
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Some(Cmd::Interrupt)
    }
}
