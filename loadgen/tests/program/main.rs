//! The program itself, against a real node on loopback. Time-outs are so long
//! that a slow machine changes latencies and nothing else.

mod limits;
mod live;
mod network;
mod outputs;
mod plans;
mod responder;
mod signals;

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use responder::Responder;

/// Few requests in a short time, and patience.
const SHORT: &str = "--rate 1k --duration 200ms --warmup 20ms --keys 50 --timeout 20s";

/// Longest wait for what must come: only a failing test ever waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

fn loadgen(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments.split_whitespace()).output().expect("the program starts")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("text")
}

/// Runs against a fresh node, expects success, and returns the JSON.
fn measure(arguments: &str) -> Value {
    let responder = Responder::start();
    let scratch = Scratch::new();
    let json = scratch.file("run.json");
    let target = responder.addr;
    let json_arg = json.display();
    let output = loadgen(&format!("{SHORT} --target {target} --json {json_arg} {arguments}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "no terminal: no progress");
    serde_json::from_str(&fs::read_to_string(json).expect("written")).expect("JSON")
}

fn count(run: &Value, name: &str) -> u64 {
    run["books"][name].as_u64().unwrap_or_else(|| panic!("books.{name}: {run}"))
}

/// A folder of its own, taken away with what is in it.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(TempDir::with_prefix("loadgen-test-").expect("a folder"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn every_scheduled_get_is_answered_with_its_value() {
    let report = measure("");
    let run = &report["runs"][0];
    assert_eq!(count(run, "scheduled"), 200);
    assert_eq!(count(run, "fulfilled"), 200);
    assert_eq!((count(run, "unsent"), count(run, "timed_out"), count(run, "wrong")), (0, 0, 0));
    assert_eq!(run["corrected"]["count"], 200);
    assert_eq!(run["pacing"]["count"], 200);
}

#[test]
fn every_kind_is_fulfilled() {
    let report = measure("--mix get=40,put=20,find-node=20,ping=10,lookup=10 --key-dist zipf");
    let run = &report["runs"][0];
    assert_eq!(count(run, "fulfilled"), 200);
    let kinds = run["kinds"].as_array().expect("kinds");
    let of_kinds: Vec<(&str, u64)> = kinds
        .iter()
        .map(|kind| (kind["kind"].as_str().expect("name"), kind["sent"].as_u64().expect("count")))
        .collect();
    // Of the 20 requests of the warm-up too, four in ten are gets: the deck has ten.
    let expected = [("get", 80), ("put", 40), ("find-node", 40), ("ping", 20), ("lookup", 20)];
    assert_eq!(of_kinds, expected);
}

#[test]
fn bursts_threads_and_peers_send_the_same_requests() {
    for arguments in [
        "--burst 8",
        "--threads 2",
        "--peers 3",
        "--burst 4 --threads 2 --peers 2 --arrivals poisson",
    ] {
        let report = measure(arguments);
        let run = &report["runs"][0];
        assert_eq!(count(run, "fulfilled"), count(run, "scheduled"), "{arguments}");
        assert!(count(run, "scheduled") >= 100, "{arguments}");
        let both = serde_json::json!({ "sends": true, "receives": true });
        let is_burst = arguments.contains("--burst");
        assert_eq!(run["coalesced"], if is_burst { both } else { Value::Null }, "{arguments}");
    }
}

#[test]
fn what_lookups_send_is_in_the_accounts_and_dropped_like_the_rest() {
    let report = measure("--mix lookup=1 --drop 20 --timeout 1m");
    let run = &report["runs"][0];
    assert_eq!(count(run, "answered"), 200, "each has an end");
    let of = |name: &str| run["books"]["lookup_datagrams"][name].as_u64().expect(name);
    assert!(of("dropped") > 0 && of("received_dropped") > 0, "{run}");
    assert_eq!(of("composed"), of("transmitted") + of("dropped") + of("unsendable"));
    assert_eq!(of("received"), of("received_dropped") + of("taken"));
    // All but a few: a lookup whose every send or answer is lost fails.
    assert!(of("taken") >= count(run, "fulfilled") && count(run, "fulfilled") >= 100);
    assert_eq!(of("unsendable"), 0);
}

#[test]
fn several_targets_are_asked_in_turn() {
    // One is sound, the other damages what it sends after the 50 values asked for
    // before the run: half of the answers.
    let (sound, damaged) = (Responder::start(), Responder::start_corrupting_after(50));
    let targets = format!("--target {} --target {}", sound.addr, damaged.addr);
    let output = loadgen(&format!("{SHORT} {targets}"));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("100 fulfilled, 0 missed, 0 refused, 100 wrong"), "{text}");
    assert!(text.starts_with(&format!("target {}, {}", sound.addr, damaged.addr)), "{text}");
}

