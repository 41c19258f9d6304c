//! What happens to the network, scene by scene; each leaves it whole for the next.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Instant;

use kad_node::id::Id;

use crate::engine::{Compose, docker};
use crate::project::{Container, Project, wait_for};
use crate::seed::Seed;

const NODES: usize = 50;
const NODES_LATER: usize = 60;
/// Fewer than K = 20 copies, so that no value can lose all of its holders.
const KILLED: usize = 15;
const PAUSED: usize = 5;
const CUT_OFF: usize = 5;
/// Contacts of the seed from which on its table counts as filled: with K = 20 and
/// 50 nodes it holds 20 of the far half and most of the near one.
const CONTACTS_MIN: usize = 35;
const PROFILE: &str = "docker/seccomp.json";

/// A value, and its key.
struct Put {
    text: String,
    key: String,
}

/// The whole play.
pub(crate) fn play(compose: &Compose) {
    let begun = Instant::now();
    let scene = |title: &str| eprintln!("compose: {:>4.0?} {title}", begun.elapsed());

    scene("packaging the programs and building the image");
    let project = Project::build(compose);
    scene("the profile in docker/ lets io_uring through; without it a node falls back");
    io_uring_is_a_matter_of_the_profile(&project);

    scene("a seed and 50 nodes");
    project.scale(NODES);
    project.await_health();
    let nodes = project.containers("node");
    assert_eq!(nodes.len(), NODES);
    nodes.iter().for_each(Container::await_joined);
    let seeds = project.containers("seed");
    let mut seed = Seed::attach(seeds.first().expect("a seed"));
    scene("all are healthy and have joined; the seed's routing table");
    the_routing_table_fills_with_the_containers_own_addresses(&project, &mut seed);

    scene("put at the seed's terminal, get in containers, and the other way round");
    let puts = values_cross(&mut seed, &nodes);
    scene("15 containers are killed");
    let survivors = values_outlive_killed_nodes(&mut seed, nodes, &puts);
    scene("5 are paused, 5 are cut off, and both come back");
    let late = a_healed_node_finds_what_it_missed(&project, &mut seed, &survivors, &puts);
    scene("60 nodes");
    project.scale(NODES_LATER);
    a_new_node_finds_old_values(&project, puts.iter().chain([&late]));
    scene("the load generator, from inside");
    the_load_generator_prints_its_histogram(&project);

    scene("the end");
    seed.detach();
    project.remove();
    scene("nothing is left behind");
}

fn io_uring_is_a_matter_of_the_profile(project: &Project) {
    let allowed = fs::read_to_string(PROFILE).expect("the profile");
    let mut without: Vec<&str> = allowed.lines().collect();
    without.retain(|line| !line.contains("io_uring"));
    assert_eq!(without.len() + 1, allowed.lines().count(), "one line lets io_uring through");
    let forbidding = std::env::temp_dir().join(format!("{}.json", project.image()));
    fs::write(&forbidding, without.join("\n")).expect("a temporary file");

    let logged = |profile: &str| {
        let name = format!("{}-io", project.image());
        let security = format!("seccomp={profile}");
        let mut create = Command::new("docker");
        create.args(["run", "--rm", "--interactive", "--name", &name, "--network", "none"]);
        create.args(["--security-opt", &security, &project.image()]);

        create.args(["--listen", "127.0.0.1:0"]);
        run_with_exit(&mut create)
    };
    let with = logged(PROFILE);
    let fallen_back = logged(&forbidding.display().to_string());
    fs::remove_file(&forbidding).expect("it was written");
    assert!(with.contains("io=uring") && !with.contains("WARN"), "{with}");
    assert!(fallen_back.contains("io=mmsg"), "{fallen_back}");
    assert!(fallen_back.contains("falling back to mmsg"), "{fallen_back}");
}

