//! The nodes of a demo, and what its page does to them: kill, stop, start, cut, lose.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kad_node::NetworkKeys;
use kad_node::driver::{DriverEvent, Faults, Running, ShardStats};
use kad_node::id::Id;
use kad_node::node::{Command, Event, LogEvent, LogLevel, OperationId};
use kad_node::quantity::Percent;
use kad_node::rng::Rng;
use kad_node::wire::Role;
use serde_json::{Value, json};

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::http::Feed;
use crate::launch;

/// How often the nodes are asked for their counters.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a node that is stopped may take to hand its values off.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// Values that are told to have moved in an [`INTERVAL`]: more are no picture.
const MOVES_TOLD_MAX: usize = 400;
/// Digits by which a moved value's key is told.
const KEY_DIGITS: usize = 8;
/// Orders that wait; the clients of more are told to come again.
const ORDERS_MAX: usize = 1024;

/// What may be done to a network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Ends a node at once, and with it all that it holds.
    Kill(usize),
    /// Makes a node hand its values off, and end.
    Stop(usize),
    /// Starts a node that has ended, with its id and address of before and no values.
    Start(usize),
    /// Cuts the network in two, by the first bit of its ids.
    Cut,
    /// Ends the cut.
    Heal,
    /// Sets the chance with which each datagram is lost, each way.
    Lose(Percent),
    /// Takes no more orders.
    End,
}

/// Where orders go, and where the network is seen.
pub(crate) struct Control {
    orders: mpsc::SyncSender<Order>,
    nodes: Vec<(Id, SocketAddr)>,
    view: Mutex<Value>,
}

impl Control {
    /// A control of `nodes`, and where its orders come out.
    pub(super) fn new(members: &[Member]) -> (Arc<Self>, Receiver<Order>) {
        let (orders, ordered) = mpsc::sync_channel(ORDERS_MAX);
        let nodes = members.iter().map(|member| (member.id, member.address)).collect();
        let view = Mutex::new(Value::Null);
        (Arc::new(Self { orders, nodes, view }), ordered)
    }

    /// How many nodes there are, those that have ended among them.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there was room for the order.
    pub(crate) fn give(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Ends the taking of orders.
    pub(super) fn end(&self) {
        // The thread that takes them may have ended already.
        let _ = self.orders.send(Order::End);
    }

    /// The nodes, and how they are.
    pub(crate) fn view(&self) -> Value {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|(id, address)| json!({ "id": id.to_string(), "address": address.to_string() }))
            .collect();
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner).clone();
        json!({ "nodes": nodes, "network": view })
    }

    fn show(&self, view: Value) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// How a node of the demo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// It hands its values off, until then at most.
    Departing {
        until: Instant,
    },
    Stopped,
    Killed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Departing { .. } => "departing",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
        }
    }
}

/// One node of the demo.
pub(super) struct Member {
    pub(super) id: Id,
    pub(super) address: SocketAddr,
    running: Option<Running>,
    state: State,
    contacts: u64,
    values: u64,
    /// What it has stored on others since it was last asked.
    moves: Vec<Move>,
}

/// A value that a node has stored on another.
#[derive(Clone, Copy, Debug)]
struct Move {
    to: Id,
    key: Id,
    purpose: &'static str,
}

impl Member {
    pub(super) const fn new(id: Id, running: Running) -> Self {
        let address = running.address();
        Self {
            id,
            address,
            running: Some(running),
            state: State::Running,
            contacts: 0,
            values: 0,
            moves: Vec::new(),
        }
    }

    /// The node, which runs until an order ends it.
    pub(super) const fn running(&self) -> &Running {
        self.running.as_ref().expect("no order has ended it yet")
    }

    pub(super) const fn running_mut(&mut self) -> &mut Running {
        self.running.as_mut().expect("no order has ended it yet")
    }

    /// Ends the node. One that has failed by itself has ended as well.
    fn end(&mut self, state: State) {
        if let Some(running) = self.running.take()
            && let Err(failure) = launch::stop(running)
        {
            tracing::warn!(address = %self.address, ?failure, "a node of the demo had ended");
        }
        (self.state, self.contacts, self.values) = (state, 0, 0);
    }

    /// Makes the node hand its values off, if it runs.
    fn depart(&mut self) {
        let Some(running) = &self.running else { return };
        let command = Command::Depart { operation: OperationId(0) };
        if self.state == State::Running && running.commander().send(command).is_ok() {
            self.state = State::Departing { until: Instant::now() + LEAVE_MAX };
        }
    }

    /// Takes in what the node has told, and asks it for its counters.
    fn observe(&mut self) {
        let Some(running) = &self.running else { return };
        let mut has_departed = false;
        while let Ok(event) = running.events().try_recv() {
            match event {
                DriverEvent::Stats { shards, .. } => {
                    let stats = ShardStats::total(&shards).node;
                    (self.contacts, self.values) = (stats.contacts, stats.values);
                }
                DriverEvent::Node(Event::Departed { .. }) => has_departed = true,
                DriverEvent::Node(Event::Log {
                    event: LogEvent::StoreEnded { contact, key, purpose, is_stored: true, .. },
                    ..
                }) => self.moves.push(Move { to: contact.id, key, purpose }),
                DriverEvent::Node(_) => {}
            }
        }
        // A node that is too busy is asked again the next time.
        let _ = running.commander().send(Command::Stats { operation: OperationId(0) });
        if let State::Departing { until } = self.state
            && (has_departed || Instant::now() >= until)
        {
            self.end(State::Stopped);
        }
    }
}

