//! The prompt's session: runs one line after another and prints the results.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use kad_durable::Counters;
use kad_node::driver::{Commander, DriverEvent};
use kad_node::id::Id;
use kad_node::node::{Forgotten, KeyedValue, Refusal, Trace};

use crate::figures::{self, Figures, Identity, Traffic, Zeros};
use crate::latencies::SessionLatencies;
use crate::ongoing::Ongoing;
use crate::operations::{Next, NodeGone, Operations, PutAnswer, PutError};
use crate::progress::Progress;
use crate::puts::{Puts, Settled};
use crate::reply::{self, Audience};
use crate::request::{self, Request, RequestError};
use crate::terminal::RecentKeys;
use crate::text::{Added, Text};
use crate::wait::DISK_WAIT_MAX;
use crate::{help, log, value_file, watch};

/// The answer to `forget`.
const FORGOTTEN: &str =
    "forgotten: this node no longer republishes it; the network keeps it until it expires";
/// The answer to an interrupted put.
const ABANDONED_PUT: &str =
    "ERR abandoned: the value is kept here and republished later; type forget KEY to stop that";

/// Why a session cannot go on.
#[derive(Debug)]
pub(crate) enum SessionError {
    /// Standard output is closed.
    Output(io::Error),
    /// The node has stopped.
    NodeGone,
}

impl From<io::Error> for SessionError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<NodeGone> for SessionError {
    fn from(NodeGone: NodeGone) -> Self {
        Self::NodeGone
    }
}

/// What a session knows of its node.
pub(crate) struct About {
    pub(crate) identity: Identity,
    /// Most bytes of a value that it takes.
    pub(crate) value_bytes_max: usize,
    /// What the node's folder counts, where it has one.
    pub(crate) disk: Option<Arc<Counters>>,
    /// The keys that the line editor completes.
    pub(crate) recent: RecentKeys,
}

/// Whether the key of a put has been printed before its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyLine {
    Due,
    Printed,
}

/// One user's session with a node.
pub(crate) struct Session {
    operations: Operations,
    audience: Audience,
    latencies: SessionLatencies,
    about: About,
    /// What had come and gone at the last `stats`.
    before: Traffic,
    /// The lines of a `put -` that is being typed.
    text: Option<Text>,
    /// On a pipe, the puts that have begun: each is answered when those before it are.
    puts: Option<Puts<()>>,
}

impl Session {
    /// A session with the node behind `commander` and `answers`, for `audience`.
    pub(crate) fn new(
        commander: Commander,
        answers: Receiver<DriverEvent>,
        audience: Audience,
        ongoing: Ongoing,
        about: About,
    ) -> Self {
        let next = move |patience| match answers.recv_timeout(patience) {
            Ok(event) => Next::Event(event),
            Err(RecvTimeoutError::Timeout) => Next::Late,
            Err(RecvTimeoutError::Disconnected) => Next::Gone,
        };
        let operations = Operations::new(commander, next, ongoing);
        let before = Traffic::none(about.identity.started);
        let latencies = SessionLatencies::default();
        Self { operations, audience, latencies, about, before, text: None, puts: None }
    }

    /// The same session on a pipe: it goes on to the next line before a put has ended.
    pub(crate) fn piped(self) -> Self {
        Self { puts: Some(Puts::new(1)), ..self }
    }

    /// Whether it may go on to the next line.
    pub(crate) fn has_room(&self) -> bool {
        self.puts.as_ref().is_none_or(Puts::has_room)
    }

    /// Whether all that it was given has been answered.
    pub(crate) fn is_settled(&self) -> bool {
        self.puts.as_ref().is_none_or(Puts::is_empty)
    }

    /// Waits for a put to end, at most `patience`, and prints the answers that are due.
    pub(crate) fn wait(
        &mut self,
        patience: Duration,
        out: &mut impl Write,
    ) -> Result<(), SessionError> {
        let Some(puts) = &mut self.puts else { return Ok(()) };
        let mut has_heard = false;
        let mut next = self.operations.hear(patience)?;
        while let Some(event) = next {
            has_heard |= puts.take(&event);
            next = self.operations.hear(Duration::ZERO)?;
        }
        if !has_heard {
            puts.look(&self.operations)?;
        }
        puts.begin_waiting(&self.operations)?;
        let settled: Vec<Settled<()>> = std::iter::from_fn(|| puts.settled()).collect();
        if settled.is_empty() {
            return Ok(());
        }
        for Settled { value, answer, .. } in settled {
            self.print_put(value.key(), &answer, KeyLine::Due, out)?;
        }
        Ok(out.flush()?)
    }

