//! The names of bootstrap nodes over time: which addresses they have, which of those
//! the node can use, and which it is told next.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use kad_node::driver::SendError;
use kad_node::limits::BOOTSTRAP_ADDRESSES_MAX;

use super::{Reach, resolve};
use crate::args::HostPort;

/// The names, as they were when they were last resolved.
pub(super) struct Follower {
    names: Vec<FollowedName>,
    reach: Reach,
    /// Every address that the node can use.
    addresses: BTreeSet<SocketAddr>,
    /// How many of `addresses` stand before the first that the node is told.
    skipped: usize,
    /// The addresses that the node has taken.
    told: BTreeSet<SocketAddr>,
}

struct FollowedName {
    name: HostPort,
    /// Those of the last time that it had any.
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
    /// Follows each of `names` once.
    pub(super) fn new(names: Vec<HostPort>, reach: Reach) -> Self {
        let mut followed: Vec<FollowedName> = Vec::with_capacity(names.len());
        for name in names {
            if followed.iter().all(|other| other.name != name) {
                let state = NameState::Untried;
                followed.push(FollowedName { name, addresses: BTreeSet::new(), state });
            }
        }
        let (addresses, told) = (BTreeSet::new(), BTreeSet::new());
        Self { names: followed, reach, addresses, skipped: 0, told }
    }

    /// Resolves all names.
    pub(super) fn resolve(&mut self) {
        self.resolve_by(resolve);
    }

    /// Resolves all names by `resolve`. A name that no longer resolves keeps the
    /// addresses of before.
    fn resolve_by(&mut self, resolve: impl Fn(&HostPort) -> Result<Vec<SocketAddr>, String>) {
        for followed in &mut self.names {
            let resolved = resolve(&followed.name);
            followed.update(resolved, self.reach);
        }
        self.addresses =
            self.names.iter().flat_map(|followed| &followed.addresses).copied().collect();
    }

    /// Hands the addresses that are next to `tell`, where they are others than it last
    /// took.
    pub(super) fn tell_changes(
        &mut self,
        tell: impl FnOnce(Vec<SocketAddr>) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        let next = self.next();
        if next != self.told {
            tell(next.iter().copied().collect())?;
            self.told = next;
        }
        Ok(())
    }

    /// As many addresses as a node keeps, from the first that is not skipped on.
    fn next(&self) -> BTreeSet<SocketAddr> {
        let count = self.addresses.len();
        // The addresses may have become fewer since.
        let skipped = if self.skipped < count { self.skipped } else { 0 };
        let round = self.addresses.iter().cycle().skip(skipped);
        round.take(count.min(BOOTSTRAP_ADDRESSES_MAX)).copied().collect()
    }

    /// The addresses that were told have been tried in vain: the next time, others come
    /// first, where there are more than a node keeps.
    pub(super) fn rotate(&mut self) {
        let count = self.addresses.len();
        if count > BOOTSTRAP_ADDRESSES_MAX {
            self.skipped = (self.skipped + BOOTSTRAP_ADDRESSES_MAX) % count;
        }
    }

    /// The addresses that the node has taken.
    pub(super) const fn told(&self) -> &BTreeSet<SocketAddr> {
        &self.told
    }

    /// The names that have never had an address, for want of an answer.
    pub(super) fn unresolved(&self) -> impl Iterator<Item = &HostPort> {
        let unresolved = |followed: &&FollowedName| {
            followed.state == NameState::Unresolved && followed.addresses.is_empty()
        };
        self.names.iter().filter(unresolved).map(|followed| &followed.name)
    }
}

