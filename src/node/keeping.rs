//! The entry points of a caller that keeps the node's values on a disk.

use super::Node;
use super::command::{Event, Stored};
use super::journal::{BatchNumber, HeldValue, JournalBatch, Kept, PublishedValue, Waiting};
use super::outbox::Outbox;
use crate::time::Instant;

impl Node {
    /// Takes a value that was held for others before the node was restarted, with what is
    /// left of its life. To be called before anything else is asked of the node; whether
    /// there was room for it.
    pub fn restore_held(&mut self, held: HeldValue) -> bool {
        self.storage.restore_held(&mut self.turn, held)
    }

    /// Takes a value that was put here before the node was restarted. To be called before
    /// anything else is asked of the node; whether there was room for it.
    ///
    /// It is not republished before the node has joined: a network whose nodes all restart
    /// would have to carry every value at once. Where its time has passed meanwhile it is
    /// republished at a random moment of the period that follows.
    pub fn restore_published(&mut self, published: PublishedValue) -> bool {
        self.storage.restore_published(&mut self.turn, published)
    }

    /// What is to be kept next, where [`Persistence::Journal`](super::Persistence) is asked
    /// for; to be taken when a turn is over. None while
    /// [`JOURNAL_BATCHES_MAX`](crate::limits::JOURNAL_BATCHES_MAX) are not kept.
    pub fn take_journal(&mut self) -> Option<JournalBatch> {
        self.turn.journal.take()
    }

    /// Changes that [`Self::take_journal`] has not given yet.
    pub fn journal_changes(&self) -> usize {
        self.turn.journal.untaken_changes()
    }

    /// Notes that the batches up to `number` are kept, and how.
    pub fn handle_kept(
        &mut self,
        now: Instant,
        number: BatchNumber,
        kept: Kept,
        outbox: &mut Outbox,
    ) {
        self.turn.now = now;
        let changes = self.turn.journal.kept(number, kept) as u64;
        match kept {
            Kept::OnDisk => self.turn.stats.changes_kept += changes,
            Kept::InMemory => self.turn.stats.changes_not_kept += changes,
        }
        self.answer_kept(outbox);
    }

    /// Sends the replies and tells the events that have waited for what is kept now; what
    /// there is no room for in the outbox follows at the next time-out, which is at once.
    pub(super) fn answer_kept(&mut self, outbox: &mut Outbox) {
        while !outbox.is_low()
            && let Some(waiting) = self.turn.journal.take_answerable()
        {
            match waiting {
                Waiting::Reply { destination, bytes } => {
                    let sent = outbox.datagram(destination, |buffer| {
                        buffer[..bytes.len()].copy_from_slice(&bytes);
                        bytes.len()
                    });
                    self.turn.stats.count_sent(sent);
                }
                Waiting::Event(event) => self.tell_kept(event, outbox),
            }
        }
    }

    /// Tells the user what has happened. A put and a forget are told when they are kept.
    pub(super) fn tell(&mut self, event: Event, outbox: &mut Outbox) {
        self.turn.histograms.told(&event);
        let is_change = matches!(event, Event::Put { outcome: Ok(_), .. } | Event::Forget { .. });
        if is_change && !self.turn.journal.is_kept() {
            return self.turn.journal.wait(Waiting::Event(event));
        }
        self.tell_kept(event, outbox);
    }

    /// Tells what waits for the disk no longer, whatever has been written since.
    fn tell_kept(&self, mut event: Event, outbox: &mut Outbox) {
        if let Event::Put { outcome: Ok(Stored { kept, .. }), .. } = &mut event {
            *kept = self.turn.journal.last();
        }
        outbox.event(event);
    }
}