    /// Waits until all that it was given has been answered.
    fn settle(&mut self, out: &mut impl Write) -> Result<(), SessionError> {
        while !self.is_settled() {
            self.wait(Progress::PERIOD, out)?;
        }
        Ok(())
    }

    /// The prompt to show before the next line.
    pub(crate) const fn prompt(&self) -> &'static str {
        if self.text.is_some() { "...> " } else { "kad> " }
    }

    /// Discards the text of a `put -`. Returns whether one was being typed.
    pub(crate) fn cancel_text(&mut self) -> bool {
        self.text.take().is_some()
    }

    /// Runs one line and prints its result or its error. A break ends the session.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        out: &mut impl Write,
    ) -> Result<ControlFlow<()>, SessionError> {
        let request = match self.text.take() {
            None => request::parse(line),
            Some(text) => match text.with_line(line) {
                Ok(Added::More(text)) => {
                    self.text = Some(text);
                    return Ok(ControlFlow::Continue(()));
                }
                Ok(Added::Whole(value)) => Ok(Some(Request::Put(value))),
                Err(error) => Err(error),
            },
        };
        let flow = match request {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(request)) => self.carry_out(request, out)?,
            Err(error) => {
                self.refuse(&error, out)?;
                ControlFlow::Continue(())
            }
        };
        out.flush()?;
        Ok(flow)
    }

    /// Ends the session: the input has ended.
    pub(crate) fn end(&mut self, out: &mut impl Write) -> Result<(), SessionError> {
        self.settle(out)?;
        if self.cancel_text() { self.refuse(&RequestError::TextUnended, out) } else { Ok(()) }
    }

    /// Prints why a line was refused.
    pub(crate) fn refuse(
        &mut self,
        error: &RequestError,
        out: &mut impl Write,
    ) -> Result<(), SessionError> {
        self.settle(out)?;
        writeln!(out, "ERR {error}")?;
        Ok(out.flush()?)
    }

    fn carry_out(
        &mut self,
        request: Request,
        out: &mut impl Write,
    ) -> Result<ControlFlow<()>, SessionError> {
        if !matches!(request, Request::Put(_) | Request::PutLines) {
            self.settle(out)?;
        }
        match request {
            Request::Put(value) => self.put(value, out)?,
            Request::PutLines => self.text = Some(Text::default()),
            Request::PutFile(file) => self.put_file(&file, out)?,
            Request::Get(key) => self.get(key, Trace::Off, None, out)?,
            Request::GetFile(key, file) => self.get_file(key, &file, out)?,
            Request::Trace(key) => self.get(key, Trace::Hops, None, out)?,
            Request::Forget(key) => match self.operations.forget(key)? {
                Forgotten::Forgotten => writeln!(out, "{FORGOTTEN}")?,
                Forgotten::Unknown => {
                    writeln!(out, "ERR not put here '{key}': forget it at the node that put it")?;
                }
            },
            Request::Peers => reply::peers(&self.operations.peers()?, self.audience, out)?,
            Request::Stats(zeros) => self.stats(zeros, out)?,
            Request::Watch => self.watch(out)?,
            Request::Help(command) => help::write(command, out)?,
            Request::Exit => return Ok(ControlFlow::Break(())),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn figures(&mut self) -> Result<Figures, NodeGone> {
        let disk = self.about.disk.as_ref().map(|counters| counters.snapshot());
        let program = figures::named([("log_lines_dropped", log::lines_dropped())].into_iter());
        Ok(Figures::new(&self.operations.stats()?, disk.as_ref(), program))
    }

    /// Prints who the node is and what it counts. A program sees all counters.
    fn stats(&mut self, zeros: Zeros, out: &mut impl Write) -> Result<(), SessionError> {
        let figures = self.figures()?;
        let zeros = if self.audience == Audience::Program { Zeros::Shown } else { zeros };
        figures::head(&self.about.identity, &figures, self.before, out)?;
        figures::write(&figures, zeros, out)?;
        self.before = Traffic::of(&figures);
        Ok(reply::latencies(&self.latencies, out)?)
    }

    /// Draws the counters that change, once a second, until a key or an interrupt.
    fn watch(&mut self, out: &mut impl Write) -> Result<(), SessionError> {
        let Some(keys) = watch::Keys::hear().filter(|_| self.audience == Audience::Person) else {
            return Ok(writeln!(out, "ERR watch needs a terminal: try stats")?);
        };
        let (mut before, mut then) = (self.figures()?, Instant::now());
        loop {
            let goes_on = keys.wait(then + watch::PERIOD, || self.operations.is_interrupted());
            let (now, figures) = (Instant::now(), self.figures()?);
            out.write_all(watch::CLEAR)?;
            figures::head(&self.about.identity, &figures, Traffic::at(&before, then), out)?;
            watch::write(&figures, &before, now - then, out)?;
            out.flush()?;
            if !goes_on {
                return Ok(());
            }
            (before, then) = (figures, now);
        }
    }

    /// Puts a value. A person sees the key immediately, unless the value is to be on a disk
    /// first; a program only when the value is stored, so that the key can be used as soon
    /// as it is printed.
    fn put(&mut self, value: Box<[u8]>, out: &mut impl Write) -> Result<(), SessionError> {
        let value = KeyedValue::new(value);
        let key = value.key();
        self.about.recent.note(key);
        if let Some(puts) = &mut self.puts {
            return Ok(puts.give(&self.operations, value, ())?);
        }
        let key_line = if self.audience == Audience::Person && self.about.disk.is_none() {
            writeln!(out, "{key}")?;
            out.flush()?;
            KeyLine::Printed
        } else {
            KeyLine::Due
        };
        let answer = self.operations.put(value)?;
        self.print_put(key, &answer, key_line, out)
    }

    /// Prints how a put has ended.
    fn print_put(
        &mut self,
        key: Id,
        answer: &PutAnswer,
        key_line: KeyLine,
        out: &mut impl Write,
    ) -> Result<(), SessionError> {
        match answer.outcome {
            Ok(stored) => {
                self.latencies.puts.record(answer.elapsed);
                if stored.holders == 0 && stored.asked > 0 {
                    tracing::warn!(%key, asked = stored.asked, "no other node holds the value");
                }
                if key_line == KeyLine::Due {
                    writeln!(out, "{key}")?;
                }
                if self.audience == Audience::Person {
                    reply::stored(&stored, answer.elapsed, out)?;
                }
            }
            Err(PutError::Refused(Refusal::Abandoned)) => writeln!(out, "{ABANDONED_PUT}")?,
            Err(PutError::Refused(refusal)) => writeln!(out, "ERR {}", reply::refusal(refusal))?,
            Err(PutError::DiskHangs) => writeln!(
                out,
                "ERR disk hangs (no answer for {}): {key} is in memory and published, but not \
                 durable here until the disk answers",
                reply::time(DISK_WAIT_MAX)
            )?,
        }
        Ok(())
    }

    fn put_file(&mut self, file: &Path, out: &mut impl Write) -> Result<(), SessionError> {
        let bytes_max = self.about.value_bytes_max;
        let read = value_file::refuse_special(file)
            .and_then(|()| value_file::check(file, bytes_max))
            .and_then(|()| value_file::read(file, bytes_max));
        match read {
            Ok(value) => self.put(value, out),
            Err(error) => Ok(writeln!(out, "ERR {error}")?),
        }
    }

    fn get_file(&mut self, key: Id, file: &Path, out: &mut impl Write) -> Result<(), SessionError> {
        match value_file::refuse_special(file) {
            Ok(()) => self.get(key, Trace::Off, Some(file), out),
            Err(error) => Ok(writeln!(out, "ERR {error}")?),
        }
    }

    /// Finds a value, and prints it or writes it to `file`.
    fn get(
        &mut self,
        key: Id,
        trace: Trace,
        file: Option<&Path>,
        out: &mut impl Write,
    ) -> Result<(), SessionError> {
        self.about.recent.note(key);
        let mut printed = Ok(());
        let answer = self.operations.get(key, trace, |step| {
            if printed.is_ok() {
                printed = reply::step(&step, out).and_then(|()| out.flush());
            }
        })?;
        printed?;
        match &answer.outcome {
            Ok(found) => {
                self.latencies.gets.record(answer.elapsed);
                match (found, file) {
                    (Some(found), None) => reply::found(found, &answer, self.audience, out)?,
                    (Some(found), Some(file)) => {
                        let is_there = file.exists();
                        match value_file::write(file, &found.value) {
                            Ok(()) => {
                                let bytes = found.value.len();
                                reply::written(bytes, file, is_there, out)?;
                                reply::origin(found, &answer, self.audience, out)?;
                            }
                            Err(error) => writeln!(out, "ERR {error}")?,
                        }
                    }
                    (None, _) => reply::not_found(&answer, self.audience, out)?,
                }
            }
            Err(refusal) => writeln!(out, "ERR {}", reply::refusal(*refusal))?,
        }
        Ok(())
    }
}
