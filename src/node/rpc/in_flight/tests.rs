//! RPCs in flight against a plain list of them.

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::limits::TIMEOUT_LAST_MIN;
use crate::node::samples::addr;
use crate::rng::Rng;

const TAG: u8 = 0xa5;

/// An RPC as the model knows it: every send's transaction id.
struct Known {
    id: RpcId,
    number: u32,
    peer: SocketAddr,
    sends_max: u8,
    sent: Vec<(Instant, TransactionId)>,
    deadline: Instant,
}

struct Model {
    now: Instant,
    rng: Rng,
    in_flight: InFlight<u32>,
    /// Every round trip that was measured, of any peer.
    typical: RoundTrip,
    known: Vec<Known>,
    settled: Vec<(SocketAddr, TransactionId)>,
    begun: u32,
}

#[derive(Clone, Debug)]
enum Act {
    Begin {
        peer: u16,
        sends_max: u8,
        round_trip_ms: u64,
    },
    Complete {
        rpc: prop::sample::Index,
        send: prop::sample::Index,
    },
    Abandon {
        rpc: prop::sample::Index,
    },
    /// Time passes; of those that are late, a bit each says which is sent again.
    Wait {
        ms: u64,
        again: u64,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let index = any::<prop::sample::Index>;
    let round_trip_ms = prop_oneof![Just(0_u64), 1..900_u64];
    let begin = (0..6_u16, 1..=SENDS_MAX as u8, round_trip_ms)
        .prop_map(|(peer, sends_max, round_trip_ms)| Act::Begin { peer, sends_max, round_trip_ms });
    let act = prop_oneof![
        6 => begin,
        3 => (index(), index()).prop_map(|(rpc, send)| Act::Complete { rpc, send }),
        1 => index().prop_map(|rpc| Act::Abandon { rpc }),
        4 => (0..1500_u64, any::<u64>()).prop_map(|(ms, again)| Act::Wait { ms, again }),
    ];
    vec(act, 1..120)
}

/// How long send number `send` waits: as for this peer, and after the last a while more;
/// or as for a typical one where this is not known and another send follows.
fn timeout(typical: RoundTrip, round_trip: RoundTrip, send: u8, sends_max: u8) -> Duration {
    let own = round_trip.timeout(send);
    match (round_trip.smoothed(), send + 1 == sends_max) {
        (None, false) => typical.timeout(send).min(own),
        (Some(_), true) => own.max(TIMEOUT_LAST_MIN),
        _ => own,
    }
}

impl Model {
    fn new(seed: u64) -> Self {
        let (now, rng) = (Instant::ZERO, Rng::from_u64(seed));
        let in_flight = InFlight::new(TAG);
        let typical = RoundTrip::default();
        Self { now, rng, in_flight, typical, known: Vec::new(), settled: Vec::new(), begun: 0 }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Begin { peer, sends_max, round_trip_ms } => {
                let mut round_trip = RoundTrip::default();
                if *round_trip_ms > 0 {
                    round_trip.sample(Duration::from_millis(*round_trip_ms));
                }
                self.begin(addr(*peer), round_trip, *sends_max);
            }
            Act::Complete { rpc, send } if !self.known.is_empty() => {
                let known = &self.known[rpc.index(self.known.len())];
                let (id, send) = (known.id, send.index(known.sent.len()));
                self.complete(id, send);
            }
            Act::Abandon { rpc } if !self.known.is_empty() => {
                let id = self.known[rpc.index(self.known.len())].id;
                self.in_flight.remove(id);
                self.settle(id);
            }
            Act::Complete { .. } | Act::Abandon { .. } => {}
            Act::Wait { ms, again } => self.wait(Duration::from_millis(*ms), *again),
        }
    }

    fn begin(&mut self, peer: SocketAddr, round_trip: RoundTrip, sends_max: u8) {
        self.begun += 1;
        let begun =
            self.in_flight.begin(self.now, &mut self.rng, peer, round_trip, sends_max, self.begun);
        let (id, transaction) = begun.expect("there is room");
        assert_eq!(transaction.reply_tag(), TAG);
        let deadline = self.now + timeout(self.typical, round_trip, 0, sends_max);
        let (number, sent) = (self.begun, alloc::vec![(self.now, transaction)]);
        self.known.push(Known { id, number, peer, sends_max, sent, deadline });
    }

