//! Which runs a call of the program makes: one for each drop rate, or a sweep of rates or a
//! search for one at each of them.

use kad_node::quantity::Percent;

use crate::options::{Options, Rate};
use crate::result::RunResult;
use crate::search::{Outcome, Search, SearchSummary};
use crate::summary::RunSummary;
use crate::sweep::Knee;

/// What one run is asked for, of what may change from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many requests.
    pub rate: Rate,
    /// How many are dropped on purpose.
    pub drop: Percent,
}

/// The runs that are known before: those of a search are not.
pub fn steps(options: &Options) -> Vec<Step> {
    if !options.conditions.is_empty() {
        return Vec::new();
    }
    let of_drop = |&drop| rates(options).into_iter().map(move |rate| Step { rate, drop });
    options.drop.iter().flat_map(of_drop).collect()
}

fn rates(options: &Options) -> Vec<Rate> {
    match &options.sweep {
        Some(sweep) => sweep.rates().into_iter().map(Rate::PerSecond).collect(),
        None => vec![options.rate()],
    }
}

/// What a plan has come to.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Its runs, in their order.
    pub runs: Vec<RunSummary>,
    /// What was found at each drop rate, where a rate was sought.
    pub searches: Vec<SearchSummary>,
    /// The knee at each drop rate, where rates were swept.
    pub knees: Vec<Knee>,
    /// Whether it came to its end.
    pub is_whole: bool,
    /// Drop rates that it did not come to, or not to the end of.
    pub drops_left_out: Vec<Percent>,
    /// Why it ended early; none also where a signal came.
    pub failure: Option<String>,
}

/// Makes every run that `options` ask for by `run`, until one fails or has no result since a
/// signal came: what was measured before is kept.
pub fn carry_out(
    options: &Options,
    mut run: impl FnMut(Step) -> Result<Option<RunResult>, String>,
) -> Outcomes {
    let mut outcomes = Outcomes { is_whole: true, ..Outcomes::default() };
    for (index, &drop) in options.drop.iter().enumerate() {
        let mut one = |outcomes: &mut Outcomes, rate| match run(Step { rate, drop }) {
            Ok(Some(result)) => {
                let run = RunSummary::of(&result);
                outcomes.runs.push(run.clone());
                Some(run).filter(|run| !run.cut_short)
            }
            Ok(None) => None,
            Err(error) => {
                outcomes.failure = Some(error);
                None
            }
        };
        let is_whole = if options.conditions.is_empty() {
            rates(options).into_iter().all(|rate| one(&mut outcomes, rate).is_some())
        } else {
            search(options, drop, &mut outcomes, one)
        };
        if options.sweep.is_some() {
            outcomes.knees.push(Knee::of(drop.value(), &outcomes.runs));
        }
        if !is_whole {
            outcomes.is_whole = false;
            // A run that was cut short is one all the same.
            let has_run = outcomes.runs.iter().any(|run| is_at(run, drop));
            outcomes.drops_left_out = options.drop[index + usize::from(has_run)..].to_vec();
            break;
        }
    }
    outcomes
}

fn is_at(run: &RunSummary, drop: Percent) -> bool {
    run.drop_percent.total_cmp(&drop.value()).is_eq()
}

/// Seeks the highest rate at one drop rate; says whether it came to its end.
fn search(
    options: &Options,
    drop: Percent,
    outcomes: &mut Outcomes,
    mut one: impl FnMut(&mut Outcomes, Rate) -> Option<RunSummary>,
) -> bool {
    let Rate::PerSecond(lowest) = options.rate() else { return false };
    let mut search = Search::from(lowest);
    while let Some(rate) = search.next_rate() {
        let Some(run) = one(outcomes, Rate::PerSecond(rate)) else { break };
        search.note(judge(options, &run));
    }
    let is_whole = search.next_rate().is_none();
    let conditions = options.conditions.iter().map(ToString::to_string).collect();
    outcomes.searches.push(search.summary(drop.value(), conditions));
    is_whole
}

/// How a run of a search went. Where a condition fails by the generator's own lateness, it
/// says nothing of the target.
fn judge(options: &Options, run: &RunSummary) -> Outcome {
    let mut failing = options.conditions.iter().filter(|one| !one.check(run).holds).peekable();
    if run.verdict.is_limit() {
        Outcome::GeneratorLimit
    } else if failing.peek().is_none() {
        Outcome::Holds
    } else if failing.all(|condition| condition.is_of_generator(run)) {
        Outcome::GeneratorLimit
    } else {
        Outcome::Fails
    }
}
