//! The prompt's `help`.

use std::io::{self, Write};

use crate::request::LINE_BYTES_MAX;

/// Each command, its usage, and what it does.
const LINES: [(&str, &str, &str); 12] = [
    ("put", "put TEXT", "store TEXT in the network; prints its key"),
    ("put", "put -", "store the lines that follow, up to a line with a single dot"),
    ("put", "put @FILE", "store what is in a file of this machine"),
    ("get", "get KEY", "print the value of KEY, and which node had it"),
    ("get", "get KEY > FILE", "write the value to a file, byte for byte"),
    ("forget", "forget KEY", "stop republishing a value that was put here"),
    ("peers", "peers", "show the routing table, bucket by bucket"),
    ("stats", "stats [all]", "show counters and latencies, with all also what is zero"),
    ("watch", "watch", "show once a second what changes, until a key is pressed"),
    ("trace", "trace KEY", "like get, and show each hop"),
    ("help", "help [COMMAND]", "show this list, or more about one command"),
    ("exit", "exit, quit", "stop the node (so does the end of input on a terminal)"),
];

/// How a file is named.
const FILE: &str = "FILE is all that follows, blanks too, in quotes or not. ~ is not expanded.";

/// Prints the list of commands, or more about the command of this name.
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
            "TEXT is everything after the one blank that follows put. The whole line has\n\
             {LINE_BYTES_MAX} bytes at most.\n\
             After put -, type one more dot at the start of a line that begins with a dot.\n\
             {FILE}\n\
             To put a text that begins with @, type one more."
        ),
        Some("get") => writeln!(
            out,
            "KEY is 40 hexadecimal digits, as put prints them.\n\
             {FILE}\n\
             It appears whole, and replaces one that is there."
        ),
        Some("trace") => writeln!(out, "KEY is 40 hexadecimal digits, as put prints them."),
        Some("forget") => {
            writeln!(
                out,
                "Other nodes keep the value until it expires; until then get still finds it."
            )
        }
        Some("exit") => writeln!(
            out,
            "The node hands its values off to other nodes first; a second signal stops it\n\
             at once. Pressing Ctrl-C twice on an empty line does the same as exit."
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_a_terminal_is_wide() {
        for command in LINES.iter().map(|(name, ..)| Some(*name)).chain([None]) {
            let mut help = Vec::new();
            write(command, &mut help).expect("it is written to memory");
            let help = String::from_utf8(help).expect("text");
            assert!(help.lines().all(|line| line.len() <= 80), "{help}");
        }
    }
}
