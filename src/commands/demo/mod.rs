//! `demo`: the whole pipeline on an embedded broker, nothing to install.

pub mod feed;
