//! Tests the compose demo as people use it: a seed with a terminal and 50 containers, some
//! of which are then killed, paused and cut off.
//!
//! It runs when `KAD_COMPOSE=1` is set and a container engine answers; otherwise it prints
//! that it is skipped. Checks that need no engine always run. All that it makes (containers,
//! network, image) has names of its own and is removed at the end, and the neighbour table's
//! limits are restored: also when the test fails or a signal ends it, except SIGKILL, which
//! cannot be caught.

mod container;
mod engine;
mod interrupt;
mod neighbours;
mod profile;
mod project;
mod scenes;
mod seed;
mod values;
mod wait;

use std::process::ExitCode;

use crate::neighbours::Room;

/// Set to 1, it asks for this test, which takes minutes.
const SWITCH: &str = "KAD_COMPOSE";

fn main() -> ExitCode {
    profile::is_the_default_and_one_rule();
    if std::env::var_os(SWITCH).is_none_or(|value| value != "1") {
        return skipped(&format!("set {SWITCH}=1 to run it: it starts 60 containers"));
    }
    interrupt::catch();
    match engine::find() {
        Ok(compose) => {
            let room = Room::make();
            wait::allow_for(room.space());
            scenes::play(&compose);
            eprintln!("compose: passed");
            ExitCode::SUCCESS
        }
        Err(reason) => skipped(&reason),
    }
}

fn skipped(reason: &str) -> ExitCode {
    eprintln!("==============================================================");
    eprintln!("compose: SKIPPED: {reason}");
    eprintln!("==============================================================");
    ExitCode::SUCCESS
}
