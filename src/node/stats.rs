//! The node's counters: what came, what went, and what was turned away.

macro_rules! counters {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[doc = $doc:literal])+ $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: u64,)* }

        impl $name {
            /// Each counter's name and value, in the order of their declaration.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }

            /// What each counts, in the same order. That of a gauge begins so.
            pub fn about() -> impl Iterator<Item = &'static str> {
                [$(concat!($($doc),+),)*].into_iter().map(str::trim)
            }
        }

        impl core::ops::AddAssign<&$name> for $name {
            /// Adds another shard's counters to these; of a time, takes the longer one.
            fn add_assign(&mut self, other: &$name) {
                $(self.$field = if stringify!($field).ends_with("_wait_us") {
                    self.$field.max(other.$field)
                } else {
                    self.$field + other.$field
                };)*
            }
        }
    };
}
#[cfg(feature = "std")]
pub(crate) use counters;

use super::outbox::OutboxFull;
use crate::wire::DecodeError;

counters! {
    /// Counters since the node was made, and, at the end, gauges of the moment.
    pub struct Stats {
        /// Datagrams handed to the node.
        datagrams_received,
        /// Datagrams written into the outbox.
        datagrams_sent,
        /// Not sent: the outbox was full.
        outbox_full,
        /// Dropped: ends before its header or body does.
        datagrams_truncated,
        /// Dropped: larger than any datagram of the protocol.
        datagrams_oversized,
        /// Dropped: not of this protocol or of its version.
        datagrams_foreign,
        /// Dropped: malformed body.
        datagrams_malformed,
        /// Dropped: of another network.
        datagrams_other_network,
        /// Dropped: sent by this very node.
        datagrams_own,
        /// Datagrams that landed on another shard than the one that acts on them,
        /// and were passed on.
        datagrams_missteered,
        /// Messages from other shards of the node.
        handoffs_received,
        /// PINGs answered.
        pings_answered,
        /// `FIND_NODEs` answered.
        find_nodes_answered,
        /// `FIND_VALUEs` answered with the value.
        find_values_hit,
        /// `FIND_VALUEs` answered with contacts.
        find_values_missed,
        /// STOREs accepted.
        stores_accepted,
        /// STOREs refused: no valid token.
        stores_without_token,
        /// STOREs refused: the value does not hash to the key.
        stores_mismatched,
        /// STOREs refused: too large, or in pieces.
        stores_too_large,
        /// STOREs refused: no room for that sender.
        stores_full,
        /// STOREs refused: the node departs.
        stores_while_departing,
        /// Large STOREs answered with PENDING: their values are pulled.
        stores_pending,
        /// STOREs refused: as many values are pulled as may be, or the disk does not keep up.
        stores_busy,
        /// RENEWs answered.
        renews_answered,
        /// RENEWs refused: the node departs, or the disk does not keep up.
        renews_refused,
        /// Values asked for in them that are held, and live longer for it.
        renewals_hit,
        /// Values asked for in them that are not held.
        renewals_missed,
        /// `FIND_RANGEs` answered with pieces of a value.
        find_ranges_hit,
        /// `FIND_RANGEs` for a value that is not held.
        find_ranges_missed,
        /// Pieces of values sent in answer to them.
        pieces_sent,
        /// `FIND_RANGEs` sent.
        ranges_asked,
        /// Pieces of values that came in answer to them.
        pieces_received,
        /// Pieces that came twice, or after they were taken for lost.
        pieces_late,
        /// Pieces that were taken for lost.
        pieces_lost,
        /// Large values that the node has begun to pull.
        transfers_started,
        /// Those that it has pulled and verified.
        transfers_finished,
        /// Those that no holder has sent whole and right.
        transfers_failed,
        /// Those not begun: too many at once, or from one host.
        transfers_refused,
        /// Holders given up in a pull: silent, slow, or without the value.
        sources_given_up,
        /// Peers given up that were to pull a value and did not.
        uploads_given_up,
        /// Peers not waited for that were to pull a value: too many.
        uploads_refused,
        /// Replies cut short, or refused, for want of a token or of padding.
        replies_cut,
        /// Replies that match no RPC in flight: late, duplicate or forged.
        replies_unmatched,
        /// Replies under another id than the one that was asked.
        replies_misnamed,
        /// Values that came back and did not hash to the key.
        values_mismatched,
        /// Requests sent, retransmissions included.
        requests_sent,
        /// Requests sent again.
        requests_retransmitted,
        /// RPCs that were answered.
        rpcs_answered,
        /// RPCs given up.
        rpcs_failed,
        /// RPCs not begun: too many in flight.
        rpcs_refused,
        /// Suspect contacts not checked: too many such PINGs in flight.
        checks_refused,
        /// Proofs sent: peers shown the token that they gave. They are no requests.
        proofs_sent,
        /// Proofs received, with a valid token or not.
        proofs_received,
        /// Announced addresses not verified: too many such PINGs in flight, of all or of
        /// the sender's subnet.
        verifications_refused,
        /// Senders on other hosts not verified: they announce a loopback address.
        verifications_of_loopback,
        /// Lookups begun.
        lookups_started,
        /// Times that a lookup was offered more contacts of the routing table: none of
        /// those before them had answered.
        lookups_seeded_again,
        /// Lookups not begun: too many in progress.
        lookups_refused,
        /// Puts that needed no lookup: others have found the nodes of their region lately.
        lookups_spared,
        /// Puts among them that looked up after all, since one of these nodes did not answer.
        lookups_after_all,
        /// Times that the nodes of all regions were forgotten: too many.
        regions_forgotten,
        /// Candidates not taken up: a lookup keeps only the closest.
        candidates_dropped,
        /// Times that the node found its id taken by another host.
        ids_taken,
        /// Times that the node found that its id does not fit its address.
        ids_unfit,
        /// Times that the node found that no neighbour lists it.
        ids_unlisted,
        /// Ids that it took instead.
        ids_replaced,
        /// Peers that did not enter the routing table: too many of their subnet are in it.
        contacts_crowded,
        /// Lookups that ended with nodes that do not count, since there were no others: too many
        /// of one subnet, or their ids do not fit their addresses.
        lookups_crowded,
        /// Contacts that entered the routing table.
        contacts_inserted,
        /// Contacts evicted from the routing table: dead, renamed, or departing.
        contacts_evicted,
        /// Contacts that came out of a replacement cache.
        contacts_replaced,
        /// Values dropped at the end of their life.
        values_expired,
        /// Values evicted to make room.
        values_evicted,
        /// STOREs and puts refused: the disk does not keep up.
        values_refused_by_disk,
        /// Changes of values that are kept on the disk.
        changes_kept,
        /// Changes of values that the disk did not take: they are in memory alone.
        changes_not_kept,
        /// Values that were read from the disk at the start.
        values_restored,
        /// RENEWs sent, repetitions not counted.
        renews_sent,
        /// Peers found to answer no RENEW: they are sent STOREs instead.
        renew_fallbacks,
        /// Peers given up in a round: silent, or of no use.
        renew_peers_given_up,
        /// Values that peers have said they hold, and keep longer.
        values_renewed,
        /// Values that peers have said they lack.
        renewals_lacking,
        /// Values stored on peers since they lacked them, or answer no RENEW.
        values_supplied,
        /// Values republished by this node as their origin.
        values_republished,
        /// Values replicated by this node as a holder.
        values_replicated,
        /// Copies left on the path of a get.
        values_path_cached,
        /// Values handed off to another node, since this one departs.
        values_handed_off,
        /// Values that no other node has taken, though this one departs.
        values_not_handed_off,
        /// Others that depart or are silent, not remembered while this node departs: too many.
        departing_forgotten,
        /// Events not told to the log: too many in one second.
        log_events_suppressed,
        /// Gauge: contacts in the routing table.
        contacts,
        /// Gauge: contacts in the replacement caches.
        replacements,
        /// Gauge: values in the store.
        values,
        /// Gauge: bytes of values in the store.
        value_bytes,
        /// Gauge: changes of values that wait to be kept on the disk.
        changes_waiting,
        /// Gauge: values put here and republished from here.
        values_published,
        /// Gauge: values that should have been republished or replicated a period ago.
        values_overdue,
        /// Gauge: microseconds since the value was to be republished or replicated that has
        /// waited the longest. Replicas wait for each other, a quarter of an hour.
        renewal_wait_us,
        /// Gauge: rounds in progress, in which values are renewed on other nodes.
        rounds,
        /// Gauge: values still to be handed off, since the node departs.
        values_to_hand_off,
        /// Gauge: large values that are pulled.
        transfers,
        /// Gauge: bytes of them, those that have not come included.
        transfer_bytes,
        /// Gauge: peers that pull a value which was offered to them.
        uploads,
        /// Gauge: lookups in progress.
        lookups,
        /// Gauge: RPCs in flight.
        rpcs,
    }
}

/// What is in progress at a shard, as its gauges say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Lookups in progress.
    pub lookups: u64,
    /// RPCs in flight.
    pub rpcs: u64,
}

impl Stats {
    pub(super) fn count_undecoded(&mut self, error: DecodeError) {
        let counter = match error {
            DecodeError::Truncated => &mut self.datagrams_truncated,
            DecodeError::Oversized => &mut self.datagrams_oversized,
            DecodeError::Magic | DecodeError::Version => &mut self.datagrams_foreign,
            DecodeError::Kind
            | DecodeError::Address
            | DecodeError::Contacts
            | DecodeError::Renewals
            | DecodeError::Code => &mut self.datagrams_malformed,
        };
        *counter += 1;
    }

    pub(super) fn count_sent(&mut self, sent: Result<(), OutboxFull>) {
        match sent {
            Ok(()) => self.datagrams_sent += 1,
            Err(OutboxFull) => self.outbox_full += 1,
        }
    }
}
