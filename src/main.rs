//! The life of the process: parse the command line, load the configuration, start logging, call one command.

// A closed standard error or output is no reason to fail, and these panic: `terminal` has what does not.
#![warn(clippy::print_stderr, clippy::print_stdout)]

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::Parser;
use messagetrace_ecs::cli::{Cli, Command};
use messagetrace_ecs::commands;
use messagetrace_ecs::commands::Exit;
use messagetrace_ecs::config::{Config, Loaded, LogFormat};
use messagetrace_ecs::kafka::clients::out;
use messagetrace_ecs::kafka::ffi;
use messagetrace_ecs::telemetry::logs;
use messagetrace_ecs::terminal;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let lived = live(&cli);
    // What was said on the way comes before the end.
    logs::flush();
    let exit = match lived {
        Ok(exit) => exit,
        Err(error) if terminal::is_closed_pipe(&error) => Exit::Done,
        Err(error) => {
            let problems = commands::problems(&error);
            refuse(&cli.command, problems.iter().map(|problem| (format!("error: {problem}"), problem.as_str())));
            Exit::Failed
        }
    };
    logs::flush();
    if out::count() > 0 {
        ffi::leave_process(exit as i32);
    }
    ExitCode::from(exit as u8)
}

/// What is wrong with a call of the service is a line of its log where nobody sits before it. Help, and what is wrong with
/// a command for people, is told as ever.
fn misused(error: &clap::Error) -> ExitCode {
    let is_for_people = !error.use_stderr() || io::stderr().is_terminal();
    if let Some(layers) = Cli::layers_of_service(std::env::args_os()).filter(|_| !is_for_people) {
        // Without a log that can be started it is told as it is.
        let _ = logs::init(&Config::log(&layers));
        if logs::last_word(&commands::misuse(error)) {
            logs::flush();
            return ExitCode::from(Exit::Usage as u8);
        }
    }
    error.exit()
}

fn live(cli: &Cli) -> anyhow::Result<Exit> {
    let with = |run: &dyn Fn(&Loaded) -> anyhow::Result<Exit>| configured(cli, run);
    match &cli.command {
        Command::Completions(args) => commands::completions::run(args),
        Command::Man => commands::man::run(),
        Command::Config(args) if args.schema => commands::config::schema(),
        Command::Healthcheck => healthcheck(cli),
        Command::Check(args) => with(&|loaded| commands::check::run(args, loaded)),
        Command::Config(_) => with(&commands::config::run),
        Command::Topics(args) => with(&|loaded| commands::topics::run(args, &loaded.config)),
        Command::Demo(args) => with(&|loaded| commands::demo::run(args, &loaded.config)),
        Command::Run(args) => with(&|loaded| commands::run::run(args, &loaded.config)),
        Command::Dlq(args) => with(&|loaded| commands::dlq::run(args, &loaded.config)),
        Command::Normalize(args) => with(&|loaded| commands::normalize::run(args, &loaded.config)),
        Command::Audit(args) => with(&|loaded| commands::audit::run(args, &loaded.config)),
    }
}

/// Runs a command with the configuration, once there is one and a log.
fn configured(cli: &Cli, run: &dyn Fn(&Loaded) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    let loaded = match Config::load(&cli.layers()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            if is_service(&cli.command) {
                // Without a log that can be started the problems are told as they are.
                let _ = logs::init(&Config::log(&cli.layers()));
            }
            let text = problems.to_string();
            refuse(&cli.command, text.lines().map(|problem| (problem.to_owned(), problem)));
            return Ok(Exit::Usage);
        }
    };
    start_logging(&cli.command, &loaded)?;
    run(&loaded)
}

/// Asks with what says where the service listens. That something else has become wrong since it started, a secret's file that
/// is not mounted here for one, is no reason to call it sick.
fn healthcheck(cli: &Cli) -> anyhow::Result<Exit> {
    match Config::listen(&cli.layers()) {
        Ok(listen) => commands::healthcheck::run(listen),
        Err(problems) => {
            terminal::tell(&problems.to_string());
            Ok(Exit::Usage)
        }
    }
}

/// The service logs and repeats its warnings on every start. The commands that print results for people keep quiet,
/// unless somebody asked for more.
fn start_logging(command: &Command, loaded: &Loaded) -> anyhow::Result<()> {
    let mut log = loaded.config.log.clone();
    if !is_service(command) {
        // Between results for people a line for machines has no place.
        log.format = LogFormat::Text;
        if loaded.is_default("log.level") {
            // What the client library has to say is part of the one line that a command fails with.
            log.level = "error,librdkafka=off".to_owned();
        }
    }
    logs::init(&log)?;
    if is_service(command) {
        for warning in &loaded.warnings {
            tracing::warn!(key = warning.key, origin = warning.origin, "{}", warning.text);
        }
    }
    Ok(())
}

fn is_service(command: &Command) -> bool {
    matches!(command, Command::Run(_))
}

/// Why nothing comes of the command: in plain words for people, in the log's form where the service was to run. Each
/// problem comes twice, for people and for the log.
fn refuse<'p>(command: &Command, problems: impl Iterator<Item = (String, &'p str)>) {
    for (words, problem) in problems {
        if !is_service(command) || !logs::last_word(problem) {
            terminal::tell(&words);
        }
    }
}
