//! Puts and gets in progress, and how they ended.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::{Command, Found, KeyedValue, OperationId, Refusal, Stored, Trace as Hops};

use crate::oracle::ValueIndex;
use crate::peers::PeerIndex;
use crate::samples::Samples;
use crate::violation::Wrong;
use crate::world::World;

/// What a get must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The value.
    Found,
    /// The value, or nothing: faults may hide it for a while.
    Anything,
    /// Nothing: the value has expired, or no node has it any more.
    Missing,
}

#[derive(Clone, Copy)]
enum Doing {
    Put { value: ValueIndex },
    Get { expect: Expect },
}

struct Operation {
    peer: PeerIndex,
    doing: Doing,
}

/// How the operations of a world went.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) puts: u64,
    pub(crate) gets: u64,
    pub(crate) gets_found: u64,
    /// Ended with the node on which they ran.
    pub(crate) abandoned: u64,
    pub(crate) put_holders: Samples,
    pub(crate) put_hops: Samples,
    pub(crate) put_elapsed_us: Samples,
    pub(crate) get_hops: Samples,
    pub(crate) get_asked: Samples,
    pub(crate) get_elapsed_us: Samples,
    /// Of gets that found nothing.
    pub(crate) get_missing_us: Samples,
    /// Of each node that has departed: values handed off, datagrams sent and received, time.
    pub(crate) handed_off: Samples,
    pub(crate) departure_datagrams: Samples,
    pub(crate) departure_us: Samples,
}

/// The operations of a world.
#[derive(Default)]
pub(crate) struct Operations {
    /// By their number; none where they have ended.
    all: Vec<Option<Operation>>,
    in_progress: usize,
    pub(crate) tally: Tally,
}

impl Operations {
    fn begin(&mut self, peer: PeerIndex, doing: Doing) -> OperationId {
        self.all.push(Some(Operation { peer, doing }));
        self.in_progress += 1;
        OperationId(self.all.len() as u64 - 1)
    }

    fn end(&mut self, id: OperationId) -> Option<Operation> {
        let operation = self.all.get_mut(id.0 as usize)?.take()?;
        self.in_progress -= 1;
        Some(operation)
    }

    /// Gives up what runs on `peer`, which has crashed.
    pub(crate) fn abandon(&mut self, peer: PeerIndex) {
        if self.in_progress == 0 {
            return;
        }
        for operation in &mut self.all {
            if operation.as_ref().is_some_and(|operation| operation.peer == peer) {
                *operation = None;
                self.in_progress -= 1;
                self.tally.abandoned += 1;
            }
        }
    }

    /// How many have not ended.
    pub(crate) const fn len(&self) -> usize {
        self.in_progress
    }

    /// What has not ended, for people to read.
    pub(crate) fn in_progress(&self) -> Vec<String> {
        if self.in_progress == 0 {
            return Vec::new();
        }
        let describe = |operation: &Operation| match operation.doing {
            Doing::Put { .. } => format!("a put at {}", operation.peer),
            Doing::Get { .. } => format!("a get at {}", operation.peer),
        };
        self.all.iter().flatten().map(describe).collect()
    }
}

impl World {
    /// Puts a fresh value of `bytes` bytes at `peer`.
    pub(crate) fn put(&mut self, peer: PeerIndex, bytes: usize) {
        let mut value = vec![0; bytes].into_boxed_slice();
        for chunk in value.chunks_mut(8) {
            let noise: [u8; 8] = self.rng.bytes();
            chunk.copy_from_slice(&noise[..chunk.len()]);
        }
        self.put_value(peer, KeyedValue::new(value));
    }

    /// Puts `value` at `peer`.
    pub(crate) fn put_value(&mut self, peer: PeerIndex, value: KeyedValue) {
        let origin = (peer, self.peers[peer.as_usize()].lives);
        let index = self.oracle.learn(self.now, value.key(), origin);
        self.operations.tally.puts += 1;
        let operation = self.begin_operation(peer, Doing::Put { value: index });
        self.command(peer, Command::Put { operation, value });
    }

    /// Gets `key` at `peer`.
    pub(crate) fn get(&mut self, peer: PeerIndex, key: Id, expect: Expect) {
        self.operations.tally.gets += 1;
        let operation = self.begin_operation(peer, Doing::Get { expect });
        self.command(peer, Command::Get { operation, key, trace: Hops::Off });
    }

    fn begin_operation(&mut self, peer: PeerIndex, doing: Doing) -> OperationId {
        self.peers[peer.as_usize()].operations += 1;
        self.operations.begin(peer, doing)
    }

    fn end_operation(&mut self, id: OperationId) -> Option<Doing> {
        let operation = self.operations.end(id)?;
        self.peers[operation.peer.as_usize()].operations -= 1;
        Some(operation.doing)
    }

    pub(crate) fn end_put(
        &mut self,
        operation: OperationId,
        outcome: Result<Stored, Refusal>,
        elapsed: Duration,
    ) {
        let Some(Doing::Put { value }) = self.end_operation(operation) else {
            let what = format!("a put of no such operation ended: {operation:?}");
            return self.violate(Wrong::Operation, what);
        };
        match outcome {
            Ok(stored) => {
                self.oracle.stored(self.now, value, stored.holders);
                let tally = &mut self.operations.tally;
                tally.put_holders.add(stored.holders as u64);
                tally.put_hops.add(u64::from(stored.hops));
                tally.put_elapsed_us.add(elapsed.as_micros() as u64);
            }
            Err(refusal) => {
                let what = format!("put refused: {refusal:?} after {elapsed:?}");
                self.violate(Wrong::Operation, what);
            }
        }
    }

    pub(crate) fn end_get(
        &mut self,
        operation: OperationId,
        key: Id,
        outcome: Result<Option<Found>, Refusal>,
        asked: usize,
        elapsed: Duration,
    ) {
        let Some(Doing::Get { expect }) = self.end_operation(operation) else {
            let what = format!("a get of no such operation ended: {operation:?}");
            return self.violate(Wrong::Operation, what);
        };
        let found = match outcome {
            Ok(found) => found,
            Err(refusal) => {
                let what = format!("get {key} refused: {refusal:?}");
                return self.violate(Wrong::Operation, what);
            }
        };
        if let Some(found) = &found {
            if Id::of_value(&found.value) != key {
                let what = format!("get {key} gave a value that does not hash to its key");
                self.violate(Wrong::Forged, what);
            }
            let tally = &mut self.operations.tally;
            tally.gets_found += 1;
            tally.get_hops.add(u64::from(found.hops));
            tally.get_asked.add(asked as u64);
            tally.get_elapsed_us.add(elapsed.as_micros() as u64);
        }
        if found.is_none() {
            self.operations.tally.get_missing_us.add(elapsed.as_micros() as u64);
        }
        match (expect, found) {
            (Expect::Found, None) => {
                let what = format!("get {key} found nothing: asked {asked}, {elapsed:?}");
                self.violate(Wrong::NotFound, what);
            }
            (Expect::Missing, Some(_)) => {
                let what = format!("get {key} found a value that should be gone");
                self.violate(Wrong::Undue, what);
            }
            _ => {}
        }
    }
}
