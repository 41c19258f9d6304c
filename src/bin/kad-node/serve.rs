//! A node that serves, and its prompt.

use std::io::{self, BufWriter, IsTerminal as _};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use kad_node::driver::{Commander, DriverEvent, Events, Pin};
use kad_node::node::{Command, Event};
use kad_node::wire::Role;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::NodeArgs;
use crate::bootstrap::{self, Joiner, Reach};
use crate::failure::Failure;
use crate::joining::Joining;
use crate::launch::{self, RESOLVE_MAX, Shards};
use crate::reply::{self, Audience};
use crate::session::{Flow, Session, SessionError};
use crate::{leaving, log, pipe, terminal};

/// How long the first command of a pipe waits for the node to join, so that a
/// script needs no pause before it. A person is not kept waiting.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(10);

/// Runs a node until it is told to stop.
pub(crate) fn run(args: &NodeArgs) -> Result<(), Failure> {
    log::start(&args.log)?;
    bootstrap::refuse_hopeless(&args.bootstrap, args.listen)?;
    let signals = Termination::catch()?;
    let mut rng = launch::rng()?;
    let mut config = launch::config(&mut rng, args.id, Role::Peer, &args.lookup);
    launch::set_life(&mut config, &args.life);
    config.store_bytes_max = args.store_bytes;
    config.announce = args.announce.map(|announce| {
        // Port 0 stands for the bound one, which is known once it is bound.
        SocketAddr::new(announce.ip, announce.port.unwrap_or(args.listen.port()))
    });
    let (id, announce) = (config.id, config.announce);
    let shards = Shards { count: args.cores, steering: args.steering, pin: Pin::Pinned };
    let mut running = launch::start(args.listen, shards, &args.io, 0, config)?;
    launch::warn_of_fallback(&running);
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
        tracing::warn!("peers do not reach this node at --announce {announce}: {obstacle}");
    }
    let joining = Joining::default();
    if !args.bootstrap.is_empty() {
        let commander = running.commander();
        let node = Joiner { id, network: args.lookup.network.clone(), reach };
        bootstrap::follow(args.bootstrap.clone(), node, joining.clone(), move |addresses| {
            commander.send(Command::Bootstrap { addresses })
        });
    }
    if io::stdin().is_terminal() {
        welcome(address);
    }
    let join_wait = if args.bootstrap.is_empty() { Duration::ZERO } else { JOIN_WAIT_MAX };
    let attended = Attended {
        events: running.take_events(),
        commander: running.commander(),
        joining,
        join_wait,
        leave: args.leave,
    };
    let result = attend(attended, signals);
    let stopped = launch::stop(running)?;
    if !args.leave.is_zero() {
        leaving::tell(&stopped);
    }
    result
}

/// A peer to find the way to, where the bound address leaves it open.
fn first_peer(args: &NodeArgs, bound: SocketAddr) -> Option<SocketAddr> {
    if !bound.ip().is_unspecified() || args.bootstrap.is_empty() {
        return None;
    }
    let addresses = bootstrap::resolve_within(&args.bootstrap, RESOLVE_MAX).ok()?;
    addresses.into_iter().find(|addr| Reach::of(bound).obstacle(*addr).is_none())
}

/// Says what a person who has just started a node can do.
fn welcome(address: SocketAddr) {
    let program = std::env::args().next().unwrap_or_else(|| "kad-node".into());
    let mut listen = SocketAddr::new(address.ip(), 0);
    if !address.ip().is_loopback() {
        listen = launch::any_like(address);
    }
    eprintln!("This node is {address}. Another one joins it, in a second terminal, by");
    eprintln!("    {program} --listen {listen} --bootstrap {address}");
    eprintln!("Type 'put some text' here and 'get KEY' there; 'help' lists the commands.");
}

/// A running node whose events go to the prompt.
pub(crate) struct Attended {
    pub(crate) events: Events,
    pub(crate) commander: Commander,
    pub(crate) joining: Joining,
    /// How long the first command of a pipe waits for the node to join.
    pub(crate) join_wait: Duration,
    /// How long the node may take to leave before it is stopped; zero: it is stopped
    /// at once.
    pub(crate) leave: Duration,
}

/// Signals that end the program, from here on.
pub(crate) struct Termination(Signals);

