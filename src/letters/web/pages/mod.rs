//! The pages, one file each, and what several of them show.

pub mod chart;
pub mod letter;
pub mod list;
pub mod overview;
pub mod parts;
