//! Tests that an empty value is refused wherever a value comes in, on one line that says so.

use std::fs;

use crate::Io;
use crate::child::{Node, run};

#[test]
fn the_prompt_refuses_an_empty_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("empty").display().to_string();
    fs::write(&file, b"").expect("a disk");
    let mut node = Node::start(Io::Mmsg, &[]);
    for (lines, said) in [
        ("put", "ERR missing argument: put TEXT".into()),
        ("put - \n.", "ERR missing argument: put -, lines of text, and a dot".into()),
        (&format!("put @{file}"), format!("ERR '{file}' is empty: there is nothing to put")),
    ] {
        assert_eq!(node.ask(lines), said);
    }
    assert_eq!(node.counter("values"), 0);
}

#[test]
fn a_one_shot_command_refuses_an_empty_value_and_its_status_is_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("empty").display().to_string();
    fs::write(&file, b"").expect("a disk");
    let mut node = Node::start(Io::Mmsg, &[]);
    let peer = node.addr.to_string();
    let no_record = [0; 4];
    for (command, arguments, input, said) in [
        ("put", &[""][..], &b""[..], "the text is empty: there is nothing to put"),
        ("put", &["-"], b"", "standard input is empty: there is nothing to put"),
        ("put", &["--file", &file], b"", "is empty: there is nothing to put"),
        ("put", &["--file", "/dev/null"], b"", "'/dev/null' is empty: there is nothing to put"),
        ("import", &[&file], b"", "is empty: there is nothing to put"),
        ("import", &["-"], b"\n\r\n", "the input is empty: there is nothing to put"),
        ("import", &["--layout", "records", "-"], &no_record, "record 1 is empty"),
    ] {
        let start = [command, "--bootstrap", &peer, "--io", "mmsg", "--log", "warn"];
        let ended = run(&[&start, arguments].concat(), input);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.lines().last().is_some_and(|line| line.contains(said)), "{ended:?}");
    }
    assert_eq!(node.counter("values"), 0);
}