/// Runs a node that is told to exit, and returns its log.
fn run_with_exit(command: &mut Command) -> String {
    use std::io::Write as _;
    use std::process::Stdio;

    let streams = command.arg("--log").arg("info").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.stdout(Stdio::null()).spawn().expect("docker starts");
    child.stdin.take().expect("a pipe").write_all(b"exit\n").expect("docker reads");
    let ended = child.wait_with_output().expect("docker ends");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

/// Every container announces its own address: the table holds no other.
fn the_routing_table_fills_with_the_containers_own_addresses(project: &Project, seed: &mut Seed) {
    let shown = wait_for("filled routing table", || {
        let shown = seed.ask("peers");
        (contacts(&shown).len() >= CONTACTS_MIN).then_some(shown)
    });
    let addresses: BTreeSet<String> = project.addresses().into_values().collect();
    for contact in contacts(&shown) {
        assert!(addresses.contains(contact), "{contact} is none of {addresses:?}");
    }
}

/// The addresses in what `peers` shows: the second word of a contact's line.
fn contacts(shown: &str) -> Vec<&str> {
    let lines = shown.lines().filter(|line| line.contains("round trip"));
    lines.filter_map(|line| line.split_whitespace().nth(1)).collect()
}

fn values_cross(seed: &mut Seed, nodes: &[Container]) -> Vec<Put> {
    let mut puts = Vec::new();
    for number in 0..3 {
        let text = format!("typed at the seed, {number}");
        let key = Id::of_value(text.as_bytes()).to_string();
        let shown = seed.ask(&format!("put {text}"));
        assert!(shown.contains(&key) && shown.contains("held by "), "{shown}");
        puts.push(Put { text, key });
    }
    for (number, node) in nodes.iter().step_by(17).enumerate() {
        let text = format!("put in a container, {number}");
        let key = node.put(&text);
        puts.push(Put { text, key });
    }
    for node in nodes.iter().step_by(10) {
        finds_all(node, &puts);
    }
    seed_finds_all(seed, &puts);
    puts
}

fn finds_all<'a>(node: &Container, puts: impl IntoIterator<Item = &'a Put>) {
    for Put { text, key } in puts {
        let ended = node.get(key);
        let found = ended.stdout.starts_with(&format!("{text}\nfrom "));
        assert!(found && ended.status == Some(0), "{key} {text:?} in {node:?}: {ended:?}");
    }
}

fn seed_finds_all(seed: &mut Seed, puts: &[Put]) {
    for Put { text, key } in puts {
        let shown = seed.ask(&format!("get {key}"));
        assert!(shown.contains(&format!("{text}\r\nfrom ")), "{key} {text:?}: {shown:?}");
    }
}

/// Kills some, and returns the others.
fn values_outlive_killed_nodes(
    seed: &mut Seed,
    mut nodes: Vec<Container>,
    puts: &[Put],
) -> Vec<Container> {
    let survivors = nodes.split_off(KILLED);
    act("kill", &nodes);
    for (node, put) in survivors.iter().step_by(6).zip(puts) {
        finds_all(node, [put]);
    }
    seed_finds_all(seed, puts);
    survivors
}

/// Returns a value that was put while some nodes could not hear of it.
fn a_healed_node_finds_what_it_missed(
    project: &Project,
    seed: &mut Seed,
    nodes: &[Container],
    puts: &[Put],
) -> Put {
    let (paused, others) = nodes.split_at(PAUSED);
    let (cut_off, others) = others.split_at(CUT_OFF);
    let network = project.network();
    let address_of = project.addresses();
    act("pause", paused);
    for node in cut_off {
        docker(&["network", "disconnect", &network, &node.0]);
    }
    finds_all(others.first().expect("enough nodes"), &puts[..1]);
    let text = "put while some were away".to_owned();
    let key = others.last().expect("enough nodes").put(&text);
    let late = Put { text, key };
    for (node, peer) in [(&cut_off[0], &others[0]), (&others[0], &cut_off[0])] {
        let ended = node.ping(&address_of[&peer.0]);
        assert_eq!(ended.status, Some(1), "{peer:?} is cut off from {node:?}: {ended:?}");
    }

    act("unpause", paused);
    for node in cut_off {
        docker(&["network", "connect", &network, &node.0]);
    }
    for node in [&paused[0], &cut_off[0]] {
        wait_for("value that was missed", || (node.get(&late.key).status == Some(0)).then_some(()));
        finds_all(node, puts.iter().take(1).chain([&late]));
    }
    seed_finds_all(seed, std::slice::from_ref(&late));
    late
}

fn act(verb: &str, nodes: &[Container]) {
    let ids = nodes.iter().map(|node| node.0.as_str());
    docker(&[verb].into_iter().chain(ids).collect::<Vec<_>>());
}

fn a_new_node_finds_old_values<'a>(project: &Project, puts: impl IntoIterator<Item = &'a Put>) {
    let nodes = project.containers("node");
    assert_eq!(nodes.len(), NODES_LATER);
    let newest = nodes.last().expect("60 nodes");
    newest.await_joined();
    finds_all(newest, puts);
}

fn the_load_generator_prints_its_histogram(project: &Project) {
    let ended = project.loadgen();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("p99"), "{ended:?}");
}
