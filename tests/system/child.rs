//! Child processes: starts them, talks to them, and kills them when a test ends.

use std::cell::{Cell, OnceCell};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{self, WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use crate::Io;
use crate::threads::threads;

/// Guards against hanging for ever; no test's outcome depends on it.
pub(crate) const DEADLINE: Duration = Duration::from_mins(3);
/// How long to wait before repeating an action that may have had no effect.
const RETRY: Duration = Duration::from_millis(100);

/// The program, without the caller's environment settings.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kad-node"));
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").env("KAD_NO_HISTORY", "true");
    command
}

/// A running `kad-node` with its prompt on a pipe.
pub(crate) struct Node {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Cell<Option<ChildStdout>>,
    /// The lines of `stdout`, once a test has waited for one.
    lines: OnceCell<Receiver<String>>,
    log: Receiver<String>,
    /// The log lines so far, shown when a test fails.
    logged: Vec<String>,
    /// The address that it listens on.
    pub(crate) addr: SocketAddr,
}

impl Node {
    /// Starts a node on a free port and waits until it is ready.
    pub(crate) fn start(io: Io, arguments: &[&str]) -> Self {
        let listen: &[&str] =
            if arguments.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        Self::start_by(program().args(["--io", io.flag()]).args(listen).args(arguments))
    }

    /// Starts a node that joins `peer`, and waits until it has joined.
    pub(crate) fn join(io: Io, peer: &Self, arguments: &[&str]) -> Self {
        let mut node = Self::start_joining(io, peer, arguments);
        node.await_log(" joined contacts=");
        node
    }

    /// Starts a node that joins `peer`, and waits until it is ready.
    pub(crate) fn start_joining(io: Io, peer: &Self, arguments: &[&str]) -> Self {
        let peer = peer.addr.to_string();
        Self::start(io, &[&["--bootstrap", peer.as_str()], arguments].concat())
    }

