//! Runs a node with its prompt.

use std::io::{self, BufWriter, IsTerminal as _};
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use kad_durable::Counters;
use kad_node::driver::{self, Commander, Data, DriverEvent, Events, Pin, Running, ShardStats};
use kad_node::id::Id;
use kad_node::node::{Command, Config, Event, IdFault, IdPolicy, fitted_id};
use kad_node::printable;
use kad_node::rng::Rng;
use kad_node::wire::Role;

use crate::args::NodeArgs;
use crate::bootstrap::{self, Joiner, Reach};
use crate::clients::Client;
use crate::failure::Failure;
use crate::figures::Identity;
use crate::http::{self, Endpoint, EventSink, Server};
use crate::joining::Joining;
use crate::launch::{self, RESOLVE_MAX, Shards};
use crate::membership::Membership;
use crate::ongoing::Ongoing;
use crate::own_id::OwnId;
use crate::reply::{self, Audience};
use crate::service::Supervisor;
use crate::session::{About, Session, SessionError};
use crate::stop::{Stop, StopSignals};
use crate::terminal::{self, Terminal};
use crate::{data, departing, job_control, log, log_events, pipe};

/// How long the first command of a pipe waits for the node to join, so that a script needs
/// no pause.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(10);

/// Runs a node until a signal, the prompt or an error stops it.
pub(crate) fn run(args: &NodeArgs) -> Result<(), Failure> {
    log::start(&args.log)?;
    bootstrap::refuse_hopeless(&args.bootstrap, args.listen)?;
    let membership = Membership::of(&args.lookup)?;
    let signals = StopSignals::catch()?;
    let endpoint = Endpoint::of(&args.http)?;
    let terminal = Terminal::open(args.prompt.history());
    let mut rng = launch::rng()?;
    let data = data::open(&args.data, args.life.expire)?;
    let claim = |data| data::claim(data, args.id, fitted_id(rng.id(), own_ip(args)));
    let own_id = data.as_ref().map(claim).transpose()?.or(args.id);
    let known = data.as_ref().map(Data::contacts).unwrap_or_default();
    let config = config(args, own_id, &mut rng);
    let (id, announce) = (config.id, config.announce);
    let shards = Shards { count: args.cores, steering: args.steering, pin: Pin::Pinned };
    let node = (config, membership.keys.clone());
    let mut running = launch::start(args.listen, shards, &args.io, 0, node, data)?;
    launch::warn_of_fallback(&running);
    let id = OwnId::new(id, running.id_keeper());
    let bound = running.address();
    let address = match announce {
        Some(announce) if announce.port() == 0 => SocketAddr::new(announce.ip(), bound.port()),
        Some(announce) => announce,
        None => launch::reachable(bound, first_peer(args, bound)),
    };
    tracing::info!(%id, %address, shards = running.shards().get(), io = %running.io(), "ready");

    let reach = Reach::of(bound);
    if let Some(announce) = announce
        && let Some(obstacle) = reach.obstacle(address)
    {
        tracing::warn!("peers cannot reach this node at --announce {announce}: {obstacle}");
    }
    let known = reach.filter(known);
    let is_alone = args.bootstrap.is_empty() && known.is_empty();
    let joining = Joining::default();
    join(args, &running, Joiner { id: id.clone(), membership, reach }, known, &joining)?;
    if io::stdin().is_terminal() {
        welcome(address);
    }
    let http = endpoint.map(|endpoint| {
        let about =
            http::About::new(&running, (id.clone(), address), &args.lookup, joining.clone());
        Server::start(
            endpoint,
            http::About { has_bootstrap: !is_alone, ..about },
            running.commander(),
        )
    });
    let http = http.transpose()?;
    let join_wait = if is_alone { Duration::ZERO } else { JOIN_WAIT_MAX };
    let attended = Attended {
        events: running.take_events(),
        commander: running.commander(),
        identity: launch::identity(&running, (id, address), &args.lookup),
        value_bytes_max: args.lookup.value_max,
        joining,
        join_wait,
        leave: args.leave,
        disk: running.disk_counters(),
        http,
        supervisor: Supervisor::find(),
    };
    let result = attend(attended, terminal, signals);
    let stopped = launch::stop(running)?;
    if !args.leave.is_zero() {
        departing::log_outcome(&stopped);
    }
    result
}

/// Joins by the bootstrap addresses and the contacts `known` from the node's folder, where
/// there are any.
fn join(
    args: &NodeArgs,
    running: &Running,
    node: Joiner,
    known: Vec<SocketAddr>,
    joining: &Joining,
) -> Result<(), Failure> {
    if args.bootstrap.is_empty() {
        return if known.is_empty() { Ok(()) } else { launch::join(running, known) };
    }
    let commander = running.commander();
    bootstrap::follow(args.bootstrap.clone(), node, joining.clone(), move |mut addresses| {
        addresses.extend(&known);
        commander.send(Command::Bootstrap { addresses })
    });
    Ok(())
}

