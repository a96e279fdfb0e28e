//! Dead letters as a collection: selected and read ([`read`]), counted ([`tally`]), judged by today's mapping ([`verdict`]),
//! shown ([`view`], [`value`]), sent back ([`replay`]) and served as web pages ([`web`]). One letter alone, as it stands in its
//! topic, is the affair of [`crate::dead_letter`].

pub mod coordinates;
pub mod diff;
pub mod export;
mod json;
pub mod list;
mod read;
pub mod replay;
pub mod select;
pub mod show;
mod sink;
pub mod stats;
mod tally;
mod value;
mod verdict;
mod view;
pub mod web;
