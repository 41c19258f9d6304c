//! What each shard does in a second, told once a second to those that listen.

use std::sync::Arc;
use std::time::Duration;

use kad_node::driver::ShardStats;
use kad_node::node::{Histograms, TIME_BOUNDS_US, Times};
use serde_json::{Value, json};
use tokio::time::{self, Instant, MissedTickBehavior};

use super::app::App;

/// How often rates are told.
const PERIOD: Duration = Duration::from_secs(1);

/// Tells rates for as long as the server runs. While no client listens it asks for nothing.
pub(crate) async fn tell(app: Arc<App>) {
    let mut ticks = time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<(Instant, Vec<ShardStats>)> = None;
    loop {
        ticks.tick().await;
        app.watch();
        if !app.feed.is_heard() {
            before = None;
            continue;
        }
        let Ok(shards) = app.node.stats().await else { continue };
        let now = Instant::now();
        if let Some((since, earlier)) = &before {
            app.feed.tell("rates", || rates(earlier, &shards, now - *since));
        }
        before = Some((now, shards));
    }
}

/// The rates between two samples, `elapsed` apart, and the gauges of the later one.
fn rates(earlier: &[ShardStats], later: &[ShardStats], elapsed: Duration) -> Value {
    let shards = earlier.iter().zip(later).map(|(earlier, later)| shard(earlier, later, elapsed));
    let (before, total) = (ShardStats::total(earlier), ShardStats::total(later));
    let gets = total.histograms.gets.count() - before.histograms.gets.count();
    let puts = total.histograms.puts.count() - before.histograms.puts.count();
    json!({
        "elapsed_us": super::views::micros(elapsed),
        "shards": shards.collect::<Vec<_>>(),
        "gets": gets,
        "puts": puts,
        "contacts": total.node.contacts,
        "values": total.node.values,
        "value_bytes": total.node.value_bytes,
        "values_published": total.node.values_published,
        "lookups": total.node.lookups,
        "rpcs": total.node.rpcs,
    })
}

/// What one shard has done meanwhile.
fn shard(earlier: &ShardStats, later: &ShardStats, elapsed: Duration) -> Value {
    let per_second = |earlier: u64, later: u64| {
        let more = u128::from(later.saturating_sub(earlier)) * 1_000_000;
        u64::try_from(more / elapsed.as_micros().max(1)).unwrap_or(u64::MAX)
    };
    let (busy, waiting) = (
        later.driver.busy_us - earlier.driver.busy_us,
        later.driver.waiting_us - earlier.driver.waiting_us,
    );
    let round_trips = round_trips(later).since(&round_trips(earlier));
    json!({
        "received_per_s":
            per_second(earlier.node.datagrams_received, later.node.datagrams_received),
        "sent_per_s": per_second(earlier.node.datagrams_sent, later.node.datagrams_sent),
        "busy_percent": 100 * busy / (busy + waiting).max(1),
        "round_trip_median_us": percentile(&round_trips, 50),
        "round_trip_p90_us": percentile(&round_trips, 90),
    })
}

/// The round trips of all requests of a shard.
fn round_trips(shard: &ShardStats) -> Times {
    let Histograms { pings, find_nodes, find_values, stores, .. } = &shard.histograms;
    let mut all = *pings;
    for times in [find_nodes, find_values, stores] {
        all += times;
    }
    all
}

/// The time that `percent` of the values do not exceed, in microseconds, as if the values of
/// a bucket were spread evenly over it; none where there are no values.
fn percentile(times: &Times, percent: u64) -> Option<u64> {
    let rank = (times.count() * percent).div_ceil(100).checked_sub(1)?;
    let (mut below, mut from) = (0, 0);
    for (&count, &to) in times.counts.iter().zip(&TIME_BOUNDS_US) {
        if rank < below + count {
            return Some(from + (to - from) * (rank - below + 1) / count);
        }
        (below, from) = (below + count, to);
    }
    Some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_came_in_the_time_between_two_samples() {
        let mut earlier = ShardStats::default();
        earlier.node.datagrams_received = 100;
        let mut later = earlier.clone();
        later.node.datagrams_received = 400;
        later.node.contacts = 7;
        (later.driver.busy_us, later.driver.waiting_us) = (25, 75);
        let told = rates(&[earlier], &[later], Duration::from_millis(1500));
        assert_eq!(told["shards"][0]["received_per_s"], 200);
        assert_eq!(told["shards"][0]["busy_percent"], 25);
        assert_eq!((&told["contacts"], &told["elapsed_us"]), (&json!(7), &json!(1_500_000)));
        assert_eq!(told["shards"][0]["round_trip_median_us"], json!(null), "no request has ended");
    }

    #[test]
    fn the_percentiles_are_those_of_what_came_meanwhile() {
        let mut earlier = ShardStats::default();
        earlier.histograms.pings.counts[9] = 50;
        let mut later = earlier.clone();
        // Eight of 100 to 250 us, two of 1 to 2.5 ms.
        later.histograms.stores.counts[1] = 8;
        later.histograms.find_nodes.counts[4] = 2;
        let told = shard(&earlier, &later, Duration::from_secs(1));
        assert_eq!(told["round_trip_median_us"], 100 + 150 * 5 / 8);
        assert_eq!(told["round_trip_p90_us"], 1000 + 1500 / 2);
        let beyond = Times { beyond: 1, ..Times::default() };
        assert_eq!(percentile(&beyond, 50), Some(10_000_000), "the last bound at least");
    }
}
