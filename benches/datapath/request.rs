//! The requests and what answers them: `FIND_VALUE` from a client with a token, and
//! a VALUE of 100 bytes.

use kad_node::id::Id;
use kad_node::limits::{DATAGRAM_BYTES_MAX, HEADER_BYTES, REQUEST_PADDED_BYTES};
use kad_node::node::ShardPosition;
use kad_node::wire::{
    self, Body, Datagram, NetworkId, Purpose, Role, Store, Token, TransactionId, Value,
};

use crate::load::Asking;
use crate::subject::Shards;

/// Bytes of each value.
pub(crate) const VALUE_BYTES: usize = 100;
/// Values: enough that the shards of a node have their share of them.
pub(crate) const KEYS: usize = 64;
/// Header, key, offset.
pub(crate) const REQUEST_BYTES: usize = 48 + 20 + 4;
/// Header, key, offset, total, lifetime, purpose, value.
pub(crate) const STORE_BYTES: usize = 48 + 20 + 12 + 1 + VALUE_BYTES;
/// Header, offset, total, lifetime, value.
pub(crate) const REPLY_BYTES: usize = VALUE_OFFSET + VALUE_BYTES;

const TOKEN: std::ops::Range<usize> = 40..48;
const VALUE_OFFSET: usize = 48 + 12;
const KIND_OFFSET: usize = 2;
const KIND_PONG: u8 = 0x81;
const KIND_VALUE: u8 = 0x83;
const KIND_STORED: u8 = 0x84;
/// Where a datagram has its transaction id.
pub(crate) const TRANSACTION: std::ops::Range<usize> = 8..16;

/// The text of value number `index`. Its key is one of the upper half of the steer
/// bytes where the number is odd: of two shards each has every second value.
pub(crate) fn text(index: usize) -> String {
    let of_attempt = |attempt| {
        format!("{:.<VALUE_BYTES$}", format!("value {index} of the datapath bench, {attempt}"))
    };
    let is_wanted = |text: &String| {
        let [.., steer] = Id::of_value(text.as_bytes()).to_bytes();
        usize::from(steer >> 7) == index % 2
    };
    (0..u8::MAX).map(of_attempt).find(is_wanted).expect("one in two is")
}

/// Which request a reply answers: it travels in the transaction id, the first byte of
/// which is the reply tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) slot: u16,
    /// The request's number on its socket.
    pub(crate) number: u32,
}

impl Ticket {
    fn to_id(self, tag: u8) -> [u8; 8] {
        (u64::from(tag) << 56 | u64::from(self.slot) << 32 | u64::from(self.number)).to_be_bytes()
    }

    fn of(datagram: &[u8]) -> Self {
        let bytes = datagram[TRANSACTION].try_into().expect("the id has eight bytes");
        let id = u64::from_be_bytes(bytes);
        Self { slot: (id >> 32) as u16, number: id as u32 }
    }
}

/// The requests of clients with a token, and the values that they must get.
#[derive(Clone)]
pub(crate) struct Requests {
    asking: Asking,
    templates: Vec<[u8; REQUEST_BYTES]>,
    /// The reply tag of each: a node's lookup runs on the shard that owns its key, and
    /// names that one. The clients have as many shards as the server.
    tags: Vec<u8>,
    values: Vec<[u8; VALUE_BYTES]>,
}

/// A reply that is not what was asked for.
#[derive(Debug)]
pub(crate) struct WrongReply;

impl Requests {
    /// For the values with these `texts`, of which number i answers for key i.
    pub(crate) fn new(texts: &[String], shards: Shards, asking: Asking) -> Self {
        let request = |index| {
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            let get = find_value(index, Token::NONE);
            // Padded, so that all requests are as long.
            let request = match asking {
                Asking::Values => get,
                Asking::Pings => Datagram { body: Body::Ping, ..get },
            };
            let length = wire::encode(&request, &mut buffer);
            assert_eq!(length, if asking == Asking::Pings { HEADER_BYTES } else { REQUEST_BYTES });
            *buffer.first_chunk().expect("a datagram is longer")
        };
        let tag = |index| {
            let key = Id::of_value(text(index).as_bytes());
            let place = |shard| ShardPosition::new(shard, shards.count());
            let owner = place(0).of_key(key);
            place(owner.as_usize()).reply_tag()
        };
        let value = |text: &String| text.as_bytes().try_into().expect("every text is as long");
        Self {
            asking,
            templates: (0..KEYS).map(request).collect(),
            tags: (0..KEYS).map(tag).collect(),
            values: texts.iter().map(value).collect(),
        }
    }

