//! Replica sets: the nodes that hold values which were put here, since they are the closest to
//! them, remembered from one republishing to the next.
//!
//! A lookup finds the K closest to its target, and so every node of the largest subtree around
//! the target in which all are nearer than the farthest of them: those are the closest to each
//! key of the subtree: its replica set. For as long as it is remembered its values are renewed
//! on [`RENEW_PEERS`] of these nodes at random, and no lookup is made: what they hold, they
//! renew on the others, which what they hear from here does not postpone. A peer that only
//! says that it holds a value must be chosen each time for that to fail.
//!
//! So they take as long as [`REPLICATE`]: where values are republished more often than that,
//! no set is remembered, and each round is a full one: each value on the K closest to it of
//! those that the lookup has found and that the table knows.
//!
//! A set is looked up anew when two thirds of the life are over that a full round has given
//! to its values, so that each of the closest hears of them from here before they expire; and
//! when half of the nodes that it had are silent.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::id::{ID_BITS, Id};
use crate::limits::{RENEW_PEERS, REPLICA_SETS_MAX, REPLICATE};
use crate::node::effect::Turn;
use crate::time::Instant;
use crate::wire::Contact;

/// The sets that are remembered, by the first of their keys. No key has two.
#[derive(Debug, Default)]
pub(crate) struct ReplicaSets(BTreeMap<Id, ReplicaSet>);

#[derive(Debug)]
struct ReplicaSet {
    /// Leading bits that its keys share.
    bits: usize,
    /// The nodes that are closest to each of its keys, and have not been silent.
    contacts: Vec<Contact>,
    /// How many of them there were.
    found: usize,
    /// When it is forgotten.
    until: Instant,
}

/// The nodes of a set on which to renew the values this time.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Of its keys.
    pub(crate) range: RangeInclusive<Id>,
    /// The nodes to ask, at random.
    pub(crate) contacts: Vec<Contact>,
    /// Those to ask in place of silent ones.
    pub(crate) spares: Vec<Contact>,
}

impl ReplicaSets {
    fn find(&mut self, now: Instant, key: Id) -> Option<(Id, &mut ReplicaSet)> {
        let (&first, set) = self.0.range_mut(..=key).next_back()?;
        let is_in = (first ^ key).shared_prefix_bits() >= set.bits;
        (is_in && now < set.until).then_some((first, set))
    }

    /// The nodes to renew the values around `key` on; none where they are to be looked up.
    pub(crate) fn choose(&mut self, turn: &mut Turn, key: Id) -> Option<Choice> {
        let (first, set) = self.find(turn.now, key)?;
        let mut contacts = set.contacts.clone();
        for index in 0..RENEW_PEERS.min(contacts.len()) {
            let other = index as u64 + turn.rng.below((contacts.len() - index) as u64);
            contacts.swap(index, other as usize);
        }
        let spares = contacts.split_off(RENEW_PEERS.min(contacts.len()));
        Some(Choice { range: first.sharing(set.bits), contacts, spares })
    }

    /// The nodes that hold the value of `key`, where they are known.
    pub(crate) fn contacts(&mut self, now: Instant, key: Id) -> &[Contact] {
        self.find(now, key).map_or(&[], |(_, set)| &set.contacts)
    }

    /// The set around `target`, whose K closest nodes these are, is known from now on, unless it
    /// is already. Where the table holds no others, they are all that there are.
    pub(crate) fn learn(
        &mut self,
        turn: &Turn,
        target: Id,
        closest: impl Iterator<Item = Contact>,
        are_all: bool,
    ) -> RangeInclusive<Id> {
        if let Some((first, set)) = self.find(turn.now, target) {
            return first.sharing(set.bits);
        }
        let mut contacts: Vec<Contact> = closest.collect();
        let bits = bits(target, &contacts, turn.config.k, are_all);
        contacts.retain(|contact| bits == ID_BITS || shared(*contact, target) >= bits);
        let range = target.sharing(bits);
        let inside: Vec<Id> = self.0.range(range.clone()).map(|(&first, _)| first).collect();
        for first in inside {
            self.0.remove(&first);
        }
        if self.0.len() >= REPLICA_SETS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, set)| set.until);
            if let Some((&first, _)) = oldest {
                self.0.remove(&first);
            }
        }
        if !contacts.is_empty() && turn.config.republish >= REPLICATE {
            let until = turn.now + turn.config.expire * 2 / 3;
            let found = contacts.len();
            self.0.insert(*range.start(), ReplicaSet { bits, contacts, found, until });
        }
        range
    }

    /// A node of the set around `key` is silent.
    pub(crate) fn silent(&mut self, turn: &Turn, key: Id, contact: Contact) {
        if let Some((first, set)) = self.find(turn.now, key) {
            set.contacts.retain(|other| *other != contact);
            if set.contacts.len() < set.found.div_ceil(2) {
                self.0.remove(&first);
            }
        }
    }
}

fn shared(contact: Contact, key: Id) -> usize {
    (contact.id ^ key).shared_prefix_bits()
}

/// The keys around `target` to each of which these are the closest nodes, the K closest to
/// `target`, or all that there are.
pub(crate) fn range_around(
    target: Id,
    closest: &[Contact],
    k: usize,
    are_all: bool,
) -> RangeInclusive<Id> {
    target.sharing(bits(target, closest, k, are_all))
}

/// How many leading bits the keys share of which these nodes, the K closest to `target`, hold
/// the closest: half of K of them at least. The target's alone where they are fewer.
fn bits(target: Id, closest: &[Contact], k: usize, are_all: bool) -> usize {
    if are_all {
        return 0;
    }
    let farthest = closest.get(k - 1).map(|&farthest| shared(farthest, target));
    let Some(bits) = farthest.map(|bits| bits + 1) else { return ID_BITS };
    let inside = closest.iter().filter(|&&contact| shared(contact, target) >= bits).count();
    if inside >= (k / 2).max(1) { bits } else { ID_BITS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Config;
    use crate::node::samples::{contact, id};

    #[test]
    fn a_set_is_looked_up_anew_when_two_thirds_of_a_life_are_over() {
        let mut turn = Turn::new(Config::new(id(0), [7; 32]), Instant::ZERO);
        let mut sets = ReplicaSets::default();
        let contacts = (1..=RENEW_PEERS as u16 + 4).map(contact);
        sets.learn(&turn, id(0), contacts, true);
        turn.now = turn.now + turn.config.expire / 2;
        let chosen = sets.choose(&mut turn, id(0)).expect("a set");
        let lengths = (chosen.contacts.len(), chosen.spares.len());
        assert_eq!(lengths, (RENEW_PEERS, 4));
        turn.now = Instant::ZERO + turn.config.expire * 2 / 3;
        assert!(sets.choose(&mut turn, id(0)).is_none());
    }
}
