//! The life of the process: parse the command line, load the configuration, start logging, call one command.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use messagetrace_ecs::cli::{Cli, Command};
use messagetrace_ecs::commands;
use messagetrace_ecs::commands::Exit;
use messagetrace_ecs::config::{Config, Loaded};
use messagetrace_ecs::kafka::clients::out;
use messagetrace_ecs::kafka::ffi;
use messagetrace_ecs::telemetry::logs;
use messagetrace_ecs::terminal;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let lived = live(&cli);
    logs::flush();
    let exit = match lived {
        Ok(exit) => exit,
        Err(error) if terminal::is_closed_pipe(&error) => Exit::Done,
        Err(error) => {
            for problem in commands::problems(&error) {
                tell(&format!("error: {problem}"));
            }
            Exit::Failed
        }
    };
    if out::count() > 0 {
        ffi::leave_process(exit as i32);
    }
    ExitCode::from(exit as u8)
}

fn live(cli: &Cli) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Completions(args) => return commands::completions::run(args),
        Command::Man => return commands::man::run(),
        Command::Config(args) if args.schema => return commands::config::schema(),
        _ => {}
    }
    let loaded = match Config::load(&cli.layers()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            tell(&problems.to_string());
            return Ok(Exit::Usage);
        }
    };
    start_logging(&cli.command, &loaded)?;
    let config = &loaded.config;
    match &cli.command {
        Command::Check(args) => commands::check::run(args, &loaded),
        Command::Config(_) => commands::config::run(&loaded),
        Command::Topics(args) => commands::topics::run(args, config),
        Command::Healthcheck => commands::healthcheck::run(config),
        Command::Demo(args) => commands::demo::run(args, config),
        Command::Run(args) => commands::run::run(args, config),
        Command::Dlq(args) => commands::dlq::run(args, config),
        Command::Normalize(args) => commands::normalize::run(args, config),
        Command::Audit(args) => commands::audit::run(args, config),
        _ => anyhow::bail!("this build leaves the command out"),
    }
}

/// The service logs and repeats its warnings on every start. The commands that print results for people keep quiet,
/// unless somebody asked for more.
fn start_logging(command: &Command, loaded: &Loaded) -> anyhow::Result<()> {
    let mut log = loaded.config.log.clone();
    let is_service = matches!(command, Command::Run(_));
    if !is_service && loaded.is_default("log.level") {
        // What the client library has to say is part of the one line that a look at a topic fails with.
        let is_look = matches!(command, Command::Dlq(_));
        log.level = if is_look { "error,librdkafka=off" } else { "error" }.to_owned();
    }
    logs::init(&log)?;
    if is_service {
        for warning in &loaded.warnings {
            tracing::warn!(key = warning.key, origin = warning.origin, "{}", warning.text);
        }
    }
    Ok(())
}

/// A closed standard error is no reason to fail otherwise.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
