//! Follows the names of bootstrap nodes over time: which addresses they have, which of
//! those the node can use, and which are sent to it next.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use kad_node::driver::SendError;
use kad_node::limits::BOOTSTRAP_ADDRESSES_MAX;

use super::{Reach, resolve};
use crate::args::HostPort;

/// The names and the addresses that they last resolved to.
pub(super) struct Follower {
    names: Vec<FollowedName>,
    reach: Reach,
    /// Every address that the node can use.
    addresses: BTreeSet<SocketAddr>,
    /// Index in `addresses` of the first that is sent to the node.
    skipped: usize,
    /// The addresses that the node has accepted.
    sent: BTreeSet<SocketAddr>,
}

struct FollowedName {
    name: HostPort,
    /// The usable addresses of the last time that there were any.
    addresses: BTreeSet<SocketAddr>,
    state: NameState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameState {
    Untried,
    Usable,
    Unresolved,
    OutOfReach,
    Own,
}

impl Follower {
    /// Follows each of `names`; duplicates are followed once.
    pub(super) fn new(names: Vec<HostPort>, reach: Reach) -> Self {
        let mut followed: Vec<FollowedName> = Vec::with_capacity(names.len());
        for name in names {
            if followed.iter().all(|other| other.name != name) {
                let state = NameState::Untried;
                followed.push(FollowedName { name, addresses: BTreeSet::new(), state });
            }
        }
        let (addresses, sent) = (BTreeSet::new(), BTreeSet::new());
        Self { names: followed, reach, addresses, skipped: 0, sent }
    }

    /// Resolves all names.
    pub(super) fn resolve(&mut self) {
        self.resolve_by(resolve);
    }

    /// Resolves all names by `resolve`. A name that no longer resolves keeps its
    /// previous addresses.
    fn resolve_by(&mut self, resolve: impl Fn(&HostPort) -> Result<Vec<SocketAddr>, String>) {
        for followed in &mut self.names {
            let resolved = resolve(&followed.name);
            followed.update(resolved, self.reach);
        }
        self.addresses =
            self.names.iter().flat_map(|followed| &followed.addresses).copied().collect();
    }

    /// Passes the next addresses to `send`, unless they are the ones last accepted.
    pub(super) fn send_changes(
        &mut self,
        send: impl FnOnce(Vec<SocketAddr>) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        let next = self.next();
        if next != self.sent {
            send(next.iter().copied().collect())?;
            self.sent = next;
        }
        Ok(())
    }

    /// As many addresses as a node keeps, beginning at `skipped`.
    fn next(&self) -> BTreeSet<SocketAddr> {
        let count = self.addresses.len();
        // There may be fewer addresses now.
        let skipped = if self.skipped < count { self.skipped } else { 0 };
        let round = self.addresses.iter().cycle().skip(skipped);
        round.take(count.min(BOOTSTRAP_ADDRESSES_MAX)).copied().collect()
    }

    /// Moves on to other addresses, when there are more than a node keeps: no node
    /// answered at those sent last.
    pub(super) fn rotate(&mut self) {
        let count = self.addresses.len();
        if count > BOOTSTRAP_ADDRESSES_MAX {
            self.skipped = (self.skipped + BOOTSTRAP_ADDRESSES_MAX) % count;
        }
    }

    /// The addresses that the node has accepted.
    pub(super) const fn sent(&self) -> &BTreeSet<SocketAddr> {
        &self.sent
    }

    /// The names that have never resolved.
    pub(super) fn unresolved(&self) -> impl Iterator<Item = &HostPort> {
        let unresolved = |followed: &&FollowedName| {
            followed.state == NameState::Unresolved && followed.addresses.is_empty()
        };
        self.names.iter().filter(unresolved).map(|followed| &followed.name)
    }
}

impl FollowedName {
    /// Applies the result of an attempt, and warns when the name's state changes.
    fn update(&mut self, resolved: Result<Vec<SocketAddr>, String>, reach: Reach) {
        let name = &self.name;
        let (state, warning) = match resolved {
            Err(reason) => (
                NameState::Unresolved,
                format!("cannot resolve '{name}': {reason}: check the name"),
            ),
            Ok(all) => {
                let usable = |addr: &SocketAddr| reach.obstacle(*addr).is_none();
                let (usable, out_of_reach): (Vec<_>, Vec<_>) = all.into_iter().partition(usable);
                let others: BTreeSet<_> =
                    usable.iter().copied().filter(|addr| !reach.is_own(*addr)).collect();
                if !others.is_empty() {
                    self.addresses = others;
                    (NameState::Usable, String::new())
                } else if !usable.is_empty() {
                    let own = "is this node itself: to join a network, name another node of it";
                    (NameState::Own, format!("'{name}' {own}"))
                } else {
                    let obstacle = out_of_reach.first().and_then(|addr| reach.obstacle(*addr));
                    let why = obstacle.map_or("it has no address".into(), |why| why.to_string());
                    (NameState::OutOfReach, format!("cannot join through '{name}': {why}"))
                }
            }
        };
        if state == NameState::Usable {
            if self.state == NameState::Unresolved {
                tracing::info!("'{name}' resolves now");
            }
        } else if state != self.state {
            let retried = if name.literal().is_some() { "" } else { "; still trying" };
            tracing::warn!("{warning}{retried}");
        }
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use kad_node::node::Command;

    use super::*;

    fn addr(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 9001))
    }

