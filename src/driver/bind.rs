//! Waiting for an address that is about to become free.
//!
//! A process that was killed is gone for its supervisor some 10 to 30 ms before the kernel
//! frees its `io_uring`s, and with them its sockets. A node that is started again at once
//! waits for that.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use udp::{SocketBuffers, UdpSocket};

use super::settings::ShardCount;

/// The buffers of a shard's socket. Measured: the default holds 256 small datagrams, less
/// than one burst of many peers, and 4 MB is 10 to 20 % slower under overload, since what
/// waits there is out of date when its turn comes. The send buffer is for the replies of one
/// turn on a slow device.
pub(super) const SOCKET_BUFFERS: SocketBuffers =
    SocketBuffers { receive_bytes: 512 << 10, send_bytes: 512 << 10 };
/// Longest wait for an address: thirty times what the kernel takes, and short for a person
/// whose address is taken by a program that runs.
pub(super) const ADDRESS_WAIT_MAX: Duration = Duration::from_secs(1);
/// How soon the address is tried again.
const ADDRESS_RETRY: Duration = Duration::from_millis(5);

/// Binds a socket for each of `shards` to `listen`, once that is free.
///
/// # Errors
/// When the address cannot be bound, or is still in use after [`ADDRESS_WAIT_MAX`].
pub(super) fn when_free(listen: SocketAddr, shards: ShardCount) -> io::Result<Vec<UdpSocket>> {
    let (begun, mut is_waiting) = (Instant::now(), false);
    loop {
        let bound = UdpSocket::bind_group(listen, SOCKET_BUFFERS, shards.get());
        let waited = begun.elapsed();
        match &bound {
            Err(error) if is_in_use(error) && waited < ADDRESS_WAIT_MAX => {
                if !is_waiting {
                    let wait_max_ms = ADDRESS_WAIT_MAX.as_millis();
                    tracing::info!(%listen, wait_max_ms, "the address is in use: waiting for it");
                }
                is_waiting = true;
                thread::sleep(ADDRESS_RETRY);
            }
            Err(_) => return bound,
            Ok(_) => {
                if is_waiting {
                    let waited_ms = waited.as_millis();
                    tracing::info!(%listen, waited_ms, "the address has become free");
                }
                return bound;
            }
        }
    }
}

fn is_in_use(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EADDRINUSE)
}
