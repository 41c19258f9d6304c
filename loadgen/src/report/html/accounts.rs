//! What became of every request and datagram, as a table.

use super::document::Document;
use crate::books::LookupDatagrams;
use crate::quantity::show_count;
use crate::summary::RunSummary;

/// The accounts of one run.
pub(super) fn write(document: &mut Document, run: &RunSummary) {
    let books = &run.books;
    let mut rows = vec![
        ("scheduled", books.scheduled, "requests that were due"),
        ("sent", books.sent, "the generator kept up with these"),
        ("unsent", books.unsent, "and not with these"),
        ("answered", books.answered, "of those sent"),
        ("timed out", books.timed_out, "of those sent: given up after the last retry"),
        ("unfinished", books.unfinished, "of those sent: not answered when the run was cut short"),
        ("fulfilled", books.fulfilled, "of the answers: what was asked for, verified"),
        ("missed", books.missed, "of the answers: the target does not hold the value"),
        ("refused", books.refused, "of the answers: an error"),
        ("wrong", books.wrong, "of the answers: not the value that was stored"),
        ("sent again", books.resent, "retransmissions"),
        ("dropped requests", books.requests_dropped, "on purpose, by seed"),
        ("dropped replies", books.replies_dropped, "on purpose, by seed"),
        ("late", books.late, "replies whose request was given up before"),
        ("duplicate", books.duplicate, "replies whose request was answered before"),
        ("refused sends", books.requests_unsendable, "datagrams that the kernel did not take"),
        ("overflowed", run.receive_drops, "replies that the kernel dropped at our sockets"),
        (
            "overflowed there",
            run.target_receive_drops.unwrap_or(0),
            "requests that the kernel dropped at the target's sockets, where that is known",
        ),
        ("lost on the way", books.lost_elsewhere(), "requests without a reply, other than by us"),
    ];
    let lookups = &books.lookup_datagrams;
    if *lookups != LookupDatagrams::default() {
        rows.extend([
            ("lookups sent", lookups.transmitted, "datagrams that lookups sent by themselves"),
            ("lookups received", lookups.received, "datagrams that came to them"),
            ("lookups' drops", lookups.dropped + lookups.received_dropped, "on purpose, by seed"),
            ("lookups' refused sends", lookups.unsendable, "that the kernel did not take"),
        ]);
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, count, about)| vec![name.into(), show_count(count), about.into()])
        .collect();
    document.heading("Accounts", "they close, or there is no result");
    document.table(&[], &rows);
}
