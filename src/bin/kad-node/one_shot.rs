//! One put or one get, by a client that no node adds to its routing table.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;

use kad_node::id::Id;
use kad_node::limits::VALUE_BYTES_MAX;
use kad_node::node::{Config, Hop, HopAnswer, Trace};

use crate::args::{GetArgs, PutArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::log;
use crate::reply::{self, Audience};
use crate::request::{self, RequestError};

/// Stores one text, and prints only its key.
pub(crate) fn put(args: &PutArgs) -> Result<(), Failure> {
    store(args).map_err(of_one_shot)
}

/// Finds one value, and prints only its bytes.
pub(crate) fn get(args: &GetArgs) -> Result<(), Failure> {
    find(args).map_err(of_one_shot)
}

/// Reserves exit status 1 for a value that is not stored or not found.
fn of_one_shot(failure: Failure) -> Failure {
    match failure {
        Failure::Failed(text) => Failure::Broken(text),
        other => other,
    }
}

fn store(args: &PutArgs) -> Result<(), Failure> {
    let value = value(&args.text)?;
    let key = Id::of_value(&value);
    let mut client = Client::join(&args.client, |config| Config { expire: args.expire, ..config })?;
    let answer = client.ask(|operations| operations.put(key, value))?;
    let stored = answer.outcome.map_err(Failure::Refused)?;
    if stored.holders == 0 {
        return Err(Failure::NotStored(format!(
            "'{key}' was not stored: none of the {} closest nodes stored it; try again",
            stored.asked
        )));
    }
    print(|out, _| writeln!(out, "{key}"))?;
    if Audience::of_stderr() == Audience::Person {
        print_info(|err| reply::stored(&stored, answer.elapsed, err));
    }
    client.stop()
}

fn find(args: &GetArgs) -> Result<(), Failure> {
    let key = request::key(&args.key.to_string_lossy(), "get KEY").map_err(Failure::Request)?;
    let mut client = Client::join(&args.client, |config| config)?;
    let mut has_answer = false;
    let mut note = |hop: &Hop| has_answer |= hop.answer != HopAnswer::TimedOut;
    let answer = client.ask(|operations| operations.get(key, Trace::Hops, &mut note))?;
    let audience = Audience::of_stderr();
    match &answer.outcome {
        Ok(Some(found)) => {
            print(|out, audience| reply::value(&found.value, audience, out))?;
            print_info(|err| reply::origin(found, &answer, audience, err));
            client.stop()
        }
        // When no node answers, the value may still exist.
        Ok(None) if !has_answer => Err(Failure::Unreachable(format!(
            "'{key}' was not found: no answer from the {} nodes asked; try again",
            answer.asked
        ))),
        Ok(None) => {
            print_info(|err| reply::not_found(&answer, audience, err));
            client.stop()?;
            Err(Failure::NotFound)
        }
        Err(refusal) => Err(Failure::Refused(*refusal)),
    }
}

/// The value to store: `text`, or all of standard input when `text` is `-`.
fn value(text: &OsStr) -> Result<Box<[u8]>, Failure> {
    if text != "-" {
        if text.is_empty() {
            return Err(Failure::Request(RequestError::MissingArgument { usage: "put TEXT" }));
        }
        return request::value(text.as_bytes()).map_err(Failure::Request);
    }
    let unread = |error: io::Error| Failure::Failed(format!("cannot read standard input: {error}"));
    let mut input = io::stdin().lock();
    let mut value = Vec::new();
    input.by_ref().take(VALUE_BYTES_MAX as u64).read_to_end(&mut value).map_err(unread)?;
    let rest = io::copy(&mut input, &mut io::sink()).map_err(unread)?;
    if rest > 0 {
        let bytes = VALUE_BYTES_MAX.saturating_add(usize::try_from(rest).unwrap_or(usize::MAX));
        return Err(Failure::Request(RequestError::TooLarge { bytes }));
    }
    if value.is_empty() {
        return Err(Failure::Usage("standard input is empty: there is nothing to put".into()));
    }
    Ok(value.into())
}

/// Writes a result to standard output. A closed pipe is no error: its reader wants no more.
pub(crate) fn print(
    write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>, Audience) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out, Audience::of_stdout()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes additional information to standard error.
fn print_info(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
    let mut text = Vec::new();
    if write(&mut text).is_ok() {
        log::say(String::from_utf8_lossy(&text).trim_end());
    }
}
