//! What the HTTP API counts: requests, and what each of its bounds turned away.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters since the server was started, and gauges of the moment.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($(#[doc = $doc])+ pub(crate) $name: Counter,)+
        }

        impl Counters {
            /// Each counter's name, what it counts, and its value.
            pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),+), self.$name.value()),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Requests.
    requests,
    /// Connections accepted.
    connections_accepted,
    /// Idle connections closed to make room for another one.
    connections_displaced,
    /// Connections closed at once: there are too many, and all are at work.
    connections_refused,
    /// Connections closed because a header or the next request did not come in time.
    headers_late,
    /// Connections closed because the client did not take what it was sent.
    writes_stalled,
    /// Requests told to come again: too many at work.
    refused_at_work,
    /// Probes and scrapes told to come again: too many at work.
    refused_probes,
    /// Streams of events refused: there are too many.
    refused_streams,
    /// Requests told to come again: too many bytes of bodies in memory.
    refused_body_bytes,
    /// Requests refused: the body is larger than a value may be.
    refused_too_large,
    /// Requests refused: the body did not come in time.
    bodies_late,
    /// Requests refused: to a name that is not this host's.
    refused_host,
    /// Requests refused: a page of another origin asks for a write.
    refused_cross_origin,
    /// Requests refused: no token, or a wrong one.
    refused_token,
    /// Events that streams missed: their readers are slow.
    events_missed,
    /// Gauge: connections.
    connections,
    /// Gauge: streams of events.
    streams,
    /// Gauge: requests at work, probes among them.
    at_work,
    /// Gauge: bytes of bodies in memory.
    body_bytes,
}

/// A number that the threads of the server change.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
