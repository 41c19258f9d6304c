//! Who may do what: decided by the address of the client, the host that the request names,
//! the origin of the page that sends it, and the token that it shows.
//!
//! - `Host` is an IP address, `localhost` or a name of `--http-host`. A page that had its own
//!   name resolve to this host (DNS rebinding) cannot send any of these.
//! - A browser says where a request comes from (`Sec-Fetch-Site`, `Origin`). A write that
//!   comes from another origin is refused. Another origin cannot read answers: no field of
//!   the header allows it to.
//! - This host reads without a token, and writes without one where none is set. A network of
//!   `--http-allow` reads without one. All else shows it.

use std::fs;
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

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who may do what.
#[derive(Debug)]
pub(crate) struct Access {
    token: Option<String>,
    readers: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Access {
    /// The access that the command line grants to a server at `address`.
    pub(crate) fn new(args: &HttpAccessArgs, address: SocketAddr) -> Result<Self, Failure> {
        let token = args.token_file.as_deref().map(read_token).transpose()?;
        if !address.ip().is_loopback() && token.is_none() && args.readers.is_empty() {
            return Err(Failure::Usage(format!(
                "--http {address} can be reached from other hosts: give --http-token-file FILE, \
                 or --http-allow CIDR for those that may read"
            )));
        }
        Ok(Self { token, readers: args.readers.clone(), hosts: args.hosts.clone() })
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
                let authority = field.to_str().ok().and_then(|text| text.parse().ok());
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
        let is_trusted = match (peer.is_loopback(), is_read(&parts.method)) {
            (true, true) => true,
            (true, false) => self.token.is_none(),
            (false, true) => self.readers.iter().any(|network| network.contains(&peer)),
            (false, false) => false,
        };
        if is_trusted {
            return Ok(());
        }
        let Some(token) = &self.token else {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!("{peer} may not do this: the node was started without --http-token-file"),
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
    let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
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
