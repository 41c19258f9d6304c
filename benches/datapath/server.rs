//! A server in a process of its own: starts it, reads its counters and CPU time, stops it.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::{NetworkKey, NetworkKeys};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cores::Cores;
use crate::failure::Failure;
use crate::request::{self, KEYS};
use crate::subject::{Grouping, Shards, Subject};

/// How the last line of the counters begins.
pub(crate) const STATS_END: &str = "  gets";

/// The driver's counters, all shards together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) turns: u64,
    pub(crate) waits: u64,
    pub(crate) receive_calls: u64,
    pub(crate) send_calls: u64,
    pub(crate) datagrams_received: u64,
}

impl Counters {
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            turns: self.turns - earlier.turns,
            waits: self.waits - earlier.waits,
            receive_calls: self.receive_calls - earlier.receive_calls,
            send_calls: self.send_calls - earlier.send_calls,
            datagrams_received: self.datagrams_received - earlier.datagrams_received,
        }
    }

    /// Takes in one line of the driver's part.
    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(Ok(count))) = (words.next(), words.next().map(str::parse)) else {
            return;
        };
        match name {
            "turns" => self.turns = count,
            "waits" => self.waits = count,
            "receive_calls" => self.receive_calls = count,
            "send_calls" => self.send_calls = count,
            "datagrams_received" => self.datagrams_received = count,
            _ => {}
        }
    }
}

/// It is killed when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shards: Shards,
    /// The values that answer for keys 0, 1, ...
    pub(crate) texts: Vec<String>,
    /// Of its network, where that is private.
    pub(crate) keys: Option<NetworkKeys>,
    cpu: ClockId,
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where a durable node keeps its values, and a private one its key; removed after the
    /// process has ended.
    #[expect(dead_code, reason = "it is removed when it is dropped")]
    folder: Option<TempDir>,
}

struct Process(Child);

impl Process {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub(crate) fn start(subject: Subject, node: &Path, cores: &Cores) -> Result<Self, Failure> {
        let mut command = match subject {
            Subject::Echo { .. } => {
                Command::new(env::current_exe().map_err(Failure::io("finding the bench"))?)
            }
            Subject::Node { .. } | Subject::Durable | Subject::Private => Command::new(node),
        };
        command.args(arguments(subject));
        let (folder, keys) = give_folder(subject, &mut command)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let pin = Failure::io("setting the cores");
        cores.enter_server(subject.shards()).map_err(|errno| pin(errno.into()))?;
        let child = command.spawn().map_err(Failure::io("starting a server"))?;
        let mut process = Process(child);
        let stdin = process.0.stdin.take().expect("it is piped");
        let mut stdout = BufReader::new(process.0.stdout.take().expect("it is piped"));
        let address = match subject {
            Subject::Echo { .. } => address_of_echo(&mut stdout, &mut process),
            Subject::Node { .. } | Subject::Durable | Subject::Private => {
                address_of_node(&mut process)
            }
        }?;
        let clock = Failure::io("finding the server's clock");
        let cpu = clock_getcpuclockid(process.pid()).map_err(|errno| clock(errno.into()))?;
        let shards = subject.shards();
        let texts = Vec::new();
        let mut server = Self { address, shards, texts, keys, cpu, process, stdin, stdout, folder };
        server.texts = match subject {
            // It has one reply.
            Subject::Echo { .. } => vec![request::text(0); KEYS],
            Subject::Node { .. } | Subject::Durable | Subject::Private => server.put_all()?,
        };
        Ok(server)
    }

    /// Puts the values at the node's prompt.
    fn put_all(&mut self) -> Result<Vec<String>, Failure> {
        let texts: Vec<_> = (0..KEYS).map(request::text).collect();
        for text in &texts {
            self.ask(&format!("put {text}"))?;
            let key = Id::of_value(text.as_bytes()).to_string();
            let line = self.line()?;
            if line != key {
                return Err(Failure::Wrong(format!("put printed '{line}' instead of {key}")));
            }
        }
        Ok(texts)
    }

