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
    &["handoff", "printable", "quantity", "seal"],
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
        ("README.md", format!("values above {} MiB", VALUE_BYTES_MAX >> 20)),
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

/// The cells of the row that begins with `name`, in the first table of `path` that has it.
fn row(path: &str, name: &str) -> Vec<String> {
    let text = read(path);
    let beginning = format!("| {name} | ");
    let line = text.lines().find_map(|line| line.strip_prefix(&beginning));
    let cells = line.unwrap_or_else(|| panic!("{path} has no row {name:?}")).split('|');
    cells.map(|cell| cell.trim().to_owned()).collect()
}

/// What `which` finds in each cell, where it finds something.
fn column(cells: &[String], which: fn(&str) -> Option<&str>) -> Vec<&str> {
    cells.iter().filter_map(|cell| which(cell)).filter(|figure| !figure.is_empty()).collect()
}

#[test]
fn what_a_container_takes_is_the_same_in_both_documents() {
    let at_rest = |path| {
        let text = read(path);
        let said = text.split("A node uses ").nth(1).and_then(|rest| rest.split(" at rest").next());
        said.unwrap_or_else(|| panic!("{path} does not say it")).to_owned()
    };
    assert_eq!(at_rest("docker-compose.yml"), at_rest("docker/README.md"));
}

#[test]
fn a_figure_that_stands_in_several_documents_is_the_same_in_all() {
    let readme = read("README.md");
    let says = |what: String| assert!(readme.contains(&what), "the README does not say {what:?}");

    let node = |request| row("benches/node/README.md", request)[0].clone();
    let (ping, hit) = (node("PING"), node("FIND_VALUE, hit, 100 bytes"));
    says(format!("{ping} for a PING, {hit} for a FIND_VALUE hit"));

    let report = "benches/datapath/README.md";
    let loads = "one shard, requests a second: singles, interleaved, backlog, flood, bursts";
    for (of_report, of_readme) in [
        (loads, ["requests a second, one shard: one by one", "requests a second, bursts of 16"]),
        ("CPU us of each", ["CPU µs per request, one by one", "CPU µs per request, bursts"]),
    ] {
        let cells = row(report, of_report);
        let singles = column(&cells, |cell| cell.split(", ").next());
        let bursts = column(&cells, |cell| cell.split(", ").last());
        for (name, figures) in of_readme.into_iter().zip([singles, bursts]) {
            let own = row("README.md", name);
            assert_eq!(column(&own, |cell| Some(cell)), figures, "{name}");
        }
    }
    let first = |name| row("README.md", name)[0].clone();
    let [singles, bursts] =
        ["requests a second, one shard: one by one", "requests a second, bursts of 16"].map(first);
    says(format!("{singles} requests a second one by one and {bursts} in bursts"));
    let [singles, bursts] =
        ["CPU per request, node / echo: one by one", "bursts of 16 as one message"].map(first);
    says(format!("{singles} and {bursts} times the CPU time of a bare UDP echo"));

    let sample = readme.split("```text\n").find(|block| block.starts_with("requests "));
    let sample = sample.and_then(|block| block.split("```").next()).expect("a sample of loadgen");
    let whole = read("loadgen/README.md");
    assert!(whole.contains(sample), "the samples of loadgen differ");
    assert!(sample.contains(" 0 missed, 0 refused, 0 wrong"), "a healthy run: {sample}");
}

#[test]
fn the_least_versions_are_the_same_in_all_documents() {
    let manifest = read("Cargo.toml");
    let rust = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next());
    let rust = rust.expect("the least version of Rust");
    for said in [format!("Rust {rust} or later"), format!("toolchain install {rust}`")] {
        assert!(read("README.md").contains(&said), "{said}");
    }
    for path in ["README.md", "CONTRIBUTING.md", "Cargo.toml"] {
        let text = read(path);
        let mut kernels = text.split("Linux ").skip(1).filter_map(|rest| rest.get(..3));
        let kernel = kernels.find(|text| text.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(kernel, Some("6.0"), "{path}");
    }
}
