//! The metrics: their form, promtool's opinion, and what a real Prometheus makes of them.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use kad_node::driver::DriverStats;
use kad_node::node::Stats;

use super::client::{await_status, get, request};
use super::serving;
use crate::Io;
use crate::child::{DEADLINE, Node, run};

/// Runs `program`; none where it is not installed. Returns whether it succeeded, and what it
/// said.
fn tool(program: &str, arguments: &[&str], input: &[u8]) -> Option<(bool, String)> {
    let mut command = Command::new(program);
    let pipes = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = pipes.stderr(Stdio::piped()).spawn() else {
        eprintln!("skipped: no {program} (Debian's package prometheus has it)");
        return None;
    };
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// A path below `deploy`.
fn deployed(name: &str) -> String {
    format!("{}/deploy/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_counter_is_there_with_its_type_and_its_help() {
    let (_node, http) = serving(&["--cores", "2"]);
    let scraped = get(&http, "/metrics");
    assert!(scraped.field("content-type").starts_with("application/openmetrics-text"));
    let text = scraped.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: Vec<&str> = families.collect();
    let names = Stats::default().iter().count() + DriverStats::default().iter().count();
    assert!(families.len() > names, "{} of {names}", families.len());
    for family in &families {
        let name = family.split(' ').next().expect("a name");
        assert!(name.starts_with("kad_"), "{name}");
        let help = format!("# HELP {name} ");
        let help = text.lines().find_map(|line| line.strip_prefix(&help));
        assert!(help.is_some_and(|help| help.len() > 3), "{name}: {help:?}");
    }
    for line in [
        "kad_datagrams_received_total{shard=\"1\"} ",
        "kad_driver_busy_seconds_total{shard=\"0\"} ",
        "kad_driver_sent_bytes_total{shard=\"0\"} ",
        "kad_rpc_duration_seconds_bucket{le=\"+Inf\",shard=\"1\",rpc=\"store\"} ",
        "kad_contacts{shard=\"0\"} ",
        "kad_build_info{",
    ] {
        assert!(text.lines().any(|sample| sample.starts_with(line)), "{line}: {text}");
    }
}

#[test]
fn a_get_a_put_and_their_hops_fall_into_histograms() {
    let (_node, http) = serving(&["--cores", "1"]);
    let put = request(&http, "POST /v1/values", &[], b"measured");
    get(&http, put.field("location"));
    get(&http, "/v1/values/0000000000000000000000000000000000000000");
    let text = get(&http, "/metrics").text();
    for line in [
        "kad_put_duration_seconds_count{shard=\"0\"} 1",
        "kad_get_duration_seconds_count{shard=\"0\"} 2",
        "kad_get_hops_count{shard=\"0\"} 1",
        "kad_get_hops_bucket{le=\"0.0\",shard=\"0\"} 1",
        "kad_put_hops_count{shard=\"0\"} 1",
    ] {
        assert!(text.lines().any(|sample| sample == line), "{line}: {text}");
    }
}

#[test]
fn each_kind_of_request_that_a_node_makes_has_its_round_trips() {
    let source = include_str!("../../../src/wire/body.rs");
    let kinds = source.split("pub(in crate::wire) const ").skip(1);
    let kinds = kinds.filter_map(|rest| rest.split_once(": u8 = 0x0"));
    let requests: Vec<String> = kinds.map(|(kind, _)| kind.to_ascii_lowercase()).collect();
    assert!(requests.contains(&"find_range".to_owned()), "{requests:?}");
    let holder = Node::start(Io::Mmsg, &[]);
    let bootstrap = ["--bootstrap", &holder.addr.to_string()];
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), vec![7; 100_000]).expect("a disk");
    let path = file.path().to_str().expect("a path");
    let put = run(&[&["put"], &bootstrap[..], &["--file", path]].concat(), b"");
    let (_node, http) = serving(&[&["--cores", "1"], &bootstrap[..]].concat());
    await_status(&http, "/readyz", 200);
    let got = get(&http, &format!("/v1/values/{}", put.stdout.trim_end()));
    assert_eq!(got.status, 200, "{}", got.text());
    let text = get(&http, "/metrics").text();
    for rpc in requests {
        let count = format!("kad_rpc_duration_seconds_count{{shard=\"0\",rpc=\"{rpc}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&count));
        let count = count.unwrap_or_else(|| panic!("no {rpc}: {text}"));
        assert!(rpc != "find_range" || count != "0", "the value came in pieces");
    }
}

#[test]
fn promtool_finds_no_fault_in_the_metrics_and_the_rules() {
    let (_node, http) = serving(&[]);
    let text = request(&http, "GET /metrics", &["Accept: text/plain"], b"");
    assert!(text.field("content-type").starts_with("text/plain; version=0.0.4"));
    for (arguments, input) in [
        (&["check", "metrics"][..], text.body.as_slice()),
        (&["check", "config", &deployed("prometheus.yml")], b""),
        (&["test", "rules", &deployed("alerts-test.yml")], b""),
    ] {
        let Some((is_good, said)) = tool("promtool", arguments, input) else { return };
        assert!(is_good, "promtool {arguments:?}: {said}");
    }
}

/// A Prometheus that scrapes one node, with the rules that are deployed.
struct Prometheus {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// Starts it; none where it is not installed.
    fn start(target: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let config = format!(
            "{{global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}, \
             rule_files: ['{}'], scrape_configs: [{{job_name: kad-node, \
             static_configs: [{{targets: ['{target}']}}]}}]}}",
            deployed("alerts.yml")
        );
        let file = dir.path().join("prometheus.yml");
        fs::write(&file, config).expect("a file");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            eprintln!("skipped: no prometheus (Debian's package of that name)");
            return None;
        };
        Some(Self { child, url: format!("http://{address}"), _dir: dir })
    }

    /// What an expression comes to; an error while Prometheus is not up.
    fn query(&self, expression: &str) -> (bool, String) {
        let arguments = ["query", "instant", &self.url, expression];
        tool("promtool", &arguments, b"").expect("it comes with prometheus")
    }

    /// Waits until an expression comes to something.
    fn await_result(&self, expression: &str) {
        let begun = Instant::now();
        loop {
            let (is_good, said) = self.query(expression);
            if is_good && !said.trim().is_empty() {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "{expression}: {said}");
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a killed child ends");
    }
}

#[test]
fn a_prometheus_scrapes_the_node_and_knows_what_the_dashboard_and_the_rules_ask() {
    let (_node, http) = serving(&[]);
    let Some(prometheus) = Prometheus::start(&http) else { return };
    request(&http, "POST /v1/values", &[], b"scraped");
    prometheus.await_result("up == 1 and count_over_time(up[1m]) >= 3");
    prometheus.await_result("kad_build_info");
    let dashboard = fs::read_to_string(deployed("dashboard.json")).expect("a dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let mut asked = 0;
    for target in targets {
        let expression = target["expr"].as_str().expect("an expression");
        let expression = expression.replace("$__rate_interval", "1m").replace("$instance", ".*");
        prometheus.await_result(&expression);
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    // Whatever a rule asks for is a metric of the node, but for those of a disk.
    let rules = fs::read_to_string(deployed("alerts.yml")).expect("rules");
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for metric in words.filter(|word| word.starts_with("kad_") && !word.starts_with("kad_disk_")) {
        prometheus.await_result(metric);
    }
}
