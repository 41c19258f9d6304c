//! Any batch leaves whole, in the order of each peer, in trains that the kernel
//! takes.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::driver::address::Reach;

fn peer(number: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, number))
}

/// A datagram of `length` bytes with this steer byte.
fn datagram(length: usize, steer: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    if let Some(place) = bytes.get_mut(STEER_OFFSET) {
        *place = steer;
    }
    bytes
}

type Sent = (SocketAddr, Vec<u8>);

/// A batch that was added: its datagrams, one after another in one piece of memory, and
/// which of them are in each run.
struct Batch {
    to: Vec<SocketAddr>,
    memory: Vec<u8>,
    places: Vec<Range<usize>>,
    runs: Vec<Vec<usize>>,
}

/// Whether a datagram begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lies {
    Apart,
    Adjacent,
}

impl Batch {
    fn new(grouping: &mut Grouping, batch: &[Sent], lies: Lies) -> Self {
        let (mut memory, mut places) = (Vec::new(), Vec::new());
        for (_, bytes) in batch {
            memory.extend(std::iter::repeat_n(0, usize::from(lies == Lies::Apart)));
            places.push(memory.len()..memory.len() + bytes.len());
            memory.extend(bytes);
        }
        let to = batch.iter().map(|(to, _)| *to).collect();
        let mut added = Self { to, memory, places, runs: Vec::new() };
        for (number, to) in added.to.iter().enumerate() {
            match grouping.add(*to, added.bytes(number), || Name::new(Reach::V4, *to)) {
                Added::Begun => added.runs.push(vec![number]),
                Added::Joined => added.runs.last_mut().expect("a run").push(number),
                Added::Nameless => panic!("it is within reach"),
            }
        }
        added
    }

    fn bytes(&self, number: usize) -> &[u8] {
        &self.memory[self.places[number].clone()]
    }

    fn key(&self, number: usize) -> (SocketAddr, u8) {
        let steer = self.bytes(number).get(STEER_OFFSET).copied().unwrap_or_default();
        (self.to[number], steer)
    }

    /// The numbers of a part's datagrams.
    fn members(&self, part: Part) -> &[usize] {
        let Part { run, first, count, .. } = part;
        &self.runs[usize::from(run)][usize::from(first)..][..usize::from(count)]
    }

    /// What leaves: the numbers of each train's datagrams.
    fn trains(&self, grouping: &Grouping) -> Vec<Vec<usize>> {
        let parts = |train: &Train| {
            let parts = &grouping.parts()[usize::from(train.first)..][..usize::from(train.parts)];
            parts.iter().flat_map(|part| self.members(*part)).copied().collect()
        };
        grouping.trains().iter().map(parts).collect()
    }

    /// Each datagram once, to where it was sent, in the order of its kind, and in
    /// trains as the kernel wants them.
    fn assert_sound(&self, grouping: &Grouping) {
        let mut latest: HashMap<(SocketAddr, u8), usize> = HashMap::new();
        let trains = self.trains(grouping);
        for (members, train) in trains.iter().zip(grouping.trains()) {
            assert_eq!(members.len(), usize::from(train.count));
            assert!((1..=TRAIN_DATAGRAMS_MAX).contains(&members.len()));
            let total: usize = members.iter().map(|number| self.bytes(*number).len()).sum();
            assert!(total <= TRAIN_BYTES_MAX);
            let (key, head) = (self.key(members[0]), self.bytes(members[0]).len());
            let name = Name::new(Reach::V4, key.0).expect("within reach");
            assert_eq!(grouping.name(*train).bytes(), name.bytes());
            for (place, number) in members.iter().enumerate() {
                let bytes = self.bytes(*number);
                assert_eq!(self.key(*number), key);
                let is_last = place + 1 == members.len();
                assert!(bytes.len() == head || (is_last && bytes.len() < head));
                assert!(place == 0 || !bytes.is_empty());
                let before = latest.insert(key, *number);
                assert!(before.is_none_or(|before| before < *number), "out of order");
            }
        }
        assert_eq!(trains.iter().map(Vec::len).sum::<usize>(), self.to.len());
        self.assert_parts_are_their_datagrams(grouping);
    }

    /// What is sent of a run is where its datagrams are.
    fn assert_parts_are_their_datagrams(&self, grouping: &Grouping) {
        for part in grouping.parts() {
            let run_start = self.places[self.runs[usize::from(part.run)][0]].start;
            let members = self.members(*part);
            let (first, last) = (members[0], members[members.len() - 1]);
            let Range { start, end } = part.bytes();
            assert_eq!(run_start + start, self.places[first].start);
            assert_eq!(run_start + end, self.places[last].end);
        }
    }
}

