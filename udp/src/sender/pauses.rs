//! Which hosts are sent no segmented messages for a while, since one to them was refused.
//!
//! It may be the device that takes none, and then it is every host's; or a path that
//! is too narrow for their datagrams, of which a peer can convince the kernel by
//! itself. So each host pays for its own refusals: two system calls for every message
//! that is tried in vain, at most. And no pause is for ever.
//!
//! A table of so many places stands for all hosts; those that share one share its
//! pause, which costs them CPU time alone.

use std::net::IpAddr;

use crate::address;

/// Times that a host's datagrams go one by one after a segmented message to it was refused: at
/// first so many, twice as many each time, and at first again once one was taken.
const PAUSE_MIN: u32 = 1;
/// Most of them.
const PAUSE_MAX: u32 = 1 << 16;
/// Places of the table.
const PLACES: usize = 256;

const _: () = assert!(PLACES.is_power_of_two());

/// The pauses of all hosts.
pub(super) struct Pauses {
    places: Box<[Pause]>,
    /// Places that are not as they were at first: while there are none, no host is
    /// looked up.
    marked: usize,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { places: vec![Pause::NONE; PLACES].into_boxed_slice(), marked: 0 }
    }

    /// Whether what is to be sent to `host` falls into its pause.
    pub(super) fn goes_on(&mut self, host: IpAddr) -> bool {
        self.marked > 0 && self.places[place(host)].goes_on()
    }

    /// Notes that a segmented message to `host` was refused.
    pub(super) fn refused(&mut self, host: IpAddr) {
        let pause = &mut self.places[place(host)];
        self.marked += usize::from(*pause == Pause::NONE);
        pause.lengthen();
    }

    /// Notes that a segmented message to `host` was taken.
    pub(super) fn taken(&mut self, host: IpAddr) {
        if self.marked > 0 {
            let pause = &mut self.places[place(host)];
            self.marked -= usize::from(*pause != Pause::NONE);
            *pause = Pause::NONE;
        }
    }
}

/// The place of a host in the table.
fn place(host: IpAddr) -> usize {
    (address::mix(address::bits(host)) >> (u64::BITS - PLACES.ilog2())) as usize
}

/// How long segmented messages are not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause {
    /// Times left of it.
    left: u32,
    /// Times of the next one.
    next: u32,
}

impl Pause {
    const NONE: Self = Self { left: 0, next: PAUSE_MIN };

    /// Begins the next pause, unless one goes on: a message may have been formed before
    /// another to the same host was refused.
    const fn lengthen(&mut self) {
        if self.left == 0 {
            self.left = self.next;
            let doubled = 2 * self.next;
            self.next = if doubled < PAUSE_MAX { doubled } else { PAUSE_MAX };
        }
    }

    /// Whether the next time falls into it.
    const fn goes_on(&mut self) -> bool {
        let goes_on = self.left > 0;
        self.left = self.left.saturating_sub(1);
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Of so many times, those in which one is tried, each in vain.
    fn refusals(pauses: &mut Pauses, host: IpAddr, times: u32) -> Vec<u32> {
        let mut is_tried = || {
            let is_tried = !pauses.goes_on(host);
            if is_tried {
                pauses.refused(host);
            }
            is_tried
        };
        (0..times).filter(|_| is_tried()).collect()
    }

    #[test]
    fn a_host_is_tried_less_and_less_often_and_never_given_up() {
        let mut pauses = Pauses::new();
        assert_eq!(refusals(&mut pauses, host(1), 100), [0, 2, 5, 10, 19, 36, 69]);
        let tried = refusals(&mut pauses, host(1), 5 * PAUSE_MAX);
        let gaps: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted());
        assert_eq!(gaps.last(), Some(&(PAUSE_MAX + 1)));
    }

    #[test]
    fn the_pause_of_one_host_is_no_pause_of_another() {
        let mut pauses = Pauses::new();
        refusals(&mut pauses, host(1), 100);
        assert!(pauses.goes_on(host(1)));
        assert_ne!(place(host(1)), place(host(2)));
        for _ in 0..100 {
            assert!(!pauses.goes_on(host(2)));
            pauses.taken(host(2));
        }
        assert!(pauses.goes_on(host(1)), "the success of another ends no pause");
    }

    #[test]
    fn a_message_that_is_taken_ends_all_pauses_of_its_host() {
        let mut pauses = Pauses::new();
        refusals(&mut pauses, host(1), 100);
        pauses.taken(host(1));
        assert_eq!(pauses.marked, 0);
        assert_eq!(refusals(&mut pauses, host(1), 100), [0, 2, 5, 10, 19, 36, 69]);
        assert_eq!(pauses.marked, 1);
    }

    #[test]
    fn messages_that_were_under_way_do_not_lengthen_it() {
        let mut pauses = Pauses::new();
        (0..10).for_each(|_| pauses.refused(host(1)));
        assert!(pauses.goes_on(host(1)));
        assert!(!pauses.goes_on(host(1)));
    }

    #[test]
    fn hosts_of_both_families_are_spread_over_the_table() {
        let v6 = |number: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, number]);
        for places in [
            (0..=u8::MAX).map(|last| place(host(last))).collect::<std::collections::HashSet<_>>(),
            (0..256).map(|number| place(v6(number))).collect(),
        ] {
            assert!(places.len() > PLACES / 2, "{} of {PLACES}", places.len());
        }
    }
}
