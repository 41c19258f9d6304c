//! The transaction ids of `FIND_RANGE`s.

use crate::wire::TransactionId;

/// Which request a reply answers: reply tag 8 bits, fetch 8, source 8, request 16, random
/// 24. The reply tag is the shard's second, so that no other request has such an id; an
/// attacker that cannot read the node's datagrams has to guess 24 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) fetch: u8,
    pub(super) source: u8,
    /// Counts up, and wraps.
    pub(super) number: u16,
    pub(super) nonce: [u8; 3],
}

impl Transaction {
    pub(super) fn id(self, reply_tag: u8) -> TransactionId {
        let [high, low] = self.number.to_be_bytes();
        let [a, b, c] = self.nonce;
        TransactionId::new([reply_tag, self.fetch, self.source, high, low, a, b, c])
    }

    pub(super) fn of(id: TransactionId) -> Self {
        let [_, fetch, source, high, low, nonce @ ..] = *id.as_bytes();
        Self { fetch, source, number: u16::from_be_bytes([high, low]), nonce }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_transaction_is_read_as_it_was_written(
            fetch: u8, source: u8, number: u16, nonce: [u8; 3], reply_tag: u8,
        ) {
            let transaction = Transaction { fetch, source, number, nonce };
            let id = transaction.id(reply_tag);
            proptest::prop_assert_eq!(id.reply_tag(), reply_tag);
            proptest::prop_assert_eq!(Transaction::of(id), transaction);
        }
    }
}
