//! The routing table: one k-bucket for each distance range (Kademlia 2.2).

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::bucket::{Admission, Bucket, Entry, Failure};
use super::crowd::Crowd;
use super::lookup_times::LookupTimes;
use crate::id::{ID_BITS, ID_BYTES, Id};
use crate::limits::{FAILURES_FORGET, FAILURES_STALE, K_MAX};
use crate::node::shard::ShardPosition;
use crate::node::subnet::{Subnet, SubnetLimit};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::Contact;

/// Contacts on the stack, the closest first.
pub(crate) type Closest = SmallVec<[Contact; K_MAX]>;

/// Which contacts to consider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Those that may be handed to others.
    Good,
    /// Stale ones too: better than none to begin with.
    Any,
}

/// All buckets. Bucket `b` holds the contacts that share exactly `b` leading
/// bits with the node's own id; the buckets beyond the deepest contact are not built.
#[derive(Debug)]
pub(crate) struct RoutingTable {
    own: Id,
    k: usize,
    subnets: SubnetLimit,
    buckets: Vec<Bucket>,
    crowd: Crowd,
    lookup_times: LookupTimes,
}

impl RoutingTable {
    pub(crate) const fn new(own: Id, k: usize, subnets: SubnetLimit) -> Self {
        let lookup_times = LookupTimes::new(ShardPosition::ALONE);
        Self { own, k, subnets, buckets: Vec::new(), crowd: Crowd::new(), lookup_times }
    }

    /// The same, of which the shard at `position` refreshes its buckets.
    pub(crate) fn of_shard(self, position: ShardPosition) -> Self {
        Self { lookup_times: LookupTimes::new(position), ..self }
    }

    /// The buckets that are built, the farthest first.
    pub(crate) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Whether a peer that may be new would be of use if it answered.
    pub(crate) fn wants(&self, contact: Contact) -> bool {
        let index = self.index(contact.id);
        index < ID_BITS
            && self.buckets.get(index).is_none_or(|bucket| {
                bucket.wants(self.k, contact)
                    && self.count_of_subnet(contact, bucket) < self.subnets.in_bucket
            })
    }

    /// How many other contacts of a bucket, and that wait for a place in it, are of the
    /// contact's subnet, where that counts. Stale ones are the first to make way.
    fn count_of_subnet(&self, contact: Contact, bucket: &Bucket) -> usize {
        let Some(subnet) = self.subnets.subnet(contact.addr.ip()) else { return 0 };
        let is_of_subnet = |entry: &&Entry| {
            entry.subnet() == subnet && entry.id() != contact.id && !entry.is_stale()
        };
        bucket.all().filter(is_of_subnet).count()
    }

    /// Whether so many contacts are of the contact's subnet that there is no place for it. The
    /// other buckets are looked through only where the crowd does not rule it out.
    fn is_crowded(&self, contact: Contact, bucket: &Bucket) -> bool {
        let count = |bucket| self.count_of_subnet(contact, bucket);
        let in_table = self.subnets.in_table;
        count(bucket) >= self.subnets.in_bucket
            || self.crowd.at_most(Subnet::of(contact.addr.ip())) >= in_table
                && self.buckets.iter().map(count).sum::<usize>() >= in_table
    }

    /// Changes which contacts are in a bucket, or wait for a place in it.
    fn change<R>(&mut self, index: usize, change: impl FnOnce(&mut Bucket) -> R) -> Option<R> {
        let bucket = self.buckets.get_mut(index)?;
        self.crowd.remove(bucket);
        let outcome = change(bucket);
        self.crowd.add(bucket);
        Some(outcome)
    }

    /// The entry of a contact.
    pub(crate) fn entry(&self, id: Id) -> Option<&Entry> {
        let bucket = self.buckets.get(self.index(id))?;
        bucket.entries().iter().find(|entry| entry.id() == id)
    }

    /// What waits for the place of the contact that has its id.
    pub(crate) fn claimant(&self, id: Id) -> Option<Contact> {
        self.buckets.get(self.index(id))?.claimant(id).map(Entry::contact)
    }

    /// Takes in a contact that has just answered.
    pub(crate) fn answered(&mut self, entry: Entry) -> Admission {
        let index = self.index(entry.id());
        assert!(index < ID_BITS, "our own id is no contact");
        // A new range has not been looked up yet, but the lookup that led here
        // has just passed close by.
        self.build(index, entry.seen());
        let (contact, bucket) = (entry.contact(), &mut self.buckets[index]);
        if bucket.has(contact) {
            return bucket.answered(self.k, entry);
        }
        if self.is_crowded(contact, &self.buckets[index]) {
            return Admission::Crowded;
        }
        let k = self.k;
        self.change(index, |bucket| bucket.answered(k, entry)).expect("it is built")
    }

