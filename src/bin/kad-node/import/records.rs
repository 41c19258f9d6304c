//! The values of a file, one after another: lines, or records.

use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::args::Layout;
use crate::request;
use crate::value_file::{self, FileError};

/// Values that are read ahead of those that are put.
const VALUES_AHEAD_MAX: usize = 16;
/// Bytes of a record's length.
const LENGTH_BYTES: usize = 4;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A value, and where it ends in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) value: Box<[u8]>,
    pub(super) end: u64,
}

/// Why there is no next value.
#[derive(Debug)]
pub(super) enum Broken {
    /// What follows is no value.
    Value(String),
    /// The file cannot be read.
    Unread(io::Error),
}

/// What comes of reading on: no value at the end.
pub(super) type Read = Result<Option<Record>, Broken>;

/// The values of a file, which are read on a thread of their own.
pub(super) struct Records {
    pub(super) next: Receiver<Read>,
    /// The bytes of the file, where they are known.
    pub(super) bytes: Option<u64>,
}

impl Records {
    /// Opens `file`, of which no value may have more than `bytes_max`.
    pub(super) fn open(file: &Path, layout: Layout, bytes_max: usize) -> Result<Self, FileError> {
        if file.as_os_str() == "-" {
            return Ok(Self::read(|| io::stdin().lock(), None, layout, bytes_max));
        }
        let opened = value_file::open(file)?;
        let about = opened.metadata().ok().filter(std::fs::Metadata::is_file);
        let bytes = about.map(|about| about.len());
        Ok(Self::read(|| BufReader::with_capacity(BUFFER_BYTES, opened), bytes, layout, bytes_max))
    }

    fn read<R: BufRead>(
        open: impl FnOnce() -> R + Send + 'static,
        bytes: Option<u64>,
        layout: Layout,
        bytes_max: usize,
    ) -> Self {
        let (values, next) = sync_channel(VALUES_AHEAD_MAX);
        thread::spawn(move || {
            let input = open();
            read_all(Reader { input, layout, bytes_max, number: 0, end: 0 }, &values);
        });
        Self { next, bytes }
    }
}

/// Hands on all values, until one is none or they are not wanted any more.
fn read_all(mut reader: Reader<impl BufRead>, values: &SyncSender<Read>) {
    loop {
        let read = reader.next();
        let is_last = !matches!(read, Ok(Some(_)));
        if values.send(read).is_err() || is_last {
            return;
        }
    }
}

struct Reader<R> {
    input: R,
    layout: Layout,
    bytes_max: usize,
    /// Of the line or the record.
    number: u64,
    end: u64,
}

impl<R: BufRead> Reader<R> {
    fn next(&mut self) -> Read {
        match self.layout {
            Layout::Lines => self.line(),
            Layout::Records => self.record(),
        }
    }

    fn line(&mut self) -> Read {
        // A line of the largest value, with its end.
        let most = self.bytes_max as u64 + 2;
        loop {
            let mut line = Vec::new();
            let read = self.input.by_ref().take(most + 1).read_until(b'\n', &mut line);
            if read.map_err(Broken::Unread)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let mut bytes = line.len();
            if !line.ends_with(b"\n") {
                bytes += self.skip_line().map_err(Broken::Unread)?;
            }
            self.end += bytes as u64;
            let value = request::without_end(&line);
            if bytes > line.len() {
                return Err(self.too_large(bytes));
            }
            if !value.is_empty() {
                return self.value(value.into()).map(Some);
            }
        }
    }

