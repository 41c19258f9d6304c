//! Tests of what a terminal shows: values that it would wrap, and what slow commands wait for.

use std::process::Command;

use kad_node::id::Id;

use crate::Io;
use crate::child::{Node, program};
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
