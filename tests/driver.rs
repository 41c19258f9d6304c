//! The drivers over real sockets: whatever one does, the other does as well.

#[macro_use]
#[path = "driver/harness.rs"]
mod harness;

use kad_node::driver::IoChoice;

use harness::{Peer, node, stats};

for_each_driver! {
    fn a_ping_is_answered(io: IoChoice) {
        let node = node(io);
        Peer::new("127.0.0.1", node.address()).assert_answered(1);
        let stopped = node.stop().expect("it was told to");
        assert_eq!(stopped.driver.datagrams_received, 1);
        assert_eq!(stopped.driver.datagrams_sent, 1);
    }

    fn a_command_wakes_a_sleeping_shard(io: IoChoice) {
        let node = node(io);
        assert_eq!(stats(&node).1.commands, 1);
        assert_eq!(stats(&node).1.commands, 2);
    }

    fn stop_ends_an_idle_shard(io: IoChoice) {
        let stopped = node(io).stop().expect("it was told to");
        assert_eq!(stopped.node.datagrams_received, 0);
    }
}