    /// Notes what a contact of another shard's bucket has answered. Whether the owner
    /// needs to know.
    pub(crate) fn note(&mut self, entry: Entry) -> bool {
        let index = self.index(entry.id());
        self.buckets.get_mut(index).is_none_or(|bucket| bucket.note(entry))
    }

    /// Notes that a contact of another shard's bucket was heard from. Whether the owner
    /// needs to know.
    pub(crate) fn note_heard(&mut self, now: Instant, contact: Contact) -> bool {
        let index = self.index(contact.id);
        let bucket = self.buckets.get_mut(index);
        bucket.is_some_and(|bucket| bucket.note_heard(now, contact))
    }

    /// Notes that a request to a contact of another shard's bucket has failed. Whether
    /// the owner needs to know.
    pub(crate) fn note_failed(&mut self, contact: Contact) -> bool {
        let index = self.index(contact.id);
        let bucket = self.buckets.get_mut(index);
        bucket.is_some_and(|bucket| bucket.note_failed(contact))
    }

    /// Takes over a bucket from its owner.
    pub(crate) fn adopt(&mut self, now: Instant, index: usize, told: Bucket) {
        self.build(index, now);
        self.change(index, |bucket| bucket.adopt(told));
    }

    /// Counts the changes of a bucket that others must know of.
    pub(crate) fn revision(&self, index: usize) -> u32 {
        self.buckets.get(index).map_or(0, Bucket::revision)
    }

    /// Notes that a contact was heard from.
    pub(crate) fn heard(&mut self, now: Instant, contact: Contact) {
        let index = self.index(contact.id);
        if let Some(bucket) = self.buckets.get_mut(index) {
            bucket.heard(now, contact);
        }
    }

    /// Notes that a request to a contact has failed; none where it is no contact. While no
    /// contact answers, the fault is likelier this node's than theirs, and no contact is
    /// forgotten for it.
    pub(crate) fn failed(&mut self, contact: Contact) -> Option<Failure> {
        let failures_max = if self.has_good() { FAILURES_FORGET } else { FAILURES_STALE };
        let index = self.index(contact.id);
        self.change(index, |bucket| bucket.failed(contact, failures_max))?
    }

    /// Whether some contact is not stale.
    pub(crate) fn has_good(&self) -> bool {
        self.entries().any(|entry| !entry.is_stale())
    }

    /// Drops a contact that is not at its address any more; none where it is no contact.
    pub(crate) fn gone(&mut self, contact: Contact) -> Option<Failure> {
        let index = self.index(contact.id);
        self.change(index, |bucket| bucket.gone(contact))?
    }

    /// The `count` contacts closest to `target`, the closest first, without the
    /// one called `except`. Those whose ids do not fit their addresses come after all others.
    ///
    /// Buckets are visited in the order of their distance from the target, so
    /// that sorting within a bucket sorts the whole. With `d` the distance from
    /// this node to the target and `p` its leading zeros: bucket `p` shares more than
    /// `p` bits with the target and comes first. A contact of a bucket `i > p`
    /// is as far as this node, but for bit `i` of `d`, which it flips: closer than
    /// this node where that bit is set, the more so the smaller `i` (zoom in), and
    /// farther where it is clear, the less so the larger `i` (zoom out). Last
    /// come the buckets below `p`, from `p - 1` to 0.
    pub(crate) fn closest(&self, target: Id, count: usize, health: Health, except: Id) -> Closest {
        let distance = self.own ^ target;
        let built = self.buckets.len();
        let prefix = distance.shared_prefix_bits();
        let first = core::iter::once(prefix).filter(|&index| index < built);
        let deeper = prefix.saturating_add(1)..built;
        let zoom_in = deeper.clone().filter(|&index| distance.bit(index));
        let zoom_out = deeper.rev().filter(|&index| !distance.bit(index));
        let shallower = (0..prefix.min(built)).rev();

        let (mut closest, mut unfit) = (Closest::new(), Closest::new());
        for index in first.chain(zoom_in).chain(zoom_out).chain(shallower) {
            let entries = self.buckets[index].entries();
            // What is moved while it is sorted are 16 bytes: the first bits of each
            // distance, which decide nearly always, and a pointer.
            let mut sorted: SmallVec<[(u64, &Entry); K_MAX]> = entries
                .iter()
                .filter(|entry| health == Health::Any || !entry.is_stale())
                .filter(|entry| entry.id() != except)
                .map(|entry| ((entry.id() ^ target).first_bits(), entry))
                .collect();
            sorted.sort_unstable_by(|(first, entry), (other_first, other)| {
                let distances = || (entry.id() ^ target).cmp(&(other.id() ^ target));
                first.cmp(other_first).then_with(distances)
            });
            for (_, entry) in &sorted {
                if closest.len() == count {
                    break;
                }
                if entry.is_fit() {
                    closest.push(entry.contact());
                } else if unfit.len() < count - closest.len() {
                    unfit.push(entry.contact());
                }
            }
            if closest.len() == count {
                break;
            }
        }
        unfit.truncate(count - closest.len());
        closest.extend(unfit);
        closest
    }

