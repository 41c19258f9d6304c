//! The regions of the id space of which every node is known, since lookups of puts have found
//! them all lately. A put whose key lies in one needs no lookup: its STOREs leave at once.
//!
//! A lookup that ends knows [a subtree](Lookup::explored_bits) around its target whole. It holds
//! fewer than K nodes, since the K-th lies outside. The subtrees of several lookups make up
//! larger ones: the smallest around a key that is known whole and holds K nodes holds the K
//! closest to the key. In a network of 30 nodes two lookups, one in each half of the space, know
//! all of it; in one of N nodes some 2 N / K do, so that puts share lookups where they are many.
//!
//! What is known ages: a node that joins is found after [`REGION_LIFE`] at the latest. In the
//! second half of that time one put in [`RENEWAL_PARTS`] looks up all the same, so that a busy
//! region is known anew before the others have to. A node that does not answer a STORE is
//! forgotten at once, and the put then looks up as any other does: it has no fewer holders.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::lookup::Lookup;
use crate::id::Id;
use crate::limits::{REGION_BITS_MAX, REGION_LIFE, REGION_NODES_MAX, RENEWAL_PARTS};
use crate::node::effect::Turn;
use crate::node::known::Known;
use crate::node::subnet::SubnetLimit;
use crate::time::{Instant, Tick};
use crate::wire::Contact;

/// A node of a region.
#[derive(Clone, Copy, Debug)]
struct Member {
    contact: Contact,
    known: Known,
    hops: u8,
}

/// The regions that are known, and their nodes.
#[derive(Debug, Default)]
pub(super) struct Regions {
    /// When each subtree of up to [`REGION_BITS_MAX`] bits was found, as a heap: the whole space
    /// is at 1, the halves of the subtree at `n` are at `2 n` and `2 n + 1`, and a subtree is as
    /// old as the older half. Empty before the first is found.
    found: Vec<Tick>,
    /// The nodes of all of them, in the order of their ids.
    members: Vec<Member>,
}

/// Where the subtree around `key` of so many first bits stands in the heap.
const fn place(key: Id, bits: usize) -> usize {
    1 << bits | key.prefix(bits)
}

impl Regions {
    /// The closest nodes to `key` as a lookup for it would find them, where they are known.
    pub(super) fn lookup(&self, turn: &mut Turn, key: Id) -> Option<Lookup> {
        let k = turn.config.k;
        let subnets = SubnetLimit::new(turn.config.peers_per_subnet);
        for bits in (0..=REGION_BITS_MAX).rev() {
            let found = *self.found.get(place(key, bits))?;
            let age = turn.now.since(found.start());
            if found == Tick::ZERO || age >= REGION_LIFE {
                return None;
            }
            let range = self.range(key, bits);
            if range.is_empty() || range.len() < k && bits > 0 {
                continue;
            }
            let members = &self.members[range];
            let nodes = members.iter().map(|it| (it.contact, it.known, it.hops));
            let lookup = Lookup::ended((key, k), subnets, nodes);
            let is_enough = lookup.closest().count() == k && !lookup.is_crowded();
            if is_enough || bits == 0 {
                let is_renewed = age >= REGION_LIFE / 2 && turn.rng.below(RENEWAL_PARTS) == 0;
                return (!is_renewed).then_some(lookup);
            }
        }
        None
    }

    /// Takes in what a lookup has found. Whether there was room for it.
    pub(super) fn take(&mut self, now: Instant, lookup: &Lookup) -> bool {
        let target = lookup.target();
        let Some(bits) = lookup.explored_bits().filter(|&bits| bits <= REGION_BITS_MAX) else {
            return true;
        };
        let is_in = |contact: Contact| contact.id.prefix(bits) == target.prefix(bits);
        let inside = lookup.closest().filter(|node| is_in(node.contact));
        let mut members: Vec<Member> = inside
            .map(|node| Member { contact: node.contact, known: node.known, hops: node.hops })
            .collect();
        members.sort_unstable_by_key(|member| member.contact.id);
        let range = self.range(target, bits);
        if self.members.len() - range.len() + members.len() > REGION_NODES_MAX {
            // What they know is old before long; the next lookups begin anew.
            (self.found, self.members) = (Vec::new(), Vec::new());
            return false;
        }
        self.members.splice(range, members);
        self.note_found(target, bits, Tick::of(now));
        true
    }

    /// Notes that the subtree around `key` of so many first bits was found.
    fn note_found(&mut self, key: Id, bits: usize, now: Tick) {
        if self.found.is_empty() {
            self.found = vec![Tick::ZERO; 2 << REGION_BITS_MAX];
        }
        let top = place(key, bits);
        for level in 0..=REGION_BITS_MAX - bits {
            let first = top << level;
            self.found[first..first + (1 << level)].fill(now);
        }
        let mut above = top / 2;
        while above > 0 {
            self.found[above] = self.found[2 * above].min(self.found[2 * above + 1]);
            above /= 2;
        }
    }

    /// Notes what is known of a node that has answered a STORE.
    pub(super) fn answered(&mut self, contact: Contact, known: Known) {
        if let Ok(index) = self.position(contact) {
            self.members[index].known = known;
        }
    }

    /// Forgets a node that has not answered, or departs. Where fewer than K are left, each
    /// counts, and all are to be found anew.
    pub(super) fn forget(&mut self, contact: Contact, k: usize) {
        if let Ok(index) = self.position(contact) {
            self.members.remove(index);
            if self.members.len() < k {
                self.found.clear();
            }
        }
    }

    fn position(&self, contact: Contact) -> Result<usize, usize> {
        let found = self.members.binary_search_by_key(&contact.id, |member| member.contact.id);
        found.and_then(
            |index| {
                if self.members[index].contact == contact { Ok(index) } else { Err(index) }
            },
        )
    }

    /// The nodes of the subtree around `key` of so many first bits.
    fn range(&self, key: Id, bits: usize) -> Range<usize> {
        let prefix = key.prefix(bits);
        let of = |member: &Member| member.contact.id.prefix(bits);
        let start = self.members.partition_point(|member| of(member) < prefix);
        let length = self.members[start..].partition_point(|member| of(member) == prefix);
        start..start + length
    }
}

#[cfg(test)]
mod tests;
