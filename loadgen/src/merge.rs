//! Joins the results of several machines that loaded the same target at the same time.
//!
//! Counts, rates and histograms add up. What each machine saw of one and the same target is
//! taken once. A curve over time is left out: the machines' clocks are not one.

use std::collections::BTreeSet;

use crate::parameters::Parameters;
use crate::summary::{
    CoalescedSummary, Histograms, KindSummary, Percentiles, Report, RunSummary, StoredHistogram,
};
use crate::verdict::Verdict;

/// The joined report of `reports`, each with the name that errors call it by.
///
/// # Errors
/// In what they differ, so that they are not runs of one experiment.
pub fn merge(reports: &[(String, Report)]) -> Result<Report, String> {
    let Some(((first_name, first), others)) = reports.split_first() else {
        return Err("there is nothing to merge".into());
    };
    if reports.iter().any(|(_, report)| !report.searches.is_empty()) {
        return Err("a search chose its rates by one machine alone: merge runs or sweeps".into());
    }
    let mut merged = first.clone();
    for (name, other) in others {
        let differ = |what: &str| {
            format!("{first_name} and {name} differ in {what}: merge the runs of one experiment")
        };
        if let Some(parameter) = difference(&first.parameters, &other.parameters) {
            return Err(differ(parameter));
        }
        if merged.runs.len() != other.runs.len() {
            return Err(differ("the number of runs"));
        }
        for (run, other) in merged.runs.iter_mut().zip(&other.runs) {
            if run.drop_percent.total_cmp(&other.drop_percent).is_ne() {
                return Err(differ("drop"));
            }
            if !run
                .kinds
                .iter()
                .map(|kind| kind.books.kind)
                .eq(other.kinds.iter().map(|kind| kind.books.kind))
            {
                return Err(differ("mix"));
            }
            add_run(run, other);
        }
        let rates = (merged.parameters.rate_per_s, other.parameters.rate_per_s);
        merged.parameters.rate_per_s = both(rates, u64::saturating_add);
        merged.parameters.threads =
            merged.parameters.threads.saturating_add(other.parameters.threads);
        merged.cut_short = merged.cut_short.or_else(|| other.cut_short.clone());
    }
    let drops: Vec<f64> = merged.knees.iter().map(|knee| knee.drop_percent).collect();
    let knee = |drop| crate::sweep::Knee::of(drop, &merged.runs);
    merged.knees = drops.into_iter().map(knee).collect();
    merged.setup = setup(reports);
    Ok(merged)
}

/// The first parameter in which two differ that must not.
fn difference(one: &Parameters, other: &Parameters) -> Option<&'static str> {
    let differ = |one: f64, other: f64| one.total_cmp(&other).is_ne();
    [
        ("rate (one is a closed loop)", one.window.is_some() != other.window.is_some()),
        ("duration", differ(one.duration_s, other.duration_s)),
        ("drop", one.drop_percent != other.drop_percent),
        ("mix", one.mix != other.mix),
        ("keys", one.keys != other.keys || one.key_exponent != other.key_exponent),
        ("value-size", one.value_sizes != other.value_sizes),
        ("timeout", differ(one.timeout_s, other.timeout_s)),
        ("retries", one.retries != other.retries),
    ]
    .into_iter()
    .find_map(|(name, differs)| differs.then_some(name))
}

/// Each parameter once: its value, or those of all.
fn setup(reports: &[(String, Report)]) -> Vec<(String, String)> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in reports.iter().flat_map(|(_, report)| &report.setup) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let of_name = |name: &String| {
        let of_report = |(_, report): &'_ (String, Report)| {
            let found = report.setup.iter().find(|(other, _)| other == name);
            found.map_or("-".to_owned(), |(_, value)| value.clone())
        };
        let values: Vec<String> = reports.iter().map(of_report).collect();
        if values.iter().collect::<BTreeSet<_>>().len() == 1 {
            values[0].clone()
        } else {
            values.join(" + ")
        }
    };
    let machines = ("machines".to_owned(), reports.len().to_string());
    std::iter::once(machines)
        .chain(names.into_iter().map(|name| (name.clone(), of_name(name))))
        .collect()
}

fn both<T>((one, other): (Option<T>, Option<T>), join: impl Fn(T, T) -> T) -> Option<T> {
    Some(join(one?, other?))
}

fn add_histogram(into: &mut StoredHistogram, other: &StoredHistogram) {
    into.0.add(&other.0).expect("the reader has checked the bounds");
}

/// The mean of a number for each request, where both have it.
fn per_request(one: (Option<u64>, u64), other: (Option<u64>, u64)) -> Option<u64> {
    let whole = u128::from(one.1) + u128::from(other.1);
    let sum = u128::from(one.0?) * u128::from(one.1) + u128::from(other.0?) * u128::from(other.1);
    sum.checked_div(whole).and_then(|mean| u64::try_from(mean).ok())
}

