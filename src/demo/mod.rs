//! `demo`: the whole pipeline on an embedded broker, nothing to install. A feeder produces a realistic stream, the service does what
//! it always does, a reader follows along, and the account at the end is compared three ways.

pub mod account;
pub mod broker;
pub mod feed;
pub mod feeder;
pub mod progress;
pub mod reader;
pub mod report;
pub mod traffic;
