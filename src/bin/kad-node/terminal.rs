//! The prompt on a terminal: line editing, history, completion of commands.

use std::io::{self, IsTerminal as _, Write};

use nix::sys::termios::{self, SetArg, Termios};
use rustyline::completion::Completer;
use rustyline::config::{Behavior, Config};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Context, Editor, Helper, Highlighter, Hinter, Validator};

use crate::log;
use crate::request::{COMMANDS, RequestError};
use crate::session::{Flow, Session, SessionError};

const PROMPT: &str = "kad> ";
/// Ends the mode in which a terminal marks pasted text, which the line editor
/// begins.
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// The terminal's settings as they were before a line was edited on it.
pub(crate) struct Original(Option<Termios>);

impl Original {
    /// The settings of the terminal on standard input, where there is one.
    pub(crate) fn remember() -> Self {
        Self(io::stdin().is_terminal().then(|| termios::tcgetattr(io::stdin()).ok()).flatten())
    }

    /// Gives the terminal back as it was, where its line editor cannot: while a line
    /// may still be being edited.
    pub(crate) fn restore(&self) {
        let Some(original) = &self.0 else { return };
        log::print_plainly();
        // The terminal may be gone by now; then there is nothing to restore.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, original);
        if io::stderr().is_terminal() {
            let _ = io::stderr().write_all(BRACKETED_PASTE_OFF);
            let _ = io::stderr().write_all(b"\n");
        }
    }
}

/// Carries out the lines that are typed, until `exit`, the end of input or an
/// interrupt.
pub(crate) fn run(session: &mut Session, mut out: impl Write) -> Result<Flow, SessionError> {
    let mut editor = match editor() {
        Ok(editor) => editor,
        Err(error) => {
            tracing::warn!(%error, "the terminal cannot be edited on");
            return Ok(Flow::Exit);
        }
    };
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                if session.line(line.as_bytes(), &mut out)? == Flow::Exit {
                    return Ok(Flow::Exit);
                }
            }
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Session::refuse(&RequestError::NotUtf8 { column: 1 }, &mut out)?;
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(Flow::Exit),
            Err(error) => {
                tracing::warn!(%error, "the terminal cannot be read");
                return Ok(Flow::Exit);
            }
        }
    }
}

fn editor() -> rustyline::Result<Editor<Commands, MemHistory>> {
    // Results alone go to standard output: where that is a file, the prompt
    // goes to the terminal itself.
    let behavior = if io::stdout().is_terminal() { Behavior::Stdio } else { Behavior::PreferTerm };
    let config = Config::builder().behavior(behavior).auto_add_history(true).build();
    let history = MemHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history)?;
    editor.set_helper(Some(Commands));
    if let Ok(printer) = editor.create_external_printer() {
        log::print_above_prompt(printer);
    }
    Ok(editor)
}

/// Completes the names of commands.
#[derive(Helper, Highlighter, Hinter, Validator)]
struct Commands;

impl Completer for Commands {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..position];
        let names = COMMANDS.iter().filter(|name| name.starts_with(typed));
        Ok((0, names.map(|name| format!("{name} ")).collect()))
    }
}
