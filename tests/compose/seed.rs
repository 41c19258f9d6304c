//! The seed's terminal, attached to as a person attaches to it.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::project::{Container, DEADLINE};

/// Ctrl-P Ctrl-Q: leaves the container's terminal and lets its node run.
const DETACH: [char; 2] = ['p', 'q'];

/// A person at the seed's prompt.
pub(crate) struct Seed(PtySession);

impl Seed {
    /// Attaches to the container's terminal.
    pub(crate) fn attach(container: &Container) -> Self {
        let mut command = Command::new("docker");
        command.args(["attach", &container.0]).env("TERM", "xterm");
        let timeout_ms = DEADLINE.as_millis().try_into().ok();
        let mut terminal = spawn_command(command, timeout_ms).expect("a pseudo-terminal");
        // The prompt was shown before anybody looked: an empty line brings it again.
        type_line(&mut terminal, "");
        let mut seed = Self(terminal);
        seed.expect("kad> ");
        seed
    }

    /// Types `line`, and returns what is shown until the next prompt.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        type_line(&mut self.0, line);
        // What is typed is shown, and then its answer, up to the line's own end.
        self.expect(&format!("{line}\u{1b}"));
        self.expect("\r\nkad> ")
    }

    /// Waits until `text` is shown, and returns what was shown before it.
    fn expect(&mut self, text: &str) -> String {
        self.0.exp_string(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    /// Leaves the terminal.
    pub(crate) fn detach(mut self) {
        for key in DETACH {
            self.0.send_control(key).expect("the terminal takes it");
        }
        self.0.exp_eof().expect("docker attach ends");
    }
}

fn type_line(terminal: &mut PtySession, line: &str) {
    terminal.send(&format!("{line}\r")).expect("the terminal takes it");
    terminal.flush().expect("the terminal takes it");
}
