//! Puts the values of a file, many at a time, by a client that no node adds to its routing table.

mod records;

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use kad_node::node::{Config, KeyedValue, Refusal, Stored};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use self::records::{Broken, Read, Record, Records};
use crate::args::{Format, ImportArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::one_shot::{of_one_shot, view};
use crate::operations::{NodeGone, Operations, PutError};
use crate::output::print;
use crate::progress::Progress;
use crate::puts::{Puts, Settled};
use crate::reply::{self, Audience};
use crate::{figures, log};

/// How often a value is put that no node stores.
const TRIES_MAX: usize = 3;
/// How long a put is waited for before the next value is, where none has been read.
const READ_PERIOD: Duration = Duration::from_millis(5);
/// Values that are named of those that no node has stored.
const NAMED_MAX: u64 = 10;

/// Stores the values, and prints their keys.
pub(crate) fn run(args: &ImportArgs) -> Result<(), Failure> {
    store_all(args).map_err(of_one_shot)
}

fn store_all(args: &ImportArgs) -> Result<(), Failure> {
    let bytes_max = args.client.lookup.value_max;
    let records = Records::open(&args.file, args.layout, bytes_max)?;
    let signals = Signals::catch()?;
    let adjust = |config| Config { expire: args.expire, ..config };
    let mut client = Client::join_for_long(&args.client, adjust)?;
    let mut import = Import::new(records, args.output.output);
    let ended = client.ask(|operations| import.run(operations, &signals))?;
    client.stop()?;
    import.conclude(ended, &signals)
}

/// The signals that end an import. A second one ends it at once.
struct Signals(Arc<AtomicUsize>);

impl Signals {
    fn catch() -> Result<Self, Failure> {
        let caught = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            let once = Arc::new(AtomicBool::new(false));
            flag::register_conditional_default(signal, Arc::clone(&once))
                .and_then(|_| flag::register(signal, once))
                .and_then(|_| {
                    flag::register_usize(
                        signal,
                        Arc::clone(&caught),
                        signal.unsigned_abs() as usize,
                    )
                })
                .map_err(|error| Failure::Failed(format!("cannot catch signals: {error}")))?;
        }
        Ok(Self(caught))
    }

    fn caught(&self) -> Option<u8> {
        u8::try_from(self.0.load(Ordering::Relaxed)).ok().filter(|&signal| signal > 0)
    }
}

/// Why no value is read any more.
enum Ended {
    /// There are no more.
    All,
    Broken(Broken),
    Interrupted,
    /// The results cannot be written, or the node refuses.
    Failed(Failure),
}

/// An import that runs.
struct Import {
    records: Records,
    format: Format,
    puts: Puts<Given>,
    progress: Progress,
    begun: Instant,
    stored: u64,
    not_stored: u64,
    bytes_done: u64,
}

/// What is known of a value that was given to be put.
struct Given {
    number: u64,
    /// Where it ends in the file.
    end: u64,
}

impl Import {
    fn new(records: Records, format: Format) -> Self {
        Self {
            records,
            format,
            puts: Puts::new(TRIES_MAX),
            progress: Progress::begin(),
            begun: Instant::now(),
            stored: 0,
            not_stored: 0,
            bytes_done: 0,
        }
    }

    /// Puts value after value, and waits until those that have begun have ended.
    fn run(&mut self, operations: &mut Operations, signals: &Signals) -> Result<Ended, NodeGone> {
        let mut number = 0;
        let mut ended = loop {
            if signals.caught().is_some() {
                break Ended::Interrupted;
            }
            let Record { value, end } = match self.read() {
                Some(Ok(Some(record))) => record,
                Some(Ok(None)) => break Ended::All,
                Some(Err(broken)) => break Ended::Broken(broken),
                None => {
                    let period = if self.puts.has_room() { READ_PERIOD } else { Progress::PERIOD };
                    self.hear(operations, period)?;
                    if let Err(failure) = self.print_settled() {
                        return Ok(Ended::Failed(failure));
                    }
                    continue;
                }
            };
            number += 1;
            self.puts.give(operations, KeyedValue::new(value), Given { number, end })?;
        };
        while !self.puts.is_empty() {
            if signals.caught().is_some() {
                self.puts.give_up_waiting();
                ended = Ended::Interrupted;
            }
            self.hear(operations, Progress::PERIOD)?;
            if let Err(failure) = self.print_settled() {
                return Ok(Ended::Failed(failure));
            }
        }
        Ok(ended)
    }

