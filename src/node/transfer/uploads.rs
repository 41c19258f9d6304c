//! Values that were offered to others by a STORE and that they pull: who has said PENDING,
//! and has not said STORED yet.
//!
//! The peer's requests show that it comes on. While it is silent its STORE is repeated, more
//! and more seldom: the answer says how far it is, and STORED is repeated for one that was
//! lost.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::{ID_BYTES, Id};
use crate::limits::{
    FETCH_CHECK, FETCH_CHECK_BYTES, PIECE_BYTES_MAX, PROGRESS_PERIOD, UPLOAD_POLL, UPLOAD_POLL_MAX,
    UPLOAD_POLLS_MAX, UPLOADS_MAX,
};
use crate::node::effect::{Effect, Turn};
use crate::node::known::{Known, PeerToken};
use crate::node::request::{Answer, Ask, Purpose, QueryId, Reply, Request};
use crate::time::Instant;
use crate::wire::{self, Body, Datagram, ErrorCode, TransactionId};

/// Names an upload: the peer's address, the value's key, and what the STORE was for. A round may
/// offer a peer what it is pulling for a put already, and each waits for a STORED of its own.
type UploadId = (SocketAddr, Id, Purpose);

/// The uploads of one shard.
#[derive(Default)]
pub(crate) struct Uploads {
    all: BTreeMap<UploadId, Upload>,
    due: BTreeSet<(Instant, UploadId)>,
    /// When the user is told next how far they are.
    report_due: Option<Instant>,
}

struct Upload {
    request: Request,
    /// Of the STORE that was answered by PENDING, by which STORED comes; none where the peer
    /// is busy, or another STORE is on its way.
    transaction: Option<TransactionId>,
    first_sent: Instant,
    /// When the STORE is sent again; none while it is on its way.
    due: Option<Instant>,
    /// Waits in a row in which the peer has pulled nothing.
    polls: u8,
    /// How far it is.
    reached: Reached,
}

/// How far a peer is that pulls a value.
#[derive(Clone, Copy)]
struct Reached {
    /// Bytes up to the last that it has asked for.
    bytes: usize,
    /// These bytes when they were last [`FETCH_CHECK_BYTES`] more than before, and when.
    checked_bytes: usize,
    checked: Instant,
}

impl Reached {
    const fn nothing(now: Instant) -> Self {
        Self { bytes: 0, checked_bytes: 0, checked: now }
    }

    /// The peer has asked for bytes up to this. Whether it comes on: one that asks for a piece
    /// now and then would have the put wait for ever.
    fn comes_on(&mut self, now: Instant, end: usize) -> bool {
        self.bytes = self.bytes.max(end);
        let comes_on = now.since(self.checked) < FETCH_CHECK;
        if comes_on && self.bytes >= self.checked_bytes + FETCH_CHECK_BYTES {
            (self.checked_bytes, self.checked) = (self.bytes, now);
        }
        comes_on
    }
}

impl Upload {
    fn total(&self) -> usize {
        let Ask::Store { ref value, .. } = self.request.ask else { return 0 };
        value.len()
    }

    fn wait(&self) -> Duration {
        (UPLOAD_POLL * (1 << self.polls.min(8))).min(UPLOAD_POLL_MAX)
    }
}

impl Uploads {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes up a STORE that was answered by PENDING, in a reply of this transaction, or by
    /// ERROR with code busy. False where it is to be settled as it is: it was answered
    /// otherwise, or the peer has taken too long.
    pub(crate) fn take(
        &mut self,
        turn: &mut Turn,
        reply: &Reply<'_>,
        transaction: Option<TransactionId>,
    ) -> bool {
        let Ask::Store { key, ref value, .. } = reply.request.ask else { return false };
        if value.len() <= PIECE_BYTES_MAX {
            return false;
        }
        let id = (reply.request.addr, key, reply.request.purpose);
        let before = self.remove(id);
        let transaction = match reply.answer {
            Answer::Reply { body: Body::Pending, .. } => transaction,
            Answer::Reply { body: Body::Error(ErrorCode::Busy), .. } => None,
            _ => return false,
        };
        let (first_sent, polls, reached) = match before {
            Some(upload) => (upload.first_sent, upload.polls, upload.reached),
            None => (reply.first_sent, 0, Reached::nothing(turn.now)),
        };
        if polls >= UPLOAD_POLLS_MAX {
            turn.stats.uploads_given_up += 1;
            return false;
        }
        if self.all.len() >= UPLOADS_MAX {
            turn.stats.uploads_refused += 1;
            return false;
        }
        let request = Request { known: reply.known, is_renewed: false, ..reply.request.clone() };
        let mut upload = Upload { request, transaction, first_sent, due: None, polls, reached };
        // Busy peers are asked again by many: not by all at once.
        let wait = upload.wait();
        let wait = if transaction.is_none() { turn.rng.jitter(wait) } else { wait };
        schedule(&mut self.due, id, &mut upload, turn.now + wait);
        self.all.insert(id, upload);
        true
    }

