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

fn add(grouping: &mut Grouping, batch: &[Sent]) {
    for (destination, bytes) in batch {
        let name = || Name::new(Reach::V4, *destination);
        assert!(grouping.add(*destination, bytes, name));
    }
}

/// What leaves: of each train its destination and the numbers of its datagrams.
fn trains(grouping: &Grouping) -> Vec<(Vec<u8>, Vec<usize>)> {
    let shown = grouping.trains().iter().map(|train| {
        let members = &grouping.order()[usize::from(train.first)..][..usize::from(train.count)];
        let members = members.iter().map(|index| usize::from(*index)).collect();
        (grouping.name(*train).bytes().to_vec(), members)
    });
    shown.collect()
}

fn numbers(grouping: &Grouping) -> Vec<Vec<usize>> {
    trains(grouping).into_iter().map(|(_, numbers)| numbers).collect()
}

/// Each datagram once, to where it was sent, in the order of its kind, and in
/// trains as the kernel wants them.
fn assert_sound(grouping: &Grouping, batch: &[Sent]) {
    let mut latest: HashMap<(SocketAddr, u8), usize> = HashMap::new();
    let mut count = 0;
    for (name, members) in trains(grouping) {
        count += members.len();
        assert!((1..=TRAIN_DATAGRAMS_MAX).contains(&members.len()));
        let (destination, head) = &batch[members[0]];
        let steer = |bytes: &[u8]| bytes.get(STEER_OFFSET).copied().unwrap_or_default();
        let total: usize = members.iter().map(|number| batch[*number].1.len()).sum();
        assert!(total <= TRAIN_BYTES_MAX);
        for (place, number) in members.iter().enumerate() {
            let (to, bytes) = &batch[*number];
            assert_eq!(&name[..], Name::new(Reach::V4, *to).expect("within reach").bytes());
            assert_eq!((to, steer(bytes)), (destination, steer(head)));
            let is_last = place + 1 == members.len();
            assert!(bytes.len() == head.len() || (is_last && bytes.len() < head.len()));
            assert!(place == 0 || !bytes.is_empty());
            let before = latest.insert((*to, steer(bytes)), *number);
            assert!(before.is_none_or(|before| before < *number), "out of order");
        }
    }
    assert_eq!(count, batch.len());
}

fn batches() -> impl Strategy<Value = Vec<Vec<Sent>>> {
    let length = prop_oneof![Just(0), Just(3), Just(68), Just(100), Just(1232), 0..1232usize];
    let one = (1..6u16, length, 0..2u8);
    let sent = one.prop_map(|(to, length, steer)| (peer(to), datagram(length, steer)));
    vec(vec(sent, 0..BATCH_MAX), 1..4)
}

proptest! {
    #[test]
    fn every_datagram_leaves_once_in_its_order(batches in batches(), index in 0..8usize) {
        let mut grouping = Grouping::new(Coalescing::On);
        for batch in batches {
            grouping.clear();
            add(&mut grouping, &batch);
            grouping.couple(|_| true);
            assert_sound(&grouping, &batch);
            let before = numbers(&grouping);
            let Some(last) = before.len().checked_sub(1) else {
                continue;
            };
            let index = index.min(last);
            let count = grouping.uncouple(index);
            assert_sound(&grouping, &batch);
            let after = numbers(&grouping);
            let singles: Vec<_> = before[index].iter().map(|number| vec![*number]).collect();
            prop_assert_eq!(count, singles.len());
            prop_assert_eq!(&after[..index], &before[..index]);
            prop_assert_eq!(&after[index..][..count], &singles[..]);
            prop_assert_eq!(&after[index + count..], &before[index + 1..]);
        }
    }
}

#[test]
fn what_goes_to_one_peer_goes_together_however_it_alternates() {
    let mut grouping = Grouping::new(Coalescing::On);
    let batch: Vec<_> = (0..12).map(|number| (peer(1 + number % 3), datagram(100, 0))).collect();
    add(&mut grouping, &batch);
    grouping.couple(|_| true);
    assert_eq!(numbers(&grouping), [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]);
}

