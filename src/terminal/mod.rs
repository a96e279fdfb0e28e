//! What people read in a terminal: standard output that may be closed, columns and bars, and text in which nothing acts.

pub mod escaped_json;
mod stderr;
mod stdout;
pub mod table;

pub use stderr::tell;
pub use stdout::{ClosedPipe, Stdout, is_closed_pipe};
