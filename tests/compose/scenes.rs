//! The scenes of the test. Each leaves the network whole for the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::resume_unwind;
use std::thread;
use std::time::Instant;

use kad_node::id::Id;

use crate::container::Container;
use crate::engine::{Compose, docker};
use crate::profile;
use crate::project::Project;
use crate::seed::Seed;
use crate::values::{Put, put_over_http, text_not_for};
use crate::wait::wait_for;

const NODES: usize = 50;
const NODES_LATER: usize = 60;
/// Fewer than K = 20 copies, so that no value can lose all of its holders.
const KILLED: usize = 15;
const PAUSED: usize = 5;
const CUT_OFF: usize = 5;
/// Values of a scene that the seed will most likely not hold.
const NOT_FOR_THE_SEED: [usize; 3] = [1, 2, 3];
/// The seed's table counts as filled from so many contacts: with K = 20 and 50 nodes it
/// holds 20 of the far half and most of the near one.
const CONTACTS_MIN: usize = 35;
/// Most bytes of the image: two static programs and nothing else.
const IMAGE_BYTES_MAX: u64 = 16 << 20;
/// Containers that are visited at the same time: more than there are cores, because a visit
/// mostly waits for the engine.
const VISITS_AT_ONCE: usize = 8;

/// The limits of each container: memory, a share of the cores in billionths, processes, a
/// read-only file system, and no root.
const SEED_LIMITS: &str = "234881024 1000000000 32 true 65532:65532 [ALL]";
const NODE_LIMITS: &str = "167772160 500000000 32 true 65532:65532 [ALL]";
const LIMITS_FORMAT: &str = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} \
                             {{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}} \
                             {{.Config.User}} {{.HostConfig.CapDrop}}";

/// Runs all scenes.
pub(crate) fn play(compose: &Compose) {
    let begun = Instant::now();
    let scene = |title: &str| eprintln!("compose: {:>4} s {title}", begun.elapsed().as_secs());

    scene("packaging the programs and building the image");
    let project = Project::build(compose);
    the_image_is_small_and_not_roots(&project);
    scene("the profile in docker/ lets io_uring through; without it a node falls back");
    profile::decides_whether_a_node_takes_io_uring(&project);

    scene("a seed and 50 nodes");
    project.scale(NODES);
    project.await_health();
    let nodes = project.containers("node");
    assert_eq!(nodes.len(), NODES);
    let seeds = project.containers("seed");
    let [seed] = &seeds[..] else { panic!("one seed: {seeds:?}") };
    scene("all are healthy; they join, each by io_uring and within its limits");
    containers_are_as_compose_says(&project, seed, &nodes);
    let ids = all_have_joined(seed, &nodes);
    let published = the_port_is_published_on_the_loopback_alone(seed);
    let mut seed = Seed::attach(seed);
    the_routing_table_fills_with_the_containers_own_addresses(&project, &mut seed);

    scene("put at the seed's terminal, get in containers, and the other way round");
    let mut puts = values_cross(&mut seed, &nodes);
    scene("put over HTTP from this host, get in a container");
    let put = Put::over_http(&published, "put from the host".into());
    put.is_found_in(&nodes[NODES / 2]);
    puts.push(put);
    scene("put a picture over HTTP from this host, get it in a container");
    a_picture_crosses(&published, &nodes[1]);
    scene("15 containers are killed");
    let survivors = values_outlive_killed_nodes(&mut seed, &ids, nodes, &puts);
    scene("5 are paused, 5 are cut off, and all come back");
    let late = healed_nodes_find_what_they_missed(&project, &mut seed, &ids, &survivors, &puts);
    scene("60 nodes");
    project.scale(NODES_LATER);
    scene("the load generator, from inside, at once");
    the_load_generator_is_answered(&project);
    a_new_node_finds_old_values(&project, puts.iter().chain([&late]));

    scene("the power fails: every container is killed at once, and started again");
    seed.detach();
    everything_is_found_after_a_power_cut(&project, puts.iter().chain([&late]));

    scene("the end");
    no_container_ran_out_of_memory(&project);
    project.remove();
    scene("nothing is left behind");
}

/// What `visit` returns for each container. Several run at the same time.
fn each<T: Send>(containers: &[Container], visit: impl Fn(&Container) -> T + Sync) -> Vec<T> {
    let visit = &visit;
    let all = containers.chunks(VISITS_AT_ONCE).flat_map(|some| {
        thread::scope(|scope| {
            let visits: Vec<_> =
                some.iter().map(|container| scope.spawn(move || visit(container))).collect();
            let ended = visits.into_iter().map(thread::ScopedJoinHandle::join);
            ended
                .map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect::<Vec<_>>()
        })
    });
    all.collect()
}

