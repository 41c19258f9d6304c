//! `HdrHistogram`'s percentile table, as its own plotter reads it: rows of value,
//! percentile as a fraction, count and 1 / (1 - percentile); values in
//! milliseconds, which is the plotter's unit when nothing else is chosen, to the
//! nanosecond: on loopback half of them are below 0.02.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use crate::quantity::show_ns;
use crate::summary::RunSummary;

/// Rows for each halving of the distance to 100 %: what the Java library writes.
const TICKS_PER_HALVING: u32 = 5;
/// Nanoseconds in the table's unit.
const UNIT_NS: f64 = 1e6;

/// The table of one run.
pub fn of_run(run: &RunSummary) -> String {
    let mut text = table(&run.histograms.corrected.0);
    if run.cut_short {
        let measured_ns = (run.duration_s * 1e9).round() as u64;
        let _ = writeln!(text, "#[Cut short after {}]", show_ns(measured_ns));
    }
    text
}

/// The table.
pub fn table(histogram: &Histogram<u64>) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for row in histogram.iter_quantiles(TICKS_PER_HALVING) {
        let value = row.value_iterated_to() as f64 / UNIT_NS;
        let quantile = row.quantile_iterated_to();
        total += row.count_since_last_iteration();
        // Writing to a string does not fail.
        let _ = write!(text, "{value:12.6} {quantile:2.12} {total:10}");
        if quantile < 1.0 {
            let _ = write!(text, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "#[Mean    = {:12.6}, StdDeviation   = {:12.6}]",
        histogram.mean() / UNIT_NS,
        histogram.stdev() / UNIT_NS
    );
    let _ = writeln!(
        text,
        "#[Max     = {:12.6}, Total count    = {:12}]",
        histogram.max() as f64 / UNIT_NS,
        histogram.len()
    );
    let _ = writeln!(
        text,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        histogram.buckets(),
        2 * 10u64.pow(u32::from(histogram.sigfig())).next_power_of_two()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::histogram;

    #[test]
    fn the_table_is_what_the_plotter_reads() {
        let mut latency = histogram();
        for ms in 1..=1000 {
            latency.saturating_record(ms * 1_000_000);
        }
        let table = table(&latency);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[1], "");
        assert_eq!(lines[2], "    1.000447 0.000000000000          1           1.00");
        // As the plotter does: four numbers separated by blanks, `#` begins a note.
        let rows: Vec<Vec<f64>> = lines[2..]
            .iter()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|n| n.parse().expect(line)).collect())
            .collect();
        let (last, plotted) = rows.split_last().expect("rows");
        assert_eq!(last.len(), 3, "100 % has no place on the axis");
        assert_eq!((last[1], last[2]), (1.0, 1000.0));
        assert!(plotted.iter().all(|row| row.len() == 4));
        assert!(rows.is_sorted_by(|a, b| a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2]));
        let median = plotted.iter().find(|row| row[1] >= 0.5).expect("a median");
        assert!((median[0] - 500.0).abs() < 1.0 && (median[3] - 2.0).abs() < 0.01);
        let notes: Vec<&&str> = lines.iter().filter(|line| line.starts_with("#[")).collect();
        assert_eq!(notes.len(), 3);
        assert!(notes[1].contains("Total count    =         1000]"), "{}", notes[1]);
        assert!(notes[2].contains("SubBuckets     =         2048]"), "{}", notes[2]);
    }

    #[test]
    fn no_answers_make_an_empty_table() {
        assert!(table(&histogram()).lines().nth(2).is_some_and(|line| line.starts_with("#[Mean")));
    }
}
