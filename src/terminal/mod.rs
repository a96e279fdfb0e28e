//! What people read in a terminal: standard output that may be closed, columns and bars, and text in which nothing acts.

pub mod escaped_json;
mod stdout;
pub mod table;

pub use stdout::{ClosedPipe, Stdout, is_closed_pipe};
