//! The fuzz targets' view of the project: the mapping and its judges by their source files, so that nothing of Kafka has to
//! be built under the fuzzer. What a target does with its bytes stands in `tests/targets`, where the tests replay the seeds.
//!
//! From the root of the project: `cargo +nightly fuzz run structured fuzz/corpus/structured fuzz/seeds/structured`. What it
//! finds becomes a seed or, better, a case in `tests/corpus` with its smallest input.

#[path = "../../src/dead_letter/mod.rs"]
pub mod dead_letter;
#[path = "../../src/normalize/mod.rs"]
pub mod normalize;
#[path = "../../src/record.rs"]
pub mod record;

#[path = "../../tests/ecs_fields/mod.rs"]
pub mod ecs_fields;
#[path = "../../tests/plain/mod.rs"]
pub mod plain;
#[path = "../../tests/referee/mod.rs"]
pub mod referee;
#[path = "../../tests/shapes/mod.rs"]
pub mod shapes;
#[path = "../../tests/targets/mod.rs"]
pub mod targets;
