//! What one source has stored, and what those of one subnet have.

use core::hash::{Hash, Hasher};

use super::heap::{Heap, Order, Place};
use super::held::{ByEviction, Held, Rank};
use super::index::Keep;
use super::slab::Slot;
use super::source::Source;
use crate::node::subnet::Subnet;

/// Names a share as long as it is there, wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShareNumber(pub(super) u32);

/// Whose values are in a share, and of which rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) source: Source,
    pub(super) rank: Rank,
}

impl Owner {
    pub(super) fn group(self) -> GroupKey {
        GroupKey { subnet: self.source.ip().map(Subnet::of), rank: self.rank }
    }
}

impl Hash for Owner {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
        state.write_u32(self.rank as u32);
    }
}

/// What one source has stored.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) owner: Owner,
    pub(super) bytes: usize,
    pub(super) number: ShareNumber,
    pub(super) tie: u32,
    pub(super) next: Option<Slot<Self>>,
    pub(super) place: Place,
    pub(super) evictions: Heap<Held, ByEviction>,
}

impl Share {
    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.evictions.len()
    }

    /// The value that is evicted first.
    pub(super) fn first(&self) -> Option<Slot<Held>> {
        self.evictions.first()
    }
}

impl Keep for Share {
    type Key = Owner;

    fn key(&self) -> Owner {
        self.owner
    }

    fn next(&self) -> Option<Slot<Self>> {
        self.next
    }

    fn next_mut(&mut self) -> &mut Option<Slot<Self>> {
        &mut self.next
    }
}

/// A subnet, and the rank of what it has stored; none for this node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupKey {
    pub(super) subnet: Option<Subnet>,
    pub(super) rank: Rank,
}

impl Hash for GroupKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(subnet) = self.subnet {
            subnet.hash(state);
        }
        state.write_u32(self.rank as u32);
    }
}

/// What the sources of one subnet have stored.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) bytes: usize,
    pub(super) tie: u32,
    pub(super) next: Option<Slot<Self>>,
    pub(super) place: Place,
    pub(super) shares: Heap<Share, ByWeight>,
}

impl Keep for Group {
    type Key = GroupKey;

    fn key(&self) -> GroupKey {
        self.key
    }

    fn next(&self) -> Option<Slot<Self>> {
        self.next
    }

    fn next_mut(&mut self) -> &mut Option<Slot<Self>> {
        &mut self.next
    }
}

/// The one first that weighs the most. Of two that weigh the same a secret says which: no
/// peer knows an address that always loses.
#[derive(Debug)]
pub(super) struct ByWeight;

impl Order<Share> for ByWeight {
    fn is_before(one: &Share, other: &Share) -> bool {
        (one.bytes, one.tie) > (other.bytes, other.tie)
    }

    fn place(share: &mut Share) -> &mut Place {
        &mut share.place
    }
}

impl Order<Group> for ByWeight {
    fn is_before(one: &Group, other: &Group) -> bool {
        (one.bytes, one.tie) > (other.bytes, other.tie)
    }

    fn place(group: &mut Group) -> &mut Place {
        &mut group.place
    }
}
