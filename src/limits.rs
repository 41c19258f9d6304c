//! Every bound and period of the protocol, by name, with the arithmetic that
//! ties them to each other.

mod arithmetic;

use core::time::Duration;

use crate::id::ID_BYTES;

/// Largest datagram of the protocol: 1280, the least that every IPv6 path carries, less
/// 40 of IPv6 header and 8 of UDP header, so that no path fragments it.
pub const DATAGRAM_BYTES_MAX: usize = 1280 - 40 - 8;

/// How many times a request's size a reply may be to an address that has shown
/// no valid token, so that no attacker gains by forging a victim's address.
pub const AMPLIFICATION_MAX: usize = 3;

/// Size to which a `FIND_NODE` or `FIND_VALUE` without a token is padded: any
/// reply fits into [`AMPLIFICATION_MAX`] times it. A PING or STORE stays as it is: what
/// answers it is little more than a header, and a padded PING would itself amplify when it
/// goes to an address that a new contact only claims to have.
pub const REQUEST_PADDED_BYTES: usize = DATAGRAM_BYTES_MAX.div_ceil(AMPLIFICATION_MAX);

/// Bytes of a datagram before the announced address and the body.
pub const HEADER_BYTES: usize = 48;

/// Bytes of an IPv6 contact, the larger of the two: family, id, IP address, port.
pub const CONTACT_BYTES_MAX: usize = 1 + ID_BYTES + 16 + 2;

/// A STORE's fields before the value: key, offset, total, lifetime, purpose.
pub const STORE_FIELDS_BYTES: usize = ID_BYTES + 4 + 4 + 4 + 1;

/// A renewal: key, lifetime.
pub const RENEWAL_BYTES: usize = ID_BYTES + 4;

/// An announced address: family, IPv6 address, port.
pub const ANNOUNCE_BYTES_MAX: usize = 1 + 16 + 2;

/// Renewals of one RENEW: as many as a datagram has room for beside their count, 48.
pub const RENEWALS_MAX: usize =
    (DATAGRAM_BYTES_MAX - HEADER_BYTES - ANNOUNCE_BYTES_MAX - 1) / RENEWAL_BYTES;

/// Largest part of a value in one datagram: what a STORE carries beside its fields, 1132
/// bytes. A larger value is cut into pieces of this size.
pub const PIECE_BYTES_MAX: usize =
    DATAGRAM_BYTES_MAX - HEADER_BYTES - ANNOUNCE_BYTES_MAX - STORE_FIELDS_BYTES;
/// Largest value that any node may be told to take.
pub const VALUE_BYTES_MAX: usize = 16 << 20;
/// Largest value that a node takes when nothing else is asked for.
pub const VALUE_BYTES_DEFAULT: usize = 1 << 20;

