//! Tests of nodes with several shards over real sockets: whichever shard receives a
//! datagram, the node gives the same answer.
#![cfg(feature = "std")]

#[macro_use]
mod harness;
#[path = "shards/client.rs"]
mod client;
#[path = "shards/crowd.rs"]
mod crowd;
#[path = "shards/refusal.rs"]
mod refusal;
#[path = "harness/seccomp.rs"]
mod seccomp;
#[path = "shards/stop.rs"]
mod stop;

use kad_node::driver::{
    DriverEvent, IoChoice, Loss, Running, Settings, ShardStats, Steering, start,
};
use kad_node::id::Id;
use kad_node::limits::{HEADER_BYTES, K_DEFAULT, SHARDS_MAX};
use kad_node::node::{Command, Event, OperationId, ShardPosition, Stats, Trace};
use kad_node::quantity::Percent;
use kad_node::wire::STEER_OFFSET;

use client::{Client, WINDOW};
use crowd::Crowd;
use harness::{
    Peer, event, get, is_there, join, ping, put, send, shard_stats, sharded, stats_when,
};

const LOOPBACK: &str = "127.0.0.1";

/// Gets in progress at the same time. They have at most K times as many replies under way,
/// which fit into the sockets' buffers.
const GETS_AT_ONCE: usize = 16;

/// Settings of a node of `shards` shards, whose id is the hash of `name`.
fn named(io: IoChoice, shards: usize, steering: Steering, name: &str) -> Settings {
    let mut settings = sharded(io, "127.0.0.1:0", shards, steering);
    settings.node.id = Id::of_value(name.as_bytes());
    settings
}

fn group(io: IoChoice, shards: usize, steering: Steering) -> Running {
    let node = start(named(io, shards, steering, "node")).expect("loopback is there");
    assert_eq!((node.shards().get(), node.steering()), (shards, steering));
    node
}

/// Sends 50 000 requests and as many replies that match nothing, and asserts that each
/// lands on the shard that its steer byte names.
fn exchange_as_predicted(node: &Running) {
    const COUNT: u64 = 50_000;
    let client = Client::new(node);
    client.exchange(COUNT);
    let position = ShardPosition::new(0, node.shards().get());
    let mut predicted = vec![0; position.count()];
    let mut predict = |datagram: Vec<u8>| {
        predicted[position.of_steer(datagram[STEER_OFFSET]).as_usize()] += 1;
    };
    // The first request brought the client its token.
    predict(client.request(0));
    for number in 0..COUNT {
        predict(client.request(number));
        predict(client.reply(number));
    }
    // The last replies may be on their way.
    stats_when(node, |node, _| node.datagrams_received == 2 * COUNT + 1);
    let received: Vec<u64> =
        shard_stats(node).iter().map(|shard| shard.node.datagrams_received).collect();
    assert_eq!(received, predicted);
}

/// How many shards have a `counter` above zero.
fn shards_with(node: &Running, counter: impl Fn(&Stats) -> u64) -> usize {
    shard_stats(node).iter().filter(|shard| counter(&shard.node) > 0).count()
}

/// Gets absent keys: each get queries all contacts.
fn get_absent(node: &Running, count: u64) {
    for first in (0..count).step_by(GETS_AT_ONCE) {
        let numbers = first..count.min(first + GETS_AT_ONCE as u64);
        for number in numbers.clone() {
            let key = Id::of_value(format!("absent {number}").as_bytes());
            let (operation, trace) = (OperationId(number), Trace::Off);
            send(node, Command::Get { operation, key, trace });
        }
        for _ in numbers {
            let outcome = event(node, |event| match event {
                DriverEvent::Node(Event::Get { outcome, .. }) => Some(outcome),
                _ => None,
            });
            assert_eq!(outcome, Ok(None));
        }
    }
}