/// The trains of a batch whose datagrams lie apart.
fn coupled(coalescing: Coalescing, batch: &[Sent]) -> Vec<Vec<usize>> {
    let mut grouping = Grouping::new(coalescing);
    let added = Batch::new(&mut grouping, batch, Lies::Apart);
    grouping.couple(|_| true);
    added.assert_sound(&grouping);
    added.trains(&grouping)
}

fn batches() -> impl Strategy<Value = Vec<Vec<Sent>>> {
    let length = prop_oneof![Just(0), Just(3), Just(68), Just(100), Just(1232), 0..1232usize];
    let times = prop_oneof![3 => Just(1), 1 => 1..80usize];
    let burst = (1..6u16, length, 0..2u8, times);
    let sent = burst.prop_map(|(to, length, steer, times)| {
        std::iter::repeat_n((peer(to), datagram(length, steer)), times)
    });
    let batch = vec(sent, 0..BATCH_MAX);
    let batch = batch.prop_map(|sent| sent.into_iter().flatten().take(BATCH_MAX).collect());
    vec(batch, 1..4)
}

proptest! {
    #[test]
    fn every_datagram_leaves_once_in_its_order(
        batches in batches(),
        lies in prop_oneof![Just(Lies::Apart), Just(Lies::Adjacent)],
        index in 0..8usize,
    ) {
        let mut grouping = Grouping::new(Coalescing::On);
        for batch in batches {
            grouping.clear();
            let added = Batch::new(&mut grouping, &batch, lies);
            grouping.couple(|_| true);
            added.assert_sound(&grouping);
            let before = added.trains(&grouping);
            let Some(last) = before.len().checked_sub(1) else {
                continue;
            };
            let index = index.min(last);
            let count = grouping.uncouple(index);
            added.assert_sound(&grouping);
            let after = added.trains(&grouping);
            let singles: Vec<_> = before[index].iter().map(|number| vec![*number]).collect();
            prop_assert_eq!(count, singles.len());
            prop_assert_eq!(&after[..index], &before[..index]);
            prop_assert_eq!(&after[index..][..count], &singles[..]);
            prop_assert_eq!(&after[index + count..], &before[index + 1..]);
        }
    }
}

#[test]
fn a_burst_that_lies_in_one_piece_leaves_as_one_part() {
    let mut grouping = Grouping::new(Coalescing::On);
    let burst = |to| vec![(peer(to), datagram(100, 0)); 16];
    let batch = [burst(1), burst(2), burst(1)].concat();
    let added = Batch::new(&mut grouping, &batch, Lies::Adjacent);
    assert_eq!(added.runs.len(), 3);
    grouping.couple(|_| true);
    added.assert_sound(&grouping);
    let shape = grouping.trains().iter().map(|train| (train.count, train.parts));
    assert_eq!(shape.collect::<Vec<_>>(), [(32, 2), (16, 1)]);
}

#[test]
fn a_run_ends_where_length_steer_or_train_do() {
    let mut grouping = Grouping::new(Coalescing::On);
    let one = |length, steer| (peer(1), datagram(length, steer));
    let batch = [one(100, 0), one(100, 0), one(60, 0), one(60, 1), one(0, 0), one(0, 0)];
    let added = Batch::new(&mut grouping, &batch, Lies::Adjacent);
    assert_eq!(added.runs, [vec![0, 1], vec![2], vec![3], vec![4], vec![5]]);
    grouping.clear();
    let batch = vec![one(100, 0); 2 * TRAIN_DATAGRAMS_MAX + 1];
    let added = Batch::new(&mut grouping, &batch, Lies::Adjacent);
    let lengths: Vec<_> = added.runs.iter().map(Vec::len).collect();
    assert_eq!(lengths, [TRAIN_DATAGRAMS_MAX, TRAIN_DATAGRAMS_MAX, 1]);
}

#[test]
fn what_goes_to_one_peer_goes_together_however_it_alternates() {
    let batch: Vec<_> = (0..12).map(|number| (peer(1 + number % 3), datagram(100, 0))).collect();
    let trains = coupled(Coalescing::On, &batch);
    assert_eq!(trains, [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]);
}

