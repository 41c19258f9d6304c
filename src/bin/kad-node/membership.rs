//! What makes a node a member of its network: the network's name, and its key where it has
//! one.

use kad_node::wire::NetworkId;
use kad_node::{NetworkKey, NetworkKeys};

use crate::args::LookupArgs;
use crate::failure::Failure;

/// A network's name and keys.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) name: String,
    pub(crate) keys: Option<NetworkKeys>,
}

impl Membership {
    /// The network of this name and these keys.
    pub(crate) fn new(name: &str, keys: &[NetworkKey]) -> Result<Self, Failure> {
        let keys = NetworkKeys::new(keys)
            .map_err(|error| Failure::Usage(format!("--network-key names {error}")))?;
        Ok(Self { name: name.to_owned(), keys })
    }

    /// The network that the command line names.
    pub(crate) fn of(lookup: &LookupArgs) -> Result<Self, Failure> {
        Self::new(&lookup.network, &lookup.network_key)
    }

    /// What datagrams call it.
    pub(crate) fn id(&self) -> NetworkId {
        NetworkId::of_name(&self.name)
    }

    /// What else to check where none of its nodes answers: to a datagram without the right
    /// key a node is silent.
    pub(crate) const fn doubt(&self) -> &'static str {
        match self.keys {
            None => "whether it needs a --network-key",
            Some(_) => "whether its --network-key is another",
        }
    }
}
