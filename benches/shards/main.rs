//! Measures what a request costs as a node gets more shards, and what its shards pass to each
//! other for it.
//!
//! Run `cargo bench --bench shards`; it needs valgrind. A node of each number of shards runs
//! as a process of its own and answers `FIND_VALUE`s one by one, each for a value of another
//! shard than the one before. Callgrind counts the instructions of the whole process, outside
//! of the kernel: of the loop around the protocol too, once for each request, since every
//! turn has one. What is shown is a long run less a short one, for each request between them.

#![allow(clippy::cast_precision_loss)] // no count here is near 2^52
#![allow(clippy::print_stdout)] // results are what a benchmark is for

mod client;
#[path = "../../tests/harness/datagram.rs"]
mod datagram;
mod server;

use std::env;
use std::process::ExitCode;

use kad_node::driver::{IoChoice, Steering};

use server::{Server, Totals, Under};

const SHARDS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Requests of the two runs whose instructions are counted.
const COUNTED: [u64; 2] = [256, 2304];
/// Requests of the two runs whose CPU time is taken.
const TIMED: [u64; 2] = [2048, 34_816];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == server::SERVE) {
        return server::serve(&arguments[place + 1..]);
    }
    println!(
        "a request  | steered by the kernel: instructions  CPU us  handoffs  bytes  wakes | not \
         steered: instructions  CPU us  handoffs  bytes  wakes"
    );
    for shards in SHARDS {
        let steered = Cost::of(shards, Steering::Kernel);
        let unsteered = (shards > 1).then(|| Cost::of(shards, Steering::Off).to_string());
        println!("{shards:3} shards | {steered} | {}", unsteered.unwrap_or_default());
    }
    ExitCode::SUCCESS
}

/// What one request costs.
struct Cost {
    instructions: f64,
    cpu_us: f64,
    handoffs: f64,
    handoff_bytes: f64,
    wakes: f64,
}

impl Cost {
    /// Instructions by the driver that valgrind knows; the rest by the one that a node takes
    /// by itself, at its own speed.
    fn of(shards: usize, steering: Steering) -> Self {
        let counted = between(COUNTED, |count| {
            run(Under::Callgrind, shards, steering, IoChoice::Mmsg, count)
        });
        let timed =
            between(TIMED, |count| run(Under::Nothing, shards, steering, IoChoice::Auto, count));
        Self {
            instructions: counted(|totals| totals.instructions),
            cpu_us: timed(|totals| totals.cpu_us),
            handoffs: timed(|totals| totals.handoffs),
            handoff_bytes: timed(|totals| totals.handoff_bytes),
            wakes: timed(|totals| totals.wakes),
        }
    }
}

/// The difference of two runs, for each request that one has more than the other.
fn between(counts: [u64; 2], run: impl Fn(u64) -> Totals) -> impl Fn(fn(&Totals) -> u64) -> f64 {
    let [short, long] = counts.map(run);
    let requests = (counts[1] - counts[0]) as f64;
    move |of| (of(&long) as f64 - of(&short) as f64) / requests
}

fn run(under: Under, shards: usize, steering: Steering, io: IoChoice, requests: u64) -> Totals {
    let server = Server::start(under, shards, steering, io);
    client::ask(server.address, requests);
    server.stop()
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { instructions, cpu_us, handoffs, handoff_bytes, wakes } = self;
        write!(
            f,
            "{instructions:8.0}  {cpu_us:6.2}  {handoffs:6.3}  {handoff_bytes:6.1}  {wakes:6.3}"
        )
    }
}
