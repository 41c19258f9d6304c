//! Limits of the system: what can be raised is, and what is too little is told.

use std::process::{Command, Output};

use crate::responder::Responder;
use crate::{SHORT, stderr, stdout};

/// Runs against `target` under the limits that `before` sets.
fn limited(before: &str, arguments: &str) -> Output {
    let responder = Responder::start();
    let program = env!("CARGO_BIN_EXE_loadgen");
    let target = responder.addr;
    // One arena: how much address space each thread reserves for its own is a race.
    let line = format!(
        "{before}; MALLOC_ARENA_MAX=1 exec {program} {SHORT} --target {target} {arguments}"
    );
    Command::new("sh").args(["-c", &line]).output().expect("there is a shell")
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let output = limited("ulimit -Sn 40", "--threads 2 --peers 100");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("200 fulfilled"), "{}", stdout(&output));
}

#[test]
fn too_few_descriptors_are_told_before_the_run_with_the_remedy() {
    let output = limited("ulimit -n 40", "--duration 1h --threads 2 --peers 100");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.starts_with("error: '--peers 100' with '--threads 2': 2"), "{said}");
    assert!(said.contains("the limit is 40") && said.contains("ulimit -Hn"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // As many as are needed are enough.
    let output = limited("ulimit -n 40", "--threads 2 --peers 10");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn too_little_memory_is_told_on_one_line() {
    for (limit_kib, arguments, purpose) in [
        (400_000, "--keys 1M --value-size 1000", "values"),
        (180_000, "--keys 10M --value-size 1", "keys"),
        (300_000, "--peers 4096 --keys 5", "a thread"),
        (
            100_000,
            "--keys 2M --value-size 1 --key-dist zipf --mix ping=1",
            "the popularity of keys",
        ),
    ] {
        let output = limited(&format!("ulimit -v {limit_kib}"), arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        assert!(said.contains(&format!("no memory for {purpose}")), "{arguments}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments}: {said}");
    }
}
