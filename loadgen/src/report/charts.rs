//! The plots of a result: latency by percentile, latency over time, and how many
//! requests were answered and given up meanwhile.

use hdrhistogram::Histogram;

use super::plot::{Axis, Legend, Look, Plot, Point, Scale, Series};
use crate::quantity::{show_count, show_ns};
use crate::result::RunResult;
use crate::summary::{Moment, RunSummary};

/// Points of one curve.
const CURVE_POINTS: u32 = 280;
/// Nines of a percentile axis at least and at most: 99 % to 99.99999 %.
const NINES_MIN: f64 = 2.0;
const NINES_MAX: f64 = 7.0;

/// Latency by percentile, on an axis on which each further nine is as long as
/// the one before: what users meet is at its right end.
pub fn by_percentile(name: &str, result: &RunResult) -> Plot {
    let mut curves = Vec::new();
    if result.record.books.timed_out > 0 {
        curves.push(("with lost requests at their time-out", "lost", &result.with_lost));
    }
    curves.extend([
        ("uncorrected: from when it was sent", "uncorrected", &result.record.uncorrected),
        ("from when it was due", "corrected", &result.corrected),
    ]);
    let nines = nines(&result.with_lost);
    let mut series: Vec<Series> =
        curves.iter().map(|(name, class, latency)| curve(name, class, latency, nines)).collect();
    let y = latency_axis(&series);
    // Below the others it is of no interest, and does not stretch the axis.
    series.insert(0, curve("pacing error", "pacing", &result.record.pacing, nines));
    percentile_plot(name, nines, y, series)
}

/// The runs of a sweep in one plot, with lost requests at their time-out.
pub fn sweep(results: &[RunResult]) -> Plot {
    let nines = results.iter().map(|result| nines(&result.with_lost)).fold(NINES_MIN, f64::max);
    let mut series: Vec<Series> = (0u32..)
        .zip(results)
        .map(|(index, result)| {
            // From blue by way of violet to red: dark enough on white, and light
            // enough on black.
            let hue = 215.0 + 145.0 * f64::from(index) / (results.len() as f64 - 1.0).max(1.0);
            let mut series =
                curve(&format!("drop {}", result.drop), "run", &result.with_lost, nines);
            series.colour = Some(format!("hsl({hue:.0} 75% 56%)"));
            series
        })
        .collect();
    series.reverse();
    let y = latency_axis(&series);
    percentile_plot("latency by percentile for each drop rate", nines, y, series)
}

fn percentile_plot(name: &str, nines: f64, y: Axis, series: Vec<Series>) -> Plot {
    let mut ticks = vec![(0.0, "0 %".to_owned()), (0.5f64.log10().abs(), "50 %".to_owned())];
    ticks.extend((1..=nines as u32).map(|nines| (f64::from(nines), percent(f64::from(nines)))));
    let x = Axis {
        title: "percentile of requests".into(),
        scale: Scale::Linear,
        min: 0.0,
        max: nines,
        ticks,
    };
    let places = (0..=CURVE_POINTS).map(|index| percent(place(index, nines))).collect();
    Plot { name: name.into(), height: 400.0, x, y, places, series }
}

/// As many nines as the count of requests tells apart.
fn nines(latency: &Histogram<u64>) -> f64 {
    (latency.len().max(1) as f64).log10().floor().clamp(NINES_MIN, NINES_MAX)
}

fn place(index: u32, nines: f64) -> f64 {
    nines * f64::from(index) / f64::from(CURVE_POINTS)
}

/// `2` nines are `99 %`.
fn percent(nines: f64) -> String {
    let decimals = (nines.ceil() as usize).saturating_sub(2);
    let decimals = if nines.fract() == 0.0 { decimals } else { decimals + 1 };
    format!("{:.decimals$} %", 100.0 - 100.0 * 10f64.powf(-nines))
}

fn curve(name: &str, class: &str, latency: &Histogram<u64>, nines: f64) -> Series {
    let points = (0..=CURVE_POINTS).map(|index| {
        let x = place(index, nines);
        let ns = latency.value_at_quantile(1.0 - 10f64.powf(-x));
        let y = if latency.is_empty() { f64::NAN } else { ns.max(1) as f64 };
        Point { x, y, low: y, label: show_ns(ns) }
    });
    Series {
        name: name.into(),
        class: class.into(),
        colour: None,
        look: Look::Line,
        legend: Legend::Shown,
        points: points.collect(),
    }
}

