//! Seeds that once failed, and the tests that pin what was wrong.
//!
//! A seed's story changes with any change of what is drawn; the test stays.

use std::path::Path;

/// A line each: a scenario, a seed, the test that pins the defect, what went wrong.
const LINES: &str = include_str!("regressions.txt");

/// A seed that once failed.
pub(crate) struct Regression {
    pub(crate) scenario: &'static str,
    pub(crate) seed: u64,
    /// A file of ours, and a test in it.
    pin: (&'static str, &'static str),
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = Regression> {
    LINES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        read(line).unwrap_or_else(|| {
            panic!("regressions.txt: {line:?}: write SCENARIO SEED FILE::TEST, and what went wrong")
        })
    })
}

fn read(line: &'static str) -> Option<Regression> {
    let mut words = line.split_whitespace();
    let (scenario, seed) = (words.next()?, words.next()?.parse().ok()?);
    let pin = words.next()?.split_once("::")?;
    words.next()?;
    Some(Regression { scenario, seed, pin })
}

impl Regression {
    /// That its test is not there, if it is not.
    pub(crate) fn unpinned(&self) -> Option<String> {
        let (file, test) = self.pin;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = std::fs::read_to_string(&path).unwrap_or_default();
        let has_test = source.contains(&format!("#[test]\nfn {test}()"))
            || source.contains(&format!("    #[test]\n    fn {test}()"));
        (!has_test).then(|| format!("{} {}: no test {test} in {file}", self.scenario, self.seed))
    }
}
