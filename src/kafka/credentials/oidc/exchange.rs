//! The client credentials grant in bytes (RFC 6749, sections 2.3.1, 4.4, 5.1 and 5.2): what is sent to a token endpoint,
//! and what its answer means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::trouble::{Trouble, Word};
use crate::config::Secret;
use crate::kafka::credentials::jwt::Token;

/// A token that tells in no way when it expires is taken for good for this long, in seconds.
const UNTOLD_S: f64 = 60.0;

/// The longest life that is believed, in seconds: ten years.
const LIFE_MAX_S: f64 = 315_360_000.0;

/// What need not be encoded in a form is not. That `~` is among it matters: it stands in many a generated secret, and some
/// issuers take what comes by HTTP Basic as it is, without decoding it as the standard says.
const FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'~');

/// The value of the `authorization` header by which a client says who it is.
pub fn authorization(id: &str, secret: &Secret) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret.reveal()))))
}

/// The body of the request.
pub fn form(scope: Option<&str>) -> String {
    let scope = scope.map(|scope| format!("&scope={}", encoded(scope))).unwrap_or_default();
    format!("grant_type=client_credentials{scope}")
}

/// As `application/x-www-form-urlencoded` has it.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &FORM).to_string().replace("%20", "+")
}

/// What came back: a token, or why there is none.
pub fn read(status: u16, body: &[u8], now_ms: i64) -> Result<Token, Trouble> {
    let answer = serde_json::from_slice(body).ok().filter(Value::is_object);
    let text = |key: &str| answer.as_ref().and_then(|answer| answer.get(key)).and_then(Value::as_str);
    let refused = text("error").and_then(Word::find).map(Trouble::Refused);
    match status {
        200..=299 if answer.is_none() => return Err(Trouble::NoJson),
        200..=299 => {}
        300..=399 => return Err(Trouble::Redirect(status)),
        _ => return Err(refused.unwrap_or(Trouble::Status(status))),
    }
    let Some(token) = text("access_token").filter(|token| !token.is_empty()) else {
        return Err(refused.unwrap_or(Trouble::NoToken));
    };
    // The standard wants the type to be told; who does not tell it means the only one in use.
    if text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Trouble::OtherType);
    }
    // Any other would end the field of the login that it stands in.
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Trouble::Unusable);
    }
    let life_s = answer.as_ref().and_then(|answer| seconds(answer.get("expires_in")?)).unwrap_or(UNTOLD_S);
    let expires_ms = now_ms.saturating_add((life_s.min(LIFE_MAX_S) * 1000.0) as i64);
    let token = Token::new(&Secret::new(token), expires_ms);
    if token.left_ms(now_ms) > 0 { Ok(token) } else { Err(Trouble::Expired) }
}

/// A number, or, as some issuers have it, a text that is one.
fn seconds(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|seconds| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::credentials::jwt::tests::{NOW_MS, jwt};

    #[test]
    fn who_we_are_is_encoded_as_a_form_before_it_becomes_base64() {
        let cases = [
            ("id", "secret", "id:secret"),
            ("a b", "p:w+/=&%", "a+b:p%3Aw%2B%2F%3D%26%25"),
            ("ä", "~-._*", "%C3%A4:~-._*"),
        ];
        for (id, secret, decoded) in cases {
            let header = authorization(id, &Secret::new(secret));
            let sent = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
            assert_eq!(String::from_utf8(sent).unwrap(), decoded);
        }
    }

    #[test]
    fn the_scope_is_asked_for_where_there_is_one() {
        assert_eq!(form(None), "grant_type=client_credentials");
        assert_eq!(
            form(Some("api://kafka/.default read")),
            "grant_type=client_credentials&scope=api%3A%2F%2Fkafka%2F.default+read"
        );
    }

    #[test]
    fn a_token_lives_until_it_says_itself_or_else_as_long_as_the_answer_says() {
        let told = jwt(r#"{"exp":1700000060}"#);
        let cases = [
            (format!(r#"{{"access_token":"{told}","token_type":"Bearer","expires_in":5}}"#), 60_000),
            (r#"{"access_token":"opaque","token_type":"bearer","expires_in":5}"#.to_owned(), 5_000),
            (r#"{"access_token":"opaque","expires_in":"3599"}"#.to_owned(), 3_599_000),
            (r#"{"access_token":"opaque","expires_in":1e300}"#.to_owned(), 315_360_000_000),
            (r#"{"access_token":"opaque","expires_in":null}"#.to_owned(), 60_000),
            (r#"{"access_token":"opaque","expires_in":"soon"}"#.to_owned(), 60_000),
            (r#"{"access_token":"opaque"}"#.to_owned(), 60_000),
        ];
        for (body, left_ms) in cases {
            let left = read(200, body.as_bytes(), NOW_MS).map(|token| token.left_ms(NOW_MS));
            assert_eq!(left, Ok(left_ms), "{body}");
        }
    }

    #[test]
    fn each_answer_without_a_token_of_use_has_its_name() {
        use Trouble as T;
        let expired = format!(r#"{{"access_token":"{}"}}"#, jwt(r#"{"exp":1}"#));
        let cases: [(u16, &str, Trouble); 20] = [
            (200, "", T::NoJson),
            (200, "<html>", T::NoJson),
            (200, "[]", T::NoJson),
            (200, "\u{fffd}", T::NoJson),
            (200, "{}", T::NoToken),
            (200, r#"{"access_token":""}"#, T::NoToken),
            (200, r#"{"access_token":1}"#, T::NoToken),
            (200, r#"{"error":"invalid_client"}"#, T::Refused(Word::InvalidClient)),
            (200, r#"{"access_token":"a","token_type":"DPoP"}"#, T::OtherType),
            (200, r#"{"access_token":"a\u0001b"}"#, T::Unusable),
            (200, r#"{"access_token":"a b"}"#, T::Unusable),
            (200, r#"{"access_token":"a","expires_in":0}"#, T::Expired),
            (200, r#"{"access_token":"a","expires_in":-1}"#, T::Expired),
            (200, &expired, T::Expired),
            (302, r#"{"access_token":"a"}"#, T::Redirect(302)),
            (400, r#"{"error":"invalid_scope","error_description":"x"}"#, T::Refused(Word::InvalidScope)),
            (400, r#"{"error":"our own word"}"#, T::Status(400)),
            (401, "{}", T::Status(401)),
            (404, "<html>", T::Status(404)),
            (503, "", T::Status(503)),
        ];
        for (status, body, expected) in cases {
            assert_eq!(read(status, body.as_bytes(), NOW_MS), Err(expected), "{status} {body}");
        }
    }
}
