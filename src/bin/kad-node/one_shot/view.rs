//! What the one-shot commands print with `--output json`. The names are those of the HTTP API.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kad_node::id::Id;
use kad_node::node::Stored;
use serde::Serialize;

use crate::http::micros;
use crate::operations::GetAnswer;

/// A put.
#[derive(Serialize)]
pub(crate) struct PutView {
    key: String,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// None has it where this is 0.
    holders: usize,
    asked: usize,
    /// Those of them whose `--value-max` is less than its size.
    too_large: usize,
    hops: u8,
    elapsed_us: u64,
}

pub(crate) fn put(
    key: Id,
    bytes: usize,
    file: Option<&Path>,
    stored: &Stored,
    elapsed: Duration,
) -> PutView {
    PutView {
        key: key.to_string(),
        bytes,
        file: file.map(|path| path.to_string_lossy().into_owned()),
        holders: stored.holders,
        asked: stored.asked,
        too_large: stored.too_large,
        hops: stored.hops,
        elapsed_us: micros(elapsed),
    }
}

/// A get.
#[derive(Serialize)]
pub(super) struct GetView {
    key: String,
    found: bool,
    /// The node that had it.
    from: Option<String>,
    hops: Option<u8>,
    asked: usize,
    elapsed_us: u64,
    bytes: Option<usize>,
    /// The file that holds the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(flatten)]
    value: Option<ValueView>,
}

/// A value, as text where it is UTF-8.
#[derive(Serialize)]
enum ValueView {
    #[serde(rename = "value")]
    Text(String),
    #[serde(rename = "value_base64")]
    Base64(String),
}

impl From<&[u8]> for ValueView {
    fn from(value: &[u8]) -> Self {
        match std::str::from_utf8(value) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(value)),
        }
    }
}

/// `file` is where the value was written to.
pub(super) fn get(key: Id, file: Option<&Path>, answer: &GetAnswer) -> GetView {
    let found = answer.outcome.as_ref().ok().and_then(Option::as_ref);
    let file = file.filter(|_| found.is_some());
    GetView {
        key: key.to_string(),
        found: found.is_some(),
        from: found.and_then(|found| found.from).map(|contact| contact.addr.to_string()),
        hops: found.map(|found| found.hops),
        asked: answer.asked,
        elapsed_us: micros(answer.elapsed),
        bytes: found.map(|found| found.value.len()),
        file: file.map(|path| path.to_string_lossy().into_owned()),
        value: found.filter(|_| file.is_none()).map(|found| ValueView::from(&*found.value)),
    }
}
