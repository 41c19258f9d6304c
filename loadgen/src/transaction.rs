//! Transaction ids that name the request, so that its reply is found without a
//! search, and say which of its sends is answered.

use kad_node::wire::TransactionId;

/// Bits that name the place of a request among those in flight.
const SLOT_BITS: u32 = 20;
/// Bits of a request's number in the run: at a million a second they last 19
/// hours a thread.
const SEQUENCE_BITS: u32 = 36;

/// Requests of one thread in flight at most.
pub const IN_FLIGHT_MAX: usize = 1 << SLOT_BITS;

const _: () = assert!(8 + SLOT_BITS + SEQUENCE_BITS == 64);

/// One send of one request: 8 bits which send, 20 bits slot, 36 bits sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction(u64);

impl Transaction {
    /// Send number `send`, from 1, of request number `sequence` in `slot`.
    pub const fn new(sequence: u64, slot: u32, send: u8) -> Self {
        debug_assert!(sequence < 1 << SEQUENCE_BITS && slot < 1 << SLOT_BITS);
        let send = (send as u64) << (SLOT_BITS + SEQUENCE_BITS);
        Self(send | (slot as u64) << SEQUENCE_BITS | sequence)
    }

    /// Reads what [`id`](Self::id) wrote, or anything else.
    pub const fn from_id(id: TransactionId) -> Self {
        Self(u64::from_be_bytes(*id.as_bytes()))
    }

    /// As the wire carries it.
    pub const fn id(self) -> TransactionId {
        TransactionId::new(self.0.to_be_bytes())
    }

    /// As one number, to name a lookup by.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Reads what [`number`](Self::number) gave.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The request's number in the run.
    pub const fn sequence(self) -> u64 {
        self.0 & ((1 << SEQUENCE_BITS) - 1)
    }

    /// Its place among those in flight.
    pub const fn slot(self) -> usize {
        (self.0 >> SEQUENCE_BITS) as usize & (IN_FLIGHT_MAX - 1)
    }

    /// Which of its sends, from 1.
    pub const fn send(self) -> u8 {
        (self.0 >> (SLOT_BITS + SEQUENCE_BITS)) as u8
    }

    /// The same request's next send.
    #[must_use]
    pub const fn resend(self) -> Self {
        Self::new(self.sequence(), self.slot() as u32, self.send().wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_from_the_wire() {
        let transaction = Transaction::new((1 << 36) - 1, (1 << 20) - 2, 254);
        let back = Transaction::from_id(transaction.id());
        assert_eq!(
            (back.sequence(), back.slot(), back.send()),
            ((1 << 36) - 1, (1 << 20) - 2, 254)
        );
        let next = back.resend();
        assert_eq!(
            (next.sequence(), next.slot(), next.send()),
            ((1 << 36) - 1, (1 << 20) - 2, 255)
        );
    }
}