#[test]
fn progress_is_shown_on_a_terminal_and_taken_away() {
    let responder = Responder::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let target = responder.addr.to_string();
    command.args(["--rate", "1k", "--warmup", "700ms", "--duration", "1500ms", "--keys", "50"]);
    command.args(["--timeout", "20s", "--target", &target]);
    let mut terminal = rexpect::session::spawn_command(command, Some(60_000)).expect("a terminal");
    let mut expect = |text: &str| terminal.exp_string(text).unwrap_or_else(|e| panic!("{e}"));
    expect("\r\x1b[Kwarming up ");
    expect(" of 0.7 s");
    expect(" of 1.5 s: ");
    let line = expect(" in flight");
    assert!(line.contains("/s, p50 ") && line.contains(" 0 lost, "), "{line}");
    expect(" of 1.5 s: ");
    // The test reads bytes, of which the lowest block has three.
    let graph = expect("\u{e2}\u{96}\u{81}");
    assert!(graph.contains("s, p99 "), "{graph}");
    expect("\r\x1b[Ktarget ");
    expect("500 scheduled = 1 500 sent + 0 unsent");
    terminal.exp_eof().expect("it ends");
}

#[test]
fn a_closed_loop_sends_as_answers_come() {
    for waiting in ["spin", "sleep"] {
        // On a busy machine all of a short run may be one stall.
        let mut runs = (0..10).map(|_| {
            let report = measure(&format!("--rate max --window 8 --wait {waiting}"));
            let run = &report["runs"][0];
            assert_eq!(count(run, "fulfilled"), count(run, "sent"), "{waiting}");
            count(run, "sent")
        });
        assert!(runs.any(|sent| sent > 8), "{waiting}: no more than the window");
    }
}

