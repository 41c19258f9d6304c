//! The store against a plain list of values.

use alloc::vec;
use core::net::{IpAddr, Ipv4Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::node::samples::id;

const BYTES_MAX: usize = 12 * VALUE_OVERHEAD_BYTES;
const VALUES_MAX: usize = 8;

impl Store {
    /// Stores a value, and says which have made way for it.
    fn put(
        &mut self,
        key: Id,
        value: &[u8],
        source: Source,
        purpose: Purpose,
        life: Life,
    ) -> Result<Vec<Id>, StoreFull> {
        let mut evicted = Vec::new();
        self.store((key, value), source, purpose, life, |key| evicted.push(key))?;
        Ok(evicted)
    }

    /// Counts everything anew and compares.
    fn assert_consistent(&mut self) {
        assert!(self.bytes <= self.bytes_max && self.len <= self.values_max);
        assert_eq!(self.values.len(), self.len, "what has left is dropped");
        assert_eq!(self.bytes, self.values.iter().map(Held::weight).sum::<usize>());
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

/// What the store ought to hold, and how it ought to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    key: Id,
    bytes: usize,
    source: Source,
    purpose: Purpose,
    expires: Instant,
    replication: Option<Replication>,
}

fn replication(due: Instant) -> Replication {
    Replication { due, latest: due + Duration::from_secs(9) }
}

fn due(kept: &Kept) -> Option<Instant> {
    kept.replication.map(|replication| replication.due)
}

#[derive(Clone, Debug, Default)]
struct Model(Vec<Kept>);

impl Model {
    fn weight(&self, source: Option<Source>) -> usize {
        let of = self.0.iter().filter(|kept| source.is_none_or(|source| source == kept.source));
        of.map(|kept| kept.bytes + VALUE_OVERHEAD_BYTES).sum()
    }

    fn store(&mut self, new: Kept) -> Result<u64, StoreFull> {
        if let Some(kept) = self.0.iter_mut().find(|kept| kept.key == new.key) {
            kept.expires = kept.expires.max(new.expires);
            if new.purpose == Purpose::Replica {
                (kept.purpose, kept.replication) = (Purpose::Replica, new.replication);
            }
            return Ok(0);
        }
        if new.bytes + VALUE_OVERHEAD_BYTES > BYTES_MAX {
            return Err(StoreFull);
        }
        let before = self.0.clone();
        let mut evicted = 0;
        while self.weight(None) + new.bytes + VALUE_OVERHEAD_BYTES > BYTES_MAX
            || self.0.len() == VALUES_MAX
        {
            let sources = self.0.iter().map(|kept| kept.source);
            let heaviest = sources.max_by_key(|&source| (self.weight(Some(source)), source));
            let heaviest = heaviest.expect("a full store holds something");
            let with_new = self.weight(Some(new.source)) + new.bytes + VALUE_OVERHEAD_BYTES;
            let is_heaviest = with_new > self.weight(Some(heaviest));
            let pays = if is_heaviest { new.source } else { heaviest };
            let of = self.0.iter().filter(|kept| kept.source == pays);
            let order = |kept: &Kept| (kept.purpose == Purpose::Replica, kept.expires);
            let first = of.min_by_key(|kept| (order(kept), kept.key));
            let first = first.filter(|first| pays != new.source || order(first) < order(&new));
            let Some(first) = first.map(|first| first.key) else {
                self.0 = before;
                return Err(StoreFull);
            };
            self.0.retain(|kept| kept.key != first);
            evicted += 1;
        }
        self.0.push(new);
        Ok(evicted)
    }
}

/// The values of `store`, by key.
fn kept(store: &Store) -> Vec<Kept> {
    let kept = store.values.iter().map(|held| Kept {
        key: held.key,
        bytes: held.value.len(),
        source: store.shares.source(held.share),
        purpose: held.purpose(),
        expires: held.expires,
        replication: held.replication(),
    });
    let mut kept: Vec<Kept> = kept.collect();
    kept.sort_by_key(|kept| kept.key);
    kept
}

#[derive(Clone, Debug)]
enum Act {
    Store { number: u16, bytes: usize, source: u8, purpose: Purpose, life_s: u64, wait_s: u64 },
    Demote { number: u16 },
    Expire,
    Replicate { again_s: u64 },
}

fn acts() -> impl Strategy<Value = Vec<(Act, u64)>> {
    let purpose = prop_oneof![Just(Purpose::Replica), Just(Purpose::Cache)];
    let bytes =
        prop_oneof![4 => 0..200_usize, 2 => 0..1112_usize, 1 => Just(13 * VALUE_OVERHEAD_BYTES)];
    let store = (0..24_u16, bytes, 0..4_u8, purpose, 0..100_u64, 0..50_u64);
    let store = store.prop_map(|(number, bytes, source, purpose, life_s, wait_s)| Act::Store {
        number,
        bytes,
        source,
        purpose,
        life_s,
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

fn source(number: u8) -> Source {
    match number {
        0 => Source::Own,
        number => Source::of_ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))),
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
                Act::Store { number, bytes, source: from, purpose, life_s, wait_s } => {
                    let life = Life {
                        expires: now + Duration::from_secs(life_s),
                        replication: replication(now + Duration::from_secs(wait_s)),
                    };
                    let key = id(number);
                    let before = store.held(key).map(|held| (held.purpose(), held.expires));
                    let source = source(from);
                    let value = &[0; 13 * VALUE_OVERHEAD_BYTES][..bytes];
                    let storing = store.put(key, value, source, purpose, life);
                    let replication = (purpose == Purpose::Replica).then_some(life.replication);
                    let expires = life.expires;
                    let new = Kept { key, bytes, source, purpose, expires, replication };
                    prop_assert_eq!(storing.map(|evicted| evicted.len() as u64), model.store(new));
                    let after = store.held(key).map(|held| (held.purpose(), held.expires));
                    if let Some((purpose, expires)) = before {
                        let (now_is, now_expires) = after.expect("what is held stays held");
                        prop_assert!(now_expires >= expires, "renewing shortens no life");
                        prop_assert!(now_is == purpose || now_is == Purpose::Replica);
                    }
                }
                Act::Demote { number } => {
                    store.demote(id(number));
                    for kept in model.0.iter_mut().filter(|kept| kept.key == id(number)) {
                        (kept.purpose, kept.replication) = (Purpose::Cache, None);
                    }
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
                    let taken = store.take_replication(now, again).map(|held| held.key);
                    prop_assert_eq!(taken, next.as_ref().map(|kept| kept.key));
                    if let Some(kept) = next {
                        kept.replication = Some(again);
                    }
                }
            }
            store.assert_consistent();
            model.0.sort_by_key(|kept| kept.key);
            prop_assert_eq!(kept(&store), model.0.clone());
            let expiry = model.0.iter().map(|kept| kept.expires).min();
            prop_assert_eq!(store.next_expiry(), expiry);
            let replication = model.0.iter().filter_map(due).min();
            prop_assert_eq!(store.next_replication(), replication);
        }
    }
}

