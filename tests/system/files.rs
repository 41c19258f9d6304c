//! Tests of the prompt's files: `put @FILE` and `get KEY > FILE`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use kad_node::id::Id;
use kad_node::limits::VALUE_BYTES_DEFAULT;

use crate::Io;
use crate::child::Node;

/// Bytes that are no text, with a line end in them.
fn picture(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 7 + index / 251) as u8).collect()
}

#[test]
fn a_file_is_put_at_one_prompt_and_written_at_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("it's a picture"), folder.path().join("got \"it\""));
    let value = picture(VALUE_BYTES_DEFAULT);
    fs::write(&from, &value).expect("a disk");
    let mut first = Node::start(Io::Mmsg, &[]);
    let mut second = Node::join(Io::Mmsg, &first, &[]);

    let key = first.ask(format!("put @{}", from.display()));
    assert_eq!(key, Id::of_value(&value).to_string());
    assert_eq!(first.ask(format!("put @\"{}\"", from.display())), key, "in quotes");
    let written = format!("{} bytes written to '{}'", value.len(), to.display());
    assert_eq!(second.ask(format!("get {key} > {}", to.display())), written);
    assert!(second.line().starts_with("from "));
    assert!(fs::read(&to).expect("a file") == value);

    let instead = format!("{written}, in place of what it held");
    fs::write(&to, b"before").expect("a disk");
    assert_eq!(second.ask(format!("get {key}>{}", to.display())), instead);
    assert_eq!(second.line(), "from local");
    assert!(fs::read(&to).expect("a file") == value);
}

#[test]
fn a_file_that_cannot_be_put_or_written_is_one_line_and_nothing_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut node = Node::start(Io::Mmsg, &["--value-max", "100"]);
    let key = node.put("kept");
    fs::write(path("empty"), b"").expect("a disk");
    fs::write(path("large"), [7; 101]).expect("a disk");
    fs::write(path("locked"), b"secret").expect("a disk");
    fs::set_permissions(path("locked"), Permissions::from_mode(0o000)).expect("its mode is ours");
    let made = Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo is there");
    assert!(made.success());
    let is_root = fs::read(path("locked")).is_ok();
    let get = format!("get {key} >");
    for (line, said) in [
        (format!("put @{}", path("absent")), "cannot read"),
        (format!("put @{}", path("empty")), "is empty: there is nothing to put"),
        (
            format!("put @{}", path("large")),
            "value too large (101 bytes, at most 100): --value-max",
        ),
        (format!("put @{}", path("pipe")), "is no plain file"),
        (format!("put @{}", path("")), "is a folder"),
        ("put @~/absent".into(), "~ is not expanded"),
        (format!("{get} {}", path("absent/file")), "cannot write"),
        (format!("{get} {}", path("pipe")), "is no plain file"),
        (format!("{get} /proc/absent"), "cannot write"),
        (format!("{get} {}", path("")), "is a folder"),
        (format!("put @{}", path("a\u{202e}b")), "a\\u{202e}b"),
    ] {
        let answer = node.ask(&line);
        assert!(answer.starts_with("ERR ") && answer.contains(said), "{line}: {answer}");
    }
    if !is_root {
        let answer = node.ask(format!("put @{}", path("locked")));
        assert!(answer.starts_with("ERR cannot read '"), "{answer}");
    }
    let absent = "0".repeat(40);
    assert_eq!(node.ask(format!("get {absent} > {}", path("empty"))), "NOTFOUND");
    assert_eq!(fs::read(path("empty")).expect("a file"), b"", "it is as it was");
    assert_eq!(node.counter("values_published"), 1);
}
