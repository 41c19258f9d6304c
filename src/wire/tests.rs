//! Golden bytes and properties of the wire format.

mod golden;
mod limits;
mod properties;
mod robustness;
mod sample;

use alloc::vec::Vec;

use super::{Datagram, encode};
use crate::limits::DATAGRAM_BYTES_MAX;

/// The bytes of `datagram`. The buffer is full of ones beforehand, so that a byte
/// which the encoder skips shows.
fn encoded(datagram: &Datagram<'_>) -> Vec<u8> {
    let mut buffer = [0xff; DATAGRAM_BYTES_MAX];
    let length = encode(datagram, &mut buffer);
    buffer[..length].to_vec()
}
