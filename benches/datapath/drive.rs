//! Drives the client: in a closed loop, or at a rate.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::failure::Failure;
use crate::server::Server;
use crate::stores::Stores;
use crate::subject::Shards;

/// A request is lost when for so long neither it nor any other is answered: a round trip
/// on loopback takes microseconds.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long the client sleeps before it reads replies, so that two shards have both cores.
const NAP: Duration = Duration::from_micros(200);

/// Keeps the server busy for `time`, then waits for what is outstanding. Returns how
/// long it took, to the last answer.
///
/// The client never sleeps: waking it would be the server's work. When it shares a core
/// with the server, it yields.
pub(crate) fn closed_loop(client: &mut Client, time: Duration) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut last = Duration::ZERO;
    loop {
        let asking = start.elapsed() < time;
        if asking && client.outstanding() <= client.refill() {
            client.fill()?;
        } else if !asking && client.outstanding() == 0 {
            return Ok(last);
        }
        if client.receive(|_| {})? > 0 {
            last = start.elapsed();
        } else if start.elapsed() > last + PATIENCE {
            client.give_up();
            last = start.elapsed();
        } else {
            thread::yield_now();
        }
    }
}

/// Sends requests while the server is suspended, resumes it, and waits for the last answer,
/// again and again until it has served for `time`. Returns how long it served.
///
/// A server with one shard has a core for itself; with two shards the client sleeps.
pub(crate) fn backlog(
    client: &mut Client,
    server: &Server,
    shards: Shards,
    time: Duration,
) -> Result<Duration, Failure> {
    let mut elapsed = Duration::ZERO;
    while elapsed < time {
        server.suspend()?;
        client.fill()?;
        // From before the call: a shard may take the client's core within it.
        let start = Instant::now();
        server.resume()?;
        elapsed += drain(client, shards, start)?;
    }
    Ok(elapsed)
}

/// Takes in replies until there are no more; says how long after `start` the last
/// one came.
fn drain(client: &mut Client, shards: Shards, start: Instant) -> Result<Duration, Failure> {
    let mut last = Duration::ZERO;
    while client.outstanding() > 0 {
        if client.receive(|_| {})? > 0 {
            last = start.elapsed();
        } else if start.elapsed() > last + PATIENCE {
            client.give_up();
        } else {
            match shards {
                Shards::One => thread::yield_now(),
                Shards::Two => thread::sleep(NAP),
            }
        }
    }
    Ok(last)
}

/// Asks by all sockets in turn, without waiting for an answer, for `time`. Returns how
/// long it took, to the last answer.
///
/// The client receives replies between waves. That takes little time when they arrive as
/// segmented messages. So the server's queue is empty only when the server is faster.
pub(crate) fn flood(client: &mut Client, time: Duration) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut last = Duration::ZERO;
    loop {
        let asking = start.elapsed() < time;
        if asking {
            client.flood()?;
        }
        if client.receive(|_| {})? > 0 {
            last = start.elapsed();
        } else if !asking && start.elapsed() > last.max(time) + PATIENCE {
            client.give_up();
            return Ok(last);
        }
    }
}

/// The times of each request of one run at a rate.
#[derive(Default)]
pub(crate) struct Paces {
    /// From when it was due to its answer.
    pub(crate) latencies: Vec<Duration>,
    /// From when it was due to its send.
    pub(crate) lateness: Vec<Duration>,
}

/// Sends `rate` requests a second for `time`, each at its scheduled time, and records how
/// long after that it was sent and answered. Beside them it stores values, where it is given
/// `stores`. Returns how long it took.
pub(crate) fn open_loop(
    client: &mut Client,
    (rate, time): (u64, Duration),
    paces: &mut Paces,
    mut stores: Option<&mut Stores>,
) -> Result<Duration, Failure> {
    let Paces { latencies, lateness } = paces;
    latencies.clear();
    lateness.clear();
    if let Some(stores) = &mut stores {
        stores.begin();
    }
    let start = Instant::now();
    let due = |number: u64| Duration::from_nanos(number * 1_000_000_000 / rate);
    let (mut next, mut last) = (0u64, Duration::ZERO);
    loop {
        let now = start.elapsed();
        while due(next) <= now && due(next) < time {
            lateness.push(start.elapsed().saturating_sub(due(next)));
            if !client.send(due(next))? {
                // More are outstanding than the server could owe: they are lost.
                client.give_up();
                client.send(due(next))?;
            }
            next += 1;
        }
        if let Some(stores) = &mut stores {
            stores.turn(now, time)?;
        }
        let received = client.receive(|due| latencies.push(start.elapsed().saturating_sub(due)))?;
        if received > 0 {
            last = start.elapsed();
        } else if client.outstanding() == 0 {
            if due(next) >= time {
                return Ok(last);
            }
        } else if start.elapsed() > last.max(due(next)) + PATIENCE {
            client.give_up();
        } else {
            thread::yield_now();
        }
    }
}
