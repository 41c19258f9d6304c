//! The container engine, through its command line.

use std::process::{Command, Output, Stdio};

/// How compose is called here.
#[derive(Clone, Debug)]
pub(crate) struct Compose(Vec<&'static str>);

impl Compose {
    /// A call of compose.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.0[0]);
        command.args(&self.0[1..]);
        command
    }
}

/// The compose of this machine, or why there is none to test with.
pub(crate) fn find() -> Result<Compose, String> {
    if !succeeds(&["docker", "version"]) {
        return Err("no container engine answers to 'docker version'".into());
    }
    for words in [&["docker", "compose"][..], &["docker-compose"]] {
        if succeeds(&[words, &["version"]].concat()) {
            return Ok(Compose(words.to_vec()));
        }
    }
    Err("neither 'docker compose' nor 'docker-compose' is there".into())
}

fn succeeds(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What a command wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` to its end, with nothing to read.
pub(crate) fn run(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// Runs `command`, which must succeed, and returns its standard output.
pub(crate) fn output(command: &mut Command) -> String {
    let ended = run(command);
    assert_eq!(ended.status, Some(0), "{command:?}: {ended:?}");
    ended.stdout
}

/// Runs `docker` with `words`, which must succeed.
pub(crate) fn docker(words: &[&str]) -> String {
    output(Command::new("docker").args(words))
}