#[test]
fn a_shorter_one_is_the_last_of_its_train_and_a_longer_one_begins_another() {
    let mut grouping = Grouping::new(Coalescing::On);
    let lengths = [100, 100, 60, 60, 100, 0, 0];
    let batch: Vec<_> = lengths.map(|length| (peer(1), datagram(length, 0))).into();
    add(&mut grouping, &batch);
    grouping.couple(|_| true);
    let expected: [&[usize]; 5] = [&[0, 1, 2], &[3], &[4], &[5], &[6]];
    assert_eq!(numbers(&grouping), expected);
}

#[test]
fn what_a_peer_of_several_shards_steers_apart_goes_apart() {
    let mut grouping = Grouping::new(Coalescing::On);
    let batch: Vec<_> = (0..4).map(|number| (peer(1), datagram(100, number % 2))).collect();
    add(&mut grouping, &batch);
    grouping.couple(|_| true);
    assert_eq!(numbers(&grouping), [[0, 2], [1, 3]]);
}

#[test]
fn a_full_batch_of_strangers_is_a_train_each_and_the_table_is_left_empty() {
    let mut grouping = Grouping::new(Coalescing::On);
    for _ in 0..3 {
        grouping.clear();
        assert!(grouping.slots.iter().all(|slot| *slot == NONE));
        let batch: Vec<_> =
            (0..BATCH_MAX as u16).map(|number| (peer(1 + number), datagram(100, 0))).collect();
        add(&mut grouping, &batch);
        assert!(grouping.is_full());
        grouping.couple(|_| true);
        assert_eq!(grouping.trains().len(), BATCH_MAX);
        assert_sound(&grouping, &batch);
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
    let mut grouping = Grouping::new(Coalescing::On);
    let batch: Vec<_> = colliding.repeat(2).into_iter().map(|to| (to, datagram(9, 0))).collect();
    add(&mut grouping, &batch);
    grouping.couple(|_| true);
    assert_sound(&grouping, &batch);
    // Half of them found places, and come in pairs; the others go by themselves,
    // but for the last, which the next search begins with.
    assert_eq!(grouping.trains().len(), PROBES_MAX + 2 * PROBES_MAX);
}

#[test]
fn what_goes_to_a_host_that_takes_no_trains_goes_one_by_one() {
    let mut grouping = Grouping::new(Coalescing::On);
    let host = |last: u8| SocketAddr::from(([127, 0, 0, last], 9000));
    let to = [1, 2, 1, 2, 3].map(host);
    let batch: Vec<_> = to.map(|destination| (destination, datagram(100, 0))).into();
    add(&mut grouping, &batch);
    let mut asked = Vec::new();
    grouping.couple(|ip| {
        asked.push(ip);
        ip != host(1).ip()
    });
    let expected: [&[usize]; 4] = [&[0], &[2], &[1, 3], &[4]];
    assert_eq!(numbers(&grouping), expected);
    assert_eq!(asked, [host(1).ip(), host(2).ip()], "not of one that gets a single datagram");
    assert_eq!(grouping.host(grouping.trains()[2]), host(2).ip());
}

#[test]
fn nothing_is_coupled_where_it_is_off() {
    let mut grouping = Grouping::new(Coalescing::Off);
    let batch = vec![(peer(1), datagram(100, 0)); 4];
    add(&mut grouping, &batch);
    grouping.couple(|_| true);
    assert_eq!(numbers(&grouping), [[0], [1], [2], [3]]);
}

#[test]
fn a_destination_without_a_name_is_left_out() {
    let mut grouping = Grouping::new(Coalescing::On);
    let v6 = "[::1]:1".parse().expect("an address");
    assert!(!grouping.add(v6, &[1; 9], || Name::new(Reach::V4, v6)));
    add(&mut grouping, &[(peer(1), datagram(9, 0))]);
    grouping.couple(|_| true);
    assert_eq!(numbers(&grouping), [[0]]);
}
