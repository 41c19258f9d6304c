//! The routing table among shards: each bucket's owner alone changes it and
//! tells the others how it is now; they tell the owner what they have seen.

use alloc::boxed::Box;

use super::Node;
use super::handoff::{Handoff, Message};
use super::outbox::Outbox;
use super::shard::ShardIndex;
use super::table::bucket::{Admission, Entry, Failure};
use super::table::routing_table::{Freshness, RoutingTable};
use crate::id::Id;
use crate::time::Instant;
use crate::wire::Contact;

/// Who changes a contact's bucket.
enum Owner {
    Us,
    Other(ShardIndex),
}

impl Node {
    /// Takes in a contact that has just answered.
    pub(super) fn contact_answered(&mut self, now: Instant, entry: Entry, outbox: &mut Outbox) {
        if let Owner::Other(owner) = self.owner(entry.id()) {
            if self.table.note(entry) == Freshness::News {
                outbox.handoff(owner, Handoff(Message::Answered(entry)));
            }
            return;
        }
        match self.change(entry.id(), outbox, |table| table.answered(entry)) {
            Admission::Known | Admission::Waiting { check: None } => {}
            Admission::Inserted => self.stats.contacts_inserted += 1,
            Admission::Replaced => {
                self.stats.contacts_inserted += 1;
                self.stats.contacts_evicted += 1;
            }
            Admission::Waiting { check: Some(oldest) } => self.probe(now, oldest, outbox),
        }
        self.join_if_met(now, outbox);
    }

    /// Takes in that a contact was heard from.
    pub(super) fn contact_heard(&mut self, now: Instant, contact: Contact, outbox: &mut Outbox) {
        match self.owner(contact.id) {
            Owner::Us => self.table.heard(now, contact),
            Owner::Other(owner) => {
                if self.table.note_heard(now, contact) == Freshness::News {
                    outbox.handoff(owner, Handoff(Message::Heard(contact)));
                }
            }
        }
    }

    /// Takes in that an RPC to a contact has failed.
    pub(super) fn contact_failed(&mut self, now: Instant, contact: Contact, outbox: &mut Outbox) {
        if let Owner::Other(owner) = self.owner(contact.id) {
            if self.table.note_failed(contact) == Freshness::News {
                outbox.handoff(owner, Handoff(Message::Failed(contact)));
            }
            return;
        }
        match self.change(contact.id, outbox, |table| table.failed(contact)) {
            Failure::Suspect => self.probe(now, contact, outbox),
            failure => self.note_eviction(now, failure),
        }
    }

    /// Takes in that somebody else answers at a contact's address.
    pub(super) fn contact_renamed(&mut self, now: Instant, contact: Contact, outbox: &mut Outbox) {
        if let Owner::Other(owner) = self.owner(contact.id) {
            return outbox.handoff(owner, Handoff(Message::Renamed(contact)));
        }
        let failure = self.change(contact.id, outbox, |table| table.renamed(contact));
        self.note_eviction(now, failure);
    }

    /// Takes in that a stranger has asked something: whoever owns its bucket
    /// pings it, if it is of use.
    pub(super) fn stranger_asked(&mut self, now: Instant, stranger: Contact, outbox: &mut Outbox) {
        if !self.table.wants(stranger.id) {
            return;
        }
        match self.owner(stranger.id) {
            Owner::Us => self.introduce(now, stranger, outbox),
            Owner::Other(owner) => outbox.handoff(owner, Handoff(Message::Stranger(stranger))),
        }
    }

    /// Does what another shard tells.
    pub(super) fn take_message(&mut self, now: Instant, message: Message, outbox: &mut Outbox) {
        match message {
            Message::Datagram { source, bytes } => self.take_datagram(now, source, &bytes, outbox),
            Message::Answered(entry) => self.contact_answered(now, entry, outbox),
            Message::Heard(contact) => self.contact_heard(now, contact, outbox),
            Message::Failed(contact) => self.contact_failed(now, contact, outbox),
            Message::Renamed(contact) => self.contact_renamed(now, contact, outbox),
            Message::Stranger(contact) => self.stranger_asked(now, contact, outbox),
            Message::Bucket { index, bucket } => {
                self.table.adopt(now, index.into(), *bucket);
                self.rejoin_if_lost(now);
                self.join_if_met(now, outbox);
            }
            Message::Joined { found_beyond } => self.note_joined(now, found_beyond),
        }
    }

    fn note_eviction(&mut self, now: Instant, failure: Failure) {
        match failure {
            Failure::Unknown | Failure::Suspect | Failure::Stale => {}
            Failure::Evicted => self.stats.contacts_evicted += 1,
            Failure::Replaced => {
                self.stats.contacts_evicted += 1;
                self.stats.contacts_replaced += 1;
            }
        }
        if failure != Failure::Unknown {
            self.rejoin_if_lost(now);
        }
    }

    /// Changes a bucket of ours, and tells the other shards if they need to know.
    fn change<R>(
        &mut self,
        id: Id,
        outbox: &mut Outbox,
        change: impl FnOnce(&mut RoutingTable) -> R,
    ) -> R {
        let index = self.table.index(id);
        let before = self.table.revision(index);
        let outcome = change(&mut self.table);
        if self.table.revision(index) != before
            && let Some(bucket) = self.table.buckets().get(index)
        {
            for shard in self.config.position.others() {
                let bucket = Box::new(bucket.clone());
                outbox.handoff(shard, Handoff(Message::Bucket { index: index as u8, bucket }));
            }
        }
        outcome
    }

    fn owner(&self, id: Id) -> Owner {
        let place = self.config.position;
        let owner = place.of_bucket(self.table.index(id));
        if owner == place.index() { Owner::Us } else { Owner::Other(owner) }
    }
}
