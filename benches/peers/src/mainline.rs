//! Nodes of the mainline crate (BitTorrent's DHT in Rust).
#![allow(deprecated, reason = "the calls that wait: the others are for an executor")]

use std::net::Ipv4Addr;

use mainline::{Dht, Id, Testnet};

use crate::network::{self, Network};

/// One node, until it is killed.
pub(crate) fn serve_node(port: u16) -> Result<(), String> {
    let mut builder = Dht::builder();
    builder.server_mode().no_bootstrap().bind_address(Ipv4Addr::LOCALHOST).port(port);
    let _node = builder.build().map_err(|error| error.to_string())?;
    loop {
        std::thread::park();
    }
}

struct MainlineNetwork {
    _nodes: Testnet,
    putter: Dht,
    getter: Dht,
}

/// A network of `nodes`, and two nodes that are used.
pub(crate) fn serve_network(nodes: usize) -> Result<(), String> {
    let nodes = Testnet::builder(nodes).build().map_err(|error| error.to_string())?;
    let join = || -> Result<Dht, String> {
        let mut builder = Dht::builder();
        builder.server_mode().bootstrap(&nodes.bootstrap).bind_address(Ipv4Addr::LOCALHOST);
        let node = builder.build().map_err(|error| error.to_string())?;
        if node.bootstrapped() { Ok(node) } else { Err("a node has not joined".into()) }
    };
    let (putter, getter) = (join()?, join()?);
    network::serve(&mut MainlineNetwork { _nodes: nodes, putter, getter })
}

impl Network for MainlineNetwork {
    fn put(&mut self, value: &[u8]) -> Result<String, String> {
        let key = self.putter.put_immutable(value).map_err(|error| error.to_string())?;
        Ok(key.to_string())
    }

    fn get(&mut self, key: &str) -> Result<Vec<u8>, String> {
        let key: Id = key.parse().map_err(|_| format!("{key} is no key"))?;
        let value = self.getter.get_immutable(key).ok_or("not found")?;
        Ok(value.into_vec())
    }
}
