//! The nodes of a thread that carry out whole operations: one for gets and one for puts,
//! since what a node puts it has itself.

use crate::books::LookupDatagrams;
use crate::corpus::Corpus;
use crate::engine::WholeOperation;
use crate::lookups::LookupClient;
use crate::mix::Kind;
use crate::record::Record;

/// Those that the mix has a use for.
pub(super) struct Clients {
    pub(super) gets: Option<LookupClient>,
    pub(super) puts: Option<LookupClient>,
}

impl Clients {
    pub(super) fn iter(&self) -> impl Iterator<Item = &LookupClient> {
        self.gets.iter().chain(&self.puts)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut LookupClient> {
        self.gets.iter_mut().chain(&mut self.puts)
    }

    /// Begins an operation at the one whose it is.
    pub(super) fn begin(&mut self, operation: &WholeOperation, corpus: &Corpus) {
        let WholeOperation { operation, kind, key } = *operation;
        match (kind, &mut self.gets, &mut self.puts) {
            (Kind::Put, _, Some(client)) => client.put(operation, corpus.value(key)),
            (Kind::Get | Kind::Lookup, Some(client), _) => client.begin(operation, corpus.key(key)),
            _ => unreachable!("the mix has said which kinds there are"),
        }
    }

    /// Writes what became of the datagrams into the record: in all, and by kind. Gets and
    /// lookups are the same to their client, and have equal parts of its datagrams.
    pub(super) fn settle(&self, record: &mut Record) {
        let account = |client: &Option<LookupClient>| {
            client.as_ref().map(LookupClient::account).unwrap_or_default()
        };
        let (gets, puts) = (account(&self.gets), account(&self.puts));
        let all = |account: LookupDatagrams| account.composed + account.received;
        let is_get = |kind: Kind| matches!(kind, Kind::Get | Kind::Lookup);
        let ended: u64 = record
            .kinds
            .iter()
            .filter(|one| is_get(one.books.kind))
            .map(|one| one.operations.ended)
            .sum();
        for one in &mut record.kinds {
            one.operations.datagrams = match one.books.kind {
                Kind::Put => all(puts),
                kind if is_get(kind) && ended > 0 => all(gets) * one.operations.ended / ended,
                _ => 0,
            };
        }
        record.books.lookup_datagrams = gets.and(puts);
    }
}
