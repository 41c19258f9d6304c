//! The bounds of the HTTP API, by name. [`Counters`](super::counters::Counters) has a counter
//! for what each of them turned away.

use std::time::Duration;

/// Requests of values, peers and the like that are at work at once. More are told to come
/// again (503).
pub(crate) const AT_WORK_MAX: usize = 64;
/// Probes and scrapes at work at once: they have room of their own, since a busy node is
/// not a dead one.
pub(crate) const PROBES_MAX: usize = 16;
/// Streams of events at once. More are refused (429).
pub(crate) const EVENT_STREAMS_MAX: usize = 32;
/// Events that wait for one slow stream; older ones are dropped, and the stream is told how
/// many.
pub(crate) const EVENTS_WAITING_MAX: usize = 1024;
/// Connections, those at work among them. One more closes the connection that has been idle
/// longest, so that no crowd of idle ones keeps a client out.
pub(crate) const CONNECTIONS_MAX: usize = 512;
/// Bytes of bodies in memory, of requests and answers together. A request beyond it is told
/// to come again (503).
pub(crate) const BODY_BYTES_MAX: usize = 64 << 20;
/// Bytes of a value that are handed to a connection at once: what 0.1 ms takes to hash, and a
/// socket mostly has room for.
pub(crate) const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Bytes of a request's line and header.
pub(crate) const HEADER_BYTES_MAX: usize = 16 << 10;
/// Fields of a request's header.
pub(crate) const HEADER_FIELDS_MAX: usize = 64;
/// How long a header may take, and how long a connection may be idle before one.
pub(crate) const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a body may pause, either way.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(10);
/// How long a request's body may take: 16 MiB at 2.3 Mbit/s.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_mins(1);
/// How long the node may take to answer. A lookup ends well before.
pub(crate) const OPERATION_TIME_MAX: Duration = Duration::from_mins(1);
/// How long a shard may take to answer before the node is unhealthy.
pub(crate) const SHARD_SILENCE_MAX: Duration = Duration::from_secs(2);
/// How long no contact may have answered before a node that has bootstrap addresses is not
/// ready.
pub(crate) const CONTACT_SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long requests that run may take to end once the node has stopped.
pub(crate) const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(5);
/// Largest file of a token.
pub(crate) const TOKEN_BYTES_MAX: usize = 4096;
/// Shortest token: 16 characters drawn at random from 64 are 96 bits.
pub(crate) const TOKEN_BYTES_MIN: usize = 16;
/// After how many seconds a client that was told to come again should.
pub(crate) const RETRY_AFTER_S: u32 = 1;
