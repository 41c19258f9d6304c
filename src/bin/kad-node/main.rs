//! The `kad-node` program: a node with a prompt, one-shot commands, and a whole
//! network in one process.
//!
//! Standard output carries only results; the log goes to standard error. Exit
//! status 0: success; 1: failure; 2: bad usage. For a one-shot put, get or trace, 1 means
//! that a value was not stored or not found. Then, and for stats and peers, 3: the command
//! itself failed; 4: no node answers in time.
#![deny(clippy::print_stderr)] // `eprintln!` panics where standard error cannot be written
#![cfg_attr(feature = "fuzz", no_main, allow(dead_code))] // the search for inputs begins elsewhere

mod args;
mod bootstrap;
mod client;
mod clients;
mod data;
mod demo;
mod departing;
mod failure;
mod figures;
#[cfg(feature = "fuzz")]
mod fuzz;
mod generate;
mod help;
mod http;
mod import;
mod job_control;
mod joining;
mod keygen;
mod latencies;
mod launch;
mod log;
mod log_events;
mod membership;
mod one_shot;
mod ongoing;
mod operations;
mod output;
mod own_id;
mod ping;
mod pipe;
mod progress;
mod puts;
mod remote;
mod reply;
mod request;
mod serve;
mod service;
mod session;
mod shard_table;
mod shown;
mod stop;
mod terminal;
mod text;
mod text_file;
mod value_file;
mod wait;
mod watch;

use std::process::ExitCode;

use args::Mode;
use kad_node::driver;

fn main() -> ExitCode {
    let cli = match args::parse() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    driver::join_freed_memory();
    job_control::serve_in_background();
    data::survive_file_limit();
    // A mode that needs more than the limit reports it.
    driver::raise_descriptor_limit();
    let result = match cli.mode {
        None => serve::run(&cli.node),
        Some(Mode::Put(args)) => one_shot::put(&args),
        Some(Mode::Get(args)) => one_shot::get(&args),
        Some(Mode::Import(args)) => import::run(&args),
        Some(Mode::Ping(args)) => ping::run(&args),
        Some(Mode::Stats(args)) => remote::stats(&args),
        Some(Mode::Peers(args)) => remote::peers(&args),
        Some(Mode::Trace(args)) => remote::trace(&args),
        Some(Mode::Demo(args)) => demo::run(&args),
        Some(Mode::Check(args)) => data::check(&args),
        Some(Mode::Keygen(args)) => keygen::run(&args),
        Some(Mode::Completions(args)) => generate::completions(&args),
        Some(Mode::Man(args)) => generate::man(&args),
    };
    let exit = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    };
    log::finish();
    exit
}
