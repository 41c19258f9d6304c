//! The peers' processes: started on a core of their own, and ended with this one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The core of the measured peer. The generator has the first one.
const PEER_CORE: usize = 1;

/// How long a process may take to end by itself.
const ENDING: Duration = Duration::from_millis(500);

/// A program that runs, and what it says.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// On the peers' core alone.
    Peer,
    /// On any.
    Any,
}

impl Process {
    /// Starts `program` with `arguments`.
    pub(crate) fn start(program: &str, arguments: &[&str], core: Core) -> Result<Self, String> {
        let mut command = match core {
            Core::Any => Command::new(program),
            Core::Peer => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", &PEER_CORE.to_string(), program]);
                command
            }
        };
        let is_logged = std::env::var_os("PEERS_LOG").is_some();
        let log = if is_logged { Stdio::inherit() } else { Stdio::null() };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn();
        let mut child = child.map_err(|error| format!("'{program}' does not start: {error}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Ok(Self { child, input, output })
    }

    /// CPU time of its threads so far, as the scheduler accounts for it, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let of_task = |task: fs::DirEntry| {
            let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            schedstat.split_whitespace().next()?.parse::<u64>().ok()
        };
        tasks.into_iter().flatten().flatten().filter_map(of_task).sum()
    }

    /// Says a line, and returns the line that answers it.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String, String> {
        let input = self.input.as_mut().ok_or("it is ending")?;
        writeln!(input, "{line}").map_err(|error| error.to_string())?;
        self.line()
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err("it has ended".into()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Those that read commands end with them, and what they have started as well.
        self.input = None;
        let deadline = Instant::now() + ENDING;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that is free.
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    let bound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    bound.map_err(|error| error.to_string())
}
