//! The completions in the shells themselves, and the manual: both know every command and every option that there is.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::CommandFactory;
use messagetrace_ecs::cli::Cli;
use tempfile::TempDir;

/// A command by the words that call it, with what may follow.
struct Place {
    words: Vec<String>,
    commands: Vec<String>,
    options: Vec<String>,
}

/// Every command of the command line, the one without a name included.
fn places() -> Vec<Place> {
    let mut command = Cli::command();
    command.build();
    let mut places = Vec::new();
    walk(&command, vec!["messagetrace-ecs".to_owned()], &mut places);
    places
}

fn walk(command: &clap::Command, words: Vec<String>, places: &mut Vec<Place>) {
    let below = || command.get_subcommands().filter(|command| !command.is_hide_set());
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    places.push(Place {
        words: words.clone(),
        commands: below().map(|command| command.get_name().to_owned()).collect(),
        options: shown.filter_map(|argument| argument.get_long()).map(|name| format!("--{name}")).collect(),
    });
    for command in below().filter(|command| command.get_name() != "help") {
        walk(command, [words.clone(), vec![command.get_name().to_owned()]].concat(), places);
    }
}

/// What the program prints.
fn printed(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_messagetrace-ecs")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

struct Script {
    folder: TempDir,
}

impl Script {
    fn of(shell: &str) -> Self {
        let script = Self { folder: TempDir::new().unwrap() };
        std::fs::write(script.path(), printed(&["completions", shell])).unwrap();
        script
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("script")
    }
}

/// The first word of each line that the command prints.
fn offered(command: &mut Command) -> BTreeSet<String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn driver(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shells").join(name)
}

/// Whether the shell offers every command, and every option once the word begins like one.
fn hold(shell: &str, places: &[Place], ask: impl Fn(&[String], &str) -> BTreeSet<String>) {
    for place in places {
        for (begun, expected) in [("", &place.commands), ("--", &place.options)] {
            if expected.is_empty() {
                continue;
            }
            let offered = ask(&place.words, begun);
            let missing: Vec<_> = expected.iter().filter(|word| !offered.contains(*word)).collect();
            assert!(missing.is_empty(), "{shell}: {} {begun}: {missing:?} not in {offered:?}", place.words.join(" "));
        }
    }
}

#[test]
fn bash_completes_every_command_and_option() {
    let script = Script::of("bash");
    hold("bash", &places(), |words, begun| {
        let mut command = Command::new("bash");
        offered(command.arg(driver("bash-completes.bash")).arg(script.path()).args(words).arg(begun))
    });
}

#[test]
fn fish_completes_every_command_and_option() {
    let script = Script::of("fish");
    hold("fish", &places(), |words, begun| {
        let line = format!("{} {begun}", words.join(" "));
        let mut command = Command::new("fish");
        offered(
            command.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]).arg(script.path()).arg(line),
        )
    });
}

/// A terminal and a shell for each question take a second, so a command of each depth stands for the others.
#[test]
fn zsh_completes_commands_and_options_at_every_depth() {
    let script = Script::of("zsh");
    let asked =
        ["messagetrace-ecs", "messagetrace-ecs dlq", "messagetrace-ecs dlq replay", "messagetrace-ecs normalize"];
    let places: Vec<_> = places().into_iter().filter(|place| asked.contains(&place.words.join(" ").as_str())).collect();
    assert_eq!(places.len(), asked.len());
    hold("zsh", &places, |words, begun| {
        let line = format!("{} {begun}", words.join(" "));
        let mut command = Command::new("zsh");
        offered(command.arg("-f").arg(driver("zsh-completes.zsh")).arg(script.path()).arg(line))
    });
}

#[test]
fn the_manual_is_one_page_with_every_command_and_its_options() {
    // A hyphen that must not be broken at, and none in a list of options.
    let page = String::from_utf8(printed(&["man"])).unwrap().replace("\\-", "-");
    let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
    let expected = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "FILES",
        "ENVIRONMENT",
        "EXIT STATUS",
        "EXAMPLES",
        "VERSION",
    ];
    assert_eq!(sections.iter().map(|name| name.trim_matches('"')).collect::<Vec<_>>(), expected);
    let (_, commands) = page.split_once("\n.SH COMMANDS\n").unwrap();
    let (commands, _) = commands.split_once("\n.SH FILES\n").unwrap();
    for place in places().iter().filter(|place| place.words.len() > 1) {
        let name = format!(".SS \"{}\"\n", place.words[1..].join(" "));
        let (_, rest) = commands.split_once(&name).unwrap_or_else(|| panic!("no {name}"));
        let own = rest.split(".SS ").next().unwrap();
        let missing: Vec<_> = place.options.iter().filter(|option| !own.contains(option.as_str())).collect();
        assert!(missing.is_empty(), "{name}: {missing:?} not in {own}");
    }
}

#[test]
fn help_is_a_command_too() {
    for (command, other) in
        [(&["help"][..], &["--help"][..]), (&["help", "dlq", "replay"], &["dlq", "replay", "--help"])]
    {
        assert_eq!(printed(command), printed(other), "{command:?}");
    }
}
