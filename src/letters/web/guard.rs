//! Who is answered at all, and what a browser may do with an answer. A web site somewhere can make its own name point at
//! this machine and have a browser here read these pages for it; so only names that always mean this machine are answered
//! to. Pure.

use std::net::IpAddr;

use hyper::header::{
    ALLOW, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri};

use crate::http::{Answer, response};

const TEXT: &str = "text/plain; charset=utf-8";

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// No answer, when there is nothing against the request.
pub fn refuse(request: &Parts) -> Option<Answer> {
    if !is_for_us(&request.headers, &request.uri) {
        let body = "only requests for localhost, 127.0.0.1 or [::1] are answered\n";
        return Some(response(StatusCode::MISDIRECTED_REQUEST, TEXT, body));
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut answer = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(answer);
    }
    // Following a link from elsewhere is fine; loading our pages as a part of another one has no good use.
    let says = |name, value| request.headers.get(name).is_some_and(|said: &HeaderValue| said == value);
    if says("sec-fetch-site", "cross-site") && !says("sec-fetch-mode", "navigate") {
        return Some(response(StatusCode::FORBIDDEN, TEXT, "not from another site\n"));
    }
    None
}

/// What a browser has to know about every answer.
pub fn guard(answer: &mut Answer) {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for name in ["cross-origin-resource-policy", "cross-origin-opener-policy"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("same-origin"));
    }
}

fn is_for_us(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let is_ours = |authority: &str| is_this_machine(without_port(authority));
    host.to_str().is_ok_and(is_ours) && uri.authority().is_none_or(|authority| is_ours(authority.as_str()))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || address.unwrap_or(host).parse().is_ok_and(|address: IpAddr| {
            // An address of the sixth version stands in brackets.
            address.is_loopback() && address.is_ipv6() == host.starts_with('[')
        })
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn status(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(uri), |request, (name, value)| request.header(*name, *value));
        refuse(&request.body(()).unwrap().into_parts().0).map(|answer| answer.status().as_u16())
    }

    #[test]
    fn only_names_of_this_machine_are_answered_to() {
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:1", "127.8.9.1", "[::1]", "[::1]:80"] {
            assert_eq!(status("GET", "/", &[("host", host)]), None, "{host}");
        }
        let others = [
            "",
            ":",
            ":80",
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0.0.0.0",
            "192.0.2.1",
            "[::]",
            "::1",
            "[127.0.0.1]",
            "localhost:evil",
            "user@localhost",
            "localhost:80:80",
            "[::1",
            "[::ffff:192.0.2.1]",
            "localhost.",
        ];
        for host in others {
            assert_eq!(status("GET", "/", &[("host", host)]), Some(421), "{host}");
        }
        assert_eq!(status("GET", "/", &[]), Some(421), "no host");
        assert_eq!(status("GET", "/", &[("host", "localhost"), ("host", "evil.example")]), Some(421), "two hosts");
        assert_eq!(status("GET", "http://evil.example/", &[("host", "localhost")]), Some(421), "another in the line");
        assert_eq!(status("GET", "http://localhost/", &[("host", "localhost")]), None);
    }

    #[test]
    fn nothing_is_changed_and_nothing_is_a_part_of_another_site() {
        let host = ("host", "localhost");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
            assert_eq!(status(method, "/", &[host]), Some(405), "{method}");
        }
        assert_eq!(status("HEAD", "/", &[host]), None);
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(status("GET", "/", &[host, cross, ("sec-fetch-mode", "no-cors")]), Some(403));
        assert_eq!(status("GET", "/", &[host, cross, ("sec-fetch-mode", "navigate")]), None);
        assert_eq!(status("GET", "/", &[host, ("sec-fetch-site", "same-origin")]), None);
    }
}
