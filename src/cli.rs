//! The command line: clap types and help texts, no behaviour.
//!
//! ```
//! use clap::Parser;
//! use messagetrace_ecs::cli::{Cli, Command};
//!
//! let cli = Cli::try_parse_from(["messagetrace-ecs", "run", "--until-end", "--set", "input.start=latest"])?;
//! assert!(matches!(cli.command, Command::Run(_)));
//! assert_eq!(cli.layers().sets, ["input.start=latest"]);
//! # Ok::<(), clap::Error>(())
//! ```

pub mod dlq;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::config::{Flag, Layers};
use crate::text::whole;
use crate::time_range::TimeBound;

/// Normalizes Exchange Online MessageTrace records from Kafka into Elastic Common Schema events.
#[derive(Debug, Parser)]
#[command(name = "messagetrace-ecs", version = version(), propagate_version = true, max_term_width = 100)]
#[command(after_help = "Example:\n  messagetrace-ecs demo")]
pub struct Cli {
    #[command(flatten)]
    pub layers: LayerArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Where settings come from, beside the defaults and the environment.
#[derive(Args, Clone, Debug, Default)]
pub struct LayerArgs {
    /// Configuration file (TOML); may be repeated, later files win [default: the files in MESSAGETRACE_ECS_CONFIG, with commas
    /// between them].
    // An id of its own: under the same one as a command's files, clap would leave the flag out of that command.
    #[arg(id = "config", long = "config", value_name = "FILE", global = true)]
    pub files: Vec<PathBuf>,
    /// One setting, over files and environment: --set pipeline.workers=4
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    pub sets: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service: input topic to output topic and dead letters.
    #[command(after_help = "Example:\n  messagetrace-ecs run --config /etc/messagetrace-ecs.toml")]
    Run(RunArgs),
    /// Show the whole pipeline on an embedded broker; nothing to install.
    #[command(after_help = "Example:\n  messagetrace-ecs demo --records 50000")]
    Demo(DemoArgs),
    /// Normalize files or standard input, without Kafka.
    #[command(after_help = "Example:\n  messagetrace-ecs normalize --profile ecs export.jsonl")]
    Normalize(NormalizeArgs),
    /// Validate the configuration: all problems at once.
    #[command(after_help = "Example:\n  messagetrace-ecs check --config /etc/messagetrace-ecs.toml")]
    Check(CheckArgs),
    /// Prove from the topics that every record's fate came out once; changes nothing, beside a running service too.
    #[command(after_help = "Example:\n  messagetrace-ecs audit --from 2026-01-31T00:00:00Z --content")]
    Audit(AuditArgs),
    /// Print the effective configuration and where each value came from.
    #[command(after_help = "Example:\n  messagetrace-ecs config --set pipeline.workers=4")]
    Config(ConfigArgs),
    /// Show the topics of the configuration, and what is wrong with them; create those that are missing.
    #[command(after_help = "Example:\n  messagetrace-ecs topics --create --partitions 12")]
    Topics(TopicsArgs),
    /// Work on the dead letters: count, list, show, compare, export, send back, serve as web pages.
    #[command(after_help = "Example:\n  messagetrace-ecs dlq stats --from 24h")]
    Dlq(dlq::DlqArgs),
    /// Ask the running service whether it is ready.
    #[command(after_help = "Example:\n  messagetrace-ecs healthcheck --set http.listen=127.0.0.1:8080")]
    Healthcheck,
    /// Print the completions for a shell.
    #[command(after_help = "Example:\n  messagetrace-ecs completions bash > /etc/bash_completion.d/messagetrace-ecs")]
    Completions(CompletionsArgs),
    /// Print the manual page.
    #[command(after_help = "Example:\n  messagetrace-ecs man | man -l -")]
    Man,
}

impl Command {
    /// The short flags of commands that map.
    fn mapping(&self) -> Option<&MappingArgs> {
        match self {
            Self::Run(args) => Some(&args.mapping),
            Self::Demo(args) => Some(&args.mapping),
            Self::Normalize(args) => Some(&args.mapping),
            Self::Dlq(args) => args.command.mapping(),
            Self::Audit(args) => Some(&args.mapping),
            Self::Check(_)
            | Self::Config(_)
            | Self::Topics(_)
            | Self::Healthcheck
            | Self::Completions(_)
            | Self::Man => None,
        }
    }
}

impl Cli {
    /// Where settings come from, the short flags of the command included.
    pub fn layers(&self) -> Layers {
        let LayerArgs { files, sets } = self.layers.clone();
        Layers { files, sets, flags: self.command.mapping().map(MappingArgs::flags).unwrap_or_default() }
    }

    /// Where settings would come from, if this were a call of the service that can be read.
    pub fn layers_of_service(arguments: impl IntoIterator<Item = OsString>) -> Option<Layers> {
        let read = Self::command().ignore_errors(true).try_get_matches_from(arguments).ok()?;
        let (_, of_command) = read.subcommand().filter(|(name, _)| *name == "run")?;
        let LayerArgs { files, sets } = LayerArgs::from_arg_matches(of_command).unwrap_or_default();
        Some(Layers { files, sets, flags: Vec::new() })
    }
}

/// Our version and that of the library that talks to Kafka: whoever reports a problem names both.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
        format!("{} (librdkafka {librdkafka})", env!("CARGO_PKG_VERSION"))
    });
    &VERSION
}