    /// Puts what this node knows of one that looks for its own id before the contacts closest
    /// to that: where it sees it, and then where it lists the id, if it does. An asker that is
    /// listed elsewhere has an id that is taken.
    pub(crate) fn say_of_asker(&self, asker: Contact, closest: &mut Closest) {
        let listed = self.entry(asker.id).map(Entry::contact);
        closest.truncate(K_MAX - 1 - usize::from(listed.is_some()));
        closest.insert_many(0, core::iter::once(asker).chain(listed));
    }

    /// How many of the K closest contacts to `key` are closer than this node.
    pub(crate) fn closer_than_self(&self, key: Id) -> usize {
        let own = self.own ^ key;
        let closest = self.closest(key, self.k, Health::Good, self.own);
        closest.iter().take_while(|contact| contact.id ^ key < own).count()
    }

    /// Whether the K closest to `key` are among the contacts: the bucket into whose range it falls
    /// has room, and so knows every node there, as do those beyond it.
    pub(crate) fn knows_closest(&self, key: Id) -> bool {
        self.buckets.get(self.index(key)).is_none_or(|bucket| bucket.entries().len() < self.k)
    }

    /// Whether this node is far from being among the K closest to `key`: the bucket into
    /// whose range the key falls is full of contacts that are closer. So is the next, which
    /// covers half as many ids: there are some 2 K closer nodes at least.
    pub(crate) fn is_far(&self, key: Id) -> bool {
        let is_full = |bucket: &Bucket| bucket.entries().len() >= self.k;
        let index = self.index(key);
        self.buckets.get(index..index + 2).is_some_and(|buckets| buckets.iter().all(is_full))
    }

    /// The same contacts, and those that wait, about another id.
    pub(crate) fn renamed(&self, own: Id) -> Self {
        let renamed = Self::new(own, self.k, self.subnets);
        let mut renamed = renamed.of_shard(self.lookup_times.position());
        let all = self.buckets.iter().flat_map(Bucket::all).filter(|entry| entry.id() != own);
        let mut all: Vec<Entry> = all.copied().collect();
        all.sort_unstable_by_key(Entry::seen);
        for entry in all {
            renamed.answered(entry);
        }
        renamed
    }

    pub(super) const fn own(&self) -> Id {
        self.own
    }

    pub(super) const fn k(&self) -> usize {
        self.k
    }

    /// Every contact, of the farthest bucket first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.iter().flat_map(Bucket::entries)
    }

    /// Notes that a lookup for `target` fell into its bucket.
    pub(crate) fn looked_up(&mut self, now: Instant, target: Id) {
        self.lookup_times.looked_up(self.index(target), now);
    }

    /// Notes that a lookup for the node's own id has found every node beyond bucket
    /// `index`.
    pub(crate) fn looked_up_beyond(&mut self, now: Instant, index: Option<u8>) {
        if let Some(index) = index {
            self.lookup_times.looked_up_beyond(index.into(), now);
        }
    }

    /// Of the buckets of this shard, the one to refresh next, and when.
    pub(crate) fn next_refresh(&self) -> Option<(usize, Instant)> {
        self.lookup_times.next_refresh()
    }

    /// Has every bucket be looked up but those beyond this one.
    pub(crate) fn refill(&mut self, now: Instant, found_beyond: Option<u8>) {
        self.forget_lookups();
        self.looked_up_beyond(now, found_beyond);
    }

    /// Counts every bucket as never looked up, so that all are refreshed: what a
    /// node does when it has joined (Kademlia 2.3).
    pub(crate) fn forget_lookups(&mut self) {
        self.lookup_times.forget();
    }

    /// A random id in the range of bucket `index`: equal to the own id in the first
    /// `index` bits, different in the next.
    pub(crate) fn random_id(&self, rng: &mut Rng, index: usize) -> Id {
        assert!(index < ID_BITS);
        let mut bytes = rng.id().to_bytes();
        let own = self.own.to_bytes();
        let (byte, bit) = (index / 8, index % 8);
        bytes[..byte].copy_from_slice(&own[..byte]);
        let kept = !(0xff_u8 >> bit);
        let flipped = 0x80_u8 >> bit;
        bytes[byte] = own[byte] & kept | !own[byte] & flipped | bytes[byte] & !(kept | flipped);
        const { assert!(ID_BYTES * 8 == ID_BITS) };
        Id::new(bytes)
    }

    /// Builds the buckets up to `index`, as looked up at `now`.
    fn build(&mut self, index: usize, now: Instant) {
        if self.buckets.len() <= index {
            self.buckets.resize_with(index + 1, Bucket::new);
            self.lookup_times.grow(index + 1, now);
        }
    }

    /// The bucket into whose range `id` falls.
    pub(crate) fn index(&self, id: Id) -> usize {
        (self.own ^ id).shared_prefix_bits()
    }
}

#[cfg(test)]
mod tests;
