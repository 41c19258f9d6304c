//! Notes that several people share by their keys:
//!
//! ```text
//! notes HOST:PORT add TEXT     prints the note's key
//! notes HOST:PORT show KEY     prints the note
//! ```

use std::net::ToSocketAddrs as _;
use std::process::ExitCode;

use kad_node::{Client, ClientError};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        [node, "add", text] => join(node).and_then(|client| add(&client, text)),
        [node, "show", key] => join(node).and_then(|client| show(&client, key)),
        _ => Err("usage: notes HOST:PORT add TEXT, or notes HOST:PORT show KEY".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("notes: {why}");
            ExitCode::FAILURE
        }
    }
}

fn join(node: &str) -> Result<Client, String> {
    let addresses = node.to_socket_addrs().map_err(|error| format!("{node}: {error}"))?;
    Client::join(&addresses.collect::<Vec<_>>()).map_err(said)
}

fn add(client: &Client, text: &str) -> Result<(), String> {
    let stored = client.put(text).wait().map_err(said)?;
    if stored.holders == 0 {
        return Err("no node stored it: try again".into());
    }
    println!("{}", stored.key);
    Ok(())
}

fn show(client: &Client, key: &str) -> Result<(), String> {
    let key = key.parse().map_err(|_| format!("'{key}' is no key: 40 hexadecimal digits"))?;
    let note = client.get(key).wait().map_err(said)?.ok_or("there is no such note")?;
    println!("{}", String::from_utf8_lossy(&note.value));
    Ok(())
}

fn said(error: ClientError) -> String {
    error.to_string()
}
