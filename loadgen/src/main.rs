//! The `loadgen` program.
//!
//! Standard output carries results alone; progress goes to standard error. Exit status 0:
//! done; 1: no result, or a value that came back was wrong; 2: asked for wrongly, or an
//! output that cannot be written; 3: an assertion does not hold, or the lowest rate of a
//! search fails; 4: measured, and not all results could be written; 129, 130, 143: cut short
//! by SIGHUP, SIGINT, SIGTERM.
#![deny(clippy::print_stderr)] // it panics where standard error cannot be written

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use loadgen::http;
use loadgen::interruption::{Interruption, Signal};
use loadgen::live::SharedView;
use loadgen::machine::Machine;
use loadgen::merge;
use loadgen::options::{self, Mode, Options, Rate, ResultOptions};
use loadgen::output_file::{self, OutputFile};
use loadgen::outputs::{self, Outputs};
use loadgen::parameters::Parameters;
use loadgen::plan::{self, Outcomes};
use loadgen::progress::Display;
use loadgen::reader;
use loadgen::report::{compare, html};
use loadgen::run::Runner;
use loadgen::say::say;
use loadgen::search::Finding;
use loadgen::setup;
use loadgen::summary::{CutShort, FORMAT, Report};

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

fn refused(error: String) -> Failure {
    Failure { status: ASKED_WRONGLY, error }
}

fn main() -> ExitCode {
    let cli = match options::parse() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let outcome =
        Interruption::catch().map_err(Failure::from).and_then(|interruption| match cli.mode {
            Some(Mode::Compare { files, html }) => compare_files(&files, html.as_ref()),
            Some(Mode::Merge { files, results }) => merge_files(&files, &results),
            None => run(&cli.options, &interruption),
        });
    outcome.unwrap_or_else(|Failure { status, error }| {
        say(format_args!("error: {error}"));
        ExitCode::from(status)
    })
}

fn run(options: &Options, interruption: &Arc<Interruption>) -> Result<ExitCode, Failure> {
    let started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    options.check_server_pid().map_err(refused)?;
    let outputs = Outputs::open(&options.results, &labels(options)).map_err(refused)?;
    let view = SharedView::new(title(options));
    if let Some(address) = options.http {
        let bound = http::serve(address, view.clone()).map_err(refused)?;
        say(format_args!("live page at http://{bound}/, metrics at http://{bound}/metrics"));
    }
    let mut display = Display::new(view);
    let runner = Runner::open(options, interruption, &mut display)?;
    let setup = setup::describe(options, &runner);
    let machine = Machine::here(runner.driver());
    let outcomes = plan::carry_out(options, |step| runner.run(step, &mut display));
    if outcomes.runs.is_empty() {
        return match (outcomes.failure, interruption.signal()) {
            (Some(error), _) => Err(error.into()),
            (None, signal) => Err(Failure {
                status: signal.map_or(1, Signal::exit_status),
                error: "cut short before anything was measured".into(),
            }),
        };
    }
    let cut_short = cut_short(&outcomes, interruption);
    let Outcomes { runs, searches, knees, failure, .. } = outcomes;
    let report = Report {
        format: FORMAT,
        program: concat!("loadgen ", env!("CARGO_PKG_VERSION")).into(),
        started,
        machine,
        parameters: Parameters::of(options),
        setup,
        cut_short,
        searches,
        knees,
        runs,
    };
    let is_written = write(outputs, &report);
    runner.close()?;
    check_values(&report)?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let status = judge(&options.results, &report);
    Ok(ExitCode::from(match interruption.signal() {
        _ if !is_written => NOT_WRITTEN,
        Some(signal) if report.cut_short.is_some() => signal.exit_status(),
        _ => status,
    }))
}

/// What the live page is called.
fn title(options: &Options) -> String {
    match &options.targets[..] {
        [] if options.network.is_some() => "a network of its own".into(),
        [] => "a node of its own".into(),
        targets => targets.join(", "),
    }
}

