//! Tokens for `OAUTHBEARER`: handed to the client whenever it asks, which it does before one expires.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use chrono::Utc;
use openssl::base64;
use rdkafka::client::OAuthToken;
use serde::Deserialize;
use thiserror::Error;

use crate::config::{Config, Secret, read_secret};

/// A token that does not tell when it expires is taken for good for this long, so that its file is read again soon.
const OPAQUE_MS: i64 = 60_000;

/// Where the tokens of one client come from.
#[derive(Debug, Default)]
pub struct Tokens {
    /// The last one that was good.
    current: Option<Mutex<Secret>>,
}

/// Why there is no token.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("kafka.sasl.token is not set")]
    Missing,
    #[error("kafka.sasl.token has expired")]
    Expired,
}

impl Tokens {
    pub fn of(config: &Config) -> Self {
        Self { current: config.kafka.sasl.token.clone().map(Mutex::new) }
    }

    /// The token to log in with, in the form of the client's callback.
    pub fn now(&self) -> Result<OAuthToken, Box<dyn Error>> {
        Ok(self.token(Utc::now().timestamp_millis())?)
    }

    /// The token to log in with at this time, in milliseconds since 1970.
    pub fn token(&self, now_ms: i64) -> Result<OAuthToken, TokenError> {
        let mut current =
            self.current.as_ref().ok_or(TokenError::Missing)?.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = current.file().map(read_secret).transpose();
        let trouble = match fresh {
            Ok(None) => None,
            Ok(Some(fresh)) => match read(&fresh, now_ms) {
                Ok(token) => {
                    *current = fresh;
                    return Ok(token);
                }
                Err(error) => Some(error.to_string()),
            },
            Err(fault) => Some(format!("kafka.sasl.token_file {fault}")),
        };
        let old = read(&current, now_ms);
        if let (Some(trouble), Ok(_)) = (trouble, &old) {
            tracing::warn!("the token of before stays in use: {trouble}");
        }
        old
    }
}

/// The part of a token that concerns us; who made it and whether it is signed is for the brokers to judge.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    /// Seconds since 1970.
    exp: Option<f64>,
}

fn read(token: &Secret, now_ms: i64) -> Result<OAuthToken, TokenError> {
    let claims = claims(token.reveal());
    let expires_ms = claims.as_ref().and_then(|claims| claims.exp).map(|seconds| (seconds * 1000.0) as i64);
    let lifetime_ms = expires_ms.unwrap_or(now_ms + OPAQUE_MS);
    if lifetime_ms <= now_ms {
        return Err(TokenError::Expired);
    }
    let principal_name = claims.map(|claims| claims.sub).unwrap_or_default();
    Ok(OAuthToken { token: token.reveal().to_owned(), principal_name, lifetime_ms })
}

/// What a JWT says; `None`: it is something else.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    // URL-safe without padding, as JWTs have it, to the alphabet that OpenSSL reads.
    let mut standard: String = payload
        .chars()
        .map(|c| {
            if c == '-' {
                '+'
            } else if c == '_' {
                '/'
            } else {
                c
            }
        })
        .collect();
    standard.extend(std::iter::repeat_n('=', (4 - standard.len() % 4) % 4));
    serde_json::from_slice(&base64::decode_block(&standard).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn jwt(claims: &str) -> String {
        let payload = base64::encode_block(claims.as_bytes()).replace('+', "-").replace('/', "_");
        format!("e30.{}.", payload.trim_end_matches('='))
    }

    fn lifetime_ms(token: &str) -> Result<i64, TokenError> {
        read(&Secret::new(token), NOW_MS).map(|token| token.lifetime_ms)
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_and_an_opaque_one_is_asked_for_again_soon() {
        let cases = [
            (jwt("{\"sub\":\"a?>~\",\"exp\":1700000060}"), Ok(NOW_MS + 60_000)),
            (jwt("{\"sub\":\"a\",\"exp\":1700000000.5}"), Ok(NOW_MS + 500)),
            (jwt("{\"sub\":\"a\",\"exp\":1700000000}"), Err(TokenError::Expired)),
            (jwt("{\"sub\":\"a\"}"), Ok(NOW_MS + OPAQUE_MS)),
            (jwt("[]"), Ok(NOW_MS + OPAQUE_MS)),
            ("opaque".to_owned(), Ok(NOW_MS + OPAQUE_MS)),
            ("a.%%%.c".to_owned(), Ok(NOW_MS + OPAQUE_MS)),
        ];
        for (token, expected) in cases {
            assert_eq!(lifetime_ms(&token), expected, "{token}");
        }
        let token = read(&Secret::new(jwt("{\"sub\":\"a?>~\",\"exp\":1700000060}")), NOW_MS).unwrap();
        assert_eq!(token.principal_name, "a?>~");
    }

    #[test]
    fn a_file_is_read_again_and_a_broken_one_leaves_the_token_of_before() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("token");
        let (first, second) = (jwt("{\"exp\":1700000060}"), jwt("{\"exp\":1700000120}"));
        fs::write(&path, &first).unwrap();
        let mut config = Config::default();
        config.kafka.sasl.token = Some(read_secret(&path).unwrap());
        let tokens = Tokens::of(&config);
        let current = |now_ms| tokens.token(now_ms).map(|token| token.token);
        assert_eq!(current(NOW_MS), Ok(first));
        fs::write(&path, &second).unwrap();
        assert_eq!(current(NOW_MS), Ok(second.clone()));
        fs::write(&path, jwt("{\"exp\":1}")).unwrap();
        assert_eq!(current(NOW_MS), Ok(second.clone()));
        fs::remove_file(&path).unwrap();
        assert_eq!(current(NOW_MS), Ok(second));
        assert_eq!(current(NOW_MS + 120_000), Err(TokenError::Expired));
    }
}
