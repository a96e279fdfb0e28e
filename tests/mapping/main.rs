//! The mapping, by example and by property, and what the tests themselves rest on: no broker and no process is needed.

mod corpus;
mod demo_traffic;
#[path = "../ecs_fields/mod.rs"]
mod ecs_fields;
mod feed_fates;
#[path = "../fixtures/mod.rs"]
mod fixtures;
mod judge;
#[path = "../plain/mod.rs"]
mod plain;
mod properties;
mod record_size;
#[path = "../referee/mod.rs"]
mod referee;
mod reference;
#[path = "../shapes/mod.rs"]
mod shapes;
#[path = "../support/mod.rs"]
mod support;
#[path = "../targets/mod.rs"]
mod targets;

// Where the judges look for them, here and under the fuzzer.
use messagetrace_ecs::{dead_letter, normalize, record};
