//! One run of the compose file under a name of its own, removed when dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::{self, Compose, Ended, docker};

/// Between two looks at something that tells of no change. No outcome depends on
/// it.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Only guards against hanging for ever: no outcome depends on it.
pub(crate) const DEADLINE: Duration = Duration::from_mins(3);
/// How long what `down` left is removed by force.
const FORCE_MAX: Duration = Duration::from_secs(30);

/// Set where the programs have been packaged already, and are to be tested so.
const PACKAGED: &str = "KAD_PACKAGED";

/// Waits until `look` finds what it looks for.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "still no {what}");
        thread::sleep(LOOK_INTERVAL);
    }
}

/// A container, by its full id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Container(pub(crate) String);

impl Container {
    /// Runs `kad-node` with `words` in it.
    pub(crate) fn kad_node(&self, words: &[&str]) -> Ended {
        engine::run(Command::new("docker").args(["exec", &self.0, "/kad-node"]).args(words))
    }

    /// What its node finds of `key`, by a client that asks that node first.
    pub(crate) fn get(&self, key: &str) -> Ended {
        self.kad_node(&["get", "--log", "error", "--bootstrap", "127.0.0.1:9001", key])
    }

    /// Stores `text` by way of its node, and returns the key.
    pub(crate) fn put(&self, text: &str) -> String {
        let ended =
            self.kad_node(&["put", "--log", "error", "--bootstrap", "127.0.0.1:9001", text]);
        assert_eq!(ended.status, Some(0), "{self:?}: {ended:?}");
        ended.stdout.trim_end().into()
    }

    /// Whether its network reaches the node at `address`, as `kad-node ping` ends.
    pub(crate) fn ping(&self, address: &str) -> Ended {
        self.kad_node(&["ping", "--timeout", "1s", address])
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        let ended = engine::run(Command::new("docker").args(["logs", &self.0]));
        ended.stdout + &ended.stderr
    }

    /// Waits until its node has joined the network.
    pub(crate) fn await_joined(&self) {
        wait_for(&format!("'joined' in the log of {}", self.0), || {
            self.log().contains("joined").then_some(())
        });
    }
}

/// The containers, the network and the image.
pub(crate) struct Project {
    compose: Compose,
    name: String,
}

impl Project {
    /// Builds the image from programs that are packaged already.
    pub(crate) fn build(compose: &Compose) -> Self {
        let project =
            Self { compose: compose.clone(), name: format!("kadtest{}", std::process::id()) };
        if std::env::var_os(PACKAGED).is_none() {
            engine::output(&mut Command::new("docker/package.sh"));
        }
        let image = project.image();
        docker(&["build", "--quiet", "--target", "packaged", "--tag", &image, "."]);
        project
    }

    /// The image's name.
    pub(crate) fn image(&self) -> String {
        format!("{}-image", self.name)
    }

    /// A call of compose for this project.
    fn compose(&self, words: &[&str]) -> Command {
        let mut command = self.compose.command();
        command
            .args(["--project-name", &self.name])
            .args(words)
            .env("KAD_IMAGE", self.image())
            .env("KAD_TARGET", "packaged")
            // The classic compose would start all at once, which is more than a
            // small machine keeps up with.
            .env("COMPOSE_PARALLEL_LIMIT", "4");
        command
    }

    /// Starts the seed and as many nodes, those that are there already included.
    pub(crate) fn scale(&self, nodes: usize) {
        let scale = format!("node={nodes}");
        let words = ["up", "--detach", "--no-build", "--no-recreate", "--scale", &scale];
        engine::output(&mut self.compose(&words));
    }

    /// Runs the load generator to its end.
    pub(crate) fn loadgen(&self) -> Ended {
        engine::run(&mut self.compose(&["--profile", "loadgen", "run", "--rm", "loadgen"]))
    }

    /// The filter by which the engine knows what belongs to this project.
    fn label(&self) -> String {
        format!("label=com.docker.compose.project={}", self.name)
    }

