//! A network of its own: production nodes, each with a socket of its own on loopback, on one
//! thread of this process, among which datagrams are lost and delayed.
//!
//! The simulator moves such nodes by a clock of its own through a network of its own; here
//! both are real. What goes between a node and the generator is lost by the generator's own
//! account, and delayed here, in either direction.

mod member;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kad_node::quantity::Percent;
use kad_node::rng::Rng;
use kad_node::wire::NetworkId;

use self::member::Member;

/// Nodes of a network at most: with more, one thread is the limit.
pub const NODES_MAX: u64 = 500;
/// Longest sleep: so soon the thread notices that it is to stop.
const SLEEP_MAX: Duration = Duration::from_millis(50);
/// Datagrams under way at most; what is more is lost, as in a queue that is full.
const UNDER_WAY_MAX: usize = 1 << 16;

/// What a network is made with.
#[derive(Clone, Copy, Debug)]
pub struct NetworkPlan {
    /// Its name.
    pub network: NetworkId,
    /// Its nodes.
    pub nodes: u64,
    /// How long a datagram is under way.
    pub delay: Duration,
    /// Fixes ids, secrets and what is lost.
    pub seed: u64,
    /// How long its nodes may take to join.
    pub join_timeout: Duration,
}

/// A running network.
pub struct LocalNetwork {
    addresses: Vec<SocketAddr>,
    delay: Duration,
    control: Arc<Control>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

/// What the thread is told while it runs.
#[derive(Debug, Default)]
struct Control {
    is_stopping: AtomicBool,
    /// In parts of [`Percent::WHOLE`].
    loss: AtomicU64,
}

impl LocalNetwork {
    /// Starts the nodes and has all of them join by the first.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub fn start(plan: NetworkPlan) -> Result<Self, String> {
        let mut rng = Rng::from_u64(plan.seed ^ 0x6e65_7477_6f72_6b00);
        let members = (0..plan.nodes).map(|_| Member::new(plan.network, &mut rng));
        let mut members: Vec<Member> = members
            .collect::<std::io::Result<_>>()
            .map_err(|error| format!("'--network {}': {error}: use fewer nodes", plan.nodes))?;
        let addresses: Vec<SocketAddr> = members.iter().map(Member::address).collect();
        for member in members.iter_mut().skip(1) {
            member.join(addresses[0]);
        }
        let control = Arc::new(Control::default());
        let (joined, all_joined) = mpsc::channel();
        let air = Air::new(plan.delay, &addresses, rng);
        let work = {
            let control = Arc::clone(&control);
            move || run(members, air, &control, &joined)
        };
        let thread = thread::Builder::new().name("network".into()).spawn(work);
        let thread = thread.map_err(|error| format!("no thread for --network: {error}"))?;
        let network = Self { addresses, delay: plan.delay, control, thread: Some(thread) };
        if all_joined.recv_timeout(plan.join_timeout).is_err() {
            network.stop()?;
            let join_timeout = humantime::format_duration(plan.join_timeout);
            return Err(format!(
                "'--network {}': not joined within {join_timeout}: use fewer nodes or a longer \
                 --join-timeout",
                plan.nodes
            ));
        }
        Ok(network)
    }

    /// Where its nodes listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// From now on, loses so much of what goes from node to node.
    pub fn set_loss(&self, loss: Percent) {
        self.control.loss.store(loss.parts(), Ordering::Relaxed);
    }

    /// What to call it in a result.
    pub fn describe(&self) -> String {
        let delay = humantime::format_duration(self.delay);
        format!("a network of its own, {} nodes, delay {delay}", self.addresses.len())
    }

    /// Stops its nodes.
    ///
    /// # Errors
    /// When the thread has failed before.
    pub fn stop(mut self) -> Result<(), String> {
        self.control.is_stopping.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| ended.map_err(|_| "the network panicked".to_owned())?)
    }
}

impl Drop for LocalNetwork {
    fn drop(&mut self) {
        self.control.is_stopping.store(true, Ordering::Relaxed);
    }
}

/// What lies between the nodes.
struct Air {
    delay: Duration,
    members: HashSet<SocketAddr>,
    rng: Rng,
    /// By when they arrive, and in which order they left.
    under_way: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
}

/// A datagram under way.
struct Packet {
    /// Which member it comes from or goes to.
    member: usize,
    /// The other side.
    peer: SocketAddr,
    bytes: Vec<u8>,
    way: Way,
}

/// Which side of a packet the member is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is on its way to the member.
    In,
    /// It is to leave the member's socket.
    Out,
}

