//! A long run, watched while it goes on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::PATIENCE;
use crate::responder::Responder;
use crate::{loadgen, stderr};

fn fetch(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_long_run_has_a_line_each_second_a_page_and_metrics() {
    let responder = Responder::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["--keys", "50", "--duration", "1h", "--warmup", "0s", "--rate", "1k"]);
    command.args(["--timeout", "20s", "--http", "127.0.0.1:0"]);
    command.args(["--target", &responder.addr.to_string()]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    let first = line();
    let address = first.strip_prefix("live page at http://").and_then(|rest| rest.split_once('/'));
    let (address, _) = address.expect(&first);
    // A second without an answer has no latency: on a busy machine there are such.
    let of_second = std::iter::repeat_with(line).take(60).find(|line| !line.contains("p50 -"));
    let of_second = of_second.expect("a second with answers");
    assert!(of_second.contains(" of 3600.0 s: "), "{of_second}");
    assert!(of_second.contains(" lost, ") && of_second.contains(" in flight"), "{of_second}");
    assert!(!of_second.contains(['\r', '\u{1b}']), "{of_second}");

    let page = fetch(address, "/");
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("<main data-live=\"/contents\">"), "{page}");
    // Without it a browser asks for /favicon.ico, and its console tells of a 404.
    assert!(page.contains("<link rel=\"icon\" href=\"data:,\">"), "{page}");
    assert!(page.contains("latency over time") && page.contains("var uPlot="));
    let contents = fetch(address, "/contents");
    assert!(contents.contains("id=\"charts\"") && !contents.contains("var uPlot="));
    let metrics = fetch(address, "/metrics");
    assert!(metrics.contains("application/openmetrics-text"), "{metrics}");
    assert!(metrics.contains("loadgen_latency_seconds{quantile=\"0.99\"}"), "{metrics}");
    assert!(fetch(address, "/none").starts_with("HTTP/1.1 404"));
    child.kill().expect("it runs");
    child.wait().expect("a child");
}

#[test]
fn an_address_that_cannot_be_served_is_told_before_the_run() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound").to_string();
    for address in [taken.as_str(), "0.0.0.0:0"] {
        let output = loadgen(&format!("--duration 1h --http {address}"));
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains(address) && said.contains("choose another"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