#[test]
fn a_shorter_one_is_the_last_of_its_train_and_a_longer_one_begins_another() {
    let lengths = [100, 100, 60, 60, 100, 0, 0];
    let batch: Vec<_> = lengths.map(|length| (peer(1), datagram(length, 0))).into();
    let expected: [&[usize]; 5] = [&[0, 1, 2], &[3], &[4], &[5], &[6]];
    assert_eq!(coupled(Coalescing::On, &batch), expected);
}

#[test]
fn what_a_peer_of_several_shards_steers_apart_goes_apart() {
    let batch: Vec<_> = (0..4).map(|number| (peer(1), datagram(100, number % 2))).collect();
    assert_eq!(coupled(Coalescing::On, &batch), [[0, 2], [1, 3]]);
}

#[test]
fn a_full_batch_of_strangers_is_a_train_each_and_the_table_is_left_empty() {
    let mut grouping = Grouping::new(Coalescing::On);
    for _ in 0..3 {
        grouping.clear();
        assert!(grouping.slots.iter().all(|slot| *slot == NONE));
        let batch: Vec<_> =
            (0..BATCH_MAX as u16).map(|number| (peer(1 + number), datagram(100, 0))).collect();
        let added = Batch::new(&mut grouping, &batch, Lies::Adjacent);
        assert!(grouping.is_full());
        grouping.couple(|_| true);
        assert_eq!(grouping.trains().len(), BATCH_MAX);
        added.assert_sound(&grouping);
    }
}

#[test]
fn addresses_that_fall_on_one_place_cost_a_bounded_search() {
    let steer = 0;
    let place = |destination| Key { destination, steer }.slot();
    let colliding: Vec<_> = (1..=u16::MAX)
        .map(peer)
        .filter(|peer| place(*peer) == place(self::peer(1)))
        .take(2 * PROBES_MAX)
        .collect();
    assert_eq!(colliding.len(), 2 * PROBES_MAX, "a port in a thousand");
    let batch: Vec<_> = colliding.repeat(2).into_iter().map(|to| (to, datagram(9, 0))).collect();
    let trains = coupled(Coalescing::On, &batch);
    // Half of them found places, and come in pairs; the others go by themselves.
    assert_eq!(trains.len(), PROBES_MAX + 2 * PROBES_MAX);
}

#[test]
fn what_goes_to_a_host_that_takes_no_trains_goes_one_by_one() {
    let mut grouping = Grouping::new(Coalescing::On);
    let host = |last: u8| SocketAddr::from(([127, 0, 0, last], 9000));
    let to = [1, 2, 1, 2, 3].map(host);
    let batch: Vec<_> = to.map(|destination| (destination, datagram(100, 0))).into();
    let added = Batch::new(&mut grouping, &batch, Lies::Apart);
    let mut asked = Vec::new();
    grouping.couple(|ip| {
        asked.push(ip);
        ip != host(1).ip()
    });
    let expected: [&[usize]; 4] = [&[0], &[2], &[1, 3], &[4]];
    assert_eq!(added.trains(&grouping), expected);
    assert_eq!(asked, [host(1).ip(), host(2).ip()], "not of one that gets a single datagram");
    assert_eq!(grouping.host(grouping.trains()[2]), host(2).ip());
}

#[test]
fn a_burst_to_a_host_that_takes_no_trains_goes_one_by_one() {
    let mut grouping = Grouping::new(Coalescing::On);
    let batch = vec![(peer(1), datagram(100, 0)); 3];
    let added = Batch::new(&mut grouping, &batch, Lies::Adjacent);
    assert_eq!(added.runs.len(), 1);
    grouping.couple(|_| false);
    added.assert_sound(&grouping);
    assert_eq!(added.trains(&grouping), [[0], [1], [2]]);
}

#[test]
fn nothing_is_coupled_where_it_is_off() {
    let mut grouping = Grouping::new(Coalescing::Off);
    let batch = vec![(peer(1), datagram(100, 0)); 4];
    let added = Batch::new(&mut grouping, &batch, Lies::Adjacent);
    grouping.couple(|_| true);
    assert_eq!(added.trains(&grouping), [[0], [1], [2], [3]]);
}

#[test]
fn a_destination_without_a_name_is_left_out() {
    let mut grouping = Grouping::new(Coalescing::On);
    let v6 = "[::1]:1".parse().expect("an address");
    let outcome = grouping.add(v6, &[1; 9], || Name::new(Reach::V4, v6));
    assert_eq!(outcome, Added::Nameless);
    let added = Batch::new(&mut grouping, &[(peer(1), datagram(9, 0))], Lies::Apart);
    grouping.couple(|_| true);
    assert_eq!(added.trains(&grouping), [[0]]);
}
