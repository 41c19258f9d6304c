//! Where the value of a flag comes from: the command line, else the environment, else the
//! file of `--config`, else the default. All of them follow from the flag's one definition.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use toml::{Spanned, Value};

use super::Cli;
use crate::text_file;

/// How the variables begin: `KAD_STORE_BYTES` is `--store-bytes`.
const PREFIX: &str = "KAD_";

/// Flags that a file cannot hold: where the file is.
const NOT_IN_A_FILE: [&str; 1] = ["config"];

/// Why a command line cannot be carried out.
pub(super) enum SourceError {
    /// As clap reports it; with the variable that gave the wrong value, if one did.
    Command(clap::Error, Option<String>),
    /// A file, a line of it, and what is wrong there.
    File(String),
}

/// The commands and flags; each flag can also stand in the environment.
pub(crate) fn command() -> Command {
    with_environment(Cli::command())
}

fn with_environment(command: Command) -> Command {
    let command = command.mut_args(|arg| match variable(&arg) {
        Some(name) => arg.env(name).hide_env(true),
        None => arg,
    });
    command.mut_subcommands(with_environment)
}

/// The variable of a flag; none of an argument without a name, or without a value to keep.
pub(crate) fn variable(arg: &Arg) -> Option<String> {
    let keeps = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue);
    let name = arg.get_long().filter(|_| keeps)?;
    Some(format!("{PREFIX}{}", name.to_uppercase().replace('-', "_")))
}

/// Parses a command line, program name first.
pub(super) fn parse(line: &[OsString]) -> Result<Cli, SourceError> {
    let explain = |error| refused(error, line);
    let command = command();
    let matches = command.clone().try_get_matches_from(line).map_err(explain)?;
    let matches = match file_of(&matches) {
        None => matches,
        Some(path) => {
            let command = with_file(command, &path).map_err(SourceError::File)?;
            command.try_get_matches_from(line).map_err(explain)?
        }
    };
    Cli::from_arg_matches(&matches).map_err(explain)
}

/// The file of a node. A one-shot command has none.
fn file_of(matches: &ArgMatches) -> Option<PathBuf> {
    if matches.subcommand().is_some() {
        return None;
    }
    matches.get_one::<PathBuf>("config").cloned()
}

/// An error of clap, with the variable that gave the wrong value when the line did not.
fn refused(error: clap::Error, line: &[OsString]) -> SourceError {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(usage)) => usage.split([' ', '=']).next().unwrap_or_default(),
        _ => "",
    };
    let is_typed = line.iter().any(|word| word.to_string_lossy().starts_with(named));
    let name = named.trim_start_matches('-').to_uppercase().replace('-', "_");
    let name = format!("{PREFIX}{name}");
    let gave_it = !named.is_empty() && !is_typed && std::env::var_os(&name).is_some();
    SourceError::Command(error, gave_it.then_some(name))
}

/// `command` with the values of a file in place of the defaults.
fn with_file(mut command: Command, path: &Path) -> Result<Command, String> {
    let shown = path.display();
    let text = text_file::read(path)
        .map_err(|error| format!("cannot read --config '{shown}': {error}"))?;
    let at = |offset: usize, what: &str| format!("{shown}:{}: {what}", line_of(&text, offset));
    let entries: BTreeMap<Spanned<String>, Spanned<Value>> = toml::from_str(&text)
        .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
    for (key, value) in entries {
        let (offset, name) = (key.span().start, key.get_ref());
        let arg = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name) && !NOT_IN_A_FILE.contains(&name.as_str()));
        let Some(arg) = arg else {
            return Err(at(
                offset,
                &format!("unknown key '{name}': expected a flag's name, such as store-bytes"),
            ));
        };
        let words = words(arg, value.get_ref())
            .and_then(|words| checked(&command, name, &words).map(|()| words))
            .map_err(|what| at(offset, &what))?;
        let id = arg.get_id().clone();
        command = command.mut_arg(id, |arg| arg.default_values(words));
    }
    Ok(command)
}