impl Termination {
    /// Catches SIGINT and SIGTERM.
    pub(crate) fn catch() -> Result<Self, Failure> {
        Signals::new([SIGINT, SIGTERM])
            .map(Self)
            .map_err(|error| Failure::Failed(format!("cannot catch signals: {error}")))
    }
}

/// Why the program stops, or need not wait any longer before it does.
pub(crate) enum Stop {
    Signal(&'static str),
    /// The prompt said `exit`, or its terminal's input ended.
    Prompt,
    /// Standard output cannot be written.
    Output(io::Error),
    /// The node has left, as it was told to.
    Left,
    NodeGone,
}

/// Runs the prompt until something asks to stop.
pub(crate) fn attend(node: Attended, signals: Termination) -> Result<(), Failure> {
    let original = terminal::Original::remember();
    let (stops, stopped) = mpsc::channel();
    let (answers, answered) = mpsc::channel();

    let on_signal = stops.clone();
    thread::spawn(move || await_signal(signals, &on_signal));
    let (on_gone, joining) = (stops.clone(), node.joining.clone());
    thread::spawn(move || {
        route(&node.events, &joining, &answers, &on_gone);
        // The program may be stopping by itself by now.
        let _ = on_gone.send(Stop::NodeGone);
    });
    let session = Session::new(node.commander.clone(), answered, Audience::of_stdout());
    thread::spawn(move || prompt(session, &node.joining, node.join_wait, &stops));

    let stop = stopped.recv().unwrap_or(Stop::NodeGone);
    if matches!(stop, Stop::Signal(_) | Stop::NodeGone) {
        original.restore();
    }
    log::print_plainly();
    let result = tell(stop, node.leave);
    if !node.leave.is_zero() {
        leaving::leave(&node.commander, &stopped, node.leave);
    }
    result
}

/// Says why the program stops, and what it does before; an error where it should
/// not have to.
fn tell(stop: Stop, leave: Duration) -> Result<(), Failure> {
    let first = if leave.is_zero() {
        String::new()
    } else {
        let most = reply::time(leave);
        format!(": hands its values over first, for {most} at most or until it is told again")
    };
    match stop {
        Stop::Signal(name) => tracing::info!("stopping on {name}{first}"),
        Stop::Prompt => tracing::info!("stopping{first}"),
        Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            tracing::debug!("stopping, for nobody reads standard output any more{first}");
        }
        Stop::Output(error) => {
            return Err(Failure::Failed(format!("cannot write to standard output: {error}")));
        }
        Stop::Left | Stop::NodeGone => {
            return Err(Failure::Failed("the node's thread has ended".into()));
        }
    }
    Ok(())
}

fn await_signal(mut signals: Termination, stops: &Sender<Stop>) {
    for signal in signals.0.forever() {
        let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
        if stops.send(Stop::Signal(name)).is_err() {
            return;
        }
    }
}

/// Hands the answers to the prompt and the rest to whom it concerns, until the
/// node stops.
fn route(events: &Events, joining: &Joining, answers: &Sender<DriverEvent>, stops: &Sender<Stop>) {
    for event in events.iter() {
        match event {
            DriverEvent::Node(Event::Joined { contacts }) => {
                tracing::info!(contacts, "joined");
                joining.complete();
            }
            // The program may have stopped waiting for it.
            DriverEvent::Node(Event::Left { .. }) => drop(stops.send(Stop::Left)),
            // A prompt that has ended asks nothing.
            answer => drop(answers.send(answer)),
        }
    }
}

fn prompt(mut session: Session, joining: &Joining, join_wait: Duration, stops: &Sender<Stop>) {
    let out = BufWriter::new(io::stdout());
    let result = if io::stdin().is_terminal() {
        terminal::run(&mut session, out)
    } else {
        if !join_wait.is_zero() && !joining.wait(join_wait) {
            tracing::warn!("no bootstrap node answers yet: commands run on this node alone");
        }
        pipe::run(&mut session, io::stdin().lock(), out)
    };
    let stop = match result {
        // The end of input on a pipe leaves the node serving.
        Ok(Flow::Continue) => return,
        Ok(Flow::Exit) => Stop::Prompt,
        Err(SessionError::Output(error)) => Stop::Output(error),
        Err(SessionError::NodeGone) => Stop::NodeGone,
    };
    let _ = stops.send(stop);
}
