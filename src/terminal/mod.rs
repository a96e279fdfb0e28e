//! What people read in a terminal: standard output that may be closed, columns and bars, and text in which nothing acts.
//!
//! ```
//! use messagetrace_ecs::terminal::table::{Align, lines};
//!
//! let rows = [["kind", "letters"], ["invalid_json", "7"]].map(|row| row.map(str::to_owned).to_vec());
//! assert_eq!(lines(&[Align::Left, Align::Right], &rows), ["kind          letters", "invalid_json        7"]);
//! ```

pub mod escaped_json;
mod stderr;
mod stdout;
pub mod table;

pub use stderr::tell;
pub use stdout::{ClosedPipe, Stdout, is_closed_pipe};
