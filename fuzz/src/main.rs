//! The search: feeds the target that `KAD_FUZZ` names with inputs, as libFuzzer's options say.
#![no_main]

use std::sync::OnceLock;

use kad_fuzz::{TARGETS, Target};

static CHOSEN: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| CHOSEN.get_or_init(chosen)(bytes));

fn chosen() -> Target {
    let name = std::env::var("KAD_FUZZ").unwrap_or_default();
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target '{name}': see fuzz/README.md")).1
}
