//! Puts and gets by a client that no node adds to its routing table.

mod source;
pub(crate) mod view;

use std::io::Write as _;
use std::path::Path;

use kad_node::id::Id;
use kad_node::node::{Config, Hop, HopAnswer, KeyedValue, Trace};

use self::source::Source;
use crate::args::{Format, GetArgs, PutArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::operations::{GetAnswer, PutError, Step};
use crate::output::{print, print_info, print_json};
use crate::reply::{self, Audience};
use crate::request::RequestError;
use crate::{log, value_file};

/// Stores values, and prints only their keys.
pub(crate) fn put(args: &PutArgs) -> Result<(), Failure> {
    store_all(args).map_err(of_one_shot)
}

/// Finds values, and prints only their bytes.
pub(crate) fn get(args: &GetArgs) -> Result<(), Failure> {
    find_all(args).map_err(of_one_shot)
}

/// Reserves exit status 1 for a value that is not stored or not found.
pub(crate) fn of_one_shot(failure: Failure) -> Failure {
    match failure {
        Failure::Failed(text) => Failure::Broken(text),
        other => other,
    }
}

/// What one of several values came to. The others are tried whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Standard error says so.
    Missed,
}

impl Outcome {
    fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

fn store_all(args: &PutArgs) -> Result<(), Failure> {
    let bytes_max = args.client.lookup.value_max;
    let sources = Source::all(&args.text, &args.file, bytes_max)?;
    let mut client = Client::join(&args.client, |config| Config { expire: args.expire, ..config })?;
    let mut outcome = Outcome::Done;
    for source in sources {
        let file = source.file().map(Path::to_owned);
        let value = source.read(bytes_max)?;
        outcome = outcome.and(store(&mut client, value, file.as_deref(), args.output.output)?);
    }
    client.stop()?;
    if outcome == Outcome::Done { Ok(()) } else { Err(Failure::NotStored) }
}

fn store(
    client: &mut Client<'_>,
    value: Box<[u8]>,
    file: Option<&Path>,
    format: Format,
) -> Result<Outcome, Failure> {
    let bytes = value.len();
    let value = KeyedValue::new(value);
    let key = value.key();
    let answer = client.ask(|operations| operations.put(value))?;
    let stored = answer.outcome.map_err(|error| match error {
        PutError::Refused(refusal) => Failure::Refused(refusal),
        PutError::DiskHangs => Failure::Failed("a client has no disk to wait for".into()),
    })?;
    let is_stored = stored.holders > 0;
    if format == Format::Json {
        print_json(&view::put(key, bytes, file, &stored, answer.elapsed))?;
    } else if is_stored {
        print(|out, _| writeln!(out, "{key}"))?;
    }
    if !is_stored {
        log::fail(format_args!("'{key}' was not stored: {}", reply::not_stored(&stored)));
        return Ok(Outcome::Missed);
    }
    if Audience::of_stderr() == Audience::Person {
        print_info(|err| reply::stored(&stored, answer.elapsed, err));
    }
    Ok(Outcome::Done)
}

fn find_all(args: &GetArgs) -> Result<(), Failure> {
    let keys = keys(&args.key)?;
    if args.output_file.is_some() && keys.len() > 1 {
        let text = format!("--output-file takes the value of one key, not of {}", keys.len());
        return Err(Failure::Usage(text));
    }
    let mut client = Client::join(&args.client, |config| config)?;
    let mut outcome = Outcome::Done;
    for key in keys {
        outcome = outcome.and(find(&mut client, key, args)?);
    }
    client.stop()?;
    if outcome == Outcome::Done { Ok(()) } else { Err(Failure::NotFound) }
}

/// Parses the keys of a command.
pub(crate) fn keys(texts: &[std::ffi::OsString]) -> Result<Vec<Id>, Failure> {
    let key = |text: &std::ffi::OsString| {
        let text = text.to_string_lossy();
        let invalid = |_| Failure::Request(RequestError::InvalidKey { text: text.trim().into() });
        text.trim().parse().map_err(invalid)
    };
    texts.iter().map(key).collect()
}

fn find(client: &mut Client<'_>, key: Id, args: &GetArgs) -> Result<Outcome, Failure> {
    let mut has_answer = false;
    let mut note = |step| {
        let is_silence = matches!(step, Step::Hop(Hop { answer: HopAnswer::TimedOut, .. }));
        has_answer |= !is_silence;
    };
    let answer = client.ask(|operations| operations.get(key, Trace::Hops, &mut note))?;
    let outcome = answer.outcome.as_ref().map_err(|refusal| Failure::Refused(*refusal))?;
    // When no node answers, the value may still exist.
    if outcome.is_none() && !has_answer {
        return Err(Failure::Unreachable(format!(
            "'{key}' was not found: no answer from the {} nodes asked; try again",
            answer.asked
        )));
    }
    if let (Some(found), Some(path)) = (outcome, &args.output_file) {
        value_file::write(path, &found.value)?;
    }
    match args.output.output {
        Format::Json => print_json(&view::get(key, args.output_file.as_deref(), &answer))?,
        Format::Text => print_found(&answer, args.output_file.is_none())?,
    }
    Ok(if outcome.is_some() { Outcome::Done } else { Outcome::Missed })
}

/// Prints the value, unless it is elsewhere, and whence it came.
fn print_found(answer: &GetAnswer, is_printed: bool) -> Result<(), Failure> {
    let audience = Audience::of_stderr();
    match answer.outcome.as_ref().ok().and_then(Option::as_ref) {
        Some(found) => {
            if is_printed {
                print(|out, audience| reply::value(&found.value, audience, out))?;
            }
            print_info(|err| reply::origin(found, answer, audience, err));
        }
        None => print_info(|err| reply::not_found(answer, audience, err)),
    }
    Ok(())
}