fn add_run(run: &mut RunSummary, other: &RunSummary) {
    let sent = (run.books.sent, other.books.sent);
    run.generator_cpu_ns =
        per_request((run.generator_cpu_ns, sent.0), (other.generator_cpu_ns, sent.1));
    run.generator_busy_ns =
        per_request((run.generator_busy_ns, sent.0), (other.generator_busy_ns, sent.1));
    run.generator_queued_share = run.generator_queued_share.max(other.generator_queued_share);
    run.books.merge(&other.books);
    for (kind, other) in run.kinds.iter_mut().zip(&other.kinds) {
        add_kind(kind, other);
    }
    let Histograms { corrected, uncorrected, with_lost, pacing } = &mut run.histograms;
    add_histogram(corrected, &other.histograms.corrected);
    add_histogram(uncorrected, &other.histograms.uncorrected);
    add_histogram(with_lost, &other.histograms.with_lost);
    add_histogram(pacing, &other.histograms.pacing);
    run.corrected = Percentiles::of(&corrected.0);
    run.uncorrected = Percentiles::of(&uncorrected.0);
    run.with_lost = Percentiles::of(&with_lost.0);
    run.pacing = Percentiles::of(&pacing.0);
    run.rate_per_s = both((run.rate_per_s, other.rate_per_s), u64::saturating_add);
    run.duration_s = run.duration_s.max(other.duration_s);
    run.answered_per_s += other.answered_per_s;
    run.cut_short |= other.cut_short;
    run.strange = run.strange.saturating_add(other.strange);
    run.receive_drops = run.receive_drops.saturating_add(other.receive_drops);
    run.coalesced = both((run.coalesced, other.coalesced), |one, other| CoalescedSummary {
        sends: one.sends && other.sends,
        receives: one.receives && other.receives,
    });
    // Of one target each saw all: its own requests and the others'.
    run.target_receive_drops = run.target_receive_drops.max(other.target_receive_drops);
    run.server_cpu_ns = None;
    run.timeline.clear();
    if rank(&other.verdict) > rank(&run.verdict) {
        run.verdict = other.verdict;
    }
}

fn add_kind(kind: &mut KindSummary, other: &KindSummary) {
    kind.books.add(&other.books);
    kind.operations.add(&other.operations);
    add_histogram(&mut kind.histogram, &other.histogram);
    kind.corrected = Percentiles::of(&kind.histogram.0);
}

/// Verdicts in order: the worst of the machines' is that of all.
fn rank(verdict: &Verdict) -> (u8, f64) {
    match *verdict {
        Verdict::KeptPace { up_to_percentile } => (0, -up_to_percentile),
        Verdict::Idle { busy_share } => (1, busy_share),
        Verdict::Unknown => (2, 0.0),
        Verdict::Saturated { busy_share } => (3, busy_share),
        Verdict::FellBehind { late_p50_ns, .. } => (4, late_p50_ns as f64),
        Verdict::LostReplies { receive_drops } => (5, receive_drops as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn named(report: Report) -> (String, Report) {
        ("run.json".into(), report)
    }

    #[test]
    fn counts_rates_and_histograms_add_up_and_the_worst_verdict_stays() {
        let one = samples::report();
        let mut other = samples::report();
        other.runs[0].verdict = Verdict::LostReplies { receive_drops: 7 };
        other.runs[0].receive_drops = 7;
        let merged = merge(&[named(one.clone()), named(other)]).expect("one experiment");
        let (before, after) = (&one.runs[0], &merged.runs[0]);
        assert_eq!(after.books.check(), Ok(()));
        assert_eq!(after.books.sent, 2 * before.books.sent);
        assert_eq!(after.corrected.count, 2 * before.corrected.count);
        assert_eq!(after.corrected.p99_ns, before.corrected.p99_ns, "the same distribution");
        assert!((after.answered_per_s - 2.0 * before.answered_per_s).abs() < 1e-9);
        assert_eq!(after.rate_per_s, before.rate_per_s.map(|rate| 2 * rate));
        assert_eq!(after.kinds[0].books.sent, 2 * before.kinds[0].books.sent);
        assert_eq!(after.verdict, Verdict::LostReplies { receive_drops: 7 });
        assert!(after.timeline.is_empty());
        assert!(merged.setup.contains(&("machines".into(), "2".into())), "{:?}", merged.setup);
    }

    #[test]
    fn runs_of_different_experiments_are_refused() {
        let one = samples::report();
        let refused = |change: fn(&mut Report)| {
            let mut other = samples::report();
            change(&mut other);
            merge(&[named(one.clone()), named(other)]).expect_err("they differ")
        };
        assert!(refused(|other| other.parameters.value_sizes[0].bytes += 1).contains("value-size"));
        assert!(refused(|other| other.parameters.timeout_s = 9.0).contains("timeout"));
        assert!(refused(|other| other.runs.clear()).contains("number of runs"));
        assert!(refused(|other| other.runs[0].drop_percent = 2.0).contains("drop"));
        assert!(refused(|other| drop(other.runs[0].kinds.pop())).contains("mix"));
    }
}
