//! One k-bucket: contacts by how recently they were seen, and the replacement
//! cache that is drawn on when one of them dies (Kademlia 2.2, 4.1).

use alloc::vec::Vec;

use super::compact::{CompactAddr, CompactContact};
use crate::id::Id;
use crate::limits::{
    CONTACT_FRESH, CONTACT_NEWS, FAILURES_FORGET, FAILURES_STALE, K_DEFAULT, REPLACEMENTS_MAX,
};
use crate::node::fit::id_fits;
use crate::node::known::Known;
use crate::node::round_trip::RoundTrip;
use crate::node::subnet::Subnet;
use crate::time::{Instant, Tick};
use crate::wire::Contact;

/// A contact and what is known of it. It has answered at least once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    contact: CompactContact,
    /// When it last answered, or sent a request with a valid token.
    seen: Tick,
    pub(crate) known: Known,
    /// RPCs failed in a row.
    pub(crate) failures: u8,
    /// Whether its id fits its address.
    is_fit: bool,
}

/// A cache line: id 20, address 18, token 8 and its date 4, round trip 8, last
/// seen 4, failures 1, fit 1.
const _: () = assert!(size_of::<Entry>() <= 64);
const _: () = assert!(CONTACT_NEWS.as_micros() >= 100 * Tick::LENGTH.as_micros());

impl Entry {
    /// A contact that answered at `seen`.
    pub(crate) fn new(contact: Contact, seen: Instant, known: Known) -> Self {
        let is_fit = id_fits(contact.id, contact.addr.ip());
        let contact = CompactContact::new(contact);
        Self { contact, seen: Tick::of(seen), known, failures: 0, is_fit }
    }

    /// Whether its id fits its address: one that does not is named after all others.
    pub(crate) const fn is_fit(&self) -> bool {
        self.is_fit
    }

    /// Whether it makes way for a newcomer.
    const fn yields_to(&self, newcomer: &Self) -> bool {
        self.is_stale() || newcomer.is_fit && !self.is_fit
    }

    pub(crate) const fn id(&self) -> Id {
        self.contact.id
    }

    pub(crate) const fn contact(&self) -> Contact {
        self.contact.contact()
    }

    pub(crate) const fn subnet(&self) -> Subnet {
        self.contact.addr.subnet()
    }

    /// When it was last seen.
    pub(crate) const fn seen(&self) -> Instant {
        self.seen.start()
    }

    /// Whether it is this contact, at this address.
    pub(crate) fn is(&self, contact: Contact) -> bool {
        self.id() == contact.id && self.contact.addr == CompactAddr::new(contact.addr)
    }

    /// Whether it has failed so often that it is no longer handed to others.
    pub(crate) const fn is_stale(&self) -> bool {
        self.failures >= FAILURES_STALE
    }

    /// Notes when it was seen. Whether that is news to the owner of its bucket.
    fn note_seen(&mut self, now: Instant) -> bool {
        if now.since(self.seen()) < CONTACT_NEWS {
            return false;
        }
        self.seen = Tick::of(now);
        true
    }

    /// Notes an answer. Whether that is news to the owner of its bucket.
    ///
    /// An answer that follows a failure of which the owner knows is news however soon it
    /// comes, or the owner would count failures that were not in a row; the one after it
    /// is not. A stale contact stays stale until the owner says otherwise, so that all
    /// shards name the same contacts.
    fn note_answered(&mut self, now: Instant) -> bool {
        if self.failures == 0 {
            return self.note_seen(now);
        }
        if !self.is_stale() {
            self.failures = 0;
        }
        self.seen = Tick::of(now);
        true
    }
}

/// What came of a contact's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It was in the bucket already.
    Known,
    /// It has entered the bucket.
    Inserted,
    /// It has entered the bucket in place of a stale contact, or of one whose id does not fit
    /// its address.
    Replaced,
    /// It waits in the replacement cache; `check` is the contact in its way, to be pinged:
    /// the least recently seen, or the one that has its id at another address.
    Waiting { check: Option<Contact> },
    /// Too many are of its subnet.
    Crowded,
}

/// What becomes of a contact to which a request has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is suspect: ping it, to settle whether it is dead.
    Suspect,
    /// It is stale but stays, because nothing can replace it.
    Stale,
    /// It is gone, and nothing came in its place.
    Evicted,
    /// It is gone, and a contact of the replacement cache came in its place.
    Replaced,
}

/// At most K contacts, the least recently seen first, and at most
/// [`REPLACEMENTS_MAX`] more that wait for one of them to die.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    entries: Vec<Entry>,
    replacements: Vec<Entry>,
    /// Counts the changes that other shards must know of: which contacts are in the
    /// bucket, at which addresses, and which are stale; and which ids wait for a place,
    /// unless the replacement cache is as full as before: then no new contact is wanted,
    /// whichever wait.
    revision: u32,
}