    /// Starts `command`, and waits until the node is ready.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = Cell::new(child.stdout.take());
        let log = lines(child.stderr.take().expect("a pipe"));
        let addr = SocketAddr::from(([0; 4], 0));
        let mut node =
            Self { child, stdin, stdout, lines: OnceCell::new(), log, logged: Vec::new(), addr };
        let ready = node.await_log(" ready ");
        node.addr = field(&ready, "address").parse().expect("the ready line shows the address");
        node
    }

    /// Waits for a log line that contains `part`, and returns it.
    pub(crate) fn await_log(&mut self, part: &str) -> String {
        loop {
            let line = self.next_log().unwrap_or_else(|| panic!("no {part:?}: {self}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The first of the log lines read so far that contains `part`.
    pub(crate) fn logged(&self, part: &str) -> &str {
        let line = self.logged.iter().find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("no {part:?}: {self}"))
    }

    /// Stops the node, and returns its status and its log.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// The next line of the log, or `None` when the process has closed it.
    pub(crate) fn next_log(&mut self) -> Option<String> {
        match self.log.recv_timeout(DEADLINE) {
            Ok(line) => {
                self.logged.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more is logged: {self}"),
        }
    }

    /// Types `line`.
    pub(crate) fn type_line(&mut self, line: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(&[line.as_ref(), b"\n"].concat()).expect("the node reads its input");
    }

    /// The next line of its standard output.
    pub(crate) fn line(&self) -> String {
        let stdout = || self.stdout.take().expect("standard output is open");
        let lines = self.lines.get_or_init(|| lines(stdout()));
        lines.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Types `line` and returns the first line of the answer.
    pub(crate) fn ask(&mut self, line: impl AsRef<[u8]>) -> String {
        self.type_line(line);
        self.line()
    }

    /// Puts `text` and returns its key.
    pub(crate) fn put(&mut self, text: &str) -> String {
        let key = self.ask(format!("put {text}"));
        assert_eq!(key, kad_node::id::Id::of_value(text.as_bytes()).to_string(), "{self}");
        key
    }

    /// Gets `key`, checks that the value is `text`, and returns where it was found.
    pub(crate) fn found(&mut self, key: &str, text: &str) -> String {
        assert_eq!(self.ask(format!("get {key}")), text, "{self}");
        let from = self.line();
        from.strip_prefix("from ").unwrap_or_else(|| panic!("{from:?}: {self}")).to_owned()
    }

    /// One counter or gauge of `stats`.
    pub(crate) fn counter(&mut self, name: &str) -> u64 {
        self.type_line("stats");
        let mut value = None;
        loop {
            let line = self.line();
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("gets"), _) => break,
                (Some(word), Some(number)) if word == name => value = number.parse().ok(),
                _ => {}
            }
        }
        value.unwrap_or_else(|| panic!("no counter {name}: {self}"))
    }

    /// Closes its standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until one counter of `stats` is above zero.
    pub(crate) fn await_counter(&mut self, name: &str) {
        let begun = Instant::now();
        while self.counter(name) == 0 {
            assert!(begun.elapsed() < DEADLINE, "{name} stays 0: {self}");
        }
    }

    /// Waits until `newcomer` is a contact of the node: it asks again, since what shows its
    /// token may be lost when the machine is busy.
    pub(crate) fn await_contact(&mut self, newcomer: &mut Self) {
        let begun = Instant::now();
        while self.counter("contacts") == 0 {
            assert!(begun.elapsed() < DEADLINE, "no contact: {self}");
            assert_eq!(newcomer.ask(format!("get {}", "0".repeat(40))), "NOTFOUND");
        }
    }

    /// Its shards' threads, as folders under `/proc`.
    pub(crate) fn shard_threads(&self) -> Vec<PathBuf> {
        threads(&self.child.id().to_string(), "shard-")
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        signal::kill(pid, signal).expect("the child is there");
    }

    /// Suspends the process, and waits until it has stopped: until then it may still answer.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        let state = wait::waitpid(pid, Some(WaitPidFlag::WUNTRACED)).expect("a child of ours");
        assert_eq!(state, WaitStatus::Stopped(pid, Signal::SIGSTOP), "{self}");
    }

    /// Kills the process, as a crash would.
    pub(crate) fn crash(mut self) {
        self.child.kill().expect("the child is there");
        self.child.wait().expect("a killed child ends");
    }

    /// Waits until the process ends, and returns its status and its log.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        while self.next_log().is_some() {}
        let status = self.child.wait().expect("a child that has closed its log ends");
        (status, self.logged.join("\n"))
    }

    /// Types `line` until the process has ended, and returns its status and its log. Once is
    /// not enough after [`Self::close_stdout`]: a child that another test starts at that
    /// moment holds a copy of the reading end until it executes its program.
    pub(crate) fn type_until_end(mut self, line: &str) -> (ExitStatus, String) {
        let begun = Instant::now();
        loop {
            // The process may have ended.
            let _ = writeln!(self.stdin.as_mut().expect("standard input is open"), "{line}");
            match self.log.recv_timeout(RETRY) {
                Ok(line) => self.logged.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.end(),
                Err(RecvTimeoutError::Timeout) => {
                    assert!(begun.elapsed() < DEADLINE, "it does not end: {self}");
                }
            }
        }
    }

    /// Closes the reading end of its standard output, before anything was read.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout.take().expect("standard output is open");
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {} logged:\n{}", self.addr, self.logged.join("\n"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and output of a child that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard error, which must be one line.
    pub(crate) fn error(&self) -> &str {
        assert_eq!(self.stderr.trim_end().lines().count(), 1, "one line: {self:?}");
        assert_eq!(self.stdout, "", "only results go to standard output");
        self.stderr.trim_end()
    }
}

/// Runs the program with `arguments` and `input` to its end.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Ended {
    finish(program().args(arguments), input)
}

/// Runs `command` with `input` to its end.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Ended {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the program starts");
    // It may end before it has read its input.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let stdout = lines(child.stdout.take().expect("a pipe"));
    let stderr = lines(child.stderr.take().expect("a pipe"));
    let text = |lines: Receiver<String>| {
        let mut text = String::new();
        loop {
            match lines.recv_timeout(DEADLINE) {
                Ok(line) => text = text + &line + "\n",
                Err(RecvTimeoutError::Disconnected) => return text,
                Err(RecvTimeoutError::Timeout) => panic!("the child does not end: {text}"),
            }
        }
    };
    let (stdout, stderr) = (text(stdout), text(stderr));
    let status = child.wait().expect("a child that has closed its output ends").code();
    Ended { status, stdout, stderr }
}

/// The value of `name=value` in a line of the log.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let after = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{name}: {line}")).1;
    after.split_whitespace().next().unwrap_or_default()
}

/// The lines of `pipe`, read by a thread so that waiting can time out.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}
