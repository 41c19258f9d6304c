//! The load generator's place: it says that it is not there yet, and fails.

fn main() -> std::process::ExitCode {
    eprintln!("loadgen: not built yet: use `kad-node` to run and query nodes");
    std::process::ExitCode::from(2)
}
