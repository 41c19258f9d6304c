//! What the node knows of other nodes: the routing table, and the PINGs that settle whether
//! a contact lives and whether a new contact is where it seems to be.
//!
//! Among shards, each bucket's owner alone changes it and tells the others how it is now;
//! they tell the owner what they have seen.

mod bucket;
mod compact;
mod crowd;
mod lookup_times;
mod neighbourhood;
mod routing_table;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::command::{BucketView, ContactView};
use super::effect::{Effect, Turn};
use super::handoff::Message;
use super::identity::Naming;
use super::known::Known;
use super::log_event::LogEvent;
use super::request::{Purpose, Request};
use super::shard::{ShardIndex, ShardPosition};
use super::subnet::{Subnet, SubnetLimit};
use crate::id::Id;
use crate::limits::{CHECKS_MAX, SENDS_LOOKUP, SENDS_VERIFY, STALE_CHECKS_MAX, VERIFICATIONS_MAX};
use crate::time::Instant;
use crate::wire::Contact;
use bucket::{Admission, Failure};

pub(crate) use bucket::{Bucket, Entry};
pub(crate) use neighbourhood::Neighbourhood;
pub(crate) use routing_table::{Health, RoutingTable};

/// The routing table as one shard of the node has it.
pub(crate) struct Table {
    pub(crate) routing: RoutingTable,
    own: Naming,
    position: ShardPosition,
    pings: Vec<Ping>,
}

/// A PING in flight that settles whether a contact lives, or where a new one is.
struct Ping {
    purpose: Purpose,
    addr: SocketAddr,
    /// Of the sender that has caused it; only among verifications does it matter.
    subnet: Subnet,
}

/// What one shard tells another of the routing table.
#[derive(Clone, Debug)]
pub(crate) enum TableMessage {
    /// To a bucket's owner: a contact has answered.
    Answered(Entry),
    /// To a bucket's owner: a contact was heard from.
    Heard(Contact),
    /// To a bucket's owner: a request to a contact has failed.
    Failed(Contact),
    /// To a bucket's owner: a contact is not at its address any more.
    Gone(Contact),
    /// To a bucket's owner: a peer of this subnet has asked something, and announces that
    /// it is to be reached at another address.
    Asked(Contact, Subnet),
    /// From a bucket's owner: the bucket as it is now, about this name of the node.
    Bucket { own: Naming, index: u8, bucket: Box<Bucket> },
}

impl Table {
    pub(crate) fn new(own: Id, k: usize, position: ShardPosition, subnets: SubnetLimit) -> Self {
        let routing = RoutingTable::new(own, k, subnets).of_shard(position);
        Self { routing, own: Naming::first(own), position, pings: Vec::new() }
    }

    pub(crate) const fn own(&self) -> Naming {
        self.own
    }

    /// What is known of a contact that a peer has named.
    pub(crate) fn known(&self, contact: Contact) -> Known {
        let entry = self.routing.entry(contact.id).filter(|entry| entry.is(contact));
        entry.map_or_else(Known::default, |entry| entry.known)
    }

    /// The `count` contacts closest to `target`, to begin a query with: stale ones where
    /// there are no others.
    pub(crate) fn seeds(&self, turn: &Turn, target: Id, count: usize) -> Vec<(Contact, Known)> {
        let closest = |health| self.routing.closest(target, count, health, turn.config.id);
        let good = closest(Health::Good);
        let seeds = if good.is_empty() { closest(Health::Any) } else { good };
        // Where two claim one id, either may be the node that the values of a key are on.
        let claimants = seeds.iter().filter_map(|contact| self.routing.claimant(contact.id));
        let claimants: Vec<Contact> = claimants.collect();
        let all = seeds.into_iter().chain(claimants);
        all.map(|contact| (contact, self.known(contact))).collect()
    }

    /// Takes in a contact that has just answered.
    pub(crate) fn answered(&mut self, turn: &mut Turn, entry: Entry) {
        if let Some(owner) = self.other_owner(entry.id()) {
            if self.routing.note(entry) {
                turn.push(tell(owner, TableMessage::Answered(entry)));
            }
            return;
        }
        match self.change(turn, entry.id(), |routing| routing.answered(entry)) {
            Admission::Known | Admission::Waiting { check: None } => {}
            Admission::Crowded => turn.stats.contacts_crowded += 1,
            Admission::Inserted => inserted(turn, entry),
            Admission::Replaced => {
                inserted(turn, entry);
                turn.stats.contacts_evicted += 1;
            }
            Admission::Waiting { check: Some(oldest) } => self.check(turn, oldest),
        }
    }

    /// Takes in that a contact was heard from.
    pub(crate) fn heard(&mut self, turn: &mut Turn, contact: Contact) {
        match self.other_owner(contact.id) {
            None => self.routing.heard(turn.now, contact),
            Some(owner) => {
                if self.routing.note_heard(turn.now, contact) {
                    turn.push(tell(owner, TableMessage::Heard(contact)));
                }
            }
        }
    }

