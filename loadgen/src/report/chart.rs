//! A chart as the page's script draws it: numbers and names, and no look.

use serde::Serialize;

/// One chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    /// What it shows, for readers that cannot see it as well.
    pub title: String,
    /// What is along the bottom.
    pub x: XAxis,
    /// What is along the side.
    pub y: YAxis,
    /// Where the points of every series are, ascending.
    pub places: Vec<f64>,
    /// The series, in the order of the legend.
    pub series: Vec<Series>,
    /// Places with a name of their own.
    pub marks: Vec<Mark>,
}

/// What is along the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum XAxis {
    /// Percentiles, in nines: 2 is p99.
    Nines,
    /// Seconds.
    Seconds,
    /// Requests a second.
    Rate,
}

/// What is along the side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum YAxis {
    /// Nanoseconds, each decade as high as the one below.
    Latency,
    /// Requests a second, from 0.
    Rate,
}

/// One curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// How it is drawn.
    pub look: Look,
    /// Its value at each place; none where it has none.
    pub values: Vec<Option<f64>>,
}

/// A colour, of the page's own or of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// The first of a chart.
    Blue,
    /// The second.
    Amber,
    /// The one that warns.
    Red,
    /// The one that stands behind.
    Grey,
    /// One of many, a hue in degrees.
    Hue(u32),
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// A line.
    Line,
    /// A line of dashes.
    Dashes,
    /// Points alone.
    Points,
    /// A line with its points.
    Curve,
    /// An area down to zero.
    Area,
}

/// A place with a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mark {
    /// Where.
    pub at: f64,
    /// Its name.
    pub name: String,
}

/// The hue of number `index` of `count`: from blue by way of violet to red, dark enough on
/// white, and light enough on black.
pub fn hue(index: usize, count: usize) -> Colour {
    let part = index as f64 / (count as f64 - 1.0).max(1.0);
    Colour::Hue((215.0 + 145.0 * part).round() as u32)
}

/// Puts curves with places of their own into one chart: each has no value at the others'.
pub fn aligned(curves: Vec<(Series, Vec<f64>)>) -> (Vec<f64>, Vec<Series>) {
    let mut places: Vec<f64> = curves.iter().flat_map(|(_, own)| own.iter().copied()).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let align = |(mut series, own): (Series, Vec<f64>)| {
        let mut values = vec![None; places.len()];
        for (place, value) in own.iter().zip(&series.values) {
            let found = places.binary_search_by(|other| other.total_cmp(place));
            if let Ok(index) = found {
                values[index] = *value;
            }
        }
        series.values = values;
        series
    };
    let series = curves.into_iter().map(align).collect();
    (places, series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_of_different_places_share_one_axis() {
        let series = |values: &[f64]| Series {
            name: String::new(),
            colour: hue(0, 1),
            look: Look::Line,
            values: values.iter().copied().map(Some).collect(),
        };
        let curves =
            vec![(series(&[1.0, 3.0]), vec![10.0, 30.0]), (series(&[2.0, 4.0]), vec![20.0, 30.0])];
        let (places, aligned) = aligned(curves);
        assert_eq!(places, [10.0, 20.0, 30.0]);
        assert_eq!(aligned[0].values, [Some(1.0), None, Some(3.0)]);
        assert_eq!(aligned[1].values, [None, Some(2.0), Some(4.0)]);
    }
}