/// Short forms of the mapping's settings.
#[derive(Args, Clone, Debug, Default)]
pub struct MappingArgs {
    /// The mapping to use [default: sekoia, or normalize.profile].
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<ProfileArg>,
    /// One of our own mail domains, example.com or *.example.com; may be repeated.
    #[arg(long = "local-domain", value_name = "DOMAIN")]
    pub local_domains: Vec<String>,
}

impl MappingArgs {
    fn flags(&self) -> Vec<Flag> {
        let profile = self.profile.map(|profile| {
            let value = match profile {
                ProfileArg::Sekoia => "sekoia",
                ProfileArg::Ecs => "ecs",
            };
            Flag { name: "--profile", key: "normalize.profile", value: value.to_owned() }
        });
        let domains = (!self.local_domains.is_empty()).then(|| Flag {
            name: "--local-domain",
            key: "ecs.local_domains",
            value: self.local_domains.join(","),
        });
        profile.into_iter().chain(domains).collect()
    }
}

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell to complete for.
    pub shell: clap_complete::Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    Sekoia,
    Ecs,
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Also ask the brokers: topics, permissions, limits, versions.
    #[arg(long)]
    pub connect: bool,
}

#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// Print the JSON schema of the configuration instead.
    #[arg(long)]
    pub schema: bool,
}

#[derive(Args, Debug)]
pub struct TopicsArgs {
    /// Create the topics that are missing; those that are there stay as they are.
    #[arg(long)]
    pub create: bool,
    /// Partitions of each topic that is created [default: as many as the input has, or 6].
    #[arg(long, value_name = "N", requires = "create")]
    #[arg(value_parser = |text: &str| whole::<i32>(text, 1, i32::MAX))]
    pub partitions: Option<i32>,
    /// Replicas of each topic that is created [default: 3, or as many as there are brokers].
    #[arg(long, value_name = "N", requires = "create")]
    #[arg(value_parser = |text: &str| whole::<i32>(text, 1, 32_767))]
    pub replication_factor: Option<i32>,
}

#[derive(Args, Debug)]
pub struct AuditArgs {
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// Input records from this time on: RFC 3339, or how long ago (30m, 24h, 7d) [default: all there ever were].
    #[arg(long, value_name = "TIME", value_parser = TimeBound::parse)]
    pub from: Option<TimeBound>,
    /// Input records before this time [default: all that the group has committed].
    #[arg(long, value_name = "TIME", value_parser = TimeBound::parse)]
    pub to: Option<TimeBound>,
    /// One of the input topics.
    #[arg(long)]
    pub topic: Option<String>,
    /// One of its partitions.
    #[arg(long, value_name = "P")]
    #[arg(value_parser = |text: &str| whole::<i32>(text, 0, i32::MAX))]
    pub partition: Option<i32>,
    /// The first offset of that partition.
    #[arg(long, value_name = "N", requires = "partition")]
    #[arg(value_parser = |text: &str| whole::<i64>(text, 0, i64::MAX))]
    pub from_offset: Option<i64>,
    /// The first offset of that partition that is not looked at any more.
    #[arg(long, value_name = "N", requires = "partition")]
    #[arg(value_parser = |text: &str| whole::<i64>(text, 0, i64::MAX))]
    pub to_offset: Option<i64>,
    /// Also compare the bytes of every event, and the kind of every dead letter, with this binary's mapping.
    #[arg(long)]
    pub content: bool,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs; the documentation of each command names the keys.
    Json,
}

#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// Stop once everything that was there at the start is sealed.
    #[arg(long)]
    pub until_end: bool,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// Records to produce.
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    #[arg(value_parser = |text: &str| whole::<u64>(text, 0, u64::MAX))]
    pub records: u64,
    #[command(subcommand)]
    pub command: Option<DemoCommand>,
}

#[derive(Debug, Subcommand)]
pub enum DemoCommand {
    /// Produce the same stream to the configured input topic of a real cluster.
    #[command(after_help = "Example:\n  messagetrace-ecs demo feed --records 100000 --rate 2000")]
    Feed(FeedArgs),
}

#[derive(Args, Debug)]
pub struct FeedArgs {
    /// Records to produce.
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    #[arg(value_parser = |text: &str| whole::<u64>(text, 0, u64::MAX))]
    pub records: u64,
    /// Records a second; as fast as the cluster takes them when not given.
    #[arg(long, value_name = "R")]
    #[arg(value_parser = |text: &str| whole::<u32>(text, 1, u32::MAX))]
    pub rate: Option<u32>,
}

#[derive(Args, Debug)]
pub struct NormalizeArgs {
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// One JSON object a line for everything: events, rejections, skipped records.
    #[arg(long)]
    pub outcomes: bool,
    /// Take each file as one record, as it lies there, instead of each line of its text.
    #[arg(long)]
    pub whole: bool,
    /// Files to read, a directory for the files in it; packed ones are unpacked. Standard input when there is none, or for "-".
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
