//! Line plots as SVG. Colours come from the page's style sheet, so that a plot
//! suits a light page and a dark one.

use std::fmt::Write as _;

use serde::Serialize;

/// Width of every plot, in the units of its own coordinates.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// How numbers become places.
#[derive(Clone, Copy, Debug)]
pub enum Scale {
    /// At equal distances.
    Linear,
    /// Equal ratios at equal distances; numbers are above 0.
    Log,
}

/// An axis from one number to another.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit.
    pub title: String,
    /// How.
    pub scale: Scale,
    /// Its beginning.
    pub min: f64,
    /// Its end.
    pub max: f64,
    /// Where it is labelled.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Where a number is, from 0 to 1; beyond, where it is outside.
    fn place(&self, number: f64) -> f64 {
        let (number, min, max) = match self.scale {
            Scale::Linear => (number, self.min, self.max),
            Scale::Log => (number.max(f64::MIN_POSITIVE).ln(), self.min.ln(), self.max.ln()),
        };
        (number - min) / (max - min)
    }

    /// A logarithmic axis around `min` and `max`, labelled at 1, 2 and 5 times
    /// powers of ten, or at these powers alone where it is long.
    pub fn log(title: &str, min: f64, max: f64, show: impl Fn(f64) -> String) -> Self {
        let steps = |factors: &'static [f64]| {
            (-3..16).flat_map(move |power| factors.iter().map(move |f| f * 10f64.powi(power)))
        };
        let all: Vec<f64> = steps(&[1.0, 2.0, 5.0]).collect();
        let below = all.iter().copied().filter(|step| *step <= min).fold(all[0], f64::max);
        let above = all.iter().copied().find(|step| *step >= max && *step > below);
        let above = above.unwrap_or(below * 10.0);
        let factors: &[f64] = if above / below > 2e3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let labelled = steps(factors).filter(|step| (below..=above).contains(step));
        let ticks = labelled.map(|step| (step, show(step))).collect();
        Self { title: title.into(), scale: Scale::Log, min: below, max: above, ticks }
    }

    /// An axis from 0 to a round number of at least `max`, with about `count`
    /// labels.
    pub fn linear(title: &str, max: f64, count: f64, show: impl Fn(f64) -> String) -> Self {
        let raw = (max / count).max(1e-9);
        let decade = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * decade);
        let step = step.into_iter().find(|step| *step >= raw * 0.999).unwrap_or(raw);
        let steps = (max / step - 1e-6).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|index| {
            let number = f64::from(index) * step;
            (number, show(number))
        });
        Self {
            title: title.into(),
            scale: Scale::Linear,
            min: 0.0,
            max: steps * step,
            ticks: ticks.collect(),
        }
    }
}

/// How a series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A line through its points.
    Line,
    /// A dot for each point.
    Dots,
    /// The area from its points down to their second number.
    Band,
    /// A bar from the bottom to each point.
    Bars,
}

/// A number at a place.
#[derive(Clone, Debug)]
pub struct Point {
    /// On the horizontal axis.
    pub x: f64,
    /// On the vertical axis.
    pub y: f64,
    /// Where a band ends.
    pub low: f64,
    /// What it says when it is pointed at.
    pub label: String,
}

/// Numbers that belong together.
#[derive(Clone, Debug)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// Names its colour in the style sheet.
    pub class: String,
    /// A colour of its own, where the style sheet has none.
    pub colour: Option<String>,
    /// How it looks.
    pub look: Look,
    /// Whether it is spoken of when pointed at, and stands in the legend.
    pub legend: Legend,
    /// From left to right. A number that is not finite is a gap.
    pub points: Vec<Point>,
}

/// Whether a series is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legend {
    /// Yes.
    Shown,
    /// No.
    Hidden,
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Names it, for people who do not see it; unique on a page.
    pub name: String,
    /// Height, where the width is 960.
    pub height: f64,
    /// Horizontal.
    pub x: Axis,
    /// Vertical.
    pub y: Axis,
    /// What to say of a place on the horizontal axis, for each point of a series.
    pub places: Vec<String>,
    /// In the order in which they are drawn: the uppermost last, which the legend
    /// names first.
    pub series: Vec<Series>,
}

