//! Tests of the drivers over real sockets. All drivers behave alike.
#![cfg(feature = "std")]

#[macro_use]
mod harness;
#[path = "harness/seccomp.rs"]
mod seccomp;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use kad_node::driver::{DriverEvent, Io, IoChoice, Loss, SendError, StartError, start};
use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::{Command, Event, OperationId};
use kad_node::quantity::Percent;
use kad_node::seal::SEALED_BYTES_MAX;

use harness::{
    PATIENCE, Peer, event, is_there, join, node, ping, send, settings, stats, stats_when,
    under_flood,
};
use seccomp::without;

const LOOPBACK: &str = "127.0.0.1";
const LOOPBACK_V6: &str = "::1";

for_each_driver! {
    fn a_ping_is_answered_over_either_ip(io: IoChoice) {
        for (listen, ip) in [("127.0.0.1:0", LOOPBACK), ("[::1]:0", LOOPBACK_V6)] {
            if !is_there(ip) {
                continue;
            }
            let node = start(settings(io, listen)).expect("loopback is there");
            Peer::new(ip, node.address()).assert_answered(1);
            let stopped = node.stop().expect("it was told to").total();
            assert_eq!(stopped.driver.datagrams_received, 1, "{listen}");
            assert_eq!(stopped.driver.datagrams_sent, 1, "{listen}");
            assert_eq!(stopped.driver.bytes_sent, ping(1).len() as u64, "{listen}");
        }
    }

    /// A node at `[::]` joins a node at an IPv4 address. It succeeds only if the answer's
    /// source is the address that it asked.
    fn a_node_at_the_unspecified_ipv6_address_has_ipv4_contacts(io: IoChoice) {
        if !is_there("::") {
            return;
        }
        let seed = node(io);
        let mut dual = settings(io, "[::]:0");
        dual.node.id = kad_node::id::Id::of_value(b"dual");
        let dual = start(dual).expect("the wildcard is there");
        let port = dual.address().port();
        Peer::new(LOOPBACK, ([127, 0, 0, 1], port).into()).assert_answered(1);
        if is_there(LOOPBACK_V6) {
            let address = format!("[{LOOPBACK_V6}]:{port}").parse().expect("an address");
            Peer::new(LOOPBACK_V6, address).assert_answered(2);
        }

        assert_eq!(join(&dual, seed.address()), 1);
        send(&dual, Command::Peers { operation: OperationId(1) });
        let known = event(&dual, |event| match event {
            DriverEvent::Node(Event::Peers { buckets, .. }) => {
                Some(buckets[0].contacts[0].contact.addr)
            }
            _ => None,
        });
        assert_eq!(known, seed.address());
    }

    fn a_mapped_address_is_an_ipv4_address_to_listen_on_and_to_join(io: IoChoice) {
        let seed = start(settings(io, "[::ffff:127.0.0.1]:0")).expect("it starts");
        assert_eq!(seed.address().ip(), IpAddr::from([127, 0, 0, 1]));
        let mut joining = settings(io, "[::]:0");
        joining.node.id = Id::of_value(b"joining");
        let joining = start(joining).expect("it starts");
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert_eq!(join(&joining, (mapped, seed.address().port()).into()), 1);
        let node = joining.stop().expect("it was told to").total().node;
        assert_eq!(node.replies_unmatched, 0, "replies come from the address that was asked");
    }

    fn every_ping_of_every_burst_is_answered(io: IoChoice) {
        const BURST: u64 = 100;
        let node = node(io);
        let peer = Peer::new(LOOPBACK, node.address());
        for burst in 0..100 {
            let numbers = burst * BURST..(burst + 1) * BURST;
            numbers.clone().for_each(|number| peer.ping(number));
            // In the order in which they were sent.
            assert!(numbers.clone().all(|number| peer.pong() == number), "burst {burst}");
        }
        let driver = node.stop().expect("it was told to").total().driver;
        assert_eq!((driver.datagrams_received, driver.datagrams_sent), (10_000, 10_000));
    }

    fn a_node_keeps_serving_after_a_zero_length_datagram(io: IoChoice) {
        let node = node(io);
        let peer = Peer::new(LOOPBACK, node.address());
        for number in 0..100 {
            peer.send(&[]);
            peer.assert_answered(number);
            peer.send(&[]);
            peer.send(&[]);
        }
        let (node, driver) = stats_when(&node, |_, driver| driver.datagrams_received == 400);
        assert_eq!(node.datagrams_truncated, 300);
        assert_eq!(driver.receives_failed, 0);
    }

    fn an_oversized_datagram_is_counted_and_not_decoded(io: IoChoice) {
        let node = node(io);
        let peer = Peer::new(LOOPBACK, node.address());
        let mut padded = ping(1);
        padded.resize(DATAGRAM_BYTES_MAX, 0);
        peer.send(&padded);
        assert_eq!(peer.pong(), 1, "the largest that is allowed");
        // The first is one byte longer than the protocol allows, the second just fits the
        // buffer, and the others do not.
        for bytes in [DATAGRAM_BYTES_MAX + 1, SEALED_BYTES_MAX + 1, SEALED_BYTES_MAX + 2, 65_000] {
            padded.resize(bytes, 0);
            peer.send(&padded);
        }
        peer.assert_answered(2);
        let (node, driver) = stats(&node);
        assert_eq!(node.datagrams_oversized, 4);
        assert_eq!(driver.receives_truncated, 2);
        assert_eq!(driver.datagrams_sent, 2);
    }

    fn garbage_is_counted_and_the_node_keeps_serving(io: IoChoice) {
        let node = node(io);
        let peer = Peer::new(LOOPBACK, node.address());
        let whole = ping(1);
        for length in 1..whole.len() {
            peer.send(&whole[..length]);
        }
        peer.send(&[0xff; 200]);
        peer.assert_answered(2);
        let (node, driver) = stats(&node);
        assert_eq!(node.datagrams_truncated, whole.len() as u64 - 1);
        assert_eq!(node.datagrams_foreign, 1);
        assert_eq!(driver.datagrams_sent, 1);
    }

    fn a_command_wakes_a_sleeping_shard_and_nothing_else_does(io: IoChoice) {
        let node = node(io);
        let (_, before) = stats(&node);
        for _ in 0..100 {
            stats(&node);
        }
        let (_, after) = stats(&node);
        assert_eq!(after.commands - before.commands, 101);
        // A wake-up may be noticed twice; a shard that spins never stops turning.
        let turns = after.turns - before.turns;
        assert!((101..=303).contains(&turns), "{turns} turns for 101 commands");
    }

    /// Only time passes, and the shard retransmits a request.
    fn a_deadline_wakes_a_sleeping_shard(io: IoChoice) {
        let silent = UdpSocket::bind((LOOPBACK, 0)).expect("loopback is there");
        silent.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let node = node(io);
        let addresses = vec![silent.local_addr().expect("bound")];
        send(&node, Command::Bootstrap { addresses });
        for _ in 0..3 {
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            let (_, from) = silent.recv_from(&mut buffer).expect("it asks again");
            assert_eq!(from, node.address());
        }
    }

    fn what_cannot_be_sent_is_counted_and_not_fatal(io: IoChoice) {
        let node = node(io);
        let addresses = vec!["[2001:db8::1]:9".parse().expect("an address")];
        send(&node, Command::Bootstrap { addresses });
        assert!(stats(&node).1.sends_other_family > 0);
        Peer::new(LOOPBACK, node.address()).assert_answered(1);
    }

    /// Answers to peers that have closed their sockets come back as ICMP errors.
    fn a_node_keeps_serving_after_peers_have_gone(io: IoChoice) {
        let node = node(io);
        let peer = || Peer::new(LOOPBACK, node.address());
        for round in 1..=50 {
            // Both are open at the same time, so that their ports differ: otherwise one
            // could receive the other's answers.
            let (leaving, staying) = (peer(), peer());
            (0..20).for_each(|number| leaving.ping(number));
            drop(leaving);
            stats_when(&node, |_, driver| driver.datagrams_received >= round * 21 - 1);
            staying.assert_answered(round);
        }
    }

    fn stop_ends_an_idle_shard(io: IoChoice) {
        let node = node(io);
        let commander = node.commander();
        let stopped = node.stop().expect("it was told to").total();
        assert_eq!(stopped.node.datagrams_received, 0);
        let refused = commander.send(Command::Stats { operation: OperationId(1) });
        assert!(matches!(refused, Err(SendError::Stopped(_))));
    }

    fn stop_ends_a_shard_under_load(io: IoChoice) {
        let node = node(io);
        under_flood(node.address(), |_| ping(1), || {
            stats_when(&node, |_, driver| driver.datagrams_received > 1000);
            let stopped = node.stop().expect("it was told to").total();
            assert!(stopped.driver.datagrams_received > 1000);
        });
    }

    fn commands_sent_before_the_stop_are_carried_out(io: IoChoice) {
        let node = node(io);
        let commander = node.commander();
        for operation in 0..100 {
            let operation = OperationId(operation);
            commander.send(Command::Stats { operation }).expect("there is room");
        }
        assert_eq!(node.stop().expect("it was told to").total().driver.commands, 100);
    }

    fn dropping_a_node_frees_its_address(io: IoChoice) {
        // An address of its own, so that no other test gets its port.
        let first = start(settings(io, "127.0.0.77:0")).expect("loopback is there");
        let listen = first.address();
        drop(first);
        let second = start(settings(io, &listen.to_string())).expect("it is free");
        Peer::new(LOOPBACK, second.address()).assert_answered(1);
    }

    fn an_address_in_use_is_refused_with_the_remedy(io: IoChoice) {
        let first = node(io);
        let listen = first.address().to_string();
        let error = start(settings(io, &listen)).expect_err("it is in use");
        assert!(matches!(error, StartError::Bind { .. }));
        let text = error.to_string();
        assert!(text.contains(&listen) && text.contains("in use"), "{text}");
        assert_eq!(text.lines().count(), 1);
        Peer::new(LOOPBACK, first.address()).assert_answered(1);
    }

    fn an_address_of_another_machine_is_refused_with_the_remedy(io: IoChoice) {
        // TEST-NET-1 (RFC 5737): no machine has this address.
        let error = start(settings(io, "192.0.2.1:9001")).expect_err("it is not ours");
        let text = error.to_string();
        assert!(text.contains("192.0.2.1:9001") && text.contains("no such address"), "{text}");
    }

    fn losses_are_fixed_by_their_seed_and_every_datagram_is_accounted_for(io: IoChoice) {
        let run = |seed| {
            let mut settings = settings(io, "127.0.0.1:0");
            settings.loss = Some(Loss { chance: Percent::new(30), seed });
            let node = start(settings).expect("loopback is there");
            let peer = Peer::new(LOOPBACK, node.address());
            for burst in 1..=10 {
                (0..100).for_each(|number| peer.ping(number));
                stats_when(&node, |_, driver| driver.datagrams_received == burst * 100);
            }
            let driver = node.stop().expect("it was told to").total().driver;
            let kept = 1000 - driver.drops_received;
            assert_eq!(kept, driver.datagrams_sent + driver.drops_sent);
            (driver.drops_received, driver.drops_sent)
        };
        let (received, sent) = run(7);
        assert_eq!(run(7), (received, sent));
        // Six standard deviations of 14.5, and of 12.1 around 30 % of 700.
        assert!((213..=387).contains(&received), "{received} of 1000");
        assert!((137..=283).contains(&sent), "{sent} of about 700");
    }
}

