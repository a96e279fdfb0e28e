//! The pages, one file each, and what several of them show.

pub mod calls;
pub mod chart;
pub mod content;
pub mod letter;
pub mod list;
pub mod neighbour;
pub mod overview;
pub mod parts;
pub mod past;