fn until(seconds: u64) -> Life {
    let at = Instant::ZERO + Duration::from_secs(seconds);
    Life { expires: at, replication: replication(at) }
}

#[test]
fn room_is_made_at_the_heaviest_sources_cost_and_the_light_one_is_spared() {
    let mut store = store();
    store.put(id(0), &[][..], source(1), Purpose::Replica, until(10)).expect("there is room");
    for number in 1..VALUES_MAX as u16 {
        let storing = store.put(id(number), &[][..], source(2), Purpose::Replica, until(100));
        assert_eq!(storing, Ok(vec![]));
    }
    for number in 100..103 {
        let storing = store.put(id(number), &[][..], source(3), Purpose::Replica, until(1));
        assert_eq!(storing.map(|evicted| evicted.len()), Ok(1));
    }
    assert!(store.held(id(0)).is_some(), "the light source keeps what it has");
    let refused = store.put(id(200), &[][..], source(2), Purpose::Replica, until(100));
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
        let source = source(1 + (number / 100) as u8);
        let storing = store.put(id(number), &[0; SMALL][..], source, Purpose::Replica, until(100));
        assert_eq!(storing, Ok(vec![]));
    }
    let large = vec![0; LARGE];
    for number in 0..8_u16 {
        let may = store.may_hold(LARGE, source(99));
        let life = until(50 + u64::from(number));
        let stored = store.put(id(2000 + number), &large[..], source(99), Purpose::Replica, life);
        // The first one is the heaviest share; each that follows takes the place of one.
        assert_eq!(stored.map(|evicted| evicted.len()), Ok(usize::from(number > 0)));
        assert!(may);
    }
    assert!((0..1000).all(|number| store.held(id(number)).is_some()));
    // One more that would not live as long as those that its source has.
    let stored = store.put(id(3000), &large[..], source(99), Purpose::Replica, until(1));
    assert_eq!(stored, Err(StoreFull));
    // Nor is there room for one of a new source, whose share it would make the heaviest but one.
    let huge = vec![0; 2 * LARGE];
    assert_eq!(
        store.put(id(3001), &huge[..], source(98), Purpose::Replica, until(500)),
        Err(StoreFull)
    );
    store.assert_consistent();
}

#[test]
fn a_demoted_replica_keeps_its_life_and_is_the_first_of_its_source_to_be_evicted() {
    let mut store = store();
    for number in 0..VALUES_MAX as u16 {
        let life = until(100 - u64::from(number));
        store.put(id(number), &[][..], source(1), Purpose::Replica, life).expect("there is room");
    }
    store.demote(id(0));
    assert_eq!(store.held(id(0)).map(|held| held.expires), Some(until(100).expires));
    let cached = store.put(id(100), &[][..], source(1), Purpose::Cache, until(100));
    assert_eq!(cached, Err(StoreFull), "it is no better than what would go");
    let stored = store.put(id(100), &[][..], source(1), Purpose::Replica, until(1));
    assert_eq!(stored, Ok(vec![id(0)]));
    let cached = store.put(id(101), &[][..], source(1), Purpose::Cache, until(1000));
    assert_eq!(cached, Err(StoreFull), "no replica goes for a cached copy of its source");
}

#[test]
fn no_value_is_evicted_for_one_that_is_refused() {
    const HALF: usize = VALUE_OVERHEAD_BYTES / 2;
    let mut store = store();
    let mut hold = |number, bytes: usize, from, seconds| {
        let value = &[0; 24 * HALF][..bytes];
        store.put(id(number), value, source(from), Purpose::Replica, until(seconds))
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
    let storing = store.put(id(5), &[0; 14 * HALF][..], source(1), Purpose::Replica, until(200));
    assert_eq!(storing, Ok(vec![id(3), id(2), id(1)]));
    store.assert_consistent();
}

#[test]
fn a_store_without_room_holds_nothing() {
    let hash = Keyed::new([7; 16]);
    for (bytes_max, values_max) in [(0, 10), (VALUE_OVERHEAD_BYTES - 1, 10), (BYTES_MAX, 0)] {
        let mut store = Store::new(bytes_max, values_max, hash.clone());
        let storing = store.put(id(1), &[][..], source(1), Purpose::Replica, until(1));
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
