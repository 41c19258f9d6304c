//! The `OpenAPI` description against the handlers: each operation is there, answers with a
//! status that the description has, and with the members that its schema has.

use serde_json::Value;

use super::client::{Answer, Connection, get, request};
use super::serving;
use crate::child::Node;

const METHODS: [&str; 7] = ["get", "head", "put", "post", "delete", "patch", "options"];

pub(super) fn description(http: &str) -> Value {
    let answer = get(http, "/v1/openapi.json");
    assert_eq!(answer.field("content-type"), "application/json");
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// What `value` stands for, where it is a reference.
fn resolve<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    let path = reference.strip_prefix('#').expect("a reference within the description");
    description.pointer(path).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// Checks that `value` has the shape that `schema` says.
pub(super) fn check(description: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(description, schema);
    if let Some(required) = schema["required"].as_array() {
        for name in required {
            let name = name.as_str().expect("a name");
            assert!(
                !value[name].is_null() || value.get(name).is_some(),
                "{at}: no {name}: {value}"
            );
        }
    }
    if schema["additionalProperties"] == false {
        for name in value.as_object().expect("an object").keys() {
            assert!(schema["properties"].get(name).is_some(), "{at}: {name} is not described");
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            check(description, schema, value, &format!("{at}.{name}"));
        }
    }
    if let Some(items) = schema.get("items") {
        for value in value.as_array().unwrap_or_else(|| panic!("{at}: no array: {value}")) {
            check(description, items, value, &format!("{at}[]"));
        }
    }
    let fits = |kind: &Value| match kind.as_str().expect("the name of a type") {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("{at}: {other} is no type"),
    };
    if let Some(all) = schema["enum"].as_array() {
        assert!(all.contains(value), "{at}: {value} is none of {all:?}");
    }
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) => assert!(kinds.iter().any(fits), "{at}: {value}"),
        kind => assert!(fits(kind), "{at}: {value} is no {kind}"),
    }
}

/// Checks an answer against what the description says of its operation.
fn check_answer(description: &Value, method: &str, path: &str, answer: &Answer) {
    let at = format!("{method} {path}: {}", answer.status);
    let described = &description["paths"][path][method]["responses"][answer.status.to_string()];
    assert!(described.is_object(), "{at} is not described: {}", answer.text());
    let content = &resolve(description, described)["content"];
    if answer.body.is_empty() {
        return;
    }
    let kind = answer.field("content-type").split(';').next().expect("a type");
    let schema = &content[kind]["schema"];
    assert!(schema.is_object(), "{at}: {kind} is not described");
    if kind.ends_with("json") {
        let value = serde_json::from_slice(&answer.body).expect("JSON");
        check(description, schema, &value, &at);
    }
}

/// Asks for a path by each method, and checks what is described against what is served.
fn check_methods(description: &Value, http: &str, path: &str, key: &str) {
    for method in METHODS {
        let target = path.replace("{key}", key);
        let head = format!("{} {target}", method.to_ascii_uppercase());
        if path == "/v1/events" {
            continue;
        }
        let answer = request(http, &head, &[], b"");
        let is_described = description["paths"][path].get(method).is_some();
        if is_described {
            assert_ne!(answer.status, 405, "{head} is described");
            check_answer(description, method, path, &answer);
        } else if method != "head" {
            assert_eq!(answer.status, 405, "{head} is not described: {}", answer.text());
        }
    }
}

#[test]
fn what_is_described_is_served_and_answers_as_described() {
    let (mut first, http) = serving(&[]);
    let mut second = Node::join(crate::Io::Mmsg, &first, &[]);
    first.await_contact(&mut second);
    let description = description(&http);
    let put = request(&http, "POST /v1/values", &[], b"described");
    check_answer(&description, "post", "/v1/values", &put);
    let paths = description["paths"].as_object().expect("paths");
    for path in paths.keys() {
        for key in ["xyz", "0000000000000000000000000000000000000000"] {
            check_methods(&description, &http, path, key);
        }
        let key = put.member("key");
        check_methods(&description, &http, path, key.as_str().expect("a key"));
    }
    let mut events = Connection::open(&http);
    events.send(format!("GET /v1/events HTTP/1.1\r\nHost: {http}\r\n\r\n"));
    assert_eq!(events.head().field("content-type"), "text/event-stream");
}

#[test]
fn every_route_is_described() {
    let (_node, http) = serving(&[]);
    let description = description(&http);
    // The router's own source says which routes there are.
    let source = include_str!("../../../src/bin/kad-node/http/routes.rs");
    let routes = source.split(".route(").skip(1).map(|rest| rest.split('"').nth(1));
    let routes: Vec<&str> = routes.map(|route| route.expect("a path")).collect();
    assert!(routes.len() >= 12, "{routes:?}");
    for route in routes {
        assert!(description["paths"].get(route).is_some(), "{route} is not described");
    }
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
}
