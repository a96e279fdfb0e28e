//! The commands that people run beside the service, on a real Kafka; and the judge of all these tests under judgement.

mod audit;
mod audit_report;
mod check;
mod dlq;
mod follow;
mod judge;
mod late;
mod letters;
#[path = "../packers/mod.rs"]
mod packers;
mod repair;
mod replay;
mod scan;
mod several;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod topics;
