//! Values that cross the network, and the nodes that hold them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use kad_node::id::Id;
use kad_node::limits::K_DEFAULT;

use crate::container::Container;
use crate::seed::Seed;
use crate::wait;

/// A node does not hold a value when so many more nodes than K are closer to the key: some
/// of those may not have received it.
const MARGIN: usize = 4;

/// Most texts tried until one has such a key. Of 26 nodes, the fewest in this test, a node
/// is among the two farthest for one key in thirteen.
const TEXTS_MAX: usize = 1000;

/// A value that was put, and its key.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    pub(crate) text: String,
    pub(crate) key: String,
}

impl Put {
    /// Puts a text at the seed's prompt.
    pub(crate) fn at_the_seed(seed: &mut Seed, text: String) -> Self {
        let key = Id::of_value(text.as_bytes()).to_string();
        let shown = seed.ask(&format!("put {text}"));
        assert!(shown.contains(&key) && shown.contains("held by "), "{shown}");
        Self { text, key }
    }

    /// Puts a text over HTTP.
    pub(crate) fn over_http(published: &str, text: String) -> Self {
        let key = put_over_http(published, text.as_bytes());
        Self { text, key }
    }

    /// Puts a text in a container.
    pub(crate) fn in_a_container(node: &Container, text: String) -> Self {
        let key = node.put(&text);
        assert_eq!(key, Id::of_value(text.as_bytes()).to_string());
        Self { text, key }
    }

    /// Checks that a get in a container finds it.
    pub(crate) fn is_found_in(&self, node: &Container) {
        let Self { text, key } = self;
        let ended = node.get(key);
        let found = ended.stdout == *text && ended.stderr.starts_with("from ");
        assert!(
            found && ended.status == Some(0),
            "{key} {text:?}: {ended:?} in {}",
            node.account()
        );
    }

    /// Checks that a get at the seed's prompt finds it.
    pub(crate) fn is_found_at_the_seed(&self, seed: &mut Seed) {
        let Self { text, key } = self;
        let shown = seed.ask(&format!("get {key}"));
        assert!(shown.contains(&format!("{text}\r\nfrom ")), "{key} {text:?}: {shown:?}");
    }

    /// Checks that gets at the seed's prompt find all of `puts`, and at least one of them on
    /// another node. The seed may hold some: a putter stores on it what enough closer nodes
    /// were too busy to take.
    pub(crate) fn come_to_the_seed(puts: &[Self], seed: &mut Seed) {
        let mut remote = 0;
        for Self { text, key } in puts {
            let shown = seed.ask(&format!("get {key}"));
            let from = shown.split_once(&format!("{text}\r\nfrom ")).map(|(_, from)| from);
            let from = from.unwrap_or_else(|| panic!("{key} {text:?}: {shown:?}"));
            remote += usize::from(from.starts_with(|c: char| c.is_ascii_digit()));
        }
        assert!(remote > 0, "the seed holds all of {puts:?}");
    }
}

/// Puts a value as `curl` on this host does, at the address where a container's HTTP API is
/// published. Returns its key.
pub(crate) fn put_over_http(published: &str, value: &[u8]) -> String {
    let mut stream = TcpStream::connect(published).expect("the port is published");
    stream.set_read_timeout(Some(wait::longest())).expect("a deadline");
    let head = format!(
        "POST /v1/values HTTP/1.1\r\nHost: {published}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        value.len()
    );
    stream.write_all(&[head.as_bytes(), value].concat()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let key = Id::of_value(value).to_string();
    assert!(answer.starts_with("HTTP/1.1 201 ") && answer.contains(&key), "{answer}");
    key
}

/// A text that begins with `title` and that the node `outsider` will not hold: enough of
/// `others` are closer to its key.
pub(crate) fn text_not_for(outsider: Id, others: &[Id], title: &str) -> String {
    let closer = K_DEFAULT + MARGIN;
    assert!(others.len() >= closer, "{} nodes are too few", others.len());
    let is_far = |text: &String| {
        let key = Id::of_value(text.as_bytes());
        others.iter().filter(|id| (**id ^ key) < (outsider ^ key)).count() >= closer
    };
    let mut texts = (0..TEXTS_MAX).map(|number| format!("{title}, {number}"));
    texts.find(is_far).expect("a text is soon found")
}
