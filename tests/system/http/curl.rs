//! The API as curl sees it: ranges, HEAD, conditions, expect-continue, HTTP/1.0, pipes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::serving;

/// What curl says with these arguments; none where there is no curl.
fn curl(arguments: &[&str], input: &[u8]) -> Option<String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60"]).args(arguments);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: no curl");
        return None;
    };
    child.stdin.take().expect("a pipe").write_all(input).expect("curl reads");
    let output = child.wait_with_output().expect("curl ends");
    assert!(output.status.success(), "curl {arguments:?}: {output:?}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn curl_puts_and_gets_in_every_way_that_it_knows() {
    let (_node, http) = serving(&[]);
    let url = format!("http://{http}/v1/values");
    let Some(put) = curl(&["--data-binary", "@-", &url], b"0123456789") else { return };
    let put: serde_json::Value = serde_json::from_str(&put).expect("JSON");
    let url = format!("{url}/{}", put["key"].as_str().expect("a key"));
    let shown = "%{http_code} %header{etag} %{size_download}";
    for (arguments, expected) in [
        (&[][..], "0123456789"),
        (&["--http1.0"], "0123456789"),
        (&["--range", "2-4"], "234"),
        (&["--range", "-2"], "89"),
        (&["--continue-at", "7"], "789"),
        (&["--upload-file", "-", "--header", "Expect: 100-continue", "-w", "%{http_code}"], "201"),
    ] {
        let said = curl(&[arguments, &[&url]].concat(), b"0123456789").expect("it is there");
        assert!(said.ends_with(expected), "{arguments:?}: {said}");
    }
    let head = curl(&["--head", "--write-out", shown, &url], b"").expect("it is there");
    assert!(head.contains("content-length: 10\r\n"), "{head}");
    let tag = format!("If-None-Match: \"{}\"", put["key"].as_str().expect("a key"));
    let status = ["--write-out", "%{http_code}", "--header"];
    let known = curl(&[&status[..], &[&tag, &url]].concat(), b"").expect("it is there");
    assert_eq!(known, "304");
    let chunked = "Transfer-Encoding: chunked";
    let put = ["--upload-file", "-", "--header", chunked, "--write-out", "%{http_code}", &url];
    assert!(curl(&put, b"0123456789").expect("it is there").ends_with("201"));
}
