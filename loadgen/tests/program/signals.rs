//! Signals in the middle of a run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::responder::Responder;
use crate::{PATIENCE, Scratch};

/// A run of an hour that has begun to measure.
fn running(responder: &Responder, before: &str, arguments: &str) -> Child {
    let program = env!("CARGO_BIN_EXE_loadgen");
    let line = format!(
        "{before} exec {program} --keys 50 --duration 1h --warmup 0s --rate 1k --timeout 20s \
         --target {} {arguments}",
        responder.addr
    );
    let mut command = Command::new("sh");
    command.args(["-c", &line]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("there is a shell");
    let begun = Instant::now();
    while responder.received_of_run() < 100 {
        assert_eq!(child.try_wait().expect("a child"), None, "it has an hour");
        assert!(begun.elapsed() < PATIENCE, "it sends nothing");
        thread::yield_now();
    }
    child
}

fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    let killed = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
    assert!(killed.success());
}

#[test]
fn a_signal_cuts_a_run_short_and_keeps_what_was_measured() {
    for (name, status) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let (responder, scratch) = (Responder::start(), Scratch::new());
        let (json, html, hgrm) =
            (scratch.file("a.json"), scratch.file("a.html"), scratch.file("a"));
        let files = format!(
            "--json {} --html {} --hgrm {} --assert 'p99<1ns'",
            json.display(),
            html.display(),
            hgrm.display()
        );
        let child = running(&responder, "", &files);
        signal(&child, name);
        let output = child.wait_with_output().expect("a child");
        assert_eq!(output.status.code(), Some(status), "no assertion is checked");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(text.contains(&format!("cut short by SIG{name}")), "{text}");
        assert!(text.contains("verdict    ") && text.contains("of measured time"), "{text}");
        let report = fs::read_to_string(&json).expect("written");
        let report: Value = serde_json::from_str(&report).expect("JSON");
        assert_eq!(report["cut_short"]["cause"], format!("SIG{name}"));
        let run = &report["runs"][0];
        assert_eq!(run["cut_short"], true);
        let count = |field: &str| run["books"][field].as_u64().expect(field);
        assert!(count("answered") > 0, "{run}");
        assert_eq!(count("sent"), count("answered") + count("timed_out") + count("unfinished"));
        let measured_s = run["duration_s"].as_f64().expect("a number");
        // A thousand are due in a second; of one that the machine held up, some more.
        let scheduled = u32::try_from(count("scheduled")).expect("few");
        assert!(f64::from(scheduled) <= 1000.0 * (measured_s + 1.0), "{scheduled} in {measured_s}");
        assert!(measured_s < 600.0, "{measured_s}");
        let intervals = run["timeline"].as_array().expect("intervals");
        assert!(intervals.len() < 120, "those that never came are left out");
        let page = fs::read_to_string(&html).expect("written");
        assert!(page.contains("(cut short)</title>"));
        assert!(page.contains(&format!("Cut short by SIG{name}")));
        assert!(fs::read_to_string(&hgrm).expect("written").contains("#[Cut short after "));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (responder, scratch) = (Responder::start(), Scratch::new());
    let fifo = scratch.file("fifo");
    // Nothing reads the pipe, which is nearly full.
    let before = format!("mkfifo {0}; exec 3<>{0}; head -c 65000 /dev/zero >&3;", fifo.display());
    let mut child = running(&responder, &before, &format!("--html {}", fifo.display()));
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    signal(&child, "INT");
    let verdict = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("verdict")));
    assert!(verdict.is_some(), "the report is printed first");
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("a child").code(), Some(143));
}

#[test]
fn ctrl_c_at_a_terminal_shows_what_was_measured() {
    let responder = Responder::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let target = responder.addr.to_string();
    command.args(["--rate", "1k", "--warmup", "0s", "--duration", "1h", "--keys", "50"]);
    command.args(["--timeout", "20s", "--target", &target]);
    let mut terminal = rexpect::session::spawn_command(command, Some(60_000)).expect("a terminal");
    terminal.exp_string("/s, p50 ").expect("it runs");
    terminal.send_control('c').expect("the terminal takes it");
    terminal.exp_string("\r\x1b[Ktarget ").expect("the progress is taken away");
    terminal.exp_string("*** cut short by SIGINT ***").expect("the report");
    terminal.exp_string("verdict ").expect("the report");
    terminal.exp_eof().expect("it ends");
}

#[test]
fn a_signal_that_is_ignored_from_outside_stays_ignored() {
    let responder = Responder::start();
    let child = running(&responder, "trap '' HUP;", "--json -");
    signal(&child, "HUP");
    signal(&child, "INT");
    let output = child.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(130));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["cut_short"]["cause"], "SIGINT");
}

#[test]
fn a_signal_before_the_run_ends_it_without_a_result() {
    let responder = Responder::start_silent_after(60);
    let program = env!("CARGO_BIN_EXE_loadgen");
    let mut command = Command::new(program);
    command.args(["--keys", "2000", "--target", &responder.addr.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().expect("the program starts");
    let begun = Instant::now();
    while responder.received() < 60 {
        assert!(begun.elapsed() < PATIENCE, "it sends nothing");
        thread::yield_now();
    }
    signal(&child, "TERM");
    let output = child.wait_with_output().expect("a child");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(143), 0));
}
