//! How many puts may be in flight: slow start, then one more for each round of puts that end
//! well, and half as many when the network does not keep up (RFC 5681), once for what was in
//! flight at that time (RFC 6582).
//!
//! A put says that the network does not keep up when the node refuses it, or when more than a
//! fourth of its STOREs were sent again: that 6 of 20 are lost by chance happens once in 11 000
//! puts at 2 % loss each way, and in every second at 15 %. So the window never falls below what
//! is needed to use a network that loses by chance.

/// Puts in flight to begin with.
const PUTS_FIRST: usize = 16;
/// However much is sent again: in a network that loses by chance, a smaller window is slower
/// and loses as much.
pub(super) const PUTS_MIN: usize = 8;
/// However much the network takes: their STOREs are all in flight at once, and leave room for
/// lookups, and for those of others who use the node.
pub(super) const PUTS_MAX: usize = 256;
/// Of so many STOREs, one that is sent again is no sign yet.
const RESENT_PARTS: usize = 4;

const _: () = assert!(
    PUTS_MAX * kad_node::limits::K_MAX < kad_node::limits::IN_FLIGHT_MAX
        && PUTS_MAX * 2 < kad_node::limits::QUERIES_MAX
        && PUTS_MAX * 2 < kad_node::driver::COMMANDS_MAX,
    "the node refuses none of them"
);

#[derive(Debug)]
pub(super) struct Window {
    puts: usize,
    is_slow_start: bool,
    /// Puts that have ended well since it grew.
    growth: usize,
    /// The last put that was begun before it was last halved.
    reduced: Option<u64>,
}

/// How a put has ended, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Of so many requests so many were sent again.
    Ended { asked: usize, resent: usize },
    /// The node refused it: it has too much to do.
    Refused,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self { puts: PUTS_FIRST, is_slow_start: true, growth: 0, reduced: None }
    }

    pub(super) const fn puts(&self) -> usize {
        self.puts
    }

    /// Takes in how put `begun` has ended, where `last` is the last that was begun, and so many
    /// were `in_flight`.
    pub(super) fn take(&mut self, begun: u64, last: u64, in_flight: usize, sign: Sign) {
        let keeps_up = match sign {
            Sign::Ended { asked, resent } => resent * RESENT_PARTS <= asked,
            Sign::Refused => false,
        };
        if !keeps_up {
            if self.reduced.is_none_or(|reduced| begun > reduced) {
                self.puts = (self.puts / 2).max(PUTS_MIN);
                self.reduced = Some(last);
            }
            (self.is_slow_start, self.growth) = (false, 0);
        } else if 2 * in_flight >= self.puts {
            // What is not used says nothing of what there is room for (RFC 7661).
            self.growth += 1;
            if self.is_slow_start || self.growth >= self.puts {
                self.puts = (self.puts + 1).min(PUTS_MAX);
                self.growth = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Sign = Sign::Ended { asked: 20, resent: 1 };
    const LATE: Sign = Sign::Ended { asked: 20, resent: 6 };

    /// A round of puts that all end as `sign` says; returns the number of the next.
    fn round(window: &mut Window, first: u64, sign: Sign) -> u64 {
        let puts = window.puts();
        let next = first + puts as u64;
        for number in first..next {
            // Another is begun when one has ended.
            window.take(number, number + puts as u64 - 1, window.puts(), sign);
        }
        next + puts as u64 - 1
    }

    #[test]
    fn it_doubles_until_the_network_is_late_and_then_grows_by_one_a_round() {
        let mut window = Window::new();
        let next = round(&mut window, 0, WELL);
        assert_eq!(window.puts(), 2 * PUTS_FIRST);
        let next = round(&mut window, next, LATE);
        assert_eq!(window.puts(), PUTS_FIRST, "halved once for all that were in flight");
        let next = round(&mut window, next, WELL);
        assert_eq!(window.puts(), PUTS_FIRST + 1);
        round(&mut window, next, Sign::Refused);
        assert_eq!(window.puts(), PUTS_FIRST / 2);
    }

    #[test]
    fn it_stays_within_its_bounds_and_does_not_grow_unused() {
        let mut window = Window::new();
        window.take(0, 0, PUTS_FIRST / 2 - 1, WELL);
        assert_eq!(window.puts(), PUTS_FIRST);
        let mut next = 1;
        for _ in 0..10 {
            next = round(&mut window, next, WELL);
        }
        assert_eq!(window.puts(), PUTS_MAX);
        for _ in 0..10 {
            next = round(&mut window, next, LATE);
        }
        assert_eq!(window.puts(), PUTS_MIN);
    }
}