/// The nodes of a demo. The first one is the prompt's and the page's: its events go there,
/// and no order ends it.
pub(super) struct Network<'a> {
    pub(super) members: Vec<Member>,
    pub(super) faults: Faults,
    pub(super) keys: Option<NetworkKeys>,
    pub(super) rng: Rng,
    pub(super) args: &'a DemoArgs,
    /// Whether a client looks, so that the nodes tell of what they store.
    pub(super) is_watched: bool,
}

impl Network<'_> {
    /// Carries out orders, and tells `feed` how the network is, until it is to end.
    pub(super) fn attend(&mut self, control: &Control, ordered: &Receiver<Order>, feed: &Feed) {
        let mut due = Instant::now();
        let (mut is_cut, mut loss) = (false, self.args.io.drop);
        loop {
            match ordered.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Order::Cut) => is_cut = self.cut(),
                Ok(Order::Heal) => {
                    self.faults.heal();
                    is_cut = false;
                }
                Ok(Order::Lose(chance)) => {
                    self.faults.set_loss(chance);
                    loss = chance;
                }
                Ok(Order::Kill(index)) => self.members[index].end(State::Killed),
                Ok(Order::Stop(index)) => self.members[index].depart(),
                Ok(Order::Start(index)) => self.start(index),
                Err(RecvTimeoutError::Timeout) => {
                    self.watch(feed.is_heard());
                    // The first one's events go to the prompt and to the page.
                    self.members[1..].iter_mut().for_each(Member::observe);
                    if let Some(moved) = self.moved() {
                        feed.tell("moved", || moved);
                    }
                    due = Instant::now() + INTERVAL;
                }
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let view = self.view(is_cut, loss);
            feed.tell("network", || view.clone());
            control.show(view);
        }
    }

    /// Has the nodes tell of what they store, while a client looks.
    fn watch(&mut self, is_heard: bool) {
        if self.is_watched != is_heard {
            self.is_watched = is_heard;
            let level = self.watched_level();
            for running in self.members[1..].iter().filter_map(|member| member.running.as_ref()) {
                // What a node that is too busy does not tell is not drawn.
                let _ = running.commander().send(Command::Log { level });
            }
        }
    }

    const fn watched_level(&self) -> LogLevel {
        if self.is_watched { LogLevel::Hops } else { LogLevel::Off }
    }

    /// What nodes have stored on others since it was last asked, if anything.
    fn moved(&mut self) -> Option<Value> {
        let numbers: HashMap<Id, usize> =
            self.members.iter().enumerate().map(|(number, member)| (member.id, number)).collect();
        let (mut told, mut left_out) = (Vec::new(), 0);
        for (from, member) in self.members.iter_mut().enumerate() {
            for Move { to, key, purpose } in member.moves.drain(..) {
                match numbers.get(&to) {
                    Some(to) if told.len() < MOVES_TOLD_MAX => {
                        told.push(json!([from, to, key.to_string()[..KEY_DIGITS], purpose]));
                    }
                    _ => left_out += 1,
                }
            }
        }
        (!told.is_empty()).then(|| json!({ "moves": told, "left_out": left_out }))
    }

    fn cut(&self) -> bool {
        let far = self.members.iter().filter(|member| is_far(member.id));
        self.faults.cut(far.map(|member| member.address.port()));
        true
    }

    /// Starts the node `index` again, if it has ended.
    fn start(&mut self, index: usize) {
        if let Err(failure) = self.try_start(index) {
            tracing::warn!("a node of the demo did not start: {failure:?}");
        }
    }

    fn try_start(&mut self, index: usize) -> Result<(), Failure> {
        let (by, level) = (self.members[0].address, self.watched_level());
        let member = &mut self.members[index];
        if member.running.is_some() {
            return Ok(());
        }
        let args = self.args;
        let mut config = launch::config(&mut self.rng, Some(member.id), Role::Peer, &args.lookup);
        launch::set_life(&mut config, &args.life());
        config.log_level = level;
        let (index, config) = (index as u64, (config, self.keys.clone()));
        let running = launch::start_among(&self.faults, member.address, &args.io, index, config)?;
        launch::join(&running, vec![by])?;
        (member.running, member.state) = (Some(running), State::Running);
        Ok(())
    }

    fn view(&self, is_cut: bool, loss: Percent) -> Value {
        let all = || self.members.iter();
        json!({
            "states": all().map(|member| member.state.name()).collect::<Vec<_>>(),
            "contacts": all().map(|member| member.contacts).collect::<Vec<_>>(),
            "values": all().map(|member| member.values).collect::<Vec<_>>(),
            "is_cut": is_cut,
            "loss_percent": loss.value(),
        })
    }
}

/// Whether a node is on the far side of a cut: ids that begin with a 1.
fn is_far(id: Id) -> bool {
    id.to_bytes()[0] >> 7 == 1
}
