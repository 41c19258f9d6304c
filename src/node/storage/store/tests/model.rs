//! A plain list of values that decides as the store ought to.

use alloc::collections::BTreeSet;

use super::*;
use crate::node::subnet::Subnet;

/// What the store ought to hold, and how it ought to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) key: Id,
    pub(super) bytes: usize,
    pub(super) owner: Owner,
    pub(super) purpose: Purpose,
    pub(super) expires: Instant,
    pub(super) replication: Option<Replication>,
}

impl Kept {
    /// Which goes first of one owner's.
    fn eviction(&self) -> (bool, Instant) {
        (self.purpose == Purpose::Replica, self.expires)
    }
}

pub(super) fn replication(due: Instant) -> Replication {
    Replication { due, latest: due + Duration::from_secs(9) }
}

pub(super) fn due(kept: &Kept) -> Option<Instant> {
    kept.replication.map(|replication| replication.due)
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model(pub(super) Vec<Kept>);

impl Model {
    fn owners(&self) -> BTreeSet<Owner> {
        self.0.iter().map(|kept| kept.owner).collect()
    }

    /// What the values of some owners weigh, with what it takes to know them.
    pub(super) fn weight(&self, is_of: impl Fn(&Owner) -> bool) -> usize {
        let of = self.0.iter().filter(|kept| is_of(&kept.owner));
        let values: usize = of.map(|kept| kept.bytes + VALUE_OVERHEAD_BYTES).sum();
        let owners: Vec<Owner> = self.owners().into_iter().filter(&is_of).collect();
        let groups: BTreeSet<_> = owners.iter().map(|owner| subnet(*owner)).collect();
        values + owners.len() * SOURCE_OVERHEAD_BYTES + groups.len() * SUBNET_OVERHEAD_BYTES
    }

    fn of_owner(&self, owner: Owner) -> usize {
        self.weight(|of| *of == owner)
    }

    fn of_subnet(&self, owner: Owner) -> usize {
        self.weight(|of| subnet(*of) == subnet(owner))
    }

    /// The heaviest of those that `is_of` picks, and what it weighs.
    fn heaviest(
        &self,
        is_of: impl Fn(&Owner) -> bool,
        weigh: impl Fn(&Self, Owner) -> usize,
        tie: impl Fn(Owner) -> u32,
    ) -> Option<(Owner, usize)> {
        let owners = self.owners().into_iter().filter(is_of);
        let heaviest = owners.max_by_key(|&owner| (weigh(self, owner), tie(owner)))?;
        Some((heaviest, weigh(self, heaviest)))
    }

    /// The one that goes first of an owner's.
    fn first(&self, owner: Owner) -> Option<&Kept> {
        let of = self.0.iter().filter(|kept| kept.owner == owner);
        of.min_by_key(|kept| (kept.eviction(), kept.key))
    }

    fn victim(&self, new: &Kept, shares: &Shares) -> Option<Id> {
        let rank = self.owners().into_iter().map(|owner| owner.rank).min()?;
        if new.owner.rank < rank {
            return None;
        }
        let with = Self([self.0.clone(), alloc::vec![new.clone()]].concat());
        let of_rank = |owner: &Owner| owner.rank == rank;
        let of_group = |owner: Owner| shares.tie_of_group(owner);
        let of_share = |owner: Owner| shares.tie_of_share(owner);
        let (heaviest, bytes) = self.heaviest(of_rank, Self::of_subnet, of_group)?;
        let (group, is_own_subnet) = if new.owner.rank > rank || with.of_subnet(new.owner) <= bytes
        {
            (heaviest, false)
        } else {
            (new.owner, true)
        };
        let of_subnet = |owner: &Owner| subnet(*owner) == subnet(group);
        let (heaviest, bytes) = self.heaviest(of_subnet, Self::of_owner, of_share)?;
        if is_own_subnet && with.of_owner(new.owner) > bytes {
            let first = self.first(new.owner)?;
            return (first.eviction() < new.eviction()).then_some(first.key);
        }
        self.first(heaviest).map(|first| first.key)
    }

    fn renew(&mut self, new: &Kept, is_near: bool) -> bool {
        let Some(at) = self.0.iter().position(|kept| kept.key == new.key) else { return false };
        let mut kept = self.0.remove(at);
        kept.expires = kept.expires.max(new.expires);
        if new.purpose == Purpose::Replica {
            (kept.purpose, kept.replication) = (Purpose::Replica, new.replication);
        }
        let rank = Rank::new(kept.purpose, is_near);
        self.put_back(kept, rank);
        true
    }

    pub(super) fn demote(&mut self, key: Id) {
        let Some(at) = self.0.iter().position(|kept| kept.key == key) else { return };
        let mut kept = self.0.remove(at);
        (kept.purpose, kept.replication) = (Purpose::Cache, None);
        self.put_back(kept, Rank::Yields);
    }

    /// Puts a value back with another rank, where there is room for that.
    fn put_back(&mut self, mut kept: Kept, rank: Rank) {
        let before = core::mem::replace(&mut kept.owner.rank, rank);
        self.0.push(kept);
        if self.weight(|_| true) > BYTES_MAX {
            self.0.last_mut().expect("it was just pushed").owner.rank = before;
        }
    }

    pub(super) fn store(
        &mut self,
        new: &Kept,
        is_near: bool,
        shares: &Shares,
    ) -> Result<u64, StoreFull> {
        if self.renew(new, is_near) {
            return Ok(0);
        }
        if Self(alloc::vec![new.clone()]).weight(|_| true) > BYTES_MAX {
            return Err(StoreFull);
        }
        let before = self.0.clone();
        self.0.push(new.clone());
        while self.weight(|_| true) > BYTES_MAX || self.0.len() > VALUES_MAX {
            self.0.retain(|kept| kept.key != new.key);
            let Some(victim) = self.victim(new, shares) else {
                self.0 = before;
                return Err(StoreFull);
            };
            self.0.retain(|kept| kept.key != victim);
            self.0.push(new.clone());
        }
        Ok((before.len() + 1 - self.0.len()) as u64)
    }
}

/// Those that count together.
fn subnet(owner: Owner) -> (Option<Subnet>, Rank) {
    (owner.source.ip().map(Subnet::of), owner.rank)
}

/// The values of `store`, by key.
pub(super) fn kept(store: &Store) -> Vec<Kept> {
    let kept = store.values.iter().map(|held| Kept {
        key: held.key,
        bytes: held.value.len(),
        owner: store.shares.owner(held.share),
        purpose: held.purpose(),
        expires: held.expires,
        replication: held.replication(),
    });
    let mut kept: Vec<Kept> = kept.collect();
    kept.sort_by_key(|kept| kept.key);
    kept
}
