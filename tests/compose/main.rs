//! The compose demo, as people use it: a seed with a terminal and 50 containers,
//! some of which are then killed, paused and cut off.
//!
//! It runs where `KAD_COMPOSE=1` is set and a container engine answers, and says
//! loudly that it is skipped anywhere else. All that it makes (containers,
//! network, image) bears a name of its own and is gone at the end, however that
//! comes about.

mod engine;
mod neighbours;
mod project;
mod scenes;
mod seed;

use std::process::ExitCode;

use crate::neighbours::Room;

/// Set to 1, it asks for this test, which takes minutes.
const SWITCH: &str = "KAD_COMPOSE";

fn main() -> ExitCode {
    if std::env::var_os(SWITCH).is_none_or(|value| value != "1") {
        return skipped(&format!("set {SWITCH}=1 to run it: it starts 60 containers"));
    }
    match engine::find() {
        Ok(compose) => {
            let _room = Room::make();
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
