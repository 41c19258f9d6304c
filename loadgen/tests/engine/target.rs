//! A target that is a function, and a clock that is a number.

use std::collections::BTreeMap;
use std::sync::Arc;

use kad_node::id::Id;
use kad_node::limits::DATAGRAM_BYTES_MAX;
use kad_node::node::OperationId;
use kad_node::quantity::Percent;
use kad_node::wire::{self, Body, Contacts, Datagram, ErrorCode, NetworkId, Role, Token, Value};
use loadgen::corpus::{Corpus, KeyIndex, Popularity};
use loadgen::engine::{Engine, OperationEnd, Outgoing, Pace, Traffic, WholeOperation};
use loadgen::in_flight::LinkIndex;
use loadgen::mix::Scope;
use loadgen::record::Record;
use loadgen::value_sizes::ValueSizes;

pub(crate) const MS: u64 = 1_000_000;
/// How far the clock goes on in one turn.
const STEP_NS: u64 = MS / 10;
/// The token that the engine begins with.
const TOKEN: u8 = 0;

/// A second of traffic, with three retries after 250 ms each.
pub(crate) fn traffic(mix: &str, pace: Pace) -> Traffic {
    Traffic {
        network: NetworkId::of_name("default"),
        mix: mix.parse().expect(mix),
        scope: Scope::Node,
        corpus: Arc::new(Corpus::new(50, &ValueSizes::all(20), 1).expect("memory")),
        popularity: Popularity::Uniform,
        pace,
        burst: 1,
        timeout_ns: 250 * MS,
        retries: 3,
        drop: Percent::ZERO,
        seed: 1,
        warmup_ns: 0,
        duration_ns: 1_000 * MS,
        threads: 1,
    }
}

/// How the target behaves.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) delay_ns: u64,
    /// Replies to each request.
    pub(crate) copies: usize,
    /// Sends values that are not those that were stored.
    pub(crate) corrupt: bool,
    /// Holds no values.
    pub(crate) empty: bool,
    /// The token that it takes, and gives.
    pub(crate) token: u8,
    /// Gives a token that it does not take.
    pub(crate) fickle: bool,
}

impl Default for Target {
    fn default() -> Self {
        Self { delay_ns: 0, copies: 1, corrupt: false, empty: false, token: TOKEN, fickle: false }
    }
}

impl Target {
    fn reply(&self, corpus: &Corpus, bytes: &[u8]) -> Vec<u8> {
        let request = wire::decode(bytes).expect("the engine sends what decodes");
        assert_eq!(request.role, Role::Client);
        let token = |number: u8| Token::new([number + 1; 8]);
        let corrupt = vec![b'!'; 20];
        let body = match request.body {
            Body::Store(_) if request.token != token(self.token) => Body::Error(ErrorCode::Token),
            Body::Store(store) => {
                assert_eq!(Id::of_value(store.value), store.key);
                Body::Stored
            }
            Body::FindValue { .. } if self.empty => Body::Nodes(Contacts::new(&[])),
            Body::FindValue { key, .. } => {
                let all = (0..corpus.len() as u32).map(KeyIndex);
                let index = all.into_iter().find(|index| corpus.key(*index) == key);
                let value = corpus.value(index.expect("a key of the corpus"));
                let value = if self.corrupt { &corrupt } else { value };
                Body::Value(Value { offset: 0, total: value.len() as u32, life_s: 1, value })
            }
            Body::FindNode { .. } => Body::Nodes(Contacts::new(&[])),
            Body::Ping => Body::Pong,
            _ => panic!("the engine sends requests"),
        };
        let token = if self.fickle { token(self.token + 1) } else { token(self.token) };
        let reply = Datagram { sender: Id::of_value(b"target"), token, body, ..request };
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        let length = wire::encode(&reply, &mut buffer);
        buffer[..length].to_vec()
    }
}

