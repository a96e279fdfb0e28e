//! One file a subcommand; each reads like a recipe.
//!
//! ```
//! use messagetrace_ecs::commands::Exit;
//!
//! assert_eq!(Exit::Findings as u8, 3);
//! ```

pub mod audit;
pub mod check;
pub mod completions;
pub mod config;
pub mod demo;
pub mod dlq;
pub mod healthcheck;
pub mod man;
pub mod normalize;
mod problems;
pub mod run;
pub mod topics;

pub use problems::{misuse, problems};

/// How a command ended, as the process's exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed, or refused at start.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Done, with findings.
    Findings = 3,
}
