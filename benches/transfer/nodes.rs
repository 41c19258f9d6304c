//! Two nodes of one process over loopback: one puts, the other gets.

use std::error::Error;
use std::time::Duration;

use kad_node::driver::{
    Coalescing, DriverEvent, IoChoice, Pin, Running, Settings, ShardCount, Steering, start,
};
use kad_node::id::Id;
use kad_node::node::{Command, Config, Event, KeyedValue, OperationId, Trace};

use super::{VALUE_BYTES, VALUES};

const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Pair {
    origin: Running,
    reader: Running,
}

fn node(seed: u8) -> Result<Running, Box<dyn Error>> {
    Ok(start(Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        io: IoChoice::Auto,
        shards: ShardCount::ONE,
        steering: Steering::Kernel,
        pin: Pin::Free,
        coalescing: Coalescing::On,
        loss: None,
        faults: None,
        keys: None,
        data: None,
        // A copy of what was found would take memory that the bare receiver does not.
        node: Config { store_bytes_max: 0, ..Config::new(Id::of_value(&[seed]), [seed; 32]) },
    })?)
}

/// The next event that `pick` takes.
fn event<T>(node: &Running, pick: impl Fn(Event) -> Option<T>) -> Result<T, Box<dyn Error>> {
    loop {
        if let DriverEvent::Node(event) = node.events().recv_timeout(PATIENCE)?
            && let Some(picked) = pick(event)
        {
            return Ok(picked);
        }
    }
}

impl Pair {
    pub(super) fn start() -> Result<Self, Box<dyn Error>> {
        let (origin, reader) = (node(1)?, node(2)?);
        let addresses = vec![origin.address()];
        reader.commander().send(Command::Bootstrap { addresses })?;
        event(&reader, |event| matches!(event, Event::Joined { .. }).then_some(()))?;
        Ok(Self { origin, reader })
    }

    /// Puts the values of a round, which no other node takes.
    pub(super) fn put(&mut self, round: usize) -> Result<Vec<Id>, Box<dyn Error>> {
        let mut keys = Vec::new();
        for number in 0..VALUES {
            let mut bytes = vec![round as u8; VALUE_BYTES];
            bytes[0] = number as u8;
            let value = KeyedValue::new(bytes);
            keys.push(value.key());
            let operation = OperationId(number as u64);
            self.origin.commander().send(Command::Put { operation, value })?;
            event(&self.origin, |event| matches!(event, Event::Put { .. }).then_some(()))?;
        }
        Ok(keys)
    }

    /// Gets them, one after another.
    pub(super) fn get(&self, keys: &[Id]) -> Result<(), Box<dyn Error>> {
        for &key in keys {
            let (operation, trace) = (OperationId(0), Trace::Off);
            self.reader.commander().send(Command::Get { operation, key, trace })?;
            let found = event(&self.reader, |event| match event {
                Event::Get { outcome, .. } => Some(outcome),
                _ => None,
            })?;
            let found = found.map_err(|refusal| format!("the get was refused: {refusal:?}"))?;
            found.ok_or("the value was not found")?;
        }
        Ok(())
    }
}
