//! The rounds as a picture: how many records each contender makes, and which of its threads a record costs.

use std::fmt::Write as _;

use super::table::{Result, least, median, middle, most};
use super::usage::Usage;

const WIDTH: f64 = 900.0;
const LABELS: f64 = 170.0;
const ROW: f64 = 34.0;
const BAR: f64 = 20.0;
const TOP: f64 = 58.0;

/// What a thread does, and its colour: such as can be told apart by whoever sees few colours.
const ROLES: [(&str, &str); 6] = [
    ("the producer's broker thread, which packs", "#0072b2"),
    ("workers, which normalize", "#009e73"),
    ("engine", "#e69f00"),
    ("the limit's one thread", "#f0c75e"),
    ("the consumer's broker thread", "#cc79a7"),
    ("other", "#8c8c8c"),
];

/// By the names that Linux shows; of the threads of the broker, the one that packs works most.
fn role(thread: &str, packs: bool) -> usize {
    match thread {
        _ if packs => 0,
        _ if thread.starts_with("worker ") => 1,
        _ if thread.starts_with("engine ") => 2,
        _ if thread.starts_with("pipeline-") => 3,
        _ if thread.starts_with(OF_THE_BROKER) => 4,
        _ => 5,
    }
}

const OF_THE_BROKER: &str = "rdk:broker1 ";

/// Microseconds of CPU a record, by role: medians of the rounds.
fn by_role(results: &[Result], records: u64) -> [f64; ROLES.len()] {
    let rounds: Vec<_> = results.iter().map(|result| of_round(&result.usage)).collect();
    std::array::from_fn(|role| middle(rounds.iter().map(|seconds| seconds[role]).collect()) / records as f64 * 1e6)
}

/// Seconds by role.
fn of_round(usage: &Usage) -> [f64; ROLES.len()] {
    let of_the_broker = usage.threads.iter().filter(|(name, _)| name.starts_with(OF_THE_BROKER));
    let packs = of_the_broker.map(|(_, seconds)| *seconds).fold(0.0, f64::max);
    let mut roles = [0.0; ROLES.len()];
    for (name, seconds) in &usage.threads {
        roles[role(name, name.starts_with(OF_THE_BROKER) && *seconds >= packs)] += seconds;
    }
    // Threads that have ended are in no list.
    let ended = usage.cpu_seconds - usage.threads.iter().map(|(_, seconds)| seconds).sum::<f64>();
    roles[ROLES.len() - 1] += ended.max(0.0);
    roles
}

/// As SVG.
pub fn drawn(contenders: &[(String, Vec<Result>)], records: u64, title: &str) -> String {
    let panel = contenders.len() as f64 * ROW + TOP;
    let legend = ROLES.len() as f64 / 2.0 * 18.0 + 20.0;
    let height = 2.0 * panel + legend;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\" \
         fill=\"#222\">\n<title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let rates: Vec<_> = contenders
        .iter()
        .map(|(name, results)| {
            let rate = |result: &Result| result.rate;
            (name.as_str(), median(results, rate), least(results, rate), most(results, rate))
        })
        .collect();
    let scale = (WIDTH - LABELS - 110.0) / rates.iter().map(|(_, _, _, most)| *most).fold(1.0, f64::max);
    text(
        &mut svg,
        (10.0, 24.0),
        &format!("records a second ({title}; the line goes from the least to the most)"),
        "700",
    );
    for (at, (name, median, least, most)) in rates.iter().enumerate() {
        let y = at as f64 * ROW + TOP - 20.0;
        text(&mut svg, (10.0, y + 15.0), name, "400");
        bar(&mut svg, (LABELS, y), median * scale, ROLES[0].1);
        let (from, to) = (LABELS + least * scale, LABELS + most * scale);
        let _ =
            writeln!(svg, "<path d=\"M{from:.0} {0:.0}H{to:.0}\" stroke=\"#222\" stroke-width=\"2\"/>", y + BAR / 2.0);
        text(&mut svg, (to + 8.0, y + 15.0), &format!("{median:.0}"), "400");
    }
    let prices: Vec<_> = contenders.iter().map(|(name, results)| (name.as_str(), by_role(results, records))).collect();
    let scale = (WIDTH - LABELS - 110.0) / prices.iter().map(|(_, roles)| roles.iter().sum()).fold(1.0, f64::max);
    text(&mut svg, (10.0, panel + 24.0), "microseconds of CPU a record, by thread", "700");
    for (at, (name, roles)) in prices.iter().enumerate() {
        let y = panel + at as f64 * ROW + TOP - 20.0;
        text(&mut svg, (10.0, y + 15.0), name, "400");
        let mut x = LABELS;
        for (microseconds, (_, colour)) in roles.iter().zip(ROLES) {
            bar(&mut svg, (x, y), microseconds * scale, colour);
            x += microseconds * scale;
        }
        text(&mut svg, (x + 8.0, y + 15.0), &format!("{:.1}", roles.iter().sum::<f64>()), "400");
    }
    for (at, (name, colour)) in ROLES.iter().enumerate() {
        let (x, y) = (10.0 + (at % 2) as f64 * WIDTH / 2.0, 2.0 * panel + (at / 2) as f64 * 18.0 + 6.0);
        let _ = writeln!(svg, "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        text(&mut svg, (x + 18.0, y + 11.0), name, "400");
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(svg: &mut String, (x, y): (f64, f64), width: f64, colour: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>");
}

fn text(svg: &mut String, (x, y): (f64, f64), words: &str, weight: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.0}\" y=\"{y:.0}\" font-weight=\"{weight}\">{words}</text>");
}
