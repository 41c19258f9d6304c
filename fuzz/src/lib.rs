//! Fuzz targets: each takes any bytes, and panics when a promise is broken.
//!
//! [`TARGETS`] are run by coverage-guided search (`fuzz/run`), and over the inputs of
//! `fuzz/corpus` by an ordinary test. The prompt's parser and the HTTP API are of the program,
//! and have their targets there.

#[cfg(feature = "library")]
mod folder;
mod input;
#[cfg(feature = "library")]
mod library;
mod network;

use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire;

/// What an input is given to.
pub type Target = fn(&[u8]);

/// The targets, by the names of their folders in the corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("decode", decode),
    ("node", network::one_shard),
    ("shards", network::two_shards),
    #[cfg(feature = "library")]
    ("sealed", library::sealed),
    #[cfg(feature = "library")]
    ("folder", folder::read),
    #[cfg(feature = "library")]
    ("report", library::report),
];

/// A datagram: what is decoded is encoded to bytes that mean the same.
pub fn decode(bytes: &[u8]) {
    let Ok(datagram) = wire::decode(bytes) else { return };
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(&datagram, &mut buffer);
    assert!(length <= bytes.len(), "padding is left out");
    assert_eq!(wire::decode(&buffer[..length]), Ok(datagram));
}
