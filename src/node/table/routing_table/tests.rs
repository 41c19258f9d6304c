//! The routing table against a plain sort.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use core::net::SocketAddr;

use crate::limits::{BUCKET_REFRESH, FAILURES_STALE, PEERS_PER_SUBNET, SUBNET_BUCKETS};
use crate::node::samples::{addr, entry};
use crate::rng::Rng;

/// An id that shares `prefix` bits with `own`, or at least so many.
fn near(own: Id, prefix: usize, noise: [u8; ID_BYTES]) -> Id {
    let mut bytes = noise;
    for (index, byte) in bytes.iter_mut().enumerate() {
        let kept = prefix.saturating_sub(index * 8).min(8) as u32;
        let mask = !0xff_u8.checked_shr(kept).unwrap_or(0);
        *byte = own.to_bytes()[index] & mask | *byte & !mask;
    }
    Id::new(bytes)
}

/// Ids at all distances: half of a uniform network fall into bucket 0.
fn ids() -> impl Strategy<Value = (usize, [u8; ID_BYTES])> {
    let prefix = prop_oneof![2 => 0..6_usize, 1 => 0..=ID_BITS];
    (prefix, any::<[u8; ID_BYTES]>())
}

proptest! {
    #[test]
    fn closest_equals_a_plain_sort(
        own: [u8; ID_BYTES], k in 1..=K_MAX, members in vec(ids(), 0..200),
        stale in vec(any::<prop::sample::Index>(), 0..30),
        targets in vec(ids(), 1..10), except: prop::sample::Index, count in 0..300_usize,
    ) {
        let own = Id::new(own);
        let mut table = RoutingTable::new(own, k, SubnetLimit::new(None));
        for (number, &(prefix, noise)) in members.iter().enumerate() {
            let id = near(own, prefix, noise);
            if id != own {
                let contact = Contact { id, addr: addr(number as u16) };
                table.answered(entry(contact, Instant::ZERO));
            }
        }
        let all: Vec<Contact> = table.entries().map(Entry::contact).collect();
        if !all.is_empty() {
            for contact in stale.iter().map(|index| all[index.index(all.len())]) {
                (0..FAILURES_STALE).for_each(|_| { table.failed(contact); });
            }
        }
        let except = if all.is_empty() { own } else { all[except.index(all.len())].id };
        let (all, good): (Vec<_>, Vec<_>) =
            table.entries().map(|entry| (entry.contact(), !entry.is_stale())).unzip();
        let own_and_members = core::iter::once(own).chain(all.first().map(|contact| contact.id));
        let others = targets.iter().map(|&(prefix, noise)| near(own, prefix, noise));
        for target in own_and_members.chain(others) {
            for (health, except) in [(Health::Good, except), (Health::Any, own)] {
                let mut expected: Vec<Contact> = all.iter().zip(&good)
                    .filter(|&(contact, &good)| {
                        contact.id != except && (good || health == Health::Any)
                    })
                    .map(|(&contact, _)| contact)
                    .collect();
                expected.sort_by_key(|contact| contact.id ^ target);
                for count in [count, k, usize::MAX] {
                    let expected = &expected[..count.min(expected.len())];
                    prop_assert_eq!(&table.closest(target, count, health, except)[..], expected);
                }
            }
            let closer = all.iter().zip(&good)
                .filter(|&(contact, &good)| good && contact.id ^ target < own ^ target);
            prop_assert_eq!(table.closer_than_self(target), closer.count().min(k));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_random_id_falls_into_its_bucket(own: [u8; ID_BYTES], seed: u64) {
        let table = RoutingTable::new(Id::new(own), 20, SubnetLimit::new(None));
        let mut rng = Rng::from_u64(seed);
        for index in 0..ID_BITS {
            prop_assert_eq!(table.index(table.random_id(&mut rng, index)), index);
        }
    }
}

#[test]
fn gathering_the_k_closest_stays_on_the_stack() {
    let own = Id::new([0; ID_BYTES]);
    let mut table = RoutingTable::new(own, K_MAX, SubnetLimit::new(None));
    for index in 0..8 {
        let mut rng = Rng::from_u64(index as u64);
        // One short of K, so that a whole bucket comes on top of it.
        for number in 0..if index == 0 { K_MAX - 1 } else { K_MAX } {
            let contact =
                Contact { id: table.random_id(&mut rng, index), addr: addr(number as u16) };
            table.answered(entry(contact, Instant::ZERO));
        }
    }
    let mut rng = Rng::from_u64(99);
    for index in 0..8 {
        let target = table.random_id(&mut rng, index);
        let closest = table.closest(target, K_MAX, Health::Good, own);
        assert!(closest.len() == K_MAX && !closest.spilled());
    }
}

#[test]
fn refresh_is_due_where_no_lookup_fell_for_longest() {
    let own = Id::new([0; ID_BYTES]);
    let mut table = RoutingTable::new(own, 20, SubnetLimit::new(None));
    let mut of_second = RoutingTable::new(own, 20, SubnetLimit::new(None));
    of_second = of_second.of_shard(ShardPosition::new(1, 2));
    let due = RoutingTable::next_refresh;
    assert_eq!(due(&table), None);
    let mut rng = Rng::from_u64(1);
    let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
    let deepest = Contact { id: table.random_id(&mut rng, 2), addr: addr(1) };
    table.answered(entry(deepest, at(5)));
    of_second.answered(entry(deepest, at(5)));
    assert_eq!(due(&table), Some((0, at(5) + BUCKET_REFRESH)));
    assert_eq!(due(&of_second), Some((1, at(5) + BUCKET_REFRESH)));
    table.looked_up(at(7), Id::new([0xff; ID_BYTES]));
    assert_eq!(due(&table), Some((1, at(5) + BUCKET_REFRESH)));
    table.looked_up(at(8), own); // no bucket has our own id
    for table in [&mut table, &mut of_second] {
        table.looked_up_beyond(at(9), Some(0));
    }
    assert_eq!(due(&table), Some((0, at(7) + BUCKET_REFRESH)));
    assert_eq!(due(&of_second), Some((1, at(9) + BUCKET_REFRESH)));
    table.forget_lookups();
    assert_eq!(due(&table), Some((0, Instant::ZERO)));
}

#[test]
fn no_contact_is_wanted_under_the_own_id() {
    let own = Id::new([3; ID_BYTES]);
    let table = RoutingTable::new(own, 20, SubnetLimit::new(None));
    let at = |id| Contact { id, addr: addr(1) };
    assert!(!table.wants(at(own)));
    assert!(table.wants(at(Id::new([4; ID_BYTES]))));
    assert!(table.entry(own).is_none());
}

/// A contact of a bucket of the all-zero node, in a subnet of public addresses.
fn public(bucket: usize, subnet: u8, number: u8) -> Contact {
    let mut bytes = [0; ID_BYTES];
    bytes[bucket / 8] = 0x80 >> (bucket % 8);
    bytes[ID_BYTES - 2..].copy_from_slice(&[subnet, number]);
    let addr = SocketAddr::from(([192, 0, subnet, number], 9000));
    Contact { id: Id::new(bytes), addr }
}

#[test]
fn so_many_of_one_subnet_enter_a_bucket_and_the_table_and_no_more() {
    let mut table = RoutingTable::new(Id::new([0; ID_BYTES]), 20, SubnetLimit::new(None));
    let mut enters = |bucket, subnet, number| {
        let contact = public(bucket, subnet, number);
        let is_wanted = table.wants(contact);
        let admission = table.answered(entry(contact, Instant::ZERO));
        assert!(is_wanted || admission == Admission::Crowded);
        admission == Admission::Inserted
    };
    for bucket in 0..SUBNET_BUCKETS {
        let entered = (1..100).filter(|&number| enters(bucket, 1, number)).count();
        assert_eq!(entered, PEERS_PER_SUBNET, "bucket {bucket}");
        assert!(enters(bucket, 2, 1), "another subnet");
    }
    assert!(!enters(SUBNET_BUCKETS, 1, 1), "the table holds enough of it");
    assert!(enters(SUBNET_BUCKETS, 2, 100), "and of the other it does not");
    assert!((1..20).all(|number| enters(9, number + 10, number)), "they do not crowd out others");
}

proptest! {
    #[test]
    fn the_crowd_never_counts_fewer_of_a_subnet_than_there_are(
        k in 1..4_usize, steps in vec((0..4_u8, 0..3_usize, 0..3_u8, 1..20_u8), 0..200),
    ) {
        let mut table = RoutingTable::new(Id::new([0; ID_BYTES]), k, SubnetLimit::new(None));
        for (what, bucket, subnet, number) in steps {
            let contact = public(bucket, subnet, number);
            match what {
                0 => _ = table.failed(contact),
                1 => _ = table.gone(contact),
                _ => _ = table.answered(entry(contact, Instant::ZERO)),
            }
            for subnet in (0..3).map(|subnet| Subnet::of(public(0, subnet, 1).addr.ip())) {
                let all = table.buckets().iter().flat_map(Bucket::all);
                let count = all.filter(|entry| entry.subnet() == subnet).count();
                prop_assert!(table.crowd.at_most(subnet) >= count);
            }
        }
    }
}
