//! One holder that a value is pulled from: what was asked of it, what has come, what is lost.
//!
//! Loss is found by time, as RACK does (RFC 8985): a piece is lost when one that was asked
//! for after it has come, and as long again as pieces may be reordered has passed. Where
//! nothing comes at all, a time-out declares all that is on its way lost (RFC 6298).

use alloc::collections::VecDeque;
use core::ops::Range;
use core::time::Duration;

use super::window::{NEAR, Window};
use crate::limits::{
    FETCH_CHECK, FETCH_CHECK_BYTES, PIECE_BYTES_MAX, RANGE_PIECES_MAX, SOURCE_TIMEOUTS_MAX,
    TIMEOUT_MAX,
};
use crate::node::known::{Known, PeerToken};
use crate::time::Instant;
use crate::wire::{Contact, Token};

/// Parts of a round trip by which pieces may be reordered, when none has been seen to be: a
/// fourth (RFC 8985).
const REORDERING_FOURTHS: u32 = 1;
/// The most parts, after as many pieces that came though they were taken for lost: the tail
/// of jitter is longer than the one round trip of RFC 8985.
const REORDERING_FOURTHS_MAX: u32 = 16;
/// Least time by which they may be: that of a wake-up.
const REORDERING_MIN: Duration = Duration::from_millis(1);

/// A request of which some pieces may still come.
#[derive(Debug)]
struct Asked {
    first: usize,
    /// A bit for each piece that is awaited.
    awaited: u64,
    sent: Instant,
    is_answered: bool,
    /// Whether another holder was asked for the same.
    is_doubled: bool,
}

/// What came of the requests since a source was checked.
#[derive(Debug, Default)]
struct Checked {
    /// When the first was made.
    since: Option<Instant>,
    received: usize,
    /// Whether a piece was taken for lost.
    has_lost: bool,
}

/// What a piece's arrival tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was on its way, and is the first of its request, which took so long.
    First(Duration),
    /// It was on its way.
    Awaited,
    /// It had come, or was taken for lost.
    Late,
    /// It was never asked for.
    Unasked,
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) contact: Contact,
    pub(super) known: Known,
    pub(super) nonce: [u8; 3],
    window: Window,
    /// The number of the first of `asked`; the others count up from it.
    first_number: u16,
    asked: VecDeque<Asked>,
    on_way: u32,
    /// Of what has come, what was asked for last: the request's number and the piece, and
    /// how long it took.
    latest: Option<(u16, usize, Duration)>,
    reordering_fourths: u32,
    /// Since when nothing has come.
    heard: Instant,
    timeouts: u8,
    /// Before this it is asked nothing more.
    paced: Instant,
    /// What it has sent since the last check.
    checked: Checked,
    /// The pieces that it has sent last without a gap.
    part: Range<usize>,
    /// Whether it is asked no more: it lies, is silent, slow, or has nothing.
    pub(super) is_given_up: bool,
}

impl Source {
    pub(super) fn new(now: Instant, contact: Contact, known: Known, nonce: [u8; 3]) -> Self {
        Self {
            contact,
            known,
            nonce,
            window: Window::new(now, known.round_trip.smoothed()),
            first_number: 0,
            asked: VecDeque::new(),
            on_way: 0,
            latest: None,
            reordering_fourths: REORDERING_FOURTHS,
            heard: now,
            timeouts: 0,
            paced: now,
            checked: Checked::default(),
            part: 0..0,
            is_given_up: false,
        }
    }

    pub(super) const fn is_idle(&self) -> bool {
        self.on_way == 0
    }

    /// How many pieces the next request may ask for; none while the window is full or what
    /// was sent is to be spread over the round trip. A fourth of the window at least, so that
    /// no request is for a piece or two.
    pub(super) fn room(&self, now: Instant) -> Option<usize> {
        if self.known.token.valid_at(now) == Token::NONE {
            // The answer may be three times the request.
            return self.is_idle().then_some(1);
        }
        let window = self.window.pieces();
        let least = (window / 4).clamp(1, RANGE_PIECES_MAX as u32);
        let room = window.saturating_sub(self.on_way);
        let is_paced = self.paced > now && !self.is_idle();
        (room >= least && !is_paced).then_some(least as usize)
    }

    /// When the next request may be made, where its pace alone forbids it.
    pub(super) fn paced_until(&self) -> Option<Instant> {
        (self.on_way > 0 && self.on_way < self.window.pieces()).then_some(self.paced)
    }

