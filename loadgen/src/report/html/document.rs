//! A document with everything in it: it loads nothing, and so can be kept or sent.

use std::fmt::Write as _;

use kad_node::uplot;

use crate::report::chart::Chart;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What is in it, so far.
#[derive(Debug, Default)]
pub(super) struct Document {
    main: String,
    charts: Vec<Chart>,
}

impl Document {
    /// Adds a line of markup.
    pub(super) fn add(&mut self, line: &str) {
        self.main.push_str(line);
        self.main.push('\n');
    }

    /// Adds a heading with a remark.
    pub(super) fn heading(&mut self, text: &str, remark: &str) {
        self.add(&format!("<h2>{} <small>{}</small></h2>", escape(text), escape(remark)));
    }

    /// Adds a sentence in a frame; one that warns is red.
    pub(super) fn notice(&mut self, class: &str, text: &str) {
        self.add(&format!("<p class=\"{class}\">{}</p>", escape(&capitalised(text))));
    }

    /// Adds a chart, which the script draws.
    pub(super) fn chart(&mut self, chart: Chart) {
        let (index, title) = (self.charts.len(), escape(&chart.title));
        self.add(&format!(
            "<figure class=\"plot\" data-chart=\"{index}\" aria-label=\"{title}\"></figure>"
        ));
        self.charts.push(chart);
    }

    /// Adds a table; the first cell of each row names it.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.add("<div class=\"scroll\"><table>");
        if !head.is_empty() {
            self.add(&format!("<thead>{}</thead>", row("th", head.iter().copied())));
        }
        self.add("<tbody>");
        for cells in rows {
            self.add(&row("td", cells.iter().map(String::as_str)));
        }
        self.add("</tbody></table></div>");
    }

    /// Adds names and what they stand for.
    pub(super) fn words(&mut self, rows: &[(String, String)]) {
        self.add("<table class=\"words\"><tbody>");
        for (name, value) in rows {
            self.add(&format!("<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value)));
        }
        self.add("</tbody></table>");
    }

    /// What the script replaces in a page that is alive: the contents, and the charts' numbers.
    pub(super) fn contents(&self) -> String {
        // Numbers and text alone: nothing in it can fail. No text may end the element.
        let charts =
            serde_json::to_string(&self.charts).unwrap_or_default().replace('<', "\\u003c");
        format!("{}<script type=\"application/json\" id=\"charts\">{charts}</script>\n", self.main)
    }

    /// The whole page. Where `live` names an address, the script asks there for the
    /// contents again and again.
    pub(super) fn page(&self, title: &str, live: Option<&str>) -> String {
        let (title, contents) = (escape(title), self.contents());
        let live = live.map_or(String::new(), |address| format!(" data-live=\"{address}\""));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n\
             <style>\n{}{STYLE}</style>\n</head>\n<body>\n\
             <main{live}>\n{contents}</main>\n",
            uplot::STYLE
        );
        let _ = write!(
            page,
            "<footer>Latency counts from the moment at which a request was due, not from when it \
             was sent: a generator that waits for a slow answer would not see what other users \
             see meanwhile.</footer>\n<script>\n{}\n{SCRIPT}</script>\n</body>\n</html>\n",
            uplot::SCRIPT
        );
        page
    }
}

/// A row of cells, each of them a `tag`.
fn row<'a>(tag: &str, cells: impl Iterator<Item = &'a str>) -> String {
    let mut row = "<tr>".to_owned();
    for cell in cells {
        let _ = write!(row, "<{tag}>{}</{tag}>", escape(cell));
    }
    row + "</tr>"
}

/// With no letter that markup has a use for.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::{XAxis, YAxis};

    #[test]
    fn no_name_gets_out_of_its_place() {
        let hostile = "</script><script>alert('1')</script>\" onload=\"x";
        let mut document = Document::default();
        document.notice("verdict", hostile);
        document.words(&[(hostile.into(), hostile.into())]);
        document.table(&[hostile], &[vec![hostile.into()]]);
        document.chart(Chart {
            title: hostile.into(),
            x: XAxis::Rate,
            y: YAxis::Rate,
            places: Vec::new(),
            series: Vec::new(),
            marks: Vec::new(),
        });
        let page = document.page(hostile, None);
        assert_eq!(page.matches("<script").count(), 2, "the numbers, and our own");
        assert_eq!(page.matches("</script>").count(), 2);
        let (markup, _) = page.split_once("<script").expect("the numbers");
        assert!(!markup.contains("\" onload") && !markup.contains("alert('"));
    }
}
