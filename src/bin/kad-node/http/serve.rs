//! Accepts connections, and serves each until it ends, is idle for too long, has to make
//! room, or the server stops.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time;

use super::app::{App, Phase};
use super::body::Held;
use super::counters::Counters;
use super::limits::{
    CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADER_FIELDS_MAX, HEADER_TIME_MAX, SHUTDOWN_TIME_MAX,
};
use super::stream::Stream;
use super::{rates, routes};

/// How long to wait after a connection could not be accepted: descriptors are used up.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves until the phase is [`Phase::Stopped`], and running requests have ended, or
/// [`SHUTDOWN_TIME_MAX`] is over.
pub(crate) async fn run(listener: TcpListener, app: Arc<App>, mut stopped: watch::Receiver<Phase>) {
    let router = routes::router(Arc::clone(&app));
    tokio::spawn(rates::tell(Arc::clone(&app)));
    let connections = Arc::new(Connections::default());
    // Every connection holds an end of it: it is closed when all have ended.
    let (ended, running) = watch::channel(());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|phase| *phase == Phase::Stopped) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                app.counters.connections_accepted.add(1);
                // Without room the stream is dropped, which closes it.
                let Some(connection) = Connection::enter(&connections, &app.counters) else {
                    continue;
                };
                let (router, stopped) = (router.clone(), stopped.clone());
                let (app, running) = (Arc::clone(&app), running.clone());
                tokio::spawn(async move {
                    serve(stream, peer, router, &app, connection, stopped).await;
                    drop(running);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection is not accepted");
                time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop((listener, running));
    if time::timeout(SHUTDOWN_TIME_MAX, ended.closed()).await.is_err() {
        tracing::info!("some HTTP requests have not ended in time and are cut off");
    }
}

/// Serves one connection.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    app: &Arc<App>,
    connection: Connection,
    mut stopped: watch::Receiver<Phase>,
) {
    // Answers are written whole.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        let working = Working::begin(&connection);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = service.call(request);
        async move {
            let answer: Response<Body> = answer.await?;
            let answer = answer.map(|body| Held::new(body, working));
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let io = TokioIo::new(Stream::new(stream, Arc::clone(&app.counters)));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADER_FIELDS_MAX)
        // A client that has said all it has to say still waits for the answer.
        .half_close(true);
    let mut served = pin!(builder.serve_connection(io, service));
    let stopped = async { drop(stopped.wait_for(|phase| *phase == Phase::Stopped).await) };
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = connection.state.displaced.notified() => return,
        () = stopped => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if ended.is_err_and(|error| error.is_timeout()) {
        app.counters.headers_late.add(1);
    }
}

/// The connections there are.
#[derive(Default)]
struct Connections {
    /// Counts connections and the ends of their requests, for an order among them.
    clock: AtomicU64,
    all: Mutex<HashMap<u64, Arc<State>>>,
}

/// One connection, as the others see it.
#[derive(Default)]
struct State {
    is_at_work: AtomicBool,
    /// By [`Connections::clock`].
    idle_since: AtomicU64,
    displaced: Notify,
}

/// One connection, while it is there.
struct Connection {
    number: u64,
    state: Arc<State>,
    connections: Arc<Connections>,
    counters: Arc<Counters>,
}

impl Connection {
    /// Takes its place among `connections`. Where they are too many, the one that has been
    /// idle longest is closed; where all are at work, there is no place.
    fn enter(connections: &Arc<Connections>, counters: &Arc<Counters>) -> Option<Self> {
        let mut all = connections.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CONNECTIONS_MAX {
            let idle = all.iter().filter(|(_, state)| !state.is_at_work.load(Ordering::Relaxed));
            let longest = idle.min_by_key(|(_, state)| state.idle_since.load(Ordering::Relaxed));
            let Some(longest) = longest.map(|(number, _)| *number) else {
                counters.connections_refused.add(1);
                return None;
            };
            all.remove(&longest).expect("it was there").displaced.notify_one();
            counters.connections_displaced.add(1);
        }
        let number = connections.tick();
        let state = Arc::new(State { idle_since: number.into(), ..State::default() });
        all.insert(number, Arc::clone(&state));
        counters.connections.add(1);
        let (connections, counters) = (Arc::clone(connections), Arc::clone(counters));
        drop(all);
        Some(Self { number, state, connections, counters })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut all = self.connections.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.number);
        self.counters.connections.sub(1);
    }
}

impl Connections {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

/// Marks a connection as at work, until its answer has been sent or dropped.
struct Working {
    state: Arc<State>,
    connections: Arc<Connections>,
}

impl Working {
    fn begin(connection: &Connection) -> Self {
        let Connection { state, connections, .. } = connection;
        state.is_at_work.store(true, Ordering::Relaxed);
        Self { state: Arc::clone(state), connections: Arc::clone(connections) }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.state.idle_since.store(self.connections.tick(), Ordering::Relaxed);
        self.state.is_at_work.store(false, Ordering::Relaxed);
    }
}
