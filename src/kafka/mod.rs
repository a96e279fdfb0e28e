//! What every command that talks to Kafka shares: client settings, callbacks, credentials, topic look-ups, error classes, and the
//! few calls that the client library does not offer.
//!
//! How many bytes a topic holds, read with the service's own connection settings:
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use messagetrace_ecs::config::{Config, Layers};
//! use messagetrace_ecs::kafka::scan::{Scan, Stretch, ranges};
//!
//! let config = Config::load(&Layers::default())?.config;
//! let found = ranges(&config, &[Stretch::whole("messagetrace.raw", "input.topics")])?;
//! let wanted: Vec<_> = found.into_iter().flatten().map(|resolved| resolved.range).collect();
//! let read = Scan::new(&config).run(&wanted, |_| (), |(), _| ControlFlow::Continue(()), |_| {})?;
//! println!("{} bytes", read.iter().map(|((), seen)| seen.bytes).sum::<u64>());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod admin;
pub mod clients;
pub mod credentials;
#[cfg(test)]
pub mod embedded;
pub mod errors;
pub mod ffi;
pub mod patience;
pub mod scan;
