//! Warnings that say why a node has not joined, at growing intervals.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use kad_node::id::Id;

use super::{Follower, Reach};
use crate::joining::Joining;
use crate::membership::Membership;
use crate::own_id::OwnId;
use crate::ping;

/// How long a node tries to join before the first warning: time for several attempts.
const NOTICE_WAIT_MIN: Duration = Duration::from_secs(3);
/// Longest time between two warnings.
const NOTICE_WAIT_MAX: Duration = Duration::from_mins(15);
/// How long a probed address has to answer.
const PROBE_WAIT: Duration = Duration::from_millis(600);
/// Most addresses that a warning describes; the others are counted.
const ADDRESSES_SHOWN_MAX: usize = 3;

/// The node that joins.
#[derive(Clone, Debug)]
pub(crate) struct Joiner {
    pub(crate) id: OwnId,
    pub(crate) membership: Membership,
    pub(crate) reach: Reach,
}

/// The warnings of one node.
pub(super) struct Notices {
    node: Joiner,
    due: Instant,
    wait: Duration,
    /// Addresses where a node with the same id was reported.
    twins: BTreeSet<SocketAddr>,
}

/// The result of a PING to a bootstrap address.
struct Probe {
    addr: SocketAddr,
    /// The id of the node that answered, or why none did.
    outcome: Result<Id, String>,
}

impl Notices {
    pub(super) fn new(node: Joiner) -> Self {
        let due = Instant::now() + NOTICE_WAIT_MIN;
        Self { node, due, wait: NOTICE_WAIT_MIN, twins: BTreeSet::new() }
    }

    /// Finds out why the node has not joined through the addresses of `follower`, and
    /// warns when a warning is due. A node with the same id is reported immediately,
    /// because waiting does not help: it never answers as a peer.
    pub(super) fn look(&mut self, follower: &Follower, joining: &Joining) {
        let is_first = self.wait == NOTICE_WAIT_MIN;
        let is_due = self.due <= Instant::now();
        if !is_due && !is_first {
            return;
        }
        let addresses = follower.sent().iter().copied();
        let probes = self.probe(addresses.take(ADDRESSES_SHOWN_MAX).collect());
        if joining.wait(Duration::ZERO) {
            return;
        }
        for probe in &probes {
            if probe.outcome == Ok(self.node.id.id()) && self.twins.insert(probe.addr) {
                self.warn_of_twin(probe.addr);
            }
        }
        if !is_due {
            return;
        }
        self.wait = (self.wait * 2).min(NOTICE_WAIT_MAX);
        self.due = Instant::now() + self.wait;
        let unresolved = follower.unresolved().map(|name| format!("'{name}' (does not resolve)"));
        let mut tried: Vec<_> = probes.iter().map(|probe| self.shown(probe)).collect();
        tried.extend(unresolved.take(ADDRESSES_SHOWN_MAX));
        let hidden = follower.sent().len() - probes.len();
        if hidden > 0 {
            tried.push(format!("{hidden} more"));
        }
        if !tried.is_empty() {
            let (Membership { name, .. }, tried) = (&self.node.membership, tried.join(", "));
            let doubt = self.node.membership.doubt();
            tracing::warn!(
                "not joined yet: no bootstrap node of network '{name}' answers; tried {tried}: \
                 check the addresses, the firewall, the network's name, and {doubt}; still trying"
            );
        }
    }

    fn warn_of_twin(&self, addr: SocketAddr) {
        let id = &self.node.id;
        tracing::warn!(
            "the node at {addr} has the same id {id} as this node: it is this node itself, or one \
             of the two needs another --id"
        );
    }

    fn shown(&self, Probe { addr, outcome }: &Probe) -> String {
        match outcome {
            Ok(id) if *id == self.node.id.id() => format!("{addr} (has this node's id)"),
            Ok(_) => format!("{addr} (answers a PING)"),
            Err(reason) => format!("{addr} ({reason})"),
        }
    }

    /// Sends a PING to all of `addresses` at the same time.
    fn probe(&self, addresses: Vec<SocketAddr>) -> Vec<Probe> {
        let Joiner { membership, reach, .. } = &self.node;
        thread::scope(|scope| {
            let ask = |addr| {
                scope.spawn(move || {
                    let outcome = ping::id_at(addr, reach.beside(addr), membership, PROBE_WAIT);
                    Probe { addr, outcome }
                })
            };
            let asked: Vec<_> = addresses.into_iter().map(ask).collect();
            asked.into_iter().filter_map(|probe| probe.join().ok()).collect()
        })
    }
}