    /// The next value, where there is one and room to put it.
    fn read(&self) -> Option<Read> {
        if !self.puts.has_room() {
            return None;
        }
        if self.puts.is_empty() {
            // A signal is looked for meanwhile.
            return self.records.next.recv_timeout(Progress::PERIOD).ok();
        }
        match self.records.next.try_recv() {
            Ok(read) => Some(read),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Ok(None)),
        }
    }

    /// Waits for puts to end, at most `patience`.
    fn hear(&mut self, operations: &mut Operations, patience: Duration) -> Result<(), NodeGone> {
        let mut next = operations.hear(patience)?;
        while let Some(event) = next {
            self.puts.take(&event);
            next = operations.hear(Duration::ZERO)?;
        }
        self.puts.begin_waiting(operations)
    }

    /// Prints what has come of the values whose turn it is, and shows how far the import is.
    fn print_settled(&mut self) -> Result<(), Failure> {
        let mut lines = Vec::new();
        while let Some(settled) = self.puts.settled() {
            self.note(&settled, &mut lines)?;
        }
        if !lines.is_empty() {
            if Audience::of_stdout() == Audience::Person {
                self.progress.hide();
            }
            print(|out, _| out.write_all(&lines))?;
        }
        let done = self.done();
        self.progress.show(done);
        Ok(())
    }

    /// Takes in what has come of one value, and writes its line.
    fn note(&mut self, settled: &Settled<Given>, lines: &mut Vec<u8>) -> Result<(), Failure> {
        let Settled { value, tag: Given { number, end }, answer } = settled;
        if matches!(answer.outcome, Err(PutError::Refused(Refusal::Abandoned))) {
            return Ok(()); // it had not begun when the import was interrupted
        }
        let key = value.key();
        let stored = answer.outcome.map_err(|error| match error {
            PutError::Refused(refusal) => Failure::Refused(refusal),
            PutError::DiskHangs => Failure::Failed("a client has no disk to wait for".into()),
        })?;
        self.bytes_done = *end;
        let is_stored = stored.holders > 0;
        let written = match self.format {
            Format::Json => {
                let view = view::put(key, value.bytes().len(), None, &stored, answer.elapsed);
                serde_json::to_writer(&mut *lines, &view).map_err(io::Error::from)
            }
            Format::Text if is_stored => write!(lines, "{key}"),
            Format::Text => Ok(()),
        };
        written.expect("memory takes all");
        if is_stored || self.format == Format::Json {
            lines.push(b'\n');
        }
        if is_stored {
            self.stored += 1;
        } else {
            self.not_stored += 1;
            self.name_lost(*number, &stored);
        }
        Ok(())
    }

    fn name_lost(&mut self, number: u64, stored: &Stored) {
        if self.not_stored > NAMED_MAX {
            return;
        }
        self.progress.hide();
        log::fail(format_args!("value {number} was not stored: {}", reply::not_stored(stored)));
    }

    fn done(&self) -> Done {
        Done {
            stored: self.stored,
            bytes: self.records.bytes.map(|total| (self.bytes_done, total)),
            elapsed: self.begun.elapsed(),
        }
    }

    /// Says how many are stored, where that is not what was asked for or a person reads it.
    fn conclude(mut self, ended: Ended, signals: &Signals) -> Result<(), Failure> {
        self.progress.hide();
        let is_whole = self.not_stored == 0 && matches!(ended, Ended::All);
        if !is_whole || Audience::of_stderr() == Audience::Person {
            let (stored, elapsed) = (self.stored, reply::time(self.begun.elapsed()));
            let plural = if stored == 1 { "" } else { "s" };
            let lost = match self.not_stored {
                0 => String::new(),
                lost => format!(", {lost} not stored"),
            };
            log::say(format_args!("{stored} value{plural} stored{lost} in {elapsed}"));
        }
        match ended {
            Ended::Failed(failure) => Err(failure),
            Ended::Broken(Broken::Value(why)) => Err(Failure::Usage(why)),
            Ended::Broken(Broken::Unread(error)) => {
                Err(Failure::Failed(format!("cannot read the values: {error}")))
            }
            Ended::Interrupted => Err(Failure::Interrupted(signals.caught().unwrap_or(0))),
            Ended::All if self.not_stored > 0 => Err(Failure::NotStored),
            Ended::All if self.stored == 0 => {
                Err(Failure::Usage("the input is empty: there is nothing to put".into()))
            }
            Ended::All => Ok(()),
        }
    }
}

/// How far an import is.
struct Done {
    stored: u64,
    /// Of the file, so many bytes of so many.
    bytes: Option<(u64, u64)>,
    elapsed: Duration,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = figures::rate(self.stored, self.elapsed);
        write!(f, "{} stored, {rate} a second", self.stored)?;
        if let Some((done, total)) = self.bytes.filter(|&(done, _)| done > 0) {
            let left = u128::from(total.saturating_sub(done));
            let left_us = self.elapsed.as_micros() * left / u128::from(done);
            write!(f, ", {} left", reply::time(Duration::from_micros(left_us as u64)))?;
        }
        Ok(())
    }
}
