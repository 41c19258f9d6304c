//! A client of HTTP/1.1 that sends exactly the bytes that a test gives it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use crate::child::DEADLINE;

/// One connection.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

/// An answer, as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The fields of the header, each with its name in lower case.
    fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The value of the field `name`; empty where it is missing.
    pub(super) fn field(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The member `name` of a JSON body.
    pub(super) fn member(&self, name: &str) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_slice(&self.body).expect("a JSON body");
        body[name].clone()
    }
}

impl Connection {
    pub(super) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        Self { stream: BufReader::new(stream) }
    }

    /// The socket.
    pub(super) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_ref().write_all(bytes.as_ref()).expect("the node reads");
    }

    /// The next line, without its end.
    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the node answers");
        line.trim_end().to_owned()
    }

    /// The answer to a request. One to `HEAD`, which has no body, needs
    /// [`head`](Self::head).
    pub(super) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = answer.field("content-length");
        let mut body = vec![0; length.parse().unwrap_or(0)];
        self.stream.read_exact(&mut body).expect("a whole body");
        answer.body = body;
        answer
    }

    /// The header of an answer.
    pub(super) fn head(&mut self) -> Answer {
        let line = self.line();
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {line:?}"));
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            fields.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Answer { status, fields, body: Vec::new() }
    }

    /// Waits until the node has closed the connection.
    pub(super) fn await_end(&mut self) {
        // A reset ends it as well.
        if let Err(error) = self.stream.read_to_end(&mut Vec::new()) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
        }
    }
}

/// Sends one request with these fields and this body, and returns the answer.
pub(super) fn request(address: &str, head: &str, fields: &[&str], body: &[u8]) -> Answer {
    let mut connection = Connection::open(address);
    let fields = [fields, &[""]].concat().join("\r\n");
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    connection.send(format!("{head} HTTP/1.1\r\nHost: {address}\r\n{length}{fields}\r\n"));
    connection.send(body);
    if head.starts_with("HEAD ") { connection.head() } else { connection.answer() }
}

/// Gets a path.
pub(super) fn get(address: &str, path: &str) -> Answer {
    request(address, &format!("GET {path}"), &[], b"")
}

/// Gets a path until the answer has this status, and returns that answer.
pub(super) fn await_status(address: &str, path: &str, status: u16) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = get(address, path);
        if answer.status == status {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "{path} never answers {status}: {}", answer.text());
    }
}
