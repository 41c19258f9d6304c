//! The values put here against a plain list of them.

use alloc::collections::BTreeMap;
use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::node::samples::id;

impl Published {
    fn assert_consistent(&mut self) {
        self.due.assert_ordered(&mut self.values);
        assert_eq!(self.due.len(), self.len());
        assert_eq!(self.keys, self.values.iter().map(|publication| publication.key).collect());
        assert!(self.keys.iter().all(|&key| self.find(key).is_some_and(|found| found.key == key)));
    }
}

#[derive(Clone, Debug)]
enum Act {
    Put { wait_s: u64 },
    Forget,
    Stored(usize),
    Take { again_s: u64, bits: usize, most: usize },
    Hasten,
}

fn acts() -> impl Strategy<Value = Vec<(Act, u16, u64)>> {
    let act = prop_oneof![
        3 => (0..60_u64).prop_map(|wait_s| Act::Put { wait_s }),
        1 => Just(Act::Forget),
        2 => (0..2_usize).prop_map(Act::Stored),
        3 => (0..60_u64, 0..6_usize, 1..4_usize)
            .prop_map(|(again_s, bits, most)| Act::Take { again_s, bits, most }),
        1 => Just(Act::Hasten),
    ];
    vec((act, 0..12_u16, 0..20_u64), 1..100)
}

fn value(number: u16) -> Arc<[u8]> {
    number.to_be_bytes()[..].into()
}

proptest! {
    #[test]
    fn published_values_behave_like_a_plain_list_of_them(acts in acts()) {
        let mut published = Published::new(Keyed::new([7; 16]));
        let mut model: BTreeMap<Id, (Arc<[u8]>, Instant, usize)> = BTreeMap::new();
        let mut now = Instant::ZERO;
        for (act, number, seconds) in acts {
            now = now + Duration::from_secs(seconds);
            let key = id(number);
            match act {
                Act::Put { wait_s } => {
                    let republish = now + Duration::from_secs(wait_s);
                    prop_assert_eq!(published.put(key, value(number), republish), Ok(()));
                    model.insert(key, (value(number), republish, 0));
                }
                Act::Forget => {
                    let forgotten = model.remove(&key).map(|(value, ..)| value);
                    prop_assert_eq!(published.forget(key), forgotten);
                }
                Act::Stored(holders) => {
                    published.stored(key, holders);
                    model.entry(key).and_modify(|kept| kept.2 = holders);
                }
                Act::Take { again_s, bits, most } => {
                    let again = now + Duration::from_secs(again_s);
                    let all_due = || model.iter().filter(|(_, kept)| kept.1 <= now);
                    let first = all_due().min_by_key(|&(&key, kept)| (kept.1, key));
                    prop_assert_eq!(published.first_due(now), first.map(|(&key, _)| key));
                    prop_assert_eq!(published.count_due(|due| due <= now), all_due().count());
                    let is_near = |other: Id| (other ^ key).shared_prefix_bits() >= bits;
                    let due = all_due().filter(|&(&key, _)| is_near(key)).take(most);
                    let due: Vec<_> =
                        due.map(|(&key, kept)| (key, Arc::clone(&kept.0))).collect();
                    let taken = published.take_due(key.sharing(bits), now, again, most);
                    prop_assert_eq!(&taken, &due);
                    for (key, _) in due {
                        model.entry(key).and_modify(|kept| kept.1 = again);
                    }
                }
                Act::Hasten => {
                    published.begin_hastening();
                    published.hasten(now);
                    let unplaced = model.values_mut().filter(|kept| kept.2 == 0);
                    unplaced.for_each(|kept| kept.1 = kept.1.min(now));
                }
            }
            published.assert_consistent();
            prop_assert_eq!(published.len(), model.len());
            prop_assert_eq!(published.next_republish(), model.values().map(|kept| kept.1).min());
            prop_assert_eq!(published.value(key), model.get(&key).map(|kept| &kept.0));
        }
    }
}

#[test]
fn values_are_hastened_a_bounded_number_at_a_time_and_none_is_left_out() {
    let mut published = Published::new(Keyed::new([7; 16]));
    let (now, later) = (Instant::from_micros(1), Instant::from_micros(1000));
    let last = 3 * HASTEN_VALUES as u16;
    for number in 0..last {
        assert_eq!(published.put(id(number), value(number), later), Ok(()));
    }
    let due = |published: &Published| published.count_due(|due| due <= now);
    published.begin_hastening();
    published.hasten(now);
    assert_eq!(due(&published), HASTEN_VALUES);
    // Others take their places, from either side.
    for number in [0, last / 2, last - 1] {
        published.forget(id(number));
    }
    while published.is_hastening() {
        let before = due(&published);
        published.hasten(now);
        assert!(due(&published) <= before + HASTEN_VALUES);
    }
    assert_eq!(due(&published), published.len());
}

#[test]
fn no_more_are_kept_than_the_limit_and_known_ones_may_be_put_again() {
    let mut published = Published::new(Keyed::new([7; 16]));
    let nothing: Arc<[u8]> = [][..].into();
    let key = |number: usize| {
        let mut bytes = [0; crate::id::ID_BYTES];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Id::new(bytes)
    };
    for number in 0..PUBLISHED_VALUES_MAX {
        let put = published.put(key(number), Arc::clone(&nothing), Instant::ZERO);
        assert_eq!(put, Ok(()));
    }
    let more = key(PUBLISHED_VALUES_MAX);
    assert_eq!(published.put(more, Arc::clone(&nothing), Instant::ZERO), Err(Full));
    assert_eq!(published.put(key(3), Arc::clone(&nothing), Instant::ZERO), Ok(()));
    published.forget(key(3));
    assert_eq!(published.put(more, nothing, Instant::ZERO), Ok(()));
    assert_eq!(published.len(), PUBLISHED_VALUES_MAX);
}
