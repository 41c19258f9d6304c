//! Floods of costly requests.

use super::*;
use crate::limits::{
    RANGES_PER_TURN_MAX, RENEWAL_COST, RENEWALS_MAX, STORE_COST, STORES_PER_TURN_MAX,
    STORES_PUT_OFF_MAX,
};
use crate::wire::{Renewal, Renewals};

/// A shard to which so many requests come with its first turn, and what it is joined to.
fn flooded(requests: usize, body: Body<'_>) -> (Shard<Burst>, (Mailboxes, Events)) {
    let (mut mailboxes, mut senders, events) = rig(1);
    let node = Node::new(config(), Instant::ZERO);
    let (links, sender) = (mailboxes.links.remove(0), senders.remove(0));
    let datapath = Burst::of(requests, body, Ending::Never);
    (Shard::new(node, datapath, links, sender, Clock::start()), (mailboxes, events))
}

fn store() -> Body<'static> {
    Body::Store(wire::Store {
        key: Id::of_value(b"value"),
        offset: 0,
        total: 5,
        life_s: 60,
        purpose: wire::Purpose::Replica,
        value: b"value",
    })
}

/// One more turn, to which so many PINGs come.
fn turn_with_pings(shard: &mut Shard<Burst>, pings: usize) -> crate::node::Stats {
    let datapath = &mut shard.outlet.datapath;
    if pings > 0 {
        let Burst { bytes, .. } = Burst::new(pings, Ending::Never);
        (datapath.bytes, datapath.datagrams) = (bytes, pings);
    }
    // As at its first wait, it does not wait for a wake.
    datapath.waits = 0;
    assert!(shard.turn().expect("it is sound").is_continue());
    shard.node.stats()
}

#[test]
fn a_flood_of_stores_is_taken_up_in_parts_and_what_comes_meanwhile_is_answered_first() {
    const FLOOD: usize = STORES_PUT_OFF_MAX + 3 * STORES_PER_TURN_MAX;
    let (mut shard, _rig) = flooded(FLOOD, store());
    let mut turn = |pings: usize| {
        let stats = turn_with_pings(&mut shard, pings);
        (stats.stores_without_token as usize, stats.pings_answered as usize)
    };
    assert_eq!(turn(0), (STORES_PER_TURN_MAX, 0));
    assert_eq!(turn(9), (2 * STORES_PER_TURN_MAX, 9), "a PING waits for one turn's STOREs");
    let turns = (2..100).take_while(|turns| turn(0).0 > turns * STORES_PER_TURN_MAX).count();
    assert_eq!(turns, STORES_PUT_OFF_MAX / STORES_PER_TURN_MAX - 1);
    assert_eq!(turn(0).0, STORES_PER_TURN_MAX + STORES_PUT_OFF_MAX, "all that waited");
    let stats = shard.outlet.stats();
    assert_eq!(stats.stores_put_off as usize, STORES_PUT_OFF_MAX);
    assert_eq!(stats.stores_dropped as usize, 2 * STORES_PER_TURN_MAX);
}

#[test]
fn a_shard_that_has_too_much_to_do_to_wait_takes_commands() {
    let (mut shard, (mailboxes, _events)) = flooded(4 * STORES_PER_TURN_MAX, store());
    turn_with_pings(&mut shard, 0);
    let command = Command::Log { level: crate::node::LogLevel::Off };
    mailboxes.commander.send(command).expect("it runs");
    turn_with_pings(&mut shard, 0);
    assert_eq!(shard.outlet.stats().commands, 1);
    assert!(!shard.put_offs.is_empty(), "it has not waited");
}

#[test]
fn parts_of_large_values_are_sent_over_several_turns_and_a_ping_waits_for_one_of_them() {
    const ASKED: usize = 3 * RANGES_PER_TURN_MAX;
    let range = wire::Range { key: Id::of_value(b"value"), offset: 0, length: 1 };
    let (mut shard, _rig) = flooded(ASKED, Body::FindRange(range));
    let mut turn = |pings: usize| {
        let stats = turn_with_pings(&mut shard, pings);
        (stats.find_ranges_missed as usize, stats.pings_answered as usize)
    };
    assert_eq!(turn(0), (RANGES_PER_TURN_MAX, 0));
    assert_eq!(turn(1), (2 * RANGES_PER_TURN_MAX, 1));
    assert_eq!(turn(0).0, 3 * RANGES_PER_TURN_MAX);
    assert_eq!(shard.outlet.stats().ranges_put_off as usize, ASKED - RANGES_PER_TURN_MAX);
}

#[test]
fn a_flood_of_renews_costs_a_turn_no_more_than_one_of_stores() {
    let renewal = |number: u8| Renewal { key: Id::of_value(&[number]), life_s: 60 };
    let renewals: Vec<Renewal> = (0..RENEWALS_MAX as u8).map(renewal).collect();
    for named in [1, 2, RENEWALS_MAX / 2, RENEWALS_MAX] {
        const TURNS: usize = 12;
        let (per_turn, cost) = (STORES_PER_TURN_MAX * STORE_COST, named * RENEWAL_COST);
        let flood = (TURNS * per_turn).div_ceil(cost);
        let body = Body::Renew(Renewals::new(&renewals[..named]));
        let (mut shard, _rig) = flooded(flood, body);
        for turn in 1..=TURNS {
            // A PING comes with each turn but the first.
            let stats = turn_with_pings(&mut shard, usize::from(turn > 1));
            let answered = stats.renews_answered as usize;
            assert_eq!(answered, (turn * per_turn).div_ceil(cost), "{named} each, turn {turn}");
            assert_eq!(stats.pings_answered as usize, turn - 1);
        }
        let put_off = flood - per_turn.div_ceil(cost);
        assert_eq!(shard.outlet.stats().stores_put_off as usize, put_off);
    }
}
