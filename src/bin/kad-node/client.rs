//! A client that joins for one operation, with one deadline for all of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use kad_node::driver::{DriverEvent, Events, Running};
use kad_node::limits::{BOOTSTRAP_ADDRESSES_MAX, BOOTSTRAP_WAIT_MIN};
use kad_node::node::{Config, Event};
use kad_node::wire::Role;

use crate::args::ClientArgs;
use crate::bootstrap::{self, Obstacle, Reach};
use crate::failure::Failure;
use crate::launch::{self, RESOLVE_MAX, Shards};
use crate::membership::Membership;
use crate::ongoing::Ongoing;
use crate::operations::{Next, NodeGone, Operations};
use crate::progress::Progress;
use crate::reply;
use crate::{log, log_events};

/// Any port of every address of either family.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
/// The same on a host without IPv6.
const ANY_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A client that has joined.
pub(crate) struct Client<'a> {
    args: &'a ClientArgs,
    /// None where only joining has one.
    deadline: Option<Instant>,
    running: Running,
    operations: Operations,
}

impl<'a> Client<'a> {
    /// Joins through the first bootstrap node that answers, for operations that end within
    /// `--timeout`.
    pub(crate) fn join(
        args: &'a ClientArgs,
        adjust: impl FnOnce(Config) -> Config,
    ) -> Result<Self, Failure> {
        let deadline = Instant::now() + args.timeout;
        Self::join_within(args, adjust, deadline, Some(deadline))
    }

    /// The same, for any number of operations: only joining has to end in that time.
    pub(crate) fn join_for_long(
        args: &'a ClientArgs,
        adjust: impl FnOnce(Config) -> Config,
    ) -> Result<Self, Failure> {
        Self::join_within(args, adjust, Instant::now() + args.timeout, None)
    }

    fn join_within(
        args: &'a ClientArgs,
        adjust: impl FnOnce(Config) -> Config,
        joined_by: Instant,
        deadline: Option<Instant>,
    ) -> Result<Self, Failure> {
        log::start(&args.log)?;
        bootstrap::refuse_hopeless(&args.bootstrap, ANY)?;
        let membership = Membership::of(&args.lookup)?;
        // One name that does not resolve leaves half of the time to the others.
        let patience = RESOLVE_MAX.min(args.timeout / 2);
        let resolved = bootstrap::resolve_within(&args.bootstrap, patience);
        let resolved = resolved.map_err(Failure::Unreachable)?;
        let mut config = launch::config(&mut launch::rng()?, None, Role::Client, &args.lookup);
        config.log_level = log_events::level();
        let listen = any_address();
        let node = (adjust(config), membership.keys.clone());
        let mut running = launch::start(listen, Shards::ALONE, &args.io, 0, node, None)?;
        launch::warn_of_fallback(&running);
        let addresses = usable(args, resolved, Reach::of(listen))?;
        let events = running.take_events();
        if !join_by(&running, &events, &addresses, joined_by)? {
            return Err(Failure::Unreachable(format!(
                "no node of network '{}' answers at {} within {}: check the address, the \
                 network's name, and {}",
                membership.name,
                bootstrap::listed(&args.bootstrap),
                reply::time(args.timeout),
                membership.doubt()
            )));
        }
        let answers = move |patience| next(&events, deadline, patience);
        let ongoing = Ongoing::new(running.commander());
        let operations = Operations::new(running.commander(), answers, ongoing);
        Ok(Self { args, deadline, running, operations })
    }

    /// Runs the operation.
    pub(crate) fn ask<T>(
        &mut self,
        operation: impl FnOnce(&mut Operations) -> Result<T, NodeGone>,
    ) -> Result<T, Failure> {
        operation(&mut self.operations).map_err(|NodeGone| {
            if self.deadline.is_none_or(|deadline| Instant::now() < deadline) {
                return Failure::Failed("the node's thread has ended".into());
            }
            Failure::Unreachable(format!(
                "no result within {}: try again, or give a longer --timeout",
                reply::time(self.args.timeout)
            ))
        })
    }

    /// Ends the client.
    pub(crate) fn stop(self) -> Result<(), Failure> {
        launch::stop(self.running).map(drop)
    }
}

/// Waits for the next event, at most `patience`; after the deadline there is none.
fn next(events: &Events, deadline: Option<Instant>, patience: Duration) -> Next {
    let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
    let remaining = deadline.map_or(Duration::MAX, left);
    match events.recv_timeout(patience.min(remaining)) {
        Ok(event) => log_events::take(event).map_or(Next::Late, Next::Event),
        Err(RecvTimeoutError::Timeout) if patience < remaining => Next::Late,
        Err(_) => Next::Gone,
    }
}

/// The address to bind: it reaches both address families where the host has IPv6.
fn any_address() -> SocketAddr {
    if UdpSocket::bind(ANY).is_ok() { ANY } else { ANY_V4 }
}

/// The addresses of `resolved` that are in `reach`.
fn usable(
    args: &ClientArgs,
    resolved: Vec<SocketAddr>,
    reach: Reach,
) -> Result<Vec<SocketAddr>, Failure> {
    let (usable, out_of_reach): (Vec<_>, Vec<_>) =
        resolved.into_iter().partition(|addr| reach.obstacle(*addr).is_none());
    if !usable.is_empty() {
        return Ok(usable);
    }
    let why = match out_of_reach.first().and_then(|addr| reach.obstacle(*addr)) {
        Some(Obstacle::Family { .. }) => "this host has no IPv6: give an IPv4 address".into(),
        Some(obstacle) => obstacle.to_string(),
        None => "it has no address".into(),
    };
    Err(Failure::Unreachable(format!(
        "cannot join through {}: {why}",
        bootstrap::listed(&args.bootstrap)
    )))
}

/// Tries `addresses`, as many at a time as a node keeps. Returns whether the client has
/// joined by the deadline.
fn join_by(
    running: &Running,
    events: &Events,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<bool, Failure> {
    let mut progress = Progress::begin();
    let rounds = addresses.chunks(BOOTSTRAP_ADDRESSES_MAX);
    let mut wait = if rounds.len() > 1 { BOOTSTRAP_WAIT_MIN } else { Duration::MAX };
    for round in rounds.cycle() {
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            break;
        }
        launch::join(running, round.to_vec())?;
        if has_joined(events, Instant::now() + wait.min(remaining), &mut progress) {
            return Ok(true);
        }
        wait = wait.saturating_mul(2);
    }
    Ok(false)
}

/// Waits until the client has a contact. Returns whether it has.
fn has_joined(events: &Events, until: Instant, progress: &mut Progress) -> bool {
    loop {
        match next(events, Some(until), Progress::PERIOD) {
            Next::Event(DriverEvent::Node(Event::Joined { contacts })) if contacts > 0 => {
                return true;
            }
            Next::Event(_) => {}
            Next::Late => progress.show("joining: no answer yet"),
            Next::Gone => return false,
        }
    }
}
