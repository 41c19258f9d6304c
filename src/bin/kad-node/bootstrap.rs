//! The names to join by: resolved, and resolved again, on a thread of their own,
//! because a resolver may take many seconds.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kad_node::driver::SendError;
use kad_node::limits::{BOOTSTRAP_WAIT_MAX, BOOTSTRAP_WAIT_MIN};

use crate::args::HostPort;
use crate::joining::Joining;

/// Peers that the node's socket can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    V4,
    V6,
    /// A socket bound to `[::]` takes IPv4 peers as well.
    Both,
}

impl Reach {
    /// The reach of a socket bound to `bound`.
    pub(crate) const fn of(bound: SocketAddr) -> Self {
        match bound {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(bound) if bound.ip().is_unspecified() => Self::Both,
            SocketAddr::V6(_) => Self::V6,
        }
    }

    /// Whether `peer` is within it.
    pub(crate) const fn includes(self, peer: SocketAddr) -> bool {
        match self {
            Self::V4 => peer.is_ipv4(),
            Self::V6 => peer.is_ipv6(),
            Self::Both => true,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
            Self::Both => "IP",
        })
    }
}

/// The addresses of `name`, or why there are none.
fn resolve(name: &HostPort) -> Result<Vec<SocketAddr>, String> {
    match (name.host.as_str(), name.port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(error.to_string()),
    }
}

/// The addresses of all `names`, within `timeout`; an error names the name that
/// has none.
pub(crate) fn resolve_within(
    names: &[HostPort],
    timeout: Duration,
) -> Result<Vec<SocketAddr>, String> {
    let deadline = Instant::now() + timeout;
    let mut addresses = Vec::new();
    let mut failure = None;
    for name in names {
        let (sender, receiver) = mpsc::sync_channel(1);
        let asked = name.clone();
        // The thread outlives its time-out: a resolver cannot be interrupted.
        thread::spawn(move || sender.send(resolve(&asked)));
        let remaining = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(remaining) {
            Ok(Ok(resolved)) => addresses.extend(resolved),
            Ok(Err(reason)) => failure = Some(unresolved(name, &reason)),
            Err(_) => failure = Some(unresolved(name, "the resolver does not answer")),
        }
    }
    match failure {
        Some(failure) if addresses.is_empty() => Err(failure),
        _ => Ok(addresses),
    }
}

fn unresolved(name: &HostPort, reason: &str) -> String {
    format!("cannot resolve '{name}': {reason}: check the name, or give an address")
}

/// Resolves `names` for ever: with back-off until the node has joined, and every
/// [`BOOTSTRAP_WAIT_MAX`] from then on, so that a node that was cut off finds
/// peers that have moved meanwhile. `tell` is handed the addresses within `reach`
/// whenever they are others than it last took; a node that is too busy is told soon
/// again, and one that has stopped no more.
pub(crate) fn follow(
    names: Vec<HostPort>,
    reach: Reach,
    joining: Joining,
    tell: impl Fn(Vec<SocketAddr>) -> Result<(), SendError> + Send + 'static,
) {
    thread::spawn(move || {
        let mut follower = Follower::new(names, reach);
        let mut wait = BOOTSTRAP_WAIT_MIN;
        loop {
            match follower.tell_changes(resolve, &tell) {
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
                wait = (wait * 2).min(BOOTSTRAP_WAIT_MAX);
            }
        }
    });
}

/// What the names were when they were last resolved.
struct Follower {
    names: Vec<FollowedName>,
    reach: Reach,
    /// The addresses that the node has taken.
    told: BTreeSet<SocketAddr>,
}

struct FollowedName {
    name: HostPort,
    /// Those of the last time that it resolved.
    addresses: BTreeSet<SocketAddr>,
    state: NameState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameState {
    Untried,
    Resolves,
    Fails,
}

impl Follower {
    fn new(names: Vec<HostPort>, reach: Reach) -> Self {
        let followed =
            |name| FollowedName { name, addresses: BTreeSet::new(), state: NameState::Untried };
        Self { names: names.into_iter().map(followed).collect(), reach, told: BTreeSet::new() }
    }

