//! Repeats the inputs of the corpus: those that search has found to reach different code, and
//! those that once broke a promise.

use std::fs;
use std::path::Path;

use kad_fuzz::TARGETS;

#[test]
fn every_target_keeps_its_promises_for_every_input_of_its_corpus() {
    for &(name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let inputs = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut count = 0;
        for input in inputs {
            let path = input.expect("an entry").path();
            eprintln!("{}", path.display());
            target(&fs::read(&path).expect("an input"));
            count += 1;
        }
        assert!(count > 0, "{folder:?} is empty");
    }
}
