//! How long what the node does takes, and how many hops it goes: distributions, beside the
//! counters.
//!
//! A request of others is answered within the turn, and has no part here: the hot path
//! records nothing.

use core::time::Duration;

use super::command::{Event, Found, Stored};
use super::request::Ask;

/// Upper bounds of the buckets of times, in microseconds: from a round trip over loopback to
/// the longest lookup.
pub const TIME_BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];
/// Upper bounds of the buckets of hops.
pub const HOP_BOUNDS: [u64; 8] = [0, 1, 2, 3, 4, 5, 6, 8];

/// A distribution over `N` bounded buckets, and one without bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram<const N: usize> {
    /// Values in each bounded bucket, not in those below it.
    pub counts: [u64; N],
    /// Values above the last bound.
    pub beyond: u64,
    /// The sum of all values.
    pub sum: u64,
}

/// A distribution of times, in microseconds.
pub type Times = Histogram<{ TIME_BOUNDS_US.len() }>;
/// A distribution of hops.
pub type Hops = Histogram<{ HOP_BOUNDS.len() }>;

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { counts: [0; N], beyond: 0, sum: 0 }
    }
}

impl<const N: usize> Histogram<N> {
    fn record(&mut self, bounds: &[u64; N], value: u64) {
        let bucket = bounds.iter().position(|&bound| value <= bound);
        *bucket.map_or(&mut self.beyond, |bucket| &mut self.counts[bucket]) += 1;
        self.sum += value;
    }

    /// The values that came since `earlier`, an earlier state of the same distribution.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.counts;
        for (count, before) in counts.iter_mut().zip(earlier.counts) {
            *count = count.saturating_sub(before);
        }
        Self {
            counts,
            beyond: self.beyond.saturating_sub(earlier.beyond),
            sum: self.sum.saturating_sub(earlier.sum),
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.beyond
    }
}

impl<const N: usize> core::ops::AddAssign<&Self> for Histogram<N> {
    /// Adds another shard's values to these.
    fn add_assign(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.beyond += other.beyond;
        self.sum += other.sum;
    }
}

macro_rules! histograms {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty,)+) => {
        /// The distributions of one shard.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Histograms { $($(#[doc = $doc])+ pub $name: $kind,)+ }

        impl core::ops::AddAssign<&Histograms> for Histograms {
            /// Adds another shard's values to these.
            fn add_assign(&mut self, other: &Histograms) {
                $(self.$name += &other.$name;)+
            }
        }
    };
}

histograms! {
    /// From the first send of a PING to its answer.
    pings: Times,
    /// From the first send of a `FIND_NODE` to its answer.
    find_nodes: Times,
    /// From the first send of a `FIND_VALUE` to its answer.
    find_values: Times,
    /// From the first send of a STORE to its answer.
    stores: Times,
    /// From a `FIND_RANGE` to the first piece that comes of its answer. What is lost is asked
    /// for anew, by a request of its own.
    find_ranges: Times,
    /// From the first send of a RENEW to its answer.
    renews: Times,
    /// Lookups, maintenance among them, with the STOREs that follow.
    lookups: Times,
    /// Puts of the user.
    puts: Times,
    /// Gets of the user.
    gets: Times,
    /// Hops of gets that found the value.
    get_hops: Hops,
    /// Hops to the farthest-fetched node of a put.
    put_hops: Hops,
}

fn record(times: &mut Times, elapsed: Duration) {
    times.record(&TIME_BOUNDS_US, u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
}

impl Histograms {
    /// Records a request that was answered.
    pub(crate) fn answered(&mut self, ask: &Ask, elapsed: Duration) {
        let times = match ask {
            Ask::Ping => &mut self.pings,
            Ask::FindNode { .. } => &mut self.find_nodes,
            Ask::FindValue { .. } => &mut self.find_values,
            Ask::Store { .. } => &mut self.stores,
            Ask::Renew { .. } => &mut self.renews,
        };
        record(times, elapsed);
    }

    /// Records the first piece of the answer to a `FIND_RANGE`.
    pub(crate) fn answered_range(&mut self, elapsed: Duration) {
        record(&mut self.find_ranges, elapsed);
    }

    /// Records a lookup that has ended.
    pub(crate) fn looked_up(&mut self, elapsed: Duration) {
        record(&mut self.lookups, elapsed);
    }

    /// Records a put or a get that has ended, and was not refused.
    pub(crate) fn told(&mut self, event: &Event) {
        match event {
            Event::Put { outcome: Ok(Stored { hops, .. }), elapsed, .. } => {
                record(&mut self.puts, *elapsed);
                self.put_hops.record(&HOP_BOUNDS, u64::from(*hops));
            }
            Event::Get { outcome: Ok(found), elapsed, .. } => {
                record(&mut self.gets, *elapsed);
                if let Some(Found { hops, .. }) = found {
                    self.get_hops.record(&HOP_BOUNDS, u64::from(*hops));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_is_large_enough() {
        let mut times = Times::default();
        for us in [0, 100, 101, 10_000_000, 10_000_001] {
            record(&mut times, Duration::from_micros(us));
        }
        assert_eq!((times.counts[0], times.counts[1], times.counts[15]), (2, 1, 1));
        assert_eq!((times.beyond, times.count(), times.sum), (1, 5, 20_000_202));
        let mut both = times;
        both += &times;
        assert_eq!((both.counts[0], both.beyond, both.sum), (4, 2, 40_000_404));
    }
}
