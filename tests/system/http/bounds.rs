//! What slow, silent, half-closed and crowding clients cost: nothing without bound.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::Shutdown;
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::client::{Connection, get, request};
use super::serving;
use crate::child::DEADLINE;

/// One sample of `/metrics`.
fn metric(http: &str, name: &str) -> f64 {
    let text = get(http, "/metrics").text();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no {name}: {text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

/// Waits until a sample of `/metrics` is at least `least`.
fn await_metric(http: &str, name: &str, least: f64) {
    let begun = Instant::now();
    while metric(http, name) < least {
        assert!(begun.elapsed() < DEADLINE, "{name} stays below {least}");
    }
}

/// A request whose body is still to come.
fn begin_put(http: &str) -> Connection {
    let mut put = Connection::open(http);
    put.send(format!("POST /v1/values HTTP/1.1\r\nHost: {http}\r\nContent-Length: 2\r\n\r\na"));
    put
}

#[test]
fn more_requests_at_work_than_there_may_be_are_told_to_come_again() {
    let (_node, http) = serving(&[]);
    let mut puts: Vec<Connection> = (0..64).map(|_| begin_put(&http)).collect();
    // The scrape itself is at work too.
    await_metric(&http, "kad_http_at_work", 65.0);
    let refused = get(&http, "/v1/peers");
    assert_eq!((refused.status, refused.field("retry-after")), (503, "1"));
    assert!(refused.text().contains("64 requests are at work"), "{}", refused.text());
    assert!(metric(&http, "kad_http_refused_at_work_total") >= 1.0);
    assert_eq!(get(&http, "/healthz").status, 200, "probes have room of their own");
    for put in &mut puts {
        put.send("b");
        assert_eq!(put.answer().status, 201);
    }
    assert_eq!(get(&http, "/v1/peers").status, 200);
}

#[test]
fn a_client_that_stops_reading_is_cut_off() {
    let (_node, http) = serving(&[]);
    let deaf = Connection::open(&http);
    deaf.socket().set_write_timeout(Some(DEADLINE)).expect("a deadline");
    // It asks on without reading an answer, until the node has no room for more of them and
    // stops reading too: from then on this waits.
    let request = format!("GET / HTTP/1.1\r\nHost: {http}\r\n\r\n");
    let error = loop {
        if let Err(error) = deaf.socket().write_all(request.as_bytes()) {
            break error;
        }
    };
    assert_ne!(error.kind(), ErrorKind::WouldBlock, "it is never cut off");
    assert!(metric(&http, "kad_http_writes_stalled_total") >= 1.0, "{error}");
    assert_eq!(get(&http, "/v1/peers").status, 200);
}

#[test]
fn a_header_that_does_not_come_and_a_body_that_stalls_end_in_time() {
    let (_node, http) = serving(&[]);
    let mut silent = Connection::open(&http);
    let mut slow = Connection::open(&http);
    slow.send("GET / HTT");
    let mut stalled = Connection::open(&http);
    stalled
        .send(format!("POST /v1/values HTTP/1.1\r\nHost: {http}\r\nContent-Length: 9\r\n\r\nab"));
    silent.await_end();
    slow.await_end();
    assert_eq!(stalled.answer().status, 408);
    assert!(metric(&http, "kad_http_headers_late_total") >= 2.0);
    assert!(metric(&http, "kad_http_bodies_late_total") >= 1.0);
    assert!(metric(&http, "kad_http_body_bytes") < 1.0, "what had come is gone");
}

#[test]
fn a_header_without_end_is_refused() {
    let (_node, http) = serving(&[]);
    let many = "X: y\r\n".repeat(100);
    assert_eq!(request(&http, "GET /", &[many.trim_end()], b"").status, 431);
    let long = format!("X: {}", "y".repeat(32 << 10));
    let mut connection = Connection::open(&http);
    connection.send(format!("GET / HTTP/1.1\r\nHost: {http}\r\n{long}"));
    assert_eq!(connection.answer().status, 431);
}

/// How many connections a test may hold: ten thousand, or what the limit of descriptors leaves
/// beside the tests that run at the same time.
fn crowd_max() -> u32 {
    const WANTED: u64 = 10_000;
    const OTHERS: u64 = 2_000;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("Linux has it");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the hard limit may be had");
    let count = hard.saturating_sub(OTHERS).clamp(1_000, WANTED);
    if count < WANTED {
        eprintln!("{count} connections, not {WANTED}: the limit of descriptors is {hard}");
    }
    u32::try_from(count).expect("a small number")
}

/// Bytes of memory that a process has to itself now.
fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    of("RssAnon:") << 10
}

#[test]
fn ten_thousand_idle_connections_keep_no_client_out_and_take_no_memory() {
    const KEPT: u32 = 512;
    // As many as wait in the kernel's queue until they are accepted, and be it slowly.
    const AT_ONCE: usize = 100;
    let (mut node, http) = serving(&[]);
    let mut crowd = Vec::new();
    let mut grow_to = |count: u32| {
        while crowd.len() < count as usize {
            crowd.extend((0..AT_ONCE).map(|_| Connection::open(&http)));
            assert_eq!(get(&http, "/healthz").status, 200);
        }
    };
    grow_to(KEPT);
    let before = resident_bytes(node.pid());
    let count = crowd_max();
    grow_to(count);
    assert!(metric(&http, "kad_http_connections") <= f64::from(KEPT));
    let displaced = metric(&http, "kad_http_connections_displaced_total");
    assert!(displaced >= f64::from(count - KEPT), "{displaced}");
    let more = resident_bytes(node.pid()).saturating_sub(before);
    assert!(more < 4 << 20, "{more} bytes for {count} connections");
    // The one that was idle longest went first.
    crowd[0].await_end();
    node.put("the node serves on");
}

#[test]
fn a_body_in_a_coding_that_is_not_known_is_refused() {
    let (_node, http) = serving(&[]);
    let mut connection = Connection::open(&http);
    let head = format!("POST /v1/values HTTP/1.1\r\nHost: {http}\r\n");
    connection.send(format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"));
    let refused = connection.answer();
    assert_eq!(refused.status, 501, "{}", refused.text());
    assert!(refused.text().contains("'gzip, chunked'"), "{}", refused.text());
}

#[test]
fn a_client_that_has_said_all_still_has_its_answer() {
    let (_node, http) = serving(&[]);
    let mut connection = Connection::open(&http);
    connection.send(format!("GET /v1/peers HTTP/1.1\r\nHost: {http}\r\n\r\n"));
    connection.socket().shutdown(Shutdown::Write).expect("half of it is closed");
    assert_eq!(connection.answer().status, 200);
    connection.await_end();
}

#[test]
fn more_streams_of_events_than_there_may_be_are_refused() {
    let (_node, http) = serving(&[]);
    let streams: Vec<Connection> = (0..32)
        .map(|_| {
            let mut stream = Connection::open(&http);
            stream.send(format!("GET /v1/events HTTP/1.1\r\nHost: {http}\r\n\r\n"));
            assert_eq!(stream.head().status, 200);
            stream
        })
        .collect();
    assert_eq!(get(&http, "/v1/events").status, 429);
    drop(streams);
}

#[test]
fn an_old_client_and_one_that_asks_first_are_served() {
    let (_node, http) = serving(&[]);
    let mut old = Connection::open(&http);
    old.send("GET /v1/peers HTTP/1.0\r\n\r\n");
    assert_eq!(old.answer().status, 200);
    old.await_end();
    let mut polite = Connection::open(&http);
    let head = "POST /v1/values HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n";
    polite.send(format!("{head}Host: {http}\r\n\r\n"));
    assert_eq!(polite.head().status, 100);
    polite.send("hello");
    assert_eq!(polite.answer().status, 201);
    // A body that is too large is refused before it is sent.
    let mut large = Connection::open(&http);
    let head = "POST /v1/values HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n";
    large.send(format!("{head}Host: {http}\r\n\r\n"));
    assert_eq!(large.answer().status, 413);
}

#[test]
fn requests_that_run_end_before_the_node_does() {
    let (node, http) = serving(&[]);
    let mut running = Connection::open(&http);
    running
        .send(format!("POST /v1/values HTTP/1.1\r\nHost: {http}\r\nContent-Length: 5\r\n\r\nhe"));
    let mut events = Connection::open(&http);
    events.send(format!("GET /v1/events HTTP/1.1\r\nHost: {http}\r\n\r\n"));
    events.head();
    let stopping = std::thread::spawn(move || node.stop());
    // The stream ends when the server no longer accepts.
    events.await_end();
    running.send("llo");
    let answer = running.answer();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let (status, log) = stopping.join().expect("it has stopped");
    assert!(status.success(), "{log}");
}
