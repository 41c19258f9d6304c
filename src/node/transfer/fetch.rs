//! One value that is pulled, from one holder or several at once.
//!
//! No byte of it leaves this engine before the whole hashes to its key. Where it does not and
//! several holders have sent parts, it is pulled anew from each of them alone, until one is
//! right; those that were wrong alone are liars.

use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::FetchResult;
use super::pieces::Pieces;
use super::source::{Arrival, Source};
use crate::id::Id;
use crate::limits::{
    FETCH_CHECK, FETCH_CHECKS_MAX, FETCH_SLOW, PROGRESS_PERIOD, SOURCES_KNOWN_MAX, SOURCES_MAX,
};
use crate::node::effect::{Effect, FetchPurpose, Fetched, Turn};
use crate::node::known::Known;
use crate::node::progress::PulledRange;
use crate::time::Instant;
use crate::wire::{Body, Contact, Datagram, ErrorCode, Value};

/// The clock's least step: what is due after it is not for this turn.
const HASH_DELAY: Duration = Duration::from_micros(1);

pub(super) struct Fetch {
    pub(super) key: Id,
    pub(super) purpose: FetchPurpose,
    pieces: Pieces,
    sources: Vec<Source>,
    /// Those that have sent a part of what is here.
    contributors: Vec<usize>,
    /// The one that it is pulled from, once parts of several have proved wrong together.
    alone: Option<usize>,
    liars: Vec<Contact>,
    started: Instant,
    /// When the user is told next how far it is.
    report_due: Instant,
    /// When it is slow; none once that is told.
    slow_at: Option<Instant>,
    next_check: Instant,
    checked_bytes: usize,
    /// When the next request may be made, where only time forbids it.
    wake: Option<Instant>,
    /// When what has come is hashed.
    hash_due: Option<Instant>,
}

/// A request to make.
pub(super) struct Ask {
    pub(super) source: usize,
    pub(super) number: u16,
    pub(super) bytes: Range<usize>,
}

impl Fetch {
    pub(super) fn new(now: Instant, key: Id, total: usize, purpose: FetchPurpose) -> Self {
        Self {
            key,
            purpose,
            pieces: Pieces::new(total),
            sources: Vec::new(),
            contributors: Vec::new(),
            alone: None,
            liars: Vec::new(),
            started: now,
            report_due: now + PROGRESS_PERIOD,
            slow_at: Some(now + FETCH_SLOW),
            next_check: now + FETCH_CHECK,
            checked_bytes: 0,
            wake: None,
            hash_due: None,
        }
    }

    pub(super) fn total(&self) -> usize {
        self.pieces.total()
    }

    pub(super) fn source(&self, index: usize) -> Option<&Source> {
        self.sources.get(index)
    }

    /// Takes up one more holder, with the first piece that came with its offer. False where
    /// [`SOURCES_KNOWN_MAX`] are known.
    pub(super) fn add_source(
        &mut self,
        turn: &mut Turn,
        contact: Contact,
        known: Known,
        first: &[u8],
    ) -> bool {
        if self.sources.iter().any(|source| source.contact == contact) {
            return true;
        }
        if self.sources.len() == SOURCES_KNOWN_MAX {
            return false;
        }
        self.sources.push(Source::new(turn.now, contact, known, turn.rng.bytes()));
        let index = self.sources.len() - 1;
        if self.alone.is_none()
            && let Some(piece) = self.pieces.at(0, first)
        {
            self.keep(turn, index, piece, first);
        }
        true
    }

    /// Takes a piece, and notes which source has sent it.
    fn keep(&mut self, turn: &mut Turn, source: usize, piece: usize, bytes: &[u8]) {
        if !self.pieces.take(piece, bytes) {
            return;
        }
        if !self.contributors.contains(&source) {
            self.contributors.push(source);
        }
        self.schedule_hash(turn.now);
        if let Some(ended) = self.sources[source].extend_part(piece) {
            self.tell_range(turn, source, &ended);
        }
        if turn.now >= self.report_due
            && let FetchPurpose::Query(query) = self.purpose
        {
            self.report_due = turn.now + PROGRESS_PERIOD;
            let bytes = self.pieces.bytes_here().min(self.total());
            turn.push(Effect::Progress { query, bytes });
        }
    }

    /// Has what has come hashed in a later turn: the requests for more leave before, so that
    /// the holder sends while this node hashes.
    fn schedule_hash(&mut self, now: Instant) {
        if self.hash_due.is_none() && self.pieces.is_hashable() {
            self.hash_due = Some(now + HASH_DELAY);
        }
    }

