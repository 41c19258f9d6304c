//! What comes back: found among the requests in flight, and judged.

use kad_node::node::{Event, Found, OperationId, Refusal, Stored};
use kad_node::wire::{self, Body, Datagram, ErrorCode, Value};
use udp::BATCH_DATAGRAMS_MAX;

use super::{Engine, Outgoing};
use crate::books::Operations;
use crate::in_flight::{LinkIndex, Request};
use crate::loss::Leg;
use crate::mix::Kind;
use crate::record::Worth;
use crate::transaction::Transaction;

/// A whole operation that has ended.
#[derive(Clone, Debug)]
pub struct OperationEnd {
    /// Which.
    pub operation: OperationId,
    /// How.
    pub ending: Ending,
}

/// How a whole operation ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// A get.
    Get {
        /// What it found.
        outcome: Result<Option<Found>, Refusal>,
        /// How many nodes it asked.
        asked: usize,
    },
    /// A put.
    Put(Result<Stored, Refusal>),
}

impl OperationEnd {
    /// The end of an operation, if that is what the event tells.
    pub fn from_event(event: Event) -> Option<Self> {
        match event {
            Event::Get { operation, outcome, asked, .. } => {
                Some(Self { operation, ending: Ending::Get { outcome, asked } })
            }
            Event::Put { operation, outcome, .. } => {
                Some(Self { operation, ending: Ending::Put(outcome) })
            }
            _ => None,
        }
    }
}

impl Ending {
    /// What it is worth to a request about `expected`.
    fn worth(&self, expected: &[u8]) -> Worth {
        match self {
            Self::Get { outcome: Ok(Some(found)), .. } if *found.value == *expected => {
                Worth::Fulfilled
            }
            Self::Get { outcome: Ok(Some(_)), .. } => Worth::Wrong,
            Self::Put(Ok(stored)) if stored.holders > 0 => Worth::Fulfilled,
            Self::Get { outcome: Ok(None), .. } | Self::Put(Ok(_)) => Worth::Missed,
            Self::Get { outcome: Err(_), .. } | Self::Put(Err(_)) => Worth::Refused,
        }
    }

    /// What it took.
    fn took(&self) -> Operations {
        let ended = Operations { ended: 1, ..Operations::default() };
        match self {
            Self::Get { outcome, asked } => {
                let hops = outcome.iter().flatten().map(|found| u64::from(found.hops));
                let (located, hops) =
                    hops.fold((0, 0), |(count, sum), hops| (count + 1, sum + hops));
                Operations { located, hops, asked: *asked as u64, ..ended }
            }
            Self::Put(Ok(stored)) => Operations {
                located: 1,
                hops: stored.hops.into(),
                asked: stored.asked as u64,
                holders: stored.holders as u64,
                ..ended
            },
            Self::Put(Err(_)) => ended,
        }
    }
}

impl Engine {
    /// Takes in what a link's target sent.
    pub fn receive(&mut self, now_ns: u64, link: LinkIndex, bytes: &[u8], out: &mut Outgoing) {
        let reply = wire::decode(bytes).ok().filter(|datagram| {
            datagram.network == self.traffic.network && !datagram.body.is_request()
        });
        let transaction = reply.map(|reply| Transaction::from_id(reply.transaction));
        let (Some(reply), Some(transaction)) = (reply, transaction) else {
            self.strange += 1;
            return;
        };
        if transaction.sequence() >= self.sequence {
            self.strange += 1;
            return;
        }
        let measured = u64::from(self.is_measured(transaction));
        self.record.books.replies_received += measured;
        if self.loss.drops(Leg::Reply, transaction) {
            self.record.books.replies_dropped += measured;
            return;
        }
        self.links[usize::from(link.0)].token = reply.token;
        let request = self.in_flight.find(transaction).copied();
        match request.filter(|request| request.link == link) {
            Some(request) => self.settle(now_ns, request, reply, out),
            None if self.ended.was_answered(transaction.sequence(), self.sequence) => {
                self.record.books.duplicate += measured;
            }
            None => self.record.books.late += measured,
        }
    }