/// The engine, the target, and replies on their way.
pub(crate) struct World {
    engine: Option<Engine>,
    corpus: Arc<Corpus>,
    target: Target,
    now_ns: u64,
    /// By when they arrive, and in which order they left.
    replies: BTreeMap<(u64, u64), (LinkIndex, Vec<u8>)>,
    requests: u64,
    strange: u64,
    stall: (u64, u64),
}

impl World {
    pub(crate) fn new(traffic: Traffic, target: Target) -> Self {
        let corpus = Arc::clone(&traffic.corpus);
        let tokens = [Token::new([TOKEN + 1; 8]); 2];
        Self {
            engine: Some(Engine::new(traffic, 0, &tokens).expect("memory")),
            corpus,
            target,
            now_ns: 0,
            replies: BTreeMap::new(),
            requests: 0,
            strange: 0,
            stall: (u64::MAX, 0),
        }
    }

    /// Lets the generator sleep from `at_ns` on.
    pub(crate) fn stall(&mut self, at_ns: u64, for_ns: u64) {
        self.stall = (at_ns, for_ns);
    }

    pub(crate) fn requests_seen(&self) -> u64 {
        self.requests
    }

    pub(crate) fn strange(&self) -> u64 {
        self.strange
    }

    pub(crate) fn run(&mut self) -> Record {
        self.run_turns(|_| {}, |_, _, _| Vec::new())
    }

    pub(crate) fn run_observed(&mut self, observe: impl FnMut(&mut Engine)) -> Record {
        self.run_turns(observe, |_, _, _| Vec::new())
    }

    /// Ends each lookup as `end` says, in the turn after it was begun.
    pub(crate) fn run_with_lookups(
        &mut self,
        end: impl FnMut(u64, OperationId, Id) -> Vec<OperationEnd>,
    ) -> Record {
        self.run_turns(|_| {}, end)
    }

    fn run_turns(
        &mut self,
        mut observe: impl FnMut(&mut Engine),
        mut end: impl FnMut(u64, OperationId, Id) -> Vec<OperationEnd>,
    ) -> Record {
        let mut engine = self.engine.take().expect("a world runs once");
        let mut out = Outgoing::new(2);
        let mut lookups = 0;
        while !engine.is_done(self.now_ns) {
            engine.handle_overdue(self.now_ns, &mut out);
            engine.send_due(self.now_ns, &mut out);
            engine.sent(self.now_ns);
            self.carry(&mut out);
            for WholeOperation { operation, key, .. } in
                out.operations.drain(..).collect::<Vec<_>>()
            {
                let key = self.corpus.key(key);
                for end in end(lookups, operation, key) {
                    engine.operation_ended(self.now_ns + STEP_NS, &end);
                }
                lookups += 1;
            }
            self.advance();
            while let Some(entry) = self.replies.first_entry()
                && entry.key().0 <= self.now_ns
            {
                let (link, bytes) = entry.remove();
                engine.receive(self.now_ns, link, &bytes, &mut out);
            }
            observe(&mut engine);
            assert!(self.now_ns < 60_000 * MS, "it does not end");
        }
        self.strange = engine.strange();
        engine.finish()
    }

    /// A step, or a sleep; while answers are on the way, never past one.
    fn advance(&mut self) {
        let (at_ns, for_ns) = self.stall;
        self.now_ns += STEP_NS;
        if self.now_ns >= at_ns {
            self.now_ns += for_ns;
            self.stall = (u64::MAX, 0);
        }
    }

    fn carry(&mut self, out: &mut Outgoing) {
        for (index, link) in out.links.iter_mut().enumerate() {
            for bytes in link.batch.iter() {
                self.requests += 1;
                let reply = self.target.reply(&self.corpus, bytes);
                for copy in 0..self.target.copies {
                    let order = self.requests * 10 + copy as u64;
                    let at_ns = self.now_ns + self.target.delay_ns;
                    let arriving = (LinkIndex(index as u16), reply.clone());
                    self.replies.insert((at_ns, order), arriving);
                }
            }
            link.clear();
        }
    }
}
