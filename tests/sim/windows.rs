//! The clock of a world: it moves from one event to the next, in windows where several
//! threads run.

use std::time::Duration;

use kad_node::id::Id;
use kad_node::node::Persistence;
use kad_node::time::Instant;

use crate::ahead::Ahead;
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
        while !self.is_spent()
            && let Some(first) = self.queue.next_at()
            && first <= end
        {
            let window_end = self.run_ahead(first, end);
            self.run_window(window_end);
            if let Some(ahead) = &mut self.ahead {
                ahead.finish(&mut self.peers);
            }
        }
        self.now = end;
    }

    /// Has the threads compute a window that begins with `first`; says when it ends. It is
    /// over before anything that is sent in it may arrive.
    fn run_ahead(&mut self, first: Instant, end: Instant) -> Instant {
        let Some(ahead) = &mut self.ahead else { return end };
        let lookahead = self.network.delay_min().saturating_sub(Duration::from_micros(1));
        let end = end.min(first + lookahead);
        let scheduled = self.queue.open_window(end);
        ahead.compute(scheduled, end, &mut self.peers, &mut self.network);
        end
    }

    fn run_window(&mut self, end: Instant) {
        while !self.is_spent()
            && let Some((at, happening)) = self.queue.next_until(end)
        {
            self.now = at;
            match happening {
                Happening::Arrival(flight) => self.deliver(flight),
                Happening::Wake(peer) => self.wake(peer),
            }
        }
    }

    pub(crate) fn run_for(&mut self, period: Duration) {
        self.run_until(self.now + period);
    }
}
