//! What lets us in: tokens for the login, why we are not let in, and how renewed secrets are taken up.

pub mod diagnosis;
mod handshake;
pub mod token;
pub mod watch;
