//! What the program says about itself: logs, metrics, and the answers to probes.

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
