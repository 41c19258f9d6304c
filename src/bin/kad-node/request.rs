//! Parses the lines of the prompt.

use std::fmt;
use std::path::PathBuf;

use kad_node::id::Id;
use kad_node::limits::VALUE_BYTES_MAX;
use kad_node::printable::beginning;

use crate::figures::Zeros;

/// Most bytes of one line. A larger text is put by `put -`.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 10;

/// How a get whose value goes to a file is typed.
const GET_FILE: &str = "get KEY > FILE";

/// The names of the commands.
pub(crate) const COMMANDS: [&str; 10] =
    ["put", "get", "forget", "peers", "stats", "watch", "trace", "help", "exit", "quit"];

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Put(Box<[u8]>),
    /// A put whose text follows on the next lines.
    PutLines,
    /// A put of what is in this file.
    PutFile(PathBuf),
    Get(Id),
    /// A get whose value goes to this file.
    GetFile(Id, PathBuf),
    Forget(Id),
    Peers,
    Stats(Zeros),
    Watch,
    Trace(Id),
    /// Help on all commands, or on the one of this name.
    Help(Option<&'static str>),
    Exit,
}

/// Why a line is not a command, or what a one-shot command is given no key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// A command lacks its argument.
    MissingArgument { usage: &'static str },
    /// A command that takes no argument has one.
    NeedlessArgument { command: &'static str, argument: String },
    /// Not 40 hexadecimal digits.
    InvalidKey { text: String },
    /// There is no such command.
    UnknownCommand { text: String },
    /// Larger than a value may be.
    TooLarge { bytes: usize, bytes_max: usize },
    /// Longer than [`LINE_BYTES_MAX`].
    LineTooLong,
    /// The input ended inside the text of a `put -`.
    TextUnended,
    /// A name of a file begins with a tilde, which the prompt does not expand.
    Tilde { name: String },
    /// A name of a file begins with a quote that no other one ends.
    QuoteUnended { name: String },
    /// Not UTF-8.
    NotUtf8 { column: usize },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingArgument { usage } => write!(f, "missing argument: {usage}"),
            Self::NeedlessArgument { command, argument } => {
                let takes = if *command == "stats" { "only all" } else { "none" };
                write!(f, "needless argument '{}': {command} takes {takes}", beginning(argument))
            }
            Self::InvalidKey { text } => {
                write!(f, "invalid key '{}': a key is 40 hexadecimal digits", beginning(text))
            }
            Self::UnknownCommand { text } => {
                write!(f, "unknown command '{}': try help", beginning(text))
            }
            Self::TooLarge { bytes, bytes_max } => {
                write!(f, "value too large ({bytes} bytes, at most {bytes_max})")?;
                if *bytes_max < VALUE_BYTES_MAX {
                    f.write_str(": --value-max sets the limit")?;
                }
                Ok(())
            }
            Self::LineTooLong => {
                write!(f, "line too long (more than {LINE_BYTES_MAX} bytes): nothing was done")
            }
            Self::TextUnended => {
                f.write_str("put - without an end: end the text by a line with a single dot")
            }
            Self::Tilde { name } => write!(
                f,
                "invalid file '{}': ~ is not expanded: write the folder out, or ./~",
                beginning(name)
            ),
            Self::QuoteUnended { name } => {
                write!(f, "invalid file {}: the quote has no end", beginning(name))
            }
            Self::NotUtf8 { column } => {
                write!(
                    f,
                    "not UTF-8 at byte {column}: a line is text (one-shot put takes any bytes)"
                )
            }
        }
    }
}

/// Parses a line; a blank line is `None`. Commands are not case-sensitive. The text of a put
/// is everything after the one blank that follows `put`: other blanks at its ends are part
/// of it, as in a one-shot put. A text that begins with @ is typed with one more.
pub(crate) fn parse(line: &[u8]) -> Result<Option<Request>, RequestError> {
    let line = std::str::from_utf8(without_end(line))
        .map_err(|error| RequestError::NotUtf8 { column: error.valid_up_to() + 1 })?
        .trim_start();
    let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let alone = |command, request| match rest.trim() {
        "" => Ok(request),
        argument => Err(RequestError::NeedlessArgument { command, argument: argument.into() }),
    };
    let request = match command.to_ascii_lowercase().as_str() {
        "" => return Ok(None),
        "put" if rest.trim() == "-" => Request::PutLines,
        "put" => match rest.strip_prefix('@') {
            Some(text) if text.starts_with('@') => Request::Put(value_of(text)?),
            Some(name) => Request::PutFile(file(name, "put @FILE")?),
            None => Request::Put(value_of(rest)?),
        },
        "get" => match rest.split_once('>') {
            Some((text, name)) => Request::GetFile(key(text, GET_FILE)?, file(name, GET_FILE)?),
            None => Request::Get(key(rest, "get KEY")?),
        },
        "forget" => Request::Forget(key(rest, "forget KEY")?),
        "trace" => Request::Trace(key(rest, "trace KEY")?),
        "peers" => alone("peers", Request::Peers)?,
        "stats" if rest.trim().eq_ignore_ascii_case("all") => Request::Stats(Zeros::Shown),
        "stats" => alone("stats", Request::Stats(Zeros::Folded))?,
        "watch" => alone("watch", Request::Watch)?,
        "help" => Request::Help(command_name(rest.trim())?),
        "exit" | "quit" => alone("exit", Request::Exit)?,
        _ => return Err(RequestError::UnknownCommand { text: command.into() }),
    };
    Ok(Some(request))
}