/// What the command line would say for `value`.
fn words(arg: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let name = arg.get_long().unwrap_or_default();
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let is_list = matches!(arg.get_action(), ArgAction::Append);
    match value {
        Value::Array(values) if is_list => {
            let words = values.iter().map(|value| words(arg, value));
            Ok(words.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Value::Boolean(is_on) if is_switch => Ok(vec![is_on.to_string()]),
        _ if is_switch => Err(format!("'{name}' is true or false")),
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Integer(number) => Ok(vec![number.to_string()]),
        Value::Float(number) => Ok(vec![number.to_string()]),
        _ if is_list => Err(format!("'{name}' is a string, or an array of strings")),
        _ => Err(format!("'{name}' is a string or a number")),
    }
}

/// Checks the values of one flag as if they were typed.
fn checked(command: &Command, name: &str, words: &[String]) -> Result<(), String> {
    let is_switch = command
        .get_arguments()
        .any(|arg| arg.get_long() == Some(name) && matches!(arg.get_action(), ArgAction::SetTrue));
    if is_switch {
        return Ok(());
    }
    let typed = words.iter().map(|word| format!("--{name}={word}"));
    let parsed = command.clone().no_binary_name(true).try_get_matches_from(typed);
    parsed.map(drop).map_err(|error| {
        let line = kad_node::program::one_line(error);
        line.trim_start_matches("error: ").to_owned()
    })
}

/// The number of the line that holds byte `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: &str, line: &[&str]) -> Result<Cli, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("a disk");
        let path = file.path().display().to_string();
        let line = ["kad-node", "--config", &path].into_iter().chain(line.iter().copied());
        match parse(&line.map(OsString::from).collect::<Vec<_>>()) {
            Ok(cli) => Ok(cli),
            Err(SourceError::File(what)) => Err(what.replace(&path, "FILE")),
            Err(SourceError::Command(error, _)) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_file_replaces_defaults_and_a_flag_beats_it() {
        let text = "k = 8\nbootstrap = ['a:1', 'b:2']\nexpire = '2h'\ndrop = 2.5\n";
        let cli = read(text, &["--k", "9"]).expect("a good file");
        assert_eq!(cli.node.lookup.k, 9);
        assert_eq!(cli.node.bootstrap.len(), 2);
        assert_eq!(cli.node.life.expire.as_secs(), 7200);
        assert_eq!(cli.node.io.drop.to_string(), "2.5 %");
        assert_eq!(cli.node.lookup.alpha, 3, "what the file leaves out keeps its default");
    }

    #[test]
    fn an_error_in_a_file_names_the_line_the_value_and_the_remedy() {
        for (text, said) in [
            ("\nk = 99\n", "FILE:2: invalid value '99' for '--k <N>': expected a number from 1"),
            ("stor-bytes = 1\n", "FILE:1: unknown key 'stor-bytes': expected a flag's name"),
            ("config = 'x'\n", "FILE:1: unknown key 'config'"),
            ("k = ['1']\n", "FILE:1: 'k' is a string or a number"),
            ("bootstrap = true\n", "FILE:1: 'bootstrap' is a string, or an array of strings"),
            ("k = \n", "FILE:1: "),
            ("k = 1\nk = 2\n", "FILE:2: duplicate key"),
        ] {
            let refusal = read(text, &[]).map(drop).expect_err(text);
            assert!(refusal.starts_with(said) && !refusal.contains('\n'), "{text}: {refusal}");
        }
    }

    #[test]
    fn the_example_of_a_file_is_good_with_every_line_of_it_in_force() {
        let text = include_str!("../../../../deploy/kad-node.toml");
        let settings = text.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
        let settings: Vec<_> = settings.filter(|line| line.contains(" = ")).collect();
        assert!(settings.len() > 5, "the settings were found");
        read(&settings.join("\n"), &[]).expect("a good file");
    }

    #[test]
    fn each_flag_has_a_variable_of_its_own() {
        let command = command();
        let flags = command.get_arguments().filter(|arg| arg.get_long().is_some());
        let names: Vec<_> = flags.map(|arg| (arg.get_long(), arg.get_env())).collect();
        assert!(names.contains(&(Some("store-bytes"), Some("KAD_STORE_BYTES".as_ref()))));
        for (name, variable) in names {
            assert!(variable.is_some(), "{name:?}");
        }
    }
}