    /// Resolves all names by `resolve` and hands all addresses to `tell` when they
    /// are others than it last took. A name that no longer resolves keeps the
    /// addresses of before.
    fn tell_changes(
        &mut self,
        resolve: impl Fn(&HostPort) -> Result<Vec<SocketAddr>, String>,
        tell: impl FnOnce(Vec<SocketAddr>) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        for followed in &mut self.names {
            let resolved = resolve(&followed.name);
            followed.update(resolved.and_then(|all| within(&all, self.reach)));
        }
        let addresses: BTreeSet<_> =
            self.names.iter().flat_map(|followed| &followed.addresses).copied().collect();
        if addresses != self.told {
            tell(addresses.iter().copied().collect())?;
            self.told = addresses;
        }
        Ok(())
    }
}

impl FollowedName {
    /// Takes in an attempt, and warns when the name's state changes.
    fn update(&mut self, resolved: Result<BTreeSet<SocketAddr>, String>) {
        let name = &self.name;
        match resolved {
            Ok(addresses) => {
                if self.state == NameState::Fails {
                    tracing::info!("'{name}' resolves now");
                }
                self.addresses = addresses;
                self.state = NameState::Resolves;
            }
            Err(reason) => {
                if self.state != NameState::Fails {
                    tracing::warn!("cannot resolve '{name}': {reason}: check it; trying on");
                }
                self.state = NameState::Fails;
            }
        }
    }
}

fn within(all: &[SocketAddr], reach: Reach) -> Result<BTreeSet<SocketAddr>, String> {
    let fit: BTreeSet<_> = all.iter().copied().filter(|addr| reach.includes(*addr)).collect();
    if fit.is_empty() {
        return Err(format!("it has no {reach} address, and --listen is {reach}"));
    }
    Ok(fit)
}

#[cfg(test)]
mod tests {
    use kad_node::node::Command;

    use super::*;

    fn addr(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 9001))
    }

    fn follower() -> Follower {
        Follower::new(vec!["seed:9001".parse().expect("a name")], Reach::V4)
    }

    impl Follower {
        /// What a node that takes everything is told.
        fn resolve(
            &mut self,
            resolve: impl Fn(&HostPort) -> Result<Vec<SocketAddr>, String>,
        ) -> Option<Vec<SocketAddr>> {
            let mut told = None;
            let tell = |addresses| {
                told = Some(addresses);
                Ok(())
            };
            self.tell_changes(resolve, tell).expect("it takes them");
            told
        }
    }

    #[test]
    fn a_change_of_addresses_is_told_once() {
        let mut follower = follower();
        assert_eq!(follower.resolve(|_| Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.resolve(|_| Ok(vec![addr(1)])), None);
        assert_eq!(follower.resolve(|_| Ok(vec![addr(2)])), Some(vec![addr(2)]));
        assert_eq!(follower.resolve(|_| Ok(vec![addr(3), addr(2)])), Some(vec![addr(2), addr(3)]));
        assert_eq!(follower.resolve(|_| Ok(vec![addr(2), addr(3)])), None, "in another order");
    }

    #[test]
    fn addresses_that_the_node_did_not_take_are_told_again() {
        let mut follower = follower();
        let refuse = |addresses| Err(SendError::Full(Command::Bootstrap { addresses }));
        for _ in 0..2 {
            let refused = follower.tell_changes(|_| Ok(vec![addr(1)]), refuse);
            let addresses = vec![addr(1)];
            assert_eq!(refused, Err(SendError::Full(Command::Bootstrap { addresses })));
        }
        assert_eq!(follower.resolve(|_| Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.resolve(|_| Ok(vec![addr(1)])), None);
    }

    #[test]
    fn a_name_that_no_longer_resolves_keeps_its_addresses() {
        let mut follower = follower();
        assert_eq!(follower.resolve(|_| Err("unknown".into())), None);
        assert_eq!(follower.names[0].state, NameState::Fails);
        assert_eq!(follower.resolve(|_| Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.resolve(|_| Err("unknown".into())), None);
        assert_eq!(follower.names[0].addresses, BTreeSet::from([addr(1)]));
    }

    #[test]
    fn addresses_of_the_other_family_are_not_used() {
        let v6: SocketAddr = "[::1]:9001".parse().expect("an address");
        let mut follower = follower();
        assert_eq!(follower.resolve(|_| Ok(vec![v6])), None);
        assert_eq!(follower.names[0].state, NameState::Fails);
        assert_eq!(follower.resolve(|_| Ok(vec![v6, addr(1)])), Some(vec![addr(1)]));
    }

    #[test]
    fn a_name_that_does_not_resolve_is_named_in_the_error() {
        let names = ["no-such-host.invalid:9001".parse().expect("a name")];
        let error = resolve_within(&names, Duration::from_mins(1)).expect_err("a reserved name");
        assert!(error.contains("'no-such-host.invalid:9001'"), "{error}");
    }
}
