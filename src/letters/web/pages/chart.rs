//! Letters over time as stacked bars, one colour a cause, each bar a link to its letters; and the same as a table for whoever
//! cannot see them. Pure.

use std::collections::BTreeMap;

use crate::letters::json::time;
use crate::letters::tally::{Bars, Tally, Unit};
use crate::letters::web::filter::Filter;
use crate::letters::web::html::Html;
use crate::terminal::table::{counted, grouped};

/// Causes with a colour of their own; the others share one.
const COLOURS: [&str; 7] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6"];
const OTHERS: &str = "c7";

/// In units of the drawing, which the browser stretches to the room that there is. Words would be stretched with it: they
/// stand beside it.
const STEP: f64 = 10.0;
const HEIGHT: f64 = 100.0;
const BAR: f64 = 8.0;

/// Bars are no wider than if they were so many.
const BARS_MIN: usize = 12;

/// Names of bars below them.
const NAMES: usize = 6;

/// A cause, its colour, and its letters by bar.
struct Layer<'t> {
    cause: &'t str,
    colour: &'static str,
    sums: BTreeMap<i64, u64>,
}

pub fn chart(html: &mut Html, tally: &Tally, filter: &Filter) {
    let Some(bars) = tally.bars() else { return };
    let layers = layers(tally, &bars);
    let unit = bars.unit;
    html.raw("<h2>By ").raw(unit.name()).raw("</h2><figure class=\"chart\">");
    drawing(html, &bars, &layers, filter);
    html.raw("<figcaption><ul class=\"legend\">");
    for layer in &layers {
        html.raw("<li><span class=\"key ").raw(layer.colour).raw("\"></span>").text(layer.cause).raw("</li>");
    }
    html.raw("</ul>");
    if bars.left_out > 0 {
        html.text(&format!("{} before that.", counted(bars.left_out, "letter", "letters")));
    }
    if tally.untimed > 0 {
        let letters = counted(tally.untimed, "letter", "letters");
        html.text(&format!(" {letters} without a time, or of too many different hours."));
    }
    html.raw("</figcaption><details><summary>As a table</summary><table><thead><tr><th scope=\"col\">Begin</th>");
    html.raw("<th scope=\"col\" class=\"number\">Letters</th></tr></thead><tbody>");
    for (at, letters) in &bars.bars {
        html.raw("<tr><td>").text(&unit.label(*at)).raw("</td><td class=\"number\">").text(&grouped(*letters));
        html.raw("</td></tr>");
    }
    html.raw("</tbody></table></details></figure>");
}

/// The causes with the most letters, and the rest as one.
fn layers<'t>(tally: &'t Tally, bars: &Bars) -> Vec<Layer<'t>> {
    let mut rest: BTreeMap<i64, u64> = bars.bars.iter().copied().collect();
    let mut layers = Vec::new();
    for ((cause, hours), colour) in tally.causes_by_hour().into_iter().zip(COLOURS) {
        let mut sums = bars.unit.sums(&hours);
        sums.retain(|at, letters| match rest.get_mut(at) {
            Some(rest) => {
                *rest = rest.saturating_sub(*letters);
                true
            }
            None => false,
        });
        if !sums.is_empty() {
            layers.push(Layer { cause, colour, sums });
        }
    }
    rest.retain(|_, letters| *letters > 0);
    if !rest.is_empty() {
        layers.push(Layer { cause: "others", colour: OTHERS, sums: rest });
    }
    layers
}

