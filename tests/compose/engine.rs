//! The container engine, through its command line. Every call has a time limit.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::interrupt;

/// How long a call may take. The engine answers within a second, or later while it starts
/// 60 containers.
pub(crate) const CALL_MAX: Duration = Duration::from_mins(2);
/// How soon an interrupt is noticed.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// How compose is called here.
#[derive(Clone, Debug)]
pub(crate) struct Compose(Vec<&'static str>);

impl Compose {
    /// A call of compose.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.0[0]);
        command.args(&self.0[1..]);
        command
    }
}

/// Finds compose on this machine. The error says why there is none.
pub(crate) fn find() -> Result<Compose, String> {
    if !succeeds(&["docker", "version"]) {
        return Err("no container engine answers to 'docker version'".into());
    }
    for words in [&["docker", "compose"][..], &["docker-compose"]] {
        if succeeds(&[words, &["version"]].concat()) {
            return Ok(Compose(words.to_vec()));
        }
    }
    Err("neither 'docker compose' nor 'docker-compose' is installed".into())
}

fn succeeds(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    let ended = attempt(command.args(&words[1..]), CALL_MAX, Heed::Interrupts);
    ended.is_ok_and(|ended| ended.status == Some(0))
}

/// What a command wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What ends a call early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heed {
    /// A signal to the test.
    Interrupts,
    /// Nothing: for clean-up, which must finish.
    Nothing,
}

/// Runs `command` to its end, with nothing to read.
pub(crate) fn run(command: &mut Command) -> Ended {
    run_within(command, CALL_MAX)
}

/// Runs `command` to its end, which must come within `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Ended {
    attempt(command, limit, Heed::Interrupts)
        .unwrap_or_else(|reason| panic!("{command:?}: {reason}"))
}

/// Runs `command`, which must succeed, and returns its standard output.
pub(crate) fn output(command: &mut Command) -> String {
    output_within(command, CALL_MAX)
}

/// Runs `command`, which must succeed within `limit`, and returns its standard
/// output.
pub(crate) fn output_within(command: &mut Command, limit: Duration) -> String {
    let ended = run_within(command, limit);
    assert_eq!(ended.status, Some(0), "{command:?}: {ended:?}");
    ended.stdout
}

/// Runs `docker` with `words`, which must succeed.
pub(crate) fn docker(words: &[&str]) -> String {
    output(Command::new("docker").args(words))
}

/// Runs `command` to its end. When it takes longer than `limit`, it is killed with all that
/// it started. The error says why it did not end by itself.
pub(crate) fn attempt(command: &mut Command, limit: Duration, heed: Heed) -> Result<Ended, String> {
    let deadline = Instant::now() + limit;
    let mut group = Group::start(command)?;
    let stdout = all_of(group.0.stdout.take().expect("a pipe"));
    let stderr = all_of(group.0.stderr.take().expect("a pipe"));
    let text = |pipe| receive(pipe, deadline, heed).map(Option::unwrap_or_default);
    let (stdout, stderr) = (text(&stdout)?, text(&stderr)?);
    let status = group.0.wait().map_err(|error| error.to_string())?;
    Ok(Ended { status: status.code(), stdout, stderr })
}

/// The lines that a command writes while it runs.
pub(crate) struct Lines {
    lines: Receiver<String>,
    _group: Group,
}

impl Lines {
    /// Starts `command`.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut group =
            Group::start(command).unwrap_or_else(|reason| panic!("{command:?}: {reason}"));
        let pipe = BufReader::new(group.0.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            pipe.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { lines, _group: group }
    }

    /// The next line, which must come before `deadline`. The error says why there is none.
    pub(crate) fn next(&self, deadline: Instant) -> Result<String, String> {
        receive(&self.lines, deadline, Heed::Interrupts)?.ok_or_else(|| "it has ended".into())
    }
}

/// A process and all that it starts, killed when dropped.
struct Group(Child);

impl Group {
    /// Starts `command` in a process group of its own, so that a Ctrl-C at the test's
    /// terminal reaches only the test, which then kills the group.
    fn start(command: &mut Command) -> Result<Self, String> {
        let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        pipes.process_group(0).spawn().map(Self).map_err(|error| error.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let leader = Pid::from_raw(self.0.id().try_into().expect("a process id"));
            // The process may just have ended.
            let _ = signal::killpg(leader, Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}

/// All that comes through `pipe`, once it has been closed.
fn all_of(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        sender.send(String::from_utf8_lossy(&bytes).into_owned())
    });
    receiver
}

/// Receives from `receiver`; `None` when its sender is gone. The error says why it no longer
/// waits.
fn receive<T>(receiver: &Receiver<T>, deadline: Instant, heed: Heed) -> Result<Option<T>, String> {
    loop {
        if heed == Heed::Interrupts && interrupt::pending() {
            return Err(interrupt::REASON.into());
        }
        let remaining = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(remaining.min(LOOK_INTERVAL)) {
            Ok(what) => return Ok(Some(what)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if remaining.is_zero() => {
                return Err("it takes too long".into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
