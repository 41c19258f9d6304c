//! What kinds of request there are, and in what proportion they are sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `FIND_VALUE` for a key that the target holds.
    Get,
    /// STORE of a value.
    Put,
    /// `FIND_NODE`.
    FindNode,
    /// PING.
    Ping,
    /// A whole iterative get, with as many RPCs as it takes.
    Lookup,
}

impl Kind {
    /// Every kind, in the order in which results show them.
    pub const ALL: [Self; 5] = [Self::Get, Self::Put, Self::FindNode, Self::Ping, Self::Lookup];

    /// Whether it is more than one RPC, and so the work of a node that is a client.
    pub const fn is_whole(self, scope: Scope) -> bool {
        match (self, scope) {
            (Self::Lookup, _) | (Self::Get | Self::Put, Scope::Network) => true,
            (Self::Get | Self::Put | Self::FindNode | Self::Ping, _) => false,
        }
    }

    /// The name that the command line and results use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::FindNode => "find-node",
            Self::Ping => "ping",
            Self::Lookup => "lookup",
        }
    }
}

/// What gets and puts are asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A node: each is one RPC.
    Node,
    /// A network: each is as a user's, with as many RPCs as it takes.
    Network,
}

/// Largest sum of a mix's weights: the cards of one deck.
pub const WEIGHTS_MAX: u32 = 10_000;

/// The proportion of each kind: `get=90,put=10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    weights: [u32; Kind::ALL.len()],
}

impl Mix {
    /// The kinds that are sent at all.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + Clone {
        Kind::ALL.into_iter().filter(|kind| self.weights[*kind as usize] > 0)
    }

    /// The kinds that are sent, each with its weight.
    pub fn weights(&self) -> impl Iterator<Item = (Kind, u32)> + Clone {
        self.kinds().map(|kind| (kind, self.weights[kind as usize]))
    }

    /// Whether nothing but `kind` is sent.
    pub fn is_only(&self, kind: Kind) -> bool {
        self.kinds().eq([kind])
    }

    /// Whether every kind is whole.
    pub fn is_only_whole(&self, scope: Scope) -> bool {
        self.kinds().all(|kind| kind.is_whole(scope))
    }

    /// Whether some kind is whole.
    pub fn has_whole(&self, scope: Scope) -> bool {
        self.kinds().any(|kind| kind.is_whole(scope))
    }

    /// Whether `kind` is sent at all.
    pub const fn contains(&self, kind: Kind) -> bool {
        self.weights[kind as usize] > 0
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut mix = Self { weights: [0; Kind::ALL.len()] };
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
                format!(
                    "'{name}' is none of get, put, find-node, ping and lookup; \
                     expected kinds with weights, such as get=90,put=10"
                )
            })?;
            if mix.contains(kind) {
                return Err(format!("'{name}' has two weights"));
            }
            mix.weights[kind as usize] = weight
                .parse()
                .ok()
                .filter(|weight| *weight <= WEIGHTS_MAX)
                .ok_or_else(|| format!("a weight is a number up to {WEIGHTS_MAX}"))?;
        }
        match mix.weights.iter().sum() {
            0 => Err("at least one weight is above 0".into()),
            1..=WEIGHTS_MAX => Ok(mix),
            _ => Err(format!("the weights' sum is at most {WEIGHTS_MAX}")),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in self.kinds().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}={}", kind.name(), self.weights[kind as usize])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kad_node::rng::Rng;

    use super::*;
    use crate::deck::Deck;

    fn mix(text: &str) -> Mix {
        text.parse().expect(text)
    }

    #[test]
    fn a_mix_prints_as_it_is_written() {
        for text in ["get=100", "get=90,put=10", "find-node=1,ping=2,lookup=3"] {
            assert_eq!(mix(text).to_string(), text);
        }
        assert_eq!(mix("put,get,lookup"), mix("put=1,get=1,lookup=1"));
        for text in ["", "fetch", "get=0", "get=x", "steal=1", "get=1,get=2", "get=9999,put=9999"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }

    #[test]
    fn proportions_are_exact_after_each_deck_and_the_order_is_the_seed_s() {
        let mix = mix("get=90,put=7,ping=3");
        let draw = |seed: u64| -> Vec<Kind> {
            let mut deck = Deck::new(mix.weights(), Rng::from_u64(seed));
            (0..1000).map(|_| deck.draw()).collect()
        };
        let drawn = draw(1);
        for deck in drawn.chunks(100) {
            let count = |kind| deck.iter().filter(|drawn| **drawn == kind).count();
            assert_eq!((count(Kind::Get), count(Kind::Put), count(Kind::Ping)), (90, 7, 3));
        }
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
        assert_ne!(drawn[..100], drawn[100..200], "each deck is shuffled anew");
    }
}