fn latency_axis(series: &[Series]) -> Axis {
    let all = || series.iter().flat_map(|series| &series.points).map(|point| point.y);
    let finite = || all().filter(|ns| ns.is_finite());
    let min = finite().fold(f64::INFINITY, f64::min);
    let max = finite().fold(0.0, f64::max);
    let (min, max) = if min.is_finite() { (min, max) } else { (1e3, 1e6) };
    Axis::log("latency", min, max, |ns| show_ns(ns.round() as u64))
}

/// Latency over time: median, nine of ten, 99 of a hundred, and the greatest.
pub fn over_time(name: &str, run: &RunSummary) -> Plot {
    let series_of = |name: &str, class: &str, look, of: fn(&Moment) -> u64| {
        let points = run.timeline.iter().map(|moment| {
            let y = |ns: u64| if moment.answered == 0 { f64::NAN } else { ns.max(1) as f64 };
            Point {
                x: moment.at_s,
                y: y(of(moment)),
                low: y(moment.p50_ns),
                label: show_ns(of(moment)),
            }
        });
        let legend = if look == Look::Band { Legend::Hidden } else { Legend::Shown };
        let points = points.collect();
        Series { name: name.into(), class: class.into(), colour: None, look, legend, points }
    };
    let series = vec![
        series_of("", "p99", Look::Band, |moment| moment.p99_ns),
        series_of("", "p90", Look::Band, |moment| moment.p90_ns),
        series_of("greatest", "max", Look::Dots, |moment| moment.max_ns),
        series_of("p99", "p99", Look::Line, |moment| moment.p99_ns),
        series_of("p90", "p90", Look::Line, |moment| moment.p90_ns),
        series_of("median", "p50", Look::Line, |moment| moment.p50_ns),
    ];
    let y = latency_axis(&series);
    Plot { name: name.into(), height: 340.0, x: time_axis(run), y, places: times(run), series }
}

/// Requests over time, for each second: answered and given up.
pub fn rate_over_time(name: &str, run: &RunSummary) -> Plot {
    let interval_s = interval_s(run);
    let series_of = |name: &str, class: &str, look, of: fn(&Moment) -> u64| {
        let points = run.timeline.iter().map(|moment| {
            let rate = of(moment) as f64 / interval_s;
            let label = format!("{} a second", show_count(rate.round() as u64));
            Point { x: moment.at_s, y: rate, low: 0.0, label }
        });
        let (legend, points) = (Legend::Shown, points.collect());
        Series { name: name.into(), class: class.into(), colour: None, look, legend, points }
    };
    let series = vec![
        series_of("timed out", "lost", Look::Bars, |moment| moment.timed_out),
        series_of("answered", "corrected", Look::Line, |moment| moment.answered),
    ];
    let most = series.iter().flat_map(|series| &series.points).map(|point| point.y);
    let most = most.fold(1.0, f64::max);
    let y = Axis::linear("a second", most, 3.0, |rate| show_count(rate.round() as u64));
    Plot { name: name.into(), height: 180.0, x: time_axis(run), y, places: times(run), series }
}

fn interval_s(run: &RunSummary) -> f64 {
    match &run.timeline[..] {
        [first, second, ..] => second.at_s - first.at_s,
        _ => run.duration_s,
    }
}

fn time_axis(run: &RunSummary) -> Axis {
    let axis = Axis::linear("seconds since the end of the warm-up", run.duration_s, 10.0, |s| {
        format!("{}", (s * 1000.0).round() / 1000.0)
    });
    Axis { max: run.duration_s.max(axis.max.min(run.duration_s * 1.02)), ..axis }
}

fn times(run: &RunSummary) -> Vec<String> {
    run.timeline.iter().map(|moment| format!("{:.3} s", moment.at_s)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nine_is_a_nine() {
        for (nines, text) in
            [(0.0, "0 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (5.0, "99.999 %")]
        {
            assert_eq!(percent(nines), text);
        }
        assert_eq!(percent(2.5), "99.68 %");
    }
}
