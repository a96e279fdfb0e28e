//! `demo`: the whole pipeline on an embedded broker, nothing to install. A feeder produces a realistic stream, the service does what
//! it always does, a reader follows along, and the account at the end is compared three ways.
//!
//! ```
//! use messagetrace_ecs::demo::feed::Feed;
//!
//! // The same seed gives the same records, byte for byte.
//! assert!(Feed::new(7, 100).eq(Feed::new(7, 100)));
//! assert_eq!(Feed::new(7, 100).count(), 100);
//! ```

pub mod account;
pub mod broker;
pub mod feed;
pub mod feeder;
pub mod progress;
pub mod reader;
pub mod report;
pub mod traffic;
