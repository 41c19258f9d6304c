//! The charts of a result: latency by percentile, latency and requests over time, latency
//! against throughput.

use hdrhistogram::Histogram;

use super::chart::{Chart, Colour, Look, Mark, Series, XAxis, YAxis, aligned, hue};
use crate::quantity::show_count;
use crate::summary::{Moment, RunSummary};
use crate::sweep::Knee;

/// Points of one curve for each nine.
const POINTS_OF_A_NINE: u32 = 40;
/// Nines of a percentile axis at least and at most: 99 % to 99.99999 %.
const NINES_MIN: u32 = 2;
const NINES_MAX: u32 = 7;

/// A curve by percentile.
struct Curve<'a> {
    name: String,
    colour: Colour,
    look: Look,
    latency: &'a Histogram<u64>,
}

/// Latency by percentile, on an axis on which each further nine is as long as the one before:
/// what users meet is at its right end.
pub fn by_percentile(title: &str, run: &RunSummary) -> Chart {
    let histograms = &run.histograms;
    let curve =
        |name: &str, colour, look, latency| Curve { name: name.into(), colour, look, latency };
    // The one that counts is drawn over the others.
    let mut curves = vec![curve("pacing error", Colour::Grey, Look::Dashes, &histograms.pacing.0)];
    if run.books.timed_out > 0 {
        let lost = &histograms.with_lost.0;
        curves.push(curve("lost ones at their time-out", Colour::Red, Look::Line, lost));
    }
    curves.extend([
        curve("from when it was sent", Colour::Amber, Look::Dashes, &histograms.uncorrected.0),
        curve("from when it was due", Colour::Blue, Look::Line, &histograms.corrected.0),
    ]);
    percentiles(title, &curves)
}

/// Latency by percentile of a run in progress.
pub fn by_percentile_so_far(title: &str, latency: &Histogram<u64>) -> Chart {
    let (colour, look) = (Colour::Blue, Look::Line);
    percentiles(title, &[Curve { name: "from when it was due".into(), colour, look, latency }])
}

/// Several runs in one chart, each with its name, with lost requests at their time-out.
pub fn overlaid(title: &str, runs: &[(String, &RunSummary)]) -> Chart {
    let curves: Vec<Curve<'_>> = runs
        .iter()
        .enumerate()
        .map(|(index, (name, run))| Curve {
            name: name.clone(),
            colour: hue(index, runs.len()),
            look: Look::Line,
            latency: &run.histograms.with_lost.0,
        })
        .collect();
    percentiles(title, &curves)
}

