//! The engine, driven by a clock of the tests' own against a target that is a
//! function.

mod target;

use kad_node::quantity::Percent;
use kad_node::rng::Rng;
use loadgen::engine::{Ending, Engine, OperationEnd, Pace, Traffic};
use loadgen::mix::Kind;
use loadgen::record::Record;
use loadgen::schedule::Arrivals;
use proptest::prelude::*;

use target::{MS, Target, World, traffic};

fn open(rate: u64) -> Pace {
    Pace::Open { rate, arrivals: Arrivals::Uniform }
}

fn run(traffic: &Traffic, target: Target) -> Record {
    World::new(traffic.clone(), target).run()
}

#[test]
fn every_request_of_a_clean_run_is_answered_after_the_target_s_delay() {
    let traffic = traffic("get=80,put=10,find-node=5,ping=5", open(10_000));
    let record = run(&traffic, Target { delay_ns: 2 * MS, ..Target::default() });
    let books = record.books;
    assert_eq!((books.scheduled, books.unsent, books.sent), (10_000, 0, 10_000));
    assert_eq!((books.fulfilled, books.timed_out, books.resent), (10_000, 0, 0));
    for (kind, sent) in
        [(Kind::Get, 8_000), (Kind::Put, 1_000), (Kind::FindNode, 500), (Kind::Ping, 500)]
    {
        let of_kind = record.kinds.iter().find(|record| record.books.kind == kind);
        let books = of_kind.expect("in the mix").books;
        assert_eq!((books.sent, books.fulfilled), (sent, sent), "{kind:?}");
    }
    let corrected = record.corrected();
    // To the histogram's three digits, and the clock's step.
    let (min, max) = (corrected.min(), corrected.max());
    assert!(min >= 2 * MS - MS / 100 && max <= 2 * MS + MS / 5, "{min} {max}");
    assert_eq!(books.check(), Ok(()));
}

#[test]
fn a_request_lost_with_all_its_sends_counts_at_its_time_out() {
    let traffic = Traffic { drop: Percent::ALL, ..traffic("get=1", open(100)) };
    let record = run(&traffic, Target::default());
    assert_eq!((record.books.answered, record.books.timed_out), (0, 100));
    assert_eq!(record.books.resent, 300, "three retries each");
    assert_eq!(record.books.requests_dropped, 400);
    assert!(record.corrected().is_empty());
    // Four waits of 250 ms.
    let lost = record.with_lost();
    assert!(lost.min() >= 999 * MS && lost.max() <= 1002 * MS, "{} {}", lost.min(), lost.max());
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "counts of 10 000")]
fn loss_on_both_legs_is_the_seed_s_and_as_strong_as_asked() {
    let lossy = Traffic { drop: Percent::new(35), ..traffic("get=1", open(10_000)) };
    let record = run(&lossy, Target::default());
    assert_eq!(record.books.check(), Ok(()));
    // An attempt succeeds with 0.65 * 0.65; all four fail with (1 - 0.4225)^4 =
    // 0.111. Five standard deviations of 10 000 requests are 0.0157.
    let failed = record.books.timed_out as f64 / record.books.sent as f64;
    assert!((failed - 0.111).abs() < 0.0157, "{failed}");
    assert_eq!(run(&lossy, Target::default()).books, record.books, "the same seed");
    let other = run(&Traffic { seed: 2, ..lossy }, Target::default());
    assert_ne!(other.books, record.books, "another seed");
}

#[test]
fn late_and_duplicate_replies_stand_apart() {
    let traffic = Traffic { retries: 0, ..traffic("ping=1", open(100)) };
    let late = run(&traffic, Target { delay_ns: 300 * MS, ..Target::default() });
    assert_eq!((late.books.timed_out, late.books.answered), (100, 0));
    assert!(late.books.late > 0 && late.books.duplicate == 0);
    let twice = run(&traffic, Target { copies: 2, ..Target::default() });
    assert_eq!((twice.books.answered, twice.books.late), (100, 0));
    assert_eq!(twice.books.duplicate, 100);
    // The first send's answer comes after the second send: its reply is a duplicate.
    let traffic = Traffic { retries: 1, ..traffic };
    let slow = run(&traffic, Target { delay_ns: 300 * MS, ..Target::default() });
    assert_eq!((slow.books.answered, slow.books.resent), (100, 100));
    assert!(slow.books.duplicate > 0);
    for record in [late, twice, slow] {
        assert_eq!(record.books.check(), Ok(()));
    }
}

