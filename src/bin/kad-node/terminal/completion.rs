//! Completes the names of commands, keys that were put, found or typed before, and files.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use kad_node::id::Id;
use rustyline::completion::Completer;
use rustyline::{Context, Helper, Highlighter, Hinter, Validator};

use super::files;
use crate::request::COMMANDS;

/// Most keys that are completed.
const RECENT_KEYS_MAX: usize = 100;

/// Commands that are followed by a key.
const OF_A_KEY: [&str; 3] = ["get ", "trace ", "forget "];

/// The keys of late, the last one first. The prompt and the line editor share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentKeys(Arc<Mutex<VecDeque<Id>>>);

impl RecentKeys {
    /// Notes a key that was put, found or asked for.
    pub(crate) fn note(&self, key: Id) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|known| *known != key);
        keys.push_front(key);
        keys.truncate(RECENT_KEYS_MAX);
    }

    /// Notes the keys of a line that was typed.
    pub(super) fn note_line(&self, line: &str) {
        line.split_whitespace().filter_map(|word| word.parse().ok()).for_each(|key| self.note(key));
    }

    fn beginning(&self, with: &str) -> Vec<String> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = keys.iter().map(ToString::to_string);
        texts.filter(|text| text.starts_with(with)).collect()
    }
}

/// What the Tab key completes.
#[derive(Helper, Highlighter, Hinter, Validator)]
pub(super) struct Commands {
    pub(super) recent: RecentKeys,
}

impl Commands {
    /// Where what is completed begins in `typed`, and what it may be.
    fn candidates(&self, typed: &str) -> (usize, Vec<String>) {
        let lower = typed.to_ascii_lowercase();
        if let Some(start) = file_begins(&lower) {
            let (within, names) = files::beginning(&typed[start..]);
            return (start + within, names);
        }
        if let Some(command) = OF_A_KEY.iter().find(|command| lower.starts_with(**command)) {
            return (command.len(), self.recent.beginning(&lower[command.len()..]));
        }
        let start = if lower.starts_with("help ") { "help ".len() } else { 0 };
        let names = COMMANDS.iter().filter(|name| name.starts_with(&lower[start..]));
        (start, names.map(|name| format!("{name} ")).collect())
    }
}

/// Where the name of a file begins in a line, in lower case, that names one.
fn file_begins(lower: &str) -> Option<usize> {
    match lower.strip_prefix("put @") {
        Some(text) => (!text.starts_with('@')).then_some(lower.len() - text.len()),
        None => lower.starts_with("get ").then(|| lower.find('>')).flatten().map(|at| at + 1),
    }
}

impl Completer for Commands {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(&line[..position]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_completed_after_a_command_that_takes_one() {
        let commands = Commands { recent: RecentKeys::default() };
        let (first, second) = (Id::of_value(b"hello"), Id::of_value(b"other"));
        commands.recent.note(first);
        commands.recent.note_line(&format!("get {second}"));
        let both = vec![second.to_string(), first.to_string()];
        assert_eq!(commands.candidates("get "), (4, both.clone()));
        assert_eq!(commands.candidates("TRACE "), (6, both));
        assert_eq!(commands.candidates("forget AAF4"), (7, vec![first.to_string()]));
        assert_eq!(commands.candidates("put aaf4"), (0, vec![]), "a text is no key");
        commands.recent.note(first);
        assert_eq!(commands.candidates("get ").1[0], first.to_string(), "the last one is first");
    }

    #[test]
    fn a_file_is_completed_where_one_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("Notes"), "x").expect("a disk");
        let commands = Commands { recent: RecentKeys::default() };
        commands.recent.note(Id::of_value(b"hello"));
        let path = folder.path().display();
        for line in [format!("put @{path}/No"), format!("GET aaf4>  \"{path}/No")] {
            let start = line.len() - "No".len();
            assert_eq!(commands.candidates(&line), (start, vec!["Notes".into()]), "{line}");
        }
        let text = format!("put @@{path}/No");
        assert_eq!(commands.candidates(&text), (0, vec![]), "that is a text");
    }

    #[test]
    fn commands_are_completed_alone_and_after_help() {
        let commands = Commands { recent: RecentKeys::default() };
        assert_eq!(commands.candidates("pu"), (0, vec!["put ".into()]));
        assert_eq!(commands.candidates("help tr"), (5, vec!["trace ".into()]));
        assert_eq!(commands.candidates("").1.len(), COMMANDS.len());
    }

    #[test]
    fn only_so_many_keys_are_kept() {
        let recent = RecentKeys::default();
        (0..=RECENT_KEYS_MAX).for_each(|number| recent.note(Id::of_value(&number.to_le_bytes())));
        assert_eq!(recent.beginning("").len(), RECENT_KEYS_MAX);
    }
}
