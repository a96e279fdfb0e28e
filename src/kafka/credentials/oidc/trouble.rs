//! Why an issuer gave no token: what it is called, what cures it, and whether time may.
//!
//! Nothing of an answer is ever quoted but the words that the standard has for errors: an answer may hold a token, or
//! whatever a stranger wants to see in our log.

use thiserror::Error;

const SILENT: &str = "check kafka.sasl.oidc.token_url and the network";
const CLIENT: &str = "check kafka.sasl.oidc.client_id and kafka.sasl.oidc.client_secret";
const ENDPOINT: &str = "check kafka.sasl.oidc.token_url";

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Trouble {
    #[error("no answer: {0}")]
    Silent(String),
    #[error("the proxy does not let us through: {0}")]
    Proxy(String),
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    #[error("no TLS: {0}")]
    NoTls(String),
    #[error("its answer is no HTTP")]
    NoHttp,
    #[error("its answer has more than {} KiB", .0 / 1024)]
    TooLarge(usize),
    #[error("it sends us elsewhere (status {0}), where our secret does not go")]
    Redirect(u16),
    #[error("it refuses: {0}")]
    Refused(Word),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("its answer is no JSON object")]
    NoJson,
    #[error("its answer holds no access_token")]
    NoToken,
    #[error("its token is of another type than Bearer")]
    OtherType,
    #[error("its token holds characters that no token has")]
    Unusable,
    #[error("its token has expired already")]
    Expired,
    #[error("a thread cannot be started: {0}")]
    Thread(String),
}

/// The words of RFC 6749 for errors: those of its section 5.2, and two of section 4.1.2.1 that token endpoints use too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    ServerError,
    TemporarilyUnavailable,
}

impl Word {
    const ALL: [Self; 8] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
        Self::InvalidScope,
        Self::ServerError,
        Self::TemporarilyUnavailable,
    ];

    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == text)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Trouble {
    /// What somebody has to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Silent(_) => SILENT,
            Self::Proxy(_) => "check HTTPS_PROXY and NO_PROXY",
            Self::Untrusted(why) if why.contains("expired") || why.contains("not yet valid") => {
                "renew it, or correct this host's clock"
            }
            Self::Untrusted(why) if why.ends_with("mismatch") => {
                "kafka.sasl.oidc.token_url must use a name that it holds"
            }
            Self::Untrusted(_) => "kafka.tls.ca_file or the system's store must hold the authority that vouches for it",
            Self::NoTls(_) | Self::NoHttp | Self::TooLarge(_) | Self::NoJson | Self::NoToken => ENDPOINT,
            Self::Redirect(_) => "set kafka.sasl.oidc.token_url to where tokens are issued",
            Self::Refused(Word::InvalidClient | Word::InvalidGrant) | Self::Status(401) => CLIENT,
            Self::Refused(Word::InvalidScope) => "correct kafka.sasl.oidc.scope",
            // Some issuers say so of a wrong secret too.
            Self::Refused(Word::UnauthorizedClient) => {
                "check kafka.sasl.oidc.client_id and kafka.sasl.oidc.client_secret, and that it may ask for tokens"
            }
            Self::Refused(Word::UnsupportedGrantType) => "it must know the client credentials grant",
            Self::Refused(Word::InvalidRequest) => "check kafka.sasl.oidc.token_url and kafka.sasl.oidc.scope",
            Self::Refused(Word::ServerError | Word::TemporarilyUnavailable) | Self::Status(429 | 500..) => {
                "ask those who run it"
            }
            Self::Status(_) => ENDPOINT,
            Self::OtherType | Self::Unusable => "it must issue bearer tokens for these brokers",
            Self::Expired => "correct this host's clock, or the issuer's",
            Self::Thread(_) => "raise the limit on threads",
        }
    }

    /// Whether time may cure it; otherwise somebody has to do something.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Silent(_) | Self::Proxy(_) | Self::Status(429 | 500..) => true,
            Self::Refused(word) => matches!(word, Word::ServerError | Word::TemporarilyUnavailable),
            Self::Untrusted(_)
            | Self::NoTls(_)
            | Self::NoHttp
            | Self::TooLarge(_)
            | Self::Redirect(_)
            | Self::Status(_)
            | Self::NoJson
            | Self::NoToken
            | Self::OtherType
            | Self::Unusable
            | Self::Expired
            | Self::Thread(_) => false,
        }
    }

    /// Whether another secret might have been taken.
    pub fn is_about_the_secret(&self) -> bool {
        matches!(
            self,
            Self::Refused(Word::InvalidClient | Word::InvalidGrant | Word::UnauthorizedClient) | Self::Status(401)
        )
    }
}
