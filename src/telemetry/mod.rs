//! What the program says about itself: logs, metrics, and the answers to probes.
//!
//! ```
//! use messagetrace_ecs::telemetry::metrics::{Metrics, Stall};
//!
//! let metrics = Metrics::new();
//! metrics.records_polled.inc_by(32);
//! metrics.stalled(Stall::Brokers, true);
//! let text = metrics.encode();
//! assert!(text.contains("messagetrace_ecs_records_polled_total 32\n"));
//! assert!(text.contains("messagetrace_ecs_stalled{cause=\"brokers\"} 1\n"));
//! ```

mod exposition;
pub mod health;
pub mod http;
mod labels;
pub mod lag;
mod line;
pub mod logs;
pub mod metrics;
mod process;
pub mod reference;
mod repeats;
pub mod statistics;
pub mod summary;
mod writer;
