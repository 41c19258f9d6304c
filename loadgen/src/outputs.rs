//! Where the results go: standard output and the files that flags name, all of them tried
//! before the run and written after it.

use std::path::{Path, PathBuf};

use kad_node::quantity::Percent;

use crate::options::Options;
use crate::output_file::{self, OutputFile, STANDARD_OUTPUT};
use crate::report::{hgrm, html, text};
use crate::result::RunResult;
use crate::say;
use crate::summary::Report;

/// What a file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Html,
    /// The percentile table of the run at this drop rate.
    Hgrm(Percent),
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
    /// Tries whether everything that the options name can be written.
    ///
    /// # Errors
    /// What cannot, why, and the remedy.
    pub fn open(options: &Options) -> Result<Self, String> {
        output_file::try_standard_output().map_err(|error| format!("standard output: {error}"))?;
        let mut outputs = Self(Vec::new());
        if let Some(path) = &options.json {
            outputs.add("--json", Form::Json, path)?;
        }
        if let Some(path) = &options.html {
            outputs.add("--html", Form::Html, path)?;
        }
        if let Some(path) = &options.hgrm {
            let is_sweep = options.drop.len() > 1;
            if is_sweep && path == Path::new(STANDARD_OUTPUT) {
                return Err("'--hgrm -' is for one drop rate: name a file".into());
            }
            for &drop in &options.drop {
                let path = if is_sweep { &with_drop(path, drop) } else { path };
                outputs.add("--hgrm", Form::Hgrm(drop), path)?;
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
    pub fn write(self, report: &Report, results: &[RunResult]) -> Result<(), Vec<String>> {
        let mut failures = Vec::new();
        let text = text::report(report);
        if self.0.iter().any(|output| matches!(output.file, OutputFile::StandardOutput)) {
            say::write(&text);
        } else if let Err(error) = OutputFile::StandardOutput.write(&text) {
            failures.push(format!("cannot write to standard output: {error}"));
        }
        for Output { name, form, file } in self.0 {
            let Some(text) = form.text(report, results) else {
                continue; // the run was cut short before this drop rate
            };
            if let Err(error) = file.write(&text) {
                failures.push(format!("'{name}' could not be written: {error}"));
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }
}

impl Form {
    fn text(self, report: &Report, results: &[RunResult]) -> Option<String> {
        match self {
            // Numbers and text alone: nothing in it can fail.
            Self::Json => serde_json::to_string_pretty(report).ok().map(|json| json + "\n"),
            Self::Html => Some(html::page(report, results)),
            Self::Hgrm(drop) => results.iter().find(|result| result.drop == drop).map(hgrm::of_run),
        }
    }
}

/// One file for each run of a sweep: `out.hgrm` becomes `out-drop10.hgrm`.
fn with_drop(path: &Path, drop: Percent) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-drop{}", drop.value()));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
