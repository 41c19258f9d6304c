//! Whether the node's id is its own: what its neighbours list under it.
//!
//! An attacker that takes a newcomer's id on all nodes before it joins keeps it out of every
//! table: each node keeps the contact that it has for as long as that answers. The newcomer
//! sees it in the replies to the lookups for its own id, and takes another.

use core::net::IpAddr;

use crate::limits::OWN_ID_LOOKS;
use crate::node::effect::{Effect, Turn};
use crate::node::fit::id_fits;
use crate::node::identity::IdFault;
use crate::node::sightings::{Listed, Sighting};

/// The address at which more than half of the neighbours see this node: what NAT makes of its
/// address, the node does not know.
fn seen_by_most(sightings: &[Sighting]) -> Option<IpAddr> {
    let seen = |sighting: &Sighting| sighting.seen.ip().to_canonical();
    let is_of_most = |ip: &IpAddr| {
        2 * sightings.iter().filter(|sighting| seen(sighting) == *ip).count() > sightings.len()
    };
    sightings.iter().map(seen).find(is_of_most)
}

/// What the last lookups for the node's own id have found.
#[derive(Debug, Default)]
pub(super) struct OwnId {
    /// How many in a row found it taken.
    taken: u8,
    /// How many in a row found it listed nowhere.
    unlisted: u8,
}

impl OwnId {
    /// Takes in what the neighbours say. Whether to ask them again soon.
    pub(super) fn judge(&mut self, turn: &mut Turn, sightings: &[Sighting]) -> bool {
        let seen = seen_by_most(sightings);
        let count = |listed| sightings.iter().filter(|sighting| sighting.listed == listed).count();
        let (here, elsewhere) = (count(Listed::Here), count(Listed::Elsewhere));
        self.taken = if elsewhere > here { self.taken.saturating_add(1) } else { 0 };
        let is_unlisted = here == 0 && !sightings.is_empty();
        self.unlisted = if is_unlisted { self.unlisted.saturating_add(1) } else { 0 };
        if let Some(fault) = self.fault(turn, sightings.len(), (here, elsewhere), seen) {
            turn.push(Effect::BadId { fault, seen });
        }
        self.taken > 0 || (1..OWN_ID_LOOKS).contains(&self.unlisted)
    }

    fn fault(
        &mut self,
        turn: &mut Turn,
        asked: usize,
        (here, elsewhere): (usize, usize),
        seen: Option<IpAddr>,
    ) -> Option<IdFault> {
        if let Some(ip) = seen.filter(|&ip| !id_fits(turn.config.id, ip)) {
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
