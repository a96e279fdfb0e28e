//! The configuration as a person writes it.

#![allow(clippy::unwrap_used)]

mod given;
mod layers;
mod refusals;
mod schema;
mod secrets;
