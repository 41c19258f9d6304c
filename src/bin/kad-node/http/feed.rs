//! What happens on the node, told to those that listen at `/v1/events`.
//!
//! An event is written once, however many listen, and not at all where none does. One that
//! is slow loses the oldest, and is told how many.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event as SentEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use kad_node::driver::DriverEvent;
use kad_node::node::{Event, LogEvent, LogLevel};
use kad_node::wire::Contact;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::app::{App, Phase};
use super::limits::{EVENT_STREAMS_MAX, EVENTS_WAITING_MAX};
use super::problem::Problem;
use super::views::{self, HopView, RangeView};

/// One event: its name, and its JSON.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    name: &'static str,
    data: Arc<str>,
}

/// Tells events to those that listen.
pub(crate) struct Feed {
    sender: Sender<Told>,
}

impl Feed {
    /// What the node is to tell of its work while a client listens, so that contacts are seen
    /// to come and go, and lookups hop by hop.
    pub(crate) const LOG_LEVEL: LogLevel = LogLevel::Hops;

    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(EVENTS_WAITING_MAX).0 }
    }

    /// Whether any client listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Tells an event of which `data` is called only if a client listens.
    pub(crate) fn tell(&self, name: &'static str, data: impl FnOnce() -> Value) {
        if self.is_heard() {
            // The last client may have gone meanwhile.
            let _ = self.sender.send(Told { name, data: data().to_string().into() });
        }
    }

    /// Tells what concerns those that watch the node, of all that it has told.
    pub(crate) fn observe(&self, event: &DriverEvent) {
        let DriverEvent::Node(event) = event else { return };
        match event {
            Event::Joined { contacts } => {
                self.tell("joined", || json!({ "contacts": contacts }));
            }
            Event::BadId { id, fault, replaced_by } => self.tell("bad_id", || {
                json!({
                    "id": id.to_string(),
                    "fault": fault.to_string(),
                    "replaced_by": replaced_by.map(|id| id.to_string()),
                })
            }),
            Event::Put { key, outcome, elapsed, operation } => self.tell("put", || {
                let stored = outcome.as_ref().ok();
                json!({
                    "operation": operation.0,
                    "key": key.to_string(),
                    "stored": stored.is_some(),
                    "holders": stored.map(|stored| stored.holders),
                    "asked": stored.map(|stored| stored.asked),
                    "hops": stored.map(|stored| stored.hops),
                    "elapsed_us": views::micros(*elapsed),
                })
            }),
            Event::Get { key, outcome, asked, elapsed, operation } => self.tell("get", || {
                let found = outcome.as_ref().ok().and_then(Option::as_ref);
                json!({
                    "operation": operation.0,
                    "key": key.to_string(),
                    "found": found.is_some(),
                    "bytes": found.map(|found| found.value.len()),
                    "from": found.and_then(|found| found.from).map(|from| from.addr.to_string()),
                    "hops": found.map(|found| found.hops),
                    "asked": asked,
                    "elapsed_us": views::micros(*elapsed),
                })
            }),
            Event::Range { operation, range } => self.tell(
                "range",
                || json!({ "operation": operation.0, "range": RangeView::from(range) }),
            ),
            Event::Forget { key, .. } => {
                self.tell("forget", || json!({ "key": key.to_string() }));
            }
            Event::Departed { handed_off, failed, .. } => {
                self.tell("departed", || json!({ "handed_off": handed_off, "failed": failed }));
            }
            Event::Log { event, .. } => self.observe_log(event),
            // A hop of a traced get comes as an event for the log, as those of others do.
            Event::Hop { .. }
            | Event::Pending { .. }
            | Event::Progress { .. }
            | Event::Peers { .. }
            | Event::Values { .. }
            | Event::Stats { .. } => {}
        }
    }

    fn observe_log(&self, event: &LogEvent) {
        let contact = |change: &'static str, contact: &Contact| {
            self.tell("contact", || {
                json!({
                    "change": change,
                    "id": contact.id.to_string(),
                    "address": contact.addr.to_string(),
                })
            });
        };
        match event {
            LogEvent::ContactInserted(inserted) => contact("inserted", inserted),
            LogEvent::ContactEvicted(evicted) => contact("evicted", evicted),
            LogEvent::LookupHop { purpose, operation, target, hop } => self.tell("hop", || {
                json!({
                    "operation": operation.map(|operation| operation.0),
                    "purpose": purpose,
                    "target": target.to_string(),
                    "hop": HopView::from(hop),
                })
            }),
            LogEvent::StoreEnded { purpose, operation, key, contact, is_stored, elapsed } => {
                self.tell("stored", || {
                    json!({
                        "operation": operation.map(|operation| operation.0),
                        "purpose": purpose,
                        "key": key.to_string(),
                        "id": contact.id.to_string(),
                        "address": contact.addr.to_string(),
                        "stored": is_stored,
                        "elapsed_us": views::micros(*elapsed),
                    })
                });
            }
            LogEvent::LookupEnded { purpose, target, outcome, asked, elapsed } => {
                self.tell("lookup", || {
                    json!({
                        "purpose": purpose,
                        "target": target.to_string(),
                        "outcome": outcome,
                        "asked": asked,
                        "elapsed_us": views::micros(*elapsed),
                    })
                });
            }
            _ => {}
        }
    }
}