fn the_image_is_small_and_not_roots(project: &Project) {
    let inspect = ["image", "inspect", "--format", "{{.Size}} {{.Config.User}}", &project.image()];
    let said = docker(&inspect);
    let (size, user) = said.trim_end().split_once(' ').expect("two words");
    let size: u64 = size.parse().expect("a number");
    assert!(size <= IMAGE_BYTES_MAX, "the image has {size} bytes");
    assert_eq!(user, "65532:65532");
}

fn containers_are_as_compose_says(project: &Project, seed: &Container, nodes: &[Container]) {
    let seed = std::slice::from_ref(seed);
    assert_eq!(project.inspect(LIMITS_FORMAT, seed), [SEED_LIMITS]);
    for limits in project.inspect(LIMITS_FORMAT, nodes) {
        assert_eq!(limits, NODE_LIMITS);
    }
    for containers in [seed, nodes] {
        profile::is_used_by_compose(project, containers);
        for command in project.inspect("{{.Config.Cmd}}", containers) {
            assert!(command.contains("--store-bytes 16MiB --data /data"), "{command}");
        }
    }
}

/// The ids of the nodes, by the ids of their containers.
struct Ids {
    seed: Id,
    nodes: BTreeMap<Container, Id>,
}

impl Ids {
    /// The ids of `nodes`.
    fn of(&self, nodes: &[Container]) -> Vec<Id> {
        nodes.iter().map(|node| self.nodes[node]).collect()
    }
}

/// Checks that all have joined, and returns their ids.
fn all_have_joined(seed: &Container, nodes: &[Container]) -> Ids {
    let id = |container: &Container| {
        let ready = container.ready();
        assert_eq!(ready.io, "uring", "{}", container.account());
        ready.id
    };
    let ids = each(nodes, |node| {
        node.await_joined();
        id(node)
    });
    Ids { seed: id(seed), nodes: nodes.iter().cloned().zip(ids).collect() }
}

/// Checks that every container announces its own address: the table holds no other.
fn the_routing_table_fills_with_the_containers_own_addresses(project: &Project, seed: &mut Seed) {
    let shown = wait_for(
        || "filled routing table".into(),
        || {
            let shown = seed.ask("peers");
            (contacts(&shown).len() >= CONTACTS_MIN).then_some(shown)
        },
    );
    let addresses: BTreeSet<String> = project.addresses().into_values().collect();
    for contact in contacts(&shown) {
        assert!(addresses.contains(contact), "{contact} is none of {addresses:?}");
    }
}

/// The addresses in what `peers` shows: the second word of a contact's line.
fn contacts(shown: &str) -> Vec<&str> {
    let lines = shown.lines().filter(|line| line.contains("  rtt "));
    lines.filter_map(|line| line.split_whitespace().nth(1)).collect()
}

/// Where this host finds the seed's HTTP API.
fn the_port_is_published_on_the_loopback_alone(seed: &Container) -> String {
    let published = docker(&["port", &seed.0, "9080/tcp"]);
    let published = published.trim_end();
    let port = published.strip_prefix("127.0.0.1:").and_then(|port| port.parse::<u16>().ok());
    assert!(port.is_some(), "published at {published:?}");
    published.into()
}

fn values_cross(seed: &mut Seed, nodes: &[Container]) -> Vec<Put> {
    let typed = (0..3).map(|number| format!("typed at the seed, {number}"));
    let mut puts: Vec<Put> = typed.map(|text| Put::at_the_seed(seed, text)).collect();
    for (number, node) in nodes.iter().step_by(17).enumerate() {
        puts.push(Put::in_a_container(node, format!("put in a container, {number}")));
    }
    let some: Vec<Container> = nodes.iter().step_by(10).cloned().collect();
    each(&some, |node| puts.iter().for_each(|put| put.is_found_in(node)));
    for put in &puts {
        put.is_found_at_the_seed(seed);
    }
    puts
}

/// Puts the README's picture as the README says, and compares what a container finds.
fn a_picture_crosses(published: &str, node: &Container) {
    let picture = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/page.png")).expect("a file");
    let key = put_over_http(published, &picture);
    let folder = tempfile::tempdir().expect("a folder");
    let got = folder.path().join("picture.png");
    node.get_to_file(&key, &got);
    assert!(fs::read(&got).expect("a file") == picture, "{key} in {}", node.account());
}

