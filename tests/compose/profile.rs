//! Tests that `docker/seccomp.json` is Docker's default profile plus one rule.

use std::fs;

use kad_node::id::Id;

use crate::container::Container;
use crate::engine::docker;
use crate::project::Project;

const PROFILE: &str = "docker/seccomp.json";

/// The rule that allows `io_uring`, as it is written in the profile.
const RULE: &str = r#"		{
			"names": [
				"io_uring_enter",
				"io_uring_register",
				"io_uring_setup"
			],
			"action": "SCMP_ACT_ALLOW"
		},
"#;

/// Git's name of `profiles/seccomp/default.json` of Docker 26.1.5: the SHA-1 of `blob`, its
/// length and its bytes.
const DEFAULT_BLOB: &str = "c4d91109c3a5b9be1a89d8fc8b0e820c9558c365";

/// Checks that the profile without the rule is the default, byte by byte. Needs no engine.
pub(crate) fn is_the_default_and_one_rule() {
    let default = without_the_rule();
    assert!(!default.contains("io_uring"), "the default lets no io_uring through");
    let blob = format!("blob {}\0{default}", default.len());
    let name = Id::of_value(blob.as_bytes()).to_string();
    assert_eq!(name, DEFAULT_BLOB, "{PROFILE} without its rule is not Docker's default");
}

fn without_the_rule() -> String {
    let profile = fs::read_to_string(PROFILE).expect("the profile");
    assert_eq!(profile.matches(RULE).count(), 1, "one rule lets io_uring through");
    profile.replacen(RULE, "", 1)
}

/// Checks that a node uses `io_uring` with the profile, and that with Docker's default it
/// falls back and says why.
pub(crate) fn decides_whether_a_node_takes_io_uring(project: &Project) {
    let forbidding = std::env::temp_dir().join(format!("{}.json", project.image()));
    fs::write(&forbidding, without_the_rule()).expect("a temporary file");
    let allowed = log_of_a_node(project, PROFILE);
    let fallen_back = log_of_a_node(project, &forbidding.display().to_string());
    fs::remove_file(&forbidding).expect("it was written");
    assert!(allowed.contains("io=uring") && !allowed.contains("WARN"), "{allowed}");
    assert!(fallen_back.contains("io=mmsg"), "{fallen_back}");
    assert!(fallen_back.contains("falling back to mmsg"), "{fallen_back}");
}

/// What a node logs until it is ready under `profile`.
fn log_of_a_node(project: &Project, profile: &str) -> String {
    let node = project.start_alone(&["--security-opt", &format!("seccomp={profile}")]);
    node.ready();
    let log = node.log();
    docker(&["rm", "--force", &node.0]);
    log
}

/// Checks that compose gives the profile to each of `containers`.
pub(crate) fn is_used_by_compose(project: &Project, containers: &[Container]) {
    for options in project.inspect("{{.HostConfig.SecurityOpt}}", containers) {
        assert!(options.contains("io_uring_setup"), "no io_uring in {options}");
        assert!(options.contains("no-new-privileges"), "{options}");
    }
}
