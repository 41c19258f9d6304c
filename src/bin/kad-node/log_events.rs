//! Turns the node's log events into log lines.

use std::time::Duration;

use kad_node::driver::DriverEvent;
use kad_node::node::{Event, LogEvent, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing::{debug, trace};

use crate::reply;

/// The log events that the current log level needs. A node with `LogLevel::Off` does no
/// work for them.
pub(crate) fn level() -> LogLevel {
    let level = LevelFilter::current();
    if level >= LevelFilter::TRACE {
        LogLevel::Trace
    } else if level >= LevelFilter::DEBUG {
        LogLevel::Debug
    } else {
        LogLevel::Off
    }
}

/// Logs a log event; returns any other event.
pub(crate) fn take(event: DriverEvent) -> Option<DriverEvent> {
    if let DriverEvent::Node(Event::Log { event, suppressed }) = event {
        log(event, suppressed);
        return None;
    }
    Some(event)
}

/// Logs one event, and how many before it were suppressed.
fn log(event: LogEvent, suppressed: u64) {
    if suppressed > 0 {
        debug!(suppressed, "some events are not shown: too many at once");
    }
    match event {
        LogEvent::BootstrapAttempt { addresses } => debug!(addresses, "bootstrap attempt"),
        LogEvent::LookupStarted { purpose, target } => trace!(purpose, %target, "lookup started"),
        LogEvent::LookupEnded { purpose, target, outcome, asked, elapsed } => {
            let took = took(elapsed);
            debug!(purpose, %target, outcome, asked, %took, "lookup ended");
        }
        LogEvent::LookupHop { purpose, target, hop, .. } => {
            let (peer, answer, took) = (hop.contact.addr, hop.answer, took(hop.elapsed));
            trace!(purpose, %target, depth = hop.depth, %peer, ?answer, %took, "lookup answered");
        }
        LogEvent::StoreEnded { purpose, key, contact, is_stored, elapsed, .. } => {
            let (peer, took) = (contact.addr, took(elapsed));
            trace!(purpose, %key, %peer, is_stored, %took, "STORE ended");
        }
        LogEvent::ContactInserted(contact) => {
            debug!(id = %contact.id, address = %contact.addr, "contact inserted");
        }
        LogEvent::ContactEvicted(contact) => {
            debug!(id = %contact.id, address = %contact.addr, "contact evicted");
        }
        LogEvent::StoreRefused { source, key, code } => {
            debug!(%source, %key, ?code, "STORE refused");
        }
        LogEvent::Refused { what } => debug!("not started, too many in progress: {what}"),
        LogEvent::DatagramDropped { source, reason } => trace!(%source, reason, "datagram dropped"),
        LogEvent::RequestSent { request, peer } => trace!(request, %peer, "sent"),
        LogEvent::RequestResent { request, peer } => trace!(request, %peer, "sent again"),
        LogEvent::RequestAnswered { request, peer, elapsed } => {
            let took = took(elapsed);
            trace!(request, %peer, %took, "answered");
        }
        LogEvent::RequestFailed { request, peer } => trace!(request, %peer, "given up"),
    }
}

fn took(elapsed: Duration) -> String {
    reply::time(elapsed).replace(' ', "")
}
