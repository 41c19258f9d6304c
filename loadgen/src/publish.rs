//! Before a run with lookups: the values are put into the network as users put them, on
//! the K closest nodes of each key, and looked up once.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use kad_node::limits::QUERIES_MAX;
use kad_node::node::{Event, OperationId, Refusal};

use crate::corpus::{Corpus, KeyIndex};
use crate::lookups::LookupClient;

/// Puts and gets in progress: few enough for the smallest receive buffer of a node, of
/// which each holds some of the values.
const WINDOW: usize = 32;
/// Times that each put and each get is tried: on a bad line a single one may fail.
const ATTEMPTS_MAX: u32 = 4;
/// Longest wait for a datagram. The client's own deadlines end most waits before.
const WAIT_MAX: Duration = Duration::from_secs(1);

const _: () = assert!(WINDOW < QUERIES_MAX);

/// What is done with each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Put,
    Get,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed,
    /// There was no room for it among what is in flight.
    Busy,
}

/// Puts every value into the network that `client` has joined, then gets each to see that
/// it is there. Calls `progress` with the share that is done, from 0 to 1.
///
/// # Errors
/// When a value is not taken, or not given back.
pub fn publish(
    client: &mut LookupClient,
    corpus: &Corpus,
    progress: &mut impl FnMut(f64),
) -> Result<(), String> {
    let all = corpus.len() as f64 * 2.0;
    do_all(client, corpus, Task::Put, &mut |done| progress(done as f64 / all))?;
    do_all(client, corpus, Task::Get, &mut |done| progress(0.5 + done as f64 / all))
}

fn do_all(
    client: &mut LookupClient,
    corpus: &Corpus,
    task: Task,
    progress: &mut impl FnMut(usize),
) -> Result<(), String> {
    // What has failed goes first, so that a network that is gone is soon given up.
    let mut waiting: VecDeque<(u32, u32)> = VecDeque::new();
    let mut fresh = 0..corpus.len() as u32;
    let mut in_progress: HashMap<u32, u32> = HashMap::new();
    let mut done = 0;
    while done < corpus.len() {
        while in_progress.len() < WINDOW
            && let Some((index, attempt)) = waiting.pop_front().or_else(|| Some((fresh.next()?, 1)))
        {
            begin(client, corpus, task, index);
            in_progress.insert(index, attempt);
        }
        client.wait(client.wait_max().min(WAIT_MAX))?;
        for event in client.turn() {
            let Some((index, outcome)) = end_of(&event, corpus) else {
                continue;
            };
            let Some(attempt) = in_progress.remove(&index) else {
                continue;
            };
            match outcome {
                Outcome::Done => done += 1,
                Outcome::Busy => waiting.push_back((index, attempt)),
                Outcome::Failed if attempt < ATTEMPTS_MAX => {
                    waiting.push_back((index, attempt + 1));
                }
                Outcome::Failed => return Err(task.failure(corpus, index)),
            }
            if task == Task::Put && outcome == Outcome::Done {
                // The client would keep it, to put it again after an hour.
                client.forget(OperationId(index.into()), corpus.key(KeyIndex(index)));
            }
            progress(done);
        }
    }
    Ok(())
}

impl Task {
    fn failure(self, corpus: &Corpus, index: u32) -> String {
        let key = corpus.key(KeyIndex(index));
        match self {
            Self::Put => format!(
                "no node of the network takes the value of {key}: use fewer --keys, a smaller \
                 --value-size, or nodes with a larger --value-max"
            ),
            Self::Get => format!(
                "the network does not give back the value of {key}, which it has stored: use fewer \
                 --keys"
            ),
        }
    }
}

fn begin(client: &mut LookupClient, corpus: &Corpus, task: Task, index: u32) {
    let operation = OperationId(index.into());
    match task {
        Task::Put => client.put(operation, corpus.value(KeyIndex(index))),
        Task::Get => client.begin(operation, corpus.key(KeyIndex(index))),
    }
}

/// Which put or get the event ends, and how.
fn end_of(event: &Event, corpus: &Corpus) -> Option<(u32, Outcome)> {
    let index = |operation: &OperationId| operation.0 as u32;
    match event {
        Event::Put { operation, outcome, .. } => Some((
            index(operation),
            match outcome {
                Ok(stored) if stored.holders > 0 => Outcome::Done,
                Err(Refusal::Busy) => Outcome::Busy,
                _ => Outcome::Failed,
            },
        )),
        Event::Get { operation, outcome, .. } => Some((
            index(operation),
            match outcome {
                Ok(Some(found)) if *found.value == *corpus.value(KeyIndex(index(operation))) => {
                    Outcome::Done
                }
                Err(Refusal::Busy) => Outcome::Busy,
                _ => Outcome::Failed,
            },
        )),
        _ => None,
    }
}
