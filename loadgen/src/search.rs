//! The highest rate at which conditions hold: doubled until they fail, bisected, confirmed.
//! A state machine that is told how each rate went; it measures nothing by itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::quantity::show_count;

/// Rates are told apart to this part: 1 / 20, five in a hundred.
const PRECISION: u64 = 20;
/// Runs at the rate that was found, all of which must hold.
const CONFIRMATIONS: u32 = 3;
/// Highest rate that is tried.
const RATE_MAX: u64 = 100_000_000;

/// How the run at one rate went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every condition held.
    Holds,
    /// One did not.
    Fails,
    /// The generator was the limit: nothing is known of the target at this rate.
    GeneratorLimit,
}

/// One run of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchStep {
    /// Requests a second that were asked for.
    pub rate_per_s: u64,
    /// How it went.
    pub outcome: Outcome,
}

/// What a search has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// The conditions hold up to here, and fail at most a twentieth above.
    Found {
        /// Requests a second.
        rate_per_s: u64,
    },
    /// They hold here. Above, the generator was the limit: the target may do more.
    AtLeast {
        /// Requests a second.
        rate_per_s: u64,
    },
    /// They fail at the lowest rate.
    LowestFails {
        /// Requests a second.
        rate_per_s: u64,
    },
    /// The generator was the limit at the lowest rate: nothing is known.
    NoResult {
        /// Requests a second.
        rate_per_s: u64,
    },
    /// A signal or an error ended it before.
    CutShort,
}

/// A search in progress.
#[derive(Clone, Debug)]
pub struct Search {
    lowest: u64,
    /// Rates at which the conditions held once, ascending.
    held: Vec<u64>,
    /// The least rate at which they did not, and why.
    bound: Option<SearchStep>,
    /// How often the highest rate that held has held again.
    confirmed: u32,
    steps: Vec<SearchStep>,
    finding: Option<Finding>,
}

impl Search {
    /// A search from `lowest` requests a second on.
    pub const fn from(lowest: u64) -> Self {
        Self {
            lowest,
            held: Vec::new(),
            bound: None,
            confirmed: 0,
            steps: Vec::new(),
            finding: None,
        }
    }

    /// The rate to try next; none when the search is over.
    pub fn next_rate(&self) -> Option<u64> {
        if self.finding.is_some() {
            return None;
        }
        let Some(&held) = self.held.last() else { return Some(self.lowest) };
        Some(match self.bound {
            None => (held * 2).min(RATE_MAX),
            Some(bound) if is_close(held, bound.rate_per_s) => held,
            Some(bound) => held.midpoint(bound.rate_per_s),
        })
    }

    /// Notes how the rate that was to be tried went.
    ///
    /// # Panics
    /// When the search is over.
    pub fn note(&mut self, outcome: Outcome) {
        let rate_per_s = self.next_rate().expect("the search is not over");
        let step = SearchStep { rate_per_s, outcome };
        self.steps.push(step);
        let is_confirmation = self.held.last() == Some(&rate_per_s);
        match outcome {
            Outcome::Holds if is_confirmation => self.confirmed += 1,
            Outcome::Holds => self.held.push(rate_per_s),
            Outcome::Fails | Outcome::GeneratorLimit => {
                if is_confirmation {
                    self.held.pop();
                }
                self.confirmed = 0;
                self.bound = Some(step);
            }
        }
        self.finding = self.finding_now();
    }

    fn finding_now(&self) -> Option<Finding> {
        let outcome = self.bound.map(|bound| bound.outcome);
        let Some(&rate_per_s) = self.held.last() else {
            // The lowest rate was tried, and did not hold.
            let rate_per_s = self.lowest;
            return Some(match outcome? {
                Outcome::GeneratorLimit => Finding::NoResult { rate_per_s },
                _ => Finding::LowestFails { rate_per_s },
            });
        };
        (self.confirmed == CONFIRMATIONS).then_some(match outcome {
            Some(Outcome::Fails) => Finding::Found { rate_per_s },
            _ => Finding::AtLeast { rate_per_s },
        })
    }

    /// What it has come to, and by which steps.
    pub fn summary(self, drop_percent: f64, conditions: Vec<String>) -> SearchSummary {
        let finding = self.finding.unwrap_or(Finding::CutShort);
        SearchSummary { drop_percent, conditions, finding, steps: self.steps }
    }
}

/// Whether nothing lies between that would be worth a run.
const fn is_close(held: u64, bound: u64) -> bool {
    bound - held <= held / PRECISION || bound - held <= 1
}

/// One search, as results show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchSummary {
    /// Drops on purpose, each way, in percent.
    pub drop_percent: f64,
    /// What had to hold.
    pub conditions: Vec<String>,
    /// What it has come to.
    pub finding: Finding,
    /// Its runs, in their order.
    pub steps: Vec<SearchStep>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::GeneratorLimit => "no result: the generator was the limit",
        })
    }
}

