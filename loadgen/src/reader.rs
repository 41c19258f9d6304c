//! Reads what `--json` wrote, maybe long ago and elsewhere: what is not a report, or cannot
//! be one, is an error on one line.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use crate::books::KindBooks;
use crate::summary::{FORMAT, KindSummary, Report, RunSummary};

/// Largest file that is read: ten times a search with all its histograms.
const BYTES_MAX: u64 = 64 << 20;
/// Greater counts and times in nanoseconds are no run's, and their sums must not overflow.
const NUMBER_MAX: u64 = 1 << 53;

/// The number alone, which tells other formats before their fields are looked at.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// The report in the file at `path`.
///
/// # Errors
/// On one line: which file, what is wrong, and the remedy.
pub fn read(path: &Path) -> Result<Report, String> {
    let show = path.display();
    let cannot = |error| format!("cannot read {show}: {error}");
    let file = File::open(path).map_err(cannot)?;
    let mut text = String::new();
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(format!("{show} has more than {} MiB: it is no result", BYTES_MAX >> 20));
    }
    parse(&text).map_err(|error| format!("{show} {error}"))
}

/// The report that `text` is.
///
/// # Errors
/// What is wrong with it, and the remedy.
pub fn parse(text: &str) -> Result<Report, String> {
    let no_report = |error| format!("is not what --json writes: {error}");
    let Version { format } = serde_json::from_str(text).map_err(no_report)?;
    if format != FORMAT {
        return Err(format!("has format {format}, not {FORMAT}: make it anew"));
    }
    let report: Report = serde_json::from_str(text).map_err(no_report)?;
    if report.runs.is_empty() {
        return Err("has no run".into());
    }
    match report.runs.iter().find_map(|run| check(run).err()) {
        Some(wrong) => Err(format!("is not what --json writes: {wrong}")),
        None => Ok(report),
    }
}

/// Refuses what no run comes to.
fn check(run: &RunSummary) -> Result<(), String> {
    let mut books = run.books;
    if books.fields().into_iter().any(|count| *count > NUMBER_MAX) {
        return Err("a count is too large".into());
    }
    let mut of_kinds = run.kinds.iter().map(|kind| kind.books);
    let is_too_many = |kind: KindBooks| kind.answered > kind.sent || kind.fulfilled > kind.answered;
    let is_more = |kind: &KindSummary| kind.operations.greatest() > NUMBER_MAX;
    if run.kinds.iter().any(is_more)
        || of_kinds.any(|kind| kind.sent > NUMBER_MAX || is_too_many(kind))
    {
        return Err("a count of a kind is too large".into());
    }
    books.check()?;
    if !(run.duration_s > 0.0 && run.answered_per_s >= 0.0) {
        return Err("a run takes time".into());
    }
    let of_kinds = run.kinds.iter().map(|kind| &kind.histogram.0);
    if run.histograms.all().into_iter().chain(of_kinds).any(|one| one.len() > NUMBER_MAX) {
        return Err("a histogram counts more than any run".into());
    }
    let answered = [run.histograms.corrected.0.len(), run.corrected.count];
    if answered != [books.answered; 2] {
        return Err(format!("{} answers have {} latencies", books.answered, answered[0]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Every place of a JSON value that holds a scalar, as a pointer.
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| places(value, &format!("{at}/{name}"), found)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(index, value)| places(value, &format!("{at}/{index}"), found)),
            _ => found.push(at.to_owned()),
        }
    }

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ]
    }

    #[test]
    fn a_report_comes_back_as_it_was() {
        let text = serde_json::to_string(&samples::report()).expect("numbers and text");
        let read = parse(&text).expect("our own");
        let again = serde_json::to_string(&read).expect("numbers and text");
        assert!(again == text, "another text");
    }

    #[test]
    fn what_is_no_report_is_told() {
        for (text, said) in [
            ("", "is not what --json writes"),
            ("{}", "missing field `format`"),
            ("{\"format\": 2}", "has format 2, not 3: make it anew"),
            ("{\"format\": 3}", "missing field"),
            ("{\"format\": 1e999}", "number out of range"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
        let mut report = samples::report();
        report.runs[0].books.sent += 1;
        let text = serde_json::to_string(&report).expect("numbers and text");
        assert!(parse(&text).expect_err("it lies").contains("scheduled = sent + unsent"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_damage_panics(at in any::<proptest::sample::Index>(), with in scalar()) {
            let mut value = serde_json::to_value(samples::report()).expect("numbers and text");
            let mut found = Vec::new();
            places(&value, "", &mut found);
            let place = &found[at.index(found.len())];
            *value.pointer_mut(place).expect("it was found") = with;
            if let Ok(report) = parse(&value.to_string()) {
                // What is read can be shown and merged.
                crate::report::text::report(&report);
                crate::report::html::page(&report);
                crate::report::compare::table(&report, &samples::report());
                let _ = crate::merge::merge(&[("a".into(), report.clone()), ("b".into(), report)]);
            }
        }

        #[test]
        fn no_cut_panics(at in any::<proptest::sample::Index>()) {
            let text = serde_json::to_string(&samples::report()).expect("numbers and text");
            prop_assert!(parse(&text[..at.index(text.len())]).is_err());
        }
    }
}
