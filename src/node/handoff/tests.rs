//! What shards tell each other, in another order than they said it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::node::known::Known;
use crate::node::table::Entry;
use crate::node::{Config, Node, Outbox};
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::Contact;

const SHARDS: usize = 3;

/// A contact of the bucket at `index` about `own`.
fn contact_beside(own: Id, index: usize) -> Contact {
    let mut bytes = own.to_bytes();
    bytes[index / 8] ^= 0x80 >> (index % 8);
    Contact { id: Id::new(bytes), addr: SocketAddr::from(([10, 0, 0, 1], 9)) }
}

#[test]
fn a_bucket_that_comes_before_the_new_name_of_its_node_is_kept_and_one_of_before_is_not() {
    let mut rng = Rng::from_u64(1);
    let now = Instant::ZERO + Duration::from_secs(1);
    let config = Config::new(rng.id(), rng.seed());
    let mut shards: Vec<Node> =
        config.shards(SHARDS).map(|config| Node::new(config, now)).collect();
    let (before, new) = (Naming::first(config.id), Naming::first(config.id).next(rng.id()));
    let shard = &mut shards[1];
    let mut outbox = Outbox::new();
    let mut tell = |shard: &mut Node, own: Naming, contact: Contact, index: usize| {
        let mut bucket = Box::new(Bucket::new());
        bucket.answered(1, Entry::new(contact, now, Known::default()));
        let message = TableMessage::Bucket { own, index: index as u8, bucket };
        shard.handle_handoff(now, Handoff(Message::Table(message)), &mut outbox);
    };
    // A bucket of the third shard.
    let index = 2;
    let contact = contact_beside(new.id, index);
    tell(shard, new, contact, index);
    assert_eq!(shard.id(), new.id);
    let knows = |shard: &Node| shard.closest(contact.id, 1).first() == Some(&contact);
    assert!(knows(shard));
    tell(shard, before, contact_beside(before.id, index), index);
    shard.handle_handoff(now, Handoff(Message::Renamed(new)), &mut Outbox::new());
    assert_eq!(shard.id(), new.id);
    assert!(knows(shard), "neither the old bucket nor the first shard's word has undone it");
    assert_eq!(shard.closest(contact.id, 20).len(), 1);
}
