//! The form of the filters. On a narrow screen all but the search is folded away until it is asked for. Pure.

use super::filter::Filter;
use super::html::Html;
use super::sift::Kinds;
use crate::letters::tally::NO_LETTER;
use crate::terminal::table::grouped;
use crate::text::harmless;

/// Filters as they are named in an address, what stands beside them, and an example.
const FIELDS: [[&str; 3]; 9] = [
    ["from", "From", "24h"],
    ["to", "To", "12h"],
    ["source-from", "Record from", "7d"],
    ["source-to", "Record to", "6d"],
    ["fingerprint", "Fingerprint", "16 hex digits"],
    ["topic", "Source topic", ""],
    ["partition", "Partition", ""],
    ["from-offset", "From offset", ""],
    ["to-offset", "To offset", ""],
];

/// Kinds that are offered as a choice; of more one is written.
const CHOICES: usize = 24;

/// What of a foreign kind is shown.
const MAX_CHARS: usize = 80;

pub fn form(html: &mut Html, filter: &Filter, kinds: &Kinds, path: &'static str) {
    html.raw("<form method=\"get\"").attribute("action", path).raw(" class=\"filter\" role=\"search\">");
    html.raw("<div class=\"first\"><label class=\"search\"><span>Search in source, key and value</span>");
    html.raw("<input type=\"search\" autocomplete=\"off\" maxlength=\"200\" name=\"search\"");
    html.attribute("value", filter.value("search")).raw("></label><button type=\"submit\">Show</button></div>");
    html.raw("<input type=\"checkbox\" id=\"fold\"><label for=\"fold\" class=\"fold\">Filters");
    let set = filter.count();
    if set > 0 {
        html.text(&format!(" ({set} set)"));
    }
    html.raw("</label><div class=\"folded\">");
    choices(html, filter, kinds);
    html.raw("<div class=\"fields\">");
    for [name, label, example] in FIELDS {
        html.raw("<label><span>").raw(label).raw("</span><input type=\"text\" autocomplete=\"off\"");
        html.attribute("name", name).attribute("value", filter.value(name)).attribute("placeholder", example);
        html.raw("></label>");
    }
    html.raw("</div></div>");
    for name in ["order", "refresh"] {
        if !filter.value(name).is_empty() {
            html.raw("<input type=\"hidden\"").attribute("name", name).attribute("value", filter.value(name)).raw(">");
        }
    }
    html.raw("<p class=\"since\">");
    for (words, from) in [("last hour", "1h"), ("24 hours", "24h"), ("7 days", "7d"), ("all", "")] {
        html.raw("<a").attribute("href", &filter.address(path, &[("from", from), ("to", "")]));
        if filter.value("from") == from && filter.value("to").is_empty() {
            html.raw(" aria-current=\"true\"");
        }
        html.raw(">").raw(words).raw("</a>");
    }
    html.raw("</p></form>");
}

/// A box for each kind that there is, and for each that was asked for.
fn choices(html: &mut Html, filter: &Filter, kinds: &Kinds) {
    let mut asked: Vec<&str> = filter.selection.kinds.iter().map(String::as_str).collect();
    asked.dedup();
    let there = kinds.sorted();
    let others = there.iter().filter(|kind| !asked.contains(kind) && **kind != NO_LETTER);
    let offered: Vec<&str> = asked.iter().chain(others).copied().take(CHOICES.max(asked.len())).collect();
    if offered.is_empty() {
        return;
    }
    html.raw("<fieldset class=\"kinds\"><legend>Kind</legend>");
    for kind in &offered {
        html.raw("<label><input type=\"checkbox\" name=\"kind\"").attribute("value", kind);
        if asked.contains(kind) {
            html.raw(" checked");
        }
        html.raw("><span>").text(&harmless(kind.as_bytes(), MAX_CHARS)).raw("</span> <small>");
        html.text(&grouped(kinds.letters(kind))).raw("</small></label>");
    }
    if there.len() > offered.len() {
        html.raw("<label class=\"other\">another <input type=\"text\" autocomplete=\"off\" name=\"kind\"></label>");
    }
    html.raw("</fieldset>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_stands_in_the_form_and_nothing_of_it_is_markup() {
        let attack = "%22%3E%3Cscript%3E";
        let filter = Filter::parse(Some(&format!("search={attack}&kind={attack}&fingerprint={attack}"))).unwrap();
        let mut html = Html::new();
        form(&mut html, &filter, &Kinds::default(), "/");
        let html = html.into_string();
        assert_eq!(html.matches("&quot;&gt;&lt;script&gt;").count(), 4, "{html}");
        assert!(!html.contains("<script") && html.contains(" checked><span>") && html.contains("Filters (3 set)"));
    }
}
