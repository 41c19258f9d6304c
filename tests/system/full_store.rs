//! A test of `--store-bytes`.

use kad_node::limits::PIECE_BYTES_MAX;

use crate::Io;
use crate::child::Node;

/// The size of the store.
const STORE_BYTES: u64 = 256 << 10;
/// Puts of values of one datagram: more than twice the store's size, so that each of two
/// shards could fill all of it.
const PUTS: u64 = 2 * STORE_BYTES / PIECE_BYTES_MAX as u64 + 50;

#[test]
fn the_shards_together_store_no_more_than_store_bytes() {
    let size = STORE_BYTES.to_string();
    let mut node = Node::start(Io::Mmsg, &["--cores", "2", "--store-bytes", &size]);
    let mut origin = Node::join(Io::Mmsg, &node, &[]);
    let mut last = (String::new(), String::new());
    for number in 0..PUTS {
        let text = format!("{number:0PIECE_BYTES_MAX$}");
        last = (origin.put(&text), text);
    }
    node.await_counter("values_evicted");
    let bytes = node.counter("value_bytes");
    assert!(bytes <= STORE_BYTES, "{bytes}: {node}");
    assert!(bytes > STORE_BYTES * 9 / 10, "both shards use their parts: {bytes}: {node}");
    let (key, text) = last;
    assert_eq!(node.found(&key, &text), "local", "what came last is there");
}
