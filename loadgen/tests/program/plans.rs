//! Searches, sweeps of rates, and results of several machines joined.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::responder::Responder;
use crate::{Scratch, loadgen, stderr, stdout};

/// Few requests in a short time. A generator that sleeps is late on a busy machine, and is
/// then the limit: what is sought here does not depend on it.
const SHORT: &str = "--duration 100ms --warmup 0s --keys 50 --timeout 20s";

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("written")).expect("JSON")
}

#[test]
fn a_search_tells_what_it_found_or_that_the_lowest_rate_fails() {
    let (responder, scratch) = (Responder::start(), Scratch::new());
    let (target, json) = (responder.addr, scratch.file("search.json"));
    let output = loadgen(&format!(
        "{SHORT} --target {target} --rate 100 --search timed-out>0 --json {}",
        json.display()
    ));
    let report = read(&json);
    let search = &report["searches"][0];
    let steps = search["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), report["runs"].as_array().expect("runs").len());
    assert_eq!(steps[0]["rate_per_s"], 100);
    // Nothing times out, so that the condition fails, or the machine is too busy to tell.
    let (kind, status) = match steps[0]["outcome"].as_str() {
        Some("fails") => ("lowest-fails", 3),
        other => {
            assert_eq!(other, Some("generator-limit"), "{search}");
            ("no-result", 1)
        }
    };
    assert_eq!(search["finding"]["kind"], kind);
    assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
    assert!(stdout(&output).contains("timed-out>0"), "{}", stdout(&output));
}

#[test]
fn a_sweep_of_rates_has_a_run_for_each_rate_and_drop_rate() {
    let (responder, scratch) = (Responder::start(), Scratch::new());
    let (target, csv, hgrm) = (responder.addr, scratch.file("a.csv"), scratch.file("a.hgrm"));
    let html = scratch.file("a.html");
    let output = loadgen(&format!(
        "{SHORT} --target {target} --sweep 100..400:3 --drop 0,1 --csv {} --hgrm {} --html {}",
        csv.display(),
        hgrm.display(),
        html.display()
    ));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let csv = fs::read_to_string(csv).expect("written");
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| lines[0].iter().position(|cell| *cell == name).expect(name);
    let (drop, rate) = (column("drop_percent"), column("rate_per_s"));
    let runs: Vec<(&str, &str)> = lines[1..].iter().map(|line| (line[drop], line[rate])).collect();
    let expected =
        [("0", "100"), ("0", "200"), ("0", "400"), ("1", "100"), ("1", "200"), ("1", "400")];
    assert_eq!(runs, expected);
    assert!(scratch.file("a-rate200-drop1.hgrm").exists());
    let text = stdout(&output);
    assert!(text.contains("drop 0 %: the ") && text.contains("drop 1 %: the "), "{text}");
    let page = fs::read_to_string(html).expect("written");
    assert_eq!(page.matches("latency against throughput").count(), 4, "a curve, and its numbers");
}

#[test]
fn the_results_of_two_machines_are_joined_and_checked() {
    let (responder, scratch) = (Responder::start(), Scratch::new());
    let (a, b, both) = (scratch.file("a.json"), scratch.file("b.json"), scratch.file("ab.json"));
    for (file, rate) in [(&a, 200), (&b, 300)] {
        let (target, file) = (responder.addr, file.display());
        let output = loadgen(&format!("{SHORT} --rate {rate} --target {target} --json {file}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let (a_arg, b_arg, both_arg) = (a.display(), b.display(), both.display());
    let output = loadgen(&format!("merge {a_arg} {b_arg} --json {both_arg} --assert rate>=500"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (report, of_a, of_b) = (read(&both), read(&a), read(&b));
    let count = |report: &Value, place: &str| {
        report["runs"][0].pointer(place).and_then(Value::as_u64).expect("a count")
    };
    for place in ["/books/sent", "/corrected/count", "/kinds/0/answered"] {
        assert_eq!(count(&report, place), count(&of_a, place) + count(&of_b, place), "{place}");
    }
    assert_eq!(report["parameters"]["rate_per_s"], 500);
    assert!(stdout(&output).starts_with("machines 2, target "), "{}", stdout(&output));
    let again = loadgen(&format!("merge {both_arg} {a_arg} --assert rate>1M"));
    assert_eq!(again.status.code(), Some(3), "what was merged can be merged");

    let page = scratch.file("compared.html");
    let output = loadgen(&format!("compare {a_arg} {b_arg} {both_arg} --html {}", page.display()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = fs::read_to_string(page).expect("written");
    assert!(page.contains("ab.json\",\"colour\""), "each file is a curve");
    assert_eq!(stdout(&output).matches(&format!("A {a_arg}, B ")).count(), 2);
}

#[test]
fn names_of_files_and_their_contents_move_no_cursor() {
    let scratch = Scratch::new();
    let file = scratch.file("a\u{1b}[2J\u{202e}.json");
    fs::write(&file, "{\"format\": \"\u{202e}x\"}").expect("writes");
    let name = file.display();
    for arguments in [format!("compare {name} {name}"), format!("merge {name} {name}")] {
        let output = loadgen(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        let said = stderr(&output);
        assert!(said.contains("a\\u{1b}[2J\\u{202e}.json"), "{said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
    let output = loadgen("--rate 1\u{202e}2");
    assert!(stderr(&output).contains("'1\\u{202e}2'"), "{}", stderr(&output));
}