/// What the page's script knows of a series.
#[derive(Serialize)]
struct Pointed<'a> {
    name: &'a str,
    class: &'a str,
    colour: Option<&'a str>,
    points: Vec<(f64, f64, &'a str)>,
}

impl Plot {
    /// The plot and its legend.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        // Writing to a string does not fail, here and below.
        let _ = write!(
            svg,
            "<figure class=\"plot\"><div class=\"scroll\"><svg viewBox=\"0 0 {WIDTH} {}\" \
             role=\"img\" aria-label=\"{}\" data-series=\"{}\" data-places=\"{}\">",
            self.height,
            escape(&self.name),
            escape(&serde_json::to_string(&self.pointed()).unwrap_or_default()),
            escape(&serde_json::to_string(&self.places).unwrap_or_default()),
        );
        self.write_axes(&mut svg);
        let clip = self.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let _ = write!(
            svg,
            "<clipPath id=\"{clip}\"><rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"/>\
             </clipPath><g clip-path=\"url(#{clip})\">",
            WIDTH - LEFT - RIGHT,
            self.height - TOP - BOTTOM
        );
        for series in &self.series {
            self.write_series(&mut svg, series);
        }
        svg.push_str("</g><g class=\"pointer\"></g></svg></div>");
        self.write_legend(&mut svg);
        svg.push_str("<div class=\"tip\" hidden></div></figure>\n");
        svg
    }

    fn px(&self, x: f64) -> f64 {
        LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT)
    }

    fn py(&self, y: f64) -> f64 {
        let bottom = self.height - BOTTOM;
        bottom - self.y.place(y) * (bottom - TOP)
    }

    fn pointed(&self) -> Vec<Pointed<'_>> {
        let shown = self.series.iter().rev().filter(|series| series.legend == Legend::Shown);
        let round = |number: f64| (number * 10.0).round() / 10.0;
        shown
            .map(|series| Pointed {
                name: &series.name,
                class: &series.class,
                colour: series.colour.as_deref(),
                points: series
                    .points
                    .iter()
                    .filter(|point| point.y.is_finite())
                    .map(|point| {
                        (round(self.px(point.x)), round(self.py(point.y)), point.label.as_str())
                    })
                    .collect(),
            })
            .collect()
    }

    fn write_axes(&self, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, self.height - BOTTOM);
        for (number, label) in &self.y.ticks {
            let y = self.py(*number);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for (number, label) in &self.x.ticks {
            let x = self.px(*number);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                bottom + 18.0
            );
        }
        let _ = write!(
            svg,
            "<text class=\"title\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text class=\"title\" transform=\"translate(14 {}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, right),
            self.height - 8.0,
            escape(&self.x.title),
            f64::midpoint(TOP, bottom),
            escape(&self.y.title)
        );
    }

    fn write_series(&self, svg: &mut String, series: &Series) {
        let class = &series.class;
        let style = series.colour.as_ref().map(|colour| format!(" style=\"--c:{colour}\""));
        let style = style.unwrap_or_default();
        match series.look {
            Look::Line => {
                for part in gapless(&series.points) {
                    let places = part.iter().map(|point| (point.x, point.y));
                    let path = self.path(places);
                    let _ = write!(svg, "<path class=\"line {class}\"{style} d=\"M{path}\"/>");
                }
            }
            Look::Band => {
                for part in gapless(&series.points) {
                    let upper = part.iter().map(|point| (point.x, point.y));
                    let lower = part.iter().rev().map(|point| (point.x, point.low));
                    let path = self.path(upper.chain(lower));
                    let _ = write!(svg, "<path class=\"band {class}\"{style} d=\"M{path}Z\"/>");
                }
            }
            Look::Dots => {
                for point in series.points.iter().filter(|point| point.y.is_finite()) {
                    let (x, y) = (self.px(point.x), self.py(point.y));
                    let _ = write!(
                        svg,
                        "<circle class=\"dot {class}\"{style} cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>"
                    );
                }
            }
            Look::Bars => self.write_bars(svg, series, &style),
        }
    }

    fn write_bars(&self, svg: &mut String, series: &Series, style: &str) {
        let step = match &series.points[..] {
            [first, second, ..] => self.px(second.x) - self.px(first.x),
            _ => WIDTH - LEFT - RIGHT,
        };
        for point in series.points.iter().filter(|point| point.y.is_finite() && point.y > 0.0) {
            let (x, y) = (self.px(point.x) - step / 2.0, self.py(point.y));
            let _ = write!(
                svg,
                "<rect class=\"bar {}\"{style} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
                 height=\"{:.1}\"/>",
                series.class,
                (step * 0.9).max(1.0),
                self.height - BOTTOM - y
            );
        }
    }

    fn path(&self, places: impl Iterator<Item = (f64, f64)>) -> String {
        let places = places.map(|(x, y)| format!("{:.1} {:.1}", self.px(x), self.py(y)));
        places.collect::<Vec<_>>().join("L")
    }

    fn write_legend(&self, svg: &mut String) {
        svg.push_str("<figcaption>");
        for series in self.series.iter().rev().filter(|series| series.legend == Legend::Shown) {
            let style = series.colour.as_ref().map(|colour| format!(" style=\"--c:{colour}\""));
            let _ = write!(
                svg,
                "<span class=\"key {}\"{}><i></i>{}</span>",
                series.class,
                style.unwrap_or_default(),
                escape(&series.name)
            );
        }
        svg.push_str("</figcaption>");
    }
}

