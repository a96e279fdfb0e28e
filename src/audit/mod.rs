//! The audit: whether the output and dead-letter topics hold the fate of every input record, once each, told from the topics
//! alone. Joins no group and commits nothing, so that it can run beside a service at work (see [`survey`] for why it is right
//! there). What is counted and how is the affair of [`model`], which is pure; the rest reads topics and writes reports.

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
