//! What the tests against a real Kafka share: the cluster itself, the service as a child process, records whose fate is
//! known, and the judge who compares that with what came out.
//!
//! Nothing here calls the crate's own mapping or dead-letter code: what is expected is known from how it was made.

// Each test program uses its own part.
#![allow(dead_code)]

pub mod broker;
pub mod children;
pub mod cluster;
pub mod driver;
pub mod gauge;
pub mod issuer;
pub mod jars;
pub mod leaders;
pub mod letter;
pub mod listeners;
pub mod maker;
pub mod murmur2;
pub mod oracle;
pub mod page;
pub mod pki;
pub mod poison;
pub mod proxy;
pub mod raw;
pub mod reader;
pub mod reference;
pub mod sample;
pub mod scene;
pub mod segments;
pub mod service;
pub mod trace;
pub mod wait;
pub mod writer;
