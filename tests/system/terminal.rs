//! The prompt on a terminal: a pseudo-terminal on which a person types.

use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::Io;
use crate::child::{DEADLINE, program};
use crate::under_each_driver;

const HELLO: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";

/// Starts a node on a pseudo-terminal and waits for its prompt.
fn start(io: Io) -> PtySession {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--io", io.flag()]).env("TERM", "xterm");
    let timeout_ms = DEADLINE.as_millis().try_into().ok();
    let mut terminal = spawn_command(command, timeout_ms).expect("a pseudo-terminal");
    expect(&mut terminal, "kad> ");
    terminal
}

/// Waits until `text` is shown, and returns what was shown before it.
fn expect(terminal: &mut PtySession, text: &str) -> String {
    terminal.exp_string(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn type_line(terminal: &mut PtySession, line: &str) {
    terminal.send(&format!("{line}\r")).expect("the terminal takes it");
    terminal.flush().expect("the terminal takes it");
}

/// Waits for the end, which must be a clean one.
fn ends_cleanly(mut terminal: PtySession) {
    terminal.exp_eof().expect("the program ends");
    let status = terminal.process().wait().expect("it can be waited for");
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

under_each_driver! {
    fn a_person_puts_gets_and_exits(io: Io) {
        let mut terminal = start(io);
        type_line(&mut terminal, "put hello");
        expect(&mut terminal, HELLO);
        expect(&mut terminal, "held here alone");
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

    fn an_interrupt_on_a_terminal_exits(io: Io) {
        let mut terminal = start(io);
        terminal.send_control('c').expect("the terminal takes it");
        ends_cleanly(terminal);
    }

    fn sigterm_gives_the_terminal_back(io: Io) {
        let mut terminal = start(io);
        terminal.process_mut().signal(Signal::SIGTERM).expect("the child is there");
        // The mode in which pasted text is marked, which the line editor began.
        expect(&mut terminal, "\u{1b}[?2004l");
        ends_cleanly(terminal);
    }
}

#[test]
fn the_line_before_comes_back_with_the_up_arrow() {
    let mut terminal = start(Io::Mmsg);
    type_line(&mut terminal, "put hello");
    expect(&mut terminal, "held here alone");
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
    expect(&mut terminal, "held here alone");
    expect(&mut terminal, "from local");
    ends_cleanly(terminal);
}

#[test]
fn a_value_cannot_command_the_terminal() {
    let mut terminal = start(Io::Mmsg);
    // ^V takes the escape character literally.
    type_line(&mut terminal, "put \u{16}\u{1b}[2J");
    expect(&mut terminal, "held here alone");
    let key = kad_node::id::Id::of_value(b"\x1b[2J");
    type_line(&mut terminal, &format!("get {key}"));
    expect(&mut terminal, "\\u{1b}[2J\r\n");
    type_line(&mut terminal, "exit");
    ends_cleanly(terminal);
}
