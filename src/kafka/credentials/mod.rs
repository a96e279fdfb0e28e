//! What lets us in: tokens for the login, why we are not let in, and how renewed secrets are taken up.

pub mod diagnosis;
mod handshake;
mod jwt;
pub mod oidc;
pub mod token;
pub mod watch;