    fn complete(&mut self, id: RpcId, send: usize) {
        let known = self.settle(id);
        let (sent_at, transaction) = known.sent[send];
        let (rpc, sample) = self.in_flight.complete(self.now, id, transaction);
        assert_eq!(rpc.request, known.number);
        assert_eq!(rpc.first_sent(), known.sent[0].0);
        let remembered = send == 0 || send + 1 == known.sent.len();
        assert_eq!(sample, remembered.then(|| self.now.since(sent_at)));
        if let Some(sample) = sample {
            self.typical.sample(sample);
        }
    }

    fn wait(&mut self, duration: Duration, again: u64) {
        self.now = self.now + duration;
        let mut before = Instant::ZERO;
        let mut turns = 0;
        while let Some(overdue) = self.in_flight.overdue(self.now) {
            let due = self.known.iter().map(|known| known.deadline).min().expect("one is overdue");
            assert!(before <= due && due <= self.now, "deadlines come in order");
            before = due;
            match overdue {
                Overdue::Late(id) => {
                    let known = self.known.iter_mut().find(|known| known.id == id);
                    let known = known.expect("in flight");
                    assert_eq!(known.deadline, due);
                    assert!(known.sent.len() < usize::from(known.sends_max));
                    if again >> (turns % 64) & 1 == 1 {
                        let (now, rng) = (self.now, &mut self.rng);
                        let transaction = self.in_flight.resend(now, rng, id, Spacing::Doubling);
                        let rpc = self.in_flight.rpc(id);
                        let send = known.sent.len() as u8;
                        let timeout = timeout(self.typical, rpc.round_trip, send, known.sends_max);
                        let least = self.now + timeout;
                        let most = least + timeout / 8 + Duration::from_micros(1);
                        assert!((least..=most).contains(&rpc.deadline));
                        known.deadline = rpc.deadline;
                        known.sent.push((self.now, transaction));
                    } else {
                        self.in_flight.remove(id);
                        self.settle(id);
                    }
                }
                Overdue::GivenUp(rpc) => {
                    let given_up = |known: &&Known| known.number == rpc.request;
                    let known = self.known.iter().find(given_up).expect("in flight");
                    assert_eq!(known.deadline, due);
                    assert_eq!(known.sent.len(), usize::from(known.sends_max));
                    self.settle(known.id);
                }
            }
            turns += 1;
        }
    }

    fn settle(&mut self, id: RpcId) -> Known {
        let index = self.known.iter().position(|known| known.id == id).expect("in flight");
        let known = self.known.swap_remove(index);
        self.settled.extend(known.sent.iter().map(|&(_, transaction)| (known.peer, transaction)));
        known
    }

    fn assert_consistent(&self) {
        let in_flight = &self.in_flight;
        assert_eq!(in_flight.len(), self.known.len());
        let next = self.known.iter().map(|known| known.deadline).min();
        assert_eq!(in_flight.deadline(), next, "the deadline is one of an RPC in flight");
        assert!(in_flight.deadlines.len() <= DEADLINES_MAX);
        for known in &self.known {
            for &(_, transaction) in &known.sent {
                assert_eq!(in_flight.find(transaction, known.peer), Some(known.id));
                assert_eq!(in_flight.find(transaction, addr(999)), None, "another source");
            }
        }
        for &(peer, transaction) in &self.settled {
            assert_eq!(in_flight.find(transaction, peer), None, "it is settled");
        }
    }
}

proptest! {
    #[test]
    fn rpcs_in_flight_behave_like_a_plain_list_of_them(seed: u64, acts in acts()) {
        let mut model = Model::new(seed);
        for act in &acts {
            model.act(act);
            model.assert_consistent();
        }
    }

    #[test]
    fn a_reply_with_any_other_bit_matches_nothing(seed: u64, resent in 0..3_usize) {
        let mut model = Model::new(seed);
        model.begin(addr(1), RoundTrip::default(), 4);
        model.begin(addr(1), RoundTrip::default(), 4);
        for _ in 0..resent {
            let deadline = model.in_flight.deadline().expect("in flight");
            model.wait(deadline.since(model.now) * 2, u64::MAX);
        }
        for known in &model.known {
            let valid: Vec<TransactionId> = known.sent.iter().map(|&(_, id)| id).collect();
            for (bit, id) in (0..64).flat_map(|bit| valid.iter().map(move |&id| (bit, id))) {
                let mut bytes = *id.as_bytes();
                bytes[bit / 8] ^= 0x80 >> (bit % 8);
                let forged = TransactionId::new(bytes);
                let expected = valid.contains(&forged).then_some(known.id);
                prop_assert_eq!(model.in_flight.find(forged, known.peer), expected, "bit {}", bit);
            }
        }
    }
}

