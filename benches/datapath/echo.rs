//! The baseline: a server that answers each request with a reply of the size of a VALUE,
//! and does nothing else. It runs in a process of its own, as the node does.

mod mmsg;
mod replies;
mod uring;

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use nix::sys::socket::{setsockopt, sockopt};

use crate::subject::{EchoIo, Grouping};

/// As the node asks for.
const BUFFER_BYTES: usize = 512 << 10;

/// A number that one thread counts and another reads.
#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    /// A plain addition: only one thread writes.
    fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }
}

/// What the node's driver counts, under the same names.
#[derive(Default)]
struct Counters {
    turns: Counter,
    waits: Counter,
    receive_calls: Counter,
    send_calls: Counter,
    datagrams_received: Counter,
}

impl Counters {
    /// Prints them as the node's prompt does.
    fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        writeln!(out, "driver:")?;
        for (name, counter) in [
            ("turns", &self.turns),
            ("waits", &self.waits),
            ("receive_calls", &self.receive_calls),
            ("send_calls", &self.send_calls),
            ("datagrams_received", &self.datagrams_received),
        ] {
            writeln!(out, "  {name} {}", counter.0.load(Ordering::Relaxed))?;
        }
        writeln!(out, "{}", crate::server::STATS_END)
    }
}

static COUNTERS: Counters = Counters {
    turns: Counter(AtomicU64::new(0)),
    waits: Counter(AtomicU64::new(0)),
    receive_calls: Counter(AtomicU64::new(0)),
    send_calls: Counter(AtomicU64::new(0)),
    datagrams_received: Counter(AtomicU64::new(0)),
};

/// Serves until standard input ends; each line of it asks for the counters. The
/// first line of output is the address.
pub(crate) fn serve(io: EchoIo, grouping: Grouping) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES)?;
    setsockopt(&socket, sockopt::SndBuf, &BUFFER_BYTES)?;
    if grouping == Grouping::On {
        setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", socket.local_addr()?)?;
    out.flush()?;
    thread::spawn(move || {
        let Err(error) = match io {
            EchoIo::Mmsg => mmsg::run(&socket, grouping, &COUNTERS),
            EchoIo::Uring => uring::run(&socket, grouping, &COUNTERS),
        };
        // A client that waits for a reply or for counters sees that the process has ended.
        eprintln!("echo: {error}");
        std::process::exit(1);
    });
    for line in io::stdin().lock().lines() {
        line?;
        COUNTERS.print(&mut out)?;
        out.flush()?;
    }
    Ok(())
}
