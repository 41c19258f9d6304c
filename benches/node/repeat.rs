//! Sends the same request again and again, without a clock, for a counter of instructions.
//! Two runs of different length differ only by the requests.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use kad_node::id::Id;
use kad_node::seal::{Channel, SEALED_BYTES_MAX};
use kad_node::wire::{self, Body};
use kad_node::{NetworkKey, NetworkKeys};

/// Clients that alternate, and requests of theirs that are not counted.
const CLIENTS: u8 = 64;
const WARM_UP: usize = 4096;
/// From one turn to the next.
const TURN: Duration = Duration::from_micros(20);
/// A value that is stored for others.
const HELD: [u8; 100] = [8; 100];

use crate::lookup::Lookup;
use crate::put::Puts;
use crate::world::{PEERS, VALUE, World};

/// Does what `--repeat KIND N` on the command line asks for, if it does.
pub(crate) fn asked_for() -> Option<ExitCode> {
    let arguments: Vec<String> = env::args().collect();
    let place = arguments.iter().position(|argument| argument == "--repeat")?;
    let times = arguments.get(place + 2).and_then(|times| times.parse().ok());
    let outcome = match (arguments.get(place + 1), times) {
        (Some(kind), Some(times)) => repeat(kind, times),
        _ => Err("expected --repeat KIND N".into()),
    };
    Some(outcome.map_or_else(
        |error: String| {
            eprintln!("node: {error}");
            ExitCode::from(2)
        },
        |()| ExitCode::SUCCESS,
    ))
}

fn repeat(kind: &str, times: usize) -> Result<(), String> {
    let mut world = match kind {
        "find-value-journal" => World::with_journal(PEERS),
        _ => World::new(PEERS),
    };
    if kind == "lookup" {
        let mut lookup = Lookup::new(world, Id::of_value(b"absent"));
        (0..times).for_each(|_| _ = black_box(lookup.run()));
        return Ok(());
    }
    if let "put" | "put-known" = kind {
        let mut puts = match kind {
            "put" => Puts::that_look_up(world),
            _ => Puts::of_known_regions(world),
        };
        puts.run_at_least(times);
        return Ok(());
    }
    if kind == "find-values" {
        let body = Body::FindValue { key: Id::of_value(&VALUE), offset: 0 };
        let requests = world.requests(CLIENTS, body);
        // Until it remembers what it does for a busy node.
        for (client, request) in requests.iter().cycle().take(WARM_UP) {
            world.answer_to(*client, request);
        }
        for (client, request) in requests.iter().cycle().take(times) {
            black_box(world.answer_to(*client, black_box(request)));
        }
        return Ok(());
    }
    if kind == "store" {
        let request = world.store(&HELD);
        for _ in 0..times {
            // In a turn of its own: so many STOREs are put off in one.
            world.now = world.now + TURN;
            black_box(world.answer(black_box(&request)));
        }
        return Ok(());
    }
    if kind == "find-value-sealed" {
        return sealed(&mut world, times);
    }
    if kind == "find-value-held" {
        let (store, find) = (world.store(&HELD), world.find(&HELD));
        world.answer(&store);
        (0..times).for_each(|_| _ = black_box(world.answer(black_box(&find)).len()));
        return Ok(());
    }
    let request = match kind {
        "ping" => world.request(Body::Ping),
        "find-node" => world.request(Body::FindNode { target: Id::of_value(b"target") }),
        "find-value" | "find-value-journal" => world.find(&VALUE),
        _ => return Err(format!("no '{kind}': the kinds are in benches/node/instructions.sh")),
    };
    let answer = wire::decode(world.answer(&request)).expect("a node sends no garbage");
    assert!(!matches!(answer.body, Body::Error(_)), "{kind} is refused");
    for _ in 0..times {
        black_box(world.answer(black_box(&request)));
    }
    Ok(())
}

/// A hit of a node in a private network: opened, answered, and the answer sealed.
fn sealed(world: &mut World, times: usize) -> Result<(), String> {
    let keys = NetworkKeys::new(&[NetworkKey::new([1; 32])]).map_err(|error| error.to_string())?;
    let channel = || Channel::new(keys.as_ref()).map_err(|error| error.to_string());
    let (mut node, mut member) = (channel()?, channel()?);
    let (mut request, mut opened, mut reply) =
        ([0; SEALED_BYTES_MAX], [0; SEALED_BYTES_MAX], [0; SEALED_BYTES_MAX]);
    let length = member.seal(&world.find(&VALUE), &mut request);
    for _ in 0..times {
        let find = node.open(black_box(&request[..length]), &mut opened);
        let answer = world.answer(find.expect("it was sealed by the key"));
        black_box(node.seal(answer, &mut reply));
    }
    Ok(())
}
