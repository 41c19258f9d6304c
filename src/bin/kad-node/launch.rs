//! Starts and stops nodes as the command line says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kad_node::NetworkKeys;
use kad_node::driver::{
    self, Data, Faults, Loss, Pin, Running, Settings, ShardCount, Steering, Stopped,
};
use kad_node::id::Id;
use kad_node::node::{Command, Config, IdPolicy};
use kad_node::quantity::Percent;
use kad_node::rng::{Rng, SEED_BYTES};
use kad_node::wire::{NetworkId, Role};

use crate::args::{IoArgs, LifeArgs, LookupArgs};
use crate::failure::Failure;
use crate::figures::Identity;
use crate::own_id::OwnId;

/// A generator seeded by the operating system.
pub(crate) fn rng() -> Result<Rng, Failure> {
    let mut seed = [0; SEED_BYTES];
    getrandom::fill(&mut seed)
        .map_err(|error| Failure::Failed(format!("the system gives no randomness: {error}")))?;
    Ok(Rng::from_seed(seed))
}

/// The configuration of a node of `role` with this `id`, or a random one.
pub(crate) fn config(rng: &mut Rng, id: Option<Id>, role: Role, lookup: &LookupArgs) -> Config {
    let id_policy = if id.is_some() { IdPolicy::Fixed } else { IdPolicy::Replaceable };
    let id = id.unwrap_or_else(|| rng.id());
    Config {
        id_policy,
        role,
        network: NetworkId::of_name(&lookup.network),
        k: lookup.k,
        alpha: lookup.alpha,
        value_bytes_max: lookup.value_max,
        peers_per_subnet: lookup.peers_per_subnet,
        ..Config::new(id, rng.seed())
    }
}

/// Sets how long values live.
pub(crate) const fn set_life(config: &mut Config, life: &LifeArgs) {
    config.republish = life.republish;
    config.expire = life.expire;
}

/// The shards of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shards {
    pub(crate) count: ShardCount,
    pub(crate) steering: Steering,
    pub(crate) pin: Pin,
}

impl Shards {
    /// One unpinned thread: for a client, and for a node of a demo, which runs many in
    /// one process.
    pub(crate) const ALONE: Self =
        Self { count: ShardCount::ONE, steering: Steering::Off, pin: Pin::Free };
}

/// Starts a node on `listen`. `index` is the node's number in this process, so that
/// nodes with `--drop` do not drop the same datagrams.
pub(crate) fn start(
    listen: SocketAddr,
    Shards { count: shards, steering, pin }: Shards,
    io: &IoArgs,
    index: u64,
    (node, keys): (Config, Option<NetworkKeys>),
    data: Option<Data>,
) -> Result<Running, Failure> {
    let seed = io.drop_seed.wrapping_add(index);
    let loss = (io.drop != Percent::ZERO).then_some(Loss { chance: io.drop, seed });
    let (io, coalescing, faults) = (io.io, io.coalescing, None);
    run(Settings { listen, io, shards, steering, pin, coalescing, loss, faults, keys, data, node })
}

/// Starts a node of a demo, whose network has these faults.
pub(crate) fn start_among(
    faults: &Faults,
    listen: SocketAddr,
    io: &IoArgs,
    index: u64,
    (node, keys): (Config, Option<NetworkKeys>),
) -> Result<Running, Failure> {
    let Shards { count: shards, steering, pin } = Shards::ALONE;
    let loss = Some(Loss { chance: io.drop, seed: io.drop_seed.wrapping_add(index) });
    let (io, coalescing, faults, data) = (io.io, io.coalescing, Some(faults.clone()), None);
    run(Settings { listen, io, shards, steering, pin, coalescing, loss, faults, keys, data, node })
}

fn run(settings: Settings) -> Result<Running, Failure> {
    driver::start(settings).map_err(|error| Failure::Failed(error.to_string()))
}

/// Makes a node join through `addresses`.
pub(crate) fn join(running: &Running, addresses: Vec<SocketAddr>) -> Result<(), Failure> {
    let command = Command::Bootstrap { addresses };
    running.commander().send(command).map_err(|error| Failure::Failed(error.to_string()))
}

/// Stops a node and returns its last counters. The error says why it had already
/// stopped by itself.
pub(crate) fn stop(running: Running) -> Result<Stopped, Failure> {
    let stopped = running.stop().map_err(|error| Failure::Failed(error.to_string()))?;
    tracing::trace!(?stopped, "stopped");
    Ok(stopped)
}

/// Which node it is that was just started, for `stats`.
pub(crate) fn identity(
    running: &Running,
    (id, address): (OwnId, SocketAddr),
    lookup: &LookupArgs,
) -> Identity {
    Identity {
        id,
        address: address.to_string(),
        network: lookup.network.clone(),
        io: running.io().to_string(),
        started: Instant::now(),
    }
}

/// Warns when the node runs on a fallback driver.
pub(crate) fn warn_of_fallback(running: &Running) {
    if let Some(reason) = running.fallback() {
        tracing::warn!("falling back to {}: {reason}", running.io());
    }
}

/// The address where peers reach a node bound to `bound`. For a wildcard it is the address
/// of the interface that reaches `peer`, else that of the default route, else loopback.
pub(crate) fn reachable(bound: SocketAddr, peer: Option<SocketAddr>) -> SocketAddr {
    /// Addresses reserved for documentation: only a default route leads to them.
    const BEYOND_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const BEYOND_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

    if !bound.ip().is_unspecified() {
        return bound;
    }
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, bound.port()));
    let beyond_v6 = bound.is_ipv6().then_some(BEYOND_V6);
    let beyond = beyond_v6.into_iter().chain([BEYOND_V4]).map(|ip| SocketAddr::new(ip, 9));
    let routed = peer.into_iter().chain(beyond).find_map(source_to);
    routed.map_or(loopback, |ip| SocketAddr::new(ip, bound.port()))
}

/// The address from which the kernel sends to `peer`.
fn source_to(peer: SocketAddr) -> Option<IpAddr> {
    // Connecting a UDP socket chooses a route and sends nothing.
    let socket = UdpSocket::bind(any_like(peer)).ok()?;
    socket.connect(peer).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified()).then_some(source)
}

/// The wildcard address of the family of `addr`, with port 0.
pub(crate) const fn any_like(addr: SocketAddr) -> SocketAddr {
    let ip = match addr {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

/// How long to wait for a name to resolve.
pub(crate) const RESOLVE_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_shown_as_the_interface_that_reaches_the_peer() {
        let bound = SocketAddr::from(([0, 0, 0, 0], 9001));
        let peer = SocketAddr::from(([127, 0, 0, 1], 9002));
        assert_eq!(reachable(bound, Some(peer)), SocketAddr::from(([127, 0, 0, 1], 9001)));
        assert_eq!(reachable(peer, None), peer);
        let bound = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9001));
        assert_eq!(reachable(bound, Some(peer)), SocketAddr::from(([127, 0, 0, 1], 9001)));
        assert!(!reachable(bound, None).ip().is_unspecified());
    }
}
