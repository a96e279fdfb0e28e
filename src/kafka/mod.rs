//! What every command that talks to Kafka shares: client settings, callbacks, credentials, topic look-ups, error classes, and the
//! few calls that the client library does not offer.

pub mod admission;
pub mod clients;
pub mod clock;
pub mod cluster;
pub mod creation;
pub mod credentials;
pub mod errors;
pub mod ffi;
pub mod fitness;
pub mod limits;
pub mod permissions;
pub mod probe;
pub mod queues;
pub mod refusal;
pub mod scan;
pub mod settings;
pub mod topics;
