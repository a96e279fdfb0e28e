//! The service on a real Kafka: what it promises while all goes well, while it does not, and to whom.

mod breaker;
mod canary;
mod changes;
mod delivery;
mod faults;
mod lag;
mod late;
mod open_input;
mod positions;
mod security;
mod start;
mod stuck;
#[path = "../support/mod.rs"]
mod support;
mod waits;
