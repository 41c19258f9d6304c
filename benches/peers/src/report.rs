//! The tables, as the README shows them.

use std::fmt::Write as _;
use std::time::Duration;

use crate::Options;
use crate::network::Times;
use crate::peer::Peer;
use crate::single::Singles;

fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Below this part of the closed loop, a peer has waited for the generator.
const BUSY_MIN: f64 = 0.9;

/// Single requests: each peer beside kad-node, by the medians of their rounds.
pub(crate) fn singles(all: &Singles, options: &Options) -> String {
    let Options { rounds, window, rate, .. } = options;
    let mut table = format!(
        "Single requests, medians of {rounds} rounds; closed loop with {window} in flight, open \
         loop of {rate} a second\n\n| peer | request | answers a second | kad-node's / its | CPU \
         for each | kad-node's / its | its core busy | p50, p99 | lost, wrong |\n\
         |---|---|---|---|---|---|---|---|---|\n"
    );
    let Some(own) = all.peers.iter().find(|one| one.peer == Peer::KadNode) else {
        return "kad-node did not serve\n".into();
    };
    let mut is_limited = false;
    for one in &all.peers {
        let (rate, cpu_ns) = (median(&one.rates), median(&one.cpu_ns));
        let busy: Vec<f64> =
            one.rates.iter().zip(&one.cpu_ns).map(|(rate, cpu_ns)| rate * cpu_ns / 1e9).collect();
        let busy = median(&busy);
        let mark = if busy < BUSY_MIN { " !" } else { "" };
        is_limited |= busy < BUSY_MIN;
        let _ = writeln!(
            table,
            "| {} | {} | {rate:.0}{mark} | {:.2} | {:.2} µs | {:.2} | {:.0} % | {:.1} µs, \
             {:.1} µs | {}, {} |",
            one.peer.name(),
            one.peer.request(),
            ratio(&own.rates, &one.rates),
            cpu_ns / 1e3,
            ratio(&own.cpu_ns, &one.cpu_ns),
            busy * 100.0,
            median(&one.p50_ns) / 1e3,
            median(&one.p99_ns) / 1e3,
            one.lost,
            one.wrong
        );
    }
    if is_limited {
        table += "\n! the peer was idle at times: the generator, or the machine, was the limit\n";
    }
    let _ = writeln!(
        table,
        "\nThe generator waited for a core for {:.0} % of the time{}",
        all.queued_share * 100.0,
        if all.queued_share > QUEUED_SHARE_MAX { ": the machine was crowded" } else { "" }
    );
    table
}

/// Above this part of the time, waiting for a core shows in the numbers.
const QUEUED_SHARE_MAX: f64 = 0.02;

/// The median of the ratios of each round, in which both had their turn.
fn ratio(one: &[f64], other: &[f64]) -> f64 {
    let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| one / other).collect();
    median(&ratios)
}

/// Whole puts and gets.
pub(crate) fn networks(networks: &[(Peer, Times)], options: &Options) -> String {
    let mut table = format!(
        "Whole operations, one after the other, in a network of {} and two more: {} rounds of {}\
         \n\n",
        options.nodes, options.network_rounds, options.operations
    );
    table += "| peer | put: median, slowest | get: median, slowest | done, failed |\n\
              |---|---|---|---|\n";
    for (peer, times) in networks {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {}, {} |",
            peer.name(),
            show(&times.puts),
            show(&times.gets),
            times.puts.len() + times.gets.len(),
            times.failed
        );
    }
    table
}

fn show(times: &[Duration]) -> String {
    let mut ms: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    let slowest = ms.last().copied().unwrap_or(f64::NAN);
    format!("{:.2} ms, {slowest:.2} ms", median(&ms))
}
