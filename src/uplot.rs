//! The chart library of the pages that the programs write and serve: uPlot 1.6.16 (MIT, its
//! licence is in the folder), as it is published but for the white space, which
//! `esbuild --minify` took away. A page embeds it, and so loads nothing.

/// The script: it defines `uPlot`. Its first comment names the author and the licence.
pub const SCRIPT: &str = include_str!("uplot/uPlot.iife.min.js");

/// The style sheet that goes with it.
pub const STYLE: &str = include_str!("uplot/uPlot.min.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_can_hold_both_and_names_the_licence() {
        assert!(SCRIPT.contains("Leon Sorokin") && SCRIPT.contains("MIT Licensed"));
        let (_, script) = SCRIPT.split_once("*/").expect("the comment has an end");
        assert!(script.trim_start().starts_with("var uPlot="));
        assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
        assert!(!SCRIPT.contains("import(") && !STYLE.contains("url("), "they load nothing");
    }
}
