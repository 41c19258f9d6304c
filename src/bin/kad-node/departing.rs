//! Departing: a stopping node first hands its values off, within a time limit.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use kad_node::driver::{Commander, Stopped};
use kad_node::node::{Command, OperationId};

use crate::reply;
use crate::stop::Stop;

/// Makes the node depart, and waits until it has, or `most` has passed, or a second
/// signal asks to stop at once.
pub(crate) fn depart(commander: &Commander, stops: &Receiver<Stop>, most: Duration) {
    let begun = Instant::now();
    if commander.send(Command::Depart { operation: OperationId(0) }).is_err() {
        return; // it has stopped by itself
    }
    loop {
        match stops.recv_timeout(most.saturating_sub(begun.elapsed())) {
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
            tracing::warn!(
                handed_off,
                not_handed_off,
                "departed, and no other node took some of the values"
            );
        }
    }
}