/// Pieces that one `FIND_RANGE` is answered with at most: 57 KB, which leave as one
/// segmented message.
pub const RANGE_PIECES_MAX: usize = 48;
/// Values that one shard pulls at once: a transaction id names each in 8 bits.
pub const FETCHES_MAX: usize = 256;
/// Of those, values that others have offered by a STORE; the rest is for the user's gets.
pub const PULLS_MAX: usize = 128;
/// Of those, values that one host has offered.
pub const PULLS_PER_HOST_MAX: usize = 16;
/// Bytes of the values that a node pulls at once; its shards divide them, and each has room
/// for two of the largest values that it takes. Others' STOREs get half.
pub const FETCH_BYTES_MAX: usize = 128 << 20;
/// Bytes of the values that one host has offered and one shard pulls at once, but for one
/// that is larger and alone.
pub const PULL_BYTES_PER_HOST_MAX: usize = 16 << 20;
/// Bytes of values that one shard pulls and hashes in a turn, for which what is small waits:
/// 59 us where SHA-1 takes 1.1 GB in a second (`benches/transfer`).
pub const HASHED_BYTES_MAX: usize = 64 << 10;
/// Holders that a value is pulled from at once: where one is slow or dies, the others go on.
pub const SOURCES_MAX: usize = 4;
/// Holders that one pull remembers, those in use included.
pub const SOURCES_KNOWN_MAX: usize = 16;
/// Time-outs in a row after which a holder that has sent nothing is given up: at 35 % loss
/// each way one request and its answer come to nothing in 43 % of the cases, eight in a row
/// in one case of 900.
pub const SOURCE_TIMEOUTS_MAX: u8 = 8;
/// How often it is looked whether a pull comes on.
pub const FETCH_CHECK: Duration = Duration::from_secs(10);
/// Bytes that a holder has to send in that time where it is asked for more; with less it is
/// given up, and so is a peer that pulls less. At 35 % loss each way and a round trip of 2 s,
/// 16 KB are gained; by a holder that sends a piece each second, 11 KB.
pub const FETCH_CHECK_BYTES: usize = 12 << 10;
/// Checks in which a value is to be pulled: with less of it from one to the next all its
/// holders are given up. A value of 1 MiB has to gain 16 KiB, one of 16 MiB 256 KiB.
pub const FETCH_CHECKS_MAX: usize = 64;
/// After this time a pull that has not ended has the lookup look for more holders: those that
/// it has are slow.
pub const FETCH_SLOW: Duration = Duration::from_secs(2);
/// Values that one shard's others pull from it, as far as it waits for them.
pub const UPLOADS_MAX: usize = 8192;
/// How long after it was last heard of, a peer that pulls a value is asked whether it has it.
pub const UPLOAD_POLL: Duration = Duration::from_millis(500);
/// Longest of these waits: each is twice the one before while the peer pulls nothing.
pub const UPLOAD_POLL_MAX: Duration = Duration::from_secs(4);
/// Waits in a row in which a peer has pulled nothing, after which it is given up: 20 s.
pub const UPLOAD_POLLS_MAX: u8 = 7;
/// How often the user is told how far a large value is.
pub const PROGRESS_PERIOD: Duration = Duration::from_millis(500);

/// Replication when nothing else is asked for (Kademlia 2.2).
pub const K_DEFAULT: usize = 20;
/// Largest replication: a NODES reply with an announced address has room for so
/// many IPv6 contacts, and for one more.
pub const K_MAX: usize = 28;
/// Lookup parallelism when nothing else is asked for (Kademlia 2.3).
pub const ALPHA_DEFAULT: usize = 3;
/// Largest lookup parallelism.
pub const ALPHA_MAX: usize = 16;

/// Replacement cache of a bucket, in contacts (Kademlia 4.1).
pub const REPLACEMENTS_MAX: usize = 8;
/// Contacts of one subnet in a bucket, and among the K closest that a lookup ends with, when
/// nothing else is asked for (as in discv5).
pub const PEERS_PER_SUBNET: usize = 2;
/// For how many full buckets of them a table has room.
pub const SUBNET_BUCKETS: usize = 5;
/// Failed RPCs in a row after which a contact is stale: no longer handed to
/// others, and the first to make way. One is too few: at 35 % loss each way an
/// RPC of three sends fails in 19 % of the cases, three in a row in 0.7 %.
pub const FAILURES_STALE: u8 = 3;
/// Failed RPCs in a row after which a stale contact is forgotten even when
/// nothing replaces it. Between the two numbers a node that was cut off from the
/// network keeps the contacts through which it comes back (Kademlia 4.1).
pub const FAILURES_FORGET: u8 = 16;

/// A contact that was seen so lately is not pinged when a newcomer waits for its
/// place.
pub const CONTACT_FRESH: Duration = Duration::from_mins(1);
/// A shard that hears from a contact tells the owner of its bucket so often:
/// twice in the time after which the owner would ping it.
pub const CONTACT_NEWS: Duration = Duration::from_secs(30);

