//! The rounds as a picture: how many records each contender makes, and which of its threads a record costs.

use std::fmt::Write as _;

use super::table::{Result, least, median, middle, most};
use super::usage::Usage;

const WIDTH: f64 = 900.0;
/// Where bars begin, and how long they are at most: names stand before them, numbers behind.
const LEFT: f64 = 170.0;
const LONGEST: f64 = 620.0;
/// From one row to the next, and the height of its bar.
const ROW: f64 = 34.0;
const BAR: f64 = 20.0;
/// Of a panel's heading, and of a line of the legend.
const HEADING: f64 = 58.0;
const LEGEND: f64 = 26.0;

/// What a thread does, by the name that Linux shows; in colours that can be told apart by whoever sees few.
struct Role {
    threads: &'static str,
    label: &'static str,
    colour: &'static str,
}

const fn role(threads: &'static str, label: &'static str, colour: &'static str) -> Role {
    Role { threads, label, colour }
}

/// Who is none of the others is the last.
const ROLES: [Role; 6] = [
    role("rdk:broker1 ", "the producer's broker thread, which packs", "#0072b2"),
    role("worker ", "workers, which normalize", "#009e73"),
    role("engine ", "engine", "#e69f00"),
    role("pipeline-", "the limit's one thread", "#f0c75e"),
    role("rdk:broker1 ", "the consumer's broker thread", "#cc79a7"),
    role("", "other", "#8c8c8c"),
];
const PACKS: usize = 0;
const FETCHES: usize = 4;
const OTHER: usize = 5;

/// Seconds by role.
fn of_round(usage: &Usage) -> [f64; ROLES.len()] {
    let known = |name: &str| ROLES.iter().position(|role| name.starts_with(role.threads)).unwrap_or(OTHER);
    let of_the_broker = usage.threads.iter().filter(|(name, _)| known(name) == PACKS);
    let most = of_the_broker.map(|(_, seconds)| *seconds).fold(0.0, f64::max);
    let mut roles = [0.0; ROLES.len()];
    for (name, seconds) in &usage.threads {
        // The two have one name, and the one that packs works more.
        let role = if known(name) == PACKS && *seconds < most { FETCHES } else { known(name) };
        roles[role] += seconds;
    }
    // Threads that have ended are in no list.
    roles[OTHER] += (usage.cpu_seconds - roles.iter().sum::<f64>()).max(0.0);
    roles
}

/// Microseconds of CPU a record, by role: medians of the rounds.
fn by_role(results: &[Result], records: u64) -> [f64; ROLES.len()] {
    let rounds: Vec<_> = results.iter().map(|result| of_round(&result.usage)).collect();
    std::array::from_fn(|role| middle(rounds.iter().map(|seconds| seconds[role]).collect()) / records as f64 * 1e6)
}

/// As SVG.
pub fn drawn(contenders: &[(String, Vec<Result>)], records: u64, title: &str) -> String {
    let rate = |result: &Result| result.rate;
    let prices: Vec<_> = contenders.iter().map(|(_, results)| by_role(results, records)).collect();
    let panel = contenders.len() as f64 * ROW + HEADING;
    let height = 2.0 * panel + ROLES.len() as f64 / 2.0 * LEGEND + 20.0;
    let mut svg = Svg(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\" \
         fill=\"#222\">\n<title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    ));
    svg.text(10.0, 24.0, "700", &format!("records a second ({title}; the line goes from the least to the most)"));
    svg.text(10.0, panel + 24.0, "700", "microseconds of CPU a record, by thread");
    let rates = contenders.iter().map(|(_, results)| most(results, rate));
    let a_record = LONGEST / rates.fold(1.0, f64::max);
    let a_microsecond = LONGEST / prices.iter().map(|roles| roles.iter().sum()).fold(1.0, f64::max);
    for (at, ((name, results), roles)) in contenders.iter().zip(&prices).enumerate() {
        let y = at as f64 * ROW + HEADING - BAR;
        let number = median(results, rate);
        svg.text(10.0, y + 15.0, "400", name);
        svg.bar(LEFT, y, number * a_record, ROLES[PACKS].colour);
        let (from, to) = (LEFT + least(results, rate) * a_record, LEFT + most(results, rate) * a_record);
        svg.line(from, to, y + BAR / 2.0);
        svg.text(to + 8.0, y + 15.0, "400", &format!("{number:.0}"));

        let (y, mut x) = (y + panel, LEFT);
        svg.text(10.0, y + 15.0, "400", name);
        for (microseconds, role) in roles.iter().zip(&ROLES) {
            svg.bar(x, y, microseconds * a_microsecond, role.colour);
            x += microseconds * a_microsecond;
        }
        svg.text(x + 8.0, y + 15.0, "400", &format!("{:.1}", roles.iter().sum::<f64>()));
    }
    for (at, role) in ROLES.iter().enumerate() {
        let (x, y) = (10.0 + (at % 2) as f64 * WIDTH / 2.0, 2.0 * panel + (at / 2) as f64 * LEGEND);
        svg.bar(x, y, 12.0, role.colour);
        svg.text(x + 18.0, y + 15.0, "400", role.label);
    }
    svg.0 + "</svg>\n"
}

struct Svg(String);

// Writing to a string cannot fail.
impl Svg {
    fn bar(&mut self, x: f64, y: f64, width: f64, colour: &str) {
        let _ = writeln!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
        );
    }

    fn line(&mut self, from: f64, to: f64, y: f64) {
        let _ = writeln!(self.0, "<path d=\"M{from:.0} {y:.0}H{to:.0}\" stroke=\"#222\" stroke-width=\"2\"/>");
    }

    fn text(&mut self, x: f64, y: f64, weight: &str, words: &str) {
        let _ = writeln!(self.0, "<text x=\"{x:.0}\" y=\"{y:.0}\" font-weight=\"{weight}\">{words}</text>");
    }
}
