//! What both programs do alike: they answer a wrong command line, and respect the signals
//! that they inherit as ignored.

use std::fs;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::printable;

/// The status to exit with when the command line asks for no work: 0 after its help or
/// version, which this prints; 2 after an error, which `say` is given on one line.
pub fn exit_status(error: clap::Error, say: impl FnOnce(&str)) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that closed its pipe wants no more.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    say(&format!("{} (try '--help')", one_line(error)));
    ExitCode::from(2)
}

/// What is wrong with a command line, on one line, without clap's usage and tips. What was
/// typed is escaped: it may hold line ends, or what turns the writing direction.
pub fn one_line(mut error: clap::Error) -> String {
    let typed: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in typed {
        let shown = match value {
            _ if kind == ContextKind::Usage => continue,
            ContextValue::String(text) => ContextValue::String(printable::line(&text).to_string()),
            ContextValue::Strings(texts) => ContextValue::Strings(
                texts.iter().map(|text| printable::line(text).to_string()).collect(),
            ),
            _ => continue,
        };
        error.insert(kind, shown);
    }
    let text = error.to_string();
    let said = text.lines().map(str::trim).take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let said = said.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    printable::line(&said).to_string()
}

/// Whether the program was started with `signal` ignored, as `nohup` and shells without job
/// control do.
pub fn inherits_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_signals(&status) >> (signal - 1) & 1 != 0
}

/// The ignored signals of `/proc/self/status`: bit 0 is signal 1.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tloadgen\nSigBlk:\t0000000000000004\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status), 0x1001);
        assert_eq!(ignored_signals(""), 0);
    }
}
