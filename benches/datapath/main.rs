//! Measures how much of a server's work is the node's own: compares kad-node with a bare
//! echo that uses the same system calls, as real processes over loopback, in turn.
//!
//! Run `cargo bench --bench datapath`. README.md beside this file explains the figures.

mod bars;
mod client;
mod cores;
mod drive;
mod echo;
mod failure;
mod kernel;
mod load;
mod options;
mod outbox;
mod report;
mod request;
mod results;
mod sample;
mod server;
mod stores;
mod subject;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;

use self::cores::Cores;
use self::failure::Failure;
use self::load::Load;
use self::options::Options;
use self::results::Results;
use self::sample::Sample;
use self::server::Server;
use self::subject::Subject;

const EXIT_BAR_NOT_MET: u8 = 3;

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.serve {
        Some(serve) => echo::serve(serve.io(), options.grouping).map(|()| ExitCode::SUCCESS),
        None => measure(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("datapath: {error}");
        ExitCode::FAILURE
    })
}

fn measure(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let cores = Cores::available()?;
    report::head(options, &cores);
    let wanted = |subject: &Subject| Load::ALL.iter().any(|load| options.includes(*subject, *load));
    let mut subjects: Vec<_> = Subject::all().into_iter().filter(wanted).collect();
    let mut results = Results::default();
    for round in 0..options.rounds() {
        let mut servers = start(&mut subjects, options, &cores)?;
        let count = servers.len();
        for load in Load::ALL {
            for turn in 0..count {
                let (subject, server) = &mut servers[(round + turn) % count];
                if options.includes(*subject, load) {
                    cores.enter_client(subject.shards())?;
                    let sample = Sample::take(server, load, subject.shards(), options.time())
                        .map_err(|failure| format!("{subject}, {load}: {failure}"))?;
                    results.add((*subject, load), round, sample);
                }
            }
        }
    }
    report::cases(&results, &subjects);
    let (verdicts, unmeasured) = bars::judge(&results);
    report::bars(&verdicts, unmeasured);
    let all_met = unmeasured == 0 && verdicts.iter().all(|one| one.is_met() != Some(false));
    Ok(if options.assert_bars && !all_met {
        ExitCode::from(EXIT_BAR_NOT_MET)
    } else {
        ExitCode::SUCCESS
    })
}

/// Starts a server of each kind. Kinds that do not start here are reported and skipped from
/// then on.
fn start(
    subjects: &mut Vec<Subject>,
    options: &Options,
    cores: &Cores,
) -> Result<Vec<(Subject, Server)>, String> {
    let mut servers = Vec::new();
    for subject in subjects.clone() {
        match Server::start(subject, &options.node, cores) {
            Ok(server) => servers.push((subject, server)),
            Err(Failure::Refused(reason)) => {
                report::skipped(subject, &reason);
                subjects.retain(|kept| *kept != subject);
            }
            Err(failure) => return Err(format!("{subject}: {failure}")),
        }
    }
    Ok(servers)
}
