//! Made-up contacts for the tests of the state machines.

use core::net::{Ipv4Addr, SocketAddr};

use super::known::Known;
use super::table::Entry;
use crate::id::Id;
use crate::time::Instant;
use crate::wire::Contact;

/// The `number`th of a series of ids without order.
pub(super) fn id(number: u16) -> Id {
    Id::of_value(&number.to_be_bytes())
}

/// The `number`th of a series of addresses.
pub(super) fn addr(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, 0, high, low), 9000))
}

/// The contact of the `number`th id and the `number`th address.
pub(super) fn contact(number: u16) -> Contact {
    Contact { id: id(number), addr: addr(number) }
}

/// A contact that has answered at `seen`.
pub(super) fn entry(contact: Contact, seen: Instant) -> Entry {
    Entry::new(contact, seen, Known::default())
}
