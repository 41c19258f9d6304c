//! Departing: a stopping node first hands its values off, within a time limit.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use kad_node::driver::{Commander, Stopped};
use kad_node::node::{Command, OperationId};

use crate::clients::{Client, OperationIds};
use crate::progress::Progress;
use crate::reply;
use crate::stop::Stop;

/// How often it is shown how many values are left.
const PERIOD: Duration = Duration::from_millis(250);

/// Makes the node depart, and waits until it has, or `most` has passed, or a second
/// signal asks to stop at once.
pub(crate) fn depart(commander: &Commander, stops: &Receiver<Stop>, most: Duration) {
    let begun = Instant::now();
    if commander.send(Command::Depart { operation: OperationId(0) }).is_err() {
        return; // it has stopped by itself
    }
    let (mut progress, ids) = (Progress::begin(), OperationIds::of(Client::Program));
    let mut left = None;
    loop {
        let remaining = most.saturating_sub(begun.elapsed());
        match stops.recv_timeout(remaining.min(PERIOD)) {
            Ok(Stop::Left(values)) => left = Some(values),
            Err(RecvTimeoutError::Timeout) if begun.elapsed() < most => {
                match left {
                    Some(left) => progress.show(format_args!("handing values off: {left} left")),
                    None => progress.show("handing values off"),
                }
                // The answer comes as a `Stop::Left`; a node that has ended gives none.
                let _ = commander.send(Command::Stats { operation: ids.next() });
            }
            Ok(Stop::Departed | Stop::NodeGone) => return,
            Ok(Stop::Signal(name)) => return tracing::info!("stopping at once on {name}"),
            Ok(Stop::Prompt) => return tracing::info!("stopping at once"),
            // Neither of these asks to stop sooner.
            Ok(Stop::Hangup | Stop::Output(_)) => {}
            Err(_) => return tracing::info!("stopping after {}", reply::time(most)),
        }
    }
}

/// Logs how many values other nodes took from a node that has departed.
pub(crate) fn log_outcome(stopped: &Stopped) {
    let stats = stopped.total().node;
    let handed_off = stats.values_handed_off;
    match stats.values_not_handed_off + stats.values_to_hand_off {
        0 => tracing::info!(handed_off, "departed"),
        not_handed_off => {
            let which = if handed_off == 0 { "any" } else { "some" };
            tracing::warn!(
                handed_off,
                not_handed_off,
                "departed, and no other node took {which} of the values"
            );
        }
    }
}