    fn remove(&mut self, id: UploadId) -> Option<Upload> {
        let upload = self.all.remove(&id)?;
        if let Some(due) = upload.due {
            self.due.remove(&(due, id));
        }
        Some(upload)
    }

    /// Waits no longer for the peer at `addr`: its STORE could not be sent again.
    pub(crate) fn forget(&mut self, addr: SocketAddr, key: Id, purpose: Purpose) {
        self.remove((addr, key, purpose));
    }

    /// The peer at `addr` has asked for a part of a value.
    pub(crate) fn pulled(&mut self, turn: &mut Turn, addr: SocketAddr, range: wire::Range) {
        if self.all.is_empty() {
            return;
        }
        let first = (addr, range.key, Purpose::FIRST);
        let of_value = |(other, key, _): &UploadId| (*other, *key) == (addr, range.key);
        let after = self.all.range_mut(first..).take_while(|(id, _)| of_value(id));
        for (&id, upload) in after {
            let end = range.offset.saturating_add(range.length) as usize;
            let comes_on = upload.reached.comes_on(turn.now, end.min(upload.total()));
            if comes_on {
                upload.polls = 0;
            }
            if comes_on && upload.due.is_some() {
                let due = turn.now + upload.wait();
                schedule(&mut self.due, id, upload, due);
            }
        }
        if self.report_due.is_none_or(|due| due <= turn.now) {
            self.report_due = Some(turn.now + PROGRESS_PERIOD);
            self.report(turn);
        }
    }

    /// Tells of each publish how far the nodes are that pull its value.
    fn report(&self, turn: &mut Turn) {
        let mut sums = BTreeMap::<QueryId, usize>::new();
        for upload in self.all.values() {
            if let Purpose::Query(query) = upload.request.purpose {
                *sums.entry(query).or_default() += upload.reached.bytes;
            }
        }
        for (query, bytes) in sums {
            turn.push(Effect::Progress { query, bytes });
        }
    }

    /// The STORE that a late STORED or ERROR of a peer answers, with its answer.
    pub(crate) fn take_reply<'a>(
        &mut self,
        turn: &Turn,
        source: SocketAddr,
        datagram: &Datagram<'a>,
    ) -> Option<Reply<'a>> {
        if self.all.is_empty() || !matches!(datagram.body, Body::Stored | Body::Error(_)) {
            return None;
        }
        let first = (source, Id::new([0; ID_BYTES]), Purpose::FIRST);
        let of_peer = self.all.range(first..).take_while(|((addr, ..), _)| *addr == source);
        let answered = |upload: &Upload| {
            upload.transaction == Some(datagram.transaction)
                && upload.request.id == Some(datagram.sender)
        };
        let id = of_peer.into_iter().find(|(_, upload)| answered(upload)).map(|(&id, _)| id)?;
        let Upload { request, first_sent, .. } = self.remove(id)?;
        let token = PeerToken::new(datagram.token, turn.now);
        let known = Known { token, ..request.known };
        let (id, role, body) = (datagram.sender, datagram.role, datagram.body);
        Some(Reply { request, known, first_sent, answer: Answer::Reply { id, role, body } })
    }

    /// When the next peer is to be asked.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|&(due, _)| due)
    }

    /// Sends STOREs again to peers that have been silent.
    pub(crate) fn poll(&mut self, turn: &mut Turn) {
        while let Some(&(due, id)) = self.due.first()
            && due <= turn.now
        {
            self.due.pop_first();
            let upload = self.all.get_mut(&id).expect("what is due is an upload");
            upload.polls += 1;
            (upload.due, upload.transaction) = (None, None);
            turn.push(Effect::Request(upload.request.clone()));
        }
    }
}

/// Has the STORE of an upload sent again at `due`.
fn schedule(
    all_due: &mut BTreeSet<(Instant, UploadId)>,
    id: UploadId,
    upload: &mut Upload,
    due: Instant,
) {
    if let Some(before) = upload.due.replace(due) {
        all_due.remove(&(before, id));
    }
    all_due.insert((due, id));
}
