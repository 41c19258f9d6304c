//! Tests that the documents agree with the code.

use std::fs;
use std::path::{Path, PathBuf};

use kad_node::limits::{
    DATAGRAM_BYTES_MAX, EXPIRE_DEFAULT, K_DEFAULT, QUERIES_MAX, REPUBLISH_DEFAULT, STORE_BYTES_MAX,
    VALUE_BYTES_MAX,
};

/// The layers of the library. Each may import only those before it; modules of one layer do
/// not import each other.
const LAYERS: [&[&str]; 8] = [
    &["id"],
    &["limits", "rng", "time"],
    &["wire"],
    &["node"],
    &["handoff", "printable", "quantity"],
    &["program"],
    &["driver"],
    &["client"],
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sources under `path`, without tests.
fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    let is_test = path.file_name().is_some_and(|name| name.to_string_lossy().contains("tests"));
    if is_test {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            sources(&entry.expect("an entry").path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_owned());
    }
}

/// The modules of the library that `module` imports.
fn imports(module: &str) -> Vec<String> {
    let mut files = vec![root().join(format!("src/{module}.rs"))];
    let folder = root().join(format!("src/{module}"));
    if folder.is_dir() {
        sources(&folder, &mut files);
    }
    let mut imported = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for path in line.split("crate::").skip(1) {
                let name = path.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
                imported.extend(name.filter(|name| *name != module).map(str::to_owned));
            }
        }
    }
    imported
}

#[test]
fn a_module_imports_only_modules_to_its_left_in_the_diagram() {
    let mut before: Vec<&str> = Vec::new();
    for layer in LAYERS {
        for module in layer {
            for import in imports(module) {
                let is_drawn = before.contains(&import.as_str());
                assert!(is_drawn, "{module} imports {import}");
            }
        }
        before.extend(layer);
    }
    let drawn = "id  <-  limits  rng  time  <-  wire  <-  node  <-  driver  <-  bin/kad-node\n";
    assert!(read("src/lib.rs").contains(drawn) && read("README.md").contains(drawn));
}

#[test]
fn the_numbers_in_the_readmes_match_the_constants() {
    let hours = EXPIRE_DEFAULT.as_secs() / 3600;
    assert_eq!(REPUBLISH_DEFAULT.as_secs(), 3600, "the README says: every hour");
    for (path, said) in [
        ("README.md", format!("values above {VALUE_BYTES_MAX} bytes")),
        ("README.md", format!("(K = {K_DEFAULT})")),
        ("README.md", format!("until it expires, {hours} h after")),
        ("README.md", format!("({} MiB by default)", STORE_BYTES_MAX >> 20)),
        ("docker/README.md", format!("most {DATAGRAM_BYTES_MAX} bytes")),
        ("docker/README.md", format!("which is {} MiB then", STORE_BYTES_MAX >> 20)),
        ("loadgen/README.md", format!("at most {QUERIES_MAX} at a time")),
    ] {
        let words = read(path).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&said), "{path} no longer says {said:?}");
    }
}
