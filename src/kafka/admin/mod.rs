//! The cluster as an administrator sees it: asked over connections that exist ([`cluster`]), its topics looked at ([`topics`],
//! [`limits`], [`fitness`]) and made ([`provision`], as [`creation`] decides), and whether it lets us work ([`admission`]:
//! [`permissions`], [`probe`], and each [`refusal`] in one line with its remedy). [`inspection`] asks for all of it at once.

pub mod admission;
pub mod cluster;
pub mod creation;
pub mod findings;
pub mod fitness;
pub mod fresh;
pub mod inspection;
pub mod limits;
pub mod permissions;
pub mod probe;
pub mod provision;
pub mod refusal;
pub mod topics;
