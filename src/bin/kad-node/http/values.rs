//! Values: put, got, traced, forgotten.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, LOCATION,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use kad_node::id::Id;
use kad_node::node::{Forgotten, Found, Kept, KeyedValue, Refusal, Trace};
use serde::Serialize;
use tokio::task;

use super::app::App;
use super::body::{self, Chunks, Held};
use super::conditions::{self, Selection};
use super::node::GetAnswer;
use super::problem::Problem;
use super::views;

/// From this size on a value is hashed on a thread of its own: 64 KiB take 0.1 ms.
const HASH_ASIDE_BYTES: usize = 64 << 10;

const KAD_FROM: HeaderName = HeaderName::from_static("kad-from");
const KAD_HOPS: HeaderName = HeaderName::from_static("kad-hops");
/// The key names the bytes, so that no copy of them is ever out of date.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The key that a path names.
pub(crate) struct Key(Id);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => text,
            // Its bytes are no text: they are shown as they came.
            Err(_) => parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
        };
        text.parse().map(Self).map_err(|_| Problem::bad_key(&text))
    }
}

/// The answer to a put.
#[derive(Serialize)]
struct PutView {
    key: String,
    /// Other nodes that hold it.
    holders: usize,
    /// Closest nodes that were asked to.
    asked: usize,
    /// Those of them whose `--value-max` is less than its size.
    too_large: usize,
    hops: u8,
    elapsed_us: u64,
    /// Whether it is on this node's disk.
    durable: bool,
}

/// `POST /v1/values`
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    store(&app, request, None).await
}

/// `PUT /v1/values/KEY`
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    Key(key): Key,
    request: Request,
) -> Result<Response, Problem> {
    store(&app, request, Some(key)).await
}

/// Stores the body of `request`, if it hashes to `expected`.
async fn store(app: &App, request: Request, expected: Option<Id>) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let (bytes, _held) =
        body::read(&app.body_memory, &parts.headers, body, app.about.value_bytes_max).await?;
    if bytes.is_empty() {
        return Err(Refusal::Empty.into());
    }
    let value = hash(bytes).await;
    let key = value.key();
    if let Some(expected) = expected.filter(|expected| *expected != key) {
        let detail = format!("the body hashes to {key}, not to {expected}");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
            .with("key", key.to_string())
            .with("expected", expected.to_string()));
    }
    let answer = app.node.put(value).await?;
    let stored = answer.outcome?;
    let view = PutView {
        key: key.to_string(),
        holders: stored.holders,
        asked: stored.asked,
        too_large: stored.too_large,
        hops: stored.hops,
        elapsed_us: views::micros(answer.elapsed),
        durable: stored.kept == Some(Kept::OnDisk),
    };
    let location = format!("/v1/values/{key}");
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
}

async fn hash(bytes: Vec<u8>) -> KeyedValue {
    if bytes.len() < HASH_ASIDE_BYTES {
        return KeyedValue::new(bytes);
    }
    let hashed = task::spawn_blocking(|| KeyedValue::new(bytes)).await;
    hashed.expect("to hash does not panic, and is not interrupted")
}

/// `GET /v1/values/KEY`, and `HEAD`
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    method: Method,
    Key(key): Key,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let etag = format!("\"{key}\"");
    if conditions::has_already(&headers, &etag) {
        return Ok(not_modified(&etag));
    }
    let answer = app.node.get(key, Trace::Off).await?;
    let found = found(answer, key)?;
    let length = found.value.len();
    let from = found.from.map_or_else(|| "local".into(), |contact| contact.addr.to_string());
    let hops = found.hops;
    let range = match conditions::select(&method, &headers, &etag, length) {
        Selection::Whole => None,
        Selection::Part(range) => Some(range),
        Selection::NotModified => return Ok(not_modified(&etag)),
        Selection::Mismatch => {
            let detail = format!("the value of {key} has the tag {etag} alone");
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail));
        }
        Selection::Unsatisfiable => {
            let detail = format!("the value has {length} bytes");
            let range = header_value(&format!("bytes */{length}"));
            return Err(Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail)
                .with("length_bytes", length)
                .with_header(CONTENT_RANGE, range));
        }
    };
    let held = app.body_memory.take(length)?;
    let mut bytes = Bytes::from_owner(found.value);
    let mut status = StatusCode::OK;
    if let Some(range) = &range {
        status = StatusCode::PARTIAL_CONTENT;
        bytes = bytes.slice(range.clone());
    }
    let body = Body::new(Held::new(Body::new(Chunks::new(bytes)), held));
    let mut response = (status, body).into_response();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    fields.insert(ETAG, header_value(&etag));
    fields.insert(CACHE_CONTROL, IMMUTABLE);
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(KAD_FROM, header_value(&from));
    fields.insert(KAD_HOPS, u64::from(hops).into());
    if let Some(range) = range {
        let range = format!("bytes {}-{}/{length}", range.start(), range.end());
        fields.insert(CONTENT_RANGE, header_value(&range));
    }
    Ok(response)
}

fn not_modified(etag: &str) -> Response {
    let fields = [(ETAG, header_value(etag)), (CACHE_CONTROL, IMMUTABLE)];
    (StatusCode::NOT_MODIFIED, fields).into_response()
}

/// A value of a header's field that is made of digits, addresses and the like alone.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ASCII without control characters")
}

/// The value that a get has found.
fn found(answer: GetAnswer, key: Id) -> Result<Found, Problem> {
    let asked = answer.asked;
    answer.outcome?.ok_or_else(|| {
        let detail = format!("none of the {asked} nodes that were asked has a value of {key}");
        Problem::new(StatusCode::NOT_FOUND, detail)
            .with("key", key.to_string())
            .with("asked", asked)
    })
}

/// `GET /v1/trace/KEY`
pub(crate) async fn trace(State(app): State<Arc<App>>, Key(key): Key) -> Result<Response, Problem> {
    let answer = app.node.get(key, Trace::Hops).await?;
    if let Err(refusal) = answer.outcome {
        return Err(refusal.into());
    }
    Ok(Json(views::trace(key, &answer)).into_response())
}

/// `DELETE /v1/values/KEY`
pub(crate) async fn forget(
    State(app): State<Arc<App>>,
    Key(key): Key,
) -> Result<Response, Problem> {
    match app.node.forget(key).await? {
        Forgotten::Forgotten => Ok(StatusCode::NO_CONTENT.into_response()),
        Forgotten::Unknown => {
            let detail = format!("{key} was not put here: delete it at the node that put it");
            Err(Problem::new(StatusCode::NOT_FOUND, detail).with("key", key.to_string()))
        }
    }
}
