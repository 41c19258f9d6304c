//! A network of kad-node: `kad-node demo`, and two nodes beside it that are used over their
//! HTTP API, as any program would. What HTTP costs is in the numbers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::network::{self, Network};
use crate::process::{Core, Process, free_address};

/// How long the network may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);

struct KadNetwork {
    _processes: Vec<Process>,
    putter: Api,
    getter: Api,
}

/// A connection to a node's HTTP API.
struct Api {
    stream: BufReader<TcpStream>,
}

pub(crate) fn serve(program: &Path, nodes: usize) -> Result<(), String> {
    let program = program.display().to_string();
    let demo_http = free_tcp()?.to_string();
    let nodes = nodes.to_string();
    let arguments = ["demo", "--nodes", &nodes, "--http", &demo_http];
    let mut processes = vec![Process::start(&program, &arguments, Core::Any)?];
    let mut demo = Api::connect(&demo_http)?;
    let seed = demo.seed()?;
    let mut apis = Vec::new();
    for _ in 0..2 {
        let (listen, http) = (free_address()?.to_string(), free_tcp()?.to_string());
        let arguments =
            ["--listen", &listen, "--bootstrap", &seed, "--cores", "1", "--http", &http];
        processes.push(Process::start(&program, &arguments, Core::Any)?);
        let mut api = Api::connect(&http)?;
        api.wait_until_ready()?;
        apis.push(api);
    }
    let (Some(getter), Some(putter)) = (apis.pop(), apis.pop()) else {
        return Err("two nodes were started".into());
    };
    network::serve(&mut KadNetwork { _processes: processes, putter, getter })
}

fn free_tcp() -> Result<SocketAddr, String> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    bound.and_then(|listener| listener.local_addr()).map_err(|error| error.to_string())
}

impl Api {
    fn connect(address: &str) -> Result<Self, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(address) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(|error| error.to_string())?;
                    return Ok(Self { stream: BufReader::new(stream) });
                }
                Err(error) if Instant::now() > deadline => return Err(error.to_string()),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// One request; the answer's status and body.
    fn ask(&mut self, head: &str, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let length = body.len();
        let mut request =
            format!("{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
                .into_bytes();
        request.extend_from_slice(body);
        self.exchange(&request).map_err(|error| error.to_string())
    }

    fn exchange(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request)?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let field = line.trim_end().to_ascii_lowercase();
            if field.is_empty() {
                break;
            }
            if let Some(value) = field.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while self.ask("GET /readyz", b"")?.0 != 200 {
            if Instant::now() > deadline {
                return Err("a node has not joined".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Where the first node of the demo listens.
    fn seed(&mut self) -> Result<String, String> {
        let (_, body) = self.ask("GET /v1/demo", b"")?;
        let text = String::from_utf8_lossy(&body);
        let address = text.split("\"address\":\"").nth(1).and_then(|rest| rest.split('"').next());
        address.map(str::to_owned).ok_or_else(|| format!("no address in {text}"))
    }
}

impl Network for KadNetwork {
    fn put(&mut self, value: &[u8]) -> Result<String, String> {
        let (status, body) = self.putter.ask("POST /v1/values", value)?;
        let text = String::from_utf8_lossy(&body);
        let key = text.split("\"key\":\"").nth(1).and_then(|rest| rest.split('"').next());
        match (status, key) {
            (201, Some(key)) => Ok(key.to_owned()),
            _ => Err(format!("{status} {text}")),
        }
    }

    fn get(&mut self, key: &str) -> Result<Vec<u8>, String> {
        match self.getter.ask(&format!("GET /v1/values/{key}"), b"")? {
            (200, value) => Ok(value),
            (status, body) => Err(format!("{status} {}", String::from_utf8_lossy(&body))),
        }
    }
}