for_each_driver! {
    /// Requests of every kind, replies that match nothing, under every tag, and replies to
    /// the node's own requests.
    fn with_steering_every_datagram_lands_on_its_owner(io: IoChoice) {
        let node = group(io, 4, Steering::Kernel);
        exchange_as_predicted(&node);
        let crowd = Crowd::around(node.address(), K_DEFAULT);
        stats_when(&node, |node, _| {
            crowd.ping();
            node.contacts == K_DEFAULT as u64
        });
        let mut answered = vec![0; 4];
        while answered.iter().any(|answered| *answered < 10_000) {
            get_absent(&node, 500);
            // On a busy machine the node may have dropped some peers as dead.
            crowd.ping();
            let before = answered;
            let shards = shard_stats(&node);
            answered = shards.iter().map(|shard| shard.node.rpcs_answered).collect();
            let total = before.iter().sum::<u64>()..answered.iter().sum();
            assert!(!total.is_empty() && total.end < 200_000, "a shard's own: {answered:?}");
            for shard in shards {
                assert_eq!(shard.node.datagrams_missteered, 0);
                assert_eq!(shard.driver.kernel_drops, 0);
            }
        }
    }

    fn with_steering_datagrams_between_nodes_land_on_their_owner(io: IoChoice) {
        let node = group(io, 4, Steering::Kernel);
        let other = start(named(io, 4, Steering::Kernel, "other")).expect("loopback is there");
        join(&other, node.address());
        for number in 0..100u32 {
            let value = number.to_be_bytes();
            put(&other, &value);
            assert!(get(&node, Id::of_value(&value)).is_some());
        }
        for node in [node, other] {
            for shard in shard_stats(&node) {
                assert_eq!(shard.node.datagrams_missteered, 0);
                assert!(shard.node.datagrams_received > 0, "each has its part");
                assert_eq!(shard.driver.kernel_drops, 0);
            }
        }
    }

    fn a_node_warns_and_works_when_the_kernel_refuses_to_steer(io: IoChoice) {
        let settings = named(io, 4, Steering::Kernel, "node");
        let (node, log) = refusal::without_steering(|| start(settings).expect("it can do without"));
        assert_eq!(node.steering(), Steering::Off);
        assert_eq!(log.matches("WARN").count(), 1, "{log}");
        assert!(log.contains("the kernel does not steer"), "{log}");
        Client::new(&node).exchange(2_000);
        let total = ShardStats::total(&shard_stats(&node));
        assert!(total.node.datagrams_missteered > 0, "nothing was steered");
        assert_eq!(total.driver.handoffs_dropped, 0);
    }

    /// Each shard drops half of what it receives and half of what it sends.
    fn every_shard_drops_on_purpose_and_counts_the_drops(io: IoChoice) {
        let mut settings = named(io, 4, Steering::Kernel, "node");
        settings.loss = Some(Loss { chance: Percent::new(50), seed: 1 });
        let node = start(settings).expect("loopback is there");
        let client = Client::deaf(node.address());
        let mut last = 0;
        for first in (0..8_000).step_by(WINDOW as usize) {
            last = first + WINDOW;
            (first..last).for_each(|number| client.send(number));
            stats_when(&node, |_, driver| driver.datagrams_received == last);
        }
        for shard in shard_stats(&node) {
            let (node, driver) = (shard.node, shard.driver);
            assert_eq!(driver.datagrams_received, node.datagrams_received + driver.drops_received);
            assert_eq!(node.datagrams_sent, driver.datagrams_sent + driver.drops_sent);
            // Of some 2000 datagrams received and 1000 sent half are dropped. The bounds
            // are ten standard deviations.
            assert!(driver.drops_received.abs_diff(driver.datagrams_received / 2) < 225);
            assert!(driver.drops_sent.abs_diff(node.datagrams_sent / 2) < 160);
        }
        let total = ShardStats::total(&shard_stats(&node)).driver;
        assert_eq!(total.datagrams_received, last);
    }

    fn without_steering_every_request_is_answered_by_handoff(io: IoChoice) {
        for shards in [2, 8, SHARDS_MAX] {
            let node = group(io, shards, Steering::Off);
            Client::new(&node).exchange(10_000);
            // Replies that match nothing may still be between two shards.
            let (node, driver) = stats_when(&node, |node, driver| {
                driver.handoffs_sent == node.handoffs_received
            });
            assert!(node.datagrams_missteered > 0, "one socket receives it all");
            assert!(driver.handoff_bytes > driver.handoffs_sent * HEADER_BYTES as u64);
            assert_eq!(driver.handoffs_dropped, 0);
            assert_eq!(driver.kernel_drops, 0);
        }
    }

    /// As many as a node may have. What a shard writes that another reads is the index of a
    /// ring, by a handoff, and the other's word, by a wake: without these two, no cache line
    /// passes from one core to another.
    fn sixty_four_shards_pass_nothing_to_each_other_for_what_is_steered(io: IoChoice) {
        let node = group(io, SHARDS_MAX, Steering::Kernel);
        Client::new(&node).exchange(20_000);
        for shard in shard_stats(&node) {
            let ShardStats { node, driver, .. } = shard;
            assert!(node.datagrams_received > 0, "each has its part");
            assert_eq!((node.datagrams_missteered, node.handoffs_received), (0, 0));
            let passed = (driver.handoffs_sent, driver.handoff_bytes, driver.wakes_sent);
            assert_eq!(passed, (0, 0, 0));
            assert_eq!(driver.kernel_drops, 0);
        }
    }

    fn eight_shards_serve_on_any_number_of_cores(io: IoChoice) {
        let mut settings = named(io, 8, Steering::Kernel, "node");
        settings.pin = kad_node::driver::Pin::Pinned;
        let node = start(settings).expect("loopback is there");
        Client::new(&node).exchange(10_000);
        assert!(shard_stats(&node).iter().all(|shard| shard.node.datagrams_received > 0));
    }

    fn nodes_with_different_numbers_of_shards_find_each_others_values(io: IoChoice) {
        let nodes: Vec<_> = [
            (4, Steering::Kernel), (1, Steering::Kernel), (2, Steering::Off), (3, Steering::Kernel),
        ]
        .into_iter()
        .enumerate()
        .map(|(index, (shards, steering))| {
            start(named(io, shards, steering, &index.to_string())).expect("loopback is there")
        })
        .collect();
        for node in &nodes[1..] {
            join(node, nodes[0].address());
        }
        for (from, node) in nodes.iter().enumerate() {
            for number in 0..16 {
                let value = format!("{from} {number}");
                put(node, value.as_bytes());
                let key = Id::of_value(value.as_bytes());
                for node in &nodes {
                    let found = get(node, key).expect("it was put");
                    assert_eq!(&*found.value, value.as_bytes());
                }
            }
        }
    }

    fn peers_of_all_shards_are_one_answer(io: IoChoice) {
        let node = group(io, 4, Steering::Kernel);
        let others: Vec<_> = (0..12)
            .map(|index| {
                let other = named(io, 1, Steering::Kernel, &format!("peer {index}"));
                start(other).expect("loopback is there")
            })
            .collect();
        for other in &others {
            join(other, node.address());
        }
        stats_when(&node, |node, _| {
            let knows_all = node.contacts == others.len() as u64;
            if !knows_all {
                // What shows a new sender's token may be lost when the machine is busy: so
                // the others ask again.
                for other in &others {
                    get_absent(other, 1);
                }
            }
            knows_all
        });
        send(&node, Command::Peers { operation: OperationId(5) });
        let buckets = event(&node, |event| match event {
            DriverEvent::Node(Event::Peers { buckets, .. }) => Some(buckets),
            _ => None,
        });
        assert!(buckets.windows(2).all(|pair| pair[0].index < pair[1].index), "{buckets:?}");
        let contacts: usize = buckets.iter().map(|bucket| bucket.contacts.len()).sum();
        assert_eq!(contacts, others.len());
    }

    /// The kernel's hash of both addresses chooses the shard: that 32 sockets all get the
    /// same one of three happens once in 10^15 runs.
    fn runts_and_foreign_datagrams_are_counted_and_do_no_harm(io: IoChoice) {
        const PEERS: u64 = 32;
        let node = group(io, 3, Steering::Kernel);
        let peers: Vec<_> = (0..PEERS).map(|_| Peer::new(LOOPBACK, node.address())).collect();
        let whole = ping(1);
        let mut sent = 0;
        let mut send_all = |datagrams: &[Vec<u8>]| {
            for datagram in datagrams {
                for peer in &peers {
                    peer.send(datagram);
                }
                sent += PEERS;
                stats_when(&node, |node, _| {
                    node.datagrams_foreign + node.datagrams_truncated == sent
                });
            }
        };
        let runts: Vec<_> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
        let (unsteered, steered) = runts.split_at(STEER_OFFSET + 1);
        // The byte that the steering program would read names the first shard.
        let others = (0..=u8::MAX).filter(|magic| *magic != whole[0]);
        let foreign: Vec<_> = others
            .map(|magic| {
                let mut foreign = whole.clone();
                (foreign[0], foreign[STEER_OFFSET]) = (magic, 0);
                foreign
            })
            .collect();
        send_all(unsteered);
        assert!(shards_with(&node, |node| node.datagrams_truncated) >= 2);
        send_all(&foreign);
        assert!(shards_with(&node, |node| node.datagrams_foreign) >= 2);
        send_all(steered);
        let total = ShardStats::total(&shard_stats(&node)).node;
        let counted = (total.datagrams_foreign, total.datagrams_truncated);
        assert_eq!(counted, (255 * PEERS, whole.len() as u64 * PEERS));
        assert_eq!(total.datagrams_missteered, 0);
        peers[0].assert_answered(1);
    }

    fn both_ip_families_are_steered(io: IoChoice) {
        for (listen, ip) in [("[::1]:0", "::1"), ("[::]:0", "::1"), ("[::]:0", LOOPBACK)] {
            if !is_there("::") || !is_there(ip) {
                continue;
            }
            let mut settings = named(io, 4, Steering::Kernel, "node");
            settings.listen = listen.parse().expect("an address");
            let node = start(settings).expect("loopback is there");
            Client::at(ip, node.address().port()).exchange(2_000);
            assert!(shard_stats(&node).iter().all(|shard| shard.node.datagrams_missteered == 0));
        }
    }
}
