//! Prints the results.
#![allow(clippy::print_stdout)] // results are what a benchmark is for

use std::fs;
use std::process::Command;

use crate::bars::{Bar, Verdict};
use crate::cores::Cores;
use crate::load::Load;
use crate::options::Options;
use crate::results::{Case, Results};
use crate::sample::Figure;
use crate::subject::Subject;

/// Prints the machine and the settings that the figures depend on.
pub(crate) fn head(options: &Options, cores: &Cores) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let date = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    let date = date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("{}, kernel {}, {} cores", date.unwrap_or_default(), kernel.trim(), cores.count());
    if cores.count() > 1 {
        println!("one shard: server on the last core, client on the first; two: wherever they go");
    } else {
        println!("one core: server and client share it");
    }
    println!(
        "{} rounds of {} s each, warm-up not counted",
        options.rounds(),
        options.time().as_secs_f64()
    );
}

/// One line for each case.
pub(crate) fn cases(results: &Results, subjects: &[Subject]) {
    println!();
    println!(
        "{:16} {:22} {:>8} {:>8} {:>6} {:>9} {:>9} {:>9} {:>8} {:>9} {:>8} {:>9} {:>9} {:>6} {:>4}",
        "load",
        "server",
        "kreq/s",
        "CPU us",
        "busy",
        "waits/k",
        "calls/k",
        "per turn",
        "p50 us",
        "p99 us",
        "late us",
        "stored/s",
        "lost",
        "stray",
        "void"
    );
    for load in Load::ALL {
        for subject in subjects {
            case(results, (*subject, load));
        }
    }
}

fn case(results: &Results, case: Case) {
    let median = |figure| results.shown(case, figure).map(|spread| spread.median());
    let Some(throughput) = median(Figure::Throughput) else {
        return;
    };
    let number = |figure, decimals: usize| {
        median(figure).map_or_else(|| "-".into(), |number| format!("{number:.decimals$}"))
    };
    let (lost, stray) = results.lost_and_stray(case);
    let (subject, load) = case;
    println!(
        "{load:16} {subject:22} {:>8.1} {:>8} {:>6} {:>9} {:>9} {:>9} {:>8} {:>9} {:>8} {:>9} \
         {lost:>9} {stray:>6} {:>4}",
        throughput / 1000.0,
        number(Figure::CpuUs, 3),
        number(Figure::Busy, 2),
        number(Figure::Waits, 1),
        number(Figure::Calls, 1),
        number(Figure::PerTurn, 1),
        number(Figure::LatencyUs, 1),
        number(Figure::TailUs, 1),
        number(Figure::LatenessUs, 1),
        number(Figure::Stored, 0),
        results.void(case),
    );
}

/// One line for each ratio.
pub(crate) fn bars(verdicts: &[Verdict], unmeasured: usize) {
    println!();
    println!(
        "{:44} {:16} {:22} {:>6} {:>8} {:>15} {:>10}  met?",
        "ratio", "load", "server", "bar", "median", "least..greatest", "of medians"
    );
    for verdict in verdicts {
        let (subject, load) = verdict.row.part;
        let bar = match verdict.row.bar {
            Bar::AtMost(most) => format!("<={most:.2}"),
            Bar::AtLeast(least) => format!(">={least:.2}"),
            Bar::Shown => String::new(),
        };
        let met = match verdict.is_met() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        let ratio = &verdict.ratio;
        let spread = format!("{:.3}..{:.3}", ratio.rounds.least(), ratio.rounds.greatest());
        println!(
            "{:44} {load:16} {subject:22} {bar:>6} {:>8.3} {spread:>15} {:>10.3}  {met}",
            verdict.row.title,
            ratio.rounds.median(),
            ratio.of_medians,
        );
    }
    if unmeasured > 0 {
        println!("{unmeasured} ratios not measured: what they compare was left out or void");
    }
}

pub(crate) fn skipped(subject: Subject, reason: &str) {
    println!("{subject} skipped: {reason}");
}
