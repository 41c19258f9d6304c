//! Who may do what: decided by the address of the client, the host that the request names,
//! the origin of the page that sends it, and the token that it shows.
//!
//! - `Host` is an IP address, `localhost` or a name of `--http-host`. A page that had its own
//!   name resolve to this host (DNS rebinding) cannot send any of these.
//! - A browser says where a request comes from (`Sec-Fetch-Site`, `Origin`). A write that
//!   comes from another origin is refused. Another origin cannot read answers: no field of
//!   the header allows it to.
//! - This host reads without a token, and writes without one where none is set. A network of
//!   `--http-allow` reads without one, and one of `--http-allow-write` does both. All else
//!   shows it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use ipnet::IpNet;
use subtle::ConstantTimeEq as _;

use super::counters::Counters;
use super::limits::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN};
use super::problem::Problem;
use crate::args::HttpAccessArgs;
use crate::failure::Failure;
use crate::text_file;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may do what.
#[derive(Debug)]
pub(crate) struct Access {
    token: Option<String>,
    readers: Vec<IpNet>,
    writers: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Access {
    /// The access that the command line grants to a server at `address`.
    pub(crate) fn new(args: &HttpAccessArgs, address: SocketAddr) -> Result<Self, Failure> {
        let token = args.token_file.as_deref().map(read_token).transpose()?;
        let lets_others_in = !args.readers.is_empty() || !args.writers.is_empty();
        if !address.ip().is_loopback() && token.is_none() && !lets_others_in {
            return Err(Failure::Usage(format!(
                "--http {address} can be reached from other hosts: give --http-token-file FILE, \
                 or --http-allow CIDR for those that may read"
            )));
        }
        let (readers, writers) = (args.readers.clone(), args.writers.clone());
        Ok(Self { token, readers, writers, hosts: args.hosts.clone() })
    }

    /// Whether the request of `parts`, which comes from `peer`, is allowed.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn check(
        &self,
        peer: IpAddr,
        parts: &Parts,
        counters: &Counters,
    ) -> Result<(), Problem> {
        let host = self.check_host(parts).inspect_err(|_| counters.refused_host.add(1))?;
        if !is_read(&parts.method) {
            let checked = check_origin(host.as_ref(), &parts.headers);
            checked.inspect_err(|_| counters.refused_cross_origin.add(1))?;
        }
        let checked = self.check_token(peer.to_canonical(), parts);
        checked.inspect_err(|_| counters.refused_token.add(1))
    }

    /// The host that the request names, if it is one of this server's. HTTP/1.0 may leave it
    /// out; no browser does.
    fn check_host(&self, parts: &Parts) -> Result<Option<Authority>, Problem> {
        let named = parts.headers.get_all(HOST);
        let mut named = named.iter();
        let field = named.next();
        if named.next().is_some() {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "the request names two hosts"));
        }
        let field = match field {
            None if parts.version < Version::HTTP_11 => None,
            None => return Err(Problem::new(StatusCode::BAD_REQUEST, "the Host field is missing")),
            Some(field) => {
                // A user's name is no part of it (RFC 9110, 7.2).
                let text = field.to_str().ok().filter(|text| !text.contains('@'));
                let authority = text.and_then(|text| text.parse().ok());
                let wrong = || Problem::new(StatusCode::BAD_REQUEST, "the Host field is no host");
                Some(authority.ok_or_else(wrong)?)
            }
        };
        // The target of a request to a proxy names a host too.
        for host in parts.uri.authority().into_iter().chain(field.as_ref()) {
            if !self.is_own(host) {
                let name = host.host();
                return Err(Problem::new(
                    StatusCode::MISDIRECTED_REQUEST,
                    format!("this node is not '{name}': start it with --http-host {name}"),
                )
                .with("host", name));
            }
        }
        Ok(field)
    }

    fn is_own(&self, host: &Authority) -> bool {
        let name = host.host().trim_end_matches('.').to_ascii_lowercase();
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        literal.unwrap_or(&name).parse::<IpAddr>().is_ok()
            || name == "localhost"
            || self.hosts.contains(&name)
    }

    fn check_token(&self, peer: IpAddr, parts: &Parts) -> Result<(), Problem> {
        let is_one_of = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&peer));
        let is_trusted = match (peer.is_loopback(), is_read(&parts.method)) {
            (true, true) => true,
            (true, false) => self.token.is_none() || is_one_of(&self.writers),
            (false, true) => is_one_of(&self.readers) || is_one_of(&self.writers),
            (false, false) => is_one_of(&self.writers),
        };
        if is_trusted {
            return Ok(());
        }
        let Some(token) = &self.token else {
            let allow = if is_read(&parts.method) { "--http-allow" } else { "--http-allow-write" };
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!(
                    "{peer} may not do this: start the node with {allow} for its network, or \
                     with --http-token-file"
                ),
            ));
        };
        let shown = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let shown = shown.and_then(|field| field.split_at_checked("Bearer ".len()));
        match shown {
            Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"Bearer ") => {
                if bool::from(shown.ct_eq(token.as_bytes())) {
                    Ok(())
                } else {
                    Err(Problem::unauthorized("the token is not that of --http-token-file"))
                }
            }
            _ => Err(Problem::unauthorized("show the token: Authorization: Bearer TOKEN")),
        }
    }
}

