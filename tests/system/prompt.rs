//! Tests of the prompt on a pipe.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use kad_node::id::Id;

use crate::Io;
use crate::child::{self, Node};
use crate::under_each_driver;

const ABSENT: &str = "0000000000000000000000000000000000000000";

under_each_driver! {
    fn a_network_of_one_stores_and_finds(io: Io) {
        let mut node = Node::start(io, &[]);
        let key = node.put("hello");
        assert_eq!(key, "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
        assert_eq!(node.found(&key, "hello"), "local");
        assert_eq!(node.ask(format!("get {ABSENT}")), "NOTFOUND");
    }

    fn peers_shows_the_other_node_in_its_bucket(io: Io) {
        let mut first = Node::start(io, &["--id", ABSENT]);
        let id = "1fffffffffffffffffffffffffffffffffffffff";
        let mut second = Node::join(io, &first, &["--id", id]);
        assert_eq!(second.ask("peers"), "bucket 3: 1 contact");
        let contact = second.line();
        assert!(contact.contains(ABSENT), "{contact}");
        assert!(contact.contains(&first.addr.to_string()), "{contact}");
        assert_eq!(second.line(), "1 contact in 1 bucket");
        assert_eq!(first.ask("forget ".to_owned() + ABSENT).split(':').next(), Some(
            format!("ERR not put here '{ABSENT}'").as_str(),
        ));
    }

    fn a_trace_shows_the_hop_that_had_the_value(io: Io) {
        let mut first = Node::start(io, &[]);
        let key = first.put("traced");
        let mut second = Node::join(io, &first, &[]);
        let hop = second.ask(format!("trace {key}"));
        assert!(hop.starts_with("hop 1  "), "{hop}");
        assert!(hop.contains(&first.addr.to_string()), "{hop}");
        assert!(hop.contains("shared bits") && hop.ends_with("the value, 6 bytes"), "{hop}");
        assert_eq!(second.line(), "traced");
        assert_eq!(second.line(), format!("from {}", first.addr));
    }

    fn commands_are_answered_in_order(io: Io) {
        let mut node = Node::start(io, &[]);
        let key = node.put("x");
        node.type_line(format!("get {key}\nnonsense\n\n  \nput y\nget {key}"));
        assert_eq!(node.line(), "x");
        assert_eq!(node.line(), "from local");
        assert!(node.line().starts_with("ERR unknown command "));
        assert_eq!(node.line(), "95cb0bfd2977c761298d9624e4b4d4c72a39974a");
        assert_eq!(node.line(), "x");
    }

    fn stats_count_the_commands(io: Io) {
        let mut node = Node::start(io, &[]);
        let key = node.put("counted");
        assert_eq!(node.counter("values_published"), 1);
        let forgotten = node.ask(format!("forget {key}"));
        assert!(forgotten.starts_with("forgotten: "), "{forgotten}");
        assert!(forgotten.contains("keeps it until it expires"), "{forgotten}");
        assert_eq!(node.counter("values_published"), 0);
        node.type_line("stats");
        let puts = std::iter::repeat_with(|| node.line()).find(|line| line.starts_with("  puts"));
        let puts = puts.expect("an endless iterator");
        assert!(puts.contains("count 1") && puts.contains("p99"), "{puts}");
    }
}

#[test]
fn errors_are_the_documented_ones() {
    let mut node = Node::start(Io::Mmsg, &["--value-max", "2000"]);
    let largest = "x".repeat(2000);
    for (line, error) in [
        ("put", "ERR missing argument: put TEXT"),
        ("get", "ERR missing argument: get KEY"),
        ("trace ", "ERR missing argument: trace KEY"),
        ("get 12", "ERR invalid key '12': a key is 40 hexadecimal digits"),
        ("forget hello", "ERR invalid key 'hello': a key is 40 hexadecimal digits"),
        ("fetch 12", "ERR unknown command 'fetch': try help"),
        ("stats now", "ERR needless argument 'now': stats takes only all"),
        ("watch", "ERR watch needs a terminal: try stats"),
        ("peers all", "ERR needless argument 'all': peers takes none"),
    ] {
        assert_eq!(node.ask(line), error);
    }
    let error = "ERR value too large (2001 bytes, at most 2000): --value-max sets the limit";
    assert_eq!(node.ask(format!("put {largest}x")), error);
    assert!(node.ask("x".repeat(100_000)).starts_with("ERR line too long (more than 65536 bytes)"));
    assert!(node.ask(b"put \xff\xfe").starts_with("ERR not UTF-8 at byte 5"));
    node.put(&largest);
}

#[test]
fn help_lists_every_command_and_explains_a_single_one() {
    let mut node = Node::start(Io::Mmsg, &[]);
    node.type_line("help");
    let lines: Vec<_> = std::iter::repeat_with(|| node.line()).take(12).collect();
    let commands: Vec<_> =
        lines.iter().map(|line| line.split([' ', ',']).next().unwrap_or_default()).collect();
    let expected = "put put put get get forget peers stats watch trace help exit"
        .split(' ')
        .collect::<Vec<_>>();
    assert_eq!(commands, expected);
    assert!(node.ask("help forget").starts_with("forget KEY"));
    assert!(node.line().contains("until it expires"));
    assert!(node.ask("HELP nonsense").starts_with("ERR unknown command 'nonsense'"));
}

#[test]
fn blanks_around_a_text_are_part_of_it() {
    let mut node = Node::start(Io::Mmsg, &[]);
    for text in [" both ", "  before", "after  ", "\ttabs\t"] {
        let key = node.put(text);
        assert_eq!(node.found(&key, text), "local");
        let get = ["get", "--bootstrap", &node.addr.to_string(), &key];
        assert!(child::run(&get, b"").stdout.starts_with(text));
        let put = ["put", "--bootstrap", &node.addr.to_string(), text];
        assert_eq!(child::run(&put, b"").stdout.trim_end(), key);
    }
}

#[test]
fn a_text_of_several_lines_is_put_by_a_dash_and_ended_by_a_dot() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let key = node.ask("put -\nfirst\n  exit\n\n..\n.");
    assert_eq!(key, Id::of_value(b"first\n  exit\n\n.").to_string());
    assert_eq!(node.ask("put -\nlost\nget\n.\nget"), Id::of_value(b"lost\nget").to_string());
    assert!(node.line().starts_with("ERR missing argument"));
    node.type_line("put -\nnever ended");
    node.close_stdin();
    assert!(node.line().starts_with("ERR put - without an end"));
    node.await_log("the node keeps serving");
}

#[test]
fn commands_are_not_case_sensitive_and_quit_is_exit() {
    let mut node = Node::start(Io::Mmsg, &[]);
    let key = node.ask("PUT Hello");
    assert_eq!(key, Id::of_value(b"Hello").to_string());
    assert_eq!(node.ask(format!("Get {}", key.to_uppercase())), "Hello");
    node.type_line("QUIT");
    assert_eq!(node.end().0.code(), Some(0));
}

#[test]
fn a_demo_whose_input_ends_says_that_it_keeps_serving() {
    let mut child = child::program()
        .args(["demo", "--nodes", "2", "--io", "mmsg"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let log = BufReader::new(child.stderr.take().expect("a pipe"));
    let logged = log.lines().map_while(Result::ok).find(|line| line.contains("end of input"));
    assert!(logged.is_some_and(|line| line.contains("SIGTERM stops it")));
    child.kill().expect("it is still running");
    child.wait().expect("a killed child ends");
}