    /// Hashes at most so many bytes of what has come, when that is due. Says how many it has
    /// hashed.
    pub(super) fn hash(&mut self, now: Instant, bytes_max: usize) -> usize {
        if self.hash_due.is_none_or(|due| due > now) {
            return 0;
        }
        let bytes = self.pieces.hash(bytes_max);
        self.hash_due = None;
        self.schedule_hash(now);
        bytes
    }

    /// Tells the user which pieces a source has sent.
    fn tell_range(&self, turn: &mut Turn, source: usize, pieces: &Range<usize>) {
        let FetchPurpose::Query(query) = self.purpose else { return };
        let bytes = self.pieces.byte_range(pieces);
        let (holder, elapsed) = (self.sources[source].contact, turn.now.since(self.started));
        let range = PulledRange { holder, offset: bytes.start, length: bytes.len(), elapsed };
        turn.push(Effect::Range { query, range });
    }

    /// Tells the user of the parts that no further piece will extend.
    fn end_parts(&mut self, turn: &mut Turn) {
        for source in 0..self.sources.len() {
            if let Some(ended) = self.sources[source].end_part() {
                self.tell_range(turn, source, &ended);
            }
        }
    }

    /// The sources that it is pulled from now.
    fn active(&self) -> impl Iterator<Item = usize> {
        let may_be = |index: &usize| !self.sources[*index].is_given_up;
        let count = if self.alone.is_some() { self.sources.len() } else { SOURCES_MAX };
        let indices = (0..self.sources.len()).filter(may_be).take(count);
        indices.filter(|index| self.alone.is_none_or(|alone| alone == *index))
    }

    /// Takes in an answer of a source to a request of this number.
    pub(super) fn answered(
        &mut self,
        turn: &mut Turn,
        index: usize,
        number: u16,
        datagram: &Datagram<'_>,
    ) {
        let Self { sources, pieces, .. } = self;
        let source = &mut sources[index];
        source.renew_token(turn.now, datagram.token);
        match datagram.body {
            Body::Value(value) if value.total as usize == pieces.total() => {
                self.take_piece(turn, index, number, &value);
            }
            Body::Error(ErrorCode::Token) => source.refused(number, |piece| pieces.lost(piece)),
            // It has the value no more, or never had it.
            _ => self.give_up(turn, index),
        }
    }

    fn take_piece(&mut self, turn: &mut Turn, index: usize, number: u16, value: &Value<'_>) {
        let Some(piece) = self.pieces.at(value.offset as usize, value.value) else {
            return self.give_up(turn, index);
        };
        match self.sources[index].arrived(turn.now, number, piece) {
            Arrival::First(took) => turn.histograms.answered_range(took),
            Arrival::Awaited => {}
            Arrival::Late => turn.stats.pieces_late += 1,
            Arrival::Unasked => return,
        }
        if self.alone.is_none_or(|alone| alone == index) {
            turn.stats.pieces_received += 1;
            self.keep(turn, index, piece, value.value);
        }
    }

    /// Pulls nothing more from a source.
    fn give_up(&mut self, turn: &mut Turn, index: usize) {
        let Self { sources, pieces, .. } = self;
        let source = &mut sources[index];
        if !source.is_given_up {
            source.is_given_up = true;
            turn.stats.sources_given_up += 1;
            source.forget(|piece| pieces.lost(piece));
        }
        if self.alone == Some(index) {
            self.begin_alone();
        }
    }

    /// Pulls the whole anew from the next source alone.
    fn begin_alone(&mut self) {
        for source in &mut self.sources {
            source.forget(|_| {});
        }
        self.pieces.clear();
        self.contributors.clear();
        self.checked_bytes = 0;
        self.alone = self.sources.iter().position(|source| !source.is_given_up);
    }

    /// Gives up what is overdue.
    pub(super) fn find_overdue(&mut self, turn: &mut Turn) {
        let now = turn.now;
        let active: Vec<usize> = self.active().collect();
        for &index in &active {
            let Self { sources, pieces, .. } = self;
            sources[index].find_lost(now, |piece| {
                turn.stats.pieces_lost += 1;
                pieces.lost(piece);
            });
            if sources[index].is_silent() {
                self.give_up(turn, index);
            }
        }
        if self.slow_at.is_some_and(|at| at <= now) {
            self.slow_at = None;
            if let FetchPurpose::Query(query) = self.purpose {
                turn.push(Effect::FetchIsSlow(query));
            }
        }
        if self.next_check <= now {
            self.next_check = now + FETCH_CHECK;
            self.give_up_slow(turn, &active);
        }
    }