/// Candidates that one lookup keeps, beside those that it has given up.
pub const CANDIDATES_MAX: usize = 100;
/// Nodes that one lookup asks: some forty where all is well, and besides
/// [`UNANSWERED_MAX`] for each liar, or those that a liar of many addresses answers
/// for.
pub const ASKED_MAX: usize = 320;
/// The budget of each namer in a lookup: of the nodes that it names, how many more than
/// have answered may be asked, while others are left. At 35 % loss each way an RPC fails in
/// 19 % of the cases, four in a row in one case of 800, and a node that matters is
/// named by many.
pub const UNANSWERED_MAX: i16 = 4;
/// Nodes at one IP that a lookup asks in vain, where subnets count, before it asks no other
/// there: a liar that names many ports of a victim has it sent so many requests.
pub const UNANSWERED_PER_IP_MAX: usize = 2;
/// How often a lookup is offered contacts of the routing table, K each time: to begin
/// with, and when none of them has answered. Where four nodes in
/// five are gone, a lookup to the 8 closest that begins with 8 contacts meets the dead
/// alone in one case of six, with 32 in one of a thousand. A node that is cut off waits
/// four times as long for the news.
pub const SEEDINGS_MAX: usize = 4;
/// Queries in progress on one shard, [`MAINTENANCE_QUERIES_MAX`] of them not the
/// user's.
pub const QUERIES_MAX: usize = 1024;
/// Queries in progress that maintenance may start: refresh, replicate and
/// republish are paced by it.
pub const MAINTENANCE_QUERIES_MAX: usize = 4;
/// Puts in progress at once from which on what their lookups find is remembered for other keys
/// ([`REGION_LIFE`]): a few puts are no reason to take the memory.
pub const REGION_PUTS_MIN: usize = 4;
/// How long the nodes of a region of the id space are remembered: a put finds a node that has
/// joined so much later at most. The tokens that they gave last five times as long.
pub const REGION_LIFE: Duration = Duration::from_mins(1);
/// Of the puts in a region in the second half of its life, one in so many looks up and so
/// renews it: at 50 a second it is found anew within 2 s mostly, long before its end.
pub const RENEWAL_PARTS: u64 = 64;
/// First bits of an id by which the smallest regions are told apart: of 80 000 nodes, as many
/// as K lie in each. What larger networks find is smaller, and is not remembered.
pub const REGION_BITS_MAX: usize = 12;
/// Nodes of regions that one shard remembers, of some 80 bytes each. Beyond it all are
/// forgotten and found anew.
pub const REGION_NODES_MAX: usize = 16_384;
/// Least time from the beginning of one query of maintenance to that of the next:
/// where peers answer within a millisecond, those in progress at once are no
/// bound, and a peer that fills a store with values that are to be replicated would
/// have the node flood the network.
pub const MAINTENANCE_PACE: Duration = Duration::from_millis(50);
/// Values of a departing node that are on their way at once on one shard: where a
/// round trip takes 100 ms, a lookup and its STOREs take half a second, so that a
/// thousand values are handed off in 4 s. What is in flight for them is at most
/// half of what may be.
pub const DEPART_QUERIES_MAX: usize = 128;
/// Values of a departing node that one round hands off; of more than [`RENEWALS_MAX`] those of
/// each peer fill several RENEWs.
pub const DEPART_ROUND_VALUES: usize = 512;
/// Requests in flight to one peer for a round in which values are handed off: where a round trip
/// takes 100 ms, and each value has one new holder of 20, 1600 of them take a second.
pub const DEPART_REQUESTS_PER_PEER: usize = 8;
/// Requests in flight for all rounds of a departing node's shard.
pub const DEPART_REQUESTS_MAX: usize = 512;
/// Keys of what a departing node holds that are gathered at once.
pub const GATHER_VALUES: usize = 1024;
/// Others that depart at the same time, as a departing node remembers them.
pub const DEPARTING_MAX: usize = 1024;
/// Events for the log that one shard tells in a second, where it is asked for them: more
/// are no reading for a person, and a flood must not fill the memory with them.
pub const LOG_EVENTS_MAX: u32 = 1000;
/// Keys of each kind that one shard shows to a person who looks at what the node holds.
pub const KEYS_SHOWN_MAX: usize = 256;
/// Sources that are shown to a person who looks at what the node holds.
pub const SOURCES_SHOWN_MAX: usize = 16;
/// Shards of one node: each has at least four of the 256 steer bytes.
pub const SHARDS_MAX: usize = 64;
/// RPCs in flight on one shard.
pub const IN_FLIGHT_MAX: usize = 8192;
/// PINGs in flight that settle whether suspect contacts live.
pub const CHECKS_MAX: usize = 64;
/// PINGs in flight that settle whether new contacts are where they announce to be: apart
/// from the others, so that those who announce without end cannot use those up.
pub const VERIFICATIONS_MAX: usize = 64;
/// Stale contacts that are pinged at each self lookup, to see which are back.
pub const STALE_CHECKS_MAX: usize = 16;
/// Addresses that a node may be told to join by.
pub const BOOTSTRAP_ADDRESSES_MAX: usize = 64;

