//! A setting's value in one of the forms that settings have.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Start;
use super::types::{ByteSize, Properties, Secret};

/// A value that has the form its setting asks for.
#[derive(Clone, Debug)]
pub enum Typed {
    Text(String),
    Secret(Secret),
    Path(PathBuf),
    List(Vec<String>),
    Properties(Properties),
    Flag(bool),
    /// `None` is `auto`.
    Count(Option<u64>),
    Size(ByteSize),
    Duration(Duration),
    Ratio(f64),
    /// Position among the names of the form.
    Choice(usize, &'static str),
    Start(Start),
    Listen(SocketAddr),
}

impl Typed {
    /// Whether it is shown otherwise than it is.
    pub fn holds_a_secret(&self) -> bool {
        match self {
            Self::Secret(..) => true,
            Self::Properties(properties) => {
                properties.into_iter().any(|(name, value)| Properties::shown(name, value) != *value)
            }
            _ => false,
        }
    }
}
