//! The `loadgen` program.
//!
//! Standard output carries results alone; progress goes to standard error, when
//! that is a terminal. Exit status 0: done; 1: no result, or a value that came
//! back was wrong; 2: asked for wrongly, or an output that cannot be written;
//! 3: an assertion does not hold; 4: measured, and not all results could be
//! written; 129, 130, 143: cut short by SIGHUP, SIGINT, SIGTERM.
#![deny(clippy::print_stderr)] // it panics where standard error cannot be written

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use loadgen::interruption::{Interruption, Signal};
use loadgen::options::{self, Mode, Options};
use loadgen::output_file;
use loadgen::outputs::Outputs;
use loadgen::progress::Display;
use loadgen::report::compare;
use loadgen::result::RunResult;
use loadgen::run::Runner;
use loadgen::say::say;
use loadgen::setup;
use loadgen::summary::{CutShort, FORMAT, Report, RunSummary};

/// The command line asks for what cannot be.
const ASKED_WRONGLY: u8 = 2;
/// An assertion does not hold.
const NOT_HELD: u8 = 3;
/// Not all results could be written.
const NOT_WRITTEN: u8 = 4;

/// An error, and the exit status that tells of it.
struct Failure {
    status: u8,
    error: String,
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self { status: 1, error }
    }
}

fn main() -> ExitCode {
    let cli = match options::parse() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let outcome =
        Interruption::catch().map_err(Failure::from).and_then(|interruption| match cli.mode {
            Some(Mode::Compare { a, b }) => compare_files(&a, &b),
            None => run(&cli.options, &interruption),
        });
    outcome.unwrap_or_else(|Failure { status, error }| {
        say(format_args!("error: {error}"));
        ExitCode::from(status)
    })
}

fn run(options: &Options, interruption: &Arc<Interruption>) -> Result<ExitCode, Failure> {
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let refused = |error| Failure { status: ASKED_WRONGLY, error };
    options.check_server_pid().map_err(refused)?;
    let outputs = Outputs::open(options).map_err(refused)?;
    let mut display = Display::new();
    let runner = Runner::open(options, interruption, &mut display)?;
    let setup = setup::describe(options, &runner);
    let (results, failure) = run_all(options, &runner, &mut display);
    if results.is_empty() {
        return match (failure, interruption.signal()) {
            (Some(error), _) => Err(error.into()),
            (None, signal) => Err(Failure {
                status: signal.map_or(1, Signal::exit_status),
                error: "cut short before anything was measured".into(),
            }),
        };
    }
    let report = Report {
        format: FORMAT,
        program: concat!("loadgen ", env!("CARGO_PKG_VERSION")).into(),
        started,
        setup,
        cut_short: cut_short(options, &results, interruption, failure.as_deref()),
        runs: results.iter().map(RunSummary::of).collect(),
    };
    let written = outputs.write(&report, &results);
    for failure in written.as_ref().err().into_iter().flatten() {
        say(format_args!("error: {failure}"));
    }
    runner.close()?;
    check_values(&results)?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let held = judge(options, &report, &results);
    Ok(ExitCode::from(match interruption.signal() {
        _ if written.is_err() => NOT_WRITTEN,
        Some(signal) if report.cut_short.is_some() => signal.exit_status(),
        _ if !held => NOT_HELD,
        _ => 0,
    }))
}

/// A run for each drop rate, until a signal comes or one fails: what was measured before
/// is kept.
fn run_all(
    options: &Options,
    runner: &Runner,
    display: &mut Display,
) -> (Vec<RunResult>, Option<String>) {
    let mut results = Vec::new();
    for &drop in &options.drop {
        match runner.run(drop, display) {
            Ok(Some(result)) => results.push(result),
            Ok(None) => break,
            Err(error) => return (results, Some(error)),
        }
    }
    (results, None)
}

/// Why there is less than was asked for, if there is.
fn cut_short(
    options: &Options,
    results: &[RunResult],
    interruption: &Interruption,
    failure: Option<&str>,
) -> Option<CutShort> {
    let left_out = &options.drop[results.len()..];
    let is_whole = left_out.is_empty() && results.iter().all(|result| !result.is_cut_short);
    let signal = interruption.signal().map(|signal| signal.to_string());
    let cause = failure.map(|error| format!("an error: {error}")).or(signal)?;
    let drops_left_out = left_out.iter().map(|drop| drop.value()).collect();
    (!is_whole).then_some(CutShort { cause, drops_left_out })
}

/// A wrong value is the one result that is an error by itself.
fn check_values(results: &[RunResult]) -> Result<(), String> {
    match results.iter().map(|result| result.record.books.wrong).sum::<u64>() {
        0 => Ok(()),
        wrong => Err(format!("{wrong} answers were not what was stored: do not trust this target")),
    }
}

/// Checks every assertion on every run. What was cut short proves nothing either way.
fn judge(options: &Options, report: &Report, results: &[RunResult]) -> bool {
    if report.cut_short.is_some() {
        if !options.assertions.is_empty() {
            say("no assertion was checked: the run was cut short");
        }
        return true;
    }
    let mut held = true;
    for result in results {
        for assertion in &options.assertions {
            let checked = assertion.check(result);
            if !checked.holds {
                held = false;
                let (drop, found) = (result.drop, checked.found);
                say(format_args!("assertion '{assertion}' does not hold at drop {drop}: {found}"));
            }
        }
    }
    held
}

fn compare_files(a: &Path, b: &Path) -> Result<ExitCode, Failure> {
    match output_file::to_standard_output(&compare::table(&read(a)?, &read(b)?)) {
        // A reader that closed its pipe has seen what it wanted.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure {
            status: NOT_WRITTEN,
            error: format!("cannot write to standard output: {error}"),
        }),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn read(path: &Path) -> Result<Report, String> {
    let show = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {show}: {error}"))?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|error| format!("{show} is not what --json writes: {error}"))?;
    if report.format == FORMAT {
        Ok(report)
    } else {
        Err(format!("{show} has format {}, not {FORMAT}: make it anew", report.format))
    }
}
