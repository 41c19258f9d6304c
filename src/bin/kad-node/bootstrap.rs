//! Resolves the names of bootstrap nodes, again and again, on a thread of its own: a
//! resolver may take many seconds.

mod follower;
mod notices;
mod reach;

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kad_node::driver::{SendError, canonical};
use kad_node::limits::{BOOTSTRAP_WAIT_MAX, BOOTSTRAP_WAIT_MIN};

use self::follower::Follower;
use self::notices::Notices;
use crate::args::HostPort;
use crate::failure::Failure;
use crate::joining::Joining;

pub(crate) use notices::Joiner;
pub(crate) use reach::{Obstacle, Reach};

/// The addresses of `name`, IPv4 where they are IPv4-mapped, or why there are none.
fn resolve(name: &HostPort) -> Result<Vec<SocketAddr>, String> {
    match (name.host.as_str(), name.port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.map(canonical).collect()),
        Err(error) => Err(error.to_string()),
    }
}

/// Resolves all `names` within `timeout`, in their order and without duplicates. A
/// resolver that hangs for one name does not delay the others. The error names a name
/// that has no address.
pub(crate) fn resolve_within(
    names: &[HostPort],
    timeout: Duration,
) -> Result<Vec<SocketAddr>, String> {
    let deadline = Instant::now() + timeout;
    let ask = |name: &HostPort| {
        let (sender, receiver) = mpsc::sync_channel(1);
        let asked = name.clone();
        // The thread outlives its time-out: a resolver cannot be interrupted.
        thread::spawn(move || sender.send(resolve(&asked)));
        receiver
    };
    let answers: Vec<_> = names.iter().map(ask).collect();
    let mut addresses = Vec::new();
    let mut failure = None;
    for (name, answer) in names.iter().zip(answers) {
        match answer.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Ok(resolved)) => addresses.extend(resolved),
            Ok(Err(reason)) => failure = Some(unresolved(name, &reason)),
            Err(_) => failure = Some(unresolved(name, "the resolver does not answer")),
        }
    }
    let mut met = BTreeSet::new();
    addresses.retain(|addr| met.insert(*addr));
    match failure {
        Some(failure) if addresses.is_empty() => Err(failure),
        _ => Ok(addresses),
    }
}

fn unresolved(name: &HostPort, reason: &str) -> String {
    format!("cannot resolve '{name}': {reason}: check the name, or give an address")
}

/// The `names` in quotes, separated by commas.
pub(crate) fn listed(names: &[HostPort]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// Fails when a node bound to `listen` can never join through `names`: all of them are
/// addresses that it cannot reach. A host name may resolve differently later, so one
/// host name is enough to succeed.
pub(crate) fn refuse_hopeless(names: &[HostPort], listen: SocketAddr) -> Result<(), Failure> {
    let reach = Reach::of(listen);
    let obstacle = |name: &HostPort| reach.obstacle(name.literal()?);
    let hopeless: Vec<_> = names.iter().map_while(obstacle).collect();
    match hopeless.first() {
        Some(why) if hopeless.len() == names.len() => {
            Err(Failure::Usage(format!("cannot join through {}: {why}", listed(names))))
        }
        _ => Ok(()),
    }
}

/// Resolves `names` for ever: with back-off until the node has joined, and then every
/// [`BOOTSTRAP_WAIT_MAX`], so that a node that was cut off finds peers that have moved.
/// `send` receives the reachable addresses whenever they have changed; it is retried
/// soon when the node is busy, and the loop ends when the node has stopped. When there
/// are more addresses than a node keeps, each attempt uses others. While the node has
/// not joined, the log says why.
pub(crate) fn follow(
    names: Vec<HostPort>,
    node: Joiner,
    joining: Joining,
    send: impl Fn(Vec<SocketAddr>) -> Result<(), SendError> + Send + 'static,
) {
    thread::spawn(move || {
        let mut follower = Follower::new(names, node.reach);
        let mut notices = Notices::new(node);
        let mut wait = BOOTSTRAP_WAIT_MIN;
        loop {
            follower.resolve();
            match follower.send_changes(&send) {
                Ok(()) => {}
                Err(SendError::Full(_)) => {
                    thread::sleep(BOOTSTRAP_WAIT_MIN);
                    continue;
                }
                Err(SendError::Stopped(_)) => return,
            }
            if joining.wait(wait) {
                thread::sleep(BOOTSTRAP_WAIT_MAX);
            } else {
                notices.look(&follower, &joining);
                follower.rotate();
                wait = (wait * 2).min(BOOTSTRAP_WAIT_MAX);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<HostPort> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn a_name_that_does_not_resolve_is_named_in_the_error() {
        let names = names(&["no-such-host.invalid:9001"]);
        let error = resolve_within(&names, Duration::from_mins(1)).expect_err("a reserved name");
        assert!(error.contains("'no-such-host.invalid:9001'"), "{error}");
    }

    #[test]
    fn each_address_is_resolved_once_and_in_its_canonical_form() {
        let names = names(&["[::ffff:127.0.0.1]:9001", "127.0.0.1:9001", "[::1]:9001"]);
        let resolved = resolve_within(&names, Duration::from_mins(1)).expect("addresses");
        let addr = |text: &str| text.parse().expect("an address");
        assert_eq!(resolved, [addr("127.0.0.1:9001"), addr("[::1]:9001")]);
    }

    #[test]
    fn names_are_refused_only_when_none_can_ever_be_reached() {
        let listen = "127.0.0.1:9001".parse().expect("an address");
        for (given, is_hopeless) in [
            (&["192.0.2.1:9001"][..], true),
            (&["192.0.2.1:9001", "[2001:db8::1]:9001"], true),
            (&["192.0.2.1:9001", "127.0.0.1:9002"], false),
            (&["127.0.0.1:9002", "192.0.2.1:9001"], false),
            (&["192.0.2.1:9001", "no-such-host.invalid:9001"], false),
            (&["127.0.0.1:9001"], false),
            (&[], false),
        ] {
            assert_eq!(refuse_hopeless(&names(given), listen).is_err(), is_hopeless, "{given:?}");
        }
    }
}
