//! The lines typed before, kept across runs in the user's state folder (XDG): a file that only
//! the user can read.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use rustyline::history::{FileHistory, History as _, SearchDirection};
use rustyline::{Config, Editor};

use super::completion::{Commands, RecentKeys};

/// Most lines that are kept.
const LINES_MAX: usize = 1000;

/// Whether lines are kept for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum History {
    Kept,
    /// `--no-history`.
    Forgotten,
}

/// The lines of earlier runs, and where they are.
pub(super) struct Lines {
    /// None where they are forgotten, or the user has no folder.
    path: Option<PathBuf>,
}

impl Lines {
    /// An empty history, of the bound that is kept.
    pub(super) fn empty(config: &Config) -> rustyline::Result<FileHistory> {
        let mut history = FileHistory::with_config(config);
        history.set_max_len(LINES_MAX)?;
        Ok(history)
    }

    /// Reads the lines of earlier runs into `editor`, and notes their keys.
    pub(super) fn read(
        history: History,
        editor: &mut Editor<Commands, FileHistory>,
        recent: &RecentKeys,
    ) -> Self {
        let path = match history {
            History::Kept => file(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")),
            History::Forgotten => None,
        };
        let Some(path) = path else { return Self { path: None } };
        if let Err(error) = path.parent().map_or(Ok(()), fs::create_dir_all) {
            tracing::debug!(%error, "no history: its folder cannot be made");
            return Self { path: None };
        }
        // At first there is none.
        let _ = editor.load_history(&path);
        let lines = editor.history();
        for index in 0..lines.len() {
            if let Ok(Some(line)) = lines.get(index, SearchDirection::Forward) {
                recent.note_line(&line.entry);
            }
        }
        Self { path: Some(path) }
    }

    /// Keeps the lines typed since the last call, of which a kill -9 then takes none.
    pub(super) fn keep(&mut self, editor: &mut Editor<Commands, FileHistory>) {
        let Some(path) = &self.path else { return };
        if let Err(error) = editor.append_history(path) {
            tracing::warn!(%error, "the history cannot be kept: {}", path.display());
            self.path = None;
        }
    }
}

/// The file, where the user has a folder for it.
fn file(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let state = state.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(home?.join(".local/state")))?;
    Some(state.join("kad-node/history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_in_the_state_folder_of_the_user() {
        let found = |state: &str, home: &str| {
            let given = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
            file(given(state), given(home))
        };
        assert_eq!(found("/s", "/h"), Some("/s/kad-node/history".into()));
        assert_eq!(found("", "/h"), Some("/h/.local/state/kad-node/history".into()));
        assert_eq!(found("relative", "/h"), Some("/h/.local/state/kad-node/history".into()));
        assert_eq!(found("", ""), None);
    }
}
