//! Client credentials (OIDC): whoever issues tokens is asked for one, and for the next before it expires.
//!
//! librdkafka could do so with libcurl, which this program is built without; it also takes a token from whoever has one.

mod exchange;
mod http;
mod issuer;
mod trouble;

pub use issuer::{Issuer, NotIssued};
