//! Dead letters as a collection. One letter alone, as it stands in its topic, is the affair of [`crate::dead_letter`].
//!
//! In the order in which a letter goes through: [`shelf`] has the [`topics`] it lies in, [`select`] says which are meant, [`left_out`] what that leaves out, and [`read`] reads them, a [`letter`] each, each at its
//! place ([`coordinates`]); what a tool left at the source is fetched there ([`origin`], [`held`]). [`tally`] counts them, [`verdict`] judges them by today's mapping, [`view`], [`value`] and [`lines`] make
//! of one what people see. [`stats`], [`list`], [`diff`], [`show`] and [`history`] are the forms in which that is printed, [`json`] the
//! one for programs, [`ecs`] the one for an index; [`sink`] writes results that come one by one, [`newest`] keeps the newest of them, [`follow`] goes on as letters
//! come, [`progress`] keeps how far that is. [`repair`] mends values, [`replay`] sends letters back, [`web`] serves them as
//! pages, [`stop`] hears the signals of whoever has waited enough.
//!
//! ```
//! use messagetrace_ecs::letters::repair::{Repair, Repairs};
//!
//! let repairs = Repairs::new(&[Repair::parse("cast /Size=integer")?])?;
//! // Every other byte stays.
//! assert_eq!(repairs.apply(Some(br#"{"Size": "17" }"#)), Ok(br#"{"Size": 17 }"#.to_vec()));
//! # Ok::<(), String>(())
//! ```

pub mod coordinates;
pub mod diff;
pub mod ecs;
pub mod follow;
mod held;
pub mod history;
pub mod json;
mod left_out;
mod letter;
mod lines;
pub mod list;
pub mod newest;
mod origin;
pub mod progress;
pub mod read;
pub mod repair;
pub mod replay;
pub mod select;
pub mod shelf;
pub mod show;
pub mod sink;
pub mod stats;
pub mod stop;
pub mod tally;
pub mod topics;
pub mod value;
pub mod verdict;
pub mod view;
pub mod web;