/// By how many places a bucket, or its replacement cache, grows.
const ENTRIES_STEP: usize = 4;
const _: () = assert!(K_DEFAULT.is_multiple_of(ENTRIES_STEP));
const _: () = assert!(REPLACEMENTS_MAX.is_multiple_of(ENTRIES_STEP));

impl Bucket {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), replacements: Vec::new(), revision: 0 }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) const fn revision(&self) -> u32 {
        self.revision
    }

    pub(crate) fn replacements(&self) -> usize {
        self.replacements.len()
    }

    /// Bytes that it takes, with its contacts.
    pub(crate) const fn bytes(&self) -> usize {
        size_of::<Self>() + (self.entries.len() + self.replacements.len()) * size_of::<Entry>()
    }

    /// The contacts, and those that wait.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().chain(&self.replacements)
    }

    /// What waits for the place of the contact called `id`, and has that id itself.
    pub(crate) fn claimant(&self, id: Id) -> Option<&Entry> {
        self.replacements.iter().find(|waiting| waiting.id() == id)
    }

    /// Whether a peer is a contact, at this address.
    pub(crate) fn has(&self, contact: Contact) -> bool {
        self.entries.iter().any(|entry| entry.is(contact))
    }

    /// Whether a peer's answer would be of use: whether there is room for it, in the bucket
    /// or in the replacement cache. A stale contact that asks something counts as new, since
    /// it seems to be back; and so does one that has another's id, which may have moved.
    pub(crate) fn wants(&self, k: usize, contact: Contact) -> bool {
        // Most senders are known.
        let known = self.entries.iter().find(|entry| entry.id() == contact.id);
        if let Some(known) = known {
            return known.is_stale() || !known.is(contact);
        }
        let has_room = self.entries.len() < k
            || self.replacements.len() < REPLACEMENTS_MAX
            || self.entries.iter().any(|entry| entry.is_stale() || !entry.is_fit);
        has_room && !self.replacements.iter().any(|waiting| waiting.id() == contact.id)
    }

    /// Takes in a contact that has just answered.
    pub(crate) fn answered(&mut self, k: usize, newcomer: Entry) -> Admission {
        if let Some(index) = self.position(newcomer.contact.id) {
            let known = self.entries[index];
            if known.contact.addr == newcomer.contact.addr {
                self.entries.remove(index);
                self.entries.push(newcomer);
                self.revision += u32::from(known.is_stale());
                return Admission::Known;
            }
            if !known.is_stale() {
                // Two addresses claim one id: the one that came first keeps it for as long
                // as it answers, and is asked at once whether it does.
                self.wait(newcomer);
                return Admission::Waiting { check: Some(known.contact()) };
            }
            self.revision += 1;
            self.entries.remove(index);
            self.entries.push(newcomer);
            self.replacements.retain(|waiting| waiting.id() != newcomer.id());
            return Admission::Replaced;
        }
        if self.entries.len() < k {
            self.revision += 1;
            push(&mut self.entries, newcomer);
            return Admission::Inserted;
        }
        if let Some(index) = self.entries.iter().position(|entry| entry.yields_to(&newcomer)) {
            self.revision += 1;
            self.entries.remove(index);
            self.entries.push(newcomer);
            return Admission::Replaced;
        }
        self.wait(newcomer);
        let oldest = self.entries.first().filter(|oldest| is_quiet(oldest, newcomer.seen()));
        Admission::Waiting { check: oldest.map(Entry::contact) }
    }

    /// Puts a contact that has just answered last into the replacement cache.
    fn wait(&mut self, newcomer: Entry) {
        let waiting = self.replacements.iter().position(|entry| entry.id() == newcomer.id());
        if let Some(index) = waiting {
            self.replacements.remove(index);
        } else if self.replacements.len() == REPLACEMENTS_MAX {
            self.replacements.remove(0);
        } else {
            self.revision += 1;
        }
        push(&mut self.replacements, newcomer);
    }

    /// Notes that a contact, or one that waits, was heard from at its own address.
    pub(crate) fn heard(&mut self, now: Instant, contact: Contact) {
        let contact = CompactContact::new(contact);
        for entries in [&mut self.entries, &mut self.replacements] {
            if let Some(index) = entries.iter().position(|entry| entry.contact == contact) {
                entries[index].seen = Tick::of(now);
                entries[index..].rotate_left(1);
            }
        }
    }

    /// Notes that an RPC to a contact has failed, as one more failure in a row up
    /// to `failures_max`.
    pub(crate) fn failed(&mut self, contact: Contact, failures_max: u8) -> Option<Failure> {
        self.withdraw(contact);
        let index = self.position(contact.id)?;
        let entry = &mut self.entries[index];
        if !entry.is(contact) {
            return None;
        }
        let was_stale = entry.is_stale();
        entry.failures = (entry.failures + 1).min(failures_max);
        // Its path may have become slower than all sends together waited. Without
        // an answer there is no sample, so the estimate would never follow.
        entry.known.round_trip = RoundTrip::default();
        if !entry.is_stale() {
            return Some(Failure::Suspect);
        }
        let failures = entry.failures;
        if failures < FAILURES_FORGET && self.heir(contact.id).is_none() {
            self.revision += u32::from(!was_stale);
            return Some(Failure::Stale);
        }
        Some(self.evict(index))
    }

    /// Drops a contact that is not at its address any more.
    pub(crate) fn gone(&mut self, contact: Contact) -> Option<Failure> {
        self.withdraw(contact);
        let index = self.position(contact.id)?;
        self.entries[index].is(contact).then(|| self.evict(index))
    }

    /// Takes over what the owner of the bucket has told, but for what has been
    /// heard from its contacts since.
    pub(crate) fn adopt(&mut self, mut told: Self) {
        for entry in &mut told.entries {
            let own = self.position(entry.contact.id).map(|index| self.entries[index]);
            if let Some(own) = own.filter(|own| own.contact == entry.contact)
                && own.seen > entry.seen
            {
                *entry = Entry { failures: entry.failures, ..own };
            }
        }
        *self = told;
    }

    /// Notes, for a bucket that another shard owns, what a contact has just
    /// answered, and says whether the owner needs to know.
    pub(crate) fn note(&mut self, answered: Entry) -> bool {
        let known = self.entries.iter_mut().find(|known| known.contact == answered.contact);
        let Some(known) = known else {
            return true;
        };
        known.known = answered.known;
        known.note_answered(answered.seen())
    }

    /// Notes, for a bucket that another shard owns, that a contact was heard
    /// from, and says whether the owner needs to know.
    pub(crate) fn note_heard(&mut self, now: Instant, contact: Contact) -> bool {
        let known = self.entries.iter_mut().find(|known| known.is(contact));
        known.is_some_and(|known| known.note_seen(now))
    }

    /// Notes, for a bucket that another shard owns, that an RPC to a contact has
    /// failed, and says whether the owner needs to know. The estimate is this
    /// shard's own, so it starts anew here as it does at the owner's. How often it
    /// has failed the owner counts; here stands that it has.
    pub(crate) fn note_failed(&mut self, contact: Contact) -> bool {
        let known = self.entries.iter_mut().find(|known| known.is(contact));
        known.is_some_and(|known| {
            known.known.round_trip = RoundTrip::default();
            known.failures = known.failures.max(1);
            true
        })
    }

    /// Removes a contact from the replacement cache.
    fn withdraw(&mut self, contact: Contact) {
        let before = self.replacements.len();
        self.replacements.retain(|entry| !entry.is(contact));
        self.revision += u32::from(self.replacements.len() != before);
    }

    /// Removes the contact at `index` and draws its heir from the replacement cache.
    fn evict(&mut self, index: usize) -> Failure {
        self.revision += 1;
        let heir = self.heir(self.entries[index].id());
        self.entries.remove(index);
        let Some(heir) = heir else {
            return Failure::Evicted;
        };
        let replacement = self.replacements.remove(heir);
        let index = self.entries.partition_point(|entry| entry.seen <= replacement.seen);
        self.entries.insert(index, replacement);
        Failure::Replaced
    }

    /// Which of those that wait comes in when the contact called `id` goes: that which claims
    /// the same id, or else the most recently seen that claims no other contact's.
    fn heir(&self, id: Id) -> Option<usize> {
        let claimant = self.replacements.iter().position(|waiting| waiting.id() == id);
        let is_free = |waiting: &Entry| self.position(waiting.id()).is_none();
        claimant.or_else(|| self.replacements.iter().rposition(is_free))
    }

    fn position(&self, id: Id) -> Option<usize> {
        self.entries.iter().position(|entry| entry.contact.id == id)
    }
}

/// Adds an entry where there is room, and otherwise makes room for a few: most
/// buckets of a node are full or nearly empty, so doubling would waste a third.
fn push(entries: &mut Vec<Entry>, entry: Entry) {
    if entries.len() == entries.capacity() {
        entries.reserve_exact(ENTRIES_STEP);
    }
    entries.push(entry);
}

/// Whether a contact has been silent for so long that its place is in question.
fn is_quiet(entry: &Entry, now: Instant) -> bool {
    now.since(entry.seen()) >= CONTACT_FRESH || entry.failures > 0
}

#[cfg(test)]
mod tests;