/// Kills some nodes, and returns the others.
fn values_outlive_killed_nodes(
    seed: &mut Seed,
    ids: &Ids,
    mut nodes: Vec<Container>,
    puts: &[Put],
) -> Vec<Container> {
    // The value is not requested before, so that the seed gets no copy of it.
    let unseen = NOT_FOR_THE_SEED.map(|number| {
        let text = text_not_for(ids.seed, &ids.of(&nodes), &format!("not for the seed {number}"));
        Put::in_a_container(nodes.last().expect("50 nodes"), text)
    });
    let survivors = nodes.split_off(KILLED);
    act("kill", &nodes);
    Put::come_to_the_seed(&unseen, seed);
    for (node, put) in survivors.iter().step_by(6).zip(puts) {
        put.is_found_in(node);
    }
    for put in puts {
        put.is_found_at_the_seed(seed);
    }
    survivors
}

/// Returns a value that was put while some nodes could not receive it.
fn healed_nodes_find_what_they_missed(
    project: &Project,
    seed: &mut Seed,
    ids: &Ids,
    nodes: &[Container],
    puts: &[Put],
) -> Put {
    let (paused, others) = nodes.split_at(PAUSED);
    let (cut_off, others) = others.split_at(CUT_OFF);
    let away = &nodes[..PAUSED + CUT_OFF];
    let (witness, putter) = (&others[0], &others[1]);
    let network = project.network();
    let address_of = project.addresses();
    let hears = |node: &Container, peer: &Container, address: &str| {
        let ended = node.ping(address);
        assert!(matches!(ended.status, Some(0 | 1)), "{peer:?} from {node:?}: {ended:?}");
        ended.status == Some(0)
    };
    act("pause", paused);
    each(cut_off, |node| docker(&["network", "disconnect", &network, &node.0]));

    puts[0].is_found_in(witness);
    let late = NOT_FOR_THE_SEED.map(|number| {
        let title = format!("put while some were away {number}");
        Put::in_a_container(putter, text_not_for(ids.seed, &ids.of(others), &title))
    });
    each(away, |node| {
        assert!(
            !hears(witness, node, &address_of[&node.0]),
            "{node:?} is paused or cut off, and answers"
        );
    });
    each(cut_off, |node| {
        assert!(!hears(node, witness, &address_of[&witness.0]), "{node:?} is not cut off");
    });

    act("unpause", paused);
    each(cut_off, |node| docker(&["network", "connect", &network, &node.0]));
    Put::come_to_the_seed(&late, seed);
    let [late, ..] = late;
    // A node that was cut off may have another address than before.
    let address_of = project.addresses();
    each(away, |node| {
        let answer = || hears(witness, node, &address_of[&node.0]).then_some(());
        wait_for(|| format!("answer of {}", node.account()), answer);
        let found = || (node.get(&late.key).status == Some(0)).then_some(());
        wait_for(|| format!("value that was missed by {}", node.account()), found);
        late.is_found_in(node);
        puts[0].is_found_in(node);
    });
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
    puts.into_iter().for_each(|put| put.is_found_in(newest));
}

/// Kills every container, so that no value is left in any memory, and starts them again.
fn everything_is_found_after_a_power_cut<'a>(
    project: &Project,
    puts: impl IntoIterator<Item = &'a Put>,
) {
    let seeds = project.containers("seed");
    let nodes = project.containers("node");
    let all: Vec<Container> = seeds.iter().chain(&nodes).cloned().collect();
    act("kill", &all);
    act("start", &all);
    project.await_health();
    let mut seed = Seed::attach(&seeds[0]);
    for (number, put) in puts.into_iter().enumerate() {
        let node = &nodes[7 * number % nodes.len()];
        let found = || (node.get(&put.key).status == Some(0)).then_some(());
        wait_for(|| format!("a value after the power cut in {}", node.account()), found);
        put.is_found_in(node);
        put.is_found_at_the_seed(&mut seed);
    }
    seed.detach();
}

/// Runs the load generator, which waits for nodes that still join. Its own assertions check
/// that no value was wrong or missing; its report shows that there were answers.
fn the_load_generator_is_answered(project: &Project) {
    let ended = project.loadgen();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let fulfilled = ended.stdout.lines().find_map(|line| line.strip_prefix("answers    "));
    assert!(fulfilled.is_some_and(|answers| !answers.starts_with("0 ")), "{ended:?}");
    assert!(ended.stdout.contains("p99.9"), "a histogram: {ended:?}");
}

fn no_container_ran_out_of_memory(project: &Project) {
    for service in ["seed", "node"] {
        for killed in project.inspect("{{.State.OOMKilled}}", &project.containers(service)) {
            assert_eq!(killed, "false");
        }
    }
}
