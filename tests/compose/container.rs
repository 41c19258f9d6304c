//! One container, and the node in it.

use std::path::Path;
use std::process::Command;

use kad_node::id::Id;

use crate::engine::{self, Ended, Heed};
use crate::wait::wait_for;

/// The address of a container's node, from inside.
const INSIDE: &str = "127.0.0.1:9001";
/// Last lines of a log that a failure shows.
const TAIL_LINES: &str = "15";

/// A container, by its full id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Container(pub(crate) String);

/// What a node logs when it is ready.
pub(crate) struct Ready {
    pub(crate) id: Id,
    pub(crate) io: String,
}

impl Container {
    /// Runs `kad-node` with `words` in it.
    fn kad_node(&self, words: &[&str]) -> Ended {
        engine::run(Command::new("docker").args(["exec", &self.0, "/kad-node"]).args(words))
    }

    /// Gets `key` by a client that joins through its node.
    pub(crate) fn get(&self, key: &str) -> Ended {
        self.kad_node(&["get", "--log", "error", "--bootstrap", INSIDE, key])
    }

    /// Gets `key` as [`get`](Self::get) does, as a shell of this host writes it to `file`.
    pub(crate) fn get_to_file(&self, key: &str, file: &Path) {
        let get = r#"docker exec "$0" /kad-node get --bootstrap "$1" "$2" > "$3""#;
        let mut shell = Command::new("sh");
        engine::output(shell.args(["-c", get, &self.0, INSIDE, key]).arg(file));
    }

    /// Puts `text` through its node, and returns the key.
    pub(crate) fn put(&self, text: &str) -> String {
        let ended = self.kad_node(&["put", "--log", "error", "--bootstrap", INSIDE, text]);
        assert_eq!(ended.status, Some(0), "{ended:?} in {}", self.account());
        ended.stdout.trim_end().into()
    }

    /// Whether its network reaches the node at `address`, as `kad-node ping` ends.
    pub(crate) fn ping(&self, address: &str) -> Ended {
        self.kad_node(&["ping", "--timeout", "1s", address])
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        let ended = engine::run(Command::new("docker").args(["logs", &self.0]));
        plain(&(ended.stdout + &ended.stderr))
    }

    /// Waits until its node has logged `word`, and returns the line.
    fn await_logged(&self, word: &str) -> String {
        let line = |log: &str| log.lines().find(|line| line.contains(word)).map(str::to_owned);
        wait_for(|| format!("'{word}' in {}", self.account()), || line(&self.log()))
    }

    /// Waits until its node has joined the network.
    pub(crate) fn await_joined(&self) {
        self.await_logged(" joined contacts=");
    }

    /// What its node logged when it was ready.
    pub(crate) fn ready(&self) -> Ready {
        let line = self.await_logged(" ready ");
        let field = |name: &str| {
            let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            value.unwrap_or_else(|| panic!("{name} is missing in {line:?}")).to_owned()
        };
        Ready { id: field("id=").parse().expect("an id"), io: field("io=") }
    }

    /// Its name and the end of its log, for a failure's message.
    pub(crate) fn account(&self) -> String {
        let mut command = Command::new("docker");
        let command = command.args(["logs", "--tail", TAIL_LINES, &self.0]);
        let log = match engine::attempt(command, engine::CALL_MAX, Heed::Nothing) {
            Ok(ended) => plain(&(ended.stdout + &ended.stderr)),
            Err(reason) => reason,
        };
        format!("container {:.12}, whose log ends\n{log}", self.0)
    }
}

/// `text` without the colours that a node's log has on a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = escape.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, after)| after);
    }
    plain + rest
}
