//! Fuzz targets: each takes any bytes, and panics when a promise is broken.
//!
//! [`TARGETS`] are run by coverage-guided search (`fuzz/run`), and over the inputs of
//! `fuzz/corpus` by an ordinary test. The prompt's parser and the HTTP API are of the program,
//! and have their targets there.

mod folder;
mod input;
mod network;

use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::wire;
use loadgen::merge::merge;
use loadgen::report::{compare, csv, html, text};
use loadgen::summary::Report;

/// What an input is given to.
pub type Target = fn(&[u8]);

/// The targets, by the names of their folders in the corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("decode", decode),
    ("node", network::one_shard),
    ("shards", network::two_shards),
    ("sealed", sealed),
    ("folder", folder::read),
    ("report", report),
];

/// A datagram: what is decoded is encoded to bytes that mean the same.
pub fn decode(bytes: &[u8]) {
    let Ok(datagram) = wire::decode(bytes) else { return };
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let length = wire::encode(&datagram, &mut buffer);
    assert!(length <= bytes.len(), "padding is left out");
    assert_eq!(wire::decode(&buffer[..length]), Ok(datagram));
}

/// A datagram of a private network: nothing opens but what was sealed.
pub fn sealed(bytes: &[u8]) {
    use kad_node::seal::{NetworkKey, NetworkKeys, Opener, SEALED_BYTES_MAX, Sealer};

    let keys = [1, 2].map(|first| NetworkKey::new([first; 32]));
    let keys = NetworkKeys::new(&keys).expect("few").expect("some");
    let (mut opener, mut room) = (Opener::new(&keys), [0; SEALED_BYTES_MAX]);
    opener.open(bytes, &mut room).expect_err("it was not sealed");
    if (wire::HEADER_BYTES..=DATAGRAM_BYTES_MAX).contains(&bytes.len()) {
        let datagram = [&[wire::MAGIC, wire::VERSION], &bytes[2..]].concat();
        let mut sealer = Sealer::new(&keys).expect("randomness");
        let mut sent = [0; SEALED_BYTES_MAX];
        let length = sealer.seal(&datagram, &mut sent);
        assert_eq!(opener.open(&sent[..length], &mut room), Ok(&datagram[..]));
        let changed = usize::from(bytes[0]) * length / 256;
        sent[changed] ^= 1 << (bytes[1] % 8);
        opener.open(&sent[..length], &mut room).expect_err("a bit was changed");
    }
}

/// Makes of a report whatever is made of one.
fn show(report: &Report) {
    let _ = (text::report(report), csv::table(report), html::page(report));
    let _ = compare::table(report, report);
    let named = ["a", "b"].map(|name| (name.to_owned(), report.clone()));
    if let Err(error) = merge(&named) {
        assert!(!error.contains('\n'), "one line: {error:?}");
    }
}

/// What `loadgen compare` and `loadgen merge` read: a report, or an error on one line.
pub fn report(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match loadgen::reader::parse(text) {
        Ok(report) => show(&report),
        Err(error) => assert!(!error.contains('\n'), "one line: {error:?}"),
    }
}
