//! The `kad-node` program.

fn main() {}
