//! When each request is due.
//!
//! In an open loop the moments are fixed beforehand and do not wait for answers,
//! as independent users do not. All times are nanoseconds since the run's start.

use kad_node::rng::Rng;

use crate::quantity::SECOND_NS;

/// How requests are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    Uniform,
    /// Independently of one another.
    Poisson,
}

/// The share of one thread in an open loop's schedule.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Requests a second of all threads.
    pub rate: u64,
    /// Requests that are due together.
    pub burst: u64,
    /// Which thread, from 0.
    pub thread: u64,
    /// Of how many.
    pub threads: u64,
}

/// The moments at which one thread's requests are due.
#[derive(Clone, Debug)]
pub struct Schedule {
    share: Share,
    gaps: Gaps,
    next_ns: u64,
    /// Requests of the current burst that are still to be taken.
    left: u64,
}

#[derive(Clone, Debug)]
enum Gaps {
    /// Of all threads' bursts, this thread's have the numbers thread, thread +
    /// threads, thread + 2 threads and so on.
    Uniform { burst: u64 },
    /// A Poisson process of the full rate is as many independent ones of its
    /// parts as there are threads.
    Poisson { rng: Box<Rng>, mean_ns: f64, due_ns: f64 },
}

impl Schedule {
    /// The schedule of one thread.
    pub fn new(arrivals: Arrivals, share: Share, rng: Rng) -> Self {
        let gaps = match arrivals {
            Arrivals::Uniform => Gaps::Uniform { burst: share.thread },
            Arrivals::Poisson => {
                let bursts = share.threads as f64 * share.burst as f64;
                let mean_ns = SECOND_NS as f64 / share.rate as f64 * bursts;
                Gaps::Poisson { rng: Box::new(rng), mean_ns, due_ns: 0.0 }
            }
        };
        let mut schedule = Self { share, gaps, next_ns: 0, left: share.burst };
        schedule.next_ns = schedule.next_burst();
        schedule
    }

    /// When the next request is due.
    pub const fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Goes on to the request after it.
    pub fn advance(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.left = self.share.burst;
            self.next_ns = self.next_burst();
        }
    }

    fn next_burst(&mut self) -> u64 {
        match &mut self.gaps {
            Gaps::Uniform { burst } => {
                // Each from its number, so that nothing adds up over a long run.
                let request = u128::from(*burst) * u128::from(self.share.burst);
                *burst += self.share.threads;
                (request * u128::from(SECOND_NS) / u128::from(self.share.rate)) as u64
            }
            Gaps::Poisson { rng, mean_ns, due_ns } => {
                // Of (0, 1], so that the logarithm is finite.
                let uniform = ((rng.u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
                *due_ns -= *mean_ns * uniform.ln();
                *due_ns as u64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dues(arrivals: Arrivals, share: Share, count: usize) -> Vec<u64> {
        let mut schedule = Schedule::new(arrivals, share, Rng::from_u64(share.thread));
        let next = || {
            let due = schedule.next_ns();
            schedule.advance();
            due
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn request_i_is_due_at_i_over_the_rate() {
        let share = Share { rate: 3, burst: 1, thread: 0, threads: 1 };
        let dues = dues(Arrivals::Uniform, share, 7);
        let third = 333_333_333;
        assert_eq!(
            dues,
            [0, third, 2 * third, SECOND_NS, 1_333_333_333, 1_666_666_666, 2 * SECOND_NS]
        );
    }

    #[test]
    fn threads_share_one_schedule() {
        let one = Share { rate: 1000, burst: 4, thread: 0, threads: 1 };
        let whole = dues(Arrivals::Uniform, one, 48);
        let mut parts: Vec<u64> = (0..3)
            .flat_map(|thread| dues(Arrivals::Uniform, Share { thread, threads: 3, ..one }, 16))
            .collect();
        parts.sort_unstable();
        assert_eq!(parts, whole);
        assert_eq!(whole[..5], [0, 0, 0, 0, 4_000_000], "a burst is due together");
    }

    #[test]
    fn a_poisson_schedule_keeps_its_rate_and_does_not_keep_its_distances() {
        let share = Share { rate: 1000, burst: 2, thread: 0, threads: 2 };
        let dues = dues(Arrivals::Poisson, share, 20_000);
        assert!(dues.is_sorted());
        // Half of 1000 a second: 20 000 take 40 s, within five standard deviations.
        let last_s = dues[dues.len() - 1] as f64 / SECOND_NS as f64;
        assert!((last_s - 40.0).abs() < 5.0 * 40.0 / 100.0, "{last_s}");
        let gaps: Vec<u64> = dues.chunks(2).map(|burst| burst[0]).collect();
        let shorter = gaps.windows(2).filter(|pair| pair[1] - pair[0] < 4_000_000).count() as f64;
        // Of exponential gaps, 1 - 1/e are shorter than the mean.
        assert!((shorter / gaps.len() as f64 - 0.632).abs() < 0.03);
    }
}
