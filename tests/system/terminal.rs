//! Tests of the prompt on a terminal, through a pseudo-terminal.

use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};

use kad_node::id::Id;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use rexpect::session::{PtySession, spawn_command};

use crate::Io;
use crate::child::{self, DEADLINE, Node, program};
use crate::under_each_driver;

const HELLO: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";

/// The line editor has the terminal from here on: Ctrl-C is a key. It makes the terminal mark
/// pasted text (xterm's mode 2004).
const EDITING_BEGINS: &str = "\u{1b}[?2004h";
/// The line editor gives the terminal back.
const EDITING_ENDS: &str = "\u{1b}[?2004l";

/// Starts a node on a pseudo-terminal and waits for its prompt.
fn start(io: Io) -> PtySession {
    start_with(io, &[])
}

fn start_with(io: Io, arguments: &[&str]) -> PtySession {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--io", io.flag()]).args(arguments);
    start_by(command)
}

/// Starts `command` on a pseudo-terminal and waits for the node's prompt.
pub(crate) fn start_by(command: Command) -> PtySession {
    let mut terminal = spawn(command);
    expect(&mut terminal, "kad> ");
    terminal
}

/// Starts `command` on a pseudo-terminal.
pub(crate) fn spawn(mut command: Command) -> PtySession {
    command.env("TERM", "xterm");
    let timeout_ms = DEADLINE.as_millis().try_into().ok();
    spawn_command(command, timeout_ms).expect("a pseudo-terminal")
}

