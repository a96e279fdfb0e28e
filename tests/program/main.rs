//! The program as a user calls it, without a broker.

#![allow(clippy::unwrap_used)]

mod allocator;
mod command_line;
mod completions;
mod demo_command;
mod healthcheck;
mod metrics;
mod normalize_command;
#[path = "../packers/mod.rs"]
mod packers;
mod pages;