impl Air {
    fn new(delay: Duration, addresses: &[SocketAddr], rng: Rng) -> Self {
        let members = addresses.iter().copied().collect();
        Self { delay, members, rng, under_way: BTreeMap::new(), sent: 0 }
    }

    fn loses(&mut self, peer: SocketAddr, loss_parts: u64) -> bool {
        loss_parts > 0
            && self.members.contains(&peer)
            && self.rng.below(Percent::WHOLE) < loss_parts
    }

    fn delays(&mut self, packet: Packet) {
        if self.under_way.len() < UNDER_WAY_MAX {
            self.sent += 1;
            self.under_way.insert((Instant::now() + self.delay, self.sent), packet);
        }
    }

    /// What has arrived.
    fn arrived(&mut self) -> Option<Packet> {
        let first = self.under_way.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }

    /// How long nothing arrives.
    fn next(&self) -> Option<Duration> {
        let ((due, _), _) = self.under_way.first_key_value()?;
        Some(due.saturating_duration_since(Instant::now()))
    }
}

fn run(
    mut members: Vec<Member>,
    mut air: Air,
    control: &Control,
    joined: &Sender<()>,
) -> Result<(), String> {
    let mut polled: Vec<_> = members.iter().map(udp::readable).collect();
    let mut is_told = false;
    while !control.is_stopping.load(Ordering::Relaxed) {
        let due = members.iter().filter_map(Member::next_timeout).chain(air.next()).min();
        udp::poll(&mut polled, Some(due.unwrap_or(SLEEP_MAX).min(SLEEP_MAX)))
            .map_err(|error| format!("the network cannot wait: {error}"))?;
        let loss_parts = control.loss.load(Ordering::Relaxed);
        while let Some(Packet { member: index, peer, bytes, way }) = air.arrived() {
            match way {
                Way::In => members[index].handle(peer, &bytes),
                Way::Out => members[index].send(peer, &bytes),
            }
        }
        for (index, member) in members.iter_mut().enumerate() {
            if polled[index].revents != 0 {
                take_in(index, member, &mut air);
            }
            member.handle_timeout();
            send_off(index, member, &mut air, loss_parts);
        }
        if !is_told && members.iter().skip(1).all(Member::has_joined) {
            // The one that waits for it may have given up.
            let _ = joined.send(());
            is_told = true;
        }
    }
    Ok(())
}

/// Takes in what has come. Between members the sender has delayed it.
fn take_in(index: usize, member: &mut Member, air: &mut Air) {
    while let Some((peer, bytes)) = member.receive() {
        if air.delay.is_zero() || air.members.contains(&peer) {
            member.handle(peer, &bytes);
        } else {
            air.delays(Packet { member: index, peer, bytes, way: Way::In });
        }
    }
}

/// Sends what the member has to say, now or after the delay, or loses it.
fn send_off(index: usize, member: &mut Member, air: &mut Air, loss_parts: u64) {
    for (peer, bytes) in member.take_datagrams() {
        if air.loses(peer, loss_parts) {
            continue;
        }
        if air.delay.is_zero() {
            member.send(peer, &bytes);
        } else {
            air.delays(Packet { member: index, peer, bytes, way: Way::Out });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn what_goes_between_members_is_lost_as_often_as_asked_and_nothing_else() {
        let mut air = Air::new(Duration::ZERO, &[address(1), address(2)], Rng::from_u64(1));
        let parts = Percent::new(20).parts();
        let lost = (0..10_000).filter(|_| air.loses(address(2), parts)).count();
        // Five standard deviations: 5 * sqrt(0.2 * 0.8 * 10 000).
        assert!(lost.abs_diff(2_000) < 200, "{lost}");
        assert!((0..1_000).all(|_| !air.loses(address(3), parts)), "the generator's own");
        assert!((0..1_000).all(|_| !air.loses(address(2), 0)));
    }

    #[test]
    fn a_datagram_is_under_way_for_the_delay_and_none_overtakes() {
        let hour = Duration::from_hours(1);
        let mut air = Air::new(hour, &[], Rng::from_u64(1));
        let packet = |member| Packet { member, peer: address(1), bytes: Vec::new(), way: Way::Out };
        air.delays(packet(1));
        assert!(air.arrived().is_none());
        assert!(air.next().is_some_and(|left| left <= hour && left > hour / 2));
        let mut air = Air::new(Duration::ZERO, &[], Rng::from_u64(1));
        (1..=3).for_each(|member| air.delays(packet(member)));
        let arrived: Vec<usize> =
            std::iter::from_fn(|| air.arrived()).map(|packet| packet.member).collect();
        assert_eq!(arrived, [1, 2, 3]);
    }
}