    fn settle(&mut self, now_ns: u64, request: Request, reply: Datagram<'_>, out: &mut Outgoing) {
        let token_refused = matches!(reply.body, Body::Error(ErrorCode::Token));
        if token_refused && !request.is_renewed && self.composed.len() < BATCH_DATAGRAMS_MAX {
            // The refusal brought a fresh token.
            if let Some(request) = self.in_flight.find(request.transaction) {
                request.is_renewed = true;
            }
            let measured = u64::from(self.is_measured(request.transaction));
            self.record.books.tokens_renewed += measured;
            return self.resend(request.transaction, out);
        }
        let expected = self.traffic.corpus.value(request.key);
        let worth = worth(request.kind, &reply.body, expected);
        self.end(now_ns, request.transaction, worth);
    }

    /// Takes in the end of a whole operation. One that was given up before is not counted
    /// again.
    pub fn operation_ended(&mut self, now_ns: u64, end: &OperationEnd) {
        let transaction = Transaction::from_number(end.operation.0);
        let Some(request) = self.in_flight.find(transaction).copied() else {
            return;
        };
        if self.is_measured(transaction) {
            self.record.took(request.kind, &end.ending.took());
        }
        let worth = end.ending.worth(self.traffic.corpus.value(request.key));
        self.end(now_ns, transaction, worth);
    }

    fn end(&mut self, now_ns: u64, transaction: Transaction, worth: Worth) {
        let Some(request) = self.in_flight.remove(transaction) else {
            return;
        };
        self.ended.answer(transaction.sequence());
        if self.is_measured(transaction) {
            let course = self.course(&request, now_ns);
            self.record.answered(request.kind, course, worth);
            self.recent.saturating_record(course.taken_ns);
        }
    }
}

/// What a reply is worth to a request. The key is the SHA-1 of the expected
/// value, so equal bytes are a valid value.
fn worth(kind: Kind, body: &Body<'_>, expected: &[u8]) -> Worth {
    match (kind, body) {
        (Kind::Get, Body::Value(value)) if is_whole(value, expected) => Worth::Fulfilled,
        (Kind::Put, Body::Stored) | (Kind::FindNode, Body::Nodes(_)) | (Kind::Ping, Body::Pong) => {
            Worth::Fulfilled
        }
        (Kind::Get, Body::Nodes(_)) => Worth::Missed,
        (_, Body::Error(_)) => Worth::Refused,
        _ => Worth::Wrong,
    }
}

fn is_whole(value: &Value<'_>, expected: &[u8]) -> bool {
    value.offset == 0 && value.total as usize == expected.len() && value.value == expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use kad_node::wire::Contacts;

    #[test]
    fn only_the_whole_value_that_was_stored_fulfils_a_get() {
        let value = |offset, total, value| Body::Value(Value { offset, total, life_s: 1, value });
        assert_eq!(worth(Kind::Get, &value(0, 5, b"hello"), b"hello"), Worth::Fulfilled);
        assert_eq!(worth(Kind::Get, &value(0, 5, b"hullo"), b"hello"), Worth::Wrong);
        assert_eq!(worth(Kind::Get, &value(0, 4, b"hell"), b"hello"), Worth::Wrong);
        assert_eq!(worth(Kind::Get, &value(1, 5, b"hello"), b"hello"), Worth::Wrong);
        assert_eq!(worth(Kind::Get, &value(0, 9, b"hello"), b"hello"), Worth::Wrong);
        assert_eq!(worth(Kind::Get, &Body::Nodes(Contacts::new(&[])), b"hello"), Worth::Missed);
        assert_eq!(worth(Kind::Get, &Body::Error(ErrorCode::Full), b"hello"), Worth::Refused);
        assert_eq!(worth(Kind::Get, &Body::Pong, b"hello"), Worth::Wrong);
        assert_eq!(worth(Kind::Put, &Body::Stored, b"hello"), Worth::Fulfilled);
        assert_eq!(worth(Kind::Ping, &Body::Stored, b"hello"), Worth::Wrong);
    }
}
