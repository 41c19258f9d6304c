//! The clock of a world: it moves from one event to the next, in windows where several
//! threads run.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::Persistence;
use kad_node::time::Instant;

use crate::ahead::{Ahead, Due, EVENTS_MIN, Window};
use crate::queue::Happening;
use crate::world::World;

impl World {
    /// Computes what nodes do on so many threads from now on. Nodes that keep their values
    /// on disks stay on one: a disk may have kept a batch before a window ends.
    pub(crate) fn set_threads(&mut self, threads: usize) {
        let keeps = self.config(Id::new([0; 20]), [0; 32]).persistence != Persistence::Memory;
        self.ahead = (threads > 1 && !keeps).then(|| Ahead::new(threads));
    }

    /// Lets everything happen that is due until `end`.
    pub(crate) fn run_until(&mut self, end: Instant) {
        match self.ahead.take() {
            Some(ahead) => self.run_ahead(ahead, end),
            None => self.run_window(end),
        }
        self.now = end;
    }

    /// The same, on several threads, window after window.
    fn run_ahead(&mut self, mut ahead: Ahead, end: Instant) {
        loop {
            if !ahead.is_busy() {
                let first = self.queue.next_at().filter(|first| *first <= end && !self.is_spent());
                let Some(first) = first else { break };
                let window_end = end.min(first + self.window_length());
                if !self.fill(&mut ahead.next, None, window_end) {
                    self.run_window(window_end);
                    continue;
                }
            }
            ahead = self.move_on(ahead, end);
        }
        self.ahead = Some(ahead);
    }

    /// Goes through the current window and fills the last one, while the threads compute the
    /// next.
    fn move_on(&mut self, ahead: Ahead, end: Instant) -> Ahead {
        let Ahead { crew, mut current, mut next, mut last, windows } = ahead;
        next.take_nodes(&mut current, &mut self.peers);
        let (current_end, next_end) = (current.end(), next.end());
        self.current = Some(current);
        next.compute(&crew, || {
            if let Some(current_end) = current_end {
                self.run_window(current_end);
            }
            if let Some(next_end) = next_end.filter(|next_end| *next_end < end) {
                let last_end = end.min(next_end + self.window_length());
                self.fill(&mut last, Some(next_end), last_end);
            }
        });
        next.give_back(&mut self.peers);
        self.check_heavy();
        let mut current = self.current.take().expect("it was put there");
        current.close(&mut self.peers);
        let windows = windows + u64::from(next_end.is_some());
        Ahead { crew, current: next, next: last, last: current, windows }
    }

    /// Half of what passes before anything that is sent now may arrive.
    fn window_length(&self) -> Duration {
        self.network.delay_min().saturating_sub(Duration::from_micros(1)) / 2
    }

    /// Fills `window`, which follows one that ends at `before` and ends at `end`, with what is
    /// scheduled in it. Whether that is worth the threads' while: otherwise nothing is done.
    fn fill(&mut self, window: &mut Window, before: Option<Instant>, end: Instant) -> bool {
        let is_long = !self.window_length().is_zero() && !self.is_spent();
        let opened = is_long.then(|| self.queue.open_window(before, end, EVENTS_MIN)).flatten();
        let Some(opened) = opened else { return false };
        window.open(end);
        for index in opened {
            let (at, happening) = self.queue.in_window(index);
            match happening {
                Happening::Arrival(flight) => {
                    let peer = self.network.flight(flight).destination;
                    let Some(slot) = self.peers.get_mut(peer.as_usize()) else { continue };
                    window.schedule(peer, slot, at, || {
                        let (source, payload) = self.network.take_payload(flight);
                        Due::Arrival(source, payload)
                    });
                }
                Happening::Wake(peer) => {
                    let slot = &mut self.peers[peer.as_usize()];
                    window.schedule(peer, slot, at, || Due::Wake);
                }
                Happening::Join => {
                    let (peer, addresses) = self.make_next(at);
                    let slot = &mut self.peers[peer.as_usize()];
                    if !addresses.is_empty() {
                        window.schedule(peer, slot, at, || Due::Join(addresses));
                    }
                }
            }
        }
        true
    }

    /// Goes through all events until `end`.
    fn run_window(&mut self, end: Instant) {
        while !self.is_spent()
            && let Some((at, happening)) = self.queue.next_until(end)
        {
            self.now = at;
            match happening {
                Happening::Arrival(flight) => self.deliver(flight),
                Happening::Wake(peer) => self.wake(peer),
                Happening::Join => self.join_next(),
            }
        }
    }

    pub(crate) fn run_for(&mut self, period: Duration) {
        self.run_until(self.now + period);
    }
}
