//! What `--version` says of a build: the commit and the target. And that it needs Linux.

use std::path::Path;
use std::process::Command;

/// The commit, for a build without git: an archive's, or an image's.
const COMMIT: &str = "KAD_NODE_COMMIT";

fn main() {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    println!("cargo::rerun-if-changed=build.rs");
    refuse_other_systems();
    let target = std::env::var("TARGET").expect("cargo sets it");
    println!("cargo::rustc-env=KAD_NODE_TARGET={target}");
    let commit = std::env::var(COMMIT).ok().or_else(commit).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env={COMMIT}={commit}");
}

/// Ends a build for another system before the compiler misses there what Linux alone has.
fn refuse_other_systems() {
    let system = std::env::var("CARGO_CFG_TARGET_OS").expect("cargo sets it");
    if system != "linux" && std::env::var_os("CARGO_FEATURE_STD").is_some() {
        println!(
            "cargo::error=kad-node needs Linux (io_uring, recvmmsg, SO_REUSEPORT), and this build \
             is for {system}: build it on Linux, or its protocol core alone, by \
             --no-default-features"
        );
    }
}

/// The commit of a release build inside the project's own repository. Another build does not
/// follow the commits: each would compile everything anew.
fn commit() -> Option<String> {
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    let root = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    // A copy of the sources may lie in the repository of something else.
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?) != Path::new(&root) {
        return None;
    }
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