impl fmt::Display for SearchSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.conditions.join(" and ");
        match self.finding {
            Finding::Found { rate_per_s } => write!(
                f,
                "{conditions} holds up to {} requests a second, confirmed {CONFIRMATIONS} times",
                show_count(rate_per_s)
            ),
            Finding::AtLeast { rate_per_s } => write!(
                f,
                "{conditions} holds at {} requests a second, confirmed {CONFIRMATIONS} times; \
                 above, the generator was the limit, and the target may do more",
                show_count(rate_per_s)
            ),
            Finding::LowestFails { rate_per_s } => write!(
                f,
                "{conditions} fails at the lowest rate, {} requests a second",
                show_count(rate_per_s)
            ),
            Finding::NoResult { rate_per_s } => write!(
                f,
                "no result for {conditions}: the generator was the limit at the lowest rate, {} \
                 requests a second; use a lower --rate, or more --threads where there are cores",
                show_count(rate_per_s)
            ),
            Finding::CutShort => write!(f, "no result for {conditions}: cut short"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a search to its end, at most a hundred steps.
    fn run(lowest: u64, mut outcome: impl FnMut(u64) -> Outcome) -> SearchSummary {
        let mut search = Search::from(lowest);
        for _ in 0..100 {
            let Some(rate) = search.next_rate() else { break };
            search.note(outcome(rate));
        }
        search.summary(0.0, vec!["p99<2ms".into()])
    }

    fn up_to(limit: u64, above: Outcome) -> impl FnMut(u64) -> Outcome {
        move |rate| if rate <= limit { Outcome::Holds } else { above }
    }

    proptest! {
        #[test]
        fn what_is_found_is_at_most_a_twentieth_below_the_limit(
            lowest in 1u64..100_000, factor in 1u64..900
        ) {
            let limit = lowest * factor;
            let summary = run(lowest, up_to(limit, Outcome::Fails));
            let Finding::Found { rate_per_s } = summary.finding else {
                panic!("{summary:?}");
            };
            prop_assert!(rate_per_s <= limit);
            prop_assert!(limit < rate_per_s + (rate_per_s / PRECISION).max(1), "{summary:?}");
            let again = summary.steps.iter().rev().take(3);
            prop_assert!(again.into_iter().all(|step| step.rate_per_s == rate_per_s));
            prop_assert!(summary.steps.len() < 24, "{summary:?}");
        }
    }

    #[test]
    fn it_doubles_then_bisects_then_confirms() {
        let summary = run(1000, up_to(5300, Outcome::Fails));
        let rates: Vec<u64> = summary.steps.iter().map(|step| step.rate_per_s).collect();
        assert_eq!(rates, [1000, 2000, 4000, 8000, 6000, 5000, 5500, 5250, 5250, 5250, 5250]);
        assert_eq!(summary.finding, Finding::Found { rate_per_s: 5250 });
    }

    #[test]
    fn a_rate_at_which_the_generator_was_the_limit_is_no_result() {
        let summary = run(1000, up_to(5300, Outcome::GeneratorLimit));
        assert_eq!(summary.finding, Finding::AtLeast { rate_per_s: 5250 });
        assert!(summary.to_string().contains("the target may do more"), "{summary}");
        let summary = run(1000, |_| Outcome::GeneratorLimit);
        assert_eq!(summary.finding, Finding::NoResult { rate_per_s: 1000 });
    }

    #[test]
    fn the_lowest_rate_may_fail_at_once_or_when_it_is_to_be_confirmed() {
        let summary = run(1000, |_| Outcome::Fails);
        assert_eq!(summary.finding, Finding::LowestFails { rate_per_s: 1000 });
        let mut first = true;
        let summary = run(1000, |rate| {
            let holds = rate == 1000 && std::mem::take(&mut first);
            if holds { Outcome::Holds } else { Outcome::Fails }
        });
        assert_eq!(summary.finding, Finding::LowestFails { rate_per_s: 1000 });
    }

    #[test]
    fn a_confirmation_that_fails_sends_the_search_down() {
        let mut times = 0;
        let summary = run(1000, |rate| {
            times += u32::from(rate == 5250);
            if rate <= 5000 || rate == 5250 && times == 1 { Outcome::Holds } else { Outcome::Fails }
        });
        assert_eq!(summary.finding, Finding::Found { rate_per_s: 5000 }, "{summary:?}");
    }

    #[test]
    fn a_search_without_an_end_has_no_result() {
        let summary = Search::from(1).summary(0.0, vec!["p99<2ms".into()]);
        assert_eq!(summary.finding, Finding::CutShort);
    }
}
