//! The `loadgen` program.
//!
//! Standard output carries results alone; progress goes to standard error, when
//! that is a terminal. Exit status 0: done; 1: no result, or a value that came
//! back was wrong; 2: asked for wrongly; 3: an assertion does not hold;
//! 130, 143: told to end by SIGINT, SIGTERM.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::thread;
use std::time::SystemTime;

use loadgen::options::{self, Mode, Options};
use loadgen::progress::Display;
use loadgen::quantity::Percent;
use loadgen::report::{compare, hgrm, html, text};
use loadgen::run::{RunResult, Runner};
use loadgen::setup;
use loadgen::summary::{FORMAT, Report, RunSummary};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// An assertion does not hold.
const NOT_HELD: u8 = 3;
/// What a shell adds to a signal's number to tell it by an exit status.
const SIGNALLED: i32 = 128;

fn main() -> ExitCode {
    let cli = match options::parse() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let outcome = end_on_signals().and_then(|()| match cli.mode {
        Some(Mode::Compare { a, b }) => compare_files(&a, &b),
        None => run(&cli.options),
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let mut display = Display::new();
    let runner = Runner::open(options, &mut display)?;
    let setup = setup::describe(options, &runner);
    let mut results = Vec::new();
    for &drop in &options.drop {
        results.push(runner.run(drop, &mut display)?);
    }
    let report = Report {
        format: FORMAT,
        program: concat!("loadgen ", env!("CARGO_PKG_VERSION")).into(),
        started,
        setup,
        runs: results.iter().map(RunSummary::of).collect(),
    };
    write_files(options, &report, &results)?;
    print(&text::report(&report))?;
    runner.close()?;
    judge(options, &results)
}

/// Ends the program on SIGINT and SIGTERM. Mostly the kernel would do so by itself, but
/// not to the first process of a container.
fn end_on_signals() -> Result<(), String> {
    let catching = |error: io::Error| format!("cannot catch signals: {error}");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(catching)?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            process::exit(SIGNALLED + signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map(drop).map_err(catching)
}

/// Prints a result: the one place that writes to standard output.
fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that closed its pipe has seen what it wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| format!("cannot write to standard output: {error}")),
    }
}

fn write_files(options: &Options, report: &Report, results: &[RunResult]) -> Result<(), String> {
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
        write(path, &(json + "\n"))?;
    }
    if let Some(path) = &options.hgrm {
        for result in results {
            let path = if results.len() > 1 { with_drop(path, result.drop) } else { path.clone() };
            write(&path, &hgrm::table(&result.corrected))?;
        }
    }
    if let Some(path) = &options.html {
        write(path, &html::page(report, results))?;
    }
    Ok(())
}

/// One file for each run of a sweep: `out.hgrm` becomes `out-drop10.hgrm`.
fn with_drop(path: &Path, drop: Percent) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-drop{}", drop.value()));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Checks every assertion on every run.
fn judge(options: &Options, results: &[RunResult]) -> Result<ExitCode, String> {
    let mut held = true;
    for result in results {
        for assertion in &options.assertions {
            let checked = assertion.check(result);
            if !checked.holds {
                held = false;
                let drop = result.drop;
                eprintln!(
                    "assertion '{assertion}' does not hold at drop {drop}: {}",
                    checked.found
                );
            }
        }
    }
    let wrong: u64 = results.iter().map(|result| result.record.books.wrong).sum();
    if wrong > 0 {
        return Err(format!("{wrong} answers were not what was stored: do not trust this target"));
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::from(NOT_HELD) })
}

fn compare_files(a: &Path, b: &Path) -> Result<ExitCode, String> {
    print(&compare::table(&read(a)?, &read(b)?))?;
    Ok(ExitCode::SUCCESS)
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
