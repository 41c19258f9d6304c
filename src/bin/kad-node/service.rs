//! The node as a service: tells systemd, or another supervisor that gives `NOTIFY_SOCKET`,
//! that the node is ready, what it does, that it works, and that it needs time to stop.
//!
//! A thread asks the node for its counters again and again. Every shard has a part in the
//! answer, so an answer proves that every shard turns: only then is the watchdog fed, and
//! only then is more time asked for while the node departs. A stuck node is restarted.

use std::env;
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use kad_node::driver::{Commander, DriverEvent, ShardStats};
use kad_node::node::{Command, OperationId, Stats};
use kad_node::printable;
use sd_notify::NotifyState;

use crate::clients::{Client, OperationIds};

/// How often the supervisor hears what the node does, and is fed where it has no watchdog.
const STATUS_PERIOD: Duration = Duration::from_secs(5);
/// Feeds for each period of the watchdog: one may be late.
const FEEDS_PER_PERIOD: u32 = 3;
/// How much time to stop a departing node asks for at a time. It asks again in good time,
/// while its shards turn.
const EXTENSION: Duration = Duration::from_secs(15);
/// How long a message waits for a supervisor that does not read: the next one says more.
const TELL_MAX: Duration = Duration::from_secs(1);
/// The variable that names the supervisor's socket.
const SOCKET: &str = "NOTIFY_SOCKET";

/// A supervisor that wants to know how the node is.
pub(crate) struct Supervisor {
    period: Duration,
    is_departing: Arc<AtomicBool>,
}

impl Supervisor {
    /// The one that started this program, if it gave a socket.
    pub(crate) fn find() -> Option<Self> {
        env::var_os(SOCKET)?;
        let watchdog = sd_notify::watchdog_enabled().filter(|watchdog| !watchdog.is_zero());
        let period = watchdog.map_or(STATUS_PERIOD, |watchdog| watchdog / FEEDS_PER_PERIOD);
        Some(Self { period: period.min(STATUS_PERIOD), is_departing: Arc::default() })
    }

    /// Says that the node serves, and from now on how it is. Returns where the node's answers
    /// to this go.
    pub(crate) fn follow(&self, commander: Commander) -> Sender<DriverEvent> {
        if let Err(error) = notify(&[NotifyState::Ready, NotifyState::Status("serving")]) {
            // It waits for this, and stops a node from which it does not come.
            let socket = env::var_os(SOCKET).unwrap_or_default();
            let socket = printable::line(&socket.to_string_lossy()).to_string();
            tracing::warn!("the supervisor at {SOCKET} '{socket}' is not told: {error}");
        }
        let (sender, answers) = mpsc::channel();
        let is_departing = Arc::clone(&self.is_departing);
        let ids = OperationIds::of(Client::Supervisor);
        let follower =
            Follower { commander, answers, ids, is_departing, period: self.period, before: None };
        thread::spawn(move || follower.run());
        sender
    }

    /// Says that the node stops, and takes a while to hand its values off.
    pub(crate) fn depart(&self) {
        self.is_departing.store(true, Ordering::Relaxed);
        tell(&[NotifyState::Stopping, NotifyState::Status("handing values off"), extension()]);
    }
}

fn extension() -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(EXTENSION.as_micros()).expect("seconds"))
}

/// Sends a message. A supervisor that does not listen is no reason not to serve.
fn tell(states: &[NotifyState]) {
    if let Err(error) = notify(states) {
        tracing::debug!(%error, "the supervisor cannot be told");
    }
}

/// Sends a message to the supervisor's socket, which is a file, or after `@` a name without
/// one (`sd_notify(3)`).
fn notify(states: &[NotifyState]) -> io::Result<()> {
    let Some(socket) = env::var_os(SOCKET) else { return Ok(()) };
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&socket)?,
    };
    let mut message = String::new();
    for state in states {
        writeln!(message, "{state}").map_err(io::Error::other)?;
    }
    let sender = UnixDatagram::unbound()?;
    sender.set_write_timeout(Some(TELL_MAX))?;
    sender.send_to_addr(message.as_bytes(), &address).map(drop)
}

/// Asks the node how it is, and passes that on.
struct Follower {
    commander: Commander,
    answers: Receiver<DriverEvent>,
    ids: OperationIds,
    is_departing: Arc<AtomicBool>,
    period: Duration,
    /// Datagrams received until the last answer, and when that came.
    before: Option<(u64, Instant)>,
}

impl Follower {
    /// Runs until the node has ended.
    fn run(mut self) {
        loop {
            let asked = Instant::now();
            let operation = self.ids.next();
            // A stuck shard answers late: no second question waits behind the first.
            let command = Command::Stats { operation };
            if self.commander.send(command).is_err() || !self.pass_on(operation) {
                return;
            }
            thread::sleep(self.period.saturating_sub(asked.elapsed()));
        }
    }

    /// Waits for the answer to `operation` and passes it on. Returns false when the node has
    /// ended.
    fn pass_on(&mut self, operation: OperationId) -> bool {
        loop {
            match self.answers.recv_timeout(STATUS_PERIOD) {
                Ok(DriverEvent::Stats { operation: of, shards }) if of == operation => {
                    self.report(&shards);
                    return true;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    tell(&[NotifyState::Status("stuck: a shard does not answer")]);
                }
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn report(&mut self, shards: &[ShardStats]) {
        let node = ShardStats::total(shards).node;
        let (received, now) = (node.datagrams_received, Instant::now());
        let rate = self.before.replace((received, now)).map_or(0, |(before, then)| {
            let elapsed_us =
                u64::try_from(now.duration_since(then).as_micros()).unwrap_or(u64::MAX);
            (received - before).saturating_mul(1_000_000) / elapsed_us.max(1)
        });
        if self.is_departing.load(Ordering::Relaxed) {
            let left = format!("handing values off: {} left", node.values_to_hand_off);
            tell(&[NotifyState::Watchdog, NotifyState::Status(&left), extension()]);
        } else {
            tell(&[NotifyState::Watchdog, NotifyState::Status(&status(&node, rate))]);
        }
    }
}

/// What `systemctl status` shows.
fn status(stats: &Stats, rate: u64) -> String {
    let (contacts, values) = (stats.contacts, stats.values + stats.values_published);
    format!("serving: {contacts} contacts, {values} values, {rate} datagrams/s")
}
