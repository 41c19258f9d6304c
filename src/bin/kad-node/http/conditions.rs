//! Which part of a value a request asks for, if any: conditional requests and ranges
//! (RFC 9110, 13 and 14).
//!
//! The key is a strong validator: a value that hashes to it never changes.

use std::ops::RangeInclusive;

use axum::http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, Method};
use http_range_header::{RangeUnsatisfiableError, parse_range_header};

/// What a request is given of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it.
    Whole,
    /// These bytes (206).
    Part(RangeInclusive<usize>),
    /// Nothing: it has none of the bytes asked for (416).
    Unsatisfiable,
    /// Nothing: the client has it (304).
    NotModified,
    /// Nothing: the client wants another one (412).
    Mismatch,
}

/// Whether the client has the value of `etag` already, which needs no lookup.
pub(crate) fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    !headers.contains_key(IF_MATCH) && tags(headers, &IF_NONE_MATCH).any(|tag| tag == etag)
}

/// What to give of a value of `length` bytes whose validator is `etag`.
pub(crate) fn select(method: &Method, headers: &HeaderMap, etag: &str, length: usize) -> Selection {
    // A weak tag never matches here (RFC 9110, 13.1.1).
    if headers.contains_key(IF_MATCH)
        && !listed(headers, &IF_MATCH).any(|tag| tag == "*" || tag == etag)
    {
        return Selection::Mismatch;
    }
    if tags(headers, &IF_NONE_MATCH).any(|tag| tag == "*" || tag == etag) {
        return Selection::NotModified;
    }
    let is_same = headers.get(IF_RANGE).is_none_or(|field| field.as_bytes() == etag.as_bytes());
    // A range has a meaning only for GET (RFC 9110, 14.2).
    if *method != Method::GET || !is_same {
        return Selection::Whole;
    }
    let range = headers.get(RANGE).and_then(|field| field.to_str().ok());
    range.map_or(Selection::Whole, |range| part(range, length))
}

/// The part that a Range field asks for. A field that makes no sense is as good as none, and
/// several ranges are answered by the whole: a server may (RFC 9110, 14.2).
fn part(range: &str, length: usize) -> Selection {
    let ranges = parse_range_header(range).and_then(|ranges| ranges.validate(length as u64));
    match ranges.as_deref() {
        Ok([one]) => Selection::Part(*one.start() as usize..=*one.end() as usize),
        Err(RangeUnsatisfiableError::Unsatisfiable) => Selection::Unsatisfiable,
        Ok(_) | Err(_) => Selection::Whole,
    }
}

/// The entity tags of a field, without the mark of weak ones, which compare equal for this.
fn tags<'a>(
    headers: &'a HeaderMap,
    name: &'a axum::http::HeaderName,
) -> impl Iterator<Item = &'a str> {
    listed(headers, name).map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
}

/// The members of a field.
fn listed<'a>(
    headers: &'a HeaderMap,
    name: &'a axum::http::HeaderName,
) -> impl Iterator<Item = &'a str> {
    let fields = headers.get_all(name).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).map(str::trim)
}