impl FollowedName {
    /// Takes in an attempt, and warns when the name's state changes.
    fn update(&mut self, resolved: Result<Vec<SocketAddr>, String>, reach: Reach) {
        let name = &self.name;
        let (state, warning) = match resolved {
            Err(reason) => {
                (NameState::Unresolved, format!("cannot resolve '{name}': {reason}: check it"))
            }
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
                    (NameState::OutOfReach, format!("cannot join by '{name}': {why}"))
                }
            }
        };
        if state == NameState::Usable {
            if self.state == NameState::Unresolved {
                tracing::info!("'{name}' resolves now");
            }
        } else if state != self.state {
            let goes_on = if name.literal().is_some() { "" } else { "; trying on" };
            tracing::warn!("{warning}{goes_on}");
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
        /// What a node that takes everything is told next.
        fn told_next(&mut self) -> Option<Vec<SocketAddr>> {
            let mut told = None;
            let tell = |addresses| {
                told = Some(addresses);
                Ok(())
            };
            self.tell_changes(tell).expect("it takes them");
            told
        }

        /// What a node that takes everything is told when `resolved` comes.
        #[expect(clippy::needless_pass_by_value, reason = "the tests read better")]
        fn told_of(
            &mut self,
            resolved: Result<Vec<SocketAddr>, String>,
        ) -> Option<Vec<SocketAddr>> {
            self.resolve_by(|_| resolved.clone());
            self.told_next()
        }
    }

    #[test]
    fn a_change_of_addresses_is_told_once() {
        let mut follower = follower();
        assert_eq!(follower.told_of(Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.told_of(Ok(vec![addr(1)])), None);
        assert_eq!(follower.told_of(Ok(vec![addr(2)])), Some(vec![addr(2)]));
        assert_eq!(follower.told_of(Ok(vec![addr(3), addr(2)])), Some(vec![addr(2), addr(3)]));
        assert_eq!(follower.told_of(Ok(vec![addr(2), addr(3)])), None, "in another order");
    }

    #[test]
    fn addresses_that_the_node_did_not_take_are_told_again() {
        let mut follower = follower();
        let refuse = |addresses| Err(SendError::Full(Command::Bootstrap { addresses }));
        for _ in 0..2 {
            follower.resolve_by(|_| Ok(vec![addr(1)]));
            let addresses = vec![addr(1)];
            let refused = follower.tell_changes(refuse);
            assert_eq!(refused, Err(SendError::Full(Command::Bootstrap { addresses })));
        }
        assert_eq!(follower.told_of(Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.told_of(Ok(vec![addr(1)])), None);
    }

    #[test]
    fn a_name_that_no_longer_resolves_keeps_its_addresses() {
        let mut follower = follower();
        assert_eq!(follower.told_of(Err("unknown".into())), None);
        assert_eq!(follower.unresolved().count(), 1);
        assert_eq!(follower.told_of(Ok(vec![addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.told_of(Err("unknown".into())), None);
        assert_eq!(follower.told(), &BTreeSet::from([addr(1)]));
        assert_eq!(follower.unresolved().count(), 0);
    }

    #[test]
    fn of_a_name_the_addresses_out_of_reach_are_left_out() {
        let v6: SocketAddr = "[::1]:9001".parse().expect("an address");
        let mut follower = follower();
        assert_eq!(follower.told_of(Ok(vec![v6])), None);
        assert_eq!(follower.names[0].state, NameState::OutOfReach);
        assert_eq!(follower.told_of(Ok(vec![v6, addr(1)])), Some(vec![addr(1)]));
        assert_eq!(follower.names[0].state, NameState::Usable);
        let mut local = follower_at("127.0.0.1:9001");
        assert_eq!(local.told_of(Ok(vec!["192.0.2.1:9001".parse().expect("an address")])), None);
        assert_eq!(local.names[0].state, NameState::OutOfReach);
    }

    #[test]
    fn the_node_itself_is_left_out() {
        let mut follower = follower_at("127.0.0.1:9001");
        let own: SocketAddr = "127.0.0.1:9001".parse().expect("an address");
        let other: SocketAddr = "127.0.0.1:9002".parse().expect("an address");
        assert_eq!(follower.told_of(Ok(vec![own])), None);
        assert_eq!(follower.names[0].state, NameState::Own);
        assert_eq!(follower.told_of(Ok(vec![own, other])), Some(vec![other]));
    }

    #[test]
    fn a_name_that_is_given_twice_is_followed_once() {
        let name: HostPort = "seed:9001".parse().expect("a name");
        let bound = "0.0.0.0:9001".parse().expect("an address");
        let mut follower = Follower::new(vec![name.clone(), name], Reach::of(bound));
        assert_eq!(follower.names.len(), 1);
        assert_eq!(follower.told_of(Ok(vec![addr(1), addr(1)])), Some(vec![addr(1)]));
    }

    #[test]
    fn all_of_more_addresses_than_a_node_keeps_have_their_turn() {
        let all: Vec<_> = (0..BOOTSTRAP_ADDRESSES_MAX as u8 * 2 + 30).map(addr).collect();
        let mut follower = follower();
        let mut met: BTreeSet<SocketAddr> =
            follower.told_of(Ok(all.clone())).expect("addresses").into_iter().collect();
        assert_eq!(met.len(), BOOTSTRAP_ADDRESSES_MAX);
        assert_eq!(follower.told_of(Ok(all.clone())), None, "they have been tried yet");
        for _ in 0..2 {
            follower.rotate();
            let told = follower.told_of(Ok(all.clone())).expect("others");
            assert_eq!(told.len(), BOOTSTRAP_ADDRESSES_MAX);
            met.extend(told);
        }
        assert_eq!(met.len(), all.len());
        assert_eq!(follower.told_of(Ok(vec![addr(1)])), Some(vec![addr(1)]), "fewer than before");
        follower.rotate();
        assert_eq!(follower.told_of(Ok(vec![addr(1)])), None);
    }
}
