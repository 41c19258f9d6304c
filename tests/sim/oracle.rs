//! The oracle: it knows every value that was put and sees into every node, and
//! so can say what the network ought to answer.

use std::fmt;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::limits::FAILURES_STALE;
use kad_node::node::{Node, id_fits};
use kad_node::time::Instant;

use crate::peers::{PeerIndex, Period};
use crate::shards::Shards;
use crate::violation::Wrong;
use crate::world::World;

/// Longest time for which a node's shards may have something under way without a
/// pause, and how often it is looked: a stuck message takes a second.
const DRAIN_MAX: Duration = Duration::from_mins(1);
const DRAIN_GLANCE: Duration = Duration::from_millis(1);

/// Names a value, in the order of the puts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueIndex(usize);

/// What is known of a value that was put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) key: Id,
    /// The peer that put it, and in which of its lives.
    pub(crate) origin: (PeerIndex, u32),
    /// When it was put: of peers that change their names, those of that time count.
    pub(crate) put: Period,
    /// Other nodes that have said that they hold it, when it was put.
    pub(crate) holders: usize,
    pub(crate) state: State,
}

/// What the network owes its users about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its put has not ended.
    Putting,
    /// Its put has succeeded: every get must find it.
    Stored,
    /// Every node that kept it alive has crashed; cached copies do not.
    Lost,
    /// No node keeps it alive, though no crash took the last that did.
    Dropped,
}

/// All that was put.
#[derive(Default)]
pub(crate) struct Oracle {
    values: Vec<Known>,
}

impl Oracle {
    pub(crate) fn learn(&mut self, now: Instant, key: Id, origin: (PeerIndex, u32)) -> ValueIndex {
        let put = Period { start: now, end: now };
        self.values.push(Known { key, origin, put, holders: 0, state: State::Putting });
        ValueIndex(self.values.len() - 1)
    }

    pub(crate) fn stored(&mut self, now: Instant, value: ValueIndex, holders: usize) {
        let value = &mut self.values[value.0];
        value.put.end = now;
        value.holders = holders;
        value.state = State::Stored;
    }

    /// The values that the network owes to every get.
    pub(crate) fn stored_values(&self) -> Vec<Known> {
        self.values.iter().filter(|value| value.state == State::Stored).copied().collect()
    }

    pub(crate) fn count(&self, state: State) -> usize {
        self.values.iter().filter(|value| value.state == state).count()
    }
}

/// Live peers in the order of their distance to a target, found by sorting them
/// all: what a lookup ought to come to, in that period.
pub(crate) fn closest_peers(
    world: &World,
    target: Id,
    count: usize,
    period: Period,
) -> Vec<PeerIndex> {
    let mut live: Vec<_> = world
        .peers
        .iter()
        .enumerate()
        .filter(|(_, peer)| peer.is_live())
        .map(|(index, peer)| (peer.distance(target, period), PeerIndex(index as u32)))
        .collect();
    let count = count.min(live.len());
    if count < live.len() {
        live.select_nth_unstable(count);
        live.truncate(count);
    }
    live.sort_unstable();
    live.into_iter().map(|(_, peer)| peer).collect()
}

/// Which of the honest peers among the K closest to a value hold it.
struct Placement {
    key: Id,
    honest: usize,
    /// Those that do not, by their places: the closest has the first.
    lacking: Vec<(usize, PeerIndex)>,
}

impl Placement {
    fn new(world: &World, value: Known, k: usize) -> Self {
        let closest = closest_peers(world, value.key, k, value.put);
        let honest = closest.iter().filter(|peer| world.peers[peer.as_usize()].node().is_some());
        let honest: Vec<_> = (1..).zip(honest.copied()).collect();
        let holds = |peer| holds(world, peer, value.key);
        let lacking = honest.iter().copied().filter(|&(_, peer)| !holds(peer)).collect();
        Self { key: value.key, honest: honest.len(), lacking }
    }

    fn holding(&self) -> usize {
        self.honest - self.lacking.len()
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, honest, lacking } = self;
        write!(f, "{key} is held by {} of the {honest} closest nodes; lacking", self.holding())?;
        lacking.iter().try_for_each(|(place, peer)| write!(f, " on {peer} in place {place}"))
    }
}

/// Whether `peer` is up, honest, and holds `key`.
fn holds(world: &World, peer: PeerIndex, key: Id) -> bool {
    world.peers[peer.as_usize()].node().is_some_and(|node| node.holds(key))
}

impl World {
    /// Before nodes crash: what no node keeps alive now, no crash has taken.
    pub(crate) fn check_kept(&mut self) {
        for key in self.write_off(State::Dropped) {
            self.violate(Wrong::Dropped, format!("{key} is kept by no node, and no crash took it"));
        }
    }

