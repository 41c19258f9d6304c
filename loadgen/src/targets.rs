//! Finds the targets: resolves their names and waits until a node answers at each.
//!
//! A network that was just started takes a while: names are not known yet, nodes do not
//! listen yet, and in containers the kernel's table of neighbours is full for a minute.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::thread;
use std::time::{Duration, Instant};

use udp::canonical;

use crate::membership::Membership;
use crate::preload::{Preloader, SENDS_MAX};
use crate::progress::Display;

/// Sends to each address of a name that has several: the next one is tried soon.
const SENDS_OF_SEVERAL: u32 = 4;
/// Between two rounds. A closed port refuses at once.
const PAUSE: Duration = Duration::from_millis(250);

/// The address of each target: of a name with several, the first that answers. A target is
/// tried for as long as `join_timeout`, once at least.
pub fn find_all(
    targets: &[String],
    network: &Membership,
    join_timeout: Duration,
    display: &mut Display,
) -> Result<Vec<SocketAddr>, String> {
    let mut find = |target: &String| {
        let found = find(target, network, join_timeout, display);
        display.clear();
        found
    };
    targets.iter().map(&mut find).collect()
}

fn find(
    target: &str,
    network: &Membership,
    join_timeout: Duration,
    display: &mut Display,
) -> Result<SocketAddr, String> {
    let begun = Instant::now();
    loop {
        let failure = match attempt(target, network) {
            Ok(address) => return Ok(address),
            Err(failure) => failure,
        };
        let left = join_timeout.saturating_sub(begun.elapsed());
        if left.is_zero() || failure.is_final {
            return Err(failure.error);
        }
        display.waiting(target, &failure.error, begun.elapsed(), join_timeout);
        thread::sleep(left.min(PAUSE));
    }
}

struct Failure {
    error: String,
    /// Another attempt would end the same.
    is_final: bool,
}

/// Tries every address that the name has now.
fn attempt(target: &str, network: &Membership) -> Result<SocketAddr, Failure> {
    let addresses = resolve(target).map_err(|error| Failure {
        error: format!("'--target {target}': {error}; expected HOST:PORT, such as 127.0.0.1:9001"),
        is_final: error.kind() == io::ErrorKind::InvalidInput,
    })?;
    let sends = if addresses.len() > 1 { SENDS_OF_SEVERAL } else { SENDS_MAX };
    let mut error = format!("'--target {target}': the name has no address");
    for address in addresses {
        match Preloader::greet(address, network, sends) {
            Ok(_) => return Ok(address),
            Err(failed) => error = failed.to_string(),
        }
    }
    Err(Failure { error, is_final: false })
}

fn resolve(target: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(target.to_socket_addrs()?.map(canonical).collect())
}
