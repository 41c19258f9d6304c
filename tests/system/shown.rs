//! Tests of what a terminal shows: values that it would wrap, what slow operations wait for,
//! and names that the Tab key completes.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use kad_node::id::Id;

use crate::Io;
use crate::child::{Node, program};
use crate::frozen::Frozen;
use crate::terminal::{ends_cleanly, expect, press, spawn, start_by, type_line};

#[test]
fn a_long_value_cannot_pass_for_the_prompt_where_the_terminal_would_wrap_it() {
    let mut shell = Command::new("sh");
    let node = r#"stty cols 40; exec "$0" --listen 127.0.0.1:0 --io mmsg --no-history"#;
    shell.args(["-c", node, env!("CARGO_BIN_EXE_kad-node")]).env("NO_COLOR", "1");
    let mut terminal = start_by(shell);
    let text = format!("{}from local", "x".repeat(40));
    type_line(&mut terminal, &format!("put {text}"));
    expect(&mut terminal, "held only here");
    expect(&mut terminal, "kad> ");
    type_line(&mut terminal, &format!("get {}", Id::of_value(text.as_bytes())));
    expect(&mut terminal, &format!("{}\r\n    from local\r\nfrom local\r\n", "x".repeat(40)));
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn a_get_that_is_slow_says_how_many_it_asked_and_waits_for() {
    let peer = Node::start(Io::Mmsg, &[]);
    let mut terminal = spawn({
        let mut command = program();
        let bootstrap = peer.addr.to_string();
        command.args(["--listen", "127.0.0.1:0", "--io", "mmsg", "--bootstrap", &bootstrap]);
        command
    });
    expect(&mut terminal, "joined");
    expect(&mut terminal, "kad> ");
    peer.freeze();
    type_line(&mut terminal, &format!("get {}", "0".repeat(40)));
    expect(&mut terminal, "asked 1, waiting for 1, ");
    press(&mut terminal, 'c');
    expect(&mut terminal, "ERR abandoned");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn a_node_that_joins_slowly_says_so_and_an_interrupt_brings_the_prompt() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let bootstrap = silent.local_addr().expect("it is bound").to_string();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--io", "mmsg", "--bootstrap", &bootstrap]);
    let mut terminal = spawn(command);
    expect(&mut terminal, "joining: no answer yet, ");
    press(&mut terminal, 'c');
    let before = expect(&mut terminal, "kad> ");
    assert!(!before.contains("not joined yet"), "it does not wait for the log: {before}");
    expect(&mut terminal, "not joined yet");
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, "held only here");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn a_node_that_leaves_slowly_says_so() {
    let mut shell = Command::new("sh");
    let node = r#"echo $$.; exec "$0" --listen 127.0.0.1:0 --io mmsg --cores 1 --leave 1h"#;
    shell.args(["-c", node, env!("CARGO_BIN_EXE_kad-node")]).env("KAD_NO_HISTORY", "true");
    let mut terminal = spawn(shell);
    let process = expect(&mut terminal, ".").parse().expect("its number");
    expect(&mut terminal, "kad> ");
    let stuck = Frozen::thread_of(process, "shard-0");
    type_line(&mut terminal, "exit");
    expect(&mut terminal, "handing values off, ");
    drop(stuck);
    ends_cleanly(terminal);
}

#[test]
fn the_tab_key_completes_the_name_of_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner folder");
    fs::create_dir(&inner).expect("a disk");
    fs::write(inner.join("value.txt"), "hello").expect("a disk");
    let mut terminal = start_by({
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--io", "mmsg"]);
        command
    });
    type_line(&mut terminal, &format!("put @{}/in\tva\t", folder.path().display()));
    expect(&mut terminal, "held only here");
    let key = Id::of_value(b"hello");
    type_line(&mut terminal, &format!("get {key} > {}/in\tout", folder.path().display()));
    expect(&mut terminal, "from local");
    assert_eq!(fs::read(inner.join("out")).expect("a file"), b"hello");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}
