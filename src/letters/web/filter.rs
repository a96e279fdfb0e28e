//! Which letters a page shows: the filters of the command line, in the address of the page. Pure.

use clap::Parser as _;
use form_urlencoded::Serializer;

use super::html::Html;
use crate::letters::coordinates::Written;
use crate::letters::select::SelectionArgs;
use crate::text::{cut, escaped};

/// Filters as they are named in an address and on the command line, what stands beside them, and an example.
const FIELDS: [[&str; 3]; 8] = [
    ["from", "From", "24h"],
    ["to", "To", "2026-03-01T12:00:00Z"],
    ["kind", "Kind", "invalid_json"],
    ["fingerprint", "Fingerprint", "16 hex digits"],
    ["topic", "Source topic", ""],
    ["partition", "Partition", ""],
    ["from-offset", "From offset", ""],
    ["to-offset", "To offset", ""],
];

/// Where a list goes on.
const BEHIND: &str = "behind";

/// The command line that an address is read as.
#[derive(clap::Parser, Debug)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
struct Line {
    #[command(flatten)]
    selection: SelectionArgs,
    #[arg(long, value_parser = Written::parse)]
    behind: Option<Written>,
}

#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// As they were asked for, without the empty ones.
    pairs: Vec<(String, String)>,
    pub selection: SelectionArgs,
    pub behind: Option<Written>,
}

impl Filter {
    /// From what stands behind the `?`, or what is wrong with it.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let pairs = pairs.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into()));
        let pairs: Vec<(String, String)> = pairs.collect();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !is_known(name)) {
            return Err(format!("there is no filter {}", escaped(&cut(name))));
        }
        let line = Line::try_parse_from(pairs.iter().map(|(name, value)| format!("--{name}={value}")));
        let Line { selection, behind } = line.map_err(|error| {
            let told = error.render().to_string();
            // The problem is said before the first empty line, the usage of a command behind it.
            let problem: Vec<&str> = told.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            let problem = problem.join(" ");
            escaped(&cut(problem.strip_prefix("error: ").unwrap_or(&problem)))
        })?;
        Ok(Self { pairs, selection, behind })
    }

    /// The address of a page with other filters: those named are replaced, an empty one is taken out. Where a list goes on
    /// is no filter of another one.
    pub fn address(&self, path: &str, changed: &[(&str, &str)]) -> String {
        let is_kept = |name: &str| name != BEHIND && changed.iter().all(|(other, _)| *other != name);
        let kept = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = kept.filter(|(name, _)| is_kept(name)).chain(changed.iter().copied());
        let query = Serializer::new(String::new()).extend_pairs(pairs.filter(|(_, value)| !value.is_empty())).finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// The same letters, where the list goes on.
    pub fn further(&self, path: &str, last: &str) -> String {
        self.address(path, &[(BEHIND, last)])
    }

    fn value(&self, name: &str) -> &str {
        self.pairs.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// Fields to fill in.
    pub fn form(&self, html: &mut Html, path: &'static str) {
        html.raw("<form method=\"get\"").attribute("action", path).raw(" class=\"filter\" role=\"search\">");
        for [name, label, example] in FIELDS {
            html.raw("<label><span>").raw(label).raw("</span><input type=\"text\" autocomplete=\"off\"");
            html.attribute("name", name).attribute("value", self.value(name)).attribute("placeholder", example);
            html.raw("></label>");
        }
        html.raw("<div class=\"buttons\"><button type=\"submit\">Show</button>");
        for (words, from) in [("1 h", "1h"), ("24 h", "24h"), ("7 d", "7d"), ("all", "")] {
            html.raw("<a").attribute("href", &self.address(path, &[("from", from), ("to", "")])).raw(">").raw(words);
            html.raw("</a>");
        }
        html.raw("</div></form>");
    }
}

fn is_known(name: &str) -> bool {
    name == BEHIND || FIELDS.iter().any(|[known, ..]| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_command_line_is() {
        let filter =
            Filter::parse(Some("kind=a+b%26c&kind=%2D%2Dto&from=&partition=3&from-offset=7&behind=2:9")).unwrap();
        assert_eq!(filter.selection.kinds, ["a b&c", "--to"]);
        assert_eq!((filter.selection.partition, filter.selection.from_offset), (Some(3), Some(7)));
        assert_eq!(filter.behind, Some(Written { topic: None, partition: 2, offset: 9 }));
        assert!(Filter::parse(None).unwrap().pairs.is_empty());
    }

    #[test]
    fn what_is_wrong_is_one_harmless_line_that_names_the_filter() {
        let cases = [
            ("from=yesterday", "--from"),
            ("from-offset=3", "--partition"),
            ("partition=-1", "--partition"),
            ("limit=7", "no filter limit"),
            ("help=1", "no filter help"),
            ("%1b[2J=1", "no filter \\u{1b}[2J"),
            ("to=1%0a%1b[2J", "--to"),
            ("partition=1&partition=2", "--partition"),
        ];
        for (query, named) in cases {
            let told = Filter::parse(Some(query)).unwrap_err();
            assert!(told.contains(named) && !told.contains(crate::text::acts), "{query}: {told}");
        }
    }

    #[test]
    fn an_address_keeps_the_other_filters() {
        let filter = Filter::parse(Some("kind=a%22%3E&from=1h&behind=1:2")).unwrap();
        assert_eq!(filter.address("/", &[]), "/?kind=a%22%3E&from=1h");
        assert_eq!(filter.address("/letters", &[("from", "2h"), ("to", "")]), "/letters?kind=a%22%3E&from=2h");
        assert_eq!(filter.address("/", &[("from", ""), ("kind", "")]), "/");
        assert_eq!(filter.further("/letters", "4:5"), "/letters?kind=a%22%3E&from=1h&behind=4%3A5");
    }
}