fn percentiles(title: &str, curves: &[Curve<'_>]) -> Chart {
    let nines = curves.iter().map(|curve| nines(curve.latency)).max().unwrap_or(NINES_MIN);
    let count = nines * POINTS_OF_A_NINE;
    let places: Vec<f64> =
        (0..=count).map(|index| f64::from(index) / f64::from(POINTS_OF_A_NINE)).collect();
    let series = curves.iter().map(|curve| Series {
        name: curve.name.clone(),
        colour: curve.colour,
        look: curve.look,
        values: places.iter().map(|place| latency_at(curve.latency, *place)).collect(),
    });
    Chart {
        title: title.into(),
        x: XAxis::Nines,
        y: YAxis::Latency,
        series: series.collect(),
        places,
        marks: Vec::new(),
    }
}

/// As many nines as the count of requests tells apart.
fn nines(latency: &Histogram<u64>) -> u32 {
    latency.len().max(1).ilog10().clamp(NINES_MIN, NINES_MAX)
}

fn latency_at(latency: &Histogram<u64>, nines: f64) -> Option<f64> {
    // Zero has no place on an axis of decades.
    let at = |quantile| latency.value_at_quantile(quantile).max(1) as f64;
    (!latency.is_empty()).then(|| at(1.0 - 10f64.powf(-nines)))
}

/// Latency over time: median, nine of ten, 99 of a hundred, and the greatest.
pub fn over_time(title: &str, timeline: &[Moment]) -> Chart {
    let series = |name, colour, look, of: fn(&Moment) -> u64| {
        let of = |moment: &Moment| (moment.answered > 0).then(|| of(moment).max(1) as f64);
        timed_series(name, colour, look, timeline, of)
    };
    let series = vec![
        series("median", Colour::Blue, Look::Line, |moment| moment.p50_ns),
        series("p90", Colour::Amber, Look::Line, |moment| moment.p90_ns),
        series("p99", Colour::Red, Look::Line, |moment| moment.p99_ns),
        series("greatest", Colour::Grey, Look::Points, |moment| moment.max_ns),
    ];
    timed(title, YAxis::Latency, timeline, series)
}

/// Requests over time, for each second: answered and given up.
pub fn rate_over_time(title: &str, timeline: &[Moment], duration_s: f64) -> Chart {
    let interval_s = match timeline {
        [first, second, ..] => second.at_s - first.at_s,
        _ => duration_s,
    };
    let series = |name, colour, look, of: fn(&Moment) -> u64| {
        let of =
            |moment: &Moment| Some(of(moment) as f64 / interval_s).filter(|rate| rate.is_finite());
        timed_series(name, colour, look, timeline, of)
    };
    let series = vec![
        series("answered", Colour::Blue, Look::Line, |moment| moment.answered),
        series("timed out", Colour::Red, Look::Area, |moment| moment.timed_out),
    ];
    timed(title, YAxis::Rate, timeline, series)
}

fn timed_series(
    name: &str,
    colour: Colour,
    look: Look,
    timeline: &[Moment],
    of: impl Fn(&Moment) -> Option<f64>,
) -> Series {
    Series { name: name.into(), colour, look, values: timeline.iter().map(of).collect() }
}

fn timed(title: &str, y: YAxis, timeline: &[Moment], series: Vec<Series>) -> Chart {
    let places = timeline.iter().map(|moment| moment.at_s).collect();
    Chart { title: title.into(), x: XAxis::Seconds, y, places, series, marks: Vec::new() }
}

/// Latency against throughput, of the runs with one drop rate; the knee is marked, and the
/// runs whose generator was the limit are points beside the curve.
pub fn against_throughput(title: &str, runs: &[&RunSummary], knee: Knee) -> Chart {
    let (limited, counted): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.verdict.is_limit());
    let curve = |name: &str, colour, of: fn(&RunSummary) -> u64| {
        throughput_curve(name, colour, Look::Curve, &counted, of)
    };
    let mut curves = vec![
        curve("median", Colour::Blue, |run| run.with_lost.p50_ns),
        curve("p99", Colour::Amber, |run| run.with_lost.p99_ns),
        curve("p99.9", Colour::Red, |run| run.with_lost.p99_9_ns),
    ];
    if !limited.is_empty() {
        let of = |run: &RunSummary| run.with_lost.p99_ns;
        let name = "p99, the generator was the limit";
        curves.push(throughput_curve(name, Colour::Grey, Look::Points, &limited, of));
    }
    let (places, series) = aligned(curves);
    let name = |rate| format!("knee, {} a second", show_count(rate));
    let marks = mark_of(knee, runs, name).into_iter().collect();
    Chart { title: title.into(), x: XAxis::Rate, y: YAxis::Latency, places, series, marks }
}

/// The mark of a curve's knee, at the throughput that was reached there.
fn mark_of(knee: Knee, runs: &[&RunSummary], name: impl Fn(u64) -> String) -> Option<Mark> {
    let rate = knee.rate_per_s?;
    let run = runs.iter().find(|run| run.rate_per_s == Some(rate))?;
    Some(Mark { at: run.answered_per_s, name: name(rate) })
}

/// A sweep among others.
pub struct SweepCurve<'a> {
    /// Its name.
    pub name: String,
    /// Its runs that count.
    pub runs: Vec<&'a RunSummary>,
    /// Where it bends.
    pub knee: Knee,
}

impl SweepCurve<'_> {
    /// Whether `run` is the one at its knee.
    pub fn is_knee(&self, run: &RunSummary) -> bool {
        let is_at_rate = |own: &&&RunSummary| own.rate_per_s == self.knee.rate_per_s;
        self.runs.iter().find(is_at_rate).is_some_and(|own| std::ptr::eq(*own, run))
    }
}

