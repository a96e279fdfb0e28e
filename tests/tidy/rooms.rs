//! The rooms of `src/`, on which floor each lies, and which it may look into. ARCHITECTURE.md draws the same table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::File;
use super::imports::Imports;

/// A room, and the rooms that its files may name.
pub type Room = (&'static str, &'static [&'static str]);

/// From the ground up: a room names rooms that stand before it and no other, so that none is above itself.
pub const ROOMS: [Room; 17] = [
    ("mutants", &[]),
    ("text", &[]),
    ("time_range", &[]),
    ("record", &[]),
    ("http", &[]),
    ("terminal", &["text"]),
    ("normalize", &[]),
    ("normalize_files", &["normalize", "text"]),
    ("dead_letter", &["normalize", "record"]),
    ("config", &["dead_letter", "normalize", "text"]),
    ("telemetry", &["config", "http", "normalize", "text"]),
    ("kafka", &["config", "record"]),
    ("audit", &["config", "dead_letter", "kafka", "normalize", "record", "text"]),
    ("demo", &["config", "dead_letter", "normalize", "record", "text"]),
    ("pipeline", &["config", "dead_letter", "kafka", "mutants", "normalize", "record", "telemetry"]),
    (
        "letters",
        &[
            "config",
            "dead_letter",
            "http",
            "kafka",
            "normalize",
            "pipeline",
            "record",
            "terminal",
            "text",
            "time_range",
        ],
    ),
    ("cli", &["config", "letters", "text", "time_range"]),
];

/// Above all of them: what was asked, the call into a room, how it is printed.
pub const TOP: &str = "commands";

/// What stands in the code and not in the table, and the other way round.
pub fn findings(imports: &Imports) -> Vec<String> {
    let mut findings = Vec::new();
    let mut known = BTreeSet::new();
    for (room, may) in ROOMS {
        findings.extend(
            may.iter().filter(|below| !known.contains(**below)).map(|below| format!("{room} stands below {below}")),
        );
        known.insert(room);
        let named = named(imports, room);
        for (file, other) in &named {
            if !may.contains(&other.as_str()) {
                findings.push(format!("{file} names {other}, and {room} may not"));
            }
        }
        let unused = may.iter().filter(|below| !named.iter().any(|(_, other)| other == *below));
        findings.extend(unused.map(|below| format!("{room} does not name {below} any more: take it out of the table")));
    }
    let rooms: BTreeSet<_> = imports.keys().map(|module| room_of(module)).collect();
    let unknown = rooms.into_iter().filter(|room| *room != TOP && !known.contains(room));
    findings.extend(unknown.map(|room| format!("{room} is no room of the table")));
    findings
}

/// The other rooms that files of a room name.
fn named<'i>(imports: &'i Imports, room: &str) -> Vec<(&'i String, String)> {
    let of_room = imports.iter().filter(|(module, _)| room_of(module) == room);
    let others = of_room.flat_map(|(module, named)| named.iter().map(move |named| (module, room_of(named).to_owned())));
    others.filter(|(_, other)| other != room).collect()
}

fn room_of(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// The table as ARCHITECTURE.md shows it: from the top, with the first sentence of each room.
pub fn drawn(files: &[File]) -> String {
    let mut drawn = String::from("| room | what it is | looks into |\n| --- | --- | --- |\n");
    let _ = writeln!(drawn, "| `{TOP}` | {} | all below |", sentence(files, TOP));
    for (room, below) in ROOMS.iter().rev() {
        let below: Vec<_> = below.iter().map(|below| format!("`{below}`")).collect();
        let below = if below.is_empty() { "nothing".to_owned() } else { below.join(" ") };
        let _ = writeln!(drawn, "| `{room}` | {} | {below} |", sentence(files, room));
    }
    drawn
}

/// The first sentence of a room, as its front says it.
fn sentence(files: &[File], room: &str) -> String {
    let fronts = [format!("src/{room}.rs"), format!("src/{room}/mod.rs")];
    let front = files.iter().find(|file| fronts.contains(&file.path)).map_or("", |file| file.text.as_str());
    let words: Vec<_> = front.lines().map_while(|line| line.strip_prefix("//! ")).collect();
    let words = words.join(" ");
    let end = words.find(". ").unwrap_or_else(|| words.trim_end_matches('.').len());
    words[..end].to_owned()
}
