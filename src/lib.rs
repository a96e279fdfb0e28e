//! Microsoft Exchange Online MessageTrace records in, Elastic Common Schema events out, between two Kafka topics.
//!
//! The program is `main.rs` and [`commands`]; everything else can be used as a library. From the bottom: [`normalize`] makes events of
//! the values of records, [`dead_letter`] makes records of what it rejects, [`config`] says how, [`pipeline`] does it between topics,
//! [`letters`] and [`audit`] look at what was written.
//!
//! ```
//! use messagetrace_ecs::config::{Config, Layers, mapping};
//! use messagetrace_ecs::normalize::{Normalizer, Outcomes, Record, Verdict};
//!
//! let loaded = Config::load_from(&Layers::default(), [])?;
//! let normalizer = Normalizer::new(mapping::settings(&loaded.config));
//! let value = br#"{"MessageTraceId":"b9c1","Received":"2026-09-05T18:10:13","Status":"Delivered"}"#;
//! let mut outcomes = Outcomes::default();
//! normalizer.normalize(Record { value: Some(value), timestamp_ms: None }, &mut outcomes);
//! let outcome = outcomes.of_record(0).next().expect("a trace has one outcome");
//! assert!(matches!(outcome.verdict, Verdict::Event { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// A closed standard error or output is no reason to fail, and these panic: `terminal` has what does not.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod audit;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dead_letter;
pub mod demo;
pub mod http;
pub mod kafka;
pub mod letters;
pub mod mutants;
pub mod normalize;
pub mod normalize_files;
pub mod pipeline;
pub mod record;
pub mod telemetry;
pub mod terminal;
pub mod text;
pub mod time_range;
