//! Tests of the sources' structure and style, in every crate of the workspace. Each failure
//! names the file and the line, and says what to do.
//!
//! A rule is a test that collects its violations and hands them to [`check`].

use std::fs;
use std::path::{Path, PathBuf};

/// The engines of the core. Each keeps its own state and imports no other engine.
const ENGINES: [&str; 6] = ["rpc", "query", "table", "jobs", "storage", "transfer"];

/// The files of the core that may name engines. The first six hold `impl Node`: the entry
/// points, the loop that hands effects on, the hot path, what time brings, what is kept
/// on a disk, and what becomes of large values. `handoff` carries the table's messages
/// between shards, and `samples` makes up contacts for tests.
const DISPATCHER: [&str; 7] = [
    "src/node.rs",
    "src/node/dispatch.rs",
    "src/node/serve.rs",
    "src/node/maintenance.rs",
    "src/node/maintenance/far.rs",
    "src/node/keeping.rs",
    "src/node/bulk.rs",
];
const MAY_NAME_ENGINES: [&str; 2] = ["src/node/handoff.rs", "src/node/samples.rs"];

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Beginnings of words that another word has replaced, and that word.
const REPLACED: [(&str, &str); 22] = [
    ("alarm", "wake handle"),
    ("anybody", "a node, a peer, none"),
    ("anyone", "a node, a peer, none"),
    ("credential", "token"),
    ("errand", "query, query kind"),
    ("everybody", "a node, a peer, none"),
    ("everyone", "a node, a peer, none"),
    ("farewell", "goodbye"),
    ("halt", "shutdown"),
    ("herd", "receive pool"),
    ("knock", "bootstrap attempt"),
    ("leavers", "departing"),
    ("muster", "refill, release"),
    ("nobody", "a node, a peer, none"),
    ("rejoin", "join, bootstrap attempt"),
    ("relent", "retry"),
    ("somebody", "a node, a peer, none"),
    ("someone", "a node, a peer, none"),
    ("stranger", "unknown sender, new contact"),
    ("train", "segments, segmented message"),
    ("whoever", "a node, a peer, none"),
    ("whom", "a node, a peer, none"),
];

/// This file lists the replaced words.
const LISTS_WORDS: &str = "tests/tidy.rs";

struct Source {
    /// Below the root of the workspace.
    path: String,
    text: String,
}

impl Source {
    /// The lines, each with its number.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The functions: the number of the first line, the line, and how many lines it has.
    ///
    /// The end is the closing brace at the indentation of the `fn`, where rustfmt puts it.
    fn functions(&self) -> impl Iterator<Item = (usize, &str, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        self.lines().filter(|(_, line)| begins_function(line)).map(move |(number, line)| {
            let indent = line.len() - line.trim_start().len();
            let ends = |later: &&str| {
                let is_outside = later.len() - later.trim_start().len() <= indent;
                is_outside && (later.ends_with('}') || later.ends_with(';'))
            };
            let body = &lines[number - 1..];
            let length = body.iter().position(ends).map_or(body.len(), |last| last + 1);
            (number, line, length)
        })
    }

    /// Whether it is below a module of tests.
    fn is_of_tests(&self) -> bool {
        self.path.split('/').any(|part| part.trim_end_matches(".rs") == "tests")
    }
}

fn begins_function(line: &str) -> bool {
    let is_qualifier = |word: &&str| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern", "\"C\""].contains(word)
    };
    line.split_whitespace().find(|word| !is_qualifier(word)) == Some("fn")
}

/// The sources of all crates of the workspace.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, root, &mut found);
    assert!(found.len() > 100, "the sources are here");
    found
}

fn collect(root: &Path, path: &Path, found: &mut Vec<Source>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        let mut entries: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry").path()).collect();
        entries.sort();
        for entry in entries {
            let name = entry.file_name().expect("a name").to_string_lossy();
            if !name.starts_with('.') && name != "target" {
                collect(root, &entry, found);
            }
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let path_below = path.strip_prefix(root).expect("below the root");
        found.push(Source {
            path: path_below.to_string_lossy().into_owned(),
            text: fs::read_to_string(path).expect("a source"),
        });
    }
}

/// Each line for which `is_wrong` holds.
fn violations(is_wrong: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.lines().filter(|(_, line)| is_wrong(&source, line)) {
            wrong.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    wrong
}

/// Each line of code of the core's node, but for files of tests, for which `is_wrong` holds.
fn violations_of_the_node(is_wrong: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    violations(|source, line| {
        let code = line.split("//").next().unwrap_or_default();
        let is_node = source.path == "src/node.rs" || source.path.starts_with("src/node/");
        is_node && !source.is_of_tests() && is_wrong(source, code)
    })
}

/// Fails when a rule is broken, and says what to do.
fn check(rule: &str, remedy: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}.\n{remedy}\n{}", violations.join("\n"));
}

