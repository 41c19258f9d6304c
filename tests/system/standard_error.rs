//! Tests that a node keeps working when standard error cannot be written.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::process::{Child, Command, Stdio};

use kad_node::id::Id;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::child::{Node, program};
use crate::under_each_driver;

/// A standard error that cannot be written.
enum Unwritable {
    /// A full disk.
    Full,
    /// A pipe without a reader.
    Closed,
    /// A full pipe whose reader does not read.
    Unread,
}

impl Unwritable {
    const ALL: [Self; 3] = [Self::Full, Self::Closed, Self::Unread];

    /// The descriptor, and the reader that keeps the pipe open.
    fn open(&self) -> (Stdio, Option<PipeReader>) {
        let pipe = || std::io::pipe().expect("a pipe");
        match self {
            Self::Full => {
                let full = OpenOptions::new().write(true).open("/dev/full");
                (full.expect("Linux has it").into(), None)
            }
            Self::Closed => (pipe().1.into(), None),
            Self::Unread => {
                let (reader, mut writer) = pipe();
                let flags = |flags| fcntl(&writer, FcntlArg::F_SETFL(flags)).expect("a pipe");
                flags(OFlag::O_NONBLOCK);
                while writer.write(&[b'\n'; 4096]).is_ok() {}
                let flags = |flags| fcntl(&writer, FcntlArg::F_SETFL(flags)).expect("a pipe");
                flags(OFlag::empty());
                (writer.into(), Some(reader))
            }
        }
    }
}

fn terminate(child: &Child) {
    let pid = Pid::from_raw(child.id().try_into().expect("a process id"));
    signal::kill(pid, Signal::SIGTERM).expect("the child is there");
}

under_each_driver! {
    fn a_node_whose_log_cannot_be_written_serves_and_leaves(io: Io) {
        for stderr in Unwritable::ALL {
            let peer = Node::start(io, &[]);
            let (stderr, _kept) = stderr.open();
            let mut child = program()
                .args(["--io", io.flag(), "--listen", "127.0.0.1:0", "--log", "trace"])
                .args(["--bootstrap", &peer.addr.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(stderr)
                .spawn()
                .expect("the program starts");
            let mut stdin = child.stdin.take().expect("a pipe");
            let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
            writeln!(stdin, "put served").expect("it reads its input");
            let key = lines.next().expect("a line").expect("text");
            assert_eq!(key, Id::of_value(b"served").to_string());
            terminate(&child);
            assert_eq!(child.wait().expect("a child").code(), Some(0));
        }
    }
}

#[test]
fn an_exit_status_is_the_same_whether_the_error_can_be_written_or_not() {
    const NOWHERE: &str = "127.0.0.1:1";
    for (arguments, status) in [
        (&["ping", NOWHERE, "--timeout", "1s"][..], 1),
        (&["ping", "nowhere"], 2),
        (&["--listen", "here"], 2),
        (&["--listen", "192.0.2.1:0"], 1),
        (&["get", "--bootstrap", NOWHERE, "12"], 2),
        (&["put", "--bootstrap", NOWHERE, ""], 2),
        (&["demo", "--nodes", "2", "--base-port", "65535"], 2),
    ] {
        // Not `Unread`: on a full pipe the error waits for a reader, as in any program.
        for stderr in [Unwritable::Full, Unwritable::Closed] {
            let (stderr, _kept) = stderr.open();
            let ended = program().args(arguments).stdin(Stdio::null()).stderr(stderr).status();
            assert_eq!(ended.expect("it starts").code(), Some(status), "{arguments:?}");
        }
        let closed = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 2>&-"#, env!("CARGO_BIN_EXE_kad-node")])
            .args(arguments)
            .stdin(Stdio::null())
            .status();
        assert_eq!(closed.expect("it starts").code(), Some(status), "{arguments:?}");
    }
}

#[test]
fn a_demo_whose_log_cannot_be_written_answers() {
    let (stderr, _kept) = Unwritable::Full.open();
    let mut child = program()
        .args(["demo", "--nodes", "3", "--io", "mmsg"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "put served\nexit").expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, format!("{}\n", Id::of_value(b"served")).as_bytes());
}
