//! What the machine that runs the tests has of IP.

use std::net::UdpSocket;

/// Whether this machine has `ip`. Where it has not, it is said that what needs it
/// is skipped.
pub(crate) fn is_there(ip: &str) -> bool {
    let is_there = UdpSocket::bind((ip, 0)).is_ok();
    if !is_there {
        eprintln!("SKIPPED: this machine has no {ip}");
    }
    is_there
}
