//! What `help` prints.

use std::io::{self, Write};

use kad_node::limits::VALUE_BYTES_MAX;

/// Each command, how it is typed, and what it does.
const LINES: [(&str, &str, &str); 9] = [
    ("put", "put TEXT", "store TEXT in the network; prints its key"),
    ("put", "put -", "store the lines that follow, up to one with a single dot"),
    ("get", "get KEY", "print the text of KEY, and which node had it"),
    ("forget", "forget KEY", "stop republishing what was put here"),
    ("peers", "peers", "the routing table, bucket by bucket"),
    ("stats", "stats", "counters, and latencies of the gets and puts typed here"),
    ("trace", "trace KEY", "a get that shows each hop"),
    ("help", "help [COMMAND]", "this list, or more about one command"),
    ("exit", "exit, quit", "stop the node (so does the end of input on a terminal)"),
];

/// Prints the list of commands, or all about the one of this name.
pub(crate) fn write(command: Option<&'static str>, out: &mut impl Write) -> io::Result<()> {
    let name = if command == Some("quit") { Some("exit") } else { command };
    for (of, usage, about) in LINES {
        if name.is_none_or(|name| name == of) {
            writeln!(out, "{usage:<14}  {about}")?;
        }
    }
    match name {
        Some("put") => writeln!(
            out,
            "TEXT begins after the one blank that follows put, ends with the line, and has at \
             most {VALUE_BYTES_MAX} bytes.\nIn the lines of put -, one that begins with a dot \
             is typed with one dot more."
        ),
        Some("get" | "trace") => {
            writeln!(out, "KEY is the 40 hexadecimal digits that put printed.")
        }
        Some("forget") => {
            writeln!(
                out,
                "Other nodes keep the value until it expires, and gets find it till then."
            )
        }
        Some("exit") => writeln!(
            out,
            "The node hands its values over first; a second exit or signal stops it at once. \
             On an empty line Ctrl-C twice does the same as exit."
        ),
        _ => Ok(()),
    }
}