    /// Notes a request for the pieces of `range`, and returns its number.
    pub(super) fn ask(&mut self, now: Instant, range: &Range<usize>) -> u16 {
        let count = range.len() as u32;
        if self.is_idle() {
            self.heard = now;
        }
        self.checked.since.get_or_insert(now);
        let number = self.first_number.wrapping_add(self.asked.len() as u16);
        let awaited = u64::MAX >> (64 - count);
        let asked =
            Asked { first: range.start, awaited, sent: now, is_answered: false, is_doubled: false };
        self.asked.push_back(asked);
        self.on_way += count;
        if let Some(round_trip) = self.known.round_trip.smoothed()
            // To wait so little costs more than the queue does.
            && round_trip >= NEAR
        {
            let window = u64::from(self.window.pieces());
            let micros = round_trip.as_micros() as u64 * u64::from(count) * 4
                / (window * self.window.pace_fourths());
            self.paced = self.paced.max(now) + Duration::from_micros(micros);
        }
        number
    }

    /// Takes note of a piece that has come in answer to a request.
    pub(super) fn arrived(&mut self, now: Instant, number: u16, piece: usize) -> Arrival {
        let index = usize::from(number.wrapping_sub(self.first_number));
        if index >= self.asked.len() {
            // Older than all that are awaited, or never made.
            let is_old = self.first_number.wrapping_sub(number) <= u16::MAX / 2;
            if !is_old {
                return Arrival::Unasked;
            }
            self.was_late();
            return Arrival::Late;
        }
        let asked = &mut self.asked[index];
        let Some(bit) = piece.checked_sub(asked.first).filter(|&bit| bit < RANGE_PIECES_MAX) else {
            return Arrival::Unasked;
        };
        let took = now.since(asked.sent);
        self.heard = now;
        self.timeouts = 0;
        if asked.awaited & 1 << bit == 0 {
            self.was_late();
            return Arrival::Late;
        }
        let is_full = self.on_way + RANGE_PIECES_MAX as u32 >= self.window.pieces();
        asked.awaited &= !(1 << bit);
        self.on_way -= 1;
        self.checked.received += 1;
        let is_first = !core::mem::replace(&mut asked.is_answered, true);
        if is_first {
            self.known.round_trip.sample(took);
        }
        let smoothed = self.known.round_trip.smoothed().unwrap_or(took);
        self.window.sample(now, took, smoothed);
        self.window.arrived(is_full);
        let is_later = self.latest.is_none_or(|(latest, at, _)| {
            let ahead = number.wrapping_sub(latest);
            if ahead == 0 { piece > at } else { ahead <= u16::MAX / 2 }
        });
        if is_later {
            self.latest = Some((number, piece, took));
        }
        self.forget_settled();
        if is_first { Arrival::First(took) } else { Arrival::Awaited }
    }

    /// A piece that was taken for lost has come.
    fn was_late(&mut self) {
        self.window.was_late();
        self.reordering_fourths = (self.reordering_fourths + 1).min(REORDERING_FOURTHS_MAX);
    }

    /// Notes a piece that it has sent, and that was new. Returns the part before it, where it
    /// does not extend that.
    pub(super) fn extend_part(&mut self, piece: usize) -> Option<Range<usize>> {
        if piece == self.part.end {
            self.part.end += 1;
            return None;
        }
        let ended = core::mem::replace(&mut self.part, piece..piece + 1);
        (!ended.is_empty()).then_some(ended)
    }

    /// The part that it has sent last, if any; the next piece begins another.
    pub(super) fn end_part(&mut self) -> Option<Range<usize>> {
        let ended = core::mem::take(&mut self.part);
        (!ended.is_empty()).then_some(ended)
    }

    /// Notes the token that came with a reply.
    pub(super) fn renew_token(&mut self, now: Instant, token: Token) {
        if token != Token::NONE {
            self.known.token = PeerToken::new(token, now);
        }
    }

    /// A request that was answered by no piece: the holder wants a token.
    pub(super) fn refused(&mut self, number: u16, lost: impl FnMut(usize)) {
        let index = usize::from(number.wrapping_sub(self.first_number));
        self.lose(index..index + 1, |_, _| u64::MAX, lost);
        self.forget_settled();
    }

    fn forget_settled(&mut self) {
        while self.asked.pop_front_if(|asked| asked.awaited == 0).is_some() {
            self.first_number = self.first_number.wrapping_add(1);
        }
    }