#[test]
fn a_slot_that_is_used_again_does_not_take_its_predecessors_reply() {
    let mut model = Model::new(1);
    model.begin(addr(1), RoundTrip::default(), 3);
    let (slot, late) = (model.known[0].id.slot, model.known[0].sent[0].1);
    for _ in 0..1000 {
        model.complete(model.known[0].id, 0);
        model.begin(addr(1), RoundTrip::default(), 3);
        assert_eq!(model.known[0].id.slot, slot, "the slot is used again");
        assert_eq!(model.in_flight.find(late, addr(1)), None);
    }
}

#[test]
fn a_full_slab_refuses_and_takes_again_once_one_is_settled() {
    let mut model = Model::new(1);
    for _ in 0..IN_FLIGHT_MAX {
        model.begin(addr(1), RoundTrip::default(), 3);
    }
    let Model { now, rng, in_flight, .. } = &mut model;
    assert!(in_flight.begin(*now, rng, addr(1), RoundTrip::default(), 3, 0).is_none());
    assert_eq!(in_flight.len(), IN_FLIGHT_MAX);
    model.complete(model.known[77].id, 0);
    model.begin(addr(1), RoundTrip::default(), 3);
}

#[test]
fn deadlines_of_settled_rpcs_take_bounded_memory() {
    let mut model = Model::new(1);
    // One that stays in flight keeps the others' deadlines from coming up.
    model.begin(addr(1), RoundTrip::default(), 3);
    for _ in 0..2 * DEADLINES_MAX {
        model.now = model.now + Duration::from_micros(1);
        model.begin(addr(1), RoundTrip::default(), 3);
        model.complete(model.known[1].id, 0);
        model.settled.clear();
        assert!(model.in_flight.deadlines.len() <= DEADLINES_MAX);
    }
    model.assert_consistent();
}

#[test]
fn what_a_peer_reads_of_its_own_requests_leaves_40_bits_of_another_to_guess() {
    let mut model = Model::new(1);
    let own = addr(1);
    for _ in 0..500 {
        model.begin(own, RoundTrip::default(), 2);
        model.begin(addr(2), RoundTrip::default(), 2);
    }
    let deadline = model.in_flight.deadline().expect("in flight");
    model.wait(deadline.since(model.now), u64::MAX);
    let nonce = |transaction: &TransactionId| {
        transaction.as_bytes()[3..].iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte))
    };
    let sends = model.known.iter().flat_map(|known| known.sent.iter());
    let nonces: Vec<u64> = sends.map(|(_, transaction)| nonce(transaction)).collect();
    assert_eq!(nonces.len(), 2000);
    // Each bit is set in half of all, give or take 6 standard deviations of 22; and the same
    // of the bits in which one differs from the one before it, which no counter does.
    for bit in 0..40 {
        let set = nonces.iter().filter(|&&nonce| nonce >> bit & 1 == 1).count();
        let changed = nonces.windows(2).filter(|pair| (pair[0] ^ pair[1]) >> bit & 1 == 1).count();
        assert!(set.abs_diff(1000) < 134 && changed.abs_diff(1000) < 134, "bit {bit}");
    }
    // Another's slot and send are read off; any nonce that was seen does not fit it.
    let victim = model.known.iter().find(|known| known.peer != own).expect("in flight");
    for seen in model.known.iter().filter(|known| known.peer == own) {
        for &(_, transaction) in &seen.sent {
            let forged =
                Parts { nonce: Parts::of(transaction).nonce, ..Parts::of(victim.sent[0].1) };
            assert_eq!(model.in_flight.find(forged.with_tag(TAG), victim.peer), None);
        }
    }
}
