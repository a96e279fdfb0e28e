//! A token, and what it says of itself: whose it is and until when. Who made it and whether it is signed is for the
//! brokers to judge.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rdkafka::client::OAuthToken;
use serde::Deserialize;

use crate::config::Secret;

/// JWTs have no padding; a token that has some is read too.
const PARTS: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    text: Secret,
    principal: String,
    expires_ms: i64,
}

impl Token {
    /// A token that does not tell when it expires is taken for good until `otherwise_ms`. Times are in milliseconds since
    /// 1970.
    pub fn new(text: &Secret, otherwise_ms: i64) -> Self {
        let claims = claims(text.reveal());
        let told_ms = claims.as_ref().and_then(|claims| claims.exp).map(|seconds| (seconds * 1000.0) as i64);
        Self {
            text: text.clone(),
            principal: claims.map(|claims| claims.sub).unwrap_or_default(),
            expires_ms: told_ms.unwrap_or(otherwise_ms),
        }
    }

    /// How long it is still good for, in milliseconds; 0 when it has expired.
    pub fn left_ms(&self, now_ms: i64) -> i64 {
        self.expires_ms.saturating_sub(now_ms).max(0)
    }

    /// In the form of the client's callback; `None` when it has expired, which the client would not take.
    pub fn to_client(&self, now_ms: i64) -> Option<OAuthToken> {
        (self.left_ms(now_ms) > 0).then(|| OAuthToken {
            token: self.text.reveal().to_owned(),
            principal_name: self.principal.clone(),
            lifetime_ms: self.expires_ms,
        })
    }
}

/// The part of a JWT that concerns us.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    /// Seconds since 1970.
    exp: Option<f64>,
}

/// What a JWT says; `None`: it is something else.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&PARTS.decode(payload).ok()?).ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const NOW_MS: i64 = 1_700_000_000_000;

    /// One that nobody has signed.
    pub fn jwt(claims: &str) -> String {
        format!("e30.{}.", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_and_otherwise_as_long_as_it_is_given() {
        const OTHERWISE_MS: i64 = 7_000;
        let padded = format!("e30.{}.", base64::engine::general_purpose::URL_SAFE.encode(r#"{"exp":1700000060}"#));
        let cases = [
            (jwt(r#"{"sub":"a?>~","exp":1700000060}"#), 60_000),
            (jwt(r#"{"sub":"a","exp":1700000000.5}"#), 500),
            (jwt(r#"{"sub":"a","exp":1700000000}"#), 0),
            (jwt(r#"{"sub":"a","exp":-1e300}"#), 0),
            (padded, 60_000),
            (jwt(r#"{"sub":"a"}"#), OTHERWISE_MS),
            (jwt("[]"), OTHERWISE_MS),
            ("opaque".to_owned(), OTHERWISE_MS),
            ("a.%%%.c".to_owned(), OTHERWISE_MS),
        ];
        for (text, left_ms) in cases {
            let token = Token::new(&Secret::new(&text), NOW_MS + OTHERWISE_MS);
            assert_eq!(token.left_ms(NOW_MS), left_ms, "{text}");
            assert_eq!(token.to_client(NOW_MS).is_some(), left_ms > 0, "{text}");
        }
        let token = Token::new(&Secret::new(jwt(r#"{"sub":"a?>~","exp":1700000060}"#)), 0);
        assert_eq!(token.to_client(NOW_MS).map(|token| token.principal_name).as_deref(), Some("a?>~"));
    }
}