    /// Gives up the sources that send next to nothing, and all where the whole comes on too
    /// slowly: others may have it.
    fn give_up_slow(&mut self, turn: &mut Turn, active: &[usize]) {
        let here = self.pieces.bytes_here();
        let are_slow = here < self.checked_bytes + self.total() / FETCH_CHECKS_MAX;
        self.checked_bytes = here;
        for &index in active {
            if self.sources[index].is_slow(turn.now) || are_slow {
                self.give_up(turn, index);
            }
        }
    }

    /// What the fetch has come to, if it has ended; none where it goes on.
    pub(super) fn outcome(&mut self, turn: &mut Turn) -> Option<FetchResult> {
        if let Some(key) = self.pieces.key() {
            self.end_parts(turn);
            if key == self.key {
                return Some(Ok(()));
            }
            turn.stats.values_mismatched += 1;
            if let [liar] = self.contributors[..] {
                self.liars.push(self.sources[liar].contact);
                self.sources[liar].is_given_up = true;
            }
            self.begin_alone();
        }
        let is_over = self.active().next().is_none() && !self.pieces.is_whole();
        if is_over {
            self.end_parts(turn);
        }
        is_over.then_some(Err(()))
    }

    /// Ends the fetch: what it came to, for those that asked for it.
    pub(super) fn into_fetched(self, result: FetchResult) -> Fetched {
        let Self { key, purpose, pieces, sources, contributors, liars, .. } = self;
        let total = pieces.total();
        let is_liar = |contact: &Contact| liars.contains(contact);
        let from = contributors.iter().map(|&index| sources[index].contact);
        let from: Vec<Contact> = from.filter(|contact| !is_liar(contact)).collect();
        let contacts = sources.iter().map(|source| source.contact).collect();
        let value = result.ok().map(|()| pieces.into_bytes());
        Fetched { key, purpose, total, value, from, sources: contacts, liars }
    }

    /// The next request to make, if any may be made now.
    pub(super) fn next_ask(&mut self, now: Instant) -> Option<Ask> {
        self.wake = None;
        let active: [Option<usize>; SOURCES_MAX] = {
            let mut indices = self.active();
            core::array::from_fn(|_| indices.next())
        };
        for index in active.into_iter().flatten() {
            let Self { sources, pieces, wake, .. } = self;
            let Some(room) = sources[index].room(now) else {
                let paced = sources[index].paced_until().filter(|&paced| paced > now);
                *wake = earlier(*wake, paced);
                continue;
            };
            let range = pieces.next_missing(room);
            let range = range.or_else(|| self.slow_part(now, index, active, room));
            if let Some(range) = range {
                let Self { sources, pieces, .. } = self;
                pieces.ask(&range);
                let number = sources[index].ask(now, &range);
                return Some(Ask { source: index, number, bytes: pieces.byte_range(&range) });
            }
        }
        None
    }

    /// Where nothing is missing that was not asked for, what another source is slow with: a
    /// source that drips holds up nothing but its own part.
    fn slow_part(
        &mut self,
        now: Instant,
        index: usize,
        active: [Option<usize>; SOURCES_MAX],
        room: usize,
    ) -> Option<Range<usize>> {
        if !self.sources[index].is_idle() {
            return None;
        }
        let patience = self.sources[index].patience();
        for other in active.into_iter().flatten().filter(|&other| other != index) {
            if let Some(range) = self.sources[other].take_slow(now, patience) {
                let end = range.end.min(range.start + room);
                let mut range = range.start..end;
                while range.start < range.end && !self.pieces.is_awaited(range.start) {
                    range.start += 1;
                }
                if !range.is_empty() {
                    return Some(range);
                }
            }
            let due = self.sources[other].slow_since().map(|since| since + patience);
            self.wake = earlier(self.wake, due.filter(|&due| due > now));
        }
        None
    }

    /// When it is to be looked at again.
    pub(super) fn deadline(&self) -> Instant {
        let deadlines = self.active().filter_map(|index| self.sources[index].deadline());
        let deadlines = deadlines.chain(self.wake).chain(self.slow_at).chain([self.next_check]);
        let deadlines = deadlines.chain(self.hash_due);
        deadlines.min().unwrap_or(self.next_check)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