#[test]
fn a_wrong_value_is_wrong_and_a_missing_one_is_missed() {
    let traffic = traffic("get=1", open(1_000));
    let wrong = run(&traffic, Target { corrupt: true, ..Target::default() });
    assert_eq!((wrong.books.wrong, wrong.books.fulfilled), (1_000, 0));
    let empty = run(&traffic, Target { empty: true, ..Target::default() });
    assert_eq!((empty.books.missed, empty.books.fulfilled), (1_000, 0));
}

#[test]
fn a_refused_token_is_replaced_by_the_one_that_came_with_the_refusal() {
    let traffic = traffic("put=1", open(1_000));
    let record = run(&traffic, Target { token: 7, ..Target::default() });
    assert_eq!((record.books.fulfilled, record.books.refused), (1_000, 0));
    assert!(record.books.tokens_renewed >= 1);
    assert_eq!(record.books.check(), Ok(()));
    // A target that refuses every token is not asked for ever.
    let never = run(&traffic, Target { token: 7, fickle: true, ..Target::default() });
    assert_eq!(never.books.refused, 1_000);
    assert_eq!(never.books.check(), Ok(()));
}

#[test]
fn a_stalled_generator_is_late_and_its_latency_counts_from_when_requests_were_due() {
    let traffic = traffic("ping=1", open(1_000));
    let mut world = World::new(traffic, Target { delay_ns: MS, ..Target::default() });
    world.stall(500 * MS, 200 * MS);
    let record = world.run();
    assert_eq!((record.books.sent, record.books.unsent), (1_000, 0));
    assert!(record.pacing.max() >= 190 * MS);
    assert!(record.corrected().max() >= 190 * MS);
    // But for the one that was in flight meanwhile, each took a millisecond.
    let uncorrected = record.uncorrected.value_at_quantile(0.99);
    assert!(uncorrected <= 2 * MS, "{uncorrected}");
}

#[test]
fn what_the_generator_never_sends_is_unsent() {
    let traffic = traffic("ping=1", open(1_000));
    let mut world = World::new(traffic, Target::default());
    // From the middle of the measured time until after its end and one time-out.
    world.stall(500 * MS, 2_000 * MS);
    let record = world.run();
    assert_eq!(record.books.scheduled, 1_000);
    assert!(record.books.unsent > 300, "{}", record.books.unsent);
    assert_eq!(record.books.check(), Ok(()));
}

#[test]
fn a_closed_loop_keeps_its_window_full_and_never_fuller() {
    let traffic = Traffic { burst: 4, ..traffic("get=1", Pace::Closed { window: 16 }) };
    let mut world = World::new(traffic, Target { delay_ns: MS, ..Target::default() });
    let record = world.run_observed(|engine| assert!(engine.in_flight() <= 16));
    // 16 for each millisecond of a second, give or take the steps of the clock.
    assert!((12_000..=16_100).contains(&record.books.sent), "{}", record.books.sent);
    assert_eq!(record.books.unsent, 0);
    assert_eq!(record.books.check(), Ok(()));
}

#[test]
fn warm_up_requests_are_sent_and_not_counted() {
    let traffic = Traffic { warmup_ns: 500 * MS, ..traffic("ping=1", open(1_000)) };
    let mut world = World::new(traffic, Target::default());
    let record = world.run();
    assert_eq!(record.books.sent, 1_000);
    assert_eq!(world.requests_seen(), 1_500);
}

#[test]
fn a_late_warm_up_is_cut_short_and_changes_nothing_that_is_measured() {
    let mix = "get=50,put=20,find-node=20,ping=10";
    let drop = Percent::new(20);
    let traffic = traffic(mix, open(20_000));
    // Without retries, which would take their turns when it wakes.
    let traffic = Traffic { warmup_ns: 500 * MS, burst: 3, drop, retries: 0, ..traffic };
    let punctual = run(&traffic, Target::default());
    let mut world = World::new(traffic, Target::default());
    // It wakes when the measured time begins, and would have 6000 to catch up on.
    world.stall(200 * MS, 300 * MS - MS / 10);
    let stalled = world.run();
    assert_eq!(stalled.books, punctual.books);
    assert!(stalled.pacing.max() <= MS / 5, "{}", stalled.pacing.max());
}