#[test]
fn auto_is_uring_where_the_kernel_supports_it() {
    let node = node(IoChoice::Auto);
    assert_eq!((node.io(), node.fallback()), (Io::Uring, None));
}

#[test]
fn auto_falls_back_to_mmsg_where_io_uring_is_forbidden_and_says_why() {
    // The last is the error of Linux 5.15, which has io_uring but not these options.
    for errno in [libc::EPERM, libc::ENOSYS, libc::EINVAL] {
        let node = without(libc::SYS_io_uring_setup, errno, || node(IoChoice::Auto));
        assert_eq!(node.io(), Io::Mmsg);
        let why = node.fallback().expect("there is a reason").to_owned();
        assert!(why.contains("io_uring"), "{why}");
        assert_eq!(why.contains("seccomp"), errno == libc::EPERM, "{why}");
        assert_eq!(why.contains("older than Linux 6.0"), errno == libc::EINVAL, "{why}");
        Peer::new(LOOPBACK, node.address()).assert_answered(1);
    }
}

#[test]
fn a_ring_that_may_be_made_but_not_used_is_no_ring() {
    for (denied, errno) in [
        (libc::SYS_io_uring_enter, libc::EPERM),
        // Buffer rings came with Linux 5.19.
        (libc::SYS_io_uring_register, libc::EINVAL),
    ] {
        let node = without(denied, errno, || node(IoChoice::Auto));
        assert_eq!(node.io(), Io::Mmsg, "system call {denied}");
        Peer::new(LOOPBACK, node.address()).assert_answered(1);
    }
}

