//! What a shard tells the owner of a bucket of which it holds a replica.

use super::*;

/// A bucket that has failed to reach its contact `failures` times, and what another
/// shard has been told of it.
fn failed(failures: u8) -> (Bucket, Bucket) {
    let mut bucket = full(1);
    for _ in 0..failures {
        bucket.failed(contact(1), FAILURES_FORGET);
    }
    let mut replica = Bucket::new();
    replica.adopt(bucket.clone());
    (bucket, replica)
}

#[test]
fn an_answer_after_failures_is_told_to_the_owner_once() {
    let answer = |second| entry(contact(1), at_second(second));
    for failures in 1..FAILURES_STALE {
        let (_, mut replica) = failed(failures);
        assert!(replica.note(answer(2)), "after {failures}");
        for second in 3..30 {
            assert!(!replica.note(answer(second)), "after {failures}");
        }
        // In a row are those alone between which no answer was told.
        assert!(replica.note_failed(contact(1)));
        assert!(replica.note(answer(30)));
        assert!(!replica.note(answer(31)));
        assert!(replica.note(answer(30 + CONTACT_NEWS.as_secs())));
    }
}

#[test]
fn a_stale_contact_that_answers_another_shard_is_stale_until_the_owner_knows() {
    let (mut bucket, mut replica) = failed(FAILURES_STALE);
    for second in 2..4 {
        let answer = entry(contact(1), at_second(second));
        assert!(replica.note(answer));
        assert!(replica.entries()[0].is_stale());
    }
    let before = bucket.revision();
    bucket.answered(1, entry(contact(1), at_second(2)));
    assert!(bucket.revision() > before);
    replica.adopt(bucket);
    assert!(!replica.entries()[0].is_stale());
    assert!(!replica.note(entry(contact(1), at_second(4))));
}

#[test]
fn a_request_is_told_to_the_owner_by_the_time_since_the_last_alone() {
    for failures in 0..=FAILURES_STALE {
        let (_, mut replica) = failed(failures);
        let news = 1 + CONTACT_NEWS.as_secs();
        assert!(!replica.note_heard(at_second(news - 1), contact(1)));
        assert!(replica.note_heard(at_second(news), contact(1)));
        assert!(!replica.note_heard(at_second(news + 1), contact(1)));
    }
}
