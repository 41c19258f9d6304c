//! What a line of the prompt asks.

use std::fmt;

use kad_node::id::Id;
use kad_node::limits::VALUE_BYTES_MAX;

/// Bytes of one line at most: far more than any value, so that a value which is
/// too large is named by its size.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 10;

const _: () = assert!(LINE_BYTES_MAX > 2 * VALUE_BYTES_MAX);

/// The names of the commands.
pub(crate) const COMMANDS: [&str; 8] =
    ["put", "get", "forget", "peers", "stats", "trace", "help", "exit"];

/// What `help` prints, and so the commands that there are.
pub(crate) const HELP: &str = "\
put TEXT    store TEXT in the network; prints its key
get KEY     print the text of KEY, and which node had it
forget KEY  stop republishing what was put here
peers       the routing table, bucket by bucket
stats       counters, and latencies of the gets and puts typed here
trace KEY   a get that shows each hop
help        this list
exit        stop the node (so does the end of input on a terminal)
";

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Put(Box<[u8]>),
    Get(Id),
    Forget(Id),
    Peers,
    Stats,
    Trace(Id),
    Help,
    Exit,
}

/// Why a line is not a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// A command that needs an argument stands alone.
    MissingArgument { usage: &'static str },
    /// A command that takes none has one.
    NeedlessArgument { command: &'static str, argument: String },
    /// Not 40 hexadecimal digits.
    InvalidKey { text: String },
    /// No such command.
    UnknownCommand { text: String },
    /// Larger than [`VALUE_BYTES_MAX`].
    TooLarge { bytes: usize },
    /// Longer than [`LINE_BYTES_MAX`].
    LineTooLong,
    /// Not text.
    NotUtf8 { column: usize },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingArgument { usage } => write!(f, "ERR missing argument: {usage}"),
            Self::NeedlessArgument { command, argument } => {
                write!(f, "ERR needless argument '{}': {command} takes none", Shown(argument))
            }
            Self::InvalidKey { text } => {
                write!(f, "ERR invalid key '{}': a key is 40 hexadecimal digits", Shown(text))
            }
            Self::UnknownCommand { text } => {
                write!(f, "ERR unknown command '{}': try help", Shown(text))
            }
            Self::TooLarge { bytes } => {
                write!(f, "ERR value too large ({bytes} bytes, at most {VALUE_BYTES_MAX})")
            }
            Self::LineTooLong => {
                write!(f, "ERR line too long (more than {LINE_BYTES_MAX} bytes): nothing was done")
            }
            Self::NotUtf8 { column } => {
                write!(
                    f,
                    "ERR not UTF-8 at byte {column}: a line is text (one-shot put takes any bytes)"
                )
            }
        }
    }
}

/// The beginning of what was typed, without what would upset a terminal.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 60;
        for shown in self.0.chars().take(CHARS_MAX) {
            if shown.is_control() {
                write!(f, "{}", shown.escape_default())?;
            } else {
                write!(f, "{shown}")?;
            }
        }
        if self.0.chars().nth(CHARS_MAX).is_some() { f.write_str("...") } else { Ok(()) }
    }
}

/// What `line` asks, nothing where it is blank. The text of a put begins after
/// the white space that follows `put`, and is what stands there to the line's end.
pub(crate) fn parse(line: &[u8]) -> Result<Option<Request>, RequestError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = std::str::from_utf8(line)
        .map_err(|error| RequestError::NotUtf8 { column: error.valid_up_to() + 1 })?
        .trim_start();
    let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let alone = |command, request| match rest.trim() {
        "" => Ok(request),
        argument => Err(RequestError::NeedlessArgument { command, argument: argument.into() }),
    };
    let request = match command {
        "" => return Ok(None),
        "put" => Request::Put(text(rest.trim_start())?),
        "get" => Request::Get(key(rest, "get KEY")?),
        "forget" => Request::Forget(key(rest, "forget KEY")?),
        "trace" => Request::Trace(key(rest, "trace KEY")?),
        "peers" => alone("peers", Request::Peers)?,
        "stats" => alone("stats", Request::Stats)?,
        "help" => alone("help", Request::Help)?,
        "exit" => alone("exit", Request::Exit)?,
        _ => return Err(RequestError::UnknownCommand { text: command.into() }),
    };
    Ok(Some(request))
}

fn text(text: &str) -> Result<Box<[u8]>, RequestError> {
    if text.is_empty() {
        return Err(RequestError::MissingArgument { usage: "put TEXT" });
    }
    value(text.as_bytes())
}

/// `bytes` as a value, where they are not too many.
pub(crate) fn value(bytes: &[u8]) -> Result<Box<[u8]>, RequestError> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(RequestError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes.into())
}

/// The key that `text` writes; `usage` is for the one who wrote none.
pub(crate) fn key(text: &str, usage: &'static str) -> Result<Id, RequestError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(RequestError::MissingArgument { usage });
    }
    text.parse().map_err(|_| RequestError::InvalidKey { text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";

    fn refusal(line: &[u8]) -> String {
        parse(line).expect_err("not a command").to_string()
    }

    #[test]
    fn a_put_keeps_its_text_as_it_was_typed() {
        for (line, text) in [
            ("put hello", "hello"),
            ("  put   two  words ", "two  words "),
            ("put hello\r\n", "hello"),
            ("put put\n", "put"),
            ("put größe", "größe"),
        ] {
            let expected = Request::Put(text.as_bytes().into());
            assert_eq!(parse(line.as_bytes()), Ok(Some(expected)), "{line:?}");
        }
    }

    #[test]
    fn commands_with_and_without_a_key() {
        let id: Id = KEY.parse().expect("a key");
        for (line, request) in [
            (format!("get {KEY}\n"), Request::Get(id)),
            (format!("trace  {} ", KEY.to_uppercase()), Request::Trace(id)),
            (format!("forget\t{KEY}"), Request::Forget(id)),
            ("peers ".into(), Request::Peers),
            ("exit".into(), Request::Exit),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(Some(request)), "{line:?}");
        }
        assert_eq!(parse(b" \t\r\n"), Ok(None));
    }

    #[test]
    fn errors_begin_as_the_interface_says_and_show_the_value() {
        for (line, begin, value) in [
            ("put", "ERR missing argument", "put TEXT"),
            ("put  ", "ERR missing argument", "put TEXT"),
            ("get", "ERR missing argument", "get KEY"),
            ("get xyz", "ERR invalid key", "'xyz'"),
            ("trace 00 11", "ERR invalid key", "'00 11'"),
            ("peers all", "ERR needless argument", "'all'"),
            ("PUT x", "ERR unknown command", "'PUT'"),
            ("\u{1b}[2J", "ERR unknown command", "'\\u{1b}[2J'"),
        ] {
            let said = refusal(line.as_bytes());
            assert!(said.starts_with(begin) && said.contains(value), "{line}: {said}");
            assert!(!said.contains(char::is_control), "{said:?}");
        }
        let at_most = format!("put {}", "x".repeat(VALUE_BYTES_MAX));
        assert!(parse(at_most.as_bytes()).is_ok());
        assert_eq!(
            refusal(format!("{at_most}x").as_bytes()),
            format!(
                "ERR value too large ({} bytes, at most {VALUE_BYTES_MAX})",
                VALUE_BYTES_MAX + 1
            )
        );
        assert!(refusal(b"put \xff").starts_with("ERR not UTF-8 at byte 5"));
    }
}