fn drawing(html: &mut Html, bars: &Bars, layers: &[Layer<'_>], filter: &Filter) {
    let largest = bars.bars.iter().map(|(_, letters)| *letters).max().unwrap_or(0);
    let top = rounded_up(largest);
    // As many bars stand behind each name as behind any other.
    let every = bars.bars.len().max(BARS_MIN).div_ceil(NAMES);
    html.raw("<div class=\"plot\"><div class=\"scale\">");
    for line in [top, top.div_ceil(2), 0] {
        html.raw("<span>").text(&grouped(line)).raw("</span>");
    }
    html.raw("</div><svg xmlns=\"http://www.w3.org/2000/svg\" role=\"group\" preserveAspectRatio=\"none\"");
    let width = places(every * NAMES) * STEP;
    html.attribute("viewBox", &format!("0 0 {width} {HEIGHT}"));
    html.attribute("aria-label", &format!("letters by {}", bars.unit.name())).raw(">");
    for line in [top, top.div_ceil(2), 0] {
        let y = HEIGHT * (1.0 - share(line, top));
        html.raw("<line class=\"grid\" x1=\"0\"").number("x2", width).number("y1", y).number("y2", y).raw("/>");
    }
    for (number, (at, letters)) in bars.bars.iter().enumerate().filter(|(_, (_, letters))| *letters > 0) {
        html.raw("<a").attribute("href", &stretch(filter, bars.unit, *at)).raw("><title>");
        html.text(&told(&bars.unit.label(*at), *letters, layers, *at)).raw("</title>");
        let mut y = HEIGHT;
        for layer in layers {
            let tall = HEIGHT * share(layer.sums.get(at).copied().unwrap_or(0), top);
            if tall > 0.0 {
                y -= tall;
                html.raw("<rect class=\"").raw(layer.colour).raw("\"").number("x", places(number) * STEP);
                html.number("y", y).number("width", BAR).number("height", tall).raw("/>");
            }
        }
        html.raw("</a>");
    }
    html.raw("</svg></div><div class=\"names\" aria-hidden=\"true\">");
    let mut day = String::new();
    for group in 0..NAMES {
        let begin = bars.bars.get(group * every).map(|(at, _)| bars.unit.label(*at)).unwrap_or_default();
        html.raw("<span>").text(short(&begin, &mut day)).raw("</span>");
    }
    html.raw("</div>");
}

/// The day is said once, and its year never: the table below has it.
fn short<'b>(begin: &'b str, day: &mut String) -> &'b str {
    match begin.split_once(' ') {
        Some((its_day, hour)) if its_day == day => hour,
        Some((its_day, _)) => {
            its_day.clone_into(day);
            begin.get(5..).unwrap_or(begin)
        }
        None => begin,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few dozens")]
fn places(number: usize) -> f64 {
    number as f64
}

/// What a bar says of itself.
fn told(begin: &str, letters: u64, layers: &[Layer<'_>], at: i64) -> String {
    let mut told = format!("{begin}: {}", counted(letters, "letter", "letters"));
    for layer in layers {
        if let Some(letters) = layer.sums.get(&at) {
            told += &format!("; {} {}", grouped(*letters), layer.cause);
        }
    }
    told
}

/// The letters of one bar.
fn stretch(filter: &Filter, unit: Unit, at: i64) -> String {
    let [from, to] = [at, at + 1].map(|at| time(unit.begin_ms(at)).unwrap_or_default());
    filter.address("/letters", &[("from", &from), ("to", &to)])
}

/// A number that divides well, at least as large: the end of the axis.
fn rounded_up(largest: u64) -> u64 {
    let mut step = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            match step.checked_mul(factor) {
                Some(number) if number < largest.max(2) => {}
                Some(number) => return number,
                None => return largest,
            }
        }
        step = step.saturating_mul(10);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a height on a screen")]
fn share(letters: u64, top: u64) -> f64 {
    letters as f64 / top.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters::tally::tests::tally;

    fn drawn(letters: impl IntoIterator<Item = (u64, i64)>) -> String {
        let mut html = Html::new();
        chart(&mut html, &tally(letters), &Filter::default());
        html.into_string()
    }

    #[test]
    fn every_letter_is_in_a_layer_and_a_layer_has_a_colour() {
        // Nine kinds: seven have a colour of their own.
        let of_kind = |kind: u32| (0..=kind).map(move |hour| (u64::from(kind), i64::from(hour % 3)));
        let letters: Vec<_> = (0..9).flat_map(of_kind).collect();
        let tally = tally(letters.clone());
        let bars = tally.bars().unwrap();
        let layers = layers(&tally, &bars);
        let sum: u64 = layers.iter().flat_map(|layer| layer.sums.values()).sum();
        assert_eq!((sum, layers.len(), layers[7].cause), (45, 8, "others"));
        let svg = drawn(letters);
        assert_eq!(svg.matches("<a href=\"/letters?from=").count(), 3, "{svg}");
        assert!(COLOURS.iter().chain([&OTHERS]).all(|colour| svg.contains(&format!("class=\"{colour}\""))), "{svg}");
    }

    #[test]
    fn a_bar_s_parts_are_as_tall_as_their_share() {
        let svg = drawn([(1, 5), (1, 5), (2, 5), (2, 6)]);
        let heights: Vec<&str> = svg.split(" height=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        // The axis ends at 5 letters, and 100 units are 5 letters.
        assert_eq!(heights, ["40", "20", "20"]);
        assert!(svg.contains("1970-01-01 05:00: 3 letters; 2 1; 1 2</title>"), "{svg}");
        assert!(svg.contains("from=1970-01-01T05%3A00%3A00.000Z&amp;to=1970-01-01T06%3A00%3A00.000Z"), "{svg}");
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let cases = [(0, 2), (1, 2), (2, 2), (3, 5), (6, 10), (11, 20), (100, 100), (101, 200), (u64::MAX, u64::MAX)];
        for (largest, expected) in cases {
            assert_eq!(rounded_up(largest), expected);
        }
    }

    #[test]
    fn a_day_is_named_once() {
        let svg = drawn((0..48).map(|hour| (1, hour)));
        let names: Vec<&str> = svg.split("<div class=\"names\"").nth(1).unwrap().split("<span>").skip(1).collect();
        let names: Vec<&str> = names.iter().map(|name| name.split('<').next().unwrap()).collect();
        assert_eq!(names, ["01-01 00:00", "08:00", "16:00", "01-02 00:00", "08:00", "16:00"]);
    }

    #[test]
    fn no_letters_are_no_chart() {
        assert_eq!(drawn([]), "");
    }
}
