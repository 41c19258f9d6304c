//! Golden bytes and properties of the wire format.
