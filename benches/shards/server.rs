//! The server: a node in a process of its own, which says at its end what it has counted.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};

use kad_node::driver::{IoChoice, Pin, Settings, ShardCount, Steering, start};
use kad_node::id::Id;
use kad_node::node::Config;
use nix::sys::resource::{UsageWho, getrusage};

/// The argument by which the bench starts itself as a server.
pub(crate) const SERVE: &str = "--serve";
const STEERED: &str = "steered";
const UNSTEERED: &str = "unsteered";

/// What a server's process runs under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Under {
    Nothing,
    Callgrind,
}

/// What a server has counted when it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// 0 without callgrind.
    pub(crate) instructions: u64,
    pub(crate) cpu_us: u64,
    pub(crate) handoffs: u64,
    pub(crate) handoff_bytes: u64,
    pub(crate) wakes: u64,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Child,
    /// The rest of what it writes.
    output: BufReader<std::process::ChildStdout>,
}

impl Server {
    pub(crate) fn start(under: Under, shards: usize, steering: Steering, io: IoChoice) -> Self {
        let itself = env::current_exe().expect("Linux says it");
        let mut command = match under {
            Under::Nothing => Command::new(itself),
            Under::Callgrind => {
                let mut valgrind = Command::new("valgrind");
                // Threads take turns, so that one that waits for another does not wait long.
                valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
                valgrind.arg("--fair-sched=yes").arg(itself);
                valgrind
            }
        };
        let steering = if steering == Steering::Kernel { STEERED } else { UNSTEERED };
        command.args([SERVE, &shards.to_string(), steering, &io.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if under == Under::Callgrind {
            command.stderr(Stdio::piped());
        }
        let mut process = command.spawn().expect("valgrind is installed, and the bench is there");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut address = String::new();
        output.read_line(&mut address).expect("it tells its address");
        let address = address.trim().parse().expect("an address");
        Self { address, process, output }
    }

    /// Has it end, and reads what it has counted.
    pub(crate) fn stop(mut self) -> Totals {
        drop(self.process.stdin.take());
        let mut counted = String::new();
        self.output.read_to_string(&mut counted).expect("it tells what it has counted");
        let mut numbers = counted.split_whitespace().map(|number| number.parse().expect("a count"));
        let mut next = || numbers.next().expect("four counts");
        let (cpu_us, handoffs, handoff_bytes, wakes) = (next(), next(), next(), next());
        let mut log = String::new();
        if let Some(mut errors) = self.process.stderr.take() {
            errors.read_to_string(&mut log).expect("valgrind writes text");
        }
        assert!(self.process.wait().expect("it was started").success(), "{log}");
        let instructions = log.lines().find_map(|line| line.split("Collected : ").nth(1));
        let instructions = instructions.map_or(0, |count| count.trim().parse().expect("a count"));
        Totals { instructions, cpu_us, handoffs, handoff_bytes, wakes }
    }
}

/// Serves as `arguments` say until standard input ends, and writes what was counted.
pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    let [shards, steering, io, ..] = arguments else { return ExitCode::from(2) };
    let shards = shards.parse().ok().and_then(ShardCount::new).expect("from 1 to 64");
    let steering = if steering == STEERED { Steering::Kernel } else { Steering::Off };
    let io: IoChoice = io.parse().expect("a driver");
    let config = Config::new(Id::of_value(b"node"), [1; 32]);
    let settings = Settings::new(([127, 0, 0, 1], 0).into(), config);
    let node = start(Settings { shards, steering, io, pin: Pin::Pinned, ..settings });
    let node = node.expect("loopback is there");
    println!("{}", node.address());
    io::stdin().read_to_end(&mut Vec::new()).expect("the bench ends it");
    let total = node.stop().expect("it was told to").total();
    assert_eq!(total.driver.handoffs_dropped, 0);
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("Linux has it");
    let cpu = [usage.user_time(), usage.system_time()];
    let cpu_us: i64 = cpu.iter().map(|time| time.tv_sec() * 1_000_000 + time.tv_usec()).sum();
    let driver = total.driver;
    println!("{cpu_us} {} {} {}", driver.handoffs_sent, driver.handoff_bytes, driver.wakes_sent);
    ExitCode::SUCCESS
}
