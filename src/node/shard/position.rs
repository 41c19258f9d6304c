//! Which shard of a node owns what.
//!
//! A node of N shards is N [`Node`](super::Node)s that share an id, a token
//! secret and nothing else; their driver carries [`Handoff`](super::Handoff)s
//! between them. A value belongs to the shard that its key's last byte names, a
//! k-bucket to the shard of its index modulo N, a reply to the shard that its
//! reply tag names. The owner alone changes what it owns.

use crate::id::Id;
use crate::limits::SHARDS_MAX;
use crate::wire::Datagram;

use crate::node::command::Command;

/// Names a shard of a node, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIndex(u8);

impl ShardIndex {
    /// The first shard: it joins the network for all of them.
    pub const FIRST: Self = Self(0);

    /// The shard's number, to index with.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// One shard's position among the shards of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardPosition {
    index: ShardIndex,
    count: u8,
}

/// To which shards a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To one, which answers.
    One(ShardIndex),
    /// To all, and each answers for its part.
    Every,
}

impl ShardPosition {
    /// The only shard of its node.
    pub const ALONE: Self = Self { index: ShardIndex(0), count: 1 };

    /// Shard `index` of `count`.
    ///
    /// # Panics
    /// When `count` is not from 1 to [`SHARDS_MAX`], or `index` not below it.
    pub const fn new(index: usize, count: usize) -> Self {
        assert!(1 <= count && count <= SHARDS_MAX && index < count);
        Self { index: ShardIndex(index as u8), count: count as u8 }
    }

    /// Which shard it is.
    pub const fn index(self) -> ShardIndex {
        self.index
    }

    /// How many shards the node has.
    pub const fn count(self) -> usize {
        self.count as usize
    }

    /// Whether it is the shard that joins for all.
    pub const fn is_first(self) -> bool {
        self.index.0 == 0
    }

    /// The other shards of the node.
    pub fn others(self) -> impl Iterator<Item = ShardIndex> {
        (0..self.count).map(ShardIndex).filter(move |&index| index != self.index)
    }

    /// The shard that a steer byte names: the kernel's program computes the same.
    pub const fn of_steer(self, steer: u8) -> ShardIndex {
        ShardIndex(((steer as u16 * self.count as u16) >> 8) as u8)
    }

    /// The shard that owns the value of `key`.
    pub const fn of_key(self, key: Id) -> ShardIndex {
        self.of_steer(key.last_byte())
    }

    /// The shard that owns bucket `index`.
    pub const fn of_bucket(self, index: usize) -> ShardIndex {
        ShardIndex((index % self.count as usize) as u8)
    }

    /// Of the buckets, those that this shard owns, each with its index.
    pub(crate) fn owned<T>(self, buckets: &[T]) -> impl Iterator<Item = (usize, &T)> {
        buckets.iter().enumerate().skip(self.index.as_usize()).step_by(self.count())
    }

    /// The smallest steer byte that names this shard: replies that carry it come
    /// back here.
    pub const fn reply_tag(self) -> u8 {
        (self.index.0 as usize * 256).div_ceil(self.count as usize) as u8
    }

    /// The steer byte after that one, which names this shard too: by it the replies to its
    /// requests for parts of values are told from all others.
    pub(crate) const fn transfer_tag(self) -> u8 {
        self.reply_tag() + 1
    }

    /// The shard that must act on a datagram; `None` where any may.
    pub(crate) fn of_datagram(self, datagram: &Datagram<'_>) -> Option<ShardIndex> {
        datagram.body.owner(datagram.transaction).map(|steer| self.of_steer(steer))
    }

    /// To which shards `command` goes.
    pub fn route(self, command: &Command) -> Route {
        match command {
            Command::Bootstrap { .. } => Route::One(ShardIndex::FIRST),
            Command::Put { value, .. } => Route::One(self.of_key(value.key())),
            Command::Get { key, .. }
            | Command::Forget { key, .. }
            | Command::Abandon { key, .. }
            | Command::Pending { key, .. } => Route::One(self.of_key(*key)),
            Command::Peers { .. }
            | Command::Stats { .. }
            | Command::Values { .. }
            | Command::Log { .. }
            | Command::Depart { .. } => Route::Every,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_steer_byte_names_a_shard_and_every_reply_tag_names_its_own() {
        for count in 1..=SHARDS_MAX {
            for index in 0..count {
                let position = ShardPosition::new(index, count);
                assert_eq!(position.of_steer(position.reply_tag()), position.index());
                assert_eq!(position.of_steer(position.transfer_tag()), position.index());
            }
            let position = ShardPosition::new(0, count);
            let mut load = [0; SHARDS_MAX];
            for steer in 0..=u8::MAX {
                load[position.of_steer(steer).as_usize()] += 1;
            }
            let (least, most) = (256 / count, 256_usize.div_ceil(count));
            assert!(load[..count].iter().all(|load| (least..=most).contains(load)));
        }
    }
}