/// Sends of a request within a lookup: at 35 % loss each way one send is
/// answered in 42 % of the cases, three in 81 %.
pub const SENDS_LOOKUP: u8 = 3;
/// Sends of a request to a candidate that one peer alone has named, the second of which
/// is but a wait: what it names may be a victim's address.
pub const SENDS_UNCONFIRMED: u8 = 2;
/// Sends of a STORE, which no other peer makes up for: four reach 89 %.
pub const SENDS_STORE: u8 = 4;
/// Sends of a request of a departing node, given up as it is sent for the last time: it
/// has waited twice by then, and has seconds for all of them.
pub const SENDS_HURRIED: u8 = 3;
/// Sends of the PING that verifies an announced address: nothing proves that a peer is
/// there, and it will ask again if it is real.
pub const SENDS_VERIFY: u8 = 1;
/// Sends of the PING that tells a contact that the node leaves: at 35 % loss one of
/// two arrives in 88 % of the cases, and the node waits for no third.
pub const SENDS_GOODBYE: u8 = 2;

/// Time-out of the first send to a peer whose round trip is not known yet, unless
/// those of others suggest a shorter one and another send follows.
pub const TIMEOUT_FIRST: Duration = Duration::from_millis(400);
/// Least wait after the last send to a peer whose round trip is known, after which it
/// is given up: where a path grows from 0.2 ms to half a second, the 140 ms of three
/// quick sends would cost a contact that lives, and a put one of the K closest. A dead
/// one holds up no lookup that has others to ask, since the slot of a late one is free.
pub const TIMEOUT_LAST_MIN: Duration = Duration::from_millis(800);
/// Least time-out, however quick the peer.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(20);
/// Greatest time-out, however slow the peer.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(2);

/// A bucket in which no lookup fell for so long is refreshed (Kademlia 2.3 says
/// an hour; BEP 5 says 15 minutes).
pub const BUCKET_REFRESH: Duration = Duration::from_mins(15);
/// Period of the lookup for one's own id.
pub const SELF_LOOKUP: Duration = Duration::from_mins(10);
/// The same period, to begin with, of a node that knows fewer than K contacts:
/// the node it joined by may have come just before it, and known no other. It
/// doubles up to [`SELF_LOOKUP`], so that a small network is soon left in peace.
pub const SELF_LOOKUP_SPARSE: Duration = Duration::from_secs(5);
/// How soon a node looks again whether its neighbours list it, where they do not or list
/// another under its id: a contact that has moved is listed at its new address within 10 s,
/// when its old one has been silent for three checks.
pub const OWN_ID_LOOK: Duration = Duration::from_secs(15);
/// Lookups for its own id in a row by which a node finds its id taken, or itself unlisted.
pub const OWN_ID_LOOKS: u8 = 3;
/// Subnets whose nodes a node asks where they see it, from which on the majority of them is
/// believed at once; of fewer all must say the same, in [`OWN_ID_LOOKS`] lookups in a row.
pub const OWN_ID_SUBNETS: usize = 3;
/// First wait between attempts to join; grows up to [`BOOTSTRAP_WAIT_MAX`].
pub const BOOTSTRAP_WAIT_MIN: Duration = Duration::from_millis(500);
/// Longest wait between attempts to join.
pub const BOOTSTRAP_WAIT_MAX: Duration = Duration::from_mins(1);