    /// Takes in that a request to a contact has failed.
    pub(crate) fn failed(&mut self, turn: &mut Turn, contact: Contact) {
        if let Some(owner) = self.other_owner(contact.id) {
            if self.routing.note_failed(contact) {
                turn.push(tell(owner, TableMessage::Failed(contact)));
            }
            return;
        }
        match self.change(turn, contact.id, |routing| routing.failed(contact)) {
            Some(Failure::Suspect) => self.check(turn, contact),
            failure => self.evicted(turn, contact, failure),
        }
    }

    /// Takes in that a contact is not at its address any more: another node answers
    /// there, or it departs.
    pub(crate) fn gone(&mut self, turn: &mut Turn, contact: Contact) {
        if let Some(owner) = self.other_owner(contact.id) {
            return turn.push(tell(owner, TableMessage::Gone(contact)));
        }
        let failure = self.change(turn, contact.id, |routing| routing.gone(contact));
        self.evicted(turn, contact, failure);
    }

    /// Takes in that a peer has shown at its own address the token which this node gave to
    /// it: it has answered, in effect. Whether it was of use.
    pub(crate) fn proved(&mut self, turn: &mut Turn, contact: Contact) -> bool {
        let is_wanted = self.routing.wants(contact);
        if is_wanted {
            let known = self.known(contact);
            self.answered(turn, Entry::new(contact, turn.now, known));
        }
        is_wanted
    }

    /// Takes in that a peer, which has shown the token of another address, of subnet
    /// `source`, is to be reached as `contact`: the owner of its bucket verifies it by a
    /// PING, if it is of use.
    pub(crate) fn asked(&mut self, turn: &mut Turn, contact: Contact, source: Subnet) {
        if !self.routing.wants(contact) {
            return;
        }
        if let Some(owner) = self.other_owner(contact.id) {
            return turn.push(tell(owner, TableMessage::Asked(contact, source)));
        }
        if self.has_room_to_verify(source) {
            let known = self.known(contact);
            self.ping(turn, contact, known, Purpose::Verify, source);
        } else {
            turn.stats.verifications_refused += 1;
            turn.log(|| LogEvent::Refused { what: "verification of a contact" });
        }
    }

    /// Whether one more sender of `subnet` may have its address verified: of the
    /// [`VERIFICATIONS_MAX`] a subnet holds one, or a sixteenth of those that are free. So 32
    /// subnets that take all they can get, one after another, leave room for the next.
    fn has_room_to_verify(&self, subnet: Subnet) -> bool {
        let verifications = || self.pings.iter().filter(|ping| ping.purpose == Purpose::Verify);
        let free = VERIFICATIONS_MAX - verifications().count();
        let held = verifications().filter(|ping| ping.subnet == subnet).count();
        free > 0 && (held == 0 || 16 * held < free)
    }

    /// Takes in what another shard tells.
    pub(crate) fn take(&mut self, turn: &mut Turn, message: TableMessage) {
        match message {
            TableMessage::Answered(entry) => self.answered(turn, entry),
            TableMessage::Heard(contact) => self.heard(turn, contact),
            TableMessage::Failed(contact) => self.failed(turn, contact),
            TableMessage::Gone(contact) => self.gone(turn, contact),
            TableMessage::Asked(contact, source) => self.asked(turn, contact, source),
            TableMessage::Bucket { own, index, bucket } => {
                // A shard that does not know the node's latest name has other buckets.
                if own == self.own {
                    self.routing.adopt(turn.now, index.into(), *bucket);
                    self.say_if_lost(turn);
                }
            }
        }
    }

    /// Checks whether a contact lives.
    fn check(&mut self, turn: &mut Turn, contact: Contact) {
        let known = self.known(contact);
        self.ping(turn, contact, known, Purpose::Check, Subnet::of(contact.addr.ip()));
    }

    /// Sends a PING to a contact: one of each purpose at a time, and so many of each in all.
    fn ping(
        &mut self,
        turn: &mut Turn,
        contact: Contact,
        known: Known,
        purpose: Purpose,
        subnet: Subnet,
    ) {
        let stats = &mut turn.stats;
        let (most, sends_max, refused) = match purpose {
            Purpose::Verify => (VERIFICATIONS_MAX, SENDS_VERIFY, &mut stats.verifications_refused),
            _ => (CHECKS_MAX, SENDS_LOOKUP, &mut stats.checks_refused),
        };
        let of_purpose = || self.pings.iter().filter(|ping| ping.purpose == purpose);
        if of_purpose().any(|ping| ping.addr == contact.addr) {
            return;
        }
        if of_purpose().count() == most {
            *refused += 1;
            return turn.log(|| LogEvent::Refused { what: "PING" });
        }
        self.pings.push(Ping { purpose, addr: contact.addr, subnet });
        turn.push(Effect::Request(Request { sends_max, ..Request::ping(contact, known, purpose) }));
    }

