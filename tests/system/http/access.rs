//! Who may use the API, from outside: rebinding, other origins, tokens, unsafe addresses.

use std::fs;

use super::client::{get, request};
use super::serving;
use crate::child::run;

#[test]
fn another_host_name_and_another_origin_are_refused() {
    let (_node, http) = serving(&["--http-host", "Node.example"]);
    let mut rebound = super::client::Connection::open(&http);
    rebound.send("GET /v1/peers HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    let refused = rebound.answer();
    assert_eq!((refused.status, refused.member("host")), (421, "evil.example".into()));
    assert!(refused.text().contains("--http-host evil.example"), "{}", refused.text());
    let mut named = super::client::Connection::open(&http);
    named.send("GET /v1/peers HTTP/1.1\r\nHost: node.EXAMPLE:80\r\n\r\n");
    assert_eq!(named.answer().status, 200);
    let mut of_a_user = super::client::Connection::open(&http);
    of_a_user.send(format!("GET /v1/peers HTTP/1.1\r\nHost: user@{http}\r\n\r\n"));
    assert_eq!(of_a_user.answer().status, 400);
    // The target's host counts before the field's.
    let mut proxied = super::client::Connection::open(&http);
    proxied.send(format!("GET http://evil.example/ HTTP/1.1\r\nHost: {http}\r\n\r\n"));
    assert_eq!(proxied.answer().status, 421);
    let written = request(&http, "POST /v1/values", &["Origin: http://evil.example"], b"x");
    assert_eq!(written.status, 403);
    let own = format!("Origin: http://{http}");
    assert_eq!(request(&http, "POST /v1/values", &[&own], b"x").status, 201);
}

#[test]
fn a_write_shows_the_token_where_there_is_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("token");
    fs::write(&file, "a-token-of-24-characters\n").expect("a file");
    let (_node, http) = serving(&["--http-token-file", file.to_str().expect("a path")]);
    let refused = request(&http, "POST /v1/values", &[], b"x");
    assert_eq!(refused.status, 401);
    assert!(refused.field("www-authenticate").starts_with("Bearer"), "{refused:?}");
    let shown = "Authorization: bearer a-token-of-24-characters";
    let put = request(&http, "POST /v1/values", &[shown], b"x");
    assert_eq!(put.status, 201);
    assert_eq!(get(&http, put.field("location")).status, 200, "this host reads without it");
}

#[test]
fn an_unsafe_address_and_a_bad_token_are_refused_with_the_remedy() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("token");
    fs::write(&file, "short").expect("a file");
    let file = file.to_str().expect("a path");
    for (arguments, value, remedy) in [
        (&["--http", "0.0.0.0:0"][..], "0.0.0.0:0", "--http-token-file FILE"),
        (&["--http", "127.0.0.1:0", "--http-token-file", file], file, "16 to 4096"),
        (&["--http", "127.0.0.1:0", "--http-token-file", "/nowhere"], "/nowhere", "No such file"),
    ] {
        let ended = run(&[&["--listen", "127.0.0.1:0"], arguments].concat(), b"");
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.error().contains(value) && ended.error().contains(remedy), "{ended:?}");
    }
}

#[test]
fn a_value_is_never_active_content_and_adds_no_field_to_the_header() {
    let (_node, http) = serving(&[]);
    let page = b"<script>alert(1)</script>\r\nSet-Cookie: a=b\r\n\r\n";
    let put = request(&http, "POST /v1/values", &["Content-Type: text/html"], page);
    let found = request(&http, &format!("GET {}", put.field("location")), &["Accept: */*"], b"");
    assert_eq!(found.body, page);
    assert_eq!(found.field("content-type"), "application/octet-stream");
    assert_eq!(found.field("x-content-type-options"), "nosniff");
    assert_eq!(found.field("content-security-policy"), "sandbox");
    assert_eq!(found.field("cross-origin-resource-policy"), "same-origin");
    // A key is shown in an error's body, never in its header.
    let bad = get(&http, "/v1/values/x%0d%0aSet-Cookie:%20a=b");
    assert_eq!((bad.status, bad.field("set-cookie"), found.field("set-cookie")), (400, "", ""));
    assert_eq!(bad.field("access-control-allow-origin"), "");
}
