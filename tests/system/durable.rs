//! Tests of `--data`: what survives kill -9, and what a failing disk costs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kad_node::id::Id;

use crate::Io;
use crate::child::{Node, field, program, run};
use crate::frozen::Frozen;
use crate::under_each_driver;

/// A folder of its own for each test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kad-durable-{}-{name}", std::process::id()));
        // One of a process of before with this id.
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path of plain letters")
    }

    /// The newest file of values.
    fn newest(&self) -> PathBuf {
        let entries = fs::read_dir(&self.0).expect("it is there");
        let files = entries.map(|entry| entry.expect("an entry").path());
        let files = files.filter(|path| path.extension().is_some_and(|end| end == "seg"));
        files.max().expect("something was written")
    }

    /// Starts a node with this folder.
    fn start(&self, io: Io, arguments: &[&str]) -> Node {
        Node::start(io, &[&["--data", self.path()], arguments].concat())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn id_of(node: &Node) -> String {
    field(node.logged(" ready "), "id").to_owned()
}

under_each_driver! {
    fn the_id_and_the_values_survive_kill_9(io: Io) {
        let folder = Folder::new(&format!("kill-{}", io.flag()));
        let mut node = folder.start(io, &["--cores", "2"]);
        let (id, key) = (id_of(&node), node.put("kept"));
        let forgotten = node.put("forgotten");
        assert!(node.ask(format!("forget {forgotten}")).starts_with("forgotten"));
        node.crash();
        // With another number of shards, which divide the values in another way.
        let mut node = folder.start(io, &["--cores", "3"]);
        assert_eq!(id_of(&node), id);
        assert_eq!(node.found(&key, "kept"), "local");
        // It was put here no more; what is left is a replica like any other.
        assert_eq!(node.counter("values_published"), 1);
    }
}

#[test]
fn a_value_that_was_acknowledged_is_found_after_kill_9_at_any_moment() {
    const ROUNDS: usize = 9;
    const PUTS: usize = 300;
    // Each of them keeps what it acknowledges from a kill; they differ by a power cut.
    const SYNCS: [&str; 3] = ["1s", "always", "off"];
    let folder = Folder::new("load");
    let mut keys: Vec<(String, String)> = Vec::new();
    for round in 0..ROUNDS {
        let sync = SYNCS[round % SYNCS.len()];
        let mut node = folder.start(Io::Mmsg, &["--cores", "2", "--sync", sync]);
        for (key, text) in &keys {
            assert_eq!(node.found(key, text), "local", "round {round}");
        }
        for number in 0..PUTS {
            node.type_line(format!("put value {number} of round {round}"));
        }
        // Some of them are answered when the node is killed; the next may be half written.
        for number in 0..33 * (round + 1) {
            let text = format!("value {number} of round {round}");
            keys.push((node.line(), text));
        }
        node.crash();
    }
    let checked = run(&["check", folder.path()], b"");
    assert_eq!(checked.status, Some(0), "{checked:?}");
    assert!(checked.stdout.contains("0 damaged"), "{checked:?}");
}

#[test]
fn a_network_whose_nodes_are_all_killed_comes_back_by_its_folders_alone() {
    let names = ["first", "second", "third"];
    let folders = names.map(|name| Folder::new(&format!("network-{name}")));
    let first = folders[0].start(Io::Uring, &[]);
    let mut nodes = vec![first];
    for folder in &folders[1..] {
        let bootstrap = nodes[0].addr.to_string();
        let mut node = folder.start(Io::Uring, &["--bootstrap", &bootstrap]);
        node.await_log(" joined contacts=");
        nodes.push(node);
    }
    let listen: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
    for node in &mut nodes {
        // The contacts are what is kept first.
        node.await_counter("batches_kept");
    }
    let key = nodes[2].put("the network's");
    nodes.into_iter().for_each(Node::crash);
    // No bootstrap address: the first two know each other from before.
    let restart = |index: usize| folders[index].start(Io::Uring, &["--listen", &listen[index]]);
    let mut nodes = vec![restart(0), restart(1)];
    for node in &mut nodes {
        node.await_log(" joined contacts=");
        assert_eq!(node.found(&key, "the network's"), "local");
    }
}

#[test]
fn a_folder_is_used_by_one_process_and_by_one_node() {
    let folder = Folder::new("locked");
    let node = folder.start(Io::Mmsg, &[]);
    let id = id_of(&node);
    for arguments in [&["--data", folder.path()][..], &["check", folder.path()]] {
        let ended = run(arguments, b"");
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.error().contains(&format!("in use by process {}", node.pid())), "{ended:?}");
    }
    node.crash();
    let other = "0".repeat(40);
    let ended = run(&["--data", folder.path(), "--id", &other], b"");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    let error = ended.stderr.lines().last().expect("a line");
    assert!(error.contains(&other) && error.contains(&id), "{ended:?}");
}

