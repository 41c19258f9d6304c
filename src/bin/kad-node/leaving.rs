//! Departing: a stopping node first hands its values off, within a time limit.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use kad_node::driver::{Commander, Stopped};
use kad_node::node::{Command, OperationId};

use crate::reply;
use crate::stop::Stop;

/// Makes the node depart, and waits until it has, or `most` has passed, or a second
/// signal asks to stop at once.
pub(crate) fn leave(commander: &Commander, stops: &Receiver<Stop>, most: Duration) {
    let begun = Instant::now();
    if commander.send(Command::Leave { operation: OperationId(0) }).is_err() {
        return; // it has stopped by itself
    }
    loop {
        match stops.recv_timeout(most.saturating_sub(begun.elapsed())) {
            Ok(Stop::Left | Stop::NodeGone) => return,
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
    let handed_over = stats.values_handed_over;
    match stats.values_not_handed_over + stats.values_to_hand_over {
        0 => tracing::info!(handed_over, "left"),
        not_handed_over => {
            tracing::warn!(
                handed_over,
                not_handed_over,
                "left, and no other node took some of the values"
            );
        }
    }
}
