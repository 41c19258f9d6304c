//! What is made of the definitions of commands and flags: completions for shells, and manual
//! pages.

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::{self, CompletionsArgs, ManArgs};
use crate::failure::Failure;
use crate::output;

/// Prints the completions for a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "kad-node", &mut script);
    output::print(|out, _| std::io::Write::write_all(out, &script))
}

/// Prints the manual page of the program, or of one command.
pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut program = args::command().disable_help_subcommand(true);
    program.build();
    let command = match &args.command {
        None => &program,
        Some(name) => program.find_subcommand(name).ok_or_else(|| {
            let names: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
            Failure::Usage(format!("no command '{name}': expected one of {}", names.join(", ")))
        })?,
    };
    let page = page(command, args.command.is_none());
    output::print(|out, _| std::io::Write::write_all(out, &page))
}

/// The manual page of a command.
fn page(command: &Command, is_program: bool) -> Vec<u8> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .manual("User Commands")
        .source(concat!("kad-node ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)
        .expect("memory takes everything");
    let mut more = Roff::new();
    environment(command, is_program, &mut more);
    more.to_writer(&mut page).expect("memory takes everything");
    page
}

/// The variables of a command's flags.
fn environment(command: &Command, is_program: bool, page: &mut Roff) {
    page.control("SH", ["ENVIRONMENT"]);
    page.text([roman(
        "A flag of the command line beats its variable, which beats the file of --config.",
    )]);
    for arg in command.get_arguments() {
        let (Some(name), Some(flag)) = (args::variable(arg), arg.get_long()) else { continue };
        entry(&name, &format!("Stands for --{flag}{}.", repeated(arg)), page);
    }
    entry(
        "RUST_LOG",
        "The level of the log where --log is not given, as for other Rust programs.",
        page,
    );
    entry("NO_COLOR", "If set, the log has no colours.", page);
    if is_program {
        entry("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd: see systemd.service(5).", page);
    }
}

fn entry(name: &str, about: &str, page: &mut Roff) {
    page.control("TP", []);
    page.text([bold(name)]);
    page.text([roman(about)]);
}

fn repeated(arg: &Arg) -> &'static str {
    if arg.get_value_delimiter().is_some() { ", with commas between several values" } else { "" }
}

#[cfg(test)]
mod tests {
    use clap_complete::Shell;

    use super::*;

    /// The names of the flags of a command that can be typed.
    fn flags(command: &Command) -> Vec<String> {
        command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned).collect()
    }

    #[test]
    fn completions_have_every_command_and_every_flag() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let (mut command, mut script) = (args::command(), Vec::new());
            clap_complete::generate(shell, &mut command, "kad-node", &mut script);
            let script = String::from_utf8(script).expect("text");
            let all = command.get_subcommands().flat_map(flags).chain(flags(&command));
            for flag in all {
                assert!(script.contains(&flag), "{shell}: {flag}");
            }
            for command in command.get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }

    #[test]
    fn a_page_has_every_flag_and_its_variable() {
        let mut program = args::command();
        program.build();
        for command in program.get_subcommands().chain([&program]) {
            let page = String::from_utf8(page(command, true)).expect("text").replace('\\', "");
            let source = concat!("\"kad-node ", env!("CARGO_PKG_VERSION"), "\"");
            assert!(page.lines().any(|line| line.starts_with(".TH ") && line.contains(source)));
            for flag in flags(command) {
                assert!(page.contains(&format!("--{flag}")), "{}: --{flag}", command.get_name());
            }
            for name in command.get_arguments().filter_map(args::variable) {
                assert!(page.contains(&name), "{}: {name}", command.get_name());
            }
        }
    }
}