    /// Skips the rest of a line; returns how many bytes that were without the line's end.
    fn skip_line(&mut self) -> io::Result<usize> {
        let mut skipped = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let (bytes, used) = end.map_or((buffer.len(), buffer.len()), |end| (end, end + 1));
            skipped += bytes;
            self.input.consume(used);
            if end.is_some() || used == 0 {
                return Ok(skipped);
            }
        }
    }

    fn record(&mut self) -> Read {
        let mut length = [0; LENGTH_BYTES];
        if self.input.fill_buf().map_err(Broken::Unread)?.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        self.fill(&mut length)?;
        let bytes = u32::from_be_bytes(length) as usize;
        if bytes > self.bytes_max {
            return Err(self.too_large(bytes));
        }
        let mut value = vec![0; bytes];
        self.fill(&mut value)?;
        self.end += (LENGTH_BYTES + bytes) as u64;
        if value.is_empty() {
            return Err(self.broken("is empty: a value has one byte or more"));
        }
        self.value(value.into()).map(Some)
    }

    fn fill(&mut self, part: &mut [u8]) -> Result<(), Broken> {
        self.input.read_exact(part).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.broken("is cut off: the file ends within it"),
            _ => Broken::Unread(error),
        })
    }

    fn value(&self, value: Box<[u8]>) -> Result<Record, Broken> {
        if value.len() > self.bytes_max {
            return Err(self.too_large(value.len()));
        }
        Ok(Record { value, end: self.end })
    }

    fn too_large(&self, bytes: usize) -> Broken {
        let bytes_max = self.bytes_max;
        self.broken(&format!(
            "is too large: {bytes} bytes, at most {bytes_max}; --value-max sets the limit"
        ))
    }

    fn broken(&self, why: &str) -> Broken {
        let what = match self.layout {
            Layout::Lines => "line",
            Layout::Records => "record",
        };
        Broken::Value(format!("{what} {} {why}", self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `input`, and what is wrong with it.
    fn read(input: &[u8], layout: Layout, bytes_max: usize) -> (Vec<Vec<u8>>, Option<String>) {
        let mut reader = Reader { input, layout, bytes_max, number: 0, end: 0 };
        let mut values = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(record)) => values.push(record.value.into_vec()),
                Ok(None) => {
                    assert_eq!(reader.end, input.len() as u64, "it knows how far it is");
                    return (values, None);
                }
                Err(Broken::Value(why)) => return (values, Some(why)),
                Err(Broken::Unread(error)) => panic!("memory can be read: {error}"),
            }
        }
    }

    fn records(values: &[&[u8]]) -> Vec<u8> {
        let record = |value: &&[u8]| [&(value.len() as u32).to_be_bytes()[..], value].concat();
        values.iter().flat_map(record).collect()
    }

    #[test]
    fn lines_are_values_without_their_ends_and_empty_ones_are_skipped() {
        let (values, error) = read(b"one\n\n two \r\n\xff\0\nlast", Layout::Lines, 5);
        assert_eq!(values, [&b"one"[..], b" two ", b"\xff\0", b"last"]);
        assert_eq!(error, None);
        assert_eq!(read(b"", Layout::Lines, 5), (vec![], None));
    }

    #[test]
    fn a_line_of_the_largest_size_is_a_value_and_a_larger_one_is_named() {
        for end in ["", "\n", "\r\n"] {
            let (values, error) = read(format!("12345{end}").as_bytes(), Layout::Lines, 5);
            assert_eq!((values, error), (vec![b"12345".to_vec()], None), "{end:?}");
        }
        for (line, bytes) in [("123456", 6), ("123456789", 9), ("1234567", 7)] {
            for end in ["", "\n"] {
                let (values, error) = read(format!("a\n{line}{end}").as_bytes(), Layout::Lines, 5);
                let error = error.expect("it is too large");
                assert_eq!(values, [b"a"]);
                let said = format!("line 2 is too large: {bytes} bytes, at most 5;");
                assert!(error.starts_with(&said), "{error}");
            }
        }
    }

    #[test]
    fn records_hold_any_bytes() {
        let all: [&[u8]; 3] = [b"\n", b"\r\n\0", b"12345"];
        let (values, error) = read(&records(&all), Layout::Records, 5);
        assert_eq!((values, error), (all.map(<[u8]>::to_vec).to_vec(), None));
    }

    #[test]
    fn a_record_that_is_none_is_named() {
        let good = records(&[b"ok"]);
        for (rest, said) in [
            (&b"\0\0"[..], "record 2 is cut off"),
            (b"\0\0\0\x05four", "record 2 is cut off"),
            (b"\0\0\0\0", "record 2 is empty"),
            (b"\xff\xff\xff\xff", "record 2 is too large: 4294967295 bytes"),
        ] {
            let (values, error) = read(&[&good, rest].concat(), Layout::Records, 5);
            let error = error.expect("it is broken");
            assert_eq!(values, [b"ok"]);
            assert!(error.starts_with(said), "{error}");
        }
    }
}
