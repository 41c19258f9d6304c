//! Commands that ask a running node over its HTTP API, and print what it answers as the
//! prompt would.

mod api;
mod view;

use std::io::Write as _;
use std::time::Instant;

use serde_json::Value;

use self::api::Api;
use self::view::Trace;
use crate::args::{Format, PeersArgs, RemoteArgs, StatsArgs, TraceArgs};
use crate::failure::Failure;
use crate::figures::{self, Traffic, Zeros};
use crate::one_shot::{keys, of_one_shot};
use crate::output::{print, print_json};
use crate::reply::{self, Audience};

/// Shows what a node counts.
pub(crate) fn stats(args: &StatsArgs) -> Result<(), Failure> {
    let shown = || {
        let mut api = Api::connect(&args.remote)?;
        let node = api.get("/v1/node")?;
        let mut stats = api.get("/v1/stats")?;
        if args.remote.output.output == Format::Json {
            if let Value::Object(members) = &mut stats {
                members.insert("node".into(), node);
            }
            return print_json(&stats);
        }
        let (identity, figures) = (view::identity(node)?, view::figures(stats)?);
        let zeros = if args.all { Zeros::Shown } else { Zeros::Folded };
        print(|out, _| {
            figures::head(&identity, &figures, Traffic::none(identity.started), out)?;
            figures::write(&figures, zeros, out)
        })
    };
    shown().map_err(of_one_shot)
}

/// Shows the routing table of a node.
pub(crate) fn peers(args: &PeersArgs) -> Result<(), Failure> {
    let shown = || {
        let peers = Api::connect(&args.remote)?.get("/v1/peers")?;
        if args.remote.output.output == Format::Json {
            return print_json(&peers);
        }
        let buckets = view::buckets(peers)?;
        print(|out, audience| reply::peers(&buckets, audience, out))
    };
    shown().map_err(of_one_shot)
}

/// Has a node get keys, and shows each hop.
pub(crate) fn trace(args: &TraceArgs) -> Result<(), Failure> {
    trace_all(args).map_err(of_one_shot)
}

fn trace_all(args: &TraceArgs) -> Result<(), Failure> {
    let keys = keys(&args.key)?;
    let mut api = Api::connect(&args.remote)?;
    let mut is_complete = true;
    for key in keys {
        let answer = api.get(&format!("/v1/trace/{key}"))?;
        is_complete &= answer["found"] == true;
        match args.remote.output.output {
            Format::Json => print_json(&answer)?,
            Format::Text => show(&view::trace(answer)?)?,
        }
    }
    if is_complete { Ok(()) } else { Err(Failure::NotFound) }
}

fn show(trace: &Trace) -> Result<(), Failure> {
    print(|out, audience| {
        for hop in &trace.hops {
            reply::hop(hop, out)?;
        }
        for range in &trace.ranges {
            reply::range(range, out)?;
        }
        match (&trace.from, trace.found) {
            (Some(from), true) => write!(out, "from {from}")?,
            (None, true) => write!(out, "from local")?,
            (_, false) => write!(out, "NOTFOUND")?,
        }
        match audience {
            Audience::Person => {
                let asked = reply::counted(trace.asked, "node");
                writeln!(out, " ({asked} asked, {})", reply::time(trace.elapsed))
            }
            Audience::Program => writeln!(out),
        }
    })
}

/// When the answer must be there.
fn deadline(args: &RemoteArgs) -> Instant {
    Instant::now() + args.timeout
}
