//! Tests of what scripts use: several values at a time, files, and results as JSON.

use std::fs;

use kad_node::id::Id;
use serde_json::{Value, json};

use crate::Io;
use crate::child::{Ended, Node, run};

const ABSENT: &str = "0000000000000000000000000000000000000000";

/// Runs a one-shot client of `node`.
fn client(node: &Node, arguments: &[&str], input: &[u8]) -> Ended {
    let peer = node.addr.to_string();
    let (command, rest) = arguments.split_first().expect("a command");
    let start = [*command, "--bootstrap", &peer, "--io", "mmsg", "--log", "warn"];
    run(&[&start, rest].concat(), input)
}

/// The objects that it printed, one on each line.
fn objects(ended: &Ended) -> Vec<Value> {
    let object =
        |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    ended.stdout.lines().map(object).collect()
}

fn key_of(value: &[u8]) -> String {
    Id::of_value(value).to_string()
}

#[test]
fn texts_and_files_are_put_together_and_all_keys_are_printed_in_order() {
    let node = Node::start(Io::Mmsg, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = [0, 255, b'\n', 13];
    let file = folder.path().join("file");
    fs::write(&file, bytes).expect("a disk");
    let file = file.display().to_string();
    let put = client(&node, &["put", "--file", &file, "one", "-"], b"piped\n");
    let keys = [key_of(b"one"), key_of(b"piped\n"), key_of(&bytes)];
    assert_eq!((put.status, put.stdout), (Some(0), keys.join("\n") + "\n"));

    let get = client(&node, &["get", &keys[1], &keys[0]], b"");
    assert_eq!((get.status, get.stdout.as_str()), (Some(0), "piped\none\n"), "{get:?}");
    assert_eq!(get.stderr.lines().count(), 2, "whence each came: {get:?}");
    let get = client(&node, &["get", &keys[0], ABSENT, &keys[1]], b"");
    assert_eq!((get.status, get.stdout.as_str()), (Some(1), "onepiped\n"), "{get:?}");
    assert!(get.stderr.contains("NOTFOUND"), "{get:?}");
}

#[test]
fn results_are_objects_for_programs() {
    let node = Node::start(Io::Mmsg, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("binary");
    fs::write(&file, [1, 255]).expect("a disk");
    let path = file.display().to_string();
    let put = client(&node, &["put", "--output", "json", "--file", &path, "text"], b"");
    let puts = objects(&put);
    assert_eq!((put.status, puts.len(), put.stderr.as_str()), (Some(0), 2, ""), "{put:?}");
    assert_eq!(puts[0]["key"], key_of(b"text"));
    assert_eq!((&puts[0]["holders"], &puts[0]["bytes"]), (&json!(1), &json!(4)));
    assert_eq!(puts[1]["file"], path);

    let keys = [key_of(b"text"), key_of(&[1, 255])];
    let get = client(&node, &["get", "--output", "json", &keys[0], &keys[1], ABSENT], b"");
    let gets = objects(&get);
    assert_eq!((get.status, gets.len(), get.stderr.as_str()), (Some(1), 3, ""), "{get:?}");
    assert_eq!((&gets[0]["found"], &gets[0]["value"]), (&json!(true), &json!("text")));
    assert_eq!(gets[0]["from"], node.addr.to_string());
    assert_eq!((&gets[1]["value_base64"], &gets[1]["value"]), (&json!("Af8="), &Value::Null));
    assert_eq!((&gets[2]["found"], &gets[2]["bytes"]), (&json!(false), &Value::Null));

    let ping = objects(&run(&["ping", "--output", "json", &node.addr.to_string()], b""));
    assert_eq!(ping[0]["address"], node.addr.to_string());
    assert!(ping[0]["elapsed_us"].is_u64() && ping[0]["id"].is_string(), "{ping:?}");
}

#[test]
fn a_file_receives_the_exact_value_and_only_when_it_is_found() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let key = node.put("kept");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("value");
    let path = file.display().to_string();
    let get = client(&node, &["get", "--output-file", &path, &key], b"");
    assert_eq!((get.status, get.stdout.as_str()), (Some(0), ""), "{get:?}");
    assert_eq!(fs::read(&file).expect("it is there"), b"kept");
    let get = client(&node, &["get", "--output-file", &path, ABSENT], b"");
    assert_eq!(get.status, Some(1), "{get:?}");
    assert_eq!(fs::read(&file).expect("it stays"), b"kept");
    let json = ["get", "--output", "json", "--output-file", &path, &key];
    let get = objects(&client(&node, &json, b""));
    assert_eq!((&get[0]["file"], &get[0]["value"]), (&json!(path), &Value::Null));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left");

    let refused = client(&node, &["get", "--output-file", &path, &key, ABSENT], b"");
    assert_eq!(refused.status, Some(2), "{refused:?}");
    let lost = folder.path().join("no/such").display().to_string();
    let lost = client(&node, &["get", "--output-file", &lost, &key], b"");
    assert_eq!(lost.status, Some(3), "{lost:?}");
    assert!(lost.stderr.contains("no/such"), "{lost:?}");
}

#[test]
fn a_file_that_cannot_be_put_is_named_before_anything_is_put() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty");
    fs::write(&empty, b"").expect("a disk");
    let [empty, folder, absent] = [empty.as_path(), folder.path(), &folder.path().join("absent")]
        .map(|path| path.display().to_string());
    for path in [empty, folder, absent] {
        let put = client(&node, &["put", "--file", &path, "never put"], b"");
        assert_eq!(put.status, Some(2), "{put:?}");
        assert!(put.error().contains(&path), "{put:?}");
    }
    assert_eq!(node.counter("values"), 0);
}
