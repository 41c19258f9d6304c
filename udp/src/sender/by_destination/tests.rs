//! Any batch leaves whole, in the order of each peer, in messages that the kernel takes.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::address::Families;

/// Where the datagrams of these tests have their steer byte.
const STEER_OFFSET: usize = 3;

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
/// which of them are in each slice.
struct Batch {
    to: Vec<SocketAddr>,
    memory: Vec<u8>,
    places: Vec<Range<usize>>,
    slices: Vec<Vec<usize>>,
}

/// Whether a datagram begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lies {
    Apart,
    Adjacent,
}

impl Batch {
    fn new(by_destination: &mut ByDestination, batch: &[Sent], lies: Lies) -> Self {
        let (mut memory, mut places) = (Vec::new(), Vec::new());
        for (_, bytes) in batch {
            memory.extend(std::iter::repeat_n(0, usize::from(lies == Lies::Apart)));
            places.push(memory.len()..memory.len() + bytes.len());
            memory.extend(bytes);
        }
        let to = batch.iter().map(|(to, _)| *to).collect();
        let mut added = Self { to, memory, places, slices: Vec::new() };
        for (number, to) in added.to.iter().enumerate() {
            match by_destination
                .add(*to, added.bytes(number), || RawAddress::new(Families::V4, *to))
            {
                Added::NewSlice => added.slices.push(vec![number]),
                Added::ToSlice => added.slices.last_mut().expect("a slice").push(number),
                Added::Unreachable => panic!("the socket reaches it"),
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
        let Part { slice, first, count, .. } = part;
        &self.slices[usize::from(slice)][usize::from(first)..][..usize::from(count)]
    }

    /// What leaves: the numbers of each message's datagrams.
    fn messages(&self, by_destination: &ByDestination) -> Vec<Vec<usize>> {
        let numbers = |message: &Message| {
            let parts = by_destination.parts_of(*message);
            parts.iter().flat_map(|part| self.members(*part)).copied().collect()
        };
        by_destination.messages().iter().map(numbers).collect()
    }

    /// Each datagram once, to where it was sent, in the order of its kind, and in
    /// messages as the kernel wants them.
    fn assert_sound(&self, by_destination: &ByDestination) {
        let mut latest: HashMap<(SocketAddr, u8), usize> = HashMap::new();
        let messages = self.messages(by_destination);
        for (members, message) in messages.iter().zip(by_destination.messages()) {
            assert_eq!(members.len(), usize::from(message.datagrams));
            assert!((1..=SEGMENTS_MAX).contains(&members.len()));
            let total: usize = members.iter().map(|number| self.bytes(*number).len()).sum();
            assert!(total <= MESSAGE_BYTES_MAX);
            let (key, head) = (self.key(members[0]), self.bytes(members[0]).len());
            let raw = by_destination.raw(*message);
            assert_eq!(raw.parse(raw.length()), Some(key.0));
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
        assert_eq!(messages.iter().map(Vec::len).sum::<usize>(), self.to.len());
        self.assert_parts_are_their_datagrams(by_destination);
    }

    /// What is sent of a slice is where its datagrams are.
    fn assert_parts_are_their_datagrams(&self, by_destination: &ByDestination) {
        for part in by_destination.parts() {
            let slice_start = self.places[self.slices[usize::from(part.slice)][0]].start;
            let members = self.members(*part);
            let (first, last) = (members[0], members[members.len() - 1]);
            let Range { start, end } = part.bytes();
            assert_eq!(slice_start + start, self.places[first].start);
            assert_eq!(slice_start + end, self.places[last].end);
        }
    }
}

/// The messages of a batch whose datagrams lie apart.
fn messages_of(coalescing: Coalescing, batch: &[Sent]) -> Vec<Vec<usize>> {
    let mut by_destination = ByDestination::new(coalescing, STEER_OFFSET);
    let added = Batch::new(&mut by_destination, batch, Lies::Apart);
    by_destination.form_messages(|_| true);
    added.assert_sound(&by_destination);
    added.messages(&by_destination)
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
        let mut by_destination = ByDestination::new(Coalescing::On, STEER_OFFSET);
        for batch in batches {
            by_destination.clear();
            let added = Batch::new(&mut by_destination, &batch, lies);
            by_destination.form_messages(|_| true);
            added.assert_sound(&by_destination);
            let before = added.messages(&by_destination);
            let Some(last) = before.len().checked_sub(1) else {
                continue;
            };
            let index = index.min(last);
            let count = by_destination.split(index);
            added.assert_sound(&by_destination);
            let after = added.messages(&by_destination);
            let singles: Vec<_> = before[index].iter().map(|number| vec![*number]).collect();
            prop_assert_eq!(count, singles.len());
            prop_assert_eq!(&after[..index], &before[..index]);
            prop_assert_eq!(&after[index..][..count], &singles[..]);
            prop_assert_eq!(&after[index + count..], &before[index + 1..]);
        }
    }
}

#[test]
fn a_burst_that_lies_in_one_piece_leaves_as_one_slice() {
    let mut by_destination = ByDestination::new(Coalescing::On, STEER_OFFSET);
    let burst = |to| vec![(peer(to), datagram(100, 0)); 16];
    let batch = [burst(1), burst(2), burst(1)].concat();
    let added = Batch::new(&mut by_destination, &batch, Lies::Adjacent);
    assert_eq!(added.slices.len(), 3);
    by_destination.form_messages(|_| true);
    added.assert_sound(&by_destination);
    let shape = by_destination.messages().iter().map(|message| (message.datagrams, message.parts));
    assert_eq!(shape.collect::<Vec<_>>(), [(32, 2), (16, 1)]);
}

#[test]
fn a_slice_ends_where_length_steer_byte_or_message_do() {
    let mut by_destination = ByDestination::new(Coalescing::On, STEER_OFFSET);
    let one = |length, steer| (peer(1), datagram(length, steer));
    let batch = [one(100, 0), one(100, 0), one(60, 0), one(60, 1), one(0, 0), one(0, 0)];
    let added = Batch::new(&mut by_destination, &batch, Lies::Adjacent);
    assert_eq!(added.slices, [vec![0, 1], vec![2], vec![3], vec![4], vec![5]]);
    by_destination.clear();
    let batch = vec![one(100, 0); 2 * SEGMENTS_MAX + 1];
    let added = Batch::new(&mut by_destination, &batch, Lies::Adjacent);
    let lengths: Vec<_> = added.slices.iter().map(Vec::len).collect();
    assert_eq!(lengths, [SEGMENTS_MAX, SEGMENTS_MAX, 1]);
}

#[test]
fn what_goes_to_one_peer_goes_together_however_it_alternates() {
    let batch: Vec<_> = (0..12).map(|number| (peer(1 + number % 3), datagram(100, 0))).collect();
    let messages = messages_of(Coalescing::On, &batch);
    assert_eq!(messages, [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]);
}

#[test]
fn a_shorter_one_is_the_last_of_its_message_and_a_longer_one_begins_another() {
    let lengths = [100, 100, 60, 60, 100, 0, 0];
    let batch: Vec<_> = lengths.map(|length| (peer(1), datagram(length, 0))).into();
    let expected: [&[usize]; 5] = [&[0, 1, 2], &[3], &[4], &[5], &[6]];
    assert_eq!(messages_of(Coalescing::On, &batch), expected);
}

#[test]
fn what_a_peer_of_several_shards_steers_apart_goes_apart() {
    let batch: Vec<_> = (0..4).map(|number| (peer(1), datagram(100, number % 2))).collect();
    assert_eq!(messages_of(Coalescing::On, &batch), [[0, 2], [1, 3]]);
}

#[test]
fn a_full_batch_of_different_peers_is_a_message_each_and_the_table_is_left_empty() {
    let mut by_destination = ByDestination::new(Coalescing::On, STEER_OFFSET);
    for _ in 0..3 {
        by_destination.clear();
        assert!(by_destination.slots.iter().all(|slot| *slot == NONE));
        let batch: Vec<_> =
            (0..BATCH_MAX as u16).map(|number| (peer(1 + number), datagram(100, 0))).collect();
        let added = Batch::new(&mut by_destination, &batch, Lies::Adjacent);
        assert!(by_destination.is_full());
        by_destination.form_messages(|_| true);
        assert_eq!(by_destination.messages().len(), BATCH_MAX);
        added.assert_sound(&by_destination);
    }
}

#[test]
fn addresses_that_fall_on_one_place_cost_a_bounded_search() {
    let steer = 0;
    let place = |address| Key { address, steer }.slot();
    let colliding: Vec<_> = (1..=u16::MAX)
        .map(peer)
        .filter(|peer| place(*peer) == place(self::peer(1)))
        .take(2 * PROBES_MAX)
        .collect();
    assert_eq!(colliding.len(), 2 * PROBES_MAX, "a port in a thousand");
    let batch: Vec<_> = colliding.repeat(2).into_iter().map(|to| (to, datagram(9, 0))).collect();
    let messages = messages_of(Coalescing::On, &batch);
    // Half of them found places, and come in pairs; the others go by themselves.
    assert_eq!(messages.len(), PROBES_MAX + 2 * PROBES_MAX);
}

#[test]
fn what_goes_to_a_host_that_takes_no_segments_goes_one_by_one() {
    let mut by_destination = ByDestination::new(Coalescing::On, STEER_OFFSET);
    let host = |last: u8| SocketAddr::from(([127, 0, 0, last], 9000));
    let to = [1, 2, 1, 2, 3].map(host);
    let batch: Vec<_> = to.map(|destination| (destination, datagram(100, 0))).into();
    let added = Batch::new(&mut by_destination, &batch, Lies::Apart);
    let mut asked = Vec::new();
    by_destination.form_messages(|ip| {
        asked.push(ip);
        ip != host(1).ip()
    });
    let expected: [&[usize]; 4] = [&[0], &[2], &[1, 3], &[4]];
    assert_eq!(added.messages(&by_destination), expected);
    assert_eq!(asked, [host(1).ip(), host(2).ip()], "not of one that gets a single datagram");
    assert_eq!(by_destination.host(by_destination.messages()[2]), host(2).ip());
}

#[test]
fn a_burst_to_a_host_that_takes_no_segments_goes_one_by_one() {
    let mut by_destination = ByDestination::new(Coalescing::On, STEER_OFFSET);
    let batch = vec![(peer(1), datagram(100, 0)); 3];
    let added = Batch::new(&mut by_destination, &batch, Lies::Adjacent);
    assert_eq!(added.slices.len(), 1);
    by_destination.form_messages(|_| false);
    added.assert_sound(&by_destination);
    assert_eq!(added.messages(&by_destination), [[0], [1], [2]]);
}

#[test]
fn nothing_goes_together_where_coalescing_is_off() {
    let mut by_destination = ByDestination::new(Coalescing::Off, STEER_OFFSET);
    let batch = vec![(peer(1), datagram(100, 0)); 4];
    let added = Batch::new(&mut by_destination, &batch, Lies::Adjacent);
    by_destination.form_messages(|_| true);
    assert_eq!(added.messages(&by_destination), [[0], [1], [2], [3]]);
}

#[test]
fn an_unreachable_destination_is_left_out() {
    let mut by_destination = ByDestination::new(Coalescing::On, STEER_OFFSET);
    let v6 = "[::1]:1".parse().expect("an address");
    let outcome = by_destination.add(v6, &[1; 9], || RawAddress::new(Families::V4, v6));
    assert_eq!(outcome, Added::Unreachable);
    let added = Batch::new(&mut by_destination, &[(peer(1), datagram(9, 0))], Lies::Apart);
    by_destination.form_messages(|_| true);
    assert_eq!(added.messages(&by_destination), [[0]]);
}
