//! Tests of what the line editor keeps and completes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rexpect::session::PtySession;

use crate::child::program;
use crate::terminal::{ends_cleanly, expect, start_by, type_line};

const HELLO: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";

/// A node on a terminal, of a user with this state folder.
fn start(state: &Path, arguments: &[&str]) -> PtySession {
    let mut command = program();
    command.env_remove("KAD_NO_HISTORY").env("XDG_STATE_HOME", state);
    command.args(["--listen", "127.0.0.1:0", "--io", "mmsg"]).args(arguments);
    start_by(command)
}

fn exit(mut terminal: PtySession) {
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn the_history_is_kept_for_the_user_alone() {
    let state = tempfile::tempdir().expect("a folder");
    let mut terminal = start(state.path(), &[]);
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, "held only here");
    expect(&mut terminal, "kad> ");
    exit(terminal);
    let file = state.path().join("kad-node/history");
    assert!(fs::read_to_string(&file).expect("the history").contains("put hello"));
    let mode = fs::metadata(&file).expect("the history").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut terminal = start(state.path(), &[]);
    // Up twice: the last line of the run before was `exit`.
    type_line(&mut terminal, "\u{1b}[A\u{1b}[A");
    expect(&mut terminal, HELLO);
    expect(&mut terminal, "kad> ");
    exit(terminal);
}

#[test]
fn without_history_nothing_is_kept() {
    let state = tempfile::tempdir().expect("a folder");
    let mut terminal = start(state.path(), &["--no-history"]);
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, "held only here");
    expect(&mut terminal, "kad> ");
    exit(terminal);
    assert_eq!(fs::read_dir(state.path()).expect("a folder").count(), 0);
}

#[test]
fn a_key_that_was_put_is_completed() {
    let state = tempfile::tempdir().expect("a folder");
    let mut terminal = start(state.path(), &[]);
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, "held only here");
    expect(&mut terminal, "kad> ");
    type_line(&mut terminal, "get aa\t");
    expect(&mut terminal, "hello\r\nfrom local");
    exit(terminal);
}

#[test]
fn a_watch_is_drawn_until_a_key_is_pressed() {
    let state = tempfile::tempdir().expect("a folder");
    let mut terminal = start(state.path(), &[]);
    type_line(&mut terminal, "watch");
    expect(&mut terminal, "what changes");
    expect(&mut terminal, "any key ends this");
    expect(&mut terminal, "any key ends this");
    terminal.send("q").expect("the terminal takes it");
    terminal.flush().expect("the terminal takes it");
    expect(&mut terminal, "kad> ");
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, HELLO);
    expect(&mut terminal, "kad> ");
    exit(terminal);
}