#[test]
fn a_driver_by_name_is_refused_with_the_remedy_where_io_uring_is_forbidden() {
    for io in [IoChoice::Uring, IoChoice::TokioUring] {
        for denied in [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter] {
            let error = without(denied, libc::EPERM, || {
                start(settings(io, "127.0.0.1:0")).expect_err("it is forbidden")
            });
            let text = error.to_string();
            assert!(text.contains(&format!("--io {io}:")), "{text}");
            assert!(text.contains("seccomp") && text.contains("use --io mmsg"), "{text}");
            assert_eq!(text.lines().count(), 1);
        }
    }
}

#[test]
fn a_driver_by_name_is_the_one_that_runs() {
    for (choice, io) in [
        (IoChoice::Uring, Io::Uring),
        (IoChoice::TokioUring, Io::TokioUring),
        (IoChoice::Mmsg, Io::Mmsg),
    ] {
        let node = node(choice);
        assert_eq!((node.io(), node.fallback()), (io, None));
        assert_eq!(io.to_string(), choice.to_string());
    }
}

#[test]
fn a_driver_has_one_name() {
    for choice in [IoChoice::Auto, IoChoice::Uring, IoChoice::TokioUring, IoChoice::Mmsg] {
        assert_eq!(choice.to_string().parse(), Ok(choice));
    }
    assert_eq!(
        "epoll".parse::<IoChoice>().expect_err("none").to_string(),
        "a driver is auto, uring, tokio-uring or mmsg"
    );
}
