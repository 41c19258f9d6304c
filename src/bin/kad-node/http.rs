//! The HTTP API: values, the routing table, counters, metrics, events, and a page.
//!
//! ```text
//! connections -> serve -> routes -> handlers -> NodeClient -> Commander -> shards
//!                                      ^            ^                        |
//!                                      |            +------ deliver ---------+
//!                                      +---- Feed <-------- observe ---------+
//! ```
//!
//! All of it runs on one thread of its own, which is nicer to others than a shard's: no shard
//! waits for it, and it takes from the datapath only the time that the machine has left. It
//! is one more client of the node, beside the prompt. What comes from the network it bounds:
//! [`limits`] has the names.

mod access;
mod app;
mod body;
mod conditions;
mod counters;
mod demo;
mod feed;
mod health;
mod limits;
mod metrics;
mod node;
mod page;
mod problem;
mod rates;
mod routes;
mod serve;
mod stream;
mod values;
mod views;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use kad_node::driver::{self, Commander, DriverEvent};
use tokio::runtime;
use tokio::sync::watch;

use self::access::Access;
use self::app::{App, Phase};
use self::node::NodeClient;
use crate::args::{HttpAccessArgs, HttpArgs};
use crate::failure::Failure;

pub(crate) use self::app::About;
pub(crate) use self::feed::Feed;
pub(crate) use self::views::micros;

/// Threads that hash large values, beside the one that does all else.
const HASH_THREADS_MAX: usize = 2;

/// Ports that a demo tries.
const PORTS_TRIED_MAX: usize = 100;

/// A bound address, at which nothing is served yet.
pub(crate) struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
}

impl Endpoint {
    /// Binds the address that the command line asks for, if any.
    ///
    /// # Errors
    /// When the access is not safe, or the address is not to be had.
    pub(crate) fn of(args: &HttpArgs) -> Result<Option<Self>, Failure> {
        let Some(address) = args.http else { return Ok(None) };
        let access = Access::new(&args.access, address)?;
        Self::bind(address, access).map(Some).map_err(|error| {
            Failure::Failed(format!(
                "cannot serve HTTP at {address}: {error}: choose another --http, or port 0"
            ))
        })
    }

    /// Binds `address`, or the next port that is free. Says so when there is none, which is no
    /// reason not to run.
    ///
    /// # Errors
    /// When the access is not safe.
    pub(crate) fn open_nearby(
        address: SocketAddr,
        access: &HttpAccessArgs,
    ) -> Result<Option<Self>, Failure> {
        for port in (address.port()..=u16::MAX).take(PORTS_TRIED_MAX) {
            let address = SocketAddr::new(address.ip(), port);
            let access = Access::new(access, address)?;
            match Self::bind(address, access) {
                Ok(endpoint) => return Ok(Some(endpoint)),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    tracing::warn!("no HTTP at {address}: {error}");
                    return Ok(None);
                }
            }
        }
        tracing::warn!("no HTTP: the {PORTS_TRIED_MAX} ports from {address} on are taken");
        Ok(None)
    }

    fn bind(address: SocketAddr, access: Access) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, access })
    }
}

/// Where this host's browsers find what is bound to `address`.
fn as_seen_here(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(loopback, address.port())
}

/// A server that runs.
pub(crate) struct Server {
    node: Arc<NodeClient>,
    feed: Arc<Feed>,
    phase: watch::Sender<Phase>,
    thread: JoinHandle<()>,
}

/// Where the node's events go for the server's sake.
pub(crate) struct EventSink {
    node: Arc<NodeClient>,
    feed: Arc<Feed>,
}

impl EventSink {
    /// Takes note of an event, whatever client it is for.
    pub(crate) fn observe(&self, event: &DriverEvent) {
        self.feed.observe(event);
    }

    /// Brings an answer to the handler that waits for it.
    pub(crate) fn deliver(&self, answer: DriverEvent) {
        self.node.deliver(answer);
    }
}

impl Drop for EventSink {
    fn drop(&mut self) {
        self.node.close();
    }
}

impl Server {
    /// Serves the node behind `commander` at `endpoint`.
    ///
    /// # Errors
    /// When the system has no thread or no descriptors for it.
    pub(crate) fn start(
        endpoint: Endpoint,
        about: About,
        commander: Commander,
    ) -> Result<Self, Failure> {
        let Endpoint { listener, address, access } = endpoint;
        let fail = |error: io::Error| Failure::Failed(format!("cannot serve HTTP: {error}"));
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(HASH_THREADS_MAX)
            .build()
            .map_err(fail)?;
        let (node, feed) = (Arc::new(NodeClient::new(commander)), Arc::new(Feed::new()));
        let (phase, phases) = watch::channel(Phase::Serving);
        let app = App::new(about, Arc::clone(&node), Arc::clone(&feed), access, phases.clone());
        let serve = move || {
            driver::give_way();
            runtime.block_on(async {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => serve::run(listener, Arc::new(app), phases).await,
                    Err(error) => tracing::error!("cannot serve HTTP: {error}"),
                }
            });
            // What still hashes is of no use to any client.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("http".into()).spawn(serve).map_err(fail)?;
        tracing::info!(%address, "http: see http://{}/", as_seen_here(address));
        Ok(Self { node, feed, phase, thread })
    }

    /// Where the node's events go.
    pub(crate) fn sink(&self) -> EventSink {
        EventSink { node: Arc::clone(&self.node), feed: Arc::clone(&self.feed) }
    }

    /// Where clients hear of what happens.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// Says at `/readyz` that the node stops.
    pub(crate) fn depart(&self) {
        self.phase.send_replace(Phase::Departing);
    }

    /// Lets running requests end, and no other begin.
    pub(crate) fn stop(self) {
        self.phase.send_replace(Phase::Stopped);
        // A thread that has panicked has said so.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_shown_is_one_that_a_browser_can_open() {
        for (bound, shown) in [
            ("127.0.0.1:9080", "127.0.0.1:9080"),
            ("0.0.0.0:9080", "127.0.0.1:9080"),
            ("[::]:9080", "[::1]:9080"),
            ("192.168.1.5:80", "192.168.1.5:80"),
        ] {
            let bound = bound.parse().expect("an address");
            assert_eq!(as_seen_here(bound).to_string(), shown);
        }
    }
}
