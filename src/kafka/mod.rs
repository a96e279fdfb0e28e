//! What every command that talks to Kafka shares: client settings, callbacks, credentials, topic look-ups, error classes, and the
//! few calls that the client library does not offer.

pub mod admin;
pub mod clients;
pub mod credentials;
pub mod errors;
pub mod ffi;
pub mod patience;
pub mod scan;
