//! What memcached takes for the same values, in the same run. It is asked over a socket of the
//! file system, by its protocol of text (`doc/protocol.txt` of memcached).

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::{env, fs, process, thread};

use crate::memory::{Process, resident};
use crate::{VALUE_BYTES, value};

/// More than it needs for a value, so that it evicts none.
const ROOM_BYTES: u64 = 512;
const OTHER_BYTES: u64 = 64 << 20;

/// A running memcached, ended with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// `None` where it is not installed.
fn start(socket: &Path, values: u64) -> Option<Running> {
    let room_mib = (values * ROOM_BYTES + OTHER_BYTES) >> 20;
    let started = Command::new("memcached")
        .args(["--threads=1", "--user=root", "--unix-socket"])
        .arg(socket)
        .arg(format!("--memory-limit={room_mib}"))
        .spawn();
    started.ok().map(Running)
}

/// Waits until it takes connections.
fn connect(socket: &Path, running: &mut Running) -> io::Result<UnixStream> {
    loop {
        if let Some(status) = running.0.try_wait()? {
            return Err(io::Error::other(format!("memcached has ended: {status}")));
        }
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(_) => thread::yield_now(),
        }
    }
}

/// Stores the values under keys of 40 digits, which a key of a node has too; returns how many
/// it holds then.
fn fill(stream: &UnixStream, values: u64) -> io::Result<u64> {
    let mut requests = BufWriter::new(stream);
    for number in 0..values {
        write!(requests, "set {number:040x} 0 0 {VALUE_BYTES} noreply\r\n")?;
        requests.write_all(&value(number))?;
        requests.write_all(b"\r\n")?;
    }
    requests.write_all(b"stats\r\n")?;
    requests.flush()?;
    for line in BufReader::new(stream).lines() {
        if let Some(held) = line?.strip_prefix("STAT curr_items ") {
            return held.trim().parse().map_err(io::Error::other);
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Bytes of its process for each value; `None`, and a line that says why, without one.
pub(crate) fn bytes_a_value(values: u64) -> Option<u64> {
    let socket = env::temp_dir().join(format!("kad-node-memcached-{}", process::id()));
    let Some(mut running) = start(&socket, values) else {
        println!("memcached is not installed: what it takes is not measured");
        return None;
    };
    let process = Process::Other(running.0.id());
    let filled = connect(&socket, &mut running).and_then(|stream| {
        let before = resident(process);
        let held = fill(&stream, values)?;
        assert_eq!(held, values, "memcached has evicted some");
        Ok((resident(process) - before) / held)
    });
    _ = fs::remove_file(&socket);
    match filled {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            println!("memcached cannot be measured: {error}");
            None
        }
    }
}
