//! The engine: records left to right, from the input topics to events, dead letters and committed offsets.
//!
//! `engine` is the loop and the only place that touches both clients; `decide` and `account` are pure; `intake`,
//! `workers`, `outlet` and `delivery` are the stations on the way.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use messagetrace_ecs::config::{Config, Layers, mapping};
//! use messagetrace_ecs::pipeline::{Options, Service, Telemetry};
//! use messagetrace_ecs::telemetry::health::Health;
//! use messagetrace_ecs::telemetry::metrics::Metrics;
//!
//! let config = Config::load(&Layers::default())?.config;
//! let telemetry = Telemetry { metrics: Arc::new(Metrics::new()), health: Arc::new(Health::new()) };
//! let service = Service::start(&config, mapping::settings(&config), Options { until_end: true }, telemetry)?;
//! let summary = service.join()?;
//! println!("{:?} in {:?}", summary.counts, summary.elapsed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod account;
pub mod breaker;
pub mod decide;
pub mod kept;
pub mod turn;
pub mod watchdog;

mod arena;
mod batch;
mod counts;
pub mod delivery;
mod ends;
mod engine;
mod epochs;
mod held;
mod inquiry;
mod intake;
mod lookup;
mod marks;
mod metadata;
mod offset_sender;
mod open_inputs;
mod outlet;
mod parting;
mod position_error;
mod positions;
mod refusals;
mod report;
mod service;
mod stalls;
mod start;
mod tally;
mod workers;

pub use account::Counts;
pub use decide::End;
pub use service::{Options, Service, Summary, Telemetry};
pub use start::StartError;
