//! The accounts of a run: what became of every request and of every datagram.

use serde::{Deserialize, Serialize};

use crate::mix::Kind;

/// What became of each request that was due in the measured time, and of the
/// datagrams that carried them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Requests that were due: by the schedule, not by what was sent.
    pub scheduled: u64,
    /// Requests that were never sent: the generator could not keep up.
    pub unsent: u64,
    /// Requests that were sent, however often.
    pub sent: u64,
    /// Requests that were answered in time.
    pub answered: u64,
    /// Requests that were given up.
    pub timed_out: u64,
    /// Requests that still waited for an answer when the run was cut short.
    #[serde(default)]
    pub unfinished: u64,
    /// Of those answered: what was asked for, and a value as it was stored.
    pub fulfilled: u64,
    /// Of those answered: contacts instead of a value, or a lookup in vain.
    pub missed: u64,
    /// Of those answered: an error.
    pub refused: u64,
    /// Of those answered: a value that is not the one that was stored, or a reply
    /// of another kind.
    pub wrong: u64,
    /// The requests that took their RPCs by themselves: lookups, and puts and gets of a network.
    pub lookups_sent: u64,
    /// Of these, answered.
    pub lookups_answered: u64,
    /// Sends after the first.
    pub resent: u64,
    /// Of these: at once, because a token was refused.
    pub tokens_renewed: u64,
    /// Request datagrams that the kernel took.
    pub requests_transmitted: u64,
    /// Request datagrams dropped on purpose.
    pub requests_dropped: u64,
    /// Request datagrams that the kernel refused.
    pub requests_unsendable: u64,
    /// Replies that arrived.
    pub replies_received: u64,
    /// Replies dropped on purpose.
    pub replies_dropped: u64,
    /// Replies whose request was given up before.
    pub late: u64,
    /// Replies whose request was answered before.
    pub duplicate: u64,
    /// The datagrams of lookups.
    pub lookup_datagrams: LookupDatagrams,
}

/// What became of the datagrams that lookups sent and received by themselves, from the
/// end of the warm-up on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupDatagrams {
    /// Datagrams that were to be sent.
    pub composed: u64,
    /// Of these, taken by the kernel.
    pub transmitted: u64,
    /// Of these, dropped on purpose.
    pub dropped: u64,
    /// Of these, refused by the kernel.
    pub unsendable: u64,
    /// Datagrams that arrived.
    pub received: u64,
    /// Of these, dropped on purpose.
    pub received_dropped: u64,
    /// Of these, handed to the node that looks up.
    pub taken: u64,
}

impl LookupDatagrams {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            composed: self.composed + other.composed,
            transmitted: self.transmitted + other.transmitted,
            dropped: self.dropped + other.dropped,
            unsendable: self.unsendable + other.unsendable,
            received: self.received + other.received,
            received_dropped: self.received_dropped + other.received_dropped,
            taken: self.taken + other.taken,
        }
    }
}

