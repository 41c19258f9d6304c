//! The store against a plain list of values.

mod model;

use alloc::collections::BTreeSet;
use alloc::vec;
use core::net::{IpAddr, Ipv4Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use self::model::{Kept, Model, due, kept, replication};
use super::*;
use crate::node::samples::id;
use crate::node::storage::source::Source;

const BYTES_MAX: usize = 12 * VALUE_OVERHEAD_BYTES + 3 * SOURCE_OVERHEAD_BYTES;
const VALUES_MAX: usize = 8;

impl Store {
    /// Stores a value, and says which have made way for it.
    fn put(
        &mut self,
        key: Id,
        value: &[u8],
        terms: Terms,
        replication: Replication,
    ) -> Result<Vec<Id>, StoreFull> {
        let mut evicted = Vec::new();
        self.store((key, value), terms, replication, |key| evicted.push(key))?;
        Ok(evicted)
    }

    /// Counts everything anew and compares.
    fn assert_consistent(&mut self) {
        assert!(self.bytes() <= self.bytes_max && self.len <= self.values_max);
        assert_eq!(self.values.len(), self.len, "what has left is dropped");
        self.expiries.assert_ordered(&mut self.values);
        assert_eq!(self.expiries.len(), self.len);
        self.replications.assert_ordered(&mut self.values);
        assert!(self.replications.iter().all(|slot| self.values[slot].is_replica()));
        let replicas = self.values.iter().filter(|held| held.is_replica()).count();
        assert_eq!(self.replications.len(), replicas);
        for index in 0..self.len {
            let slot = Slot::new(index);
            assert_eq!(self.keys.find(&self.values, self.values[slot].key), Some(slot));
        }
        self.shares.assert_consistent(&mut self.values);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Store { number: u16, bytes: usize, terms: Terms, wait_s: u64 },
    Demote { number: u16 },
    Expire,
    Replicate { again_s: u64 },
}

/// Terms that hold for so long after the origin of time.
fn terms() -> impl Strategy<Value = Terms> {
    let purpose = prop_oneof![3 => Just(Purpose::Replica), 1 => Just(Purpose::Cache)];
    let terms = (0..7_u8, purpose, proptest::bool::weighted(0.7), 0..100_u64);
    terms.prop_map(|(from, purpose, is_near, life_s)| {
        let expires = Instant::ZERO + Duration::from_secs(life_s);
        Terms { source: source(from), is_near, ..Terms::own(purpose, expires) }
    })
}

fn acts() -> impl Strategy<Value = Vec<(Act, u64)>> {
    let bytes =
        prop_oneof![4 => 0..200_usize, 2 => 0..1112_usize, 1 => Just(17 * VALUE_OVERHEAD_BYTES)];
    let store = (0..24_u16, bytes, terms(), 0..50_u64);
    let store = store.prop_map(|(number, bytes, terms, wait_s)| Act::Store {
        number,
        bytes,
        terms,
        wait_s,
    });
    let act = prop_oneof![
        12 => store,
        1 => (0..24_u16).prop_map(|number| Act::Demote { number }),
        2 => Just(Act::Expire),
        2 => (0..50_u64).prop_map(|again_s| Act::Replicate { again_s }),
    ];
    vec((act, 0..8_u64), 1..150)
}

/// This node, and six hosts of three subnets.
fn source(number: u8) -> Source {
    match number {
        0 => Source::Own,
        number => Source::of_ip(IpAddr::V4(Ipv4Addr::new(10, 0, number % 3, number))),
    }
}

fn store() -> Store {
    Store::new(BYTES_MAX, VALUES_MAX, Keyed::new([7; 16]))
}

proptest! {
    #[test]
    fn the_store_behaves_like_a_plain_list_of_values(acts in acts()) {
        let (mut store, mut model) = (store(), Model::default());
        let mut now = Instant::ZERO;
        for (act, seconds) in acts {
            now = now + Duration::from_secs(seconds);
            match act {
                Act::Store { number, bytes, terms, wait_s } => {
                    let expires = now + terms.expires.since(Instant::ZERO);
                    let terms = Terms { expires, ..terms };
                    let wait = replication(now + Duration::from_secs(wait_s));
                    let key = id(number);
                    let before = store.held(key).map(|held| (held.purpose(), held.expires));
                    let Terms { source, purpose, is_near, .. } = terms;
                    let replication = (purpose == Purpose::Replica).then_some(wait);
                    let owner = Owner { source, rank: Rank::new(purpose, is_near) };
                    let new = Kept { key, bytes, owner, purpose, expires, replication };
                    let expected = model.store(&new, is_near, &store.shares);
                    let value = &[0; 17 * VALUE_OVERHEAD_BYTES][..bytes];
                    let may_hold = store.may_hold(bytes, terms);
                    let storing = store.put(key, value, terms, wait);
                    prop_assert!(may_hold || before.is_some() || storing.is_err());
                    prop_assert_eq!(storing.map(|evicted| evicted.len() as u64), expected);
                    let after = store.held(key).map(|held| (held.purpose(), held.expires));
                    if let Some((purpose, expires)) = before {
                        let (now_is, now_expires) = after.expect("what is held stays held");
                        prop_assert!(now_expires >= expires, "renewing shortens no life");
                        prop_assert!(now_is == purpose || now_is == Purpose::Replica);
                    }
                }
                Act::Demote { number } => {
                    store.demote(id(number));
                    model.demote(id(number));
                }
                Act::Expire => {
                    let before = model.0.len();
                    model.0.retain(|kept| kept.expires > now);
                    let due = before - model.0.len();
                    // In two parts, the first of which is bounded.
                    let first = store.expire(now, due / 2);
                    prop_assert_eq!(first, due / 2);
                    prop_assert_eq!(store.expire(now, usize::MAX), due - first);
                }
                Act::Replicate { again_s } => {
                    let again = replication(now + Duration::from_secs(again_s));
                    let is_due = |kept: &&mut Kept| due(kept).is_some_and(|due| due <= now);
                    let next = model.0.iter_mut().filter(is_due);
                    let next = next.min_by_key(|kept| (due(kept), kept.key));
                    let first = store.first_replica();
                    let taken = first.filter(|(_, replication)| replication.due <= now);
                    let taken = taken.map(|(key, _)| key);
                    prop_assert_eq!(taken, next.as_ref().map(|kept| kept.key));
                    if let Some(kept) = next {
                        store.reschedule(kept.key, again);
                        kept.replication = Some(again);
                    }
                }
            }
            store.assert_consistent();
            prop_assert_eq!(store.bytes(), model.weight(|_| true));
            model.0.sort_by_key(|kept| kept.key);
            prop_assert_eq!(kept(&store), model.0.clone());
            let expiry = model.0.iter().map(|kept| kept.expires).min();
            prop_assert_eq!(store.next_expiry(), expiry);
            let replication = model.0.iter().filter_map(due).min();
            prop_assert_eq!(store.next_replication(), replication);
            let replicas_due = model.0.iter().filter_map(due).filter(|due| *due <= now).count();
            prop_assert_eq!(store.count_due(|due| due <= now), replicas_due);
        }
    }
}

/// Terms of a source for a replica near to this node.
fn replica(from: u8, seconds: u64) -> Terms {
    let expires = Instant::ZERO + Duration::from_secs(seconds);
    Terms { source: source(from), ..Terms::own(Purpose::Replica, expires) }
}

/// Later than anything that happens here.
const LATER: Replication =
    Replication { due: Instant::from_micros(1 << 60), latest: Instant::from_micros(1 << 61) };

#[test]
fn room_is_made_at_the_heaviest_sources_cost_and_the_light_one_is_spared() {
    let mut store = store();
    store.put(id(0), &[][..], replica(1, 10), LATER).expect("there is room");
    for number in 1..VALUES_MAX as u16 {
        let storing = store.put(id(number), &[][..], replica(2, 100), LATER);
        assert_eq!(storing, Ok(vec![]));
    }
    for number in 100..103 {
        let storing = store.put(id(number), &[][..], replica(3, 1), LATER);
        assert_eq!(storing.map(|evicted| evicted.len()), Ok(1));
    }
    assert!(store.held(id(0)).is_some(), "the light source keeps what it has");
    let refused = store.put(id(200), &[][..], replica(2, 100), LATER);
    assert_eq!(refused, Err(StoreFull), "the heaviest gets no more than it has");
}

/// What a store of 100 small values of each of ten sources makes of a large value.
#[test]
fn a_source_of_large_values_pushes_out_none_of_the_small_ones_of_others() {
    const SMALL: usize = 1000;
    const LARGE: usize = 300 << 10;
    let room = 1000 * (SMALL + VALUE_OVERHEAD_BYTES) + 2 * LARGE;
    let mut store = Store::new(room, 5000, Keyed::new([7; 16]));
    for number in 0..1000_u16 {
        let terms = replica(1 + (number / 100) as u8, 100);
        let storing = store.put(id(number), &[0; SMALL][..], terms, LATER);
        assert_eq!(storing, Ok(vec![]));
    }
    let large = vec![0; LARGE];
    for number in 0..8_u16 {
        let terms = replica(99, 50 + u64::from(number));
        let may = store.may_hold(LARGE, terms);
        let stored = store.put(id(2000 + number), &large[..], terms, LATER);
        // The first one is the heaviest share; each that follows takes the place of one.
        assert_eq!(stored.map(|evicted| evicted.len()), Ok(usize::from(number > 0)));
        assert!(may);
    }
    assert!((0..1000).all(|number| store.held(id(number)).is_some()));
    // One more that would not live as long as those that its source has.
    let stored = store.put(id(3000), &large[..], replica(99, 1), LATER);
    assert_eq!(stored, Err(StoreFull));
    // Nor is there room for one of a new source, whose share it would make the heaviest but one.
    let huge = vec![0; 3 * LARGE];
    assert!(!store.may_hold(huge.len(), replica(98, 500)), "it is not even pulled");
    assert_eq!(store.put(id(3001), &huge[..], replica(98, 500), LATER), Err(StoreFull));
    store.assert_consistent();
}

#[test]
fn a_demoted_replica_keeps_its_life_and_is_the_first_of_its_source_to_be_evicted() {
    let mut store = store();
    let cached_for = |seconds| Terms { purpose: Purpose::Cache, ..replica(1, seconds) };
    for number in 0..VALUES_MAX as u16 {
        let terms = replica(1, 100 - u64::from(number));
        store.put(id(number), &[][..], terms, LATER).expect("there is room");
    }
    store.demote(id(0));
    assert_eq!(store.held(id(0)).map(|held| held.expires), Some(replica(1, 100).expires));
    let cached = store.put(id(100), &[][..], cached_for(100), LATER);
    assert_eq!(cached, Err(StoreFull), "it is no better than what would go");
    let stored = store.put(id(100), &[][..], replica(1, 1), LATER);
    assert_eq!(stored, Ok(vec![id(0)]));
    let cached = store.put(id(101), &[][..], cached_for(1000), LATER);
    assert_eq!(cached, Err(StoreFull), "no replica goes for a cached copy of its source");
}

#[test]
fn what_yields_makes_way_for_what_stays_and_never_the_other_way_round() {
    let mut store = store();
    let far = |from, seconds| Terms { is_near: false, ..replica(from, seconds) };
    for number in 0..4 {
        store.put(id(number), &[], replica(1, 10), LATER).expect("there is room");
        let terms = far(2, 100 + u64::from(number));
        store.put(id(100 + number), &[], terms, LATER).expect("there is room");
    }
    // It is the light one of the two, and lives longer.
    assert_eq!(store.put(id(200), &[], far(3, 1000), LATER), Ok(vec![id(100)]));
    let evicted = [10, 11, 12, 13]
        .map(|number| store.put(id(number), &[], replica(1, 10), LATER).expect("others yield"));
    let evicted: BTreeSet<Id> = evicted.into_iter().flatten().collect();
    assert_eq!(evicted, [101, 102, 103, 200].map(id).into());
    assert_eq!(store.put(id(201), &[], far(3, 1000), LATER), Err(StoreFull));
    // A replica that has come to be far yields too.
    assert_eq!(store.put(id(0), &[], far(3, 1000), LATER), Ok(vec![]), "it is held");
    assert_eq!(store.put(id(14), &[], replica(1, 10), LATER), Ok(vec![id(0)]));
    store.assert_consistent();
}

#[test]
fn a_subnet_of_many_hosts_pays_for_all_of_them() {
    let room = 300 * (VALUE_OVERHEAD_BYTES + SOURCE_OVERHEAD_BYTES);
    let mut store = Store::new(room, usize::MAX, Keyed::new([7; 16]));
    let of = |host: [u8; 4]| Source::of_ip(IpAddr::V4(host.into()));
    let terms = |source| Terms { source, ..replica(1, 100) };
    for number in 0..20 {
        store.put(id(number), &[], terms(of([10, 1, 1, 1])), LATER).expect("there is room");
    }
    for number in 0..1000_u16 {
        let host = of([10, 2, 2, number as u8]);
        let storing = store.put(id(1000 + number), &[], terms(host), LATER);
        assert!(storing.is_ok() || number > 200, "there is room for the first {number}");
    }
    assert!((0..20).all(|number| store.held(id(number)).is_some()));
    store.assert_consistent();
}

#[test]
fn of_sources_that_weigh_the_same_no_address_always_pays() {
    let first_to_go = |secret: u8| {
        let mut store = Store::new(usize::MAX, 20, Keyed::new([secret; 16]));
        for host in 1..=20 {
            let source = Source::of_ip(IpAddr::V4([10, 1, host, 1].into()));
            let terms = Terms { source, ..replica(1, 100) };
            store.put(id(host.into()), &[], terms, LATER).expect("there is room");
        }
        let terms = replica(99, 100);
        store.put(id(1000), &[], terms, LATER).expect("another makes way")
    };
    let gone: BTreeSet<Id> = (0..20).flat_map(first_to_go).collect();
    assert!(gone.len() > 5, "{gone:?}");
}

#[test]
fn no_value_is_evicted_for_one_that_is_refused() {
    const HALF: usize = VALUE_OVERHEAD_BYTES / 2;
    let mut store = Store::new(34 * HALF, VALUES_MAX, Keyed::new([7; 16]));
    let mut hold = |number, bytes: usize, from, seconds| {
        store.put(id(number), &[0; 24 * HALF][..bytes], replica(from, seconds), LATER)
    };
    for (number, bytes, from, seconds) in
        [(1, 0, 1, 100), (2, 8 * HALF, 2, 95), (3, 0, 2, 90), (4, 6 * HALF, 2, 100)]
    {
        assert_eq!(hold(number, bytes, from, seconds), Ok(vec![]));
    }
    // Source 2 weighs the most, until two of its values are gone: then source 1 would, and
    // has nothing that ends sooner.
    assert_eq!(hold(5, 14 * HALF, 1, 50), Err(StoreFull));
    assert!((1..=4).all(|number| store.held(id(number)).is_some()));
    store.assert_consistent();
    let storing = store.put(id(5), &[0; 14 * HALF][..], replica(1, 200), LATER);
    assert_eq!(storing, Ok(vec![id(3), id(2), id(1)]));
    store.assert_consistent();
}

#[test]
fn a_store_without_room_holds_nothing() {
    let hash = Keyed::new([7; 16]);
    let least = VALUE_OVERHEAD_BYTES + SOURCE_OVERHEAD_BYTES + SUBNET_OVERHEAD_BYTES;
    for (bytes_max, values_max) in [(0, 10), (least - 1, 10), (BYTES_MAX, 0)] {
        let mut store = Store::new(bytes_max, values_max, hash.clone());
        let storing = store.put(id(1), &[][..], replica(1, 1), LATER);
        assert_eq!(storing, Err(StoreFull));
        store.assert_consistent();
    }
}

#[test]
fn a_cached_copys_life_halves_with_each_closer_node_down_to_the_least() {
    let (most, least) = (Duration::from_hours(24), Duration::from_mins(10));
    assert_eq!(cache_life(most, 0, least), most);
    assert_eq!(cache_life(most, 1, least), most / 2);
    assert_eq!(cache_life(most, 3, least), most / 8);
    assert_eq!(cache_life(most, 20, least), least);
    assert_eq!(cache_life(most, usize::MAX, least), least);
    let short = Duration::from_secs(5);
    assert_eq!(cache_life(short, 3, least), short, "a copy never outlives what it copies");
    assert_eq!(cache_life(Duration::ZERO, 0, least), Duration::ZERO);
}