/// The engine to which a file belongs.
fn engine_of(path: &str) -> Option<&'static str> {
    let name = path.strip_prefix("src/node/")?.split('/').next()?.trim_end_matches(".rs");
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

/// The words of a line in lower case; those of a name are words of their own, however it is
/// written: of `rejoin_wait` and of `RejoinWait` the first is `rejoin`.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = ' ';
    for c in line.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() && last.is_lowercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The replaced word that a line contains.
fn replaced(line: &str) -> Option<(&'static str, &'static str)> {
    let words = words(line);
    REPLACED.into_iter().find(|(old, _)| words.iter().any(|word| word.starts_with(old)))
}

/// Whether a line contains a date: 1999-12-31, or a month and a year.
fn has_date(line: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let is_year = |word: &str| {
        word.len() == 4 && is_number(word) && (word.starts_with("19") || word.starts_with("20"))
    };
    let is_month =
        |word: &str| word.len() >= 3 && MONTHS.iter().any(|month| month.starts_with(word));
    let is_in_digits = line.split(|c: char| !c.is_ascii_digit() && c != '-').any(|number| {
        let mut parts = number.split('-');
        parts.next().is_some_and(is_year)
            && parts.clone().count() == 2
            && parts.all(|part| part.len() == 2)
    });
    let words = words(line);
    is_in_digits
        || words.iter().enumerate().filter(|(_, word)| is_month(word)).any(|(at, _)| {
            // A day may stand between them.
            let mut next =
                words[at + 1..].iter().skip_while(|word| word.len() <= 2 && is_number(word));
            next.next().is_some_and(|word| is_year(word))
        })
}

#[test]
fn no_engine_names_another() {
    let wrong = violations_of_the_node(|source, line| {
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
    let wrong = violations_of_the_node(|source, line| {
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
    let wrong = violations_of_the_node(|source, line| {
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
fn every_line_fits_the_columns() {
    check(
        &format!("A line has more than {COLUMNS_MAX} columns"),
        "rustfmt leaves alone what contains such a string or stands in a macro: break the string \
         by a \\ at the end of the line, and the code by hand.",
        &violations(|_, line| line.chars().count() > COLUMNS_MAX),
    );
}

#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}:{lines}: its last line", source.path));
        }
    }
    check(
        &format!("A file has more than {FILE_LINES_MAX} lines"),
        "Move a part with a purpose of its own into a module below it.",
        &wrong,
    );
}

#[test]
fn no_function_is_too_long() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line, length) in source.functions() {
            if length > FUNCTION_LINES_MAX {
                wrong.push(format!("{}:{number}: {length} lines: {}", source.path, line.trim()));
            }
        }
    }
    check(
        &format!("A function has more than {FUNCTION_LINES_MAX} lines"),
        "Move a step of it into a function whose name says what the step does.",
        &wrong,
    );
}

#[test]
fn no_source_holds_a_date() {
    check(
        "A source names a date",
        "Say what holds now; a measurement and its date belong in a README beside its command.",
        &violations(|source, line| source.path != LISTS_WORDS && has_date(line)),
    );
}

#[test]
fn no_replaced_word_comes_back() {
    let wrong = violations(|source, line| source.path != LISTS_WORDS && replaced(line).is_some());
    let remedy = wrong.iter().find_map(|line| replaced(line)).map(|(old, new)| {
        format!("Instead of \"{old}\" say: {new}. The words are in ARCHITECTURE.md.")
    });
    check("A word is back that another has replaced", &remedy.unwrap_or_default(), &wrong);
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

#[test]
fn a_function_ends_with_its_own_brace() {
    let text = "pub(crate) const fn one() {}\n\
                trait Two {\n    fn two(\n        x: u8,\n    ) -> u8;\n}\n\
                fn three() {\n    if true {\n    }\n}\n";
    let source = Source { path: String::new(), text: text.to_owned() };
    let found: Vec<(usize, usize)> =
        source.functions().map(|(number, _, length)| (number, length)).collect();
    assert_eq!(found, [(1, 1), (3, 3), (7, 4)]);
}

#[test]
fn a_date_is_told_from_other_numbers() {
    for line in ["(1999-12-31)", "in May 2001", "on 3 Sept 1999", "March 5, 2001"] {
        assert!(has_date(line), "{line}");
    }
    for line in ["2000-12", "12001-10-10", "x - 2000", "it may send 2000", "1.2001-01-0"] {
        assert!(!has_date(line), "{line}");
    }
}

#[test]
fn a_word_is_found_in_every_spelling() {
    for line in ["/// It knocks.", "let knock_at = 1;", "struct Knocking;", "fn is_knocked()"] {
        assert!(replaced(line).is_some(), "{line}");
    }
    assert!(replaced("fn no_errands_here()").is_some_and(|(old, _)| old == "errand"));
    assert!(replaced("an unknockable name").is_none());
}
