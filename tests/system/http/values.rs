//! Values over HTTP: put, got in whole and in part, traced, forgotten.

use kad_node::id::Id;
use kad_node::limits::{VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX};
use serde_json::json;

use super::client::{get, request};
use super::serving;
use crate::Io;
use crate::child::Node;

/// What is said of a value without a byte.
const EMPTY: &str = "the body is empty: a value has one byte or more";

#[test]
fn a_value_put_over_http_is_found_at_the_prompt_of_another_node_and_the_other_way_round() {
    let (mut first, http) = serving(&[]);
    let mut second = Node::join(Io::Mmsg, &first, &[]);
    first.await_contact(&mut second);
    let put = request(&http, "POST /v1/values", &[], b"over HTTP");
    let key = Id::of_value(b"over HTTP").to_string();
    assert_eq!((put.status, put.field("location")), (201, format!("/v1/values/{key}").as_str()));
    assert_eq!((put.member("key"), put.member("holders")), (json!(key), json!(1)));
    assert_eq!(put.member("durable"), false, "the node has no disk");
    second.found(&key, "over HTTP");
    let key = second.put("at the prompt");
    let found = get(&http, &format!("/v1/values/{key}"));
    assert_eq!((found.status, found.text().as_str()), (200, "at the prompt"));
    assert_eq!(found.field("kad-from"), "local", "the put left a copy");
}

#[test]
fn a_large_value_put_over_http_is_found_over_that_of_another_node() {
    let (first, http) = serving(&["--value-max", "16MiB"]);
    let bootstrap = first.addr.to_string();
    let (_second, other) = serving(&["--value-max", "16MiB", "--bootstrap", &bootstrap]);
    for bytes in [VALUE_BYTES_DEFAULT, VALUE_BYTES_MAX] {
        let value: Vec<u8> = (0..bytes).map(|at| (at / 3) as u8).collect();
        let path = format!("/v1/values/{}", Id::of_value(&value));
        assert_eq!(request(&http, &format!("PUT {path}"), &[], &value).status, 201);
        let found = get(&other, &path);
        assert!(found.status == 200 && found.body == value, "{} {path}", found.status);
    }
}

#[test]
fn a_get_says_where_the_value_was_and_a_trace_shows_the_way() {
    let mut first = Node::start(Io::Mmsg, &[]);
    let key = first.put("early");
    let mut second =
        Node::start(Io::Mmsg, &["--http", "127.0.0.1:0", "--bootstrap", &first.addr.to_string()]);
    let http = crate::child::field(&second.await_log(" http: "), "address").to_owned();
    second.await_log(" joined contacts=");
    let trace = get(&http, &format!("/v1/trace/{key}"));
    assert_eq!((trace.status, trace.member("found")), (200, json!(true)));
    assert_eq!(trace.member("hops")[0]["answer"], "value");
    assert_eq!(trace.member("hops")[0]["address"], first.addr.to_string());
    let found = get(&http, &format!("/v1/values/{key}"));
    assert_eq!((found.text().as_str(), found.field("kad-from")), ("early", "local"));
}

#[test]
fn a_get_serves_ranges_and_spares_a_client_what_it_has() {
    let (_node, http) = serving(&[]);
    let put = request(&http, "POST /v1/values", &[], b"0123456789");
    let path = put.field("location").to_owned();
    let etag = format!("\"{}\"", Id::of_value(b"0123456789"));
    let whole = get(&http, &path);
    assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("etag", etag.as_str()),
        ("accept-ranges", "bytes"),
        ("kad-from", "local"),
        ("kad-hops", "0"),
    ] {
        assert_eq!(whole.field(name), value, "{name}");
    }
    let head = request(&http, &format!("HEAD {path}"), &["Range: bytes=0-1"], b"");
    assert_eq!((head.status, head.field("content-length")), (200, "10"));
    for (fields, status, body) in [
        (&["Range: bytes=2-4"][..], 206, "234"),
        (&["Range: bytes=-3"], 206, "789"),
        (&["Range: bytes=8-100"], 206, "89"),
        (&["Range: bytes=0-1,4-5"], 200, "0123456789"),
        (&["Range: lines=1-2"], 200, "0123456789"),
        (&["Range: bytes=5-2"], 200, "0123456789"),
        (&["Range: bytes=2-4", &format!("If-Range: {etag}")], 206, "234"),
        (&["Range: bytes=2-4", "If-Range: \"other\""], 200, "0123456789"),
        (&[&format!("If-None-Match: \"other\", W/{etag}")], 304, ""),
        (&["If-None-Match: *"], 304, ""),
        (&["If-None-Match: \"other\""], 200, "0123456789"),
        (&[&format!("If-Match: {etag}")], 200, "0123456789"),
    ] {
        let answer = request(&http, &format!("GET {path}"), fields, b"");
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{fields:?}");
    }
    let part = request(&http, &format!("GET {path}"), &["Range: bytes=2-4"], b"");
    assert_eq!(part.field("content-range"), "bytes 2-4/10");
    let beyond = request(&http, &format!("GET {path}"), &["Range: bytes=10-"], b"");
    assert_eq!((beyond.status, beyond.field("content-range")), (416, "bytes */10"));
    for tag in ["\"other\"", &format!("W/{etag}")] {
        let other = request(&http, &format!("GET {path}"), &[&format!("If-Match: {tag}")], b"");
        assert_eq!(other.status, 412, "{tag}");
    }
}