/// What tells the planned runs apart.
fn labels(options: &Options) -> Vec<String> {
    let rate = |rate| match rate {
        Rate::PerSecond(rate) => Some(rate),
        Rate::Max => None,
    };
    let steps = plan::steps(options);
    let runs: Vec<_> = steps.iter().map(|step| (rate(step.rate), step.drop.value())).collect();
    outputs::labels(&runs)
}

/// Writes every result; says whether all could be.
fn write(outputs: Outputs, report: &Report) -> bool {
    let written = outputs.write(report);
    for failure in written.as_ref().err().into_iter().flatten() {
        say(format_args!("error: {failure}"));
    }
    written.is_ok()
}

/// Why there is less than was asked for, if there is.
fn cut_short(outcomes: &Outcomes, interruption: &Interruption) -> Option<CutShort> {
    let is_whole = outcomes.is_whole && outcomes.runs.iter().all(|run| !run.cut_short);
    let signal = interruption.signal().map(|signal| signal.to_string());
    let failure = outcomes.failure.as_ref().map(|error| format!("an error: {error}"));
    let cause = failure.or(signal)?;
    let drops_left_out = outcomes.drops_left_out.iter().map(|drop| drop.value()).collect();
    (!is_whole).then_some(CutShort { cause, drops_left_out })
}

/// A wrong value is the one result that is an error by itself.
fn check_values(report: &Report) -> Result<(), String> {
    match report.runs.iter().map(|run| run.books.wrong).sum::<u64>() {
        0 => Ok(()),
        wrong => Err(format!("{wrong} answers were not what was stored: do not trust this target")),
    }
}

/// The exit status that the results lead to: every assertion is checked on every run. What
/// was cut short proves nothing either way.
fn judge(options: &ResultOptions, report: &Report) -> u8 {
    if report.cut_short.is_some() {
        if !options.assertions.is_empty() {
            say("no assertion was checked: the run was cut short");
        }
        return 0;
    }
    let mut status = 0;
    for search in &report.searches {
        match search.finding {
            Finding::LowestFails { .. } => status = NOT_HELD,
            Finding::NoResult { .. } | Finding::CutShort if status == 0 => status = 1,
            _ => {}
        }
    }
    for run in &report.runs {
        for assertion in &options.assertions {
            let checked = assertion.check(run);
            if !checked.holds {
                status = NOT_HELD;
                let (label, found) = (run.label(), checked.found);
                say(format_args!("assertion '{assertion}' does not hold at {label}: {found}"));
            }
        }
    }
    status
}

fn read_all(files: &[PathBuf]) -> Result<Vec<(String, Report)>, String> {
    let read = |path: &PathBuf| Ok((path.display().to_string(), reader::read(path)?));
    files.iter().map(read).collect()
}

fn compare_files(files: &[PathBuf], html: Option<&PathBuf>) -> Result<ExitCode, Failure> {
    let page = html.map(|path| OutputFile::open(path).map(|file| (path.display(), file)));
    let page = page.transpose().map_err(|error| refused(format!("--html: {error}")))?;
    let reports = read_all(files)?;
    let not_written = |error| Failure { status: NOT_WRITTEN, error };
    match output_file::to_standard_output(&compare::tables(&reports)) {
        // A reader that closed its pipe has seen what it wanted.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            return Err(not_written(format!("cannot write to standard output: {error}")));
        }
        _ => {}
    }
    if let Some((show, file)) = page {
        file.write(&html::compared(&reports)).map_err(|error| {
            not_written(format!("'--html {show}' could not be written: {error}"))
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn merge_files(files: &[PathBuf], options: &ResultOptions) -> Result<ExitCode, Failure> {
    let merged = merge::merge(&read_all(files)?)?;
    let runs: Vec<_> = merged.runs.iter().map(|run| (run.rate_per_s, run.drop_percent)).collect();
    let outputs = Outputs::open(options, &outputs::labels(&runs)).map_err(refused)?;
    let is_written = write(outputs, &merged);
    check_values(&merged)?;
    let status = judge(options, &merged);
    Ok(ExitCode::from(if is_written { status } else { NOT_WRITTEN }))
}