    fn ask(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.stdin, "{line}").map_err(Failure::io("asking a server"))
    }

    /// The next line that it prints.
    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line).map_err(Failure::io("reading a server"))?;
        if read == 0 {
            let status = self.process.0.wait().map_err(Failure::io("waiting for a server"))?;
            return Err(Failure::Wrong(format!("a server ended by itself: {status}")));
        }
        Ok(line.trim_end().to_owned())
    }

    /// Its counters so far.
    pub(crate) fn counters(&mut self) -> Result<Counters, Failure> {
        self.ask("stats")?;
        while self.line()? != "driver:" {}
        let mut counters = Counters::default();
        loop {
            let line = self.line()?;
            if line.starts_with(STATS_END) {
                return Ok(counters);
            }
            counters.read(&line);
        }
    }

    /// Suspends all its threads.
    pub(crate) fn suspend(&self) -> Result<(), Failure> {
        self.signal(Signal::SIGSTOP)?;
        let wait = Failure::io("waiting for a server to be suspended");
        match waitpid(self.process.pid(), Some(WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Stopped(..)) => Ok(()),
            Ok(status) => Err(Failure::Wrong(format!("a server ended by itself: {status:?}"))),
            Err(errno) => Err(wait(errno.into())),
        }
    }

    /// Resumes its threads.
    pub(crate) fn resume(&self) -> Result<(), Failure> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let send = Failure::io("sending a signal to a server");
        signal::kill(self.process.pid(), signal).map_err(|errno| send(errno.into()))
    }

    /// CPU time of all its threads so far, in user and kernel mode.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let read = Failure::io("reading the server's clock");
        clock_gettime(self.cpu).map(Duration::from).map_err(|errno| read(errno.into()))
    }
}

/// Gives a durable node a folder, and a private one a folder with a key.
fn give_folder(
    subject: Subject,
    command: &mut Command,
) -> Result<(Option<TempDir>, Option<NetworkKeys>), Failure> {
    if !matches!(subject, Subject::Durable | Subject::Private) {
        return Ok((None, None));
    }
    let folder = tempfile::tempdir().map_err(Failure::io("making a folder"))?;
    if subject == Subject::Durable {
        command.arg("--data").arg(folder.path());
        return Ok((Some(folder), None));
    }
    let (file, key) = (folder.path().join("key"), NetworkKey::new([1; 32]));
    key.write(&file).map_err(Failure::io("writing a key"))?;
    command.arg("--network-key").arg(file);
    Ok((Some(folder), NetworkKeys::new(&[key]).expect("one is not too many")))
}

fn arguments(subject: Subject) -> Vec<String> {
    match subject {
        Subject::Durable | Subject::Private => arguments(Subject::MEMORY),
        Subject::Echo { io, grouping } => {
            vec![format!("--serve=echo-{io}"), format!("--grouping={grouping}")]
        }
        Subject::Node { io, grouping, shards } => vec![
            "--listen=127.0.0.1:0".into(),
            format!("--io={io}"),
            format!("--cores={}", shards.count()),
            format!(
                "--coalescing={}",
                match grouping {
                    Grouping::On => "on",
                    Grouping::Off => "off",
                }
            ),
        ],
    }
}

fn address_of_echo(
    stdout: &mut BufReader<ChildStdout>,
    process: &mut Process,
) -> Result<SocketAddr, Failure> {
    let mut line = String::new();
    stdout.read_line(&mut line).map_err(Failure::io("reading the echo"))?;
    match line.trim().parse() {
        Ok(address) => Ok(address),
        Err(_) => Err(Failure::Refused(last_words(process))),
    }
}

/// Reads the log until the node is ready; from then on the log is read and discarded.
fn address_of_node(process: &mut Process) -> Result<SocketAddr, Failure> {
    let mut log = BufReader::new(process.0.stderr.take().expect("it is piped"));
    let (mut last, mut line) = (String::new(), String::new());
    while log.read_line(&mut line).map_err(Failure::io("reading the node's log"))? > 0 {
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("address="));
        if let Some(address) = address
            && line.contains(" ready ")
        {
            let address = address.parse();
            thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
            return address.map_err(|_| Failure::Wrong(format!("no address: {}", line.trim())));
        }
        line.trim().clone_into(&mut last);
        line.clear();
    }
    Err(Failure::Refused(last))
}

fn last_words(process: &mut Process) -> String {
    let log = BufReader::new(process.0.stderr.take().expect("it is piped"));
    log.lines().map_while(Result::ok).last().unwrap_or_else(|| "it says nothing".into())
}