#[test]
fn a_put_checks_its_key_and_a_delete_ends_what_was_put_here() {
    let (mut node, http) = serving(&[]);
    let key = Id::of_value(b"named").to_string();
    let path = format!("/v1/values/{key}");
    let wrong = request(&http, &format!("PUT {path}"), &[], b"another");
    assert_eq!((wrong.status, wrong.member("expected")), (422, json!(key)));
    assert_eq!(node.counter("values_published"), 0, "nothing was put");
    assert_eq!(request(&http, &format!("DELETE {path}"), &[], b"").status, 404);
    assert_eq!(request(&http, &format!("PUT {path}"), &[], b"named").status, 201);
    assert_eq!(node.counter("values_published"), 1);
    assert_eq!(request(&http, &format!("DELETE {path}"), &[], b"").status, 204);
    assert_eq!(node.counter("values_published"), 0);
}

#[test]
fn an_error_is_a_problem_that_names_the_value_and_the_limit() {
    let (_node, http) = serving(&[]);
    let missing = format!("GET /v1/values/{}", "0".repeat(40));
    let named = format!("PUT /v1/values/{}", "0".repeat(40));
    let large = vec![b'x'; VALUE_BYTES_DEFAULT + 1];
    for (head, body, status, member, value) in [
        ("GET /v1/values/xyz", &b""[..], 400, "key", json!("xyz")),
        ("DELETE /v1/values/xyz", b"", 400, "key", json!("xyz")),
        ("GET /v1/values/%ff", b"", 400, "key", json!("%ff")),
        ("GET /v1/trace/%00", b"", 400, "key", json!("\u{0}")),
        ("PUT /v1/values/%e2%28", b"x", 400, "key", json!("%e2%28")),
        ("POST /v1/demo/nodes/%ff/kill", b"", 404, "title", json!("Not Found")),
        (&missing, b"", 404, "asked", json!(0)),
        ("POST /v1/values", b"", 400, "detail", json!(EMPTY)),
        (&named, b"", 400, "detail", json!(EMPTY)),
        ("POST /v1/values", &large, 413, "limit_bytes", json!(VALUE_BYTES_DEFAULT)),
        ("GET /nowhere", b"", 404, "title", json!("Not Found")),
        ("PATCH /v1/values", b"", 405, "title", json!("Method Not Allowed")),
    ] {
        let answer = request(&http, head, &[], body);
        assert_eq!(answer.status, status, "{head}: {}", answer.text());
        assert_eq!(answer.field("content-type"), "application/problem+json", "{head}");
        assert_eq!(answer.member("status"), json!(status), "{head}");
        assert_eq!(answer.member(member), value, "{head}");
        assert!(answer.member("detail").is_string(), "{head}");
    }
}

#[test]
fn a_client_that_sends_all_of_a_body_that_is_refused_gets_the_answer() {
    let (_node, http) = serving(&[]);
    let large = vec![b'x'; VALUE_BYTES_MAX];
    for _ in 0..20 {
        assert_eq!(request(&http, "POST /v1/values", &[], &large).status, 413);
    }
}

#[test]
fn a_value_above_the_limit_of_this_node_is_refused_with_the_limit_and_the_remedy() {
    let (mut large, http_of_large) = serving(&[]);
    let peer = large.addr.to_string();
    let (mut small, http) = serving(&["--bootstrap", &peer, "--value-max", "2000"]);
    small.await_log(" joined contacts=");
    large.await_contact(&mut small);
    let put = request(&http_of_large, "POST /v1/values", &[], &[7; 2001]);
    assert_eq!((put.status, put.member("too_large")), (201, json!(1)), "{}", put.text());
    let key = put.member("key");
    let key = key.as_str().expect("a key");
    for head in [format!("GET /v1/values/{key}"), format!("GET /v1/trace/{key}")] {
        let refused = request(&http, &head, &[], b"");
        assert_eq!(refused.status, 413, "{head}: {}", refused.text());
        assert_eq!(refused.member("limit_bytes"), json!(2000));
        assert_eq!(refused.member("bytes"), json!(2001));
        let detail = refused.member("detail");
        let detail = detail.as_str().expect("a sentence");
        assert!(detail.contains("2001 bytes") && detail.contains("--value-max"), "{detail}");
    }
    let announced = request(&http, "POST /v1/values", &[], &[7; 2001]);
    assert_eq!((announced.status, announced.member("bytes")), (413, json!(2001)));
}