#[test]
fn the_end_of_a_lookup_is_judged_once() {
    let traffic = traffic("lookup=1", open(10));
    let corpus = traffic.corpus.clone();
    let mut world = World::new(traffic, Target::default());
    let record = world.run_with_lookups(|number, operation, key| {
        let value = (0..corpus.len() as u32).map(loadgen::corpus::KeyIndex);
        let index = value.into_iter().find(|index| corpus.key(*index) == key).expect("known");
        let found =
            |value: &[u8]| kad_node::node::Found { value: value.into(), from: None, hops: 1 };
        let outcome = match number % 3 {
            0 => Ok(Some(found(corpus.value(index)))),
            1 => Ok(None),
            _ => Ok(Some(found(b"something else"))),
        };
        let ending = Ending::Get { outcome, asked: 3 };
        vec![OperationEnd { operation, ending: ending.clone() }, OperationEnd { operation, ending }]
    });
    let books = record.books;
    assert_eq!((books.fulfilled, books.missed, books.wrong), (4, 3, 3));
    assert_eq!((books.lookups_sent, books.lookups_answered), (10, 10));
    assert_eq!(books.check(), Ok(()));
}

#[test]
fn a_lookup_that_does_not_end_is_given_up_after_as_long_as_any_request() {
    let traffic = traffic("lookup=1", open(10));
    let record = World::new(traffic, Target::default()).run_with_lookups(|_, _, _| Vec::new());
    assert_eq!((record.books.timed_out, record.books.resent), (10, 0));
    assert!(record.lost.min() >= 999 * MS && record.lost.max() <= 1002 * MS);
}

#[test]
fn noise_and_forgeries_change_nothing() {
    let traffic = traffic("get=1", open(1_000));
    let clean = run(&traffic, Target::default());
    let mut world = World::new(traffic, Target::default());
    let mut rng = Rng::from_u64(1);
    let record = world.run_observed(|engine: &mut Engine| {
        let mut out = loadgen::engine::Outgoing::new(2);
        let noise = rng.bytes::<80>();
        engine.receive(0, loadgen::in_flight::LinkIndex(0), &noise, &mut out);
        engine.receive(0, loadgen::in_flight::LinkIndex(1), b"", &mut out);
    });
    assert!(world.strange() > 0);
    assert_eq!(record.books, clean.books);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever is lost, late, doubled or refused: each request and each datagram
    /// has exactly one fate.
    #[test]
    fn the_books_always_close(
        seed: u64,
        drop in 0u8..=100,
        rate in 1u64..5_000,
        burst in 1u64..=64,
        retries in 0u8..4,
        delay_ms in 0u64..600,
        copies in 0usize..3,
        token in 0u8..3,
        poisson: bool,
        closed: bool,
        stall_ms in 0u64..1_500,
    ) {
        let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Uniform };
        let pace = if closed { Pace::Closed { window: 64 } } else { Pace::Open { rate, arrivals } };
        let traffic = Traffic {
            seed,
            drop: Percent::new(drop),
            burst,
            retries,
            warmup_ns: 100 * MS,
            ..traffic("get=50,put=20,find-node=20,ping=10", pace)
        };
        let mut world = World::new(traffic, Target {
            delay_ns: delay_ms * MS,
            copies,
            token,
            ..Target::default()
        });
        world.stall(300 * MS, stall_ms * MS);
        let record = world.run();
        prop_assert_eq!(record.books.check(), Ok(()));
        prop_assert_eq!(record.corrected().len(), record.books.answered);
        prop_assert_eq!(record.with_lost().len(), record.books.sent);
        let in_time: u64 = record.timeline.intervals.iter().map(|interval| interval.sent).sum();
        prop_assert_eq!(in_time, record.books.sent);
    }
}
