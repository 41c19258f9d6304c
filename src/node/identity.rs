//! What may be wrong with a node's id, and what it does then.

use core::fmt;
use core::net::IpAddr;

use crate::id::Id;

/// What a node does when its id cannot be used: another host has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdPolicy {
    /// It takes another.
    Replaceable,
    /// It keeps the id that it was given, and says so.
    Fixed,
}

/// The node's id, and how many it had before: of two the later one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) id: Id,
    number: u32,
}

impl Naming {
    pub(crate) const fn first(id: Id) -> Self {
        Self { id, number: 0 }
    }

    /// The name that follows this one.
    pub(crate) const fn next(self, id: Id) -> Self {
        Self { id, number: self.number + 1 }
    }

    pub(crate) const fn is_after(self, other: Self) -> bool {
        self.number > other.number
    }
}

/// Why a node's id cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdFault {
    /// Of the nodes closest to it, more list another node under it than this one.
    Taken {
        /// So many do.
        elsewhere: usize,
        /// So many list this node.
        here: usize,
    },
    /// It does not fit the address at which most of its neighbours see this node.
    Unfit {
        /// The address.
        ip: IpAddr,
    },
    /// None of the nodes closest to it lists this node.
    Unlisted {
        /// So many were asked.
        asked: usize,
    },
}

impl fmt::Display for IdFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { elsewhere, here } => write!(
                f,
                "{elsewhere} of its neighbours list another host under its id, {here} list this one"
            ),
            Self::Unfit { ip } => {
                write!(f, "it does not fit the address at which its neighbours see the node, {ip}")
            }
            Self::Unlisted { asked } => write!(f, "none of its {asked} neighbours lists it"),
        }
    }
}
