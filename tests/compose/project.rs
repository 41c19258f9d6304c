//! One run of the compose file under its own project name, removed when dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::container::Container;
use crate::engine::{self, CALL_MAX, Compose, Ended, Heed, Lines, docker};
use crate::interrupt;
use crate::wait::{self, LOOK_INTERVAL};

/// How long the forced removal after a failed `down` may take.
const FORCE_MAX: Duration = Duration::from_mins(1);
/// How long compiling everything may take, on a small and busy machine.
const PACKAGE_MAX: Duration = Duration::from_mins(20);
/// How long compose may take to start or remove all containers, or to load them.
const COMPOSE_MAX: Duration = Duration::from_mins(5);
/// Most unhealthy containers whose logs a failure shows.
const FAILING_SHOWN: usize = 4;

/// Set to test programs that are packaged already.
const PACKAGED: &str = "KAD_PACKAGED";

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
            engine::output_within(&mut Command::new("docker/package.sh"), PACKAGE_MAX);
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
            // Any port: that of the demo may be taken.
            .env("KAD_HTTP", "127.0.0.1:");
        command
    }

    /// Starts the seed and nodes, until there are `nodes` of them.
    pub(crate) fn scale(&self, nodes: usize) {
        let scale = format!("node={nodes}");
        let words = ["up", "--detach", "--no-build", "--no-recreate", "--scale", &scale];
        engine::output_within(&mut self.compose(&words), COMPOSE_MAX);
    }

    /// Runs the load generator to its end.
    pub(crate) fn loadgen(&self) -> Ended {
        let words = ["--profile", "loadgen", "run", "--rm", "loadgen"];
        engine::run_within(&mut self.compose(&words), COMPOSE_MAX)
    }

    /// Starts a node outside compose and without a network, under `options`.
    pub(crate) fn start_alone(&self, options: &[&str]) -> Container {
        let (label, image) = (self.label(), self.image());
        let run = ["run", "--detach", "--network", "none", "--label", &label];
        let node = [image.as_str(), "--listen", "127.0.0.1:0"];
        Container(docker(&[&run[..], options, &node].concat()).trim_end().into())
    }

    /// The label by which the engine finds what belongs to this project.
    fn label(&self) -> String {
        format!("com.docker.compose.project={}", self.name)
    }

    /// The same as a filter.
    fn filter(&self) -> String {
        format!("label={}", self.label())
    }

    /// The running containers of a service, in the order of their numbers.
    pub(crate) fn containers(&self, service: &str) -> Vec<Container> {
        let service = format!("label=com.docker.compose.service={service}");
        let format = r#"{{.Label "com.docker.compose.container-number"}} {{.ID}}"#;
        let words = ["ps", "--no-trunc", "--filter", &self.filter(), "--filter", &service];
        let listed = docker(&[&words[..], &["--format", format]].concat());
        let mut numbered: Vec<(usize, Container)> = listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(number, id)| (number.parse().expect("a number"), Container(id.into())))
            .collect();
        numbered.sort();
        numbered.into_iter().map(|(_, container)| container).collect()
    }

    /// What the engine says about each of `containers`, by a template.
    pub(crate) fn inspect(&self, format: &str, containers: &[Container]) -> Vec<String> {
        let ids = containers.iter().map(|container| container.0.as_str());
        let words: Vec<&str> = ["inspect", "--format", format].into_iter().chain(ids).collect();
        let said: Vec<String> = docker(&words).lines().map(Into::into).collect();
        assert_eq!(said.len(), containers.len(), "{}: {said:?}", self.name);
        said
    }

    /// Waits until all running containers are healthy: by their state, and by the engine's
    /// events since just before the state was read. (The engine keeps only the last 256
    /// events of all kinds.)
    pub(crate) fn await_health(&self) {
        let deadline = Instant::now() + wait::longest();
        let mut events = Command::new("docker");
        events.args(["events", "--since", &unix_time(), "--filter", &self.filter()]);
        events.args(["--filter", "event=health_status", "--filter", "event=die"]);
        let events = Lines::of(events.args(["--format", "{{.Action}} {{.Actor.ID}}"]));
        let running = ["ps", "--quiet", "--no-trunc", "--filter", &self.filter()];
        let ids = |words: &[&str]| -> BTreeSet<String> {
            docker(words).lines().map(Into::into).collect()
        };
        let healthy = ids(&[&running[..], &["--filter", "health=healthy"]].concat());
        let mut awaited: BTreeSet<_> = ids(&running).difference(&healthy).cloned().collect();
        while !awaited.is_empty() {
            let event = events.next(deadline).unwrap_or_else(|reason| {
                panic!("{} containers are not healthy: {reason}: {awaited:?}", awaited.len())
            });
            if let Some(id) = event.strip_prefix("health_status: healthy ") {
                awaited.remove(id);
            } else if let Some(id) = event.strip_prefix("die ") {
                panic!("ended before it was healthy: {}", Container(id.into()).account());
            }
        }
    }

    /// The network's name.
    pub(crate) fn network(&self) -> String {
        docker(&["network", "ls", "--quiet", "--filter", &self.filter()]).trim_end().into()
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

    /// What is left of the project, one line each.
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

    /// Removes everything by `down`, and by force if that fails.
    fn tear_down(&self) {
        let down =
            ["--profile", "loadgen", "down", "--timeout", "2", "--volumes", "--remove-orphans"];
        match engine::attempt(&mut self.compose(&down), COMPOSE_MAX, Heed::Nothing) {
            Ok(ended) if ended.status == Some(0) => {}
            Ok(ended) => {
                let reason = ended.stderr.lines().last().unwrap_or_default();
                eprintln!("compose: down failed, so the rest is removed by force: {reason}");
            }
            Err(reason) => {
                eprintln!("compose: down failed, so the rest is removed by force: {reason}");
            }
        }
        self.remove_by_force();
        quietly(&["rmi", "--force", &self.image()]);
    }

    /// Removes containers and the network, whatever their state. An engine may still count
    /// the endpoint of a removed container, and refuse to remove the network until that is
    /// disconnected by force.
    fn remove_by_force(&self) {
        let deadline = Instant::now() + FORCE_MAX;
        loop {
            let containers = self.ids(&["ps", "--all"]);
            let networks = self.ids(&["network", "ls"]);
            if containers.is_empty() && networks.is_empty() || Instant::now() > deadline {
                return;
            }
            let force = ["rm", "--force", "--volumes"].map(str::to_owned);
            quietly(&force.into_iter().chain(containers).collect::<Vec<_>>());
            for network in networks {
                let format = "{{range .Containers}}{{println .Name}}{{end}}";
                let attached = quietly(&["network", "inspect", "--format", format, &network]);
                for name in attached.split_whitespace() {
                    quietly(&["network", "disconnect", "--force", &network, name]);
                }
                quietly(&["network", "rm", &network]);
            }
            thread::sleep(LOOK_INTERVAL);
        }
    }

    /// The ids that `docker` with `words` lists of this project.
    fn ids(&self, words: &[&str]) -> Vec<String> {
        let filter = self.filter();
        let listed = quietly(&[words, &["--quiet", "--filter", &filter]].concat());
        listed.lines().map(Into::into).collect()
    }

    /// Shows the containers' states, and the ends of the logs of the seed and of some
    /// unhealthy containers.
    fn report(&self) {
        let filter = self.filter();
        let all = ["ps", "--all", "--filter", &filter];
        eprintln!("compose: the containers at the failure:\n{}", quietly(&all));
        let seed = "label=com.docker.compose.service=seed";
        let seeds = self.ids(&["ps", "--all", "--filter", seed]);
        let unwell = ["health=unhealthy", "status=exited", "status=dead"]
            .into_iter()
            .flat_map(|state| self.ids(&["ps", "--all", "--filter", state]));
        for id in seeds.into_iter().chain(unwell.take(FAILING_SHOWN)) {
            eprintln!("compose: {}", Container(id).account());
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Otherwise it was removed.
        if thread::panicking() {
            if !interrupt::pending() {
                self.report();
            }
            self.tear_down();
        }
    }
}

/// The output of `docker` with `words`, empty if it fails: for reports and clean-up after a
/// failure, which must not fail too.
fn quietly(words: &[impl AsRef<std::ffi::OsStr>]) -> String {
    let mut command = Command::new("docker");
    let ended = engine::attempt(command.args(words), CALL_MAX, Heed::Nothing);
    ended.map(|ended| ended.stdout).unwrap_or_default()
}

/// Now, as the engine takes times.
fn unix_time() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}
