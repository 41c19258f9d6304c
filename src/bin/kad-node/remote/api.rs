//! One connection to the HTTP API of a node.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use kad_node::printable::beginning;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{self, Instant};

use crate::args::{HostPort, RemoteArgs};
use crate::bootstrap;
use crate::failure::Failure;
use crate::reply;

/// Most bytes of an answer: some 20 times those of a full routing table, or of the counters
/// of 64 shards.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A connection, with one deadline for all that is asked on it.
pub(super) struct Api<'a> {
    args: &'a RemoteArgs,
    deadline: Instant,
    runtime: Runtime,
    sender: SendRequest<Empty<Bytes>>,
    token: Option<String>,
}

impl<'a> Api<'a> {
    /// Connects to the first address of the node's name that takes connections.
    pub(super) fn connect(args: &'a RemoteArgs) -> Result<Self, Failure> {
        let deadline = Instant::from_std(super::deadline(args));
        let token = args.token_file.as_deref().map(read_token).transpose()?;
        let names = std::slice::from_ref(&args.http);
        let addresses =
            bootstrap::resolve_within(names, args.timeout).map_err(Failure::Unreachable)?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Failure::Failed(format!("cannot start to wait: {error}")))?;
        let connected = within(&runtime, args, deadline, open(&addresses))?;
        let sender = connected.map_err(|why| silent(&args.http, &why))?;
        Ok(Self { args, deadline, runtime, sender, token })
    }

    /// What the node answers at `path`.
    pub(super) fn get(&mut self, path: &str) -> Result<Value, Failure> {
        let mut request = Request::get(path).header(HOST, self.args.http.to_string());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Empty::new())
            .map_err(|_| Failure::Usage(format!("'{}' is no name of a host", self.args.http)))?;
        let sender = &mut self.sender;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        let exchanged = within(&self.runtime, self.args, self.deadline, exchange)?;
        let (status, body) = exchanged.map_err(|why: String| silent(&self.args.http, &why))?;
        let answer = serde_json::from_slice::<Value>(&body);
        match answer {
            Ok(answer) if status == StatusCode::OK => Ok(answer),
            answer => Err(refused(&self.args.http, status, answer.ok().as_ref())),
        }
    }
}

/// Why the node refuses, as its problem document says.
fn refused(node: &HostPort, status: StatusCode, problem: Option<&Value>) -> Failure {
    let detail = problem.and_then(|problem| problem["detail"].as_str());
    match detail {
        Some(detail) => Failure::Failed(format!("{node} refuses: {detail}")),
        None => Failure::Failed(format!(
            "{node} answers with status {status}, and not as a node: check the address"
        )),
    }
}

fn silent(node: &HostPort, why: &str) -> Failure {
    Failure::Unreachable(format!(
        "no node serves HTTP at {node}: {}: start it with --http, or check the address",
        beginning(why)
    ))
}

/// Runs `work` until the deadline.
fn within<T>(
    runtime: &Runtime,
    args: &RemoteArgs,
    deadline: Instant,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    runtime.block_on(async { time::timeout_at(deadline, work).await }).map_err(|_| {
        Failure::Unreachable(format!(
            "no answer of {} within {}: try again, or give a longer --timeout",
            args.http,
            reply::time(args.timeout)
        ))
    })
}

/// A connection to the first of `addresses` that takes one.
async fn open(addresses: &[SocketAddr]) -> Result<SendRequest<Empty<Bytes>>, String> {
    let stream = TcpStream::connect(addresses).await.map_err(|error| error.to_string())?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| error.to_string())?;
    // It runs while the runtime waits for an answer, and what fails there fails that.
    tokio::spawn(connection);
    Ok(sender)
}

/// The token in a file, without the blanks around it.
fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::Usage(format!("cannot read --http-token-file '{}': {error}", path.display()))
    })?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = format!("--http-token-file '{}' holds no token", path.display());
        return Err(Failure::Usage(text));
    }
    Ok(token.into())
}
