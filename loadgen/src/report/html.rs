//! The page: of a report, of several reports, and of a run in progress.

mod accounts;
mod compared;
mod document;
mod live;
mod run;

use crate::report::charts;
use crate::summary::{Report, RunSummary};

pub use self::compared::compared;
use self::document::Document;
pub use self::live::{live_contents, live_page};

/// The page of one report.
pub fn page(report: &Report) -> String {
    let parameter = |name: &str| {
        let found = report.setup.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let title = unbroken(&format!("{}: rate {}", parameter("target"), parameter("rate")));
    let title = if report.cut_short.is_some() { format!("{title} (cut short)") } else { title };
    let mut document = Document::default();
    head(&mut document, &title, &[&report.program, &report.started]);
    if let Some(cut_short) = &report.cut_short {
        document.notice("verdict bad", &cut_short.to_string());
    }
    for search in &report.searches {
        document.notice("verdict", &search.to_string());
    }
    for knee in &report.knees {
        let runs = at_drop(report, knee.drop_percent);
        document.notice("verdict", &knee.to_string());
        document.chart(charts::against_throughput("latency against throughput", &runs, *knee));
    }
    if let [run] = &report.runs[..] {
        run::write(&mut document, run);
    } else {
        run::write_all(&mut document, report);
    }
    document.heading("Parameters", "");
    document.words(&report.setup);
    document.heading("Machine", "of the generator");
    document.words(&machine(report));
    document.page(&title, None)
}

fn head(document: &mut Document, title: &str, about: &[&str]) {
    let about: Vec<String> = about.iter().map(|text| document::escape(text)).collect();
    document.add(&format!("<p class=\"faint\">{}</p>", about.join(" · ")));
    document.add(&format!("<h1>{}</h1>", document::escape(title)));
}

fn at_drop(report: &Report, drop_percent: f64) -> Vec<&RunSummary> {
    let is_there = |run: &&RunSummary| run.drop_percent.total_cmp(&drop_percent).is_eq();
    report.runs.iter().filter(is_there).collect()
}

fn machine(report: &Report) -> Vec<(String, String)> {
    let machine = &report.machine;
    let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".into());
    [
        ("host", machine.host.clone()),
        ("kernel", machine.kernel.clone()),
        ("processor", machine.processor.clone()),
        ("cores", machine.cores.to_string()),
        ("memory", format!("{} MiB", machine.memory_bytes >> 20)),
        ("driver", optional(&machine.driver)),
        ("commit", optional(&machine.commit)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// With no line break within a number's digits.
fn unbroken(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |index: usize| letters.get(index).is_some_and(char::is_ascii_digit);
    let within = |index: usize| index > 0 && is_digit(index - 1) && is_digit(index + 1);
    let kept = letters.iter().enumerate();
    kept.map(|(index, &c)| if c == ' ' && within(index) { '\u{a0}' } else { c }).collect()
}