    /// Gives up the pieces, of these requests, that `mask` picks. Returns when the last of
    /// them was asked for.
    fn lose(
        &mut self,
        requests: Range<usize>,
        mask: impl Fn(usize, &Asked) -> u64,
        mut lost: impl FnMut(usize),
    ) -> Option<Instant> {
        let mut newest = None;
        for index in requests {
            let Some(asked) = self.asked.get_mut(index) else { break };
            let mut bits = asked.awaited & mask(index, asked);
            if bits != 0 {
                newest = Some(asked.sent);
            }
            asked.awaited &= !bits;
            self.on_way -= bits.count_ones();
            self.checked.has_lost |= bits != 0;
            while bits != 0 {
                lost(asked.first + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        newest
    }

    fn reordering(&self) -> Duration {
        let round_trip = self.known.round_trip;
        let smoothed = round_trip.smoothed().unwrap_or_default();
        let most = round_trip.timeout(0).max(REORDERING_MIN);
        (smoothed * self.reordering_fourths / 4).clamp(REORDERING_MIN, most)
    }

    /// Gives up what is overdue at `now`; `lost` is told each piece.
    pub(super) fn find_lost(&mut self, now: Instant, mut lost: impl FnMut(usize)) {
        if let Some((number, piece, took)) = self.latest {
            let latest = number.wrapping_sub(self.first_number);
            // Where it was the last of those awaited, all that remain were asked for later.
            let end = if latest > u16::MAX / 2 { 0 } else { usize::from(latest) + 1 };
            let limit = took + self.reordering();
            let is_due = |asked: &Asked| asked.sent + limit <= now;
            let mask = |index: usize, asked: &Asked| match index + 1 < end {
                _ if !is_due(asked) => 0,
                true => u64::MAX,
                false => (1_u64 << (piece - asked.first).min(63)) - 1,
            };
            let before = self.on_way;
            if let Some(sent) = self.lose(0..end.min(self.asked.len()), mask, &mut lost) {
                self.window.lost(now, sent, before - self.on_way);
                self.forget_settled();
            }
        }
        if !self.is_idle() && self.timeout_at() <= now {
            self.timeouts += 1;
            self.lose(0..self.asked.len(), |_, _| u64::MAX, lost);
            self.forget_settled();
            self.window.silent(now);
            self.heard = now;
        }
    }

    fn timeout_at(&self) -> Instant {
        self.heard + self.known.round_trip.timeout(self.timeouts)
    }

    /// When it is to be looked again whether something is lost.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.is_idle() {
            return None;
        }
        let first = self.asked.front();
        let by_order = self.latest.zip(first).and_then(|((number, piece, took), first)| {
            let ahead = number.wrapping_sub(self.first_number);
            let has_gap = match ahead {
                0 => first.awaited & ((1 << (piece - first.first).min(63)) - 1) != 0,
                _ => ahead <= u16::MAX / 2,
            };
            has_gap.then(|| first.sent + took + self.reordering())
        });
        Some(by_order.map_or(self.timeout_at(), |due| due.min(self.timeout_at())))
    }

    /// Whether nothing has come for so long that it is to be given up.
    pub(super) const fn is_silent(&self) -> bool {
        self.timeouts >= SOURCE_TIMEOUTS_MAX
    }

    /// Whether it has sent less than [`FETCH_CHECK_BYTES`] in each [`FETCH_CHECK`], though it
    /// was asked for more. Begins the next check.
    pub(super) fn is_slow(&mut self, now: Instant) -> bool {
        let is_late = self.asked.front().is_some_and(|asked| asked.sent + TIMEOUT_MAX <= now);
        let Checked { since, received, has_lost } = self.checked;
        let Some(took) = since.map(|since| now.since(since)).filter(|took| *took >= FETCH_CHECK)
        else {
            return false;
        };
        self.checked = Checked::default();
        let (bytes, took_us) = ((received * PIECE_BYTES_MAX) as u128, took.as_micros());
        let is_little = bytes * FETCH_CHECK.as_micros() < FETCH_CHECK_BYTES as u128 * took_us;
        is_little && (has_lost || is_late)
    }

    /// A request on its way for longer than this holder takes, for `other` to be asked the
    /// same: its awaited pieces, next to each other. Once for each request.
    pub(super) fn take_slow(&mut self, now: Instant, after: Duration) -> Option<Range<usize>> {
        let asked = self
            .asked
            .iter_mut()
            .find(|asked| asked.awaited != 0 && !asked.is_doubled && asked.sent + after <= now)?;
        asked.is_doubled = true;
        let first = asked.awaited.trailing_zeros() as usize;
        let last = 63 - asked.awaited.leading_zeros() as usize;
        Some(asked.first + first..asked.first + last + 1)
    }

    /// When the first request that is not asked of another was made.
    pub(super) fn slow_since(&self) -> Option<Instant> {
        let not_doubled = |asked: &&Asked| asked.awaited != 0 && !asked.is_doubled;
        self.asked.iter().find(not_doubled).map(|asked| asked.sent)
    }

    /// After which time on its way a request of another holder is slow.
    pub(super) fn patience(&self) -> Duration {
        self.known.round_trip.timeout(0) * 2
    }

    /// Forgets what is on its way: `lost` is told each piece.
    pub(super) fn forget(&mut self, lost: impl FnMut(usize)) {
        self.lose(0..self.asked.len(), |_, _| u64::MAX, lost);
        self.forget_settled();
    }
}
