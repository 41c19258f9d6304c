//! A value stored for others, and what it is ordered by.

use alloc::sync::Arc;
use core::cmp::Ordering;

use super::heap::{Order, Place};
use super::index::Keep;
use super::share::ShareNumber;
use super::slab::Slot;
use super::source::Source;
use crate::id::Id;
use crate::time::Instant;
use crate::wire::Purpose;

/// On which terms a value is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) source: Source,
    pub(crate) purpose: Purpose,
    /// Whether this node may be among the K closest to its key.
    pub(crate) is_near: bool,
    /// Whether it comes from one that renews it on all of the nodes that this one would.
    pub(crate) is_for_all: bool,
    pub(crate) expires: Instant,
}

impl Terms {
    /// Those of a value that comes from this node itself.
    pub(super) fn own(purpose: Purpose, expires: Instant) -> Self {
        Self { source: Source::Own, purpose, is_near: true, is_for_all: false, expires }
    }
}

/// Which values make way for which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A cached copy, or a replica that this node is too far from to be among the K closest:
    /// it makes way for any other, and none that stays makes way for it.
    Yields,
    /// A replica that this node is responsible for.
    Stays,
}

impl Rank {
    pub(super) const COUNT: usize = 2;

    pub(super) fn new(purpose: Purpose, is_near: bool) -> Self {
        if purpose == Purpose::Replica && is_near { Self::Stays } else { Self::Yields }
    }
}

/// When to replicate a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replication {
    /// Unless it is stored anew before (Kademlia 2.5).
    pub(crate) due: Instant,
    /// However often it is stored anew.
    pub(crate) latest: Instant,
}

impl Replication {
    /// That of a cached copy.
    const NEVER: Self = Self { due: Instant::END, latest: Instant::END };
}

/// A stored value.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) value: Arc<[u8]>,
    pub(crate) expires: Instant,
    replication: Replication,
    pub(crate) key: Id,
    pub(super) share: ShareNumber,
    next: Option<Slot<Self>>,
    expiry: Place,
    eviction: Place,
    replicated: Place,
}

const _: () = assert!(size_of::<Held>() == 80, "what each value costs beside its bytes");

impl Held {
    pub(super) fn new(
        key: Id,
        value: Arc<[u8]>,
        share: ShareNumber,
        expires: Instant,
        replication: Option<Replication>,
    ) -> Self {
        Self {
            value,
            expires,
            replication: replication.unwrap_or(Replication::NEVER),
            key,
            share,
            next: None,
            expiry: Place::default(),
            eviction: Place::default(),
            replicated: Place::default(),
        }
    }

    pub(crate) fn purpose(&self) -> Purpose {
        if self.replication == Replication::NEVER { Purpose::Cache } else { Purpose::Replica }
    }

    pub(super) fn is_replica(&self) -> bool {
        self.purpose() == Purpose::Replica
    }

    /// None of a cached copy.
    pub(crate) fn replication(&self) -> Option<Replication> {
        self.is_replica().then_some(self.replication)
    }

    /// Makes it a replica, or lets it stay one; none makes it a cached copy.
    pub(super) fn set_replication(&mut self, replication: Option<Replication>) {
        self.replication = replication.unwrap_or(Replication::NEVER);
    }

    /// What it weighs: its bytes, and those that hold it.
    pub(super) fn weight(&self) -> usize {
        super::store::weight(self.value.len())
    }

    pub(super) fn eviction(&self) -> Eviction {
        Eviction::new(self.purpose(), self.expires)
    }
}

impl Keep for Held {
    type Key = Id;

    fn key(&self) -> Id {
        self.key
    }

    fn next(&self) -> Option<Slot<Self>> {
        self.next
    }

    fn next_mut(&mut self) -> &mut Option<Slot<Self>> {
        &mut self.next
    }
}

/// In which order the values of one source are evicted: cached copies before replicas,
/// then the one whose life ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Eviction {
    is_replica: bool,
    expires: Instant,
}

impl Eviction {
    pub(super) fn new(purpose: Purpose, expires: Instant) -> Self {
        Self { is_replica: purpose == Purpose::Replica, expires }
    }
}

/// The one first whose life ends first.
#[derive(Debug)]
pub(super) struct ByExpiry;

impl Order<Held> for ByExpiry {
    fn is_before(one: &Held, other: &Held) -> bool {
        one.expires < other.expires
    }

    fn place(held: &mut Held) -> &mut Place {
        &mut held.expiry
    }
}

/// Of the replicas, the one first that is to be replicated first.
#[derive(Debug)]
pub(super) struct ByReplication;

impl Order<Held> for ByReplication {
    fn is_before(one: &Held, other: &Held) -> bool {
        let due = one.replication.due.cmp(&other.replication.due);
        due.then_with(|| one.key.cmp(&other.key)) == Ordering::Less
    }

    fn place(held: &mut Held) -> &mut Place {
        &mut held.replicated
    }
}

/// Of the values of one source, the one first that is evicted first.
#[derive(Debug)]
pub(super) struct ByEviction;

impl Order<Held> for ByEviction {
    fn is_before(one: &Held, other: &Held) -> bool {
        let eviction = one.eviction().cmp(&other.eviction());
        eviction.then_with(|| one.key.cmp(&other.key)) == Ordering::Less
    }

    fn place(held: &mut Held) -> &mut Place {
        &mut held.eviction
    }
}
