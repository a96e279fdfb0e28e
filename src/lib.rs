//! Microsoft Exchange Online MessageTrace records in, Elastic Common Schema events out, between two Kafka topics.

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