    /// Checks stale contacts of this shard's buckets: one that answers is stale no longer.
    pub(crate) fn check_stale(&mut self, turn: &mut Turn) {
        let stale = self.owned_contacts().filter(|entry| entry.is_stale()).map(Entry::contact);
        let stale: Vec<Contact> = stale.take(STALE_CHECKS_MAX).collect();
        for contact in stale {
            self.check(turn, contact);
        }
    }

    /// Checks the alpha contacts closest to this node.
    pub(crate) fn check_closest(&mut self, turn: &mut Turn) {
        let (own, alpha) = (turn.config.id, turn.config.alpha);
        for contact in self.routing.closest(own, alpha, Health::Good, own) {
            self.check(turn, contact);
        }
    }

    /// Takes in that a PING has ended.
    pub(crate) fn ping_ended(&mut self, purpose: Purpose, addr: SocketAddr) {
        self.pings.retain(|ping| ping.purpose != purpose || ping.addr != addr);
    }

    /// Whether a contact that is not stale is at `addr`.
    pub(crate) fn has_good_at(&self, addr: SocketAddr) -> bool {
        self.routing.entries().any(|entry| !entry.is_stale() && entry.contact().addr == addr)
    }

    /// The contacts of this shard's buckets.
    pub(crate) fn owned_contacts(&self) -> impl Iterator<Item = &Entry> {
        self.owned_buckets().flat_map(|(_, bucket)| bucket.entries())
    }

    /// This shard's buckets.
    pub(crate) fn owned_buckets(&self) -> impl Iterator<Item = (usize, &Bucket)> {
        self.position.owned(self.routing.buckets())
    }

    /// This shard's buckets that hold contacts, the farthest first, for show.
    pub(crate) fn view(&self, now: Instant) -> Vec<BucketView> {
        let view_contact = |entry: &Entry| ContactView {
            contact: entry.contact(),
            seen_ago: now.since(entry.seen()),
            round_trip: entry.known.round_trip.smoothed(),
            failures: entry.failures,
        };
        self.owned_buckets()
            .filter(|(_, bucket)| !bucket.entries().is_empty())
            .map(|(index, bucket)| BucketView {
                index,
                contacts: bucket.entries().iter().map(view_contact).collect(),
                replacements: bucket.replacements(),
            })
            .collect()
    }

    /// Of this shard's buckets, the one to refresh next, and when.
    pub(crate) fn next_refresh(&self) -> Option<(usize, Instant)> {
        self.routing.next_refresh()
    }

    /// The shard that owns the contact's bucket, where it is another one.
    fn other_owner(&self, id: Id) -> Option<ShardIndex> {
        let owner = self.position.of_bucket(self.routing.index(id));
        (owner != self.position.index()).then_some(owner)
    }

    fn evicted(&self, turn: &mut Turn, contact: Contact, failure: Option<Failure>) {
        let Some(failure) = failure else { return };
        if matches!(failure, Failure::Evicted | Failure::Replaced) {
            turn.stats.contacts_evicted += 1;
            turn.stats.contacts_replaced += u64::from(matches!(failure, Failure::Replaced));
            turn.log(|| LogEvent::ContactEvicted(contact));
        }
        self.say_if_lost(turn);
    }

    /// The first shard joins again for all when no good contact is left.
    fn say_if_lost(&self, turn: &mut Turn) {
        if self.position.is_first() && !self.routing.has_good() {
            turn.push(Effect::ContactsLost);
        }
    }

    /// Changes a bucket of this shard, and tells the others if they need to know.
    fn change<R>(
        &mut self,
        turn: &mut Turn,
        id: Id,
        change: impl FnOnce(&mut RoutingTable) -> R,
    ) -> R {
        let index = self.routing.index(id);
        let before = self.routing.revision(index);
        let outcome = change(&mut self.routing);
        if self.routing.revision(index) != before {
            self.tell_bucket(turn, index);
        }
        outcome
    }

    /// Tells the other shards how a bucket is now.
    fn tell_bucket(&self, turn: &mut Turn, index: usize) {
        let Some(bucket) = self.routing.buckets().get(index) else { return };
        for shard in self.position.others() {
            let (own, bucket) = (self.own, Box::new(bucket.clone()));
            turn.push(tell(shard, TableMessage::Bucket { own, index: index as u8, bucket }));
        }
    }

    /// The node takes another id: every contact moves to the bucket in which it is now.
    pub(crate) fn rename(&mut self, turn: &mut Turn, own: Naming) {
        self.own = own;
        self.routing = self.routing.renamed(own.id);
        for (index, _) in self.owned_buckets() {
            self.tell_bucket(turn, index);
        }
    }
}

fn inserted(turn: &mut Turn, entry: Entry) {
    turn.stats.contacts_inserted += 1;
    turn.log(|| LogEvent::ContactInserted(entry.contact()));
}

const fn tell(shard: ShardIndex, message: TableMessage) -> Effect {
    Effect::Tell(shard, Message::Table(message))
}
