//! The allocator as the program really runs on it: asked by way of its own environment variable.

#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_allocators_arenas_do_not_follow_the_host_and_freed_memory_goes_back() {
    let told = Command::new(env!("CARGO_BIN_EXE_messagetrace-ecs"))
        .arg("--version")
        .env("MALLOC_CONF", "stats_print:true")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&told.stderr);
    for option in ["opt.narenas: 4\n", "opt.dirty_decay_ms: 1000 ", "opt.muzzy_decay_ms: 0 "] {
        assert!(told.contains(option), "no «{}» in:\n{told}", option.trim());
    }
}
