//! Errors as `application/problem+json` (RFC 9457).

use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kad_node::limits::{PUBLISHED_VALUES_MAX, VALUE_BYTES_MAX};
use kad_node::node::Refusal;
use serde_json::{Map, Value, json};

use super::limits::{OPERATION_TIME_MAX, RETRY_AFTER_S, SHARD_SILENCE_MAX};
use super::node::Unanswered;

/// An error: a status, one sentence with the offending value and the remedy, and what a
/// program may want to know of it.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), members: Map::new(), headers: Vec::new() }
    }

    /// With a member beside those that every problem has.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// With a field of the header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    #[cfg(test)]
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Too much is going on: come again.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            .with_header(RETRY_AFTER, RETRY_AFTER_S.into())
    }

    /// A shard does not answer.
    pub(crate) fn silent_shard() -> Self {
        let seconds = SHARD_SILENCE_MAX.as_secs();
        let detail = format!("a shard has not answered within {seconds} s");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// A key that is none.
    pub(crate) fn bad_key(text: &str) -> Self {
        let detail = format!("'{text}' is no key: a key is 40 hexadecimal digits");
        Self::new(StatusCode::BAD_REQUEST, detail).with("key", text)
    }

    /// A value of more than the `limit_bytes` that this node takes; `bytes` where it is known
    /// how many it has.
    pub(crate) fn too_large(bytes: Option<usize>, limit_bytes: usize) -> Self {
        let size = bytes.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"));
        let remedy = if limit_bytes < VALUE_BYTES_MAX {
            "its --value-max sets the limit"
        } else {
            "no value may be larger"
        };
        let detail = format!(
            "the value is too large{size}: this node takes {limit_bytes} bytes at most; {remedy}"
        );
        let problem =
            Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail).with("limit_bytes", limit_bytes);
        match bytes {
            Some(bytes) => problem.with("bytes", bytes),
            None => problem,
        }
    }

    /// A token is missing or wrong.
    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kad-node\""))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Empty => Self::new(
                StatusCode::BAD_REQUEST,
                "the body is empty: a value has one byte or more",
            ),
            Refusal::TooLarge { bytes, bytes_max } => Self::too_large(Some(bytes), bytes_max),
            Refusal::Unfinished { bytes } => Self::busy(format!(
                "nodes have a value of {bytes} bytes, and none sent the whole of it: try again"
            )),
            Refusal::Busy => Self::busy("the node has too many lookups in progress: try again"),
            Refusal::DiskBusy => Self::busy("the disk does not keep up: try again"),
            Refusal::Full => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                format!("{PUBLISHED_VALUES_MAX} values were put here already: delete some"),
            ),
            Refusal::Abandoned => Self::busy("the lookup was abandoned: try again"),
        }
    }
}

impl From<Unanswered> for Problem {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Busy => Self::busy("too many commands wait for the node: try again"),
            Unanswered::Stopped => Self::busy("the node is stopping"),
            Unanswered::Late => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!("the node has not answered within {} s", OPERATION_TIME_MAX.as_secs()),
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = Map::new();
        body.insert("type".into(), json!("about:blank"));
        body.insert("title".into(), json!(title));
        body.insert("status".into(), json!(self.status.as_u16()));
        body.insert("detail".into(), json!(self.detail));
        body.extend(self.members);
        let mut response = (self.status, Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}
