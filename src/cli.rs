//! The command line: clap types and help texts, no behaviour.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Normalizes Exchange Online MessageTrace records from Kafka into Elastic Common Schema events.
#[derive(Debug, Parser)]
#[command(name = "messagetrace-ecs", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Example:\n  messagetrace-ecs demo")]
pub struct Cli {
    #[command(flatten)]
    pub layers: Layers,
    #[command(subcommand)]
    pub command: Command,
}

/// Where settings come from, beside the defaults and the environment.
#[derive(Args, Clone, Debug, Default)]
pub struct Layers {
    /// Configuration file (TOML); may be repeated, later files win.
    #[arg(long = "config", value_name = "FILE", global = true)]
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
    Check,
    /// Print the effective configuration and where each value came from.
    #[command(after_help = "Example:\n  messagetrace-ecs config --set pipeline.workers=4")]
    Config,
    /// Ask the running service whether it is ready.
    #[command(after_help = "Example:\n  messagetrace-ecs healthcheck --set http.listen=127.0.0.1:8080")]
    Healthcheck,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    Sekoia,
    Ecs,
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
pub struct DemoArgs {
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// Records to produce.
    #[arg(long, default_value_t = 200_000)]
    pub records: u64,
}

#[derive(Args, Debug)]
pub struct NormalizeArgs {
    #[command(flatten)]
    pub mapping: MappingArgs,
    /// One JSON object a line for everything: events, rejections, skipped records.
    #[arg(long)]
    pub outcomes: bool,
    /// Take each file as one record instead of each line.
    #[arg(long)]
    pub whole: bool,
    /// Files to read; standard input when there is none, or for "-".
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