    /// Writes the request for key number `key`.
    pub(crate) fn write(&self, key: usize, ticket: Ticket, token: Token, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.templates[key]);
        buffer[TRANSACTION].copy_from_slice(&ticket.to_id(self.tags[key]));
        buffer[TOKEN].copy_from_slice(token.as_bytes());
    }

    /// The ticket of a reply, and what came with it.
    pub(crate) fn read<'a>(&self, reply: &'a [u8]) -> Result<(Ticket, &'a [u8]), WrongReply> {
        let (kind, head) = match self.asking {
            Asking::Values => (KIND_VALUE, VALUE_OFFSET),
            Asking::Pings => (KIND_PONG, HEADER_BYTES),
        };
        if reply.get(KIND_OFFSET) != Some(&kind) || reply.len() < head {
            return Err(WrongReply);
        }
        Ok((Ticket::of(reply), &reply[head..]))
    }

    /// Checks what came for key number `key`.
    pub(crate) fn check(&self, key: usize, value: &[u8]) -> Result<(), WrongReply> {
        let wanted = match self.asking {
            Asking::Values => &self.values[key][..],
            Asking::Pings => &[],
        };
        if value == wanted { Ok(()) } else { Err(WrongReply) }
    }
}

/// Writes the STORE of value number `number`, which no other has.
pub(crate) fn write_store(number: u64, token: Token, buffer: &mut [u8]) {
    let mut value = [b'.'; VALUE_BYTES];
    value[..8].copy_from_slice(&number.to_be_bytes());
    let store = Store {
        key: Id::of_value(&value),
        offset: 0,
        total: VALUE_BYTES as u32,
        life_s: 3600,
        purpose: Purpose::Replica,
        value: &value,
    };
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    let request = Datagram { body: Body::Store(store), ..find_value(0, token) };
    assert_eq!(wire::encode(&request, &mut datagram), STORE_BYTES);
    buffer.copy_from_slice(&datagram[..STORE_BYTES]);
}

/// Whether a reply to a STORE says that the value is held.
pub(crate) fn is_stored(reply: &[u8]) -> bool {
    reply.get(KIND_OFFSET) == Some(&KIND_STORED)
}

fn find_value(index: usize, token: Token) -> Datagram<'static> {
    Datagram {
        network: NetworkId::of_name("default"),
        transaction: TransactionId::new([0; 8]),
        sender: Id::of_value(b"datapath"),
        role: Role::Client,
        announce: None,
        asks_proof: false,
        token,
        body: Body::FindValue { key: Id::of_value(text(index).as_bytes()), offset: 0 },
    }
}

/// A request of a client without a token: padded, as the node requires.
pub(crate) fn first_request() -> [u8; REQUEST_PADDED_BYTES] {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    wire::encode(&find_value(0, Token::NONE), &mut buffer);
    *buffer.first_chunk().expect("a datagram is longer")
}

/// The token in the reply to [`first_request`], whose value is checked against its
/// key's hash.
pub(crate) fn first_reply(reply: &[u8]) -> Result<Token, WrongReply> {
    let datagram = wire::decode(reply).map_err(|_| WrongReply)?;
    match datagram.body {
        Body::Value(value) if Id::of_value(value.value) == Id::of_value(text(0).as_bytes()) => {
            Ok(datagram.token)
        }
        _ => Err(WrongReply),
    }
}

/// What the echo answers, but for the transaction id.
pub(crate) fn reply_template() -> [u8; REPLY_BYTES] {
    let text = text(0);
    let value =
        Value { offset: 0, total: VALUE_BYTES as u32, life_s: 3600, value: text.as_bytes() };
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let reply = Datagram { body: Body::Value(value), ..find_value(0, Token::new([1; 8])) };
    assert_eq!(wire::encode(&reply, &mut buffer), REPLY_BYTES);
    *buffer.first_chunk().expect("a datagram is longer")
}