/// Waits until `text` is shown, and returns what was shown before it.
pub(crate) fn expect(terminal: &mut PtySession, text: &str) -> String {
    terminal.exp_string(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn type_line(terminal: &mut PtySession, line: &str) {
    terminal.send(&format!("{line}\r")).expect("the terminal takes it");
    terminal.flush().expect("the terminal takes it");
}

pub(crate) fn press(terminal: &mut PtySession, control: char) {
    terminal.send_control(control).expect("the terminal takes it");
}

/// Waits until the program ends, and checks that its exit status is 0.
pub(crate) fn ends_cleanly(mut terminal: PtySession) {
    terminal.exp_eof().expect("the program ends");
    let status = terminal.process().wait().expect("it can be waited for");
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

under_each_driver! {
    fn a_person_puts_gets_and_exits(io: Io) {
        let mut terminal = start(io);
        type_line(&mut terminal, "put hello");
        expect(&mut terminal, HELLO);
        expect(&mut terminal, "held only here");
        type_line(&mut terminal, &format!("get {HELLO}"));
        expect(&mut terminal, "hello\r\n");
        expect(&mut terminal, "from local");
        type_line(&mut terminal, "exit");
        ends_cleanly(terminal);
    }

    fn the_end_of_input_on_a_terminal_exits(io: Io) {
        let mut terminal = start(io);
        terminal.send_control('d').expect("the terminal takes it");
        ends_cleanly(terminal);
    }

    fn an_interrupt_on_an_empty_line_says_how_to_stop_and_the_second_stops(io: Io) {
        let mut terminal = start(io);
        press(&mut terminal, 'c');
        expect(&mut terminal, "press Ctrl-C once more");
        expect(&mut terminal, "kad> ");
        press(&mut terminal, 'c');
        ends_cleanly(terminal);
    }

    fn an_interrupt_ends_the_get_that_runs_and_not_the_node(io: Io) {
        let peer = Node::start(io, &[]);
        let bootstrap = peer.addr.to_string();
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--io", io.flag(), "--bootstrap", &bootstrap]);
        // Before the prompt, or above it; the prompt follows either way.
        let mut terminal = spawn(command);
        expect(&mut terminal, "joined");
        expect(&mut terminal, "kad> ");
        peer.freeze();
        for _ in 0..3 {
            type_line(&mut terminal, &format!("get {}", "0".repeat(40)));
            // The line is not edited any more: the command runs.
            expect(&mut terminal, EDITING_ENDS);
            press(&mut terminal, 'c');
            expect(&mut terminal, "ERR abandoned");
            expect(&mut terminal, "kad> ");
        }
        type_line(&mut terminal, "put hello");
        expect(&mut terminal, HELLO);
        press(&mut terminal, 'c');
        expect(&mut terminal, "ERR abandoned: the value is kept here");
        type_line(&mut terminal, &format!("get {HELLO}"));
        expect(&mut terminal, "from local");
        terminal.process_mut().signal(Signal::SIGINT).expect("the child is there");
        expect(&mut terminal, "stopping on SIGINT");
        terminal.process_mut().signal(Signal::SIGINT).expect("the child is there");
        ends_cleanly(terminal);
    }

    fn sigterm_gives_the_terminal_back(io: Io) {
        let mut terminal = start(io);
        terminal.process_mut().signal(Signal::SIGTERM).expect("the child is there");
        // Ends the marking of pasted text, which the line editor began.
        expect(&mut terminal, EDITING_ENDS);
        ends_cleanly(terminal);
    }
}

#[test]
fn a_value_cannot_pass_for_the_prompt() {
    let mut terminal = start(Io::Mmsg);
    type_line(&mut terminal, "put -");
    for line in ["one", "from local", "kad> two", "."] {
        expect(&mut terminal, "...> ");
        type_line(&mut terminal, line);
    }
    let key = Id::of_value(b"one\nfrom local\nkad> two").to_string();
    expect(&mut terminal, "held only here");
    expect(&mut terminal, "kad> ");
    type_line(&mut terminal, &format!("get {key}"));
    expect(&mut terminal, "one\r\n    from local\r\n    kad> two\r\nfrom local\r\n");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn the_up_arrow_brings_back_the_previous_line() {
    let mut terminal = start(Io::Mmsg);
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, "held only here");
    expect(&mut terminal, "kad> ");
    type_line(&mut terminal, "\u{1b}[A");
    expect(&mut terminal, HELLO);
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let mut terminal = start(Io::Mmsg);
    type_line(&mut terminal, &format!("put hello\rget {HELLO}\rexit"));
    expect(&mut terminal, "held only here");
    expect(&mut terminal, "from local");
    ends_cleanly(terminal);
}

#[test]
fn a_value_cannot_control_the_terminal() {
    let mut terminal = start(Io::Mmsg);
    // ^V takes the escape character literally.
    type_line(&mut terminal, "put \u{16}\u{1b}[2J");
    expect(&mut terminal, "held only here");
    let key = Id::of_value(b"\x1b[2J");
    type_line(&mut terminal, &format!("get {key}"));
    expect(&mut terminal, "\\u{1b}[2J\r\n");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn an_interrupt_clears_the_line() {
    let mut terminal = start(Io::Mmsg);
    terminal.send("put never").expect("the terminal takes it");
    press(&mut terminal, 'c');
    expect(&mut terminal, EDITING_BEGINS);
    // The typed text makes this the first interrupt on an empty line, not the second.
    press(&mut terminal, 'c');
    expect(&mut terminal, "press Ctrl-C once more");
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, HELLO);
    expect(&mut terminal, "held only here");
    expect(&mut terminal, EDITING_BEGINS);
    press(&mut terminal, 'c');
    expect(&mut terminal, "press Ctrl-C once more");
    type_line(&mut terminal, "put -");
    expect(&mut terminal, "...> ");
    type_line(&mut terminal, "never");
    expect(&mut terminal, EDITING_ENDS);
    expect(&mut terminal, EDITING_BEGINS);
    press(&mut terminal, 'c');
    expect(&mut terminal, "kad> ");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn pasted_lines_run_one_after_another() {
    let mut terminal = start(Io::Mmsg);
    let text = Id::of_value(b"two\nlines");
    let pasted = "put hello\nget nonsense\nput -\ntwo\nlines\n.\nput last";
    terminal.send(&format!("\u{1b}[200~{pasted}\u{1b}[201~\r")).expect("the terminal takes it");
    terminal.flush().expect("the terminal takes it");
    expect(&mut terminal, HELLO);
    expect(&mut terminal, "ERR invalid key 'nonsense'");
    expect(&mut terminal, &text.to_string());
    expect(&mut terminal, &Id::of_value(b"last").to_string());
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn a_node_serves_in_the_background_and_has_its_prompt_in_the_foreground() {
    let mut shell = Command::new("bash");
    shell.args(["--noprofile", "--norc", "-i"]).env("PS1", "shell$ ").env("TERM", "xterm");
    shell.env("NO_COLOR", "1").env_remove("RUST_LOG");
    let timeout_ms = DEADLINE.as_millis().try_into().ok();
    let mut terminal = spawn_command(shell, timeout_ms).expect("a pseudo-terminal");
    expect(&mut terminal, "shell$ ");
    let program = env!("CARGO_BIN_EXE_kad-node");
    type_line(&mut terminal, &format!("'{program}' --listen 127.0.0.1:0 --io mmsg &"));
    expect(&mut terminal, " address=");
    let addr = expect(&mut terminal, " ");
    expect(&mut terminal, "serving in the background");
    let serves = || {
        let ended = child::run(&["ping", addr.as_str()], b"");
        assert_eq!(ended.status, Some(0), "{ended:?}");
    };
    serves();

    type_line(&mut terminal, "fg");
    expect(&mut terminal, "kad> ");
    // What was typed before Ctrl-Z is still there after it.
    terminal.send("put hel").expect("the terminal takes it");
    press(&mut terminal, 'z');
    expect(&mut terminal, "Stopped");
    type_line(&mut terminal, "fg");
    expect(&mut terminal, "put hel");
    type_line(&mut terminal, "lo");
    expect(&mut terminal, HELLO);

    expect(&mut terminal, "kad> ");
    press(&mut terminal, 'z');
    expect(&mut terminal, "Stopped");
    type_line(&mut terminal, "bg");
    expect(&mut terminal, "serving in the background");
    serves();
    type_line(&mut terminal, "kill %1; wait %1; echo status $?");
    expect(&mut terminal, "stopping on SIGTERM");
    expect(&mut terminal, "status 0");
    type_line(&mut terminal, "exit");
    terminal.exp_eof().expect("the shell ends");
}

/// A node on its own terminal, like one in a terminal window.
struct Window {
    child: Child,
    master: PtyMaster,
    addr: String,
}

impl Window {
    /// Opens a window whose shell runs `before`, and then the node.
    fn open(before: &str, bootstrap: &str) -> Self {
        // Close-on-exec: children of other tests must not inherit it and keep it open.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_CLOEXEC).expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it is ours");
        let name = ptsname_r(&master).expect("it has a name");
        let open = || OpenOptions::new().read(true).write(true).open(&name);
        let slave = || Stdio::from(open().expect("it can be opened"));
        let run = format!(r#"{before} exec "$0" --listen 127.0.0.1:0 --io mmsg "$@""#);
        let child = Command::new("setsid")
            .args(["--ctty", "sh", "-c", &run, env!("CARGO_BIN_EXE_kad-node")])
            .args(["--bootstrap", bootstrap])
            .env("NO_COLOR", "1")
            .env("TERM", "xterm")
            .env_remove("RUST_LOG")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .expect("setsid of util-linux is there");
        let mut window = Self { child, master, addr: String::new() };
        let shown = window.read_until("joined");
        let addr = shown.split(" address=").nth(1).and_then(|rest| rest.split(' ').next());
        window.addr = addr.expect("the ready line shows the address").into();
        window
    }

    /// What the window shows up to `text`.
    fn read_until(&mut self, text: &str) -> String {
        let mut shown = Vec::new();
        let mut byte = [0];
        while !shown.ends_with(text.as_bytes()) {
            let read = nix::unistd::read(&self.master, &mut byte).expect("it is open");
            shown.extend_from_slice(&byte[..read]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    }
}

#[test]
fn a_node_whose_terminal_closes_hands_off_its_values() {
    let mut peer = Node::start(Io::Mmsg, &[]);
    let mut window = Window::open("", &peer.addr.to_string());
    nix::unistd::write(&window.master, b"put hello\r").expect("it is open");
    window.read_until("held by 1 of the 1 closest");
    // The kernel sends SIGHUP, and input and output fail at the same moment.
    drop(window.master);
    assert_eq!(window.child.wait().expect("a child").code(), Some(0));
    assert_eq!(peer.found(HELLO, "hello"), "local");
}

#[test]
fn a_node_that_ignores_hangups_outlives_its_terminal() {
    let peer = Node::start(Io::Mmsg, &[]);
    let mut window = Window::open("trap '' HUP;", &peer.addr.to_string());
    drop(window.master);
    for _ in 0..3 {
        let ended = child::run(&["ping", &window.addr], b"");
        assert_eq!(ended.status, Some(0), "{ended:?}");
    }
    assert_eq!(window.child.try_wait().expect("a child"), None, "it keeps serving");
    let pid = Pid::from_raw(window.child.id().try_into().expect("a process id"));
    signal::kill(pid, Signal::SIGTERM).expect("it is there");
    assert_eq!(window.child.wait().expect("a child").code(), Some(0));
}

#[test]
fn a_demo_with_more_than_1024_descriptors_has_a_prompt() {
    // Three descriptors a node: far more than the 1024 of `select`.
    let mut demo = program();
    demo.args(["demo", "--nodes", "500", "--io", "uring"]);
    let mut terminal = start_by(demo);
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, HELLO);
    expect(&mut terminal, "held by 20 of the 20 closest");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}

#[test]
fn a_demo_raises_its_descriptor_limit_and_reports_when_that_is_not_enough() {
    let demo = |limit: &str, nodes: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!(r#"{limit}; exec "$0" "$@""#), env!("CARGO_BIN_EXE_kad-node")]);
        child::finish(shell.args(["demo", "--io", "mmsg", "--nodes", nodes]), b"exit\n")
    };
    let raised = demo("ulimit -Sn 40", "20");
    assert_eq!(raised.status, Some(0), "{raised:?}");
    let refused = demo("ulimit -n 100", "50");
    assert_eq!(refused.status, Some(1), "{refused:?}");
    let error = refused.error();
    assert!(error.contains("demo of 50 nodes") && error.contains("limit is 100"), "{error}");
    assert!(error.contains("ulimit -Hn") && error.contains("fewer --nodes"), "{error}");
    // The descriptors that a demo asks for are enough.
    let least = demo("ulimit -n 140", "50");
    assert_eq!(least.status, Some(0), "{least:?}");
}

#[test]
fn the_log_shows_the_node_and_not_the_keys_that_are_typed() {
    let mut terminal = start_with(Io::Mmsg, &["--log", "trace"]);
    type_line(&mut terminal, "put hello");
    let shown = expect(&mut terminal, HELLO);
    type_line(&mut terminal, "exit");
    let rest = terminal.exp_eof().expect("the program ends");
    assert!(rest.contains("lookup ended"), "{rest}");
    assert!(!shown.contains("KeyEvent") && !rest.contains("KeyEvent"), "{shown}{rest}");
}
