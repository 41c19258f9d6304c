//! How a group of shards stops, and what becomes of its address.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kad_node::driver::{DriverEvent, IoChoice, SendError, Steering, start};
use kad_node::node::{Command, OperationId};

use super::client::{Client, WINDOW};
use super::harness::{event, node, stats_when};
use super::{LOOPBACK, group, sharded};

/// Whether the flood continues.
struct Flood(AtomicBool);

/// Ends the flood when dropped, even when a test fails.
struct End<'a>(&'a Flood);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

for_each_driver! {
    fn commands_sent_before_the_stop_are_started_by_every_shard(io: IoChoice) {
        let node = group(io, 4, Steering::Kernel);
        for operation in 0..100 {
            let operation = OperationId(operation);
            node.commander().send(Command::Stats { operation }).expect("there is room");
        }
        let stopped = node.stop().expect("it stops");
        assert!(stopped.shards.iter().all(|shard| shard.driver.commands == 100));
    }

    fn every_command_accepted_while_the_node_stops_is_started(io: IoChoice) {
        let node = group(io, 4, Steering::Kernel);
        let commander = node.commander();
        let (stopped, taken) = thread::scope(|scope| {
            let user = scope.spawn(|| {
                let mut taken = 0;
                loop {
                    match commander.send(Command::Stats { operation: OperationId(3) }) {
                        Ok(()) => taken += 1,
                        Err(SendError::Full(_)) => thread::yield_now(),
                        Err(SendError::Stopped(_)) => return taken,
                    }
                }
            });
            event(&node, |event| matches!(event, DriverEvent::Stats { .. }).then_some(()));
            (node.stop().expect("it stops"), user.join().expect("it ends"))
        });
        assert!(taken > 0);
        assert!(stopped.shards.iter().all(|shard| shard.driver.commands == taken), "{taken}");
    }

    /// Without steering most datagrams are for another shard than the one that receives them.
    fn stop_ends_shards_with_messages_in_flight(io: IoChoice) {
        for _ in 0..5 {
            let node = group(io, 4, Steering::Off);
            let (address, flood) = (node.address(), Flood(AtomicBool::new(true)));
            let client = Client::new(&node);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let socket = UdpSocket::bind((LOOPBACK, 0)).expect("loopback is there");
                    let goes_on = |_: &u64| flood.0.load(Ordering::Relaxed);
                    for number in (0..).take_while(goes_on) {
                        // An unconnected socket gets no ICMP errors.
                        let _ = socket.send_to(&client.request(number), address);
                    }
                });
                let ended = End(&flood);
                stats_when(&node, |node, _| node.handoffs_received > 1000);
                let stopped = node.stop().expect("it stops");
                drop(ended);
                assert_eq!(stopped.shards.len(), 4);
            });
        }
    }

    fn no_other_node_can_bind_the_address_of_a_group(io: IoChoice) {
        let (single, first) = (node(io), group(io, 2, Steering::Kernel));
        let (single, group) = (single.address(), first.address());
        for (listen, shards) in [(single, 2), (group, 1), (group, 2)] {
            let mut second = sharded(io, shards, Steering::Kernel, "second");
            second.listen = listen;
            let error = start(second).expect_err("it is in use").to_string();
            assert!(error.contains("in use"), "{error}");
        }
        Client::new(&first).exchange(WINDOW);
    }

    fn a_group_that_has_stopped_frees_its_address(io: IoChoice) {
        // An address of its own, so that no other test gets its port.
        let mut settings = sharded(io, 4, Steering::Kernel, "node");
        settings.listen = "127.0.0.78:0".parse().expect("an address");
        for _ in 0..3 {
            let node = start(settings.clone()).expect("it is free");
            settings.listen = node.address();
        }
    }
}
