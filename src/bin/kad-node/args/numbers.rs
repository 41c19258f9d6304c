//! Tests that the numbers in `--help` match the constants.

use std::time::Duration;

use clap::{Arg, Command, CommandFactory as _};
use kad_node::id::ID_BYTES;
use kad_node::limits::{
    ALPHA_DEFAULT, ALPHA_MAX, EXPIRE_DEFAULT, K_DEFAULT, K_MAX, PEERS_PER_SUBNET,
    REPUBLISH_DEFAULT, STORE_BYTES_MAX, VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX, VALUE_OVERHEAD_BYTES,
};

use super::Cli;
use super::demo::DEMO_NODES_MAX;
use crate::ping;

/// Numbers in an argument's help that match no constant.
const OTHERS: [(&str, &[&str]); 11] = [
    ("listen", &["0", "0.0.0.0", "127.0.0.1:9001"]),
    ("node", &["127.0.0.1:9001"]),
    ("http", &["127.0.0.1:9080"]),
    ("id", &["40"]),
    ("leave", &["0s", "5s", "10s"]),
    ("sync", &["1s"]),
    ("timeout", &["2s", "10s"]),
    ("nodes", &["50"]),
    ("base_port", &["0", "127.0.0.1"]),
    ("drop", &["0"]),
    ("drop_seed", &["1"]),
];

fn hours(period: Duration) -> String {
    format!("{}h", period.as_secs() / 3600)
}

/// What the help of an argument must contain.
fn facts(argument: &str) -> Vec<String> {
    match argument {
        "store_bytes" => vec![
            format!("counts {VALUE_OVERHEAD_BYTES} bytes more"),
            format!("[{}MiB]", STORE_BYTES_MAX >> 20),
        ],
        "k" => vec![format!("1 to {K_MAX}"), format!("[{K_DEFAULT}]")],
        "peers_per_subnet" => {
            vec![format!("1 to {K_MAX}"), format!("Without the flag {PEERS_PER_SUBNET}")]
        }
        "alpha" => vec![format!("1 to {ALPHA_MAX}"), format!("[{ALPHA_DEFAULT}]")],
        "expire" => vec![format!("[{}]", hours(EXPIRE_DEFAULT))],
        "value_max" => vec![
            format!("{}MiB at most", VALUE_BYTES_MAX >> 20),
            format!("[{}MiB]", VALUE_BYTES_DEFAULT >> 20),
        ],
        "key" => vec![format!("{} hexadecimal digits", 2 * ID_BYTES)],
        "nodes" => vec![format!("1 to {DEMO_NODES_MAX}")],
        _ => vec![],
    }
}

/// The help text of `argument`, with its default in brackets.
fn help(argument: &Arg) -> String {
    let text = argument.get_long_help().or(argument.get_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let defaults =
        argument.get_default_values().iter().filter(|_| !argument.is_hide_default_value_set());
    defaults.fold(text, |text, default| format!("{text} [{}]", default.to_string_lossy()))
}

/// The words of `text` that begin with a digit.
fn numbers(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || "()[];,`'".contains(c));
    let words = words.map(|word| word.trim_end_matches(['.', ':']));
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect()
}

fn check(command: &Command) {
    for argument in command.get_arguments() {
        let (name, said) = (argument.get_id().as_str(), help(argument));
        let at = format!("{} {name}: {said:?}", command.get_name());
        let mut facts = facts(name);
        if name == "republish" {
            let is_demo = command.get_name() == "demo";
            facts.push(if is_demo { "[30s]".into() } else { hours(REPUBLISH_DEFAULT) });
        }
        if (command.get_name(), name) == ("ping", "timeout") {
            facts.push(format!("asked {} times", ping::SENDS_MAX));
        }
        for fact in &facts {
            assert!(said.contains(fact), "{fact:?} is missing: {at}");
        }
        let others = OTHERS.iter().find(|(argument, _)| *argument == name);
        let others = others.map_or(&[][..], |(_, others)| others);
        for number in numbers(&said) {
            let is_fact = facts.iter().any(|fact| numbers(fact).contains(&number));
            assert!(is_fact || others.contains(&number), "{number:?} matches no constant: {at}");
        }
    }
}

#[test]
fn every_number_in_the_help_matches_its_constant() {
    let mut cli = Cli::command();
    cli.build();
    check(&cli);
    cli.get_subcommands().for_each(check);
}
