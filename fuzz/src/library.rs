//! What is given to the library beyond the protocol core, and to the load generator.

use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::seal::{NetworkKey, NetworkKeys, Opener, SEALED_BYTES_MAX, Sealer};
use kad_node::wire;
use loadgen::merge::merge;
use loadgen::report::{compare, csv, html, text};
use loadgen::summary::Report;

/// A datagram of a private network: nothing opens but what was sealed.
pub(crate) fn sealed(bytes: &[u8]) {
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
pub(crate) fn report(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match loadgen::reader::parse(text) {
        Ok(report) => show(&report),
        Err(error) => assert!(!error.contains('\n'), "one line: {error:?}"),
    }
}
