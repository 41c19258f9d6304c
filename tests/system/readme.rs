//! Tests that what the README says to type does what it says.

use std::fs;
use std::path::Path;
use std::process::Command;

use kad_node::id::Id;

use crate::Io;
use crate::child::{Ended, Node, field, finish};

const README: &str = include_str!("../../README.md");

/// The lines of the section of this title.
fn section(title: &str) -> impl Iterator<Item = &'static str> {
    let mut lines = README.lines().skip_while(move |line| line.trim_start_matches('#') != title);
    assert!(lines.next().is_some(), "no section{title}");
    lines.take_while(|line| !line.starts_with('#') || line.starts_with("# "))
}

/// The commands in the section's blocks, without what is said of each.
fn commands(title: &str) -> Vec<&'static str> {
    let mut is_inside = false;
    let inside = section(title).filter(|line| {
        let is_fence = line.starts_with("```");
        is_inside = is_fence && *line == "```sh" || !is_fence && is_inside;
        is_inside && !is_fence
    });
    inside.map(|line| line.split("  #").next().unwrap_or_default().trim_end()).collect()
}

/// `line` with other words in place of those of the README.
fn with(line: &str, others: &[(&str, &str)]) -> String {
    let mut line = line.to_owned();
    for (word, other) in others {
        line = line.replace(word, other);
    }
    line
}

/// A shell in `folder` that finds the program by its name.
fn shell(folder: &Path, line: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_kad-node")).parent().expect("a folder");
    let path = std::env::var("PATH").expect("a path");
    let mut shell = Command::new("sh");
    shell.env_remove("RUST_LOG").env("NO_COLOR", "1").env("KAD_NO_HISTORY", "true");
    shell.env("KAD_LOG", "warn").env("PATH", format!("{}:{path}", programs.display()));
    shell.current_dir(folder).args(["-ec", line]);
    shell
}

/// Runs `line` to its end, with success.
fn run(folder: &Path, line: &str) -> Ended {
    let ended = finish(&mut shell(folder, line), b"");
    assert_eq!(ended.status, Some(0), "{line}: {ended:?}");
    ended
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A node that serves HTTP, and a shell's folder with files `a`, `b` and `lines.txt`.
fn served() -> (Node, String, tempfile::TempDir) {
    let mut node = Node::start(Io::Mmsg, &["--cores", "1", "--http", "127.0.0.1:0"]);
    let http = field(&node.await_log(" http: "), "address").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in [("a", "first"), ("b", "second"), ("lines.txt", "third\nfourth\n")] {
        fs::write(folder.path().join(file), text).expect("it is written");
    }
    (node, http, folder)
}

#[test]
fn the_commands_for_scripts_do_what_the_readme_says() {
    let (node, http, folder) = served();
    let folder = folder.path();
    let stopped = Node::start(Io::Mmsg, &["--data", folder.join("data").to_str().expect("text")]);
    assert!(stopped.stop().0.success());
    let (peer, key) = (node.addr.to_string(), Id::of_value(b"some text").to_string());
    let mut commands = commands(" In a script");
    let puts = commands.iter().filter(|line| line.starts_with("kad-node put")).count();
    assert!(puts >= 2 && commands.len() > puts + 5, "{commands:?}");
    let printed = commands.remove(0);
    let others = [
        ("127.0.0.1:9001", peer.as_str()),
        ("KEY", &key),
        // There where no jq is.
        ("jq .from", "grep --only-matching '\"from\":.*'"),
        ("/var/lib/kad-node", "data"),
        ("kad-node stats", &format!("export KAD_HTTP={http}; kad-node stats")),
    ];
    assert_eq!(run(folder, &with(printed, &others)).stdout.trim_end(), key);
    for line in commands {
        let ended = run(folder, &with(line, &others));
        assert!(line.contains('>') || line.contains("--output-file") || !ended.stdout.is_empty());
    }
    assert_eq!(read(folder, "value"), "some text");
    let keys = ["third", "fourth"].map(|text| Id::of_value(text.as_bytes()).to_string());
    assert_eq!(read(folder, "keys").lines().collect::<Vec<_>>(), keys);
}

#[test]
fn the_commands_for_a_private_network_do_what_the_readme_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let commands = commands(" A private network");
    let [keygen, node, get] = commands[..] else { panic!("{commands:?}") };
    run(folder, keygen);
    let key_file = folder.join("network.key");
    let first = Node::start(Io::Mmsg, &["--network-key", key_file.to_str().expect("text")]);
    let peer = first.addr.to_string();
    let others = [("192.0.2.1:9001", peer.as_str()), ("0.0.0.0:9001", "127.0.0.1:0")];
    let line = format!("exec {}", with(node, &others));
    let mut second = Node::start_by(shell(folder, &line).env("KAD_LOG", "info"));
    second.await_log(" joined contacts=");
    let key = second.put("sealed");
    let got = run(folder, &with(&with(get, &others), &[("KEY", &key)]));
    assert_eq!(got.stdout.trim_end(), "sealed");
}

/// The commands between backticks in the section.
fn mentioned(title: &str) -> Vec<&'static str> {
    let inside = section(title).flat_map(|line| line.split('`').skip(1).step_by(2));
    inside.filter(|text| text.split(' ').count() > 2).collect()
}

#[test]
fn the_commands_for_each_purpose_do_what_the_readme_says() {
    let (mut node, http, folder) = served();
    let folder = folder.path();
    let commands = mentioned(" What for");
    let [settings, content, demo, load] = commands[..] else { panic!("{commands:?}") };
    let (peer, key) = (node.addr.to_string(), node.put("settings = 1"));
    run(folder, &with(settings, &[("127.0.0.1:9001", &peer), ("KEY", &key)]));
    assert_eq!(read(folder, "app.toml"), "settings = 1");
    if Command::new("curl").arg("--version").output().is_ok() {
        let content = with(content, &[("127.0.0.1:9080", &http), ("@file", "@a")]);
        let put = run(folder, &format!("{content} --silent"));
        assert!(put.stdout.contains(&Id::of_value(b"first").to_string()), "{put:?}");
    } else {
        eprintln!("skipped: no curl");
    }
    let line = format!("exec {demo}");
    let mut shell = shell(folder, &line);
    let mut demo = Node::start_by(shell.env("KAD_LOG", "info").env("KAD_HTTP", "127.0.0.1:0"));
    let key = demo.put("for the lesson");
    demo.type_line(format!("trace {key}"));
    while demo.line() != "from local" {}
    // What it prints its own tests say.
    assert!(load.starts_with("cargo run --release -p loadgen -- --search "), "{load}");
}