/// The protocol's settings, as the command line says.
fn config(args: &NodeArgs, own_id: Option<Id>, rng: &mut Rng) -> Config {
    let mut config = launch::config(rng, own_id, Role::Peer, &args.lookup);
    // What was drawn once and kept in the folder may be replaced.
    config.id_policy = if args.id.is_some() { IdPolicy::Fixed } else { IdPolicy::Replaceable };
    if own_id.is_none() {
        config.id = fitted_id(config.id, own_ip(args));
    }
    launch::set_life(&mut config, &args.life);
    config.store_bytes_max = args.store_bytes;
    config.log_level = log_events::level();
    config.announce = args.announce.map(|announce| {
        // Port 0 stands for the bound port, which is known only after binding.
        SocketAddr::new(announce.ip, announce.port.unwrap_or(args.listen.port()))
    });
    config
}

/// The address at which peers see the node, as far as the command line says.
fn own_ip(args: &NodeArgs) -> IpAddr {
    args.announce.map_or(args.listen.ip(), |announce| announce.ip)
}

/// A peer whose route decides the node's address, when the bound address is a wildcard.
fn first_peer(args: &NodeArgs, bound: SocketAddr) -> Option<SocketAddr> {
    if !bound.ip().is_unspecified() || args.bootstrap.is_empty() {
        return None;
    }
    let addresses = bootstrap::resolve_within(&args.bootstrap, RESOLVE_MAX).ok()?;
    addresses.into_iter().find(|addr| Reach::of(bound).obstacle(*addr).is_none())
}

/// Suggests what to do next, on a terminal.
fn welcome(address: SocketAddr) {
    let program = std::env::args_os().next().unwrap_or_else(|| "kad-node".into());
    let program = printable::line(&program.to_string_lossy()).to_string();
    let mut listen = SocketAddr::new(address.ip(), 0);
    if !address.ip().is_loopback() {
        listen = launch::any_like(address);
    }
    log::say(format_args!(
        "This node is {address}. To join it with another node, type elsewhere\n    \
         {program} --listen {listen} --bootstrap {address}\n\
         Then type 'put some text' here and 'get KEY' there. 'help' lists the commands."
    ));
}

/// A running node whose events go to the prompt.
pub(crate) struct Attended {
    pub(crate) events: Events,
    pub(crate) commander: Commander,
    pub(crate) identity: Identity,
    /// Most bytes of a value that it takes.
    pub(crate) value_bytes_max: usize,
    pub(crate) joining: Joining,
    /// How long the first command waits at most for the node to join.
    pub(crate) join_wait: Duration,
    /// How long the node may take to depart before it is stopped; with zero it is stopped
    /// immediately.
    pub(crate) leave: Duration,
    /// What the node's folder counts, where it has one.
    pub(crate) disk: Option<Arc<Counters>>,
    /// The HTTP API, where it is served.
    pub(crate) http: Option<Server>,
    /// The supervisor that started the program, if it wants to hear of it.
    pub(crate) supervisor: Option<Supervisor>,
}

/// Runs the prompt until a [`Stop`] arrives.
pub(crate) fn attend(
    node: Attended,
    terminal: Option<Terminal>,
    signals: StopSignals,
) -> Result<(), Failure> {
    let original = terminal::Original::remember();
    let (stops, stopped) = mpsc::channel();
    let (answers, answered) = mpsc::channel();

    let ongoing = Ongoing::new(node.commander.clone());
    let (on_signal, interrupted) = (stops.clone(), ongoing.clone());
    thread::spawn(move || signals.forward(&interrupted, &on_signal));
    let routes = Routes {
        own_id: node.identity.id.clone(),
        joining: node.joining.clone(),
        prompt: answers,
        http: node.http.as_ref().map(Server::sink),
        supervisor: node.supervisor.as_ref().map(|it| it.follow(node.commander.clone())),
        stops: stops.clone(),
    };
    let on_gone = stops.clone();
    thread::spawn(move || {
        // At a shard's priority it would take the core from one with each answer.
        driver::give_way();
        routes.run(&node.events);
        // The program may already be stopping.
        let _ = on_gone.send(Stop::NodeGone);
    });
    let audience = Audience::of_stdout();
    let recent = terminal.as_ref().map(Terminal::recent_keys).unwrap_or_default();
    let Attended { identity, value_bytes_max, disk, .. } = node;
    let about = About { identity, value_bytes_max, disk, recent };
    let session = Session::new(node.commander.clone(), answered, audience, ongoing.clone(), about);
    thread::spawn(move || match terminal {
        Some(terminal) => {
            node.joining.wait_at_prompt(node.join_wait, &ongoing);
            prompt(session, terminal, &ongoing, &stops);
        }
        None => read_pipe(session, &node.joining, node.join_wait, &stops),
    });

    let stop = stopped.recv().unwrap_or(Stop::NodeGone);
    if matches!(stop, Stop::Signal(_) | Stop::Hangup | Stop::NodeGone) {
        original.restore();
    }
    log::print_plainly();
    let result = log_stop(stop, node.leave);
    if let Some(http) = &node.http {
        http.depart();
    }
    if let Some(supervisor) = &node.supervisor {
        supervisor.depart();
    }
    if !node.leave.is_zero() {
        departing::depart(&node.commander, &stopped, node.leave);
    }
    if let Some(http) = node.http {
        http.stop();
    }
    result
}

