//! That the bounds fit each other.

#[allow(clippy::wildcard_imports)] // most of them; in a test build it is no lint
use super::*;

const _: () = assert!(
    REQUEST_PADDED_BYTES * AMPLIFICATION_MAX >= DATAGRAM_BYTES_MAX,
    "the reply to a padded request may be of any size"
);
const _: () = assert!(
    DATAGRAM_BYTES_MAX == 1232 && PIECE_BYTES_MAX == 1132 && K_MAX == 28 && RENEWALS_MAX == 48,
    "the description of the wire format names these numbers"
);
const _: () = assert!(VALUE_BYTES_DEFAULT <= VALUE_BYTES_MAX && VALUE_BYTES_MAX <= 1 << 30);
const _: () = assert!(RANGE_PIECES_MAX <= 64, "a range's pieces are bits of a word");
const _: () = assert!(
    (HEADER_BYTES + 12 + PIECE_BYTES_MAX) * RANGE_PIECES_MAX <= 65_507,
    "the answer to a range leaves as one message"
);
const _: () = assert!(RANGE_PIECES_MAX * DATAGRAM_BYTES_MAX <= OUTBOX_RESERVE_BYTES);
const _: () = assert!(FETCHES_MAX <= 1 << 8, "a transaction id names a fetch in 8 bits");
const _: () = assert!(PULLS_MAX < FETCHES_MAX && PULLS_PER_HOST_MAX < PULLS_MAX);
const _: () = assert!(SOURCES_MAX <= SOURCES_KNOWN_MAX && SOURCES_KNOWN_MAX <= 1 << 8);
const _: () = assert!(
    HEADER_BYTES + ANNOUNCE_BYTES_MAX + 1 + K_MAX * CONTACT_BYTES_MAX <= DATAGRAM_BYTES_MAX,
    "a NODES reply carries K contacts of either family"
);
const _: () = assert!(K_DEFAULT <= K_MAX && K_MAX <= CANDIDATES_MAX);
const _: () =
    assert!(SEEDINGS_MAX * K_MAX <= ASKED_MAX, "the nodes that the table knows may be asked");
const _: () = assert!(CANDIDATES_MAX < ASKED_MAX && ASKED_MAX <= u16::MAX as usize);
const _: () = assert!(ALPHA_DEFAULT <= ALPHA_MAX && ALPHA_MAX <= K_MAX);
const _: () = assert!(CONTACT_NEWS.as_secs() * 2 <= CONTACT_FRESH.as_secs());
const _: () = assert!(TIMEOUT_MIN.as_micros() < TIMEOUT_FIRST.as_micros());
const _: () = assert!(
    TIMEOUT_FIRST.as_micros() < TIMEOUT_LAST_MIN.as_micros()
        && TIMEOUT_LAST_MIN.as_micros() <= TIMEOUT_MAX.as_micros()
);
const _: () = assert!(SHARDS_MAX <= 256 / 4);
const _: () = assert!(FAILURES_STALE < FAILURES_FORGET);
const _: () = assert!(IN_FLIGHT_MAX <= 1 << 13, "a transaction id names its slot in 13 bits");
const _: () = assert!(IN_FLIGHT_MAX >= QUERIES_MAX * ALPHA_DEFAULT);
const _: () = assert!(MAINTENANCE_QUERIES_MAX < QUERIES_MAX);
const _: () = assert!(DEPART_QUERIES_MAX < QUERIES_MAX);
const _: () = assert!(DEPART_ROUND_VALUES <= ROUND_VALUES_MAX);
const _: () = assert!(DEPART_REQUESTS_MAX <= IN_FLIGHT_MAX / 4);
const _: () = assert!(
    DEPART_QUERIES_MAX * K_MAX <= IN_FLIGHT_MAX / 2,
    "all values that are handed off at once may be on their last step"
);
const _: () = assert!(
    (STORE_VALUES_MAX / RENEWALS_MAX) as u128 * ROUND_PACE.as_millis() <= REPLICATE.as_millis(),
    "of a full store of one shard, each of the K that hold a value renews its share in a period, \
     on K peers"
);
const _: () = assert!(STORE_VALUES_MAX < u32::MAX as usize, "a slot is named by 32 bits");
const _: () = assert!(
    PUBLISHED_VALUES_MAX as u128 * MAINTENANCE_PACE.as_millis() <= EXPIRE_DEFAULT.as_millis(),
    "as many values as may be put on one shard are all republished before they expire"
);
const _: () = assert!(
    RENEWALS_MAX * RENEWAL_COST < 2 * STORES_PER_TURN_MAX * STORE_COST,
    "the longest RENEW takes less than two turns may"
);
const _: () = assert!(NEWCOMERS_VALUES <= ROUND_VALUES_MAX / 2);
const _: () = assert!(ROUND_VALUES_MAX <= u16::MAX as usize && RENEWALS_MAX <= 64);
const _: () = assert!(RENEW_AHEAD.as_secs() * 4 == REPLICATE.as_secs());
const _: () = assert!(RENEW_LATE.as_secs() * 4 <= REPLICATE.as_secs());
const _: () = assert!(STALE_CHECKS_MAX < CHECKS_MAX);
const _: () = assert!(CHECKS_MAX + VERIFICATIONS_MAX < IN_FLIGHT_MAX);
const _: () = assert!(OUTBOX_RESERVE_BYTES < OUTBOX_BYTES_MAX);
const _: () = assert!(OUTBOX_RESERVE_BYTES >= 2 * K_MAX * DATAGRAM_BYTES_MAX);
const _: () = assert!(REGION_LIFE.as_secs() * 2 < TOKEN_EPOCH.as_secs());
