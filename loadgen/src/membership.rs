//! The targets' network: its name, and its key where it has one.

use kad_node::NetworkKeys;
use kad_node::seal::Channel;
use kad_node::wire::NetworkId;

use crate::options::Options;

/// What makes the generator a client of a network.
#[derive(Clone, Debug)]
pub struct Membership {
    /// What datagrams call it.
    pub network: NetworkId,
    /// Its keys.
    pub keys: Option<NetworkKeys>,
}

impl Membership {
    /// The network that the options name.
    pub fn of(options: &Options) -> Result<Self, String> {
        let keys = NetworkKeys::new(&options.network_key)
            .map_err(|error| format!("--network-key names {error}"))?;
        Ok(Self { network: NetworkId::of_name(&options.network_name), keys })
    }

    /// What seals and opens the datagrams of one socket.
    pub fn channel(&self) -> Result<Channel, String> {
        Channel::new(self.keys.as_ref())
            .map_err(|error| format!("the system gives no randomness: {error}"))
    }
}
