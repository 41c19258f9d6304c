//! The seed's terminal, attached as a person would attach to it.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::container::Container;
use crate::wait;

/// Ctrl-P Ctrl-Q: leaves the container's terminal while its node keeps running.
const DETACH: [char; 2] = ['p', 'q'];

/// The line editor makes the terminal mark pasted text from here on (xterm's mode 2004).
const EDITING_BEGINS: &str = "\u{1b}[?2004h";
/// The line is complete: what follows is the answer.
const EDITING_ENDS: &str = "\u{1b}[?2004l";

/// A person at the seed's prompt.
pub(crate) struct Seed(PtySession);

impl Seed {
    /// Attaches to the container's terminal.
    pub(crate) fn attach(container: &Container) -> Self {
        let mut command = Command::new("sh");
        // The container's terminal takes over the size of this one.
        let attach = r#"stty cols 120 rows 40 && exec docker attach "$1""#;
        command.args(["-c", attach, "sh", &container.0]).env("TERM", "xterm");
        let timeout_ms = wait::longest().as_millis().try_into().ok();
        let terminal = spawn_command(command, timeout_ms).expect("a pseudo-terminal");
        let mut seed = Self(terminal);
        // The prompt was shown before the test attached: an empty line shows it again.
        seed.ask("");
        seed
    }

    /// Types `line`, and returns what is shown until the next prompt.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.0.send(&format!("{line}\r")).expect("the terminal takes it");
        self.0.flush().expect("the terminal takes it");
        self.expect(EDITING_ENDS);
        self.expect(EDITING_BEGINS)
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
