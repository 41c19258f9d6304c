//! Which candidates a lookup counts among the K closest: no more than so many of one subnet,
//! or a host with a few addresses close to a key would own it.

use smallvec::SmallVec;

use super::candidate::Candidate;
use crate::limits::K_MAX;
use crate::node::subnet::Subnet;

/// The chosen candidates, the closest first.
pub(super) struct Chosen<'a> {
    candidates: SmallVec<[&'a Candidate; K_MAX]>,
    /// Of them, those that are there because there are no others.
    pub(super) crowded: usize,
}

impl<'a> Chosen<'a> {
    /// The `k` closest of `candidates`, which come the closest first, of which `most` at most
    /// are of one subnet. Where these are fewer, the closest of the others fill them up.
    pub(super) fn of(
        candidates: impl Iterator<Item = &'a Candidate>,
        k: usize,
        most: usize,
    ) -> Self {
        let mut chosen = SmallVec::<[&Candidate; K_MAX]>::new();
        let mut others = SmallVec::<[&Candidate; K_MAX]>::new();
        for candidate in candidates {
            if chosen.len() == k {
                break;
            }
            let of_subnet = |subnet: Subnet| {
                chosen.iter().filter(|chosen| chosen.subnet == Some(subnet)).count()
            };
            if candidate.subnet.is_some_and(|subnet| of_subnet(subnet) >= most) {
                if others.len() < k {
                    others.push(candidate);
                }
            } else {
                chosen.push(candidate);
            }
        }
        others.truncate(k - chosen.len());
        let crowded = others.len();
        if crowded > 0 {
            chosen.extend(others);
            chosen.sort_by_key(|candidate| candidate.distance);
        }
        Self { candidates: chosen, crowded }
    }

    /// They, the closest first.
    pub(super) fn into_iter(self) -> impl Iterator<Item = &'a Candidate> {
        self.candidates.into_iter()
    }
}
