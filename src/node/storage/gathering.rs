//! Gathers what a departing node hands off: some keys at a time, since there may be millions.

use core::ops::Bound;

use super::Storage;
use super::held::Replication;
use crate::limits::GATHER_VALUES;
use crate::node::to_hand_off::ToHandOff;
use crate::time::Instant;

/// That of a replica that is gathered: its turn does not come again.
const GATHERED: Replication = Replication { due: Instant::END, latest: Instant::ZERO };

impl Storage {
    /// Gathers some more of the keys.
    pub(crate) fn gather(&mut self, keys: &mut ToHandOff) {
        let mut most = GATHER_VALUES;
        let after = keys.last.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, is_held) in self.published.after(after).take(most) {
            (if is_held { &mut keys.held } else { &mut keys.unheld }).push_back(key);
            keys.last = Some(key);
            most -= 1;
        }
        while most > 0
            && let Some((key, replication)) = self.store.first_replica()
            && replication.due < GATHERED.due
        {
            self.store.reschedule(key, GATHERED);
            if self.published.value(key).is_none() {
                keys.replicas.push_back(key);
            }
            most -= 1;
        }
        keys.left = if most == 0 { keys.left.saturating_sub(GATHER_VALUES).max(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use super::*;
    use crate::id::Id;
    use crate::node::Config;
    use crate::node::effect::Turn;
    use crate::node::samples::id;
    use crate::node::storage::Terms;
    use crate::wire::Purpose;

    #[test]
    fn keys_are_gathered_a_bounded_number_at_a_time_and_none_is_left_out() {
        let mut turn = Turn::new(Config::new(id(0), [7; 32]), Instant::ZERO);
        let mut storage = Storage::new(&mut turn);
        let each = GATHER_VALUES as u16;
        let value = |number: u16| [number.to_be_bytes()[0]];
        for number in 0..2 * each {
            let put = storage.publish(&mut turn, id(number), value(number)[..].into());
            assert_eq!(put, Ok(()));
            storage.stored(&mut turn, id(number), usize::from(number < each));
        }
        // The first of them were put here too.
        let expires = turn.now + turn.config.expire;
        let terms = Terms::own(Purpose::Replica, expires);
        for number in 2 * each - 10..3 * each {
            assert_eq!(storage.hold(&mut turn, (id(number), value(number)), terms), Ok(()));
        }
        let mut keys = ToHandOff { left: storage.len(), ..ToHandOff::default() };
        let due_of = |storage: &Storage, key: Id| storage.store.held(key)?.replication();
        let due: Vec<_> = (2 * each..3 * each).map(|number| due_of(&storage, id(number))).collect();
        let mut steps = 0;
        while keys.left > 0 {
            let gathered = |keys: &ToHandOff| keys.len() - keys.left;
            let before = gathered(&keys);
            storage.gather(&mut keys);
            assert!(gathered(&keys) - before <= GATHER_VALUES);
            assert!(keys.len() >= 3 * GATHER_VALUES);
            steps += 1;
        }
        assert_eq!((steps, keys.len()), (4, 3 * GATHER_VALUES));
        // Those first whose turn comes first.
        let dues: BTreeMap<Id, _> = (2 * each..3 * each).map(id).zip(due).collect();
        assert!(keys.replicas.iter().is_sorted_by_key(|key| dues[key].map(|replica| replica.due)));
        let expected = |of: core::ops::Range<u16>| {
            let mut ids: Vec<Id> = of.map(id).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(keys.held.iter().copied().collect::<Vec<_>>(), expected(0..each));
        assert_eq!(keys.unheld.iter().copied().collect::<Vec<_>>(), expected(each..2 * each));
        let first = keys.take(GATHER_VALUES * 2);
        assert_eq!(first.len(), GATHER_VALUES, "of one kind");
        let mut replicas = keys.take(GATHER_VALUES * 2);
        replicas.sort_unstable();
        assert_eq!(replicas, expected(2 * each..3 * each));
    }
}
