//! The command line of `dlq`: which dead letters, and what to do with them.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};

use super::{MappingArgs, Output};
use crate::letters::coordinates::Written;
use crate::letters::repair::Repair;
use crate::letters::replay::{MAX_ATTEMPTS, Rate, Timestamp};
use crate::letters::select::SelectionArgs;
use crate::letters::topics::Pattern;
use crate::text::whole;

#[derive(Args, Debug)]
pub struct DlqArgs {
    /// Look at this topic instead of the configured one; may be repeated, and * stands for any characters.
    #[arg(long = "dead-letters", value_name = "TOPIC", global = true, value_parser = Pattern::parse)]
    pub dead_letters: Vec<Pattern>,
    #[command(subcommand)]
    pub command: DlqCommand,
}

#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Count dead letters by kind and fingerprint, and by hour.
    #[command(after_help = "Example:\n  messagetrace-ecs dlq stats --from 24h")]
    Stats(ReadArgs),
    /// List dead letters, one a line, partition by partition in the order of their offsets, or the newest first.
    #[command(after_help = "Example:\n  messagetrace-ecs dlq list --from 1h --kind missing_field --newest-first")]
    List(ListArgs),
    /// Show one dead letter whole, and what the mapping says about it now.
    #[command(after_help = "Example:\n  messagetrace-ecs dlq show 3:1234")]
    Show(ShowArgs),
    /// Run dead letters through this mapping: which would be taken now, which would fail, and how.
    #[command(
        after_help = "Example:\n  messagetrace-ecs dlq diff --kind payload_too_large --set input.max_payload_bytes=16MiB"
    )]
    Diff(DiffArgs),
    /// Write dead letters as JSON, one object a line.
    #[command(after_help = "Examples:\n  messagetrace-ecs dlq export --from 2026-03-01T00:00:00Z > letters.jsonl\n  \
                      messagetrace-ecs dlq export --format ecs --follow --group letters-to-index")]
    Export(ExportArgs),
    /// Send dead letters back to where they were read. Says only what would happen, unless --execute.
    #[command(after_help = "Examples:\n  messagetrace-ecs dlq replay --kind payload_too_large --execute\n  \
                      messagetrace-ecs dlq replay --fingerprint 9f86d081884c7d65 --repair 'cast /Size=integer'")]
    Replay(ReplayArgs),
    /// Show dead letters as web pages on this machine; changes nothing.
    #[command(after_help = "Example:\n  messagetrace-ecs dlq serve --listen 127.0.0.1:8081")]
    Serve(ServeArgs),
}

impl DlqCommand {
    /// The short flags of commands that map.
    pub fn mapping(&self) -> Option<&MappingArgs> {
        match self {
            Self::Show(args) => Some(&args.mapping),
            Self::Diff(args) => Some(&args.mapping),
            Self::Replay(args) => Some(&args.mapping),
            Self::Serve(args) => Some(&args.mapping),
            Self::Stats(_) | Self::List(_) | Self::Export(_) => None,
        }
    }
}

#[derive(Args, Debug)]
pub struct ReadArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Args, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    pub read: ReadArgs,
    /// The newest first; without --limit the newest 1000.
    #[arg(long)]
    pub newest_first: bool,
}

#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Partition and offset in the dead-letter topic, as `dlq list` prints them.
    #[arg(value_name = "P:O", value_parser = Written::parse)]
    pub place: Written,
    /// All of a long value, not only what surrounds the failing place.
    #[arg(long)]
    pub full: bool,
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Args, Debug)]
pub struct DiffArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Mend letters of this cause: 'set PATH=JSON', 'remove PATH', 'rename PATH=KEY', 'cast PATH=string|integer', PATH a
    /// JSON Pointer into the value; may be repeated, in the order given.
    #[arg(long = "repair", value_name = "REPAIR", requires = "fingerprints", value_parser = Repair::parse)]
    pub repairs: Vec<Repair>,
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Everything of each letter, or documents of the Elastic Common Schema.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Go on as letters come, until a signal.
    #[arg(long)]
    pub follow: bool,
    /// Keep in this group how far it came, so that the same call goes on there.
    #[arg(long, value_name = "NAME", requires = "follow", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub group: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Json,
    Ecs,
}

#[derive(Args, Debug)]
pub struct ReplayArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Mend letters of this cause: 'set PATH=JSON', 'remove PATH', 'rename PATH=KEY', 'cast PATH=string|integer', PATH a
    /// JSON Pointer into the value; may be repeated, in the order given.
    #[arg(long = "repair", value_name = "REPAIR", requires = "fingerprints", value_parser = Repair::parse)]
    pub repairs: Vec<Repair>,
    /// Send to this topic, by key, instead of the topic and partition where the record was read.
    #[arg(long, value_name = "TOPIC")]
    pub to_topic: Option<String>,
    /// Really send; without it nothing is written and no progress is made.
    #[arg(long)]
    pub execute: bool,
    /// Skip what failed so often already.
    #[arg(long, value_name = "N", default_value_t = MAX_ATTEMPTS)]
    #[arg(value_parser = |text: &str| whole::<u64>(text, 1, u64::MAX))]
    pub max_attempts: u64,
    /// The time of the records: their own, or that of the sending, for records that are too old for their topic.
    #[arg(long, value_enum, default_value_t)]
    pub timestamp: Timestamp,
    /// At most so many a second, like 100/s.
    #[arg(long, value_name = "N/s", value_parser = Rate::parse)]
    pub rate: Option<Rate>,
    // The dry run of a repair says what the mapping makes of it.
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Address and port of this machine alone; port 0: any free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081", value_parser = loopback)]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub mapping: MappingArgs,
}

/// The pages show what was in people's mail, and ask nobody who they are.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let form = "write an address and a port, like 127.0.0.1:8081 or [::1]:8081";
    let address = crate::config::listen_address(text).map_err(|_| form.to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only this machine may read the pages: listen on 127.0.0.1, and reach it from elsewhere by ssh -L or \
             kubectl port-forward"
            .to_owned())
    }
}
