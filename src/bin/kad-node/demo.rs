//! A whole network in one process: many nodes over loopback UDP, each with its own
//! thread and socket. The prompt is on the first, and so is the page, which has controls of
//! the network.

mod network;
mod progress;

use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::time::{Duration, Instant};

use kad_node::driver::{self, DriverEvent, Faults, IoChoice, Running};
use kad_node::id::Id;
use kad_node::node::{Command, Event, OperationId};
use kad_node::wire::Role;

pub(crate) use self::network::{Control, Order};
use self::network::{Member, Network};
use self::progress::Progress;
use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::http::{About, Endpoint, Server};
use crate::joining::Joining;
use crate::launch;
use crate::membership::Membership;
use crate::own_id::OwnId;
use crate::reply;
use crate::serve::{self, Attended};
use crate::stop::StopSignals;
use crate::terminal::Terminal;
use crate::{log, log_events};

/// How long the network may take to form before the demo gives up.
const FORM_MAX: Duration = Duration::from_mins(5);
/// How long a put may take before the demo gives up.
const PUT_MAX: Duration = Duration::from_mins(1);

/// Most descriptors that the process opens besides those of its nodes. They include the
/// terminal's and those of a few HTTP clients.
const DESCRIPTORS_OWN_MAX: u64 = 40;

/// Descriptors of one node with one shard: its socket, its eventfd and its ring, and
/// what the library under `tokio-uring` opens besides.
const fn descriptors_per_node(io: IoChoice) -> u64 {
    match io {
        IoChoice::Mmsg => 2,
        IoChoice::Auto | IoChoice::Uring => 3,
        IoChoice::TokioUring => 7,
    }
}

/// Runs a network until the prompt says `exit`.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    log::start(&args.log)?;
    let last_port = usize::from(args.base_port) + args.nodes - 1;
    if args.base_port != 0 && last_port > usize::from(u16::MAX) {
        return Err(Failure::Usage(format!(
            "--base-port {} leaves no room for {} ports: use {} or less",
            args.base_port,
            args.nodes,
            usize::from(u16::MAX) + 1 - args.nodes
        )));
    }
    let needed = DESCRIPTORS_OWN_MAX + args.nodes as u64 * descriptors_per_node(args.io.io);
    driver::raise_descriptor_limit().allows(needed).map_err(|few| {
        Failure::Failed(format!(
            "a demo of {} nodes cannot start: {few}, or ask for fewer --nodes",
            args.nodes
        ))
    })?;
    let endpoint = Endpoint::open_nearby(args.http.http, &args.http.access)?;
    let terminal = Terminal::open(args.prompt.history());
    let begun = Instant::now();
    let mut network = start_all(args)?;
    let members = &mut network.members;
    launch::warn_of_fallback(members[0].running());
    await_all(&members[1..])?;
    let greeting = greet(members, args.lookup.k)?;
    let (control, ordered) = Control::new(members);
    let (id, address) = (OwnId::new(members[0].id, None), members[0].address);
    let first = members[0].running_mut();
    let io = first.io();
    let took = reply::time(begun.elapsed());
    tracing::info!(%id, %address, shards = 1, %io, nodes = args.nodes, %took, "ready");
    welcome(args.nodes, greeting);
    let joining = Joining::default();
    let about = About::new(first, (id.clone(), address), &args.lookup, joining.clone());
    let about = About { demo: Some(Arc::clone(&control)), ..about };
    let http = endpoint.map(|endpoint| Server::start(endpoint, about, first.commander()));
    let http = http.transpose()?;
    let feed = http.as_ref().map(Server::feed);
    let attended = Attended {
        events: first.take_events(),
        commander: first.commander(),
        identity: launch::identity(first, (id, address), &args.lookup),
        value_bytes_max: args.lookup.value_max,
        joining,
        disk: None,
        http,
        supervisor: None,
        join_wait: Duration::ZERO,
        // The whole network ends: no node remains that could take values.
        leave: Duration::ZERO,
    };
    let signals = StopSignals::catch()?;
    thread::scope(|scope| {
        if let Some(feed) = feed {
            let (network, control) = (&mut network, &control);
            scope.spawn(move || network.attend(control, &ordered, &feed));
        }
        let result = serve::attend(attended, terminal, signals);
        control.end();
        result
    })
}

