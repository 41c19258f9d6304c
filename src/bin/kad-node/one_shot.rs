//! One put or one get, by a client that no one adds to a routing table.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Read as _, Write};
use std::iter;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use kad_node::driver::{DriverEvent, Events, Running};
use kad_node::id::Id;
use kad_node::limits::VALUE_BYTES_MAX;
use kad_node::node::{Config, Event, Trace};
use kad_node::wire::Role;

use crate::args::{ClientArgs, GetArgs, HostPort, PutArgs};
use crate::bootstrap::{self, Reach};
use crate::failure::Failure;
use crate::launch::{self, RESOLVE_MAX, Shards};
use crate::log;
use crate::operations::{NodeGone, Operations};
use crate::reply::{self, Audience};
use crate::request::{self, RequestError};

/// How long a client tries to join.
const JOIN_MAX: Duration = Duration::from_secs(10);

/// Stores one text.
pub(crate) fn put(args: &PutArgs) -> Result<(), Failure> {
    let value = value(&args.text)?;
    let key = Id::of_value(&value);
    let mut client = Client::join(&args.client, |config| Config { expire: args.expire, ..config })?;
    let answer = client.operations.put(value)?;
    let stored = answer.outcome.map_err(Failure::Refused)?;
    if stored.holders == 0 {
        return Err(Failure::Failed(format!(
            "'{key}' was not stored: none of the {} closest nodes took it; try again",
            stored.asked
        )));
    }
    print(|out, audience| {
        writeln!(out, "{key}")?;
        match audience {
            Audience::Person => reply::stored(&stored, answer.elapsed, out),
            Audience::Program => Ok(()),
        }
    })?;
    client.leave()
}

/// Finds one text.
pub(crate) fn get(args: &GetArgs) -> Result<(), Failure> {
    let key = request::key(&args.key.to_string_lossy(), "get KEY").map_err(Failure::Request)?;
    let mut client = Client::join(&args.client, |config| config)?;
    let answer = client.operations.get(key, Trace::Off, |_| {})?;
    let found = match &answer.outcome {
        Ok(found) => found.as_ref(),
        Err(refusal) => return Err(Failure::Refused(*refusal)),
    };
    print(|out, audience| match found {
        Some(found) => reply::found(found, &answer, audience, out),
        None => reply::not_found(&answer, audience, out),
    })?;
    client.leave()?;
    if found.is_some() { Ok(()) } else { Err(Failure::NotFound) }
}

/// The value to store: `text`, or all of standard input where it is `-`.
fn value(text: &OsStr) -> Result<Box<[u8]>, Failure> {
    if text != "-" {
        if text.is_empty() {
            return Err(Failure::Request(RequestError::MissingArgument { usage: "put TEXT" }));
        }
        return request::value(text.as_bytes()).map_err(Failure::Request);
    }
    let unread = |error: io::Error| Failure::Failed(format!("cannot read standard input: {error}"));
    let mut input = io::stdin().lock();
    let mut value = Vec::new();
    input.by_ref().take(VALUE_BYTES_MAX as u64).read_to_end(&mut value).map_err(unread)?;
    let rest = io::copy(&mut input, &mut io::sink()).map_err(unread)?;
    if rest > 0 {
        let bytes = VALUE_BYTES_MAX.saturating_add(usize::try_from(rest).unwrap_or(usize::MAX));
        return Err(Failure::Request(RequestError::TooLarge { bytes }));
    }
    if value.is_empty() {
        return Err(Failure::Usage("standard input is empty: there is nothing to put".into()));
    }
    Ok(value.into())
}

/// Writes a result to standard output. A reader that has gone away wants none.
fn print(
    write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>, Audience) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out, Audience::of_stdout()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// A client that has joined.
struct Client {
    running: Running,
    operations: Operations,
}

impl Client {
    fn join(args: &ClientArgs, adjust: impl FnOnce(Config) -> Config) -> Result<Self, Failure> {
        log::start(&args.log)?;
        let resolved =
            bootstrap::resolve_within(&args.bootstrap, RESOLVE_MAX).map_err(Failure::Failed)?;
        let Some(first) = resolved.first() else {
            return Err(Failure::Failed(format!("{} has no address", listed(&args.bootstrap))));
        };
        let listen = launch::any_like(*first);
        let reach = Reach::of(listen);
        let config = launch::config(&mut launch::rng()?, None, Role::Client, &args.lookup);
        let mut running = launch::start(listen, Shards::ALONE, &args.io, 0, adjust(config))?;
        launch::warn_of_fallback(&running);
        let addresses =
            resolved.into_iter().filter(|addr| reach.obstacle(*addr).is_none()).collect();
        launch::join(&running, addresses)?;
        let events = running.take_events();
        if !joined(&events, Instant::now() + JOIN_MAX) {
            return Err(Failure::Failed(format!(
                "no node of network '{}' answers at {} within {} s: check the address and the network's name",
                args.lookup.network,
                listed(&args.bootstrap),
                JOIN_MAX.as_secs()
            )));
        }
        let operations =
            Operations::new(running.commander(), iter::from_fn(move || events.recv().ok()));
        Ok(Self { running, operations })
    }

    fn leave(self) -> Result<(), Failure> {
        launch::stop(self.running).map(drop)
    }
}

/// Waits until the client knows a node, and says whether it does.
fn joined(events: &Events, deadline: Instant) -> bool {
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(remaining) {
            Ok(DriverEvent::Node(Event::Joined { contacts })) if contacts > 0 => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn listed(names: &[HostPort]) -> String {
    names.iter().map(HostPort::to_string).collect::<Vec<_>>().join(", ")
}

impl From<NodeGone> for Failure {
    fn from(NodeGone: NodeGone) -> Self {
        Self::Failed("the node's thread has ended".into())
    }
}
