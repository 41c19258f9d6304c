//! Starts clients, and nodes inside another program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::Client;
use super::error::ClientError;
use super::router::Router;
use crate::driver::{self, Data, Settings, ShardCount, StartError, SyncPolicy};
use crate::id::Id;
use crate::limits::{EXPIRE_DEFAULT, VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX};
use crate::node::Config;
use crate::rng::{Rng, SEED_BYTES};
use crate::seal::NetworkKeys;
use crate::wire::{self, NetworkId, Role};

/// How long a client tries to join where nothing else is said.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a client or of a node, and how to start it. Whatever is not set is as
/// `kad-node` has it.
///
/// ```no_run
/// use kad_node::Builder;
///
/// # fn main() -> Result<(), kad_node::ClientError> {
/// let seed = "192.0.2.1:9001".parse().expect("an address");
/// let node = Builder::node("0.0.0.0:9001".parse().expect("an address"))
///     .bootstrap(&[seed])
///     .announce("198.51.100.7:9001".parse().expect("an address"))
///     .data("/var/lib/my-program")
///     .start()?;
/// println!("{} serves at {}", node.id(), node.address());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder starts nothing by itself"]
pub struct Builder {
    role: Role,
    listen: Option<SocketAddr>,
    bootstrap: Vec<SocketAddr>,
    announce: Option<SocketAddr>,
    network: String,
    keys: Option<NetworkKeys>,
    data: Option<PathBuf>,
    shards: ShardCount,
    value_bytes_max: usize,
    join_timeout: Duration,
}

impl Builder {
    /// A client: no node adds it to a routing table, and it serves none.
    pub fn client() -> Self {
        Self {
            role: Role::Client,
            listen: None,
            bootstrap: Vec::new(),
            announce: None,
            network: "default".into(),
            keys: None,
            data: None,
            shards: ShardCount::ONE,
            value_bytes_max: VALUE_BYTES_DEFAULT,
            join_timeout: JOIN_TIMEOUT,
        }
    }

    /// A node that serves others at the UDP address `listen`, whose port may be 0: the system
    /// chooses one then. It runs on one thread.
    pub fn node(listen: SocketAddr) -> Self {
        Self { role: Role::Peer, listen: Some(listen), ..Self::client() }
    }

    /// Nodes of the network to join by, in place of those of an earlier call: the first 64
    /// count. A client needs one; a node without any is a network of one that others may join.
    pub fn bootstrap(mut self, addresses: &[SocketAddr]) -> Self {
        self.bootstrap = addresses.to_vec();
        self
    }

    /// The address where peers reach a node, when it differs from the one that it is bound to;
    /// port 0 stands for the port that is bound.
    pub const fn announce(mut self, address: SocketAddr) -> Self {
        self.announce = Some(address);
        self
    }

    /// The name of the network, `default` where nothing is said, and never empty. Nodes of other
    /// networks are ignored.
    pub fn network(mut self, name: &str) -> Self {
        name.clone_into(&mut self.network);
        self
    }

