//! The protocol seen from outside: each test is named after the behaviour that
//! it protects.

mod net;

use net::Net;

#[test]
fn a_value_put_on_one_node_is_found_by_every_other() {
    let mut net = Net::joined(1, 50);
    let key = net.put(7, "hello");
    net.settle();
    for number in 0..50 {
        let operation = net.get(number, key);
        net.settle();
        assert_eq!(net.found(operation).as_deref(), Some("hello"), "node {number}");
    }
}
