//! Which candidates a lookup counts among the K closest: none whose id does not fit its address
//! and no more than so many of one subnet, or a host with a few ids close to a key would own it.

use core::iter::Take;

use smallvec::SmallVec;

use super::candidate::Candidate;
use crate::limits::K_MAX;
use crate::node::subnet::Subnet;

type List<'a> = SmallVec<[&'a Candidate; K_MAX]>;

/// Which candidate comes first depends on whether others than the closest of each subnet are
/// chosen.
pub(super) struct Undecided;

/// The first that `is_wanted` of the candidates that [`Chosen::of`] chooses, found without
/// choosing all: a lookup asks for it at each step, and it is among the closest.
///
/// # Errors
/// Where a candidate is wanted that is chosen only if there are no others.
pub(super) fn first_of<'a>(
    mut candidates: impl Iterator<Item = &'a Candidate>,
    k: usize,
    most: Option<usize>,
    is_wanted: impl Fn(&&Candidate) -> bool,
) -> Result<Option<&'a Candidate>, Undecided> {
    let Some(most) = most else { return Ok(candidates.take(k).find(|one| is_wanted(one))) };
    let mut chosen: SmallVec<[Option<Subnet>; K_MAX]> = SmallVec::new();
    let mut may_be_chosen = false;
    while chosen.len() < k
        && let Some(candidate) = candidates.next()
    {
        let is_crowded = candidate.subnet.is_some()
            && chosen.iter().filter(|subnet| **subnet == candidate.subnet).count() >= most;
        if is_crowded || !candidate.is_fit {
            may_be_chosen |= is_wanted(&candidate);
        } else if is_wanted(&candidate) {
            return if may_be_chosen { Err(Undecided) } else { Ok(Some(candidate)) };
        } else {
            chosen.push(candidate.subnet);
        }
    }
    if may_be_chosen && chosen.len() < k { Err(Undecided) } else { Ok(None) }
}

/// The chosen candidates, the closest first.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack, for one step of a lookup")]
pub(super) enum Chosen<'a, I> {
    /// The closest of all. Nothing is gathered: a lookup chooses anew at each step, and in a
    /// private network there is nothing to choose.
    Any(Take<I>),
    Limited {
        candidates: smallvec::IntoIter<[&'a Candidate; K_MAX]>,
        /// Of them, those that are there because there are no others.
        crowded: usize,
    },
}

impl<'a, I: Iterator<Item = &'a Candidate>> Chosen<'a, I> {
    /// The `k` closest of `candidates`, which come the closest first; where subnets count,
    /// `most` at most are of one, and whose ids fit their addresses. Where these are fewer, the
    /// closest of the others fill them up.
    pub(super) fn of(candidates: I, k: usize, most: Option<usize>) -> Self {
        match most {
            Some(most) => Self::limited(candidates, k, most),
            None => Self::Any(candidates.take(k)),
        }
    }

    fn limited(candidates: I, k: usize, most: usize) -> Self {
        let mut chosen = List::new();
        let mut others = List::new();
        for candidate in candidates {
            if chosen.len() == k {
                break;
            }
            let of_subnet = |subnet: Subnet| {
                chosen.iter().filter(|chosen| chosen.subnet == Some(subnet)).count()
            };
            let is_crowded = candidate.subnet.is_some_and(|subnet| of_subnet(subnet) >= most);
            if is_crowded || !candidate.is_fit {
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
        Self::Limited { candidates: chosen.into_iter(), crowded }
    }

    /// How many of them are there because there are no others.
    pub(super) const fn crowded(&self) -> usize {
        match self {
            Self::Any(_) => 0,
            Self::Limited { crowded, .. } => *crowded,
        }
    }
}

impl<'a, I: Iterator<Item = &'a Candidate>> Iterator for Chosen<'a, I> {
    type Item = &'a Candidate;

    fn next(&mut self) -> Option<&'a Candidate> {
        match self {
            Self::Any(candidates) => candidates.next(),
            Self::Limited { candidates, .. } => candidates.next(),
        }
    }
}
