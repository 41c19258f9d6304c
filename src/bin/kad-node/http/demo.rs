//! The network of a demo: seen as a whole, and disturbed. A plain node has none (404).

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use kad_node::quantity::Percent;
use serde::Deserialize;
use serde_json::Value;

use super::app::App;
use super::body;
use super::problem::Problem;
use crate::demo::{Control, Order};

/// Largest body of a request here.
const BODY_BYTES_MAX: usize = 1024;

/// What a client asks of the network; what it leaves out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disturbance {
    is_cut: Option<bool>,
    /// Such as `12.5`.
    loss_percent: Option<serde_json::Number>,
}

/// `GET /v1/demo`
pub(crate) async fn view(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    Ok(Json(control(&app)?.view()))
}

/// `PUT /v1/demo`
pub(crate) async fn disturb(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let control = control(&app)?;
    let (parts, body) = request.into_parts();
    let (bytes, _held) = body::read(&app.body_memory, &parts.headers, body, BODY_BYTES_MAX).await?;
    let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let Disturbance { is_cut, loss_percent } =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let loss = loss_percent.map(|percent| percent.to_string().parse::<Percent>());
    let loss = loss.transpose().map_err(|why| wrong(format!("loss_percent: {why}")))?;
    let cut = is_cut.map(|is_cut| if is_cut { Order::Cut } else { Order::Heal });
    give(control, cut.into_iter().chain(loss.map(Order::Lose)))
}

/// `POST /v1/demo/nodes/INDEX/ACT`, where ACT is `kill`, `stop` or `start`
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let control = control(&app)?;
    let Path((index, act)) =
        path.map_err(|why| Problem::new(StatusCode::NOT_FOUND, why.body_text()))?;
    let last = control.nodes() - 1;
    let index = index.parse().ok().filter(|index| (1..=last).contains(index)).ok_or_else(|| {
        let detail = format!("'{index}' is none of the nodes 1 to {last}; node 0 serves this API");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    let order = match &*act {
        "kill" => Order::Kill(index),
        "stop" => Order::Stop(index),
        "start" => Order::Start(index),
        _ => {
            let detail = format!("'{act}' is none of kill, stop and start");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    give(control, [order])
}

fn control(app: &App) -> Result<&Control, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "only `kad-node demo` has this");
    app.about.demo.as_deref().ok_or_else(none)
}

fn give(control: &Control, orders: impl IntoIterator<Item = Order>) -> Result<StatusCode, Problem> {
    for order in orders {
        if !control.give(order) {
            return Err(Problem::busy("too many orders wait: try again"));
        }
    }
    Ok(StatusCode::ACCEPTED)
}
