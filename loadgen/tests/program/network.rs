//! Targets that are a network, by whatever address, and that may not be there yet.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};

use kad_node::driver::{self, DriverEvent, IoChoice, Running, Settings};
use kad_node::node::{self, Config, Event};
use kad_node::rng::Rng;
use serde_json::Value;

use crate::responder::Responder;
use crate::{PATIENCE, SHORT, loadgen, stderr, stdout};

/// Twice as many as hold a value.
const NODES: u64 = 40;

fn node(listen: &str, number: u64) -> Running {
    let mut rng = Rng::from_u64(number);
    let node = Config::new(rng.id(), rng.seed());
    let settings = Settings::new(listen.parse().expect("an address"), node);
    driver::start(Settings { io: IoChoice::Mmsg, ..settings }).expect("loopback is there")
}

/// A network of real nodes; the first is the one to ask.
fn network() -> Vec<Running> {
    let nodes: Vec<Running> = (0..NODES).map(|number| node("127.0.0.1:0", number)).collect();
    for one in &nodes[1..] {
        let addresses = vec![nodes[0].address()];
        one.commander().send(node::Command::Bootstrap { addresses }).expect("it runs");
        let joined = |event| matches!(event, DriverEvent::Node(Event::Joined { .. }));
        while !joined(one.events().recv_timeout(PATIENCE).expect("it joins")) {}
    }
    nodes
}

/// Runs in a network, expects success, and returns the run.
fn measure(arguments: &str) -> Value {
    let output = loadgen(&format!("{SHORT} --json - {arguments}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_str(stdout(&output)).expect("JSON");
    report["runs"][0].clone()
}

#[test]
fn what_is_looked_up_in_a_network_is_in_the_network() {
    let nodes = network();
    let target = nodes[0].address();
    let run = measure(&format!("--target {target} --mix lookup=100 --keys 100"));
    let books = &run["books"];
    assert_eq!((&books["missed"], &books["timed_out"]), (&0.into(), &0.into()), "{books}");
    assert_eq!(books["fulfilled"], 200, "{books}");
    for node in nodes {
        node.stop().expect("it runs");
    }
}

#[test]
fn an_ipv4_address_may_be_written_as_an_ipv6_one() {
    let responder = Responder::start();
    let port = responder.addr.port();
    let target = format!("--target [::ffff:127.0.0.1]:{port} --mix get=50,lookup=50");
    let output = loadgen(&format!("{SHORT} {target}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with(&format!("target 127.0.0.1:{port}, ")), "{text}");
    assert!(text.contains("200 fulfilled"), "{text}");
}

#[test]
fn a_target_that_is_not_there_yet_is_waited_for() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let target = socket.local_addr().expect("bound");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(SHORT.split_whitespace());
    command.args(["--join-timeout", "1m", "--target", &target.to_string()]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let line = lines.next().expect("a line").expect("text");
    assert!(line.starts_with(&format!("waiting for {target}, up to 1m: no node")), "{line}");
    let responder = Responder::start_on(socket);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    assert!(responder.received() > 200);
    assert!(lines.next().is_none(), "one line for one reason");
}

#[test]
fn a_target_that_never_comes_is_told_with_the_kernel_s_reason() {
    // Taken, so that no other test is given it, by a socket that hears itself alone.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let closed: SocketAddr = socket.local_addr().expect("bound");
    socket.connect(closed).expect("no packet is sent");
    let output = loadgen(&format!("--join-timeout 300ms --target {closed}"));
    assert_eq!(output.status.code(), Some(1));
    let said: Vec<&str> = stderr(&output).lines().collect();
    let waiting = format!("waiting for {closed}, up to 300ms: nothing listens at {closed}");
    assert!(said[0].starts_with(&waiting), "{said:?}");
    assert!(said[1].starts_with("error: ") && said[1].contains("connection refused"), "{said:?}");
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn a_network_of_its_own_takes_whole_puts_and_gets_and_loses_between_its_nodes() {
    let network = "--network 25 --mix put,get,lookup,find-node --keys 20 --rate 100";
    let short = "--duration 400ms --warmup 0s --timeout 20s";
    for (loss, delay) in [("0", "0s"), ("10", "1ms")] {
        let arguments = format!("{network} {short} --drop {loss} --delay {delay} --json -");
        let output = loadgen(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let report: Value = serde_json::from_str(stdout(&output)).expect("JSON");
        assert_eq!(report["parameters"]["network_nodes"], 25);
        let run = &report["runs"][0];
        assert_eq!(run["books"]["answered"], 40, "{}", run["books"]);
        assert_eq!(run["books"]["wrong"], 0, "{}", run["books"]);
        let dropped = run["books"]["lookup_datagrams"]["dropped"].as_u64().expect("a count");
        assert_eq!(dropped > 0, loss != "0", "{}", run["books"]);
        let kinds = run["kinds"].as_array().expect("kinds");
        assert_eq!(kinds.len(), 4);
        for kind in kinds {
            let of = |name: &str| kind["operations"][name].as_u64().expect(name);
            if kind["kind"] == "find-node" {
                assert_eq!(of("ended"), 0, "one RPC: {kind}");
                continue;
            }
            assert_eq!(of("ended"), 10, "{kind}");
            assert!(of("hops") >= of("located") && of("datagrams") > of("asked"), "{kind}");
            if loss == "0" {
                assert_eq!(of("located"), 10, "{kind}");
                let holders = if kind["kind"] == "put" { 200 } else { 0 };
                assert_eq!(of("holders"), holders, "each of K = 20: {kind}");
            }
        }
        let text = stderr(&output);
        assert!(text.contains("a network of its own, 25 nodes"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("put ") && line.contains(" hops, ")));
    }
}

#[test]
fn values_larger_than_a_datagram_are_put_and_fetched_whole() {
    let sizes = "--value-size 100:1,20KiB:1 --keys 6 --rate 20 --duration 500ms --timeout 1m";
    let run = measure(&format!("--network 5 --mix put,get {sizes}"));
    assert_eq!(run["books"]["fulfilled"], run["books"]["scheduled"], "{run}");
    assert_eq!(run["books"]["scheduled"], 10, "{run}");
}

#[test]
fn the_key_of_a_network_may_stand_in_the_environment() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.env("KAD_NETWORK_KEY", "/nowhere/key").args(["--target", "127.0.0.1:9"]);
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("'/nowhere/key'"), "{}", stderr(&output));
}
