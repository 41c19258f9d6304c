//! What the node shows: what it waits for; how much it holds, of which sources, and where
//! its keys are.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::IpAddr;

use crate::id::Id;
use crate::limits::SOURCES_SHOWN_MAX;

/// What a put or a get waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Nodes that were asked.
    pub asked: usize,
    /// Those of them that have neither answered nor been given up.
    pub waiting: usize,
}

/// The values that a node holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValuesView {
    /// Bytes held for others, overhead included, and the most that may be.
    pub bytes: u64,
    /// The most that may be held for others.
    pub bytes_max: u64,
    /// Values put here.
    pub published: u64,
    /// Values held as one of the closest nodes.
    pub replicas: u64,
    /// Copies held because a get passed.
    pub cached: u64,
    /// Some of the keys: of each shard at most
    /// [`KEYS_SHOWN_MAX`](crate::limits::KEYS_SHOWN_MAX) put here and as many held for
    /// others, beginning with the one whose life ends first.
    pub keys: Vec<(Id, Holding)>,
    /// The sources that hold the largest parts, the largest first.
    pub sources: Vec<SourceView>,
    /// How many sources of each shard are not among them.
    pub sources_left_out: u64,
}

/// Why a value is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It was put here.
    Published,
    /// This node is among the closest.
    Replica,
    /// A get passed.
    Cached,
}

/// What one source has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Its address, or the first half of it (IPv6); none of this node's own copies.
    pub source: Option<IpAddr>,
    /// Its values.
    pub values: u64,
    /// What they weigh.
    pub bytes: u64,
}

impl ValuesView {
    /// The view of a node, of the views of its shards.
    pub fn merged(shards: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::default();
        let mut sources = BTreeMap::new();
        for shard in shards {
            whole.bytes += shard.bytes;
            whole.bytes_max += shard.bytes_max;
            whole.published += shard.published;
            whole.replicas += shard.replicas;
            whole.cached += shard.cached;
            whole.keys.extend(shard.keys);
            whole.sources_left_out += shard.sources_left_out;
            for SourceView { source, values, bytes } in shard.sources {
                let sum =
                    sources.entry(source).or_insert(SourceView { source, values: 0, bytes: 0 });
                sum.values += values;
                sum.bytes += bytes;
            }
        }
        whole.sources = sources.into_values().collect();
        whole.sources.sort_by_key(|source| Reverse(source.bytes));
        whole.sources_left_out += whole.sources.len().saturating_sub(SOURCES_SHOWN_MAX) as u64;
        whole.sources.truncate(SOURCES_SHOWN_MAX);
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_summed_and_a_source_is_one_however_many_of_them_it_uses() {
        let source = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
        let of = |last, bytes| SourceView { source: source(last), values: 1, bytes };
        let shard = |keys: u8, sources| ValuesView {
            bytes: 10,
            bytes_max: 100,
            replicas: 2,
            keys: alloc::vec![(Id::of_value(&[keys]), Holding::Replica)],
            sources,
            sources_left_out: 1,
            ..ValuesView::default()
        };
        let many = (0..SOURCES_SHOWN_MAX as u8).map(|last| of(last, 5)).collect();
        let whole =
            ValuesView::merged([shard(1, many), shard(2, alloc::vec![of(3, 7), of(99, 1)])]);
        assert_eq!((whole.bytes, whole.bytes_max, whole.replicas), (20, 200, 4));
        assert_eq!(whole.keys.len(), 2);
        assert_eq!(whole.sources[0], SourceView { source: source(3), values: 2, bytes: 12 });
        assert_eq!(whole.sources.len(), SOURCES_SHOWN_MAX);
        assert_eq!(whole.sources_left_out, 3, "one of each shard, and the smallest");
    }
}
