//! Where results go: tried before the run, and whole or not there at all after it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::responder::Responder;
use crate::{SHORT, Scratch, loadgen, stderr, stdout};

/// Runs a line of shell in which `$loadgen` is the program, the flags of a short run and
/// a target.
fn shell(line: &str) -> Output {
    let responder = Responder::start();
    let program = env!("CARGO_BIN_EXE_loadgen");
    let call = format!("{program} {SHORT} --target {}", responder.addr);
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("loadgen", call);
    command.output().expect("there is a shell")
}

#[test]
fn what_cannot_be_written_is_told_before_the_run() {
    let scratch = Scratch::new();
    let (folder, file) = (scratch.0.path().display(), scratch.file("file"));
    fs::write(&file, "").expect("writes");
    let file = file.display();
    let loops = scratch.file("loops");
    symlink(&loops, &loops).expect("a link");
    let loops = loops.display();
    for (arguments, place, remedy) in [
        (format!("--json {folder}"), folder.to_string(), "name a file in it"),
        (format!("--html {folder}/."), folder.to_string(), "name a file in it"),
        ("--hgrm /".into(), "'--hgrm /'".into(), "name a file in it"),
        ("--json /dev/full".into(), "/dev/full".into(), "choose another"),
        ("--json /nonexistent/run.json".into(), "/nonexistent".into(), "make it"),
        (format!("--html {file}/run.html"), file.to_string(), "make one"),
        (format!("--json {loops}"), loops.to_string(), "name the file itself"),
        (format!("--json {file} --html {file}"), "--html".into(), "two places"),
        ("--json - --hgrm -".into(), "--hgrm".into(), "two places"),
        ("--hgrm - --drop 0,1".into(), "'--hgrm -'".into(), "name a file"),
        ("--server-pid 4294967295".into(), "4294967295".into(), "no such process"),
    ] {
        // No node is there: a run would fail with another status.
        let output = loadgen(&format!("--duration 1h --target 127.0.0.1:1 {arguments}"));
        let line = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {line}");
        assert!(line.contains(&place) && line.contains(remedy), "{arguments}: {line}");
        assert_eq!((line.lines().count(), stdout(&output)), (1, ""), "{arguments}: {line}");
    }
    let output = shell("$loadgen --duration 1h >/dev/full");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("standard output: No space left"), "{}", stderr(&output));
    assert_eq!(
        fs::read_dir(scratch.0.path()).expect("a folder").count(),
        2,
        "nothing is left behind"
    );
}

#[test]
fn a_file_that_cannot_be_finished_leaves_the_one_before_whole() {
    let scratch = Scratch::new();
    let (json, html, hgrm) = (scratch.file("a.json"), scratch.file("a.html"), scratch.file("a"));
    for file in [&json, &html] {
        fs::write(file, "before").expect("writes");
    }
    // No file may grow beyond two blocks of 512 bytes: what a full disk does.
    let (json_arg, html_arg, hgrm_arg) = (json.display(), html.display(), hgrm.display());
    let output = shell(&format!(
        "ulimit -f 2; $loadgen --json {json_arg} --html {html_arg} --hgrm {hgrm_arg}"
    ));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stdout(&output).contains("200 fulfilled"), "the report: {}", stdout(&output));
    let said: Vec<&str> = stderr(&output).lines().collect();
    assert_eq!(said.len(), 3, "{said:?}");
    let reason = format!("error: '--json {json_arg}' could not be written: File too large");
    assert!(said[0].starts_with(&reason) && !said[0].contains(".tmp"), "{said:?}");
    for file in [&json, &html] {
        assert_eq!(fs::read_to_string(file).expect("it is there"), "before");
    }
    assert_eq!(
        fs::read_dir(scratch.0.path()).expect("a folder").count(),
        2,
        "no new file is there"
    );
}

#[test]
fn a_link_stays_a_link_and_a_file_keeps_its_permissions() {
    let scratch = Scratch::new();
    let (file, link) = (scratch.file("run.json"), scratch.file("latest.json"));
    fs::write(&file, "before").expect("writes");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).expect("it is ours");
    symlink("run.json", &link).expect("a link");
    let new = scratch.file("new.html");
    let (link_arg, new_arg) = (link.display(), new.display());
    let output = shell(&format!("umask 027; $loadgen --json {link_arg} --html {new_arg}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(link.is_symlink());
    let report: Value = serde_json::from_slice(&fs::read(&file).expect("there")).expect("JSON");
    assert_eq!(report["runs"].as_array().map(Vec::len), Some(1));
    let mode = |file| fs::metadata(file).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&new)), (0o604, 0o640));
}

#[test]
fn standard_output_takes_one_file_and_the_report_then_goes_to_standard_error() {
    for name in ["-", "/dev/stdout", "/proc/self/fd/1"] {
        let output = shell(&format!("$loadgen --json {name}"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let report: Value = serde_json::from_str(stdout(&output)).expect(name);
        assert_eq!(report["format"], 3);
        assert!(stderr(&output).contains("200 fulfilled"), "{name}: {}", stderr(&output));
    }
}

#[test]
fn pipes_and_open_descriptors_are_written_as_they_are() {
    let scratch = Scratch::new();
    let (fifo, file) = (scratch.file("fifo"), scratch.file("run.json"));
    let (fifo_arg, file_arg) = (fifo.display(), file.display());
    let output = shell(&format!(
        "mkfifo {fifo_arg}; cat {fifo_arg} >{file_arg}.html & \
         $loadgen --html {fifo_arg} --json /dev/fd/3 3>{file_arg}; status=$?; wait; exit $status"
    ));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json = fs::read_to_string(&file).expect("there");
    assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
    let html = fs::read_to_string(scratch.file("run.json.html")).expect("there");
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
}

#[test]
fn what_cannot_be_said_on_standard_error_costs_no_result() {
    for (arguments, status) in
        [("", 0), ("--assert 'p99<1ns'", 3), ("--json - >/dev/null", 0), ("--rate fast", 2)]
    {
        for nowhere in ["2>/dev/full", "2>&-"] {
            let output = shell(&format!("$loadgen {arguments} {nowhere}"));
            assert_eq!(output.status.code(), Some(status), "{arguments} {nowhere}");
        }
    }
    // A pipe of which the reader is gone.
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.arg("--rate").arg("fast").stdout(Stdio::null()).stderr(writer);
    assert_eq!(command.status().expect("it runs").code(), Some(2));
}

#[test]
fn the_runs_before_a_failure_are_kept() {
    // It falls silent in the second run, which is lost; the third does not begin.
    let responder = Responder::start_silent_after(340);
    let output = loadgen(&format!(
        "{SHORT} --timeout 100ms --retries 0 --drop 0,1,2 --target {} --json -",
        responder.addr
    ));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report: Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(report["runs"].as_array().map(Vec::len), Some(2));
    let cause = report["cut_short"]["cause"].as_str().expect("a text");
    assert!(cause.contains("no node of this network answers"), "{cause}");
    assert_eq!(report["cut_short"]["drops_left_out"], serde_json::json!([2.0]));
    let last = stderr(&output).lines().last().unwrap_or_default();
    assert!(last.starts_with("error: no node of this network answers"), "{}", stderr(&output));
}