/// Rounds in progress on one shard, in which values are renewed on their holders.
pub const ROUNDS_MAX: usize = 16;
/// Values of one round. Its RENEWs are full, and where a million values are held the turn in
/// which it begins takes some 6 ms (`cargo bench --bench upkeep`): with twice as many values
/// twice as long, and no fewer datagrams.
pub const ROUND_VALUES_MAX: usize = 1024;
/// Requests in flight for all rounds of one shard: where a round trip takes 50 ms, 640 leave
/// in a second.
pub const ROUND_REQUESTS_MAX: usize = 32;
/// STOREs that a peer gets once more in one round, since it has refused what may have been damaged
/// on the way: a peer that refuses all that it is sent costs so many datagrams.
pub const ROUND_STORES_AGAIN_MAX: u8 = 4;
/// Time from the beginning of one round to that of the next, for each RENEW of it: a node of
/// full stores sends 500 a second at most, 600 KB.
pub const ROUND_PACE: Duration = Duration::from_millis(2);
/// How long before its turn a replica is taken along by a round: values that were put
/// together are due within a quarter of a period of each other. Without it each of their
/// holders renews the few that come first, and none the others before its next round: in
/// churn that is a tenth more datagrams.
pub const RENEW_AHEAD: Duration = Duration::from_mins(15);
/// How long after its turn a replica waits for the round of another holder: one that none has
/// renewed by then may have no other. A round begins with it, and its RENEWs are full.
pub const RENEW_LATE: Duration = Duration::from_mins(15);
/// How soon a value is renewed once more where a node was silent that was to hold it: by then
/// the table knows whether that node is dead, and which is the next closest.
pub const RENEW_AGAIN: Duration = Duration::from_mins(1);
/// Of the nodes closest to a value, those on which its origin renews it each time; and those of
/// which a node that is farther than K others asks whether they hold it.
pub const RENEW_PEERS: usize = 3;
/// How often it is looked for nodes that have come into the neighbourhood.
pub const NEWCOMERS_LOOK: Duration = Duration::from_mins(1);
/// Values that are gone through at once for such nodes: a quarter of a millisecond.
pub const NEWCOMERS_VALUES: usize = 512;
/// How long after some the next ones follow: a million values take 20 s.
pub const NEWCOMERS_PACE: Duration = Duration::from_millis(10);
/// Replica sets of values put here that one shard remembers, a kilobyte each.
pub const REPLICA_SETS_MAX: usize = 2048;
/// Peers that answer no RENEW, as one shard remembers them, and how long it does.
pub const RENEWLESS_MAX: usize = 1024;
/// See [`RENEWLESS_MAX`].
pub const RENEWLESS: Duration = Duration::from_hours(12);
/// Period in which the origin stores its values anew.
pub const REPUBLISH_DEFAULT: Duration = Duration::from_hours(1);
/// Period in which a holder stores what no node has stored on it meanwhile (Kademlia 2.5). Once
/// in K of them it does so for all that it holds, whatever others have stored.
pub const REPLICATE: Duration = Duration::from_hours(1);
/// Life of a value that no node publishes again (Kademlia 2.3).
pub const EXPIRE_DEFAULT: Duration = Duration::from_hours(24);
/// Least life of a path-cached copy, however many nodes are closer to its key.
pub const CACHE_LIFE_MIN: Duration = Duration::from_mins(10);

/// A token is valid in the epoch that gave it and in the next.
pub const TOKEN_EPOCH: Duration = Duration::from_mins(5);

