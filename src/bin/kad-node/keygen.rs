//! Makes the key of a private network.

use std::io::{self, Write as _};

use kad_node::NetworkKey;

use crate::args::KeygenArgs;
use crate::failure::Failure;
use crate::output::print;

/// Draws a key, and writes it to a new file, or prints it.
pub(crate) fn run(args: &KeygenArgs) -> Result<(), Failure> {
    let key = NetworkKey::draw()
        .map_err(|error| Failure::Failed(format!("the system gives no randomness: {error}")))?;
    let Some(path) = &args.file else {
        return print(|out, _| writeln!(out, "{}", key.to_hex()));
    };
    key.write(path).map_err(|error| {
        let remedy = if error.kind() == io::ErrorKind::AlreadyExists {
            ": a key is never overwritten, since a network may need it"
        } else {
            ""
        };
        Failure::Failed(format!("cannot make the key '{}': {error}{remedy}", path.display()))
    })
}
