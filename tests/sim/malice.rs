//! The kinds of lies that attackers tell.

/// How an attacker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malice {
    /// Random bytes under a valid header, or no header at all; replies that no
    /// node waits for, and STOREs without a token.
    Garbage,
    /// A value that does not hash to the key; it says STORED and keeps nothing.
    WrongValues,
    /// Contacts that do not exist, closer to the target than any node.
    MadeUpContacts,
    /// Contacts with the addresses of real peers and names that are not theirs.
    MisnamedContacts,
    /// Answers under a name of its choosing, close to the target.
    FalseNames,
    /// Goes by another name each time it speaks unasked, and answers to the last.
    ManyNames,
    /// Fills stores: answers NODES, which bring a token, with STOREs.
    Flood { values_max: u32 },
    /// Offers large values, and never sends any.
    HalfOpen { offers_max: u32 },
    /// Is close to a key, one of many, and names only the others; it says STORED and keeps
    /// nothing.
    Surround,
    /// Names one victim's address, under any number of ports.
    Reflect,
    /// Answers PINGs, and nothing else.
    Drop,
    /// Goes by the id of a node that has not joined yet.
    Squat,
    /// Floods nodes with requests of made-up peers at made-up addresses.
    ForgedSenders,
    /// Is close to a stored value's key, says STORED and keeps nothing, so that holders
    /// take the value to be stored closer than they are.
    Erasure,
    /// Each of the lies about values and contacts by turns, but for those by which it would
    /// change its own name.
    Everything,
}

pub(crate) const EACH: [Malice; 5] = [
    Malice::Garbage,
    Malice::WrongValues,
    Malice::MadeUpContacts,
    Malice::MisnamedContacts,
    Malice::FalseNames,
];

/// What nodes notice of lies, each a counter of theirs: where nothing is lost and
/// no node dies they stand at zero without a liar.
pub(crate) const SIGNS: [&str; 4] =
    ["datagrams_malformed", "values_mismatched", "rpcs_failed", "replies_misnamed"];

impl Malice {
    /// Those of [`SIGNS`] that nodes must see, and no others.
    pub(crate) const fn signs(self) -> &'static [&'static str] {
        match self {
            // A question that garbage answers has no answer.
            Self::Garbage => &["datagrams_malformed", "rpcs_failed"],
            Self::WrongValues => &["values_mismatched"],
            Self::MadeUpContacts | Self::Reflect | Self::Drop => &["rpcs_failed"],
            // One of the addresses is the asker's own, where no node answers it.
            Self::MisnamedContacts => &["replies_misnamed", "rpcs_failed"],
            Self::FalseNames | Self::ManyNames => &["replies_misnamed"],
            Self::Flood { .. }
            | Self::HalfOpen { .. }
            | Self::Surround
            | Self::Squat
            | Self::ForgedSenders
            | Self::Erasure => &[],
            Self::Everything => &SIGNS,
        }
    }
}

/// What a swarm draws from: all but those that change their names, with which no oracle
/// can say which nodes were the closest.
pub(crate) const SWARM: [Malice; 7] = [
    Malice::Garbage,
    Malice::WrongValues,
    Malice::MadeUpContacts,
    Malice::MisnamedContacts,
    Malice::FalseNames,
    // A thousand in all, of the largest network: holders store each anew every hour,
    // and a run is to end within seconds.
    Malice::Flood { values_max: 64 },
    Malice::Everything,
];
