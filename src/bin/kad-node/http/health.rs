//! Whether the node lives, and whether it is of use: `/healthz` and `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kad_node::node::BucketView;
use serde_json::{Value, json};
use tokio::time;

use super::app::{App, Phase};
use super::limits::{CONTACT_SILENCE_MAX, SHARD_SILENCE_MAX};
use super::node::Unanswered;
use super::problem::Problem;

/// `GET /healthz`: 503 only when a shard is silent. To be alone is no reason to be restarted.
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    let answered = time::timeout(SHARD_SILENCE_MAX, app.node.stats()).await;
    match answered.unwrap_or(Err(Unanswered::Late)) {
        // Commands of others wait: the shards are busy with them.
        Ok(_) | Err(Unanswered::Busy) => Ok(Json(json!({ "status": "ok" }))),
        Err(Unanswered::Stopped) => Err(unavailable("the node has stopped")),
        Err(Unanswered::Late) => Err(Problem::silent_shard()),
    }
}

/// `GET /readyz`: whether the node is part of its network.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    if *app.phase.borrow() != Phase::Serving {
        return Err(unavailable("the node is stopping"));
    }
    if !app.about.has_bootstrap {
        return Ok(Json(json!({ "status": "ready" })));
    }
    if !app.about.joining.wait(Duration::ZERO) {
        return Err(unavailable("the node is joining"));
    }
    let answered = time::timeout(SHARD_SILENCE_MAX, app.node.peers()).await;
    let buckets = answered.unwrap_or(Err(Unanswered::Late))?;
    if has_heard_lately(&buckets) {
        return Ok(Json(json!({ "status": "ready" })));
    }
    let seconds = CONTACT_SILENCE_MAX.as_secs();
    Err(unavailable(format!("no contact has answered for {seconds} s")))
}

fn has_heard_lately(buckets: &[BucketView]) -> bool {
    let mut contacts = buckets.iter().flat_map(|bucket| &bucket.contacts);
    contacts.any(|contact| contact.seen_ago <= CONTACT_SILENCE_MAX)
}

fn unavailable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

#[cfg(test)]
mod tests {
    use kad_node::id::Id;
    use kad_node::node::ContactView;
    use kad_node::wire::Contact;

    use super::*;

    /// A bucket whose contacts were seen so long ago.
    fn bucket(seen_ago: &[Duration]) -> BucketView {
        let contact = Contact { id: Id::of_value(b"one"), addr: ([10, 0, 0, 1], 1).into() };
        let view = |&seen_ago| ContactView { contact, seen_ago, round_trip: None, failures: 0 };
        BucketView { index: 0, contacts: seen_ago.iter().map(view).collect(), replacements: 0 }
    }

    #[test]
    fn one_contact_that_was_heard_lately_is_enough() {
        let long_ago = CONTACT_SILENCE_MAX + Duration::from_secs(1);
        assert!(!has_heard_lately(&[]));
        assert!(!has_heard_lately(&[bucket(&[long_ago, long_ago]), bucket(&[])]));
        assert!(has_heard_lately(&[bucket(&[long_ago]), bucket(&[long_ago, CONTACT_SILENCE_MAX])]));
    }
}