/// Logs why the program stops and what it does first. Fails when the reason is an error.
fn log_stop(stop: Stop, leave: Duration) -> Result<(), Failure> {
    let first = if leave.is_zero() {
        String::new()
    } else {
        let most = reply::time(leave);
        format!(": handing values off first, for {most} at most; a second signal ends this")
    };
    match stop {
        Stop::Signal(name) => tracing::info!("stopping on {name}{first}"),
        Stop::Hangup => tracing::info!("stopping on SIGHUP{first}"),
        Stop::Prompt => tracing::info!("stopping{first}"),
        Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            tracing::debug!("stopping because standard output is closed{first}");
        }
        Stop::Output(error) => {
            return Err(Failure::Failed(format!("cannot write to standard output: {error}")));
        }
        Stop::Left(_) | Stop::Departed | Stop::NodeGone => {
            return Err(Failure::Failed("the node's thread has ended".into()));
        }
    }
    Ok(())
}

/// Where the node's events go.
struct Routes {
    own_id: OwnId,
    joining: Joining,
    prompt: Sender<DriverEvent>,
    http: Option<EventSink>,
    supervisor: Option<Sender<DriverEvent>>,
    stops: Sender<Stop>,
}

impl Routes {
    /// Passes each answer to the client that waits for it, and handles all other events,
    /// until the node stops.
    fn run(self, events: &Events) {
        for event in events.iter() {
            if let Some(http) = &self.http {
                http.observe(&event);
            }
            let Some(event) = log_events::take(event) else { continue };
            match (Client::of(&event), event) {
                (_, DriverEvent::Node(Event::Joined { contacts })) => {
                    tracing::info!(contacts, "joined");
                    self.joining.complete();
                }
                (_, DriverEvent::Node(Event::BadId { id, fault, replaced_by })) => {
                    self.note_bad_id(id, fault, replaced_by);
                }
                // The program may no longer wait for it.
                (_, DriverEvent::Node(Event::Departed { .. })) => {
                    drop(self.stops.send(Stop::Departed));
                }
                // So does how many values are left, for which it asks while it departs.
                (Some(Client::Program), DriverEvent::Stats { shards, .. }) => {
                    let left = ShardStats::total(&shards).node.values_to_hand_off;
                    drop(self.stops.send(Stop::Left(left)));
                }
                (Some(Client::Http), answer) => {
                    if let Some(http) = &self.http {
                        http.deliver(answer);
                    }
                }
                (Some(Client::Supervisor), answer) => {
                    if let Some(supervisor) = &self.supervisor {
                        // Its thread ends only with the node.
                        let _ = supervisor.send(answer);
                    }
                }
                // The prompt may have ended.
                (_, answer) => drop(self.prompt.send(answer)),
            }
        }
    }
}

impl Routes {
    fn note_bad_id(&self, id: Id, fault: IdFault, replaced_by: Option<Id>) {
        match (replaced_by, fault) {
            (Some(new), _) => {
                tracing::warn!("the id {id} cannot be used: {fault}; the node takes the id {new}");
                self.own_id.replace(new);
            }
            (None, IdFault::Taken { .. } | IdFault::Unfit { .. }) => tracing::warn!(
                "the id {id} cannot be used: {fault}; leave --id out, or give another"
            ),
            (None, IdFault::Unlisted { .. }) => tracing::warn!(
                "the node serves no peer: {fault}; check that peers reach it at its address"
            ),
        }
    }
}

/// Runs the prompt on a terminal.
fn prompt(mut session: Session, mut terminal: Terminal, ongoing: &Ongoing, stops: &Sender<Stop>) {
    let out = BufWriter::new(io::stdout());
    match terminal.run(&mut session, ongoing, out) {
        Err(SessionError::Output(_)) if job_control::has_hung_up() => {}
        ended => send_stop(ended, stops),
    }
}

/// Runs the prompt on a pipe. Its input may end while the node keeps serving.
fn read_pipe(session: Session, joining: &Joining, join_wait: Duration, stops: &Sender<Stop>) {
    let out = BufWriter::new(io::stdout());
    if !join_wait.is_zero() && !joining.wait_shown(join_wait, || true) {
        tracing::warn!("no bootstrap node answers yet: commands run only on this node");
    }
    let ended = pipe::run(session, out);
    if matches!(ended, Ok(ControlFlow::Continue(()))) {
        tracing::info!("end of input: the node keeps serving; SIGTERM stops it");
    }
    send_stop(ended, stops);
}

/// Stops the program, when the end of the prompt asks for it.
fn send_stop(ended: Result<ControlFlow<()>, SessionError>, stops: &Sender<Stop>) {
    let stop = match ended {
        Ok(ControlFlow::Continue(())) => return,
        Ok(ControlFlow::Break(())) => Stop::Prompt,
        Err(SessionError::Output(error)) => Stop::Output(error),
        Err(SessionError::NodeGone) => Stop::NodeGone,
    };
    // The program may already be stopping.
    let _ = stops.send(stop);
}