    /// The keys of a private network: the first seals what is sent, and what none opens is
    /// ignored.
    pub fn network_keys(mut self, keys: NetworkKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The folder in which a node keeps its id, contacts and values; it is made where it is
    /// absent. Without one they live in memory.
    pub fn data(mut self, folder: impl AsRef<Path>) -> Self {
        self.data = Some(folder.as_ref().to_owned());
        self
    }

    /// How many threads a node has, each with a socket of its own.
    pub const fn shards(mut self, count: ShardCount) -> Self {
        self.shards = count;
        self
    }

    /// The largest value in bytes that is put, held for others and fetched, from 1 on: 1 MiB
    /// where nothing is said, and never more than 16 MiB.
    pub const fn value_bytes_max(mut self, bytes: usize) -> Self {
        self.value_bytes_max = if bytes < VALUE_BYTES_MAX { bytes } else { VALUE_BYTES_MAX };
        self
    }

    /// How long [`start`](Self::start) of a client waits for a bootstrap node's answer.
    pub const fn join_timeout(mut self, timeout: Duration) -> Self {
        self.join_timeout = timeout;
        self
    }

    /// Starts it. A client has joined then; a node joins meanwhile
    /// ([`Client::wait_joined`]), and tries for as long as it runs.
    ///
    /// # Errors
    /// [`ClientError::Setting`], [`ClientError::Start`], [`ClientError::Data`]; of a client,
    /// [`ClientError::NotJoined`].
    /// Nothing is left running.
    pub fn start(self) -> Result<Client, ClientError> {
        self.refuse_impossible()?;
        let mut seed = [0; SEED_BYTES];
        getrandom::fill(&mut seed).map_err(|error| start_error(std::io::Error::other(error)))?;
        let mut rng = Rng::from_seed(seed);
        let (data, id) = self.open(rng.id())?;
        let known = data.as_ref().map(Data::contacts).unwrap_or_default();
        let mut node = Config::new(id, rng.seed());
        node.role = self.role;
        node.network = NetworkId::of_name(&self.network);
        node.announce = self.announce;
        node.value_bytes_max = self.value_bytes_max;
        let settings = Settings::new(self.listen.unwrap_or_else(any_address), node);
        let settings = Settings { shards: self.shards, keys: self.keys, data, ..settings };
        let mut running = driver::start(settings).map_err(ClientError::Start)?;
        let address = running.address();
        let router = Router::start(running.commander(), running.take_events());
        let router = router.map_err(start_error)?;
        let client = Client { router, running: Mutex::new(Some(running)), address, id };
        let addresses = [self.bootstrap, known].concat();
        if !addresses.is_empty() {
            client.router.bootstrap(addresses)?;
        }
        if self.role == Role::Client && !client.wait_joined(self.join_timeout) {
            return Err(ClientError::NotJoined { after: self.join_timeout });
        }
        Ok(client)
    }

    /// Refuses what the program's flags refuse: it would fail later, or never say why.
    fn refuse_impossible(&self) -> Result<(), ClientError> {
        let refused = |why: String| Err(ClientError::Setting(why));
        if self.network.is_empty() {
            return refused("the network's name is empty: give one, such as default".into());
        }
        if self.value_bytes_max == 0 {
            return refused("value_bytes_max is 0: a value has one byte or more".into());
        }
        if let Some(address) = self.listen.filter(|address| wire::is_of_many(address.ip())) {
            return refused(format!(
                "no single host has {address}: listen on an address of this host"
            ));
        }
        if let Some(address) = self.announce.filter(|address| !is_of_one_node(*address)) {
            return refused(format!(
                "peers cannot reach {address}: announce the address of one interface"
            ));
        }
        match self.bootstrap[..] {
            [] if self.role == Role::Client => {
                refused("a client joins by a node: give bootstrap an address".into())
            }
            [first, ..] if !self.bootstrap.iter().any(|address| may_answer(*address)) => refused(
                format!("no node can be at {first}: bootstrap takes the address and port of one"),
            ),
            _ => Ok(()),
        }
    }

    /// The node's folder, where it has one, and its id.
    fn open(&self, random: Id) -> Result<(Option<Data>, Id), ClientError> {
        let failed = |error: &dyn std::fmt::Display| ClientError::Data(error.to_string());
        let Some(path) = &self.data else { return Ok((None, random)) };
        let data = Data::open(path, SyncPolicy::EverySecond, EXPIRE_DEFAULT);
        let data = data.map_err(|error| failed(&error))?;
        if let Some(id) = data.id() {
            return Ok((Some(data), id));
        }
        data.set_id(random).map_err(|error| failed(&error))?;
        Ok((Some(data), random))
    }
}

fn start_error(error: std::io::Error) -> ClientError {
    ClientError::Start(StartError::System(error))
}

/// Whether it is the address of a single node, whatever its port.
const fn is_of_one_node(address: SocketAddr) -> bool {
    wire::is_reachable(SocketAddr::new(address.ip(), 1))
}

/// Whether a node may answer there. A link-local address needs its interface.
const fn may_answer(address: SocketAddr) -> bool {
    let names_interface = matches!(address, SocketAddr::V6(address)
        if address.ip().is_unicast_link_local() && address.scope_id() != 0);
    address.port() != 0 && (names_interface || is_of_one_node(address))
}

/// Any port of every address: of both families where the host has IPv6.
fn any_address() -> SocketAddr {
    let both = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
    let is_there = UdpSocket::bind(both).is_ok();
    if is_there { both } else { SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0) }
}
