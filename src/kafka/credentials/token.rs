//! Tokens for `OAUTHBEARER`: handed to the client whenever it asks, which it does before one expires.

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use rdkafka::client::OAuthToken;
use thiserror::Error;

use super::jwt::Token;
use super::oidc::{Issuer, NotIssued};
use crate::config::{Config, Secret, read_secret};

/// A token that does not tell when it expires is taken for good for this long, so that its file is read again soon.
const OPAQUE_MS: i64 = 60_000;

/// Where the tokens of one client come from.
#[derive(Debug)]
pub struct Tokens(Source);

#[derive(Debug)]
enum Source {
    /// Who logs in otherwise needs none.
    Nowhere,
    /// The operator; the last one that was good.
    Given(Mutex<Secret>),
    /// Whoever issues them for our client credentials.
    Issued(Arc<Issuer>),
}

/// Why there is no token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("kafka.sasl.token is not set")]
    Missing,
    #[error("kafka.sasl.token has expired")]
    Expired,
    #[error(transparent)]
    NotIssued(#[from] NotIssued),
}

impl Tokens {
    pub fn of(config: &Config) -> Self {
        let kafka = &config.kafka;
        Self(match &kafka.sasl.token {
            Some(token) => Source::Given(Mutex::new(token.clone())),
            None => Issuer::of(kafka).map_or(Source::Nowhere, Source::Issued),
        })
    }

    /// Waits for the first token, where it is on its way; `stop` ends the waiting.
    pub fn await_first(&self, stop: &AtomicBool) -> Result<(), NotIssued> {
        match &self.0 {
            Source::Nowhere | Source::Given(_) => Ok(()),
            Source::Issued(issuer) => issuer.await_first(stop),
        }
    }

    /// The token to log in with, in the form of the client's callback.
    pub fn now(&self) -> Result<OAuthToken, Box<dyn Error>> {
        Ok(self.token(Utc::now().timestamp_millis())?)
    }

    /// The token to log in with at this time, in milliseconds since 1970.
    fn token(&self, now_ms: i64) -> Result<OAuthToken, TokenError> {
        match &self.0 {
            Source::Nowhere => Err(TokenError::Missing),
            Source::Given(current) => given(&mut current.lock().unwrap_or_else(PoisonError::into_inner), now_ms),
            Source::Issued(issuer) => Ok(issuer.token(now_ms)?),
        }
    }
}

/// What the file of a token holds by now, or what it held when that was last of use.
fn given(current: &mut Secret, now_ms: i64) -> Result<OAuthToken, TokenError> {
    let read = |text: &Secret| Token::new(text, now_ms + OPAQUE_MS).to_client(now_ms).ok_or(TokenError::Expired);
    let trouble = match current.file().map(read_secret).transpose() {
        Ok(None) => None,
        Ok(Some(fresh)) => match read(&fresh) {
            Ok(token) => {
                *current = fresh;
                return Ok(token);
            }
            Err(error) => Some(error.to_string()),
        },
        Err(fault) => Some(format!("kafka.sasl.token_file {fault}")),
    };
    let old = read(current);
    if let (Some(trouble), Ok(_)) = (trouble, &old) {
        tracing::warn!("the token of before stays in use: {trouble}");
    }
    old
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::jwt::tests::{NOW_MS, jwt};
    use super::*;

    fn with_token(token: Secret) -> Config {
        let mut config = Config::default();
        config.kafka.sasl.token = Some(token);
        config
    }

    #[test]
    fn a_file_is_read_again_and_a_broken_one_leaves_the_token_of_before() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("token");
        let (first, second) = (jwt("{\"exp\":1700000060}"), jwt("{\"exp\":1700000120}"));
        fs::write(&path, &first).unwrap();
        let tokens = Tokens::of(&with_token(read_secret(&path).unwrap()));
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

    #[test]
    fn a_token_that_tells_no_end_is_asked_for_again_soon() {
        let tokens = Tokens::of(&with_token(Secret::new("opaque")));
        assert_eq!(tokens.token(NOW_MS).map(|token| token.lifetime_ms), Ok(NOW_MS + OPAQUE_MS));
    }

    #[test]
    fn who_logs_in_otherwise_has_no_token() {
        assert_eq!(Tokens::of(&Config::default()).token(NOW_MS).map(|_| ()), Err(TokenError::Missing));
    }
}
