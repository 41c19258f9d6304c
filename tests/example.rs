//! Builds the example program as another project would: outside of this workspace, without the
//! crate's default features; and runs it against a node.
#![cfg(feature = "std")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use kad_node::Builder;

/// Copies the example into `folder`, and builds it there.
fn build(folder: &Path) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = root.join("examples/notes");
    let manifest = fs::read_to_string(example.join("Cargo.toml")).expect("the manifest");
    let root_path = format!("path = \"{}\"", root.display());
    assert!(manifest.contains("path = \"../..\""), "the crate is found by its path");
    let manifest = manifest.replace("path = \"../..\"", &root_path);
    fs::create_dir(folder.join("src")).expect("a disk");
    fs::write(folder.join("Cargo.toml"), manifest).expect("a disk");
    fs::copy(example.join("src/main.rs"), folder.join("src/main.rs")).expect("the program");
    // The versions that this workspace is tested with, which are at hand without a network.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the versions");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("notes");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--quiet", "--target-dir"]).arg(&target);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").current_dir(folder);
    succeed(&mut cargo);
    target.join("debug/notes")
}

fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

#[test]
fn a_program_of_another_project_builds_on_the_crate() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = build(folder.path());
    let node = Builder::node(SocketAddr::from(([127, 0, 0, 1], 0))).start().expect("a node");
    let address = node.address().to_string();
    let run = |words: [&str; 2]| succeed(Command::new(&notes).arg(&address).args(words));
    let key = run(["add", "buy milk"]);
    assert_eq!(run(["show", key.trim_end()]), "buy milk\n");
}