#[test]
fn what_is_damaged_is_dropped_and_counted_and_the_rest_is_served() {
    let folder = Folder::new("damaged");
    let mut node = folder.start(Io::Mmsg, &[]);
    let (broken, whole) = (node.put("to be broken"), node.put("whole"));
    node.crash();
    let file = folder.newest();
    let mut bytes = fs::read(&file).expect("it is there");
    let place = find(&bytes, b"to be broken");
    bytes[place] ^= 1;
    fs::write(&file, &bytes).expect("it is ours");
    // A write that was cut off.
    let mut torn = OpenOptions::new().append(true).open(&file).expect("it is ours");
    torn.write_all(&[7; 5]).expect("there is room");
    let checked = run(&["check", folder.path()], b"");
    assert_eq!(checked.status, Some(1), "{checked:?}");
    assert!(checked.stdout.contains("1 put here"), "{checked:?}");
    let mut node = folder.start(Io::Mmsg, &[]);
    assert!(node.logged("cannot be read").contains("WARN"));
    assert_eq!(node.found(&whole, "whole"), "local");
    assert_eq!(node.ask(format!("get {broken}")), "NOTFOUND");
}

fn find(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).position(|window| window == text).expect("it was written")
}

#[test]
fn a_folder_of_other_files_or_of_another_version_is_refused() {
    let folder = Folder::new("foreign");
    fs::create_dir(&folder.0).expect("it is new");
    fs::write(folder.0.join("letter.txt"), "dear").expect("there is room");
    let ended = run(&["--data", folder.path()], b"");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.error().contains("letter.txt"), "{ended:?}");
    let folder = Folder::new("version");
    folder.start(Io::Mmsg, &[]).crash();
    let identity = folder.0.join("identity");
    let mut bytes = fs::read(&identity).expect("a node has one");
    bytes[7] += 1;
    fs::write(&identity, &bytes).expect("it is ours");
    let ended = run(&["--data", folder.path()], b"");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.error().contains("identity"), "{ended:?}");
}

#[test]
fn a_full_disk_makes_puts_not_durable_and_stops_nothing() {
    let folder = Folder::new("full");
    // In units of 512 or 1024 bytes, as the shell has it: a file holds a few values.
    let mut node = start_by(&["sh", "-c", "ulimit -f 8; exec \"$@\"", "sh"], &folder);
    let mut texts = Vec::new();
    for number in 0..20 {
        let text = format!("{number:01000}");
        texts.push((node.put(&text), text));
    }
    node.await_log("the disk has failed");
    for (key, text) in &texts {
        assert_eq!(node.found(key, text), "local", "gets go on");
    }
    assert_eq!(node.counter("not_durable"), 1);
    assert!(node.counter("changes_not_kept") > 0);
    node.crash();
    // What was said to be durable is there.
    let mut node = folder.start(Io::Mmsg, &[]);
    assert_eq!(node.found(&texts[0].0, &texts[0].1), "local");
}

/// The program with this folder, started by `wrapper`, which is given it as arguments.
fn start_by(wrapper: &[&str], folder: &Folder) -> Node {
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(program().get_program());
    command.env_remove("RUST_LOG").env("NO_COLOR", "1");
    command.args(["--listen", "127.0.0.1:0", "--data", folder.path()]);
    Node::start_by(&mut command)
}