    /// After nodes crashed, before which [every value was kept](Self::check_kept):
    /// what no node keeps alive any more went with them.
    pub(crate) fn write_off_lost_values(&mut self) {
        self.write_off(State::Lost);
    }

    /// How many nodes keep a value alive.
    pub(crate) fn keepers(&self, key: Id) -> usize {
        let nodes = self.honest.iter().filter_map(|peer| self.peers[peer.as_usize()].node());
        nodes.filter(|node| node.keeps_alive(key)).count()
    }

    /// Marks the stored values that no node keeps alive, and gives their keys.
    fn write_off(&mut self, state: State) -> Vec<Id> {
        let (honest, peers) = (&self.honest, &self.peers);
        let is_kept = |key| {
            let mut nodes = honest.iter().filter_map(|peer| peers[peer.as_usize()].node());
            nodes.any(|node| node.keeps_alive(key))
        };
        let mut keys = Vec::new();
        for value in &mut self.oracle.values {
            if value.state == State::Stored && !is_kept(value.key) {
                value.state = state;
                keys.push(value.key);
            }
        }
        keys
    }

    /// A violation for each stored value that fewer than `least` of its K closest
    /// live peers hold, of those that are honest.
    pub(crate) fn check_placement(&mut self, k: usize, least: usize) {
        for value in self.oracle.stored_values() {
            let placement = Placement::new(self, value, k);
            if placement.holding() < least.min(placement.honest) {
                self.violate(Wrong::Misplaced, placement.to_string());
            }
        }
    }

    /// A violation for each stored value that one of its K closest live peers lacks that is
    /// honest, and not the farthest of more than K.
    pub(crate) fn check_placement_but_farthest(&mut self, k: usize) {
        let are_more = self.peers.iter().filter(|peer| peer.is_live()).count() > k;
        for value in self.oracle.stored_values() {
            let placement = Placement::new(self, value, k);
            let due = placement.honest - usize::from(are_more && placement.honest > 0);
            if placement.lacking.iter().any(|&(place, _)| place <= due) {
                self.violate(Wrong::Misplaced, placement.to_string());
            }
        }
    }

    /// Nodes' answers to "which contacts are closest?" against a sort of their
    /// routing tables, for `targets` random targets.
    pub(crate) fn check_closest(&mut self, k: usize, targets: usize) {
        for _ in 0..targets {
            let (peer, target) = (self.any_honest(), self.rng.id());
            self.drain(peer);
            let contacts = self.show_peers(peer).into_iter().flat_map(|bucket| bucket.contacts);
            let good = contacts.filter(|contact| contact.failures < FAILURES_STALE);
            let mut good: Vec<_> = good.map(|contact| contact.contact).collect();
            good.sort_unstable_by_key(|one| (!id_fits(one.id, one.addr.ip()), one.id ^ target));
            let sorted: Vec<_> = good.into_iter().take(k).map(|contact| contact.id).collect();
            let Some(node) = self.peers[peer.as_usize()].node() else { continue };
            let answers: Vec<_> = node.nodes().iter().map(|shard| ids(shard, target, k)).collect();
            for (shard, answer) in answers.into_iter().enumerate().filter(|(_, ids)| *ids != sorted)
            {
                let what = format!(
                    "{peer}, shard {shard}, gives {answer:?} as closest to {target}; sorted, they \
                     are {sorted:?}"
                );
                self.violate(Wrong::NotClosest, what);
            }
        }
    }

    /// Lets the time pass until the shards of `peer` have passed on all they had.
    fn drain(&mut self, peer: PeerIndex) {
        let drained =
            |world: &Self| world.peers[peer.as_usize()].node().is_none_or(Shards::is_drained);
        let end = self.now + DRAIN_MAX;
        while !drained(self) {
            if self.now >= end {
                let what = format!("{peer} still passes on messages after {DRAIN_MAX:?}");
                return self.violate(Wrong::NotClosest, what);
            }
            self.run_for(DRAIN_GLANCE);
        }
    }

    /// Of each honest node's K nearest live neighbours, how many it knows.
    pub(crate) fn neighbours_known(&self, k: usize) -> (usize, usize) {
        let (mut known, mut all) = (0, 0);
        let now = Period { start: self.now, end: self.now };
        for peer in &self.honest {
            let Some(node) = self.peers[peer.as_usize()].node() else { continue };
            let contacts = ids(&node.nodes()[0], node.id(), k);
            for neighbour in closest_peers(self, node.id(), k + 1, now).into_iter().skip(1) {
                all += 1;
                known += usize::from(contacts.contains(&self.peers[neighbour.as_usize()].id));
            }
        }
        (known, all)
    }
}

fn ids(node: &Node, target: Id, count: usize) -> Vec<Id> {
    node.closest(target, count).iter().map(|contact| contact.id).collect()
}
