//! Tests of builds for other systems than Linux. Their libraries need not be installed: nothing
//! is compiled for them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

/// The errors of `build.rs` in a build for `system`, with all features or with none.
fn errors(script: &Path, system: &str, is_whole: bool) -> Vec<String> {
    let mut build = Command::new(script);
    build.env("TARGET", "x86_64-unknown-other").env("CARGO_CFG_TARGET_OS", system);
    build.env_remove("CARGO_FEATURE_STD");
    if is_whole {
        build.env("CARGO_FEATURE_STD", "1");
    }
    let said = run(&mut build);
    let errors = said.lines().filter_map(|line| line.strip_prefix("cargo::error="));
    errors.map(str::to_owned).collect()
}

#[test]
fn a_build_for_another_system_ends_with_one_line_that_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("build");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-o"]).arg(&script).arg(root.join("build.rs"));
    run(&mut rustc);
    for system in ["macos", "windows", "freebsd"] {
        let said = errors(&script, system, true);
        assert!(matches!(&said[..], [line] if line.contains("needs Linux")), "{system}: {said:?}");
        assert!(said[0].contains(system), "{said:?}");
        assert!(errors(&script, system, false).is_empty(), "the core builds for {system}");
    }
    assert!(errors(&script, "linux", true).is_empty());
}

#[test]
fn what_compiles_on_linux_alone_is_no_dependency_elsewhere() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["metadata", "--no-deps", "--offline"]);
    let said = run(cargo.args(["--format-version", "1"]));
    let said: Value = serde_json::from_str(&said).expect("an object");
    let packages = said["packages"].as_array().expect("the workspace's");
    let own = packages.iter().find(|package| package["name"] == "kad-node").expect("ours");
    let dependencies = own["dependencies"].as_array().expect("some");
    let (linux, mut found) = ("cfg(target_os = \"linux\")", 0);
    for name in ["io-uring", "tokio-uring", "kad-durable", "udp"] {
        let of_name = dependencies.iter().filter(|dependency| dependency["name"] == name);
        for dependency in of_name.filter(|dependency| dependency["kind"].is_null()) {
            assert_eq!(dependency["target"], linux, "{name}");
            found += 1;
        }
    }
    assert!(found >= 4, "{dependencies:?}");
}
