//! The status page: one document with all that it needs in it.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use kad_node::uplot;

use super::problem::Problem;

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
/// In the order in which they are run, as one module.
const SCRIPT: &str = concat!(
    include_str!("page/format.js"),
    include_str!("page/api.js"),
    include_str!("page/state.js"),
    include_str!("page/layer.js"),
    include_str!("page/ring.js"),
    include_str!("page/legend.js"),
    include_str!("page/lookup.js"),
    include_str!("page/pull.js"),
    include_str!("page/moves.js"),
    include_str!("page/values.js"),
    include_str!("page/table.js"),
    include_str!("page/charts.js"),
    include_str!("page/store.js"),
    include_str!("page/counters.js"),
    include_str!("page/demo.js"),
    include_str!("page/main.js"),
);
const NONCE_BYTES: usize = 16;

/// `GET /`
///
/// Only what bears this answer's nonce is run: markup that came from elsewhere would not be.
pub(crate) async fn page() -> Result<Response, Problem> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| {
        let detail = format!("the system gives no randomness: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    let nonce = hex::encode(nonce);
    let (style, script) = (uplot::STYLE, uplot::SCRIPT);
    let styles = format!("<style nonce={nonce}>{style}\n{STYLE}</style>");
    let scripts = format!(
        "<script nonce={nonce}>{script}</script>\n\
         <script type=module nonce={nonce}>{SCRIPT}</script>"
    );
    let page = PAGE.replacen("<!--styles-->", &styles, 1).replacen("<!--scripts-->", &scripts, 1);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let fields =
        [(CONTENT_TYPE, "text/html; charset=utf-8".into()), (CONTENT_SECURITY_POLICY, policy)];
    Ok((fields, page).into_response())
}
