//! Tests of many puts at once: `kad-node import`, and the prompt on a pipe.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use kad_node::id::Id;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Io;
use crate::child::{Ended, Node, program, run};

fn key_of(value: impl AsRef<[u8]>) -> String {
    Id::of_value(value.as_ref()).to_string()
}

/// Imports into the network of `node`.
fn import(node: &Node, arguments: &[&str], input: &[u8]) -> Ended {
    let peer = node.addr.to_string();
    let start = ["import", "--bootstrap", &peer, "--io", "mmsg", "--log", "warn"];
    run(&[&start, arguments].concat(), input)
}

fn record(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u32).to_be_bytes()[..], value].concat()
}

#[test]
fn each_line_of_a_file_is_stored_and_keys_are_printed_in_their_order() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lines").display().to_string();
    let lines: Vec<String> = (0..1500).map(|number| format!("line {number}")).collect();
    fs::write(&file, lines.join("\n") + "\n\nlast").expect("a disk");
    let ended = import(&node, &[&file], b"");
    let keys: Vec<String> = lines.iter().map(key_of).chain([key_of("last")]).collect();
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), keys);
    for (key, value) in [(&keys[0], "line 0"), (&keys[1499], "line 1499"), (&keys[1500], "last")] {
        assert_eq!(node.found(key, value), "local");
    }
    assert_eq!(node.counter("values"), 1501);
}

#[test]
fn records_of_standard_input_are_objects_for_programs() {
    let node = Node::start(Io::Mmsg, &[]);
    let values: [&[u8]; 3] = [b"\n\n", &[0; 5000], b"text"];
    let input = values.map(record).concat();
    let arguments = ["--layout", "records", "--output", "json", "-"];
    let ended = import(&node, &arguments, &input);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let objects: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object on each line"))
        .collect();
    assert_eq!(objects.len(), 3);
    for (object, value) in objects.iter().zip(values) {
        assert_eq!(object["key"], key_of(value));
        assert_eq!((&object["bytes"], &object["holders"]), (&value.len().into(), &1.into()));
    }
}

#[test]
fn what_is_no_value_is_named_and_what_stands_before_it_is_stored() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let long = "x".repeat(2000);
    let lines = format!("one\n\ntwo\n{long}\nthree\n").into_bytes();
    let cut_off = [record(b"one"), record(b"two"), b"\0\0\0\x09rest".to_vec()].concat();
    let too_large = [record(b"one"), record(b"two"), b"\xff\xff\xff\xff".to_vec()].concat();
    for (layout, input, said) in [
        ("lines", &lines, "error: line 4 is too large: 2000 bytes, at most 1024;"),
        ("records", &cut_off, "error: record 3 is cut off: the file ends within it"),
        ("records", &too_large, "error: record 3 is too large: 4294967295 bytes, at most 1024;"),
    ] {
        let ended = import(&node, &["--value-max", "1KiB", "--layout", layout, "-"], input);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert_eq!(ended.stdout, format!("{}\n{}\n", key_of("one"), key_of("two")));
        assert!(ended.stderr.starts_with("2 values stored in "), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
    assert_eq!(node.found(&key_of("two"), "two"), "local");
    assert_eq!(node.counter("values"), 2);
}

#[test]
fn a_file_without_values_is_bad_usage() {
    let node = Node::start(Io::Mmsg, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("empty"), "").expect("a disk");
    fs::write(path("blank"), "\n\n").expect("a disk");
    let (empty, blank, absent) = (path("empty"), path("blank"), path("absent"));
    let folder = folder.path().display().to_string();
    for file in [&empty, &blank, &absent, &folder, "-"] {
        let ended = import(&node, &[file], b"");
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{file}: {ended:?}");
    }
    let silent = ["import", "--bootstrap", "127.0.0.1:1", "--timeout", "200ms", &blank];
    assert_eq!(run(&silent, b"").status, Some(4));
}

#[test]
fn an_import_that_is_interrupted_says_how_many_are_stored() {
    let node = Node::start(Io::Mmsg, &[]);
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut command = program();
        command.args(["import", "--bootstrap", &node.addr.to_string(), "--log", "warn", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut input = child.stdin.take().expect("a pipe");
        for number in 0..100 {
            writeln!(input, "{signal} {number}").expect("it reads its input");
        }
        // Each key is printed though the input has not ended.
        let mut keys = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        for number in 0..100 {
            let key = keys.next().expect("a key").expect("text");
            assert_eq!(key, key_of(format!("{signal} {number}")));
        }
        let pid = Pid::from_raw(child.id().try_into().expect("a process id"));
        signal::kill(pid, signal).expect("the child is there");
        let ended = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(status), "{said}");
        assert!(said.starts_with("100 values stored in "), "{said}");
        drop(input);
    }
}

#[test]
fn answers_on_a_pipe_come_in_the_order_of_the_commands() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let other = Node::join(Io::Mmsg, &node, &[]);
    let mut expected = Vec::new();
    for number in 0..300 {
        let text = format!("text {number}");
        node.type_line(format!("put {text}"));
        expected.push(key_of(&text));
        match number % 100 {
            30 => {
                node.type_line(format!("get {}", key_of(&text)));
                expected.extend([text, "from local".into()]);
            }
            60 => {
                node.type_line("nonsense");
                expected.push("ERR unknown command 'nonsense': try help".into());
            }
            90 => {
                node.type_line("put -");
                node.type_line(format!("several lines {number}"));
                node.type_line(".");
                expected.push(key_of(format!("several lines {number}")));
            }
            _ => {}
        }
    }
    node.type_line("get 12");
    expected.push("ERR invalid key '12': a key is 40 hexadecimal digits".into());
    for line in expected {
        assert_eq!(node.line(), line);
    }
    assert_eq!(node.ask(format!("put {}", "waited for")), key_of("waited for"));
    drop(other);
}
