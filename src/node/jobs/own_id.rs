//! Whether the node's id is its own: what its neighbours list under it.
//!
//! An attacker that takes a newcomer's id on all nodes before it joins keeps it out of every
//! table: each node keeps the contact that it has for as long as that answers. The newcomer
//! sees it in the replies to the lookups for its own id, and takes another.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::limits::{OWN_ID_LOOKS, OWN_ID_SUBNETS};
use crate::node::effect::{Effect, Turn};
use crate::node::fit::id_fits;
use crate::node::identity::IdFault;
use crate::node::sightings::{Listed, Sighting};

/// Where a node is, as its neighbours see it: what NAT makes of its address, it does not know.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ip: IpAddr,
    /// Subnets whose peers say so, and those whose peers say anything.
    agreeing: usize,
    asked: usize,
}

impl Seen {
    /// Where the neighbours of most subnets see this node.
    fn by_most(sightings: &[Sighting]) -> Option<Self> {
        let mut all: Vec<_> = sightings.iter().map(|one| (one.seen_ip(), one.subnet())).collect();
        all.sort_unstable();
        all.dedup();
        let mut subnets: Vec<_> = all.iter().map(|&(_, subnet)| subnet).collect();
        subnets.sort_unstable();
        subnets.dedup();
        let asked = subnets.len();
        let agreeing = |ip| all.iter().filter(|&&(seen, _)| seen == ip).count();
        let seen = all.iter().map(|&(ip, _)| Self { ip, agreeing: agreeing(ip), asked });
        seen.into_iter().find(|seen| 2 * seen.agreeing > asked)
    }

    /// Whether so many say so that no few of them can lie to the node.
    const fn is_certain(self) -> bool {
        self.asked >= OWN_ID_SUBNETS
    }

    const fn is_unanimous(self) -> bool {
        self.agreeing == self.asked
    }
}

/// What the last lookups for the node's own id have found.
#[derive(Debug, Default)]
pub(super) struct OwnId {
    /// How many in a row found it taken.
    taken: u8,
    /// How many in a row found it listed nowhere.
    unlisted: u8,
    /// How many in a row found that it does not fit the node's address.
    unfit: u8,
}

impl OwnId {
    /// Takes in what the neighbours say. Whether to ask them again soon.
    pub(super) fn judge(&mut self, turn: &mut Turn, sightings: &[Sighting]) -> bool {
        let seen = Seen::by_most(sightings);
        let is_unfit = seen.is_some_and(|seen| {
            (seen.is_certain() || seen.is_unanimous()) && !id_fits(turn.config.id, seen.ip)
        });
        self.unfit = if is_unfit { self.unfit.saturating_add(1) } else { 0 };
        let count = |listed| sightings.iter().filter(|sighting| sighting.listed == listed).count();
        let (here, elsewhere) = (count(Listed::Here), count(Listed::Elsewhere));
        self.taken = if elsewhere > here { self.taken.saturating_add(1) } else { 0 };
        let is_unlisted = here == 0 && !sightings.is_empty();
        self.unlisted = if is_unlisted { self.unlisted.saturating_add(1) } else { 0 };
        if let Some(fault) = self.fault(turn, sightings.len(), (here, elsewhere), seen) {
            turn.push(Effect::BadId { fault, seen: seen.map(|seen| seen.ip) });
        }
        let is_unsettled = |looks: u8| (1..OWN_ID_LOOKS).contains(&looks);
        self.taken > 0 || is_unsettled(self.unlisted) || is_unsettled(self.unfit)
    }

    fn fault(
        &mut self,
        turn: &mut Turn,
        asked: usize,
        (here, elsewhere): (usize, usize),
        seen: Option<Seen>,
    ) -> Option<IdFault> {
        // Few neighbours are heard again and again before they are believed.
        let is_certain = |seen: &Seen| seen.is_certain() || self.unfit >= OWN_ID_LOOKS;
        if self.unfit > 0
            && let Some(Seen { ip, .. }) = seen.filter(is_certain)
        {
            self.unfit = 0;
            turn.stats.ids_unfit += 1;
            return Some(IdFault::Unfit { ip });
        }
        if self.taken == OWN_ID_LOOKS {
            *self = Self::default();
            turn.stats.ids_taken += 1;
            return Some(IdFault::Taken { elsewhere, here });
        }
        let is_unlisted = self.unlisted == OWN_ID_LOOKS && self.taken == 0;
        turn.stats.ids_unlisted += u64::from(is_unlisted);
        is_unlisted.then_some(IdFault::Unlisted { asked })
    }
}
