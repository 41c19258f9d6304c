//! One query and the answers to it: what its lookup learns.

use core::time::Duration;

use super::candidate::{Candidate, Offer};
use super::{Contact, Query};
use crate::node::effect::{Outcome, QueryKind, Turn};
use crate::node::known::Known;
use crate::node::progress::HopAnswer;
use crate::node::request::{Answer, Ask, Purpose, QueryId, Reply, Request};
use crate::wire::{self, Body, Contacts, Role, Value};

impl Query {
    pub(super) fn request(&self, id: QueryId, candidate: Candidate) -> Request {
        let target = self.lookup.target();
        let ask = match self.kind {
            QueryKind::Get { .. } => Ask::FindValue { key: target },
            QueryKind::Join
            | QueryKind::Refresh
            | QueryKind::Renew(_)
            | QueryKind::Publish { .. } => Ask::FindNode { target },
        };
        let Candidate { contact, known, .. } = candidate;
        let request = Request::new(contact, known, ask, Purpose::Query(id));
        if candidate.is_asked_once {
            return request.unconfirmed(self.lookup.k());
        }
        request.hurried_if(self.kind.is_hurried())
    }

    /// Has the lookup take in an answer. Returns what to show of it, and the candidate;
    /// none where that was not asked or has answered before.
    pub(super) fn take(
        &mut self,
        turn: &mut Turn,
        contact: Contact,
        reply: &Reply<'_>,
        known: impl Fn(Contact) -> Option<Known>,
    ) -> Option<(HopAnswer, Candidate)> {
        let key = self.lookup.target();
        let wants_value = matches!(self.kind, QueryKind::Get { .. });
        Some(match reply.answer {
            Answer::Reply { role, body: Body::Nodes(contacts), .. } => {
                let from = self.lookup.answered(contact, reply.known)?;
                if role == Role::Departing {
                    self.lookup.departs(contact);
                }
                self.offer(turn, from, contacts, known);
                (HopAnswer::Contacts { count: contacts.len() }, from)
            }
            Answer::Reply { body: Body::Value(value), .. }
                if wants_value && (value.is_first_piece() || value.is_whole(key)) =>
            {
                let shown = self.weigh(turn, &value);
                let from = match shown {
                    HopAnswer::Value { .. } => self.lookup.answered(contact, reply.known)?,
                    _ => self.lookup.failed(contact)?,
                };
                (shown, from)
            }
            Answer::Reply { body: Body::Value(_), .. } => {
                turn.stats.values_mismatched += 1;
                (HopAnswer::WrongValue, self.lookup.failed(contact)?)
            }
            Answer::Reply { .. } => (HopAnswer::Refused, self.lookup.failed(contact)?),
            Answer::Misnamed { id } => (HopAnswer::Refused, self.lookup.misnamed(contact, id)?),
            Answer::Silence => (HopAnswer::TimedOut, self.lookup.failed(contact)?),
        })
    }

    /// Offers the lookup the contacts that one node has named.
    fn offer(
        &mut self,
        turn: &mut Turn,
        from: Candidate,
        contacts: Contacts<'_>,
        known: impl Fn(Contact) -> Option<Known>,
    ) {
        if self.lookup.target() == turn.config.id {
            self.sightings.note(turn.config.id, from.contact, contacts);
        }
        let is_local = from.contact.addr.ip().is_loopback();
        let named_by = from.names();
        // No answer needs more than the K closest, so no liar gets in more.
        for contact in contacts.iter().take(turn.config.k) {
            // Another host's loopback is not this one's.
            let is_here = !is_local && contact.addr.ip().is_loopback();
            if contact.id == turn.config.id || !wire::is_reachable(contact.addr) || is_here {
                continue;
            }
            if self.lookup.is_candidate(contact, named_by) {
                continue;
            }
            let Some(known) = known(contact) else { continue };
            if self.lookup.add(contact, named_by, known) == Offer::Dropped {
                turn.stats.candidates_dropped += 1;
            }
        }
    }

    /// The value that a get was made for.
    pub(super) fn found(&self, from: Candidate, value: &Value<'_>) -> Outcome {
        let without = self.lookup.closest().find(|node| node.contact != from.contact);
        Outcome::Found {
            from: from.contact,
            hops: from.hops,
            value: value.value.into(),
            life: Duration::from_secs(value.life_s.into()),
            without: without.map(|node| (node.contact, node.known)),
        }
    }
}