    /// The running containers of a service, in the order of their numbers.
    pub(crate) fn containers(&self, service: &str) -> Vec<Container> {
        let service = format!("label=com.docker.compose.service={service}");
        let format = r#"{{.Label "com.docker.compose.container-number"}} {{.ID}}"#;
        let words = ["ps", "--no-trunc", "--filter", &self.label(), "--filter", &service];
        let listed = docker(&[&words[..], &["--format", format]].concat());
        let mut numbered: Vec<(usize, Container)> = listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(number, id)| (number.parse().expect("a number"), Container(id.into())))
            .collect();
        numbered.sort();
        numbered.into_iter().map(|(_, container)| container).collect()
    }

    /// Waits until all running containers are healthy: by the engine's events,
    /// those since the project began included.
    pub(crate) fn await_health(&self) {
        let awaited: BTreeSet<String> =
            docker(&["ps", "--quiet", "--no-trunc", "--filter", &self.label()])
                .lines()
                .map(Into::into)
                .collect();
        let label = self.label();
        let until = format!("{}", unix_time_s() + DEADLINE.as_secs());
        let mut events = Command::new("docker")
            .args(["events", "--filter", &label, "--filter", "event=health_status"])
            .args(["--since", "30m", "--until", &until])
            .args(["--format", "{{.Status}} {{.ID}}"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker starts");
        let mut unhealthy = awaited;
        for line in BufReader::new(events.stdout.take().expect("a pipe")).lines() {
            let line = line.expect("text");
            if let Some(id) = line.strip_prefix("health_status: healthy ") {
                unhealthy.remove(id);
            }
            if unhealthy.is_empty() {
                break;
            }
        }
        let _ = events.kill();
        let _ = events.wait();
        assert!(unhealthy.is_empty(), "not healthy: {unhealthy:?}");
    }

    /// The network's name.
    pub(crate) fn network(&self) -> String {
        docker(&["network", "ls", "--quiet", "--filter", &self.label()]).trim_end().into()
    }

    /// The address of each container on the network, as its node announces it, by
    /// the container's id.
    pub(crate) fn addresses(&self) -> BTreeMap<String, String> {
        let format =
            r"{{range $id, $at := .Containers}}{{$id}} {{$at.IPv4Address}}{{println}}{{end}}";
        let listed = docker(&["network", "inspect", "--format", format, &self.network()]);
        let pairs = listed.lines().filter_map(|line| line.split_once(' '));
        let ips = pairs.filter_map(|(id, cidr)| Some((id, cidr.split_once('/')?.0)));
        ips.map(|(id, ip)| (id.into(), format!("{ip}:9001"))).collect()
    }

    /// What is there of the project, one line each.
    fn left(&self) -> String {
        // It must succeed: an engine that does not answer would show nothing.
        let image = docker(&["images", "--quiet", &self.image()]);
        let images = image.lines().map(Into::into).collect();
        let mut left = String::new();
        for (what, ids) in [
            ("container", self.ids(&["ps", "--all"])),
            ("network", self.ids(&["network", "ls"])),
            ("volume", self.ids(&["volume", "ls"])),
            ("image", images),
        ] {
            for id in ids {
                let _ = writeln!(left, "{what} {id}");
            }
        }
        left
    }

    /// Removes everything, which must succeed.
    pub(crate) fn remove(self) {
        self.tear_down();
        assert_eq!(self.left(), "", "left behind");
    }

    fn tear_down(&self) {
        let down =
            ["--profile", "loadgen", "down", "--timeout", "2", "--volumes", "--remove-orphans"];
        let ended = engine::run(&mut self.compose(&down));
        if ended.status != Some(0) {
            let reason = ended.stderr.lines().last().unwrap_or_default();
            eprintln!("compose: down failed, so the rest is removed piece by piece: {reason}");
            self.remove_by_force();
        }
        let _ = engine::run(Command::new("docker").args(["rmi", "--force", &self.image()]));
    }

    /// Removes containers and the network whatever state they are in. An engine
    /// may count the endpoint of a container that is gone, or is going, and refuse
    /// to remove the network till it is disconnected by force.
    fn remove_by_force(&self) {
        let deadline = Instant::now() + FORCE_MAX;
        while Instant::now() < deadline {
            for container in self.ids(&["ps", "--all"]) {
                let _ = engine::run(Command::new("docker").args(["rm", "--force", &container]));
            }
            let networks = self.ids(&["network", "ls"]);
            if networks.is_empty() {
                return;
            }
            for network in networks {
                let format = "{{range .Containers}}{{println .Name}}{{end}}";
                let inspect = ["network", "inspect", "--format", format, &network];
                let attached = engine::run(Command::new("docker").args(inspect)).stdout;
                for name in attached.split_whitespace() {
                    let disconnect = ["network", "disconnect", "--force", &network, name];
                    let _ = engine::run(Command::new("docker").args(disconnect));
                }
                let _ = engine::run(Command::new("docker").args(["network", "rm", &network]));
            }
            thread::sleep(LOOK_INTERVAL);
        }
    }

    /// The ids that `docker` with `words` lists of this project.
    fn ids(&self, words: &[&str]) -> Vec<String> {
        let label = self.label();
        let quietly = ["--quiet", "--filter", &label];
        let listed = engine::run(Command::new("docker").args(words).args(quietly)).stdout;
        listed.lines().map(Into::into).collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Otherwise it was removed.
        if thread::panicking() {
            self.tear_down();
        }
    }
}

fn unix_time_s() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}
