//! Fuzz targets of the program: the prompt's parser, and the HTTP API over a connection.
//! `fuzz/run` builds them in place of the program, and `KAD_FUZZ` names one.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use clap::Parser as _;
use kad_node::driver::Running;
use kad_node::wire::Role;

use crate::args::Cli;
use crate::http::{About, Endpoint, Server};
use crate::joining::Joining;
use crate::launch::{self, Shards};
use crate::request;

/// How long an answer may take. A slower one is a fault, as a connection that hangs is.
const PATIENCE: Duration = Duration::from_secs(5);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match std::env::var("KAD_FUZZ").as_deref() {
    Ok("http") => http(bytes),
    _ => prompt(bytes),
});

/// A line of the prompt is a request, or an error on one line.
fn prompt(bytes: &[u8]) {
    match request::parse(bytes) {
        Ok(request) => drop(request),
        Err(error) => assert!(!error.to_string().contains('\n'), "one line: {error:?}"),
    }
}

/// A connection that says these bytes is answered, or closed, in time; and what answers is
/// never a fault of the server.
fn http(bytes: &[u8]) {
    thread_local!(static SERVED: Served = Served::start());
    let mut stream = TcpStream::connect(SERVED.with(|it| it.address)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    // It may close the connection before all is said.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    // A stream of events goes on for as long as its client stays.
    while !answer.windows(17).any(|part| part == b"text/event-stream") {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => answer.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("no answer within {PATIENCE:?}: {answer:?}")
            }
            _ => break,
        }
    }
    assert!(!answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
}

/// A node and its HTTP API.
struct Served {
    address: SocketAddr,
    _node: Running,
    _server: Server,
}

impl Served {
    fn start() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let free = TcpListener::bind(any).and_then(|listener| listener.local_addr());
        let address = free.expect("a port");
        let listen = address.to_string();
        let words = ["kad-node", "--http", &listen, "--io", "mmsg", "--log", "off"];
        let args = Cli::try_parse_from(words).expect("a good command line").node;
        let config =
            launch::config(&mut launch::rng().expect("it"), None, Role::Peer, &args.lookup);
        let id = config.id;
        let mut node = launch::start(any, Shards::ALONE, &args.io, 0, (config, None), None)
            .expect("loopback is there");
        let endpoint = Endpoint::of(&args.http).expect("a port").expect("it was asked for");
        let about = About::new(&node, (id, node.address()), &args.lookup, Joining::default());
        let server = Server::start(endpoint, about, node.commander()).expect("it starts");
        let (events, sink) = (node.take_events(), server.sink());
        std::thread::spawn(move || events.iter().for_each(|event| sink.deliver(event)));
        Self { address, _node: node, _server: server }
    }
}