impl Books {
    /// Adds another thread's accounts.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.fields().into_iter().zip(other.clone().fields()) {
            *mine += *theirs;
        }
    }

    /// Each of them.
    pub fn fields(&mut self) -> [&mut u64; 28] {
        let Self {
            scheduled,
            unsent,
            sent,
            answered,
            timed_out,
            unfinished,
            fulfilled,
            missed,
            refused,
            wrong,
            lookups_sent,
            lookups_answered,
            resent,
            tokens_renewed,
            requests_transmitted,
            requests_dropped,
            requests_unsendable,
            replies_received,
            replies_dropped,
            late,
            duplicate,
            lookup_datagrams:
                LookupDatagrams {
                    composed,
                    transmitted,
                    dropped,
                    unsendable,
                    received,
                    received_dropped,
                    taken,
                },
        } = self;
        [
            scheduled,
            unsent,
            sent,
            answered,
            timed_out,
            unfinished,
            fulfilled,
            missed,
            refused,
            wrong,
            lookups_sent,
            lookups_answered,
            resent,
            tokens_renewed,
            requests_transmitted,
            requests_dropped,
            requests_unsendable,
            replies_received,
            replies_dropped,
            late,
            duplicate,
            composed,
            transmitted,
            dropped,
            unsendable,
            received,
            received_dropped,
            taken,
        ]
    }

    /// Whether the accounts close: every request and every datagram has exactly
    /// one fate. Says which sum does not hold.
    pub fn check(&self) -> Result<(), String> {
        let equal = |name: &str, left: u64, right: u64| {
            if left == right { Ok(()) } else { Err(format!("{name}: {left} is not {right}")) }
        };
        equal("scheduled = sent + unsent", self.scheduled, self.sent + self.unsent)?;
        equal(
            "sent = answered + timed out + unfinished",
            self.sent,
            self.answered + self.timed_out + self.unfinished,
        )?;
        equal(
            "answered = fulfilled + missed + refused + wrong",
            self.answered,
            self.fulfilled + self.missed + self.refused + self.wrong,
        )?;
        equal(
            "RPCs sent + resent = transmitted + dropped + unsendable",
            self.sent - self.lookups_sent + self.resent,
            self.requests_transmitted + self.requests_dropped + self.requests_unsendable,
        )?;
        equal(
            "replies = dropped + answers + token renewals + late + duplicate",
            self.replies_received,
            self.replies_dropped + self.answered - self.lookups_answered
                + self.tokens_renewed
                + self.late
                + self.duplicate,
        )?;
        let lookups = &self.lookup_datagrams;
        equal(
            "datagrams of lookups = transmitted + dropped + unsendable",
            lookups.composed,
            lookups.transmitted + lookups.dropped + lookups.unsendable,
        )?;
        equal(
            "datagrams received by lookups = dropped + taken",
            lookups.received,
            lookups.received_dropped + lookups.taken,
        )
    }

    /// Request datagrams that neither came back as a reply nor are accounted for
    /// here: lost in the network, in the target or in our own receive buffer.
    pub const fn lost_elsewhere(&self) -> u64 {
        self.requests_transmitted.saturating_sub(self.replies_received)
    }
}

/// How the requests of one kind ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindBooks {
    /// The kind.
    pub kind: Kind,
    /// Requests of it that were sent.
    pub sent: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Of these, fulfilled.
    pub fulfilled: u64,
}

/// What the whole operations of one kind took: sums, of which means are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    /// Puts and gets that ended.
    pub ended: u64,
    /// Of these, those that found the value, or nodes to hold it.
    pub located: u64,
    /// Hops of those: 1 is a contact of the own table, 2 a contact of a contact.
    pub hops: u64,
    /// Nodes that were asked: by a get for the value, by a put to hold it.
    pub asked: u64,
    /// Nodes that said that they hold what was put.
    pub holders: u64,
    /// Datagrams that were sent and received for them.
    pub datagrams: u64,
}

impl Operations {
    /// Adds others.
    pub const fn add(&mut self, other: &Self) {
        let Self { ended, located, hops, asked, holders, datagrams } = other;
        self.ended += *ended;
        self.located += *located;
        self.hops += *hops;
        self.asked += *asked;
        self.holders += *holders;
        self.datagrams += *datagrams;
    }

    /// The greatest of the counts.
    pub fn greatest(&self) -> u64 {
        let Self { ended, located, hops, asked, holders, datagrams } = *self;
        ended.max(located).max(hops).max(asked).max(holders).max(datagrams)
    }
}

impl KindBooks {
    /// Adds another's accounts of the same kind.
    pub const fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.fulfilled += other.fulfilled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> Books {
        Books {
            scheduled: 10,
            unsent: 1,
            sent: 9,
            answered: 7,
            timed_out: 1,
            unfinished: 1,
            fulfilled: 4,
            missed: 1,
            refused: 1,
            wrong: 1,
            lookups_sent: 2,
            lookups_answered: 1,
            resent: 3,
            tokens_renewed: 1,
            requests_transmitted: 7,
            requests_dropped: 2,
            requests_unsendable: 1,
            replies_received: 11,
            replies_dropped: 1,
            late: 2,
            duplicate: 1,
            lookup_datagrams: LookupDatagrams {
                composed: 7,
                transmitted: 4,
                dropped: 2,
                unsendable: 1,
                received: 3,
                received_dropped: 1,
                taken: 2,
            },
        }
    }

    #[test]
    fn books_close_only_when_every_count_has_its_counterpart() {
        assert_eq!(closed().check(), Ok(()));
        for index in 0..closed().fields().len() {
            let mut books = closed();
            *books.fields()[index] += 1;
            assert!(books.check().is_err(), "field {index} is in no sum: {books:?}");
        }
    }

    #[test]
    fn the_books_of_threads_add_up() {
        let mut books = closed();
        books.merge(&closed());
        assert_eq!(books.check(), Ok(()));
        assert_eq!((books.scheduled, books.duplicate), (20, 2));
    }
}
