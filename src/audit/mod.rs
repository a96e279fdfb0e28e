//! The audit: whether the output and dead-letter topics hold the fate of every input record, once each, told from the topics
//! alone. Joins no group and commits nothing, so that it can run beside a service at work (see [`survey`] for why it is right
//! there). What is counted and how is the affair of [`model`], which is pure; the rest reads topics and writes reports.
//!
//! ```
//! use messagetrace_ecs::audit::model::{Account, Bounds, Excuses, Ledger, Output, Place, What};
//! use messagetrace_ecs::config::{Config, Layers, mapping};
//! use messagetrace_ecs::normalize::{Normalizer, Outcomes, Record};
//! use messagetrace_ecs::record::Coordinates;
//!
//! let normalizer = Normalizer::new(mapping::settings(&Config::load_from(&Layers::default(), [])?.config));
//! let mut account = Account::new(Bounds { range: 0..2, committed: 2, end: 2 }, None);
//! for offset in 0..2 {
//!     let mut outcomes = Outcomes::default();
//!     let value = br#"{"MessageTraceId":"b9c1","Received":"2026-09-05T18:10:13","Status":"Delivered"}"#;
//!     normalizer.normalize(Record { value: Some(value), timestamp_ms: None }, &mut outcomes);
//!     account.expect(offset, outcomes.of_record(0));
//! }
//! let mut ledger = Ledger::default();
//! ledger.topic("messagetrace.raw", 1);
//! ledger.open("messagetrace.raw", 0, account);
//! // Of two events one is there.
//! ledger.sight(&Output {
//!     place: Place { topic: What::Event, partition: 0, offset: 0 },
//!     source: Some((Coordinates { topic: "messagetrace.raw", partition: 0, offset: 0 }, None)),
//!     letter: "",
//!     value: None,
//!     key: None,
//! });
//! let (closed, _) = ledger.close(|_, _| Excuses::default());
//! assert_eq!((closed[0].tally.found_once, closed[0].tally.missing), (1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod details;
pub mod json;
pub mod model;
pub mod passes;
mod progress;
pub mod report;
pub mod request;
pub mod survey;
pub mod table;
mod wording;