/// The parts between gaps.
fn gapless(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    points.split(|point| !point.y.is_finite()).filter(|part| !part.is_empty())
}

/// Text as HTML takes it, between tags and in attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_axis_begins_and_ends_at_round_numbers_around_its_values() {
        let axis = Axis::log("", 17.0, 830.0, |number| number.to_string());
        assert_eq!((axis.min, axis.max), (10.0, 1000.0));
        let labels: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["10", "20", "50", "100", "200", "500", "1000"]);
        assert!((axis.place(100.0) - 0.5).abs() < 1e-9);
        let long = Axis::log("", 10.0, 1e6, |number| number.to_string());
        assert_eq!(long.ticks.len(), 6);
        let flat = Axis::log("", 10.0, 10.0, |number| number.to_string());
        assert!(flat.max > flat.min);
    }

    #[test]
    fn a_linear_axis_is_round_and_long_enough() {
        let axis = Axis::linear("", 98_000.0, 5.0, |number| number.to_string());
        assert_eq!((axis.min, axis.max, axis.ticks.len()), (0.0, 100_000.0, 6));
        assert!(Axis::linear("", 0.0, 5.0, |number| number.to_string()).max > 0.0);
    }

    #[test]
    fn a_gap_interrupts_a_line_and_labels_are_escaped() {
        let point = |x, y| Point { x, y, low: 1.0, label: "<&>".into() };
        let plot = Plot {
            name: "a \"plot\"".into(),
            height: 300.0,
            x: Axis::linear("time", 4.0, 4.0, |number| number.to_string()),
            y: Axis::log("ns", 1.0, 10.0, |number| number.to_string()),
            places: vec!["here".into()],
            series: vec![Series {
                name: "one".into(),
                class: "one".into(),
                colour: None,
                look: Look::Line,
                legend: Legend::Shown,
                points: vec![
                    point(0.0, 1.0),
                    point(1.0, 2.0),
                    point(2.0, f64::NAN),
                    point(3.0, 5.0),
                ],
            }],
        };
        let svg = plot.svg();
        assert_eq!(svg.matches("class=\"line one\"").count(), 2);
        assert!(svg.contains("aria-label=\"a &quot;plot&quot;\""));
        assert!(!svg.contains("NaN") && !svg.contains("<&>"));
    }
}
