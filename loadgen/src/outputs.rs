//! Where the results go: standard output and the files that flags name, all of them tried
//! before the run and written after it.

use std::path::{Path, PathBuf};

use crate::options::ResultOptions;
use crate::output_file::{self, OutputFile, STANDARD_OUTPUT};
use crate::report::{csv, hgrm, html, text};
use crate::say;
use crate::summary::Report;

/// What a file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Html,
    /// The percentile table of the run with this number.
    Hgrm(usize),
}

/// One file.
#[derive(Debug)]
struct Output {
    /// The flag and its value, to name it by.
    name: String,
    form: Form,
    file: OutputFile,
}

/// All of them.
#[derive(Debug)]
pub struct Outputs(Vec<Output>);

impl Outputs {
    /// Tries whether everything that the options name can be written. `labels` tell the runs
    /// that are planned from each other.
    ///
    /// # Errors
    /// What cannot, why, and the remedy.
    pub fn open(options: &ResultOptions, labels: &[String]) -> Result<Self, String> {
        output_file::try_standard_output().map_err(|error| format!("standard output: {error}"))?;
        let mut outputs = Self(Vec::new());
        let one_each = [
            ("--json", Form::Json, &options.json),
            ("--csv", Form::Csv, &options.csv),
            ("--html", Form::Html, &options.html),
        ];
        for (flag, form, path) in one_each {
            if let Some(path) = path {
                outputs.add(flag, form, path)?;
            }
        }
        if let Some(path) = &options.hgrm {
            let are_several = labels.len() > 1;
            if are_several && path == Path::new(STANDARD_OUTPUT) {
                return Err("'--hgrm -' is for one run: name a file".into());
            }
            for (index, label) in labels.iter().enumerate() {
                let path = if are_several { &with_label(path, label) } else { path };
                outputs.add("--hgrm", Form::Hgrm(index), path)?;
            }
        }
        Ok(outputs)
    }

    fn add(&mut self, flag: &str, form: Form, path: &Path) -> Result<(), String> {
        let name = format!("{flag} {}", path.display());
        let file = OutputFile::open(path).map_err(|error| format!("'{name}': {error}"))?;
        if let Some(other) = self.0.iter().find(|other| other.file.is_same(&file)) {
            return Err(format!("'{name}' is '{}' as well: name two places", other.name));
        }
        self.0.push(Output { name, form, file });
        Ok(())
    }

    /// Prints the report, and writes every file whose run there is. What cannot be
    /// written keeps nothing else from it.
    ///
    /// # Errors
    /// A line for each that could not be written.
    pub fn write(self, report: &Report) -> Result<(), Vec<String>> {
        let mut failures = Vec::new();
        let text = text::report(report);
        if self.0.iter().any(|output| matches!(output.file, OutputFile::StandardOutput)) {
            say::write(&text);
        } else if let Err(error) = OutputFile::StandardOutput.write(&text) {
            failures.push(format!("cannot write to standard output: {error}"));
        }
        for Output { name, form, file } in self.0 {
            let Some(text) = form.text(report) else {
                continue; // cut short before this run
            };
            if let Err(error) = file.write(&text) {
                failures.push(format!("'{name}' could not be written: {error}"));
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }
}

impl Form {
    fn text(self, report: &Report) -> Option<String> {
        match self {
            // Numbers and text alone: nothing in it can fail.
            Self::Json => serde_json::to_string_pretty(report).ok().map(|json| json + "\n"),
            Self::Csv => Some(csv::table(report)),
            Self::Html => Some(html::page(report)),
            Self::Hgrm(index) => report.runs.get(index).map(hgrm::of_run),
        }
    }
}

/// Names for runs, of which each has a rate and a drop rate in percent: the rate is named
/// where there are several.
pub fn labels(runs: &[(Option<u64>, f64)]) -> Vec<String> {
    let of = |&(rate, drop): &(Option<u64>, f64)| {
        let rate = rate.filter(|rate| runs.iter().any(|(other, _)| *other != Some(*rate)));
        rate.map_or_else(|| format!("drop{drop}"), |rate| format!("rate{rate}-drop{drop}"))
    };
    runs.iter().map(of).collect()
}

/// One file for each of several runs: `out.hgrm` becomes `out-drop10.hgrm`.
fn with_label(path: &Path, label: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{label}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
