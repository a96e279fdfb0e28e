#!/bin/sh
# clap_complete 4.6.11 (clap 4.6.9), from crates.io; bash 5.2.
#
# Guess: the completions that the generator writes for bash offer the subcommands of any program.
#
# Seen: for a program whose name has a hyphen, nothing is offered below the first word. The script that is written notes the
# command under one name (my__tool__subcmd__run) and looks up its words under another (my__subcmd__tool__subcmd__run), so that
# no branch is met: `my-tool run --<TAB>` offers nothing, while `mytool run --<TAB>` offers --fast and --help. fish and zsh are
# not concerned.
#
# Exit 0: still so. Exit 1: it changed. Exit 99: could not be tried.
set -u
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "try"
version = "0.1.0"
edition = "2021"

[dependencies]
clap = "=4.6.9"
clap_complete = "=4.6.11"

[workspace]
TOML
cat >"$work/src/main.rs" <<'RUST'
use clap::{Arg, ArgAction, Command};

fn main() {
    let name: &'static str = std::env::args().nth(1).unwrap().leak();
    let run = Command::new("run").arg(Arg::new("fast").long("fast").action(ArgAction::SetTrue));
    let mut command = Command::new(name).subcommand(run);
    clap_complete::generate(clap_complete::Shell::Bash, &mut command, name, &mut std::io::stdout());
}
RUST
cargo build --quiet --manifest-path "$work/Cargo.toml" --target-dir "$work/target" || exit 99
offered() {
    "$work/target/debug/try" "$1" >"$work/script" || exit 99
    bash -c '
        . "$1"
        function=$(complete -p "$2" | sed "s/.*-F \([^ ]*\).*/\1/")
        COMP_WORDS=("$2" run --) COMP_CWORD=2
        "$function" "$2" -- run
        echo "${COMPREPLY[@]}"' bash "$work/script" "$1"
}
plain=$(offered mytool)
hyphened=$(offered my-tool)
echo "mytool run --: $plain"
echo "my-tool run --: $hyphened"
case "$plain" in *--fast*) ;; *) exit 1 ;; esac
[ -z "$hyphened" ]