/// One client that listens; while it is there it counts as one of the streams.
struct Listener {
    events: Receiver<Told>,
    phase: tokio::sync::watch::Receiver<Phase>,
    app: Arc<App>,
    missed: u64,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.app.counters.streams.sub(1);
        self.app.watch();
    }
}

impl Listener {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Option<SentEvent> {
        let stopped = self.phase.wait_for(|phase| *phase == Phase::Stopped);
        let told = tokio::select! {
            told = self.events.recv() => told,
            _ = stopped => return None,
        };
        match told {
            Ok(Told { name, data }) => Some(SentEvent::default().event(name).data(data)),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(missed)) => {
                self.app.counters.events_missed.add(missed);
                self.missed += missed;
                let data = json!({ "missed": missed, "in_all": self.missed });
                Some(SentEvent::default().event("missed").data(data.to_string()))
            }
        }
    }
}

/// `GET /v1/events`
pub(crate) async fn events(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let counters = &app.counters;
    if counters.streams.value() >= EVENT_STREAMS_MAX as u64 {
        counters.refused_streams.add(1);
        let detail = format!("{EVENT_STREAMS_MAX} clients listen to events: close one of them");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    counters.streams.add(1);
    let events = app.feed.sender.subscribe();
    let listener = Listener { events, phase: app.phase.clone(), app: Arc::clone(&app), missed: 0 };
    app.watch();
    let stream = stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::app::tests::unserved;
    use crate::http::node::tests::unrouted;

    #[tokio::test]
    async fn a_slow_client_loses_the_oldest_events_and_is_told_how_many() {
        const MORE: usize = 5;
        let running = unrouted();
        let (app, _phase) = unserved(&running);
        app.feed.tell("unheard", || panic!("an event that no client hears is not written"));
        let events = app.feed.sender.subscribe();
        app.counters.streams.add(1);
        let phase = app.phase.clone();
        let mut slow = Listener { events, phase, app: Arc::clone(&app), missed: 0 };
        for number in 0..EVENTS_WAITING_MAX + MORE {
            app.feed.tell("number", || json!(number));
        }
        let told = format!("{:?}", slow.next().await.expect("it runs"));
        assert!(told.contains("missed"), "{told}");
        assert_eq!(app.counters.events_missed.value(), MORE as u64);
        let first = format!("{:?}", slow.next().await.expect("it runs"));
        assert!(first.contains(&format!("data: {MORE}")), "{first}");
        drop(slow);
        assert_eq!(app.counters.streams.value(), 0);
        assert!(!app.feed.is_heard());
    }
}
