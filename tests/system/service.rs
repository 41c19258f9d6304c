//! Tests of the node as a service. A reader of `NOTIFY_SOCKET` stands in for systemd; where
//! its tools are, they judge the unit.

use std::ffi::OsString;
use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::child::{DEADLINE, Node, program};
use crate::frozen::Frozen;

/// Exposure that the unit may have at most, of 10, as `systemd-analyze security` counts it.
const EXPOSURE_MAX: f64 = 2.0;

/// What a node tells its supervisor.
struct Supervisor {
    socket: UnixDatagram,
    /// What `NOTIFY_SOCKET` says.
    name: OsString,
    _folder: Option<TempDir>,
}

impl Supervisor {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        Self { socket, name: path.into(), _folder: Some(folder) }.patient()
    }

    /// One whose socket is no file.
    fn without_a_file() -> Self {
        let name = format!("kad-node-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket");
        Self { socket, name: format!("@{name}").into(), _folder: None }.patient()
    }

    fn patient(self) -> Self {
        self.socket.set_read_timeout(Some(DEADLINE)).expect("a time-out");
        self
    }

    /// Starts a node under a watchdog of 300 ms.
    fn start(&self, flags: &[&str]) -> Node {
        self.start_watched(flags, "300000")
    }

    /// Starts a node under a watchdog of so many microseconds.
    fn start_watched(&self, flags: &[&str], watchdog_us: &str) -> Node {
        let mut command = program();
        command.env("NOTIFY_SOCKET", &self.name);
        command.env("WATCHDOG_USEC", watchdog_us);
        command.args(["--listen", "127.0.0.1:0", "--io", "mmsg"]).args(flags);
        Node::start_by(&mut command)
    }

    /// The next message.
    fn message(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a message in time");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// The first message that has a line which begins so.
    fn await_line(&self, beginning: &str) -> String {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < DEADLINE, "no message says {beginning}");
            let message = self.message();
            if message.lines().any(|line| line.starts_with(beginning)) {
                return message;
            }
        }
    }
}

#[test]
fn the_supervisor_hears_that_the_node_is_ready_works_and_stops() {
    let supervisor = Supervisor::new();
    let mut node = supervisor.start(&["--cores", "2"]);
    let ready = supervisor.await_line("READY=1");
    assert!(ready.contains("STATUS=serving"), "{ready}");
    node.put("a value");
    let status = supervisor.await_line("STATUS=serving: 0 contacts, 1 values");
    assert!(status.contains("WATCHDOG=1"), "{status}");

    node.signal(Signal::SIGTERM);
    let stopping = supervisor.await_line("STOPPING=1");
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC=15000000"), "{stopping}");
    assert!(node.end().0.success());
}

#[test]
fn a_departing_node_asks_for_time_as_long_as_its_shards_turn() {
    let supervisor = Supervisor::new();
    let peer = Node::start(crate::Io::Mmsg, &["--cores", "1"]);
    let address = peer.addr.to_string();
    let mut node = supervisor.start(&["--bootstrap", &address, "--cores", "1", "--leave", "1m"]);
    node.await_log(" joined contacts=");
    node.put("to hand off");
    // Nothing answers: the value cannot be handed off, and the node keeps trying.
    peer.freeze();
    node.signal(Signal::SIGTERM);
    supervisor.await_line("STOPPING=1");
    let asks = supervisor.await_line("STATUS=handing values off: ");
    assert!(asks.contains("EXTEND_TIMEOUT_USEC=") && asks.contains("WATCHDOG=1"), "{asks}");
    node.signal(Signal::SIGTERM);
    assert!(node.end().0.success());
}

#[test]
fn the_watchdog_is_not_fed_while_a_shard_is_stuck() {
    let supervisor = Supervisor::new();
    let mut node = supervisor.start(&["--cores", "2"]);
    supervisor.await_line("WATCHDOG=1");
    let stuck = Frozen::thread_of(node.pid(), "shard-1");
    // What was on its way may still come. The watchdog's period passes many times until the
    // second complaint.
    supervisor.await_line("STATUS=stuck: a shard does not answer");
    let next = supervisor.message();
    assert_eq!(next.trim_end(), "STATUS=stuck: a shard does not answer");
    drop(stuck);
    supervisor.await_line("WATCHDOG=1");
    node.put("it serves again");
}

#[test]
fn a_supervisor_whose_socket_is_no_file_hears_of_the_node_too() {
    let supervisor = Supervisor::without_a_file();
    let node = supervisor.start(&["--cores", "1"]);
    supervisor.await_line("READY=1");
    node.signal(Signal::SIGTERM);
    supervisor.await_line("STOPPING=1");
    assert!(node.end().0.success());
}

#[test]
fn a_supervisor_that_does_not_read_holds_up_no_node() {
    let supervisor = Supervisor::new();
    let mut node = supervisor.start(&["--cores", "1"]);
    supervisor.await_line("READY=1");
    // It reads no more: its queue is filled, and each message of the node waits.
    let full = UnixDatagram::unbound().expect("a socket");
    full.set_nonblocking(true).expect("a socket");
    while full.send_to(b"STATUS=full\n", &supervisor.name).is_ok() {}
    node.put("a value");
    node.signal(Signal::SIGTERM);
    assert!(node.end().0.success());
}

#[test]
fn a_watchdog_of_no_time_is_none() {
    let supervisor = Supervisor::new();
    let mut node = supervisor.start_watched(&["--cores", "1"], "0");
    supervisor.await_line("STATUS=serving: 0 contacts");
    node.put("a value");
    // The next status comes seconds later. One that were told without a pause would be told
    // many times before it knows of the value.
    let next = supervisor.message();
    assert!(next.contains("STATUS=serving: 0 contacts, 1 values"), "{next}");
}

#[test]
fn a_supervisor_that_cannot_be_told_is_named() {
    let mut command = program();
    command.env("NOTIFY_SOCKET", "/nowhere/notify");
    let mut node = Node::start_by(command.args(["--listen", "127.0.0.1:0", "--io", "mmsg"]));
    let warning = node.await_log("the supervisor at NOTIFY_SOCKET '/nowhere/notify' is not told");
    assert!(warning.contains("No such file"), "{warning}");
}

/// Runs a tool of systemd; none where it is not installed.
fn analyze(arguments: &[&str], unit: &Path) -> Option<Output> {
    let output = Command::new("systemd-analyze").args(arguments).arg(unit).output();
    output.map_err(|_| eprintln!("skipped: systemd-analyze is not installed")).ok()
}

#[test]
fn the_unit_is_valid_and_well_confined() {
    let text = fs::read_to_string("deploy/systemd/kad-node.service").expect("the unit");
    let folder = tempfile::tempdir().expect("a folder");
    let unit = folder.path().join("kad-node.service");
    let text = text.replace("/usr/bin/kad-node", env!("CARGO_BIN_EXE_kad-node"));
    fs::write(&unit, text).expect("a disk");
    let Some(verified) = analyze(&["verify", "--man=no"], &unit) else { return };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("kad-node.service:"), "{said}");

    let judged = analyze(&["security", "--offline=true", "--no-pager"], &unit).expect("it is here");
    let said = String::from_utf8_lossy(&judged.stdout);
    let level = said.split("exposure level for kad-node.service: ").nth(1);
    let level = level.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    assert!(level.is_some_and(|level| level <= EXPOSURE_MAX), "{said}");
}