/// A line without its line end.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The command that `text` names; `None` when it is empty.
fn command_name(text: &str) -> Result<Option<&'static str>, RequestError> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = COMMANDS.iter().find(|name| name.eq_ignore_ascii_case(text)).copied();
    name.map(Some).ok_or_else(|| RequestError::UnknownCommand { text: text.into() })
}

fn value_of(text: &str) -> Result<Box<[u8]>, RequestError> {
    if text.trim().is_empty() {
        return Err(RequestError::MissingArgument { usage: "put TEXT" });
    }
    value(text.as_bytes(), VALUE_BYTES_MAX)
}

/// Checks that a value may have so many `bytes`.
pub(crate) fn value(bytes: &[u8], bytes_max: usize) -> Result<Box<[u8]>, RequestError> {
    if bytes.len() > bytes_max {
        let bytes = bytes.len();
        return Err(RequestError::TooLarge { bytes, bytes_max });
    }
    Ok(bytes.into())
}

/// Parses the name of a file: the rest of a line, or what stands between quotes, which it may
/// not hold itself.
fn file(text: &str, usage: &'static str) -> Result<PathBuf, RequestError> {
    let text = text.trim();
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let name = match quote {
        None if text.starts_with('~') => {
            return Err(RequestError::Tilde { name: text.into() });
        }
        None => text,
        Some(quote) => {
            let inner = text[1..].strip_suffix(quote).filter(|inner| !inner.contains(quote));
            inner.ok_or_else(|| RequestError::QuoteUnended { name: text.into() })?
        }
    };
    if name.is_empty() {
        return Err(RequestError::MissingArgument { usage });
    }
    Ok(name.into())
}

/// Parses a key. `usage` goes into the error when `text` is empty.
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
    fn a_put_keeps_its_text_unchanged() {
        for (line, text) in [
            ("put hello", "hello"),
            ("  put two  words ", "two  words "),
            ("put  two blanks before, one after ", " two blanks before, one after "),
            ("PUT Hello", "Hello"),
            ("Put -- ", "-- "),
            ("put hello\r\n", "hello"),
            ("put put\n", "put"),
            ("put größe", "größe"),
            ("put @@home", "@home"),
            ("put  @home", " @home"),
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
            ("stats".into(), Request::Stats(Zeros::Folded)),
            ("stats All ".into(), Request::Stats(Zeros::Shown)),
            ("exit".into(), Request::Exit),
            ("QUIT".into(), Request::Exit),
            ("help".into(), Request::Help(None)),
            ("help Put ".into(), Request::Help(Some("put"))),
            (" put  - ".into(), Request::PutLines),
            (format!("GET {KEY}"), Request::Get(id)),
            ("put @notes".into(), Request::PutFile("notes".into())),
            ("put @ two  words.txt ".into(), Request::PutFile("two  words.txt".into())),
            ("put @' both '".into(), Request::PutFile(" both ".into())),
            ("put @\"it's\"".into(), Request::PutFile("it's".into())),
            ("put @it's".into(), Request::PutFile("it's".into())),
            ("put @\"~\"".into(), Request::PutFile("~".into())),
            (format!("get {KEY} > out"), Request::GetFile(id, "out".into())),
            (format!("get {KEY}>'> out'"), Request::GetFile(id, "> out".into())),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(Some(request)), "{line:?}");
        }
        assert_eq!(parse(b" \t\r\n"), Ok(None));
    }

    #[test]
    fn errors_begin_as_documented_and_show_the_value() {
        for (line, begin, value) in [
            ("put", "missing argument", "put TEXT"),
            ("put  ", "missing argument", "put TEXT"),
            ("get", "missing argument", "get KEY"),
            ("get xyz", "invalid key", "'xyz'"),
            ("trace 00 11", "invalid key", "'00 11'"),
            ("peers all", "needless argument", "'all'"),
            ("puts x", "unknown command", "'puts'"),
            ("help puts", "unknown command", "'puts'"),
            ("\u{1b}[2J", "unknown command", "'\\u{1b}[2J'"),
            ("put @", "missing argument", "put @FILE"),
            ("put @''", "missing argument", "put @FILE"),
            ("put @~/notes", "invalid file", "'~/notes'"),
            ("put @'notes", "invalid file", "'notes"),
            ("put @'a' 'b'", "invalid file", "'a' 'b'"),
            ("put @\"", "invalid file", "no end"),
            ("get > out", "missing argument", "get KEY > FILE"),
            ("get 12 > out", "invalid key", "'12'"),
        ] {
            let said = refusal(line.as_bytes());
            assert!(said.starts_with(begin) && said.contains(value), "{line}: {said}");
            assert!(!said.contains(char::is_control), "{said:?}");
        }
        let largest = vec![b'x'; VALUE_BYTES_MAX];
        assert!(value(&largest, VALUE_BYTES_MAX).is_ok());
        let (bytes, bytes_max) = (VALUE_BYTES_MAX + 1, VALUE_BYTES_MAX);
        let too_large = [&largest[..], b"x"].concat();
        assert_eq!(
            value(&too_large, VALUE_BYTES_MAX),
            Err(RequestError::TooLarge { bytes, bytes_max })
        );
        assert!(refusal(b"put \xff").starts_with("not UTF-8 at byte 5"));
    }
}