#[test]
fn without_a_target_it_loads_a_node_of_its_own() {
    for io in ["mmsg", "tokio-uring", "auto"] {
        let output = loadgen(&format!("{SHORT} --io {io}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains("a node of its own"), "{text}");
        assert!(text.contains("200 scheduled = 200 sent + 0 unsent"), "{text}");
        assert!(text.contains("200 sent = 200 answered + 0 timed out"), "{text}");
        assert!(text.contains("target ") && text.contains("for each request"), "{text}");
    }
}

#[test]
fn a_sweep_has_a_run_for_each_drop_rate_and_one_table() {
    let responder = Responder::start();
    let scratch = Scratch::new();
    let (html, hgrm) = (scratch.file("sweep.html"), scratch.file("sweep.hgrm"));
    let output = loadgen(&format!(
        "{SHORT} --timeout 10ms --retries 1 --drop 0,100 --target {} --html {} --hgrm {}",
        responder.addr,
        html.display(),
        hgrm.display()
    ));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let rows = |head: &str| -> Vec<&str> {
        let below = text.lines().skip_while(|line| !line.trim_start().starts_with(head));
        // On a busy machine a line tells that the generator was the limit.
        below.filter(|line| !line.starts_with('!')).collect()
    };
    let table = rows("drop        rate");
    assert_eq!(table.len(), 3, "{text}");
    assert!(table[1].trim_start().starts_with("0 %"), "{text}");
    let lost: Vec<&str> = table[2].split_whitespace().collect();
    assert_eq!(lost[..8], ["100", "%", "1", "000", "0", "100.0", "%", "2.00"], "{text}");
    let html = fs::read_to_string(html).expect("written");
    assert_eq!(html.matches("<details>").count(), 2);
    assert!(html.contains("drop 100 %</summary>"));
    assert!(scratch.file("sweep-drop0.hgrm").exists());
    assert!(scratch.file("sweep-drop100.hgrm").exists());
}

#[test]
fn drops_are_the_seed_s_and_are_not_the_kernel_s() {
    let arguments = "--drop 50 --timeout 2s --retries 0 --seed 9 --duration 100ms";
    let (first, second) = (measure(arguments), measure(arguments));
    let (first, second) = (&first["runs"][0], &second["runs"][0]);
    let dropped = |run: &Value| (count(run, "requests_dropped"), count(run, "replies_dropped"));
    assert_eq!(dropped(first), dropped(second));
    assert!(dropped(first).0 > 0 && dropped(first).1 > 0);
    assert_eq!(count(first, "sent"), count(first, "answered") + count(first, "timed_out"));
    assert_eq!(count(first, "requests_unsendable"), 0);
}

#[test]
fn the_json_has_the_fields_that_programs_rely_on() {
    let report = measure("");
    let fields = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let sorted = |names: &str| -> Vec<String> {
        let mut names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(
        fields(&report),
        sorted("format program started machine parameters setup cut_short searches knees runs")
    );
    let run = &report["runs"][0];
    assert_eq!(
        fields(run),
        sorted(
            "drop_percent rate_per_s duration_s cut_short books kinds answered_per_s corrected \
             uncorrected with_lost pacing histograms verdict strange receive_drops coalesced \
             target_receive_drops \
             generator_cpu_ns generator_busy_ns generator_queued_share server_cpu_ns timeline"
        )
    );
    assert_eq!(
        fields(&run["corrected"]),
        sorted(
            "count min_ns mean_ns deviation_ns p50_ns p75_ns p90_ns p95_ns p99_ns p99_9_ns \
             p99_99_ns p99_999_ns max_ns"
        )
    );
    assert_eq!(
        fields(&run["timeline"][0]),
        sorted("at_s sent answered timed_out p50_ns p90_ns p99_ns max_ns")
    );
    assert_eq!(report["format"], 3);
}

#[test]
fn the_page_holds_everything_and_loads_nothing() {
    let responder = Responder::start();
    let scratch = Scratch::new();
    let (html, hgrm) = (scratch.file("run.html"), scratch.file("run.hgrm"));
    let (target, page, table) = (responder.addr, html.display(), hgrm.display());
    let output = loadgen(&format!("{SHORT} --target {target} --html {page} --hgrm {table}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let html = fs::read_to_string(&html).expect("written");
    assert_eq!(html.matches("<figure").count(), 3, "by percentile, over time, requests over time");
    let loads = html.replacen(" href=\"data:,\"", "", 1);
    let loading = [" src=", " href=", "@import", "url("];
    assert_eq!(loading.iter().find(|how| loads.contains(**how)), None);
    assert!(html.contains(&target.to_string()) && html.contains("prefers-color-scheme: dark"));
    assert!(html.contains("Leon Sorokin"), "the chart library, with its licence");
    let hgrm = fs::read_to_string(hgrm).expect("written");
    assert!(hgrm.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
    assert!(hgrm.contains("Total count    =          200]"), "{hgrm}");
}

#[test]
fn an_assertion_that_does_not_hold_is_exit_status_3() {
    let responder = Responder::start();
    let target = responder.addr;
    let output = loadgen(&format!("{SHORT} --target {target} --assert p99<1ns --assert rate>1"));
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(
        stderr(&output)
            .starts_with("assertion 'p99<1ns' does not hold at 1 000 a second, drop 0 %: ")
    );
    assert!(stdout(&output).contains("200 fulfilled"), "the result is there all the same");
    let holds = format!("{SHORT} --target {target} --assert wrong==0 --assert unsent==0");
    assert_eq!(loadgen(&holds).status.code(), Some(0));
}

#[test]
fn damaged_values_are_told_and_fail() {
    // The first 50 are sound: those that are asked for before the run.
    let responder = Responder::start_corrupting_after(50);
    let output = loadgen(&format!("{SHORT} --target {}", responder.addr));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("0 fulfilled, 0 missed, 0 refused, 200 wrong"));
    assert!(stderr(&output).contains("200 answers were not what was stored"));
    let responder = Responder::start_corrupting_after(10);
    let output = loadgen(&format!("{SHORT} --target {}", responder.addr));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("does not give back 40 of the values"), "{}", stderr(&output));
}

#[test]
fn a_target_that_is_not_there_is_told_on_one_line() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let silent = socket.local_addr().expect("bound");
    // Taken, so that no other test is given it, by a socket that hears itself alone.
    let socket_of_closed = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let closed = socket_of_closed.local_addr().expect("bound");
    socket_of_closed.connect(closed).expect("no packet is sent");
    for (target, said) in [
        (silent.to_string(), "no node of this network answers at"),
        (closed.to_string(), "nothing listens at"),
        ("127.0.0.1".into(), "expected HOST:PORT"),
    ] {
        let output = loadgen(&format!("--join-timeout 0s --target {target}"));
        assert_eq!(output.status.code(), Some(1), "{target}");
        let line = stderr(&output);
        assert!(line.starts_with("error: ") && line.lines().count() == 1, "{line}");
        assert!(line.contains(said) && line.contains(&target), "{line}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_target_that_falls_silent_while_it_is_filled_is_soon_given_up() {
    let responder = Responder::start_silent_after(100);
    let output = loadgen(&format!("--keys 2000 --target {}", responder.addr));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no node of this network answers at"), "{}", stderr(&output));
    // A dozen sends of what was in flight, not of all that was to be stored.
    assert!(responder.received() < 1000, "{} datagrams", responder.received());
}

#[test]
fn a_wrong_command_line_is_exit_status_2_and_one_line() {
    for arguments in ["--rate fast", "--mix steal=1", "--assert p99", "--window 3", "compare x"] {
        let output = loadgen(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert_eq!(stderr(&output).lines().count(), 1, "{arguments}: {}", stderr(&output));
    }
    assert_eq!(loadgen("--help").status.code(), Some(0));
}

#[test]
fn two_runs_are_set_side_by_side() {
    let responder = Responder::start();
    let scratch = Scratch::new();
    let (a, b) = (scratch.file("a.json"), scratch.file("b.json"));
    for (path, seed) in [(&a, 1), (&b, 2)] {
        let (target, path) = (responder.addr, path.display());
        let output = loadgen(&format!("{SHORT} --seed {seed} --target {target} --json {path}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let output = loadgen(&format!("compare {} {}", a.display(), b.display()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("seed: 1 | 2"), "{text}");
    let answered = text.lines().find(|line| line.starts_with("answered a second"));
    assert!(answered.is_some_and(|line| line.ends_with("1.00")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("p99.9 ")), "{text}");

    let (target, path) = (responder.addr, b.display());
    let arguments = format!("{SHORT} --timeout 1s --drop 0,1,2 --target {target} --json {path}");
    assert_eq!(loadgen(&arguments).status.code(), Some(0));
    for (first, second, only) in [(&a, &b, "B"), (&b, &a, "A")] {
        let output = loadgen(&format!("compare {} {}", first.display(), second.display()));
        let text = stdout(&output);
        for drop in [1, 2] {
            assert!(text.contains(&format!("drop {drop} %: only in {only}\n")), "{text}");
        }
        assert!(!text.contains("drop 0 %: only"), "{text}");
    }

    fs::write(&b, "{}").expect("writes");
    let output = loadgen(&format!("compare {} {}", a.display(), b.display()));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("b.json is not what --json writes"), "{}", stderr(&output));
}
