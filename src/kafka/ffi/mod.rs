//! The calls into librdkafka that the rdkafka crate does not offer, each with the reason why it is needed.
//!
//! This is the only folder with `unsafe`. Nothing here decides anything: it moves bytes across the border, with
//! explicit lengths, and turns C's error codes into values.
#![allow(unsafe_code)]

mod admin;
mod commit;
mod create;
mod epochs;
mod giving_up;
mod headers;
mod offsets;
mod produce;
mod rousing;

pub use admin::{Allowed, Ask, Group, Operation, Settings, Topic};
pub use commit::CommitQueue;
pub use create::{Made, NewTopic};
#[cfg(test)]
pub use epochs::cut_metadata;
pub use epochs::{leader_epoch, leader_epochs, metadata, positions, set_leader_epoch};
pub use giving_up::{give_up, leave_process};
pub use headers::for_each_header;
pub use offsets::{Marked, Which, fetched_high};
pub use produce::{Outgoing, ReportBell, TopicHandle, produce};
pub use rousing::{Login, rouse};
