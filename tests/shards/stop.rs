//! How a group of shards stops, and what becomes of its address.

use std::thread;

use kad_node::driver::{DriverEvent, IoChoice, SendError, Settings, Steering, start};
use kad_node::node::{Command, OperationId};

use super::client::{Client, WINDOW};
use super::harness::{event, node, stats_when, under_flood};
use super::{group, named};

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
            let (address, client) = (node.address(), Client::new(&node));
            under_flood(address, |number| client.request(number), || {
                stats_when(&node, |node, _| node.handoffs_received > 1000);
                assert_eq!(node.stop().expect("it stops").shards.len(), 4);
            });
        }
    }

    fn no_other_node_can_bind_the_address_of_a_group(io: IoChoice) {
        let (single, first) = (node(io), group(io, 2, Steering::Kernel));
        let (single, group) = (single.address(), first.address());
        for (listen, shards) in [(single, 2), (group, 1), (group, 2)] {
            let mut second = named(io, shards, Steering::Kernel, "second");
            second.listen = listen;
            let error = start(second).expect_err("it is in use").to_string();
            assert!(error.contains("in use"), "{error}");
        }
        Client::new(&first).exchange(WINDOW);
    }

    fn a_group_that_has_stopped_frees_its_address(io: IoChoice) {
        // An address of its own, so that no other test gets its port.
        let mut listen = "127.0.0.78:0".parse().expect("an address");
        for _ in 0..3 {
            let settings = Settings { listen, ..named(io, 4, Steering::Kernel, "node") };
            let node = start(settings).expect("it is free");
            listen = node.address();
        }
    }
}
