//! Tests of the sources' structure. Each failure says what to do.
//!
//! A rule is a test that collects its violations and hands them to [`check`].

use std::fs;
use std::path::{Path, PathBuf};

/// The engines of the core. Each keeps its own state and imports no other engine.
const ENGINES: [&str; 5] = ["rpc", "query", "table", "jobs", "storage"];

/// The files of `src/node` that may name engines. The first three hold `impl Node`: the
/// entry points, the loop that hands effects on, and the hot path. `handoff` carries the
/// table's messages between shards, and `samples` makes up contacts for tests.
const DISPATCHER: [&str; 3] = ["node.rs", "node/dispatch.rs", "node/serve.rs"];
const MAY_NAME_ENGINES: [&str; 2] = ["node/handoff.rs", "node/samples.rs"];

/// A source, without its comments.
struct Source {
    /// Below `src`.
    path: String,
    /// Each with its number.
    lines: Vec<(usize, String)>,
}

/// The sources of the core's node, but for files of tests.
fn node_sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&src, &src.join("node.rs"), &mut found);
    collect(&src, &src.join("node"), &mut found);
    found
}

fn collect(root: &Path, path: &Path, found: &mut Vec<Source>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder of sources");
        let mut entries: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry").path()).collect();
        entries.sort();
        for entry in entries {
            collect(root, &entry, found);
        }
        return;
    }
    let path_below = path.strip_prefix(root).expect("below src").to_string_lossy().into_owned();
    if path_below.split('/').any(|part| part.trim_end_matches(".rs") == "tests") {
        return;
    }
    let text = fs::read_to_string(path).expect("a source");
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, code(line)));
    found.push(Source { path: path_below, lines: lines.collect() });
}

/// The engine to which a file belongs.
fn engine_of(path: &str) -> Option<&'static str> {
    let name = path.strip_prefix("node/")?.split('/').next()?.trim_end_matches(".rs");
    ENGINES.into_iter().find(|engine| *engine == name)
}

/// Whether a line of code names module `module` in a path.
fn names(line: &str, module: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(module).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + module.len()..]);
        let is_whole = !before.ends_with(is_word) && !after.starts_with(is_word);
        let is_grouped = before.contains("use ") && before.contains("::{");
        is_whole && (before.ends_with("::") || after.starts_with("::") || is_grouped)
    })
}

/// Each line of `sources` for which `is_wrong` holds.
fn violations(sources: &[Source], is_wrong: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        for (number, line) in source.lines.iter().filter(|(_, line)| is_wrong(source, line)) {
            wrong.push(format!("src/{}:{number}: {}", source.path, line.trim()));
        }
    }
    wrong
}

/// Fails when a rule is broken, and says what to do.
fn check(rule: &str, remedy: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}.\n{remedy}\n{}", violations.join("\n"));
}

#[test]
fn no_engine_names_another() {
    let wrong = violations(&node_sources(), |source, line| {
        let own = engine_of(&source.path);
        own.is_some() && ENGINES.iter().any(|other| Some(*other) != own && names(line, other))
    });
    check(
        "An engine of src/node names another",
        "Push an Effect, which src/node/dispatch.rs hands on; move what both need to a file of \
         src/node that names no engine, as known.rs and request.rs are.",
        &wrong,
    );
}

#[test]
fn only_the_dispatcher_names_engines() {
    let wrong = violations(&node_sources(), |source, line| {
        let path = source.path.as_str();
        let may = DISPATCHER.contains(&path) || MAY_NAME_ENGINES.contains(&path);
        !may && engine_of(path).is_none() && ENGINES.iter().any(|engine| names(line, engine))
    });
    check(
        "A file that all engines may use names one of them",
        "Move what depends on an engine into the engine, or into src/node/dispatch.rs.",
        &wrong,
    );
}

#[test]
fn the_node_is_implemented_by_its_dispatcher_alone() {
    let wrong = violations(&node_sources(), |source, line| {
        let line = line.trim_start();
        let is_of_node = line.starts_with("impl Node ") || line.starts_with("impl super::Node ");
        is_of_node && !DISPATCHER.contains(&source.path.as_str())
    });
    check(
        "`impl Node` stands outside the dispatcher",
        "Give the engine whose state it is a method, and call that from src/node/dispatch.rs.",
        &wrong,
    );
}

#[test]
fn a_path_that_names_a_module_is_told_from_a_word_that_contains_its_name() {
    for line in ["use super::table::Table;", "let x = table::new();", "use super::{jobs, table};"] {
        assert!(names(line, "table"), "{line}");
    }
    for line in ["self.table.answered()", "use super::routing_table::X;", "let table = 1;"] {
        assert!(!names(line, "table"), "{line}");
    }
}
