//! page
use crate::run::RunResult;
use crate::summary::Report;
/// page
pub fn page(_report: &Report, _results: &[RunResult]) -> String { String::new() }