/// Whether requests of `method` change nothing.
fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a write comes from a page of this server, or from no page.
fn check_origin(host: Option<&Authority>, headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    let is_own_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let is_own_origin = headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        origin.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host.as_str()))
    });
    if is_own_site && is_own_origin {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "a page of another origin may not write"))
}

/// The token in a file, without the blanks around it.
fn read_token(path: &Path) -> Result<String, Failure> {
    let refuse =
        |why: String| Failure::Usage(format!("--http-token-file {}: {why}", path.display()));
    let text = text_file::read(path).map_err(|error| refuse(error.to_string()))?;
    let token = text.trim();
    if !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len()) {
        return Err(refuse(format!(
            "a token has {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} characters, this one {}: try \
             `openssl rand -hex 32`",
            token.len()
        )));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse("a token has no blanks, and ASCII characters only".into()));
    }
    Ok(token.into())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn access(token: Option<&str>) -> Access {
        Access {
            token: token.map(str::to_owned),
            readers: vec!["172.16.0.0/12".parse().expect("a network")],
            writers: vec!["172.31.9.1/32".parse().expect("a network")],
            hosts: vec!["node.example.org".into()],
        }
    }

    /// The status with which a request is refused; 0 where it is let in.
    fn status(access: &Access, peer: &str, method: &str, fields: &[(&str, &str)]) -> u16 {
        let has_host = fields.iter().any(|(name, _)| *name == "host");
        let host = (!has_host).then_some(("host", "127.0.0.1:9080"));
        let request = Request::builder().method(method).uri("/v1/values");
        let request = fields
            .iter()
            .copied()
            .chain(host)
            .fold(request, |request, (name, value)| request.header(name, value));
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let checked = access.check(peer.parse().expect("an IP"), &parts, &Counters::default());
        checked.err().map_or(0, |problem| problem.status().as_u16())
    }

    #[test]
    fn a_request_names_this_host_by_address_or_by_a_name_that_it_was_given() {
        let access = access(None);
        for host in [
            "127.0.0.1",
            "127.0.0.1:9080",
            "[::1]:9080",
            "10.0.0.7",
            "localhost",
            "LocalHost:9080",
            "localhost.:9080",
            "node.example.org:9080",
        ] {
            assert_eq!(status(&access, "127.0.0.1", "GET", &[("host", host)]), 0, "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9080"] {
            assert_eq!(status(&access, "127.0.0.1", "GET", &[("host", host)]), 421, "{host}");
        }
        let two = [("host", "127.0.0.1"), ("host", "evil.example")];
        assert_eq!(status(&access, "127.0.0.1", "GET", &two), 400);
        assert_eq!(status(&access, "127.0.0.1", "GET", &[("host", "a b")]), 400);
    }

    #[test]
    fn a_page_of_another_origin_may_not_write() {
        let access = access(None);
        for (fields, expected) in [
            (&[][..], 0),
            (&[("origin", "http://127.0.0.1:9080")], 0),
            (&[("origin", "http://127.0.0.1:9080"), ("sec-fetch-site", "same-origin")], 0),
            (&[("sec-fetch-site", "none")], 0),
            (&[("origin", "http://evil.example")], 403),
            (&[("origin", "http://127.0.0.1:9081")], 403),
            (&[("origin", "null")], 403),
            (&[("sec-fetch-site", "cross-site")], 403),
            (&[("sec-fetch-site", "same-site")], 403),
        ] {
            for method in ["POST", "PUT", "DELETE"] {
                assert_eq!(status(&access, "127.0.0.1", method, fields), expected, "{fields:?}");
            }
            assert_eq!(status(&access, "127.0.0.1", "GET", fields), 0, "{fields:?}");
        }
    }

    #[test]
    fn this_host_needs_no_token_and_others_need_one_or_leave_to_read() {
        let (open, closed) = (access(None), access(Some(TOKEN)));
        let shown = [("authorization", "Bearer 0123456789abcdef")];
        let wrong = [("authorization", "Bearer 0123456789abcdeX")];
        let other = [("authorization", "Basic 0123456789abcdef")];
        for (access, peer, method, fields, expected) in [
            (&open, "127.0.0.1", "GET", &[][..], 0),
            (&open, "::1", "POST", &[], 0),
            (&open, "::ffff:127.0.0.1", "POST", &[], 0),
            (&open, "172.18.0.1", "GET", &[], 0),
            (&open, "172.18.0.1", "POST", &[], 403),
            (&open, "172.31.9.1", "POST", &[], 0),
            (&closed, "172.31.9.1", "GET", &[], 0),
            (&closed, "172.31.9.1", "DELETE", &[], 0),
            (&open, "172.31.9.2", "POST", &[], 403),
            (&open, "10.0.0.9", "GET", &[], 403),
            (&closed, "127.0.0.1", "GET", &[], 0),
            (&closed, "127.0.0.1", "POST", &[], 401),
            (&closed, "127.0.0.1", "POST", &shown, 0),
            (&closed, "127.0.0.1", "POST", &wrong, 401),
            (&closed, "127.0.0.1", "POST", &other, 401),
            (&closed, "172.18.0.1", "HEAD", &[], 0),
            (&closed, "172.18.0.1", "DELETE", &[], 401),
            (&closed, "10.0.0.9", "GET", &[], 401),
            (&closed, "10.0.0.9", "GET", &shown, 0),
            (&closed, "10.0.0.9", "PUT", &shown, 0),
        ] {
            let got = status(access, peer, method, fields);
            assert_eq!(got, expected, "{method} of {peer}, {fields:?}");
        }
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token_or_readers() {
        let any = SocketAddr::from(([0, 0, 0, 0], 9080));
        let mut args = HttpAccessArgs::default();
        let refused = Access::new(&args, any).expect_err("all could write");
        assert!(matches!(refused, Failure::Usage(text) if text.contains("--http-token-file")));
        args.readers = vec!["10.0.0.0/8".parse().expect("a network")];
        assert!(Access::new(&args, any).is_ok());
        let args = HttpAccessArgs {
            writers: args.readers.clone(),
            readers: Vec::new(),
            ..HttpAccessArgs::default()
        };
        assert!(Access::new(&args, any).is_ok());
        assert!(Access::new(&HttpAccessArgs::default(), ([127, 0, 0, 1], 0).into()).is_ok());
    }
}