/// The p99 of several sweeps against throughput, the knee of each marked.
pub fn sweeps_overlaid(title: &str, sweeps: &[SweepCurve<'_>]) -> Chart {
    let curves = sweeps.iter().enumerate().map(|(index, sweep)| {
        let colour = hue(index, sweeps.len());
        throughput_curve(&sweep.name, colour, Look::Curve, &sweep.runs, |run| run.with_lost.p99_ns)
    });
    let (places, series) = aligned(curves.collect());
    let mark = |sweep: &SweepCurve<'_>| {
        mark_of(sweep.knee, &sweep.runs, |_| format!("knee of {}", sweep.name))
    };
    let marks = sweeps.iter().filter_map(mark).collect();
    let (x, y) = (XAxis::Rate, YAxis::Latency);
    Chart { title: title.into(), x, y, places, series, marks }
}

fn throughput_curve(
    name: &str,
    colour: Colour,
    look: Look,
    runs: &[&RunSummary],
    of: impl Fn(&RunSummary) -> u64,
) -> (Series, Vec<f64>) {
    let mut points: Vec<(f64, Option<f64>)> = runs
        .iter()
        .map(|run| (run.answered_per_s, (run.with_lost.count > 0).then(|| of(run).max(1) as f64)))
        .collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (places, values) = points.into_iter().unzip();
    (Series { name: name.into(), colour, look, values }, places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_percentile_s_place_is_its_nines() {
        let report = samples::report();
        let chart = by_percentile("latency", &report.runs[0]);
        let at = |nines: f64| {
            let place = chart.places.iter().position(|place| (place - nines).abs() < 1e-9);
            let due = chart.series.iter().find(|series| series.name == "from when it was due");
            due.expect("it is there").values[place.expect("a place")].expect("a value") as u64
        };
        assert_eq!(at(1.0), report.runs[0].corrected.p90_ns);
        assert_eq!(at(2.0), report.runs[0].corrected.p99_ns);
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert!(names.contains(&"lost ones at their time-out"), "{names:?}");
    }

    #[test]
    fn the_knee_is_marked_at_the_throughput_that_was_reached() {
        let report = samples::report();
        let run = &report.runs[0];
        let knee = Knee { drop_percent: 1.0, rate_per_s: run.rate_per_s };
        let chart = against_throughput("curve", &[run], knee);
        assert_eq!(chart.marks.len(), 1);
        assert!((chart.marks[0].at - run.answered_per_s).abs() < 1e-9);
        let mut limited = run.clone();
        limited.verdict = crate::verdict::Verdict::LostReplies { receive_drops: 1 };
        let chart = against_throughput("curve", &[run, &limited], knee);
        assert_eq!(chart.series.last().map(|last| last.look), Some(Look::Points));
    }

    #[test]
    fn of_several_sweeps_each_knee_is_marked() {
        let report = samples::report();
        let mut fast = report.runs[0].clone();
        fast.rate_per_s = fast.rate_per_s.map(|rate| 2 * rate);
        fast.answered_per_s *= 2.0;
        let sweep = |name: &str, run: &RunSummary| SweepCurve {
            name: name.into(),
            runs: vec![&report.runs[0], &fast],
            knee: Knee { drop_percent: 1.0, rate_per_s: run.rate_per_s },
        };
        let sweeps = [sweep("a", &report.runs[0]), sweep("b", &fast)];
        let chart = sweeps_overlaid("curves", &sweeps);
        let marks: Vec<(&str, u64)> =
            chart.marks.iter().map(|mark| (mark.name.as_str(), mark.at as u64)).collect();
        let (slow, quick) = (report.runs[0].answered_per_s as u64, fast.answered_per_s as u64);
        assert_eq!(marks, [("knee of a", slow), ("knee of b", quick)]);
        assert!(sweeps[1].is_knee(&fast) && !sweeps[1].is_knee(&report.runs[0]));
    }
}
