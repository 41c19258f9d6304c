//! What peers say of this node's own id, in the replies to a lookup for it.
//!
//! A peer names the asker first, where it sees it, and then again where it lists the id.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::subnet::Subnet;
use crate::id::Id;
use crate::wire::{Contact, Contacts};

/// What one peer lists under the node's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Nothing,
    /// This node.
    Here,
    /// A node at another address.
    Elsewhere,
}

/// What one peer says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    peer: Contact,
    /// Where it sees this node.
    seen: SocketAddr,
    pub(crate) listed: Listed,
}

impl Sighting {
    /// The subnet of the peer that says it: all peers of one are one party.
    pub(crate) fn subnet(&self) -> Subnet {
        Subnet::of(self.peer.addr.ip())
    }

    /// The IP at which the peer sees this node.
    pub(crate) fn seen_ip(&self) -> IpAddr {
        self.seen.ip().to_canonical()
    }
}

/// What all have said that were asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sightings(Vec<Sighting>);

impl Sightings {
    /// Takes in what `peer` names.
    pub(crate) fn note(&mut self, own: Id, peer: Contact, contacts: Contacts<'_>) {
        let mut of_own = contacts.iter().take_while(|contact| contact.id == own);
        let Some(Contact { addr: seen, .. }) = of_own.next() else { return };
        let listed = match of_own.next() {
            None => Listed::Nothing,
            Some(listed) if listed.addr == seen => Listed::Here,
            Some(_) => Listed::Elsewhere,
        };
        self.0.push(Sighting { peer, seen, listed });
    }

    /// What was said by those that count.
    pub(crate) fn of(self, counts: impl Fn(Contact) -> bool) -> Vec<Sighting> {
        self.0.into_iter().filter(|sighting| counts(sighting.peer)).collect()
    }
}