    fn follower_at(bound: &str) -> Follower {
        let bound = bound.parse().expect("an address");
        Follower::new(vec!["seed:9001".parse().expect("a name")], Reach::of(bound))
    }

    fn follower() -> Follower {
        follower_at("0.0.0.0:9001")
    }

    impl Follower {
        /// The addresses sent to a node that accepts everything.
        fn sent_next(&mut self) -> Option<Vec<SocketAddr>> {
            let mut accepted = None;
            let accept = |addresses| {
                accepted = Some(addresses);
                Ok(())
            };
            self.send_changes(accept).expect("it accepts them");
            accepted
        }

        /// The addresses sent to a node that accepts everything, after `resolved`.
        #[expect(clippy::needless_pass_by_value, reason = "the tests read better")]
        fn sent_after(
            &mut self,
            resolved: Result<Vec<SocketAddr>, String>,
        ) -> Option<Vec<SocketAddr>> {
            self.resolve_by(|_| resolved.clone());
            self.sent_next()
        }
    }

    #[test]
    fn a_change_of_addresses_is_sent_once() {
        let mut follower = follower();
        assert_eq!(follower.sent_after(Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.sent_after(Ok(vec![addr(1)])), None);
        assert_eq!(follower.sent_after(Ok(vec![addr(2)])), Some(vec![addr(2)]));
        assert_eq!(follower.sent_after(Ok(vec![addr(3), addr(2)])), Some(vec![addr(2), addr(3)]));
        assert_eq!(follower.sent_after(Ok(vec![addr(2), addr(3)])), None, "in another order");
    }

    #[test]
    fn addresses_that_the_node_did_not_accept_are_sent_again() {
        let mut follower = follower();
        let refuse = |addresses| Err(SendError::Full(Command::Bootstrap { addresses }));
        for _ in 0..2 {
            follower.resolve_by(|_| Ok(vec![addr(1)]));
            let addresses = vec![addr(1)];
            let refused = follower.send_changes(refuse);
            assert_eq!(refused, Err(SendError::Full(Command::Bootstrap { addresses })));
        }
        assert_eq!(follower.sent_after(Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.sent_after(Ok(vec![addr(1)])), None);
    }

    #[test]
    fn a_name_that_no_longer_resolves_keeps_its_addresses() {
        let mut follower = follower();
        assert_eq!(follower.sent_after(Err("unknown".into())), None);
        assert_eq!(follower.unresolved().count(), 1);
        assert_eq!(follower.sent_after(Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.sent_after(Err("unknown".into())), None);
        assert_eq!(follower.sent(), &BTreeSet::from([addr(1)]));
        assert_eq!(follower.unresolved().count(), 0);
    }

    #[test]
    fn addresses_out_of_reach_are_left_out() {
        let v6: SocketAddr = "[::1]:9001".parse().expect("an address");
        let mut follower = follower();
        assert_eq!(follower.sent_after(Ok(vec![v6])), None);
        assert_eq!(follower.names[0].state, NameState::OutOfReach);
        assert_eq!(follower.sent_after(Ok(vec![v6, addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.names[0].state, NameState::Usable);
        let mut local = follower_at("127.0.0.1:9001");
        assert_eq!(local.sent_after(Ok(vec!["192.0.2.1:9001".parse().expect("an address")])), None);
        assert_eq!(local.names[0].state, NameState::OutOfReach);
    }

    #[test]
    fn the_node_itself_is_left_out() {
        let mut follower = follower_at("127.0.0.1:9001");
        let own: SocketAddr = "127.0.0.1:9001".parse().expect("an address");
        let other: SocketAddr = "127.0.0.1:9002".parse().expect("an address");
        assert_eq!(follower.sent_after(Ok(vec![own])), None);
        assert_eq!(follower.names[0].state, NameState::Own);
        assert_eq!(follower.sent_after(Ok(vec![own, other])), Some(vec![other]));
    }

    #[test]
    fn a_duplicate_name_is_followed_once() {
        let name: HostPort = "seed:9001".parse().expect("a name");
        let bound = "0.0.0.0:9001".parse().expect("an address");
        let mut follower = Follower::new(vec![name.clone(), name], Reach::of(bound));
        assert_eq!(follower.names.len(), 1);
        assert_eq!(follower.sent_after(Ok(vec![addr(1), addr(1)])), Some(vec![addr(1)]));
    }

    #[test]
    fn every_address_gets_a_turn_when_there_are_more_than_a_node_keeps() {
        let all: Vec<_> = (0..BOOTSTRAP_ADDRESSES_MAX as u8 * 2 + 30).map(addr).collect();
        let mut follower = follower();
        let mut met: BTreeSet<SocketAddr> =
            follower.sent_after(Ok(all.clone())).expect("addresses").into_iter().collect();
        assert_eq!(met.len(), BOOTSTRAP_ADDRESSES_MAX);
        assert_eq!(follower.sent_after(Ok(all.clone())), None, "nothing has changed");
        for _ in 0..2 {
            follower.rotate();
            let sent = follower.sent_after(Ok(all.clone())).expect("others");
            assert_eq!(sent.len(), BOOTSTRAP_ADDRESSES_MAX);
            met.extend(sent);
        }
        assert_eq!(met.len(), all.len());
        assert_eq!(
            follower.sent_after(Ok(vec![addr(1)])),
            Some(vec![addr(1)]),
            "fewer than before"
        );
        follower.rotate();
        assert_eq!(follower.sent_after(Ok(vec![addr(1)])), None);
    }
}