/// Suggests what to type. `greeting` is the key of a text that another node has put.
fn welcome(nodes: usize, greeting: Id) {
    if io::stdin().is_terminal() {
        log::say(format_args!(
            "This prompt is on the first of {nodes} nodes; the last node has put a text. Try\n    \
             trace {greeting}\n\
             and 'put some text', 'get KEY', 'peers', 'stats'. 'help' lists all commands."
        ));
    }
}

/// Starts every node; all but the first join through the first.
fn start_all(args: &DemoArgs) -> Result<Network<'_>, Failure> {
    let mut rng = launch::rng()?;
    let keys = Membership::of(&args.lookup)?.keys;
    let faults = Faults::new(args.io.drop);
    let mut members: Vec<Member> = Vec::with_capacity(args.nodes);
    for index in 0..args.nodes {
        let mut config = launch::config(&mut rng, None, Role::Peer, &args.lookup);
        launch::set_life(&mut config, &args.life());
        if index == 0 {
            // The other nodes tell of their work only while a client looks at the page.
            config.log_level = log_events::level();
        }
        let id = config.id;
        let port = if args.base_port == 0 { 0 } else { args.base_port + index as u16 };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (index, config) = (index as u64, (config, keys.clone()));
        let node = launch::start_among(&faults, listen, &args.io, index, config)?;
        if let Some(first) = members.first() {
            launch::join(&node, vec![first.address])?;
        }
        members.push(Member::new(id, node));
    }
    Ok(Network { members, faults, keys, rng, args, is_watched: false })
}

/// Puts a text on the last node and returns its key. The first node is not among the `k`
/// closest to the key, if such a text is found, so that it has to fetch the value.
fn greet(nodes: &[Member], k: usize) -> Result<Id, Failure> {
    const TEXTS_MAX: usize = 1000;
    let last = nodes.last().expect("a demo has a node at least").running();
    let text = |index| format!("Greetings from node {}, of its texts number {index}", nodes.len());
    let far_from_first = |index: &usize| {
        let key = Id::of_value(text(*index).as_bytes());
        nodes.iter().filter(|node| node.id ^ key < nodes[0].id ^ key).count() >= k
    };
    let text = text((1..TEXTS_MAX).find(far_from_first).unwrap_or(1));
    last.commander()
        .send(Command::put(OperationId(0), text.as_bytes()))
        .map_err(|error| Failure::Failed(error.to_string()))?;
    loop {
        match last.events().recv_timeout(PUT_MAX) {
            Ok(DriverEvent::Node(Event::Put { .. })) => break,
            Ok(_) => {}
            Err(error) => {
                return Err(Failure::Failed(format!("the demo's first put did not end: {error}")));
            }
        }
    }
    Ok(Id::of_value(text.as_bytes()))
}

/// Waits until all `nodes` have joined, and shows the progress.
fn await_all(nodes: &[Member]) -> Result<(), Failure> {
    let mut progress = Progress::new(nodes.len());
    let mut forming: Vec<&Running> = nodes.iter().map(Member::running).collect();
    let begun = Instant::now();
    while !forming.is_empty() {
        let mut stopped = None;
        forming.retain(|node| match node.events().try_recv() {
            Ok(event) => !matches!(event, DriverEvent::Node(Event::Joined { .. })),
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Disconnected) => {
                stopped = Some(node.address());
                true
            }
        });
        progress.show(nodes.len() - forming.len());
        if let Some(address) = stopped {
            return Err(Failure::Failed(format!("node {address} of the demo has stopped")));
        }
        if begun.elapsed() > FORM_MAX {
            progress.end();
            return Err(Failure::Failed(format!(
                "{} of {} nodes have not joined within {}: try fewer, or a lower --drop",
                forming.len(),
                nodes.len(),
                reply::time(FORM_MAX)
            )));
        }
        thread::sleep(Progress::INTERVAL);
    }
    progress.end();
    Ok(())
}
