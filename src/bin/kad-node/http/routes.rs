//! Which handler a request goes to, and what every request passes before.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::app::App;
use super::body::Held;
use super::counters::Counters;
use super::limits::{AT_WORK_MAX, PROBES_MAX};
use super::problem::Problem;
use super::{demo, feed, health, metrics, page, values, views};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let work = Router::new()
        .route("/v1/values", post(values::create).get(held))
        .route("/v1/values/{key}", put(values::replace).get(values::read).delete(values::forget))
        .route("/v1/trace/{key}", get(values::trace))
        .route("/v1/node", get(node))
        .route("/v1/peers", get(peers))
        .route("/v1/stats", get(stats))
        .route("/v1/demo", get(demo::view).put(demo::disturb))
        .route("/v1/demo/nodes/{index}/{act}", post(demo::act))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), at_work));
    let probes = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), at_probe));
    // What these give is at hand, or bounded by itself.
    let others = Router::new()
        .route("/", get(page::page))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/events", get(feed::events));
    Router::new()
        .merge(work)
        .merge(probes)
        .merge(others)
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), admit))
        .with_state(app)
}

/// Lets in what may come in, and says of every answer that no browser is to make more of it
/// than it is.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    app.counters.requests.add(1);
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.expect("the server names the client of each request").ip();
    let mut response = match app.access.check(peer, &parts, &app.counters) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    let fields = response.headers_mut();
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    fields.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("sandbox"));
    fields.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn at_work(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(place) = AtWork::begin(&app.work, &app.counters) else {
        app.counters.refused_at_work.add(1);
        return Problem::busy(format!("{AT_WORK_MAX} requests are at work: try again"))
            .into_response();
    };
    hold(next.run(request).await, place)
}

async fn at_probe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(place) = AtWork::begin(&app.probes, &app.counters) else {
        app.counters.refused_probes.add(1);
        return Problem::busy(format!("{PROBES_MAX} probes are at work: try again"))
            .into_response();
    };
    hold(next.run(request).await, place)
}

/// A response that keeps its place at work until it has been sent.
fn hold(response: Response, place: AtWork) -> Response {
    response.map(|body| Body::new(Held::new(body, place)))
}

/// A request at work.
struct AtWork {
    _permit: OwnedSemaphorePermit,
    counters: Arc<Counters>,
}

impl AtWork {
    /// Takes a place, if one is free.
    fn begin(room: &Arc<Semaphore>, counters: &Arc<Counters>) -> Option<Self> {
        let permit = Arc::clone(room).try_acquire_owned().ok()?;
        counters.at_work.add(1);
        Some(Self { _permit: permit, counters: Arc::clone(counters) })
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.counters.at_work.sub(1);
    }
}

/// The API for machines. `tests/system/http/openapi.rs` holds it against the handlers.
const OPENAPI: &str = include_str!("openapi.json");

/// `GET /v1/openapi.json`
async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn unknown(request: Request) -> Problem {
    let path = request.uri().path();
    Problem::new(StatusCode::NOT_FOUND, format!("there is no {path}: see /v1/openapi.json"))
}

async fn not_allowed(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} takes no {method}"))
}

/// `GET /v1/node`
async fn node(State(app): State<Arc<App>>) -> Response {
    let about = &app.about;
    Json(json!({
        "id": about.id.to_string(),
        "address": about.address.to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "network": about.network,
        "k": about.k,
        "alpha": about.alpha,
        "shards": about.shards.get(),
        "io": about.io.to_string(),
        "is_demo": about.demo.is_some(),
        "value_bytes_max": about.value_bytes_max,
        "uptime_us": views::micros(app.started.elapsed()),
    }))
    .into_response()
}

/// `GET /v1/peers`
async fn peers(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let buckets = app.node.peers().await?;
    Ok(Json(views::peers(&buckets)).into_response())
}

/// `GET /v1/stats`
async fn stats(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let shards = app.node.stats().await?;
    let disk = app.about.disk.as_ref().map(|disk| disk.snapshot());
    Ok(Json(views::stats(&shards, disk.as_ref(), &app.counters)).into_response())
}

/// `GET /v1/values`
async fn held(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let values = app.node.values().await?;
    Ok(Json(views::values(&values)).into_response())
}