/// Bytes of values that one node stores for others when nothing else is asked for;
/// its shards divide them.
pub const STORE_BYTES_MAX: usize = 256 << 20;
/// Least that may be asked for: each of [`SHARDS_MAX`] shards has room for a value of
/// one datagram.
pub const STORE_BYTES_MIN: usize = 128 << 10;
/// What a stored value weighs beside its bytes: 80 of its entry, some 17 of its places in the
/// indexes, 24 by which the allocator and the count of its users surround it, and half of
/// the 16 to which these are rounded up. `tests/store_allocations.rs` holds it against what
/// is used.
pub const VALUE_OVERHEAD_BYTES: usize = 128;
/// What it takes to know a source that has stored something, so that a value each of a
/// million sources weighs what it takes. Measured as [`VALUE_OVERHEAD_BYTES`] is.
pub const SOURCE_OVERHEAD_BYTES: usize = 144;
/// The same of a subnet.
pub const SUBNET_OVERHEAD_BYTES: usize = 132;
/// Values that one node stores for others; its shards divide them. Far above what
/// [`STORE_BYTES_MAX`] has room for: it is for the time that it takes to renew them.
pub const STORE_VALUES_MAX: usize = 1 << 26;
/// STOREs that one shard takes up in a turn of its loop: each costs several times what a PING or
/// a get does, which wait for the turn's end.
pub const STORES_PER_TURN_MAX: usize = 16;
/// What a STORE takes of that, and what each renewal of a RENEW does: `benches/store` measures
/// both. A RENEW of 48 is taken up whole, for what almost two turns may take.
pub const STORE_COST: usize = 5;
/// See [`STORE_COST`].
pub const RENEWAL_COST: usize = 3;
/// STOREs and RENEWs that one shard has wait for its next turns: more are dropped, and their
/// senders send them again.
pub const STORES_PUT_OFF_MAX: usize = 1024;
/// Requests for parts of large values that one shard answers in a turn, of up to
/// [`RANGE_PIECES_MAX`] pieces each: what is small waits for them. `benches/transfer` measures
/// how long.
pub const RANGES_PER_TURN_MAX: usize = 2;
/// Such requests that one shard has wait for its next turns: more are dropped, and are asked
/// again.
pub const RANGES_PUT_OFF_MAX: usize = 1024;
/// Values whose life is ended at one time-out; the rest follow at the next, which
/// is at once: a shard that has millions of them to forget must not be deaf meanwhile.
/// `benches/store` measures how long such a turn takes.
pub const EXPIRIES_MAX: usize = 64;
/// Values that one shard keeps because they were put here.
pub const PUBLISHED_VALUES_MAX: usize = 1 << 20;

/// Values put here that are looked at, at once, as the node joins, whether another node holds
/// them: those that none does are due then.
pub const HASTEN_VALUES: usize = 1024;

/// Changes of one shard's values that wait to be kept on a disk: when a disk does not keep
/// up, more puts and STOREs are refused.
pub const JOURNAL_CHANGES_MAX: usize = 4096;
/// Bytes of the values among them, but for one that is larger and alone.
pub const JOURNAL_BYTES_MAX: usize = 8 << 20;
/// Bytes of values from which on a batch of changes takes no more: with the largest value
/// added, it is what the disk's writer takes at once.
pub const JOURNAL_BATCH_BYTES: usize = 1 << 20;
/// Batches of changes of one shard that wait to be kept: what a turn writes is one.
pub const JOURNAL_BATCHES_MAX: usize = 64;

/// Bytes that an [`Outbox`](crate::node::Outbox) holds.
pub const OUTBOX_BYTES_MAX: usize = 1 << 20;
/// What one call into the node writes into the outbox at most: a put's STOREs
/// and its next lookup step, replies and maintenance beside it.
pub const OUTBOX_RESERVE_BYTES: usize = 256 << 10;
/// Messages to other shards by which an [`Outbox`](crate::node::Outbox) is low,
/// however much room for datagrams it has. One call into the node adds a few for
/// each other shard on top: a routing change is told to all.
pub const OUTBOX_HANDOFFS_MAX: usize = SHARDS_MAX;
