//! Nodes of this process, and what is asked of them.

use std::net::SocketAddr;
use std::time::Duration;

use kad_node::driver::{DriverEvent, Running, Settings, ShardStats, start};
use kad_node::id::Id;
use kad_node::node::{Command, Config, Event, KeyedValue, OperationId, Stored, Trace};

use super::{Outcome, VALUE_BYTES, VALUES};

const PATIENCE: Duration = Duration::from_mins(1);

/// A node that listens at `listen` and holds at most so many bytes for others.
pub(super) fn node(listen: SocketAddr, seed: u8, store_bytes_max: usize) -> Outcome<Running> {
    let node = Config { store_bytes_max, ..Config::new(Id::of_value(&[seed]), [seed; 32]) };
    Ok(start(Settings::new(listen, node))?)
}

/// Joins `node` by `other`.
pub(super) fn join(node: &Running, other: &Running) -> Outcome<()> {
    let addresses = vec![other.address()];
    node.commander().send(Command::Bootstrap { addresses })?;
    event(node, |event| matches!(event, Event::Joined { .. }).then_some(()))
}

/// The next event that `pick` takes.
pub(super) fn event<T>(node: &Running, pick: impl Fn(Event) -> Option<T>) -> Outcome<T> {
    loop {
        if let DriverEvent::Node(event) = node.events().recv_timeout(PATIENCE)?
            && let Some(picked) = pick(event)
        {
            return Ok(picked);
        }
    }
}

/// Puts a value, and says where it went.
pub(super) fn put(node: &Running, value: KeyedValue) -> Outcome<Stored> {
    node.commander().send(Command::Put { operation: OperationId(0), value })?;
    let stored = event(node, |event| match event {
        Event::Put { outcome, .. } => Some(outcome),
        _ => None,
    })?;
    stored.map_err(|refusal| format!("the put was refused: {refusal:?}").into())
}

/// Begins a get.
pub(super) fn begin_get(node: &Running, key: Id) -> Outcome<()> {
    let (operation, trace) = (OperationId(0), Trace::Off);
    Ok(node.commander().send(Command::Get { operation, key, trace })?)
}

/// Waits until a get has found its value.
pub(super) fn end_get(node: &Running) -> Outcome<()> {
    let found = event(node, |event| match event {
        Event::Get { outcome, .. } => Some(outcome),
        _ => None,
    })?;
    let found = found.map_err(|refusal| format!("the get was refused: {refusal:?}"))?;
    found.map(|_| ()).ok_or_else(|| "the value was not found".into())
}

/// A value of 1 MiB, another for each pair of numbers.
pub(super) fn value(round: usize, number: usize) -> KeyedValue {
    let mut bytes = vec![round as u8; VALUE_BYTES];
    bytes[0] = number as u8;
    KeyedValue::new(bytes)
}

/// Two nodes: one puts, the other gets.
pub(super) struct Pair {
    pub(super) origin: Running,
    pub(super) reader: Running,
}

impl Pair {
    pub(super) fn start() -> Outcome<Self> {
        let any = ([127, 0, 0, 1], 0).into();
        // A copy of what was found would take memory that the bare receiver does not.
        Self::of(node(any, 1, 0)?, node(any, 2, 0)?)
    }

    pub(super) fn of(origin: Running, reader: Running) -> Outcome<Self> {
        join(&reader, &origin)?;
        Ok(Self { origin, reader })
    }

    /// Puts the values of a round, which no other node takes.
    pub(super) fn put(&mut self, round: usize) -> Outcome<Vec<Id>> {
        let put = |number| {
            let value = value(round, number);
            let key = value.key();
            put(&self.origin, value).map(|_| key)
        };
        (0..VALUES).map(put).collect()
    }

    /// Gets them, one after another.
    pub(super) fn get(&self, keys: &[Id]) -> Outcome<()> {
        for &key in keys {
            begin_get(&self.reader, key)?;
            end_get(&self.reader)?;
        }
        Ok(())
    }

    /// Has the origin forget them, so that each round begins with the same memory.
    pub(super) fn forget(&self, keys: &[Id]) -> Outcome<()> {
        for &key in keys {
            self.origin.commander().send(Command::Forget { operation: OperationId(0), key })?;
            event(&self.origin, |event| matches!(event, Event::Forget { .. }).then_some(()))?;
        }
        Ok(())
    }

    /// Prints what went wrong on the way.
    pub(super) fn print_lost(&self) -> Outcome<()> {
        self.reader.commander().send(Command::Stats { operation: OperationId(0) })?;
        loop {
            if let DriverEvent::Stats { shards, .. } =
                self.reader.events().recv_timeout(PATIENCE)?
            {
                let ShardStats { node, driver, .. } = ShardStats::total(&shards);
                println!(
                    "pieces received {}, in {} ranges; lost {}, late {}; dropped by the kernel {}",
                    node.pieces_received,
                    node.ranges_asked,
                    node.pieces_lost,
                    node.pieces_late,
                    driver.kernel_drops
                );
                return Ok(());
            }
        }
    }
}