/// Restarts the node of a folder by `wrapper`, which makes its disk refuse every write.
fn serves_what_it_had(folder: &Folder, wrapper: &[&str]) {
    let mut node = folder.start(Io::Mmsg, &[]);
    let (id, key) = (id_of(&node), node.put("from before"));
    node.crash();
    let mut node = start_by(wrapper, folder);
    assert_eq!(id_of(&node), id);
    assert_eq!(node.found(&key, "from before"), "local");
    let key = node.put("in memory");
    assert_eq!(node.found(&key, "in memory"), "local");
    assert_eq!(node.counter("not_durable"), 1);
    let (status, log) = node.stop();
    assert!(status.success() && log.contains("the disk has failed"), "{log}");
}

#[test]
fn a_node_whose_disk_is_full_at_the_start_serves_what_is_on_it() {
    // Not even the process id fits into the lock.
    let wrapper = ["sh", "-c", "ulimit -f 0; exec \"$@\"", "sh"];
    serves_what_it_had(&Folder::new("full-at-start"), &wrapper);
}

#[test]
fn a_node_whose_disk_is_read_only_at_the_start_serves_what_is_on_it() {
    let folder = Folder::new("read-only");
    let path = folder.path();
    let mount = format!("mount --bind {path} {path} && mount -o remount,ro,bind {path}");
    fs::create_dir(&folder.0).expect("it is new");
    let mut probe = Command::new("unshare");
    let status = probe.args(["-rm", "sh", "-c", &mount]).status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system allows no mounts of its own to a process");
        return;
    }
    let inside = format!("{mount} && exec \"$@\"");
    serves_what_it_had(&folder, &["unshare", "-rm", "sh", "-c", &inside, "sh"]);
}

#[test]
fn a_node_that_has_departed_holds_what_it_had_when_it_comes_back() {
    let folder = Folder::new("departed");
    let other = Node::start(Io::Mmsg, &[]);
    let bootstrap = other.addr.to_string();
    let mut node = folder.start(Io::Mmsg, &["--bootstrap", &bootstrap]);
    node.await_log(" joined contacts=");
    let key = node.put("handed off");
    let (status, log) = node.stop();
    assert!(status.success(), "{log}");
    assert!(log.contains("handed_off=1"), "{log}");
    let mut node = folder.start(Io::Mmsg, &[]);
    assert_eq!(node.found(&key, "handed off"), "local");
    assert_eq!(node.counter("values_published"), 1, "it goes on publishing it");
}

#[test]
fn a_folder_that_is_removed_is_a_disk_that_has_failed() {
    let folder = Folder::new("removed");
    let mut node = folder.start(Io::Mmsg, &["--sync", "always"]);
    node.put("before");
    fs::remove_dir_all(&folder.0).expect("it is ours");
    let key = node.put("after");
    node.await_log("the disk has failed");
    assert_eq!(node.counter("not_durable"), 1);
    assert_eq!(node.counter("changes_not_kept"), 1);
    assert_eq!(node.found(&key, "after"), "local");
}

#[test]
fn a_new_folder_is_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new("private");
    let _node = folder.start(Io::Mmsg, &[]);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
}

#[test]
fn a_put_does_not_wait_for_ever_on_a_disk_that_hangs() {
    let folder = Folder::new("hangs");
    let mut node = folder.start(Io::Mmsg, &["--cores", "1"]);
    let key = Id::of_value(b"waits").to_string();
    let hung = Frozen::thread_of(node.pid(), "durable");
    let said = node.ask("put waits");
    assert!(said.starts_with("ERR disk hangs") && said.contains(&key), "{said}");
    assert_eq!(node.found(&key, "waits"), "local");
    drop(hung);
    assert_eq!(node.put("is kept"), Id::of_value(b"is kept").to_string());
    node.crash();
    let mut node = folder.start(Io::Mmsg, &["--cores", "1"]);
    assert_eq!(node.found(&key, "waits"), "local", "the disk took it when it could");
}
