//! Which letters a page shows: the filters of the command line and a search, in the address of the page. Pure.

use clap::Parser as _;
use form_urlencoded::Serializer;

use super::rank::Order;
use super::search::Search;
use crate::letters::coordinates::Written;
use crate::letters::select::SelectionArgs;
use crate::letters::tally::NO_LETTER;
use crate::text::{cut, escaped};

/// Where a list goes on.
const BEHIND: &str = "behind";

/// What an address may name.
const KNOWN: [&str; 14] = [
    "search",
    "from",
    "to",
    "source-from",
    "source-to",
    "kind",
    "fingerprint",
    "topic",
    "partition",
    "from-offset",
    "to-offset",
    "order",
    "refresh",
    BEHIND,
];

/// The command line that an address is read as.
#[derive(clap::Parser, Debug)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
struct Line {
    #[command(flatten)]
    selection: SelectionArgs,
    #[arg(long, value_parser = Search::parse)]
    search: Option<Search>,
    #[arg(long, value_parser = Order::parse, default_value = "newest")]
    order: Order,
    /// Seconds until the page is asked for again.
    #[arg(long, value_parser = clap::value_parser!(u16).range(10..=3600))]
    refresh: Option<u16>,
    #[arg(long, value_parser = Behind::parse)]
    behind: Option<Behind>,
}

/// The last letter of a page, with the time that it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    pub time_ms: Option<i64>,
    pub place: Written,
}

impl Behind {
    fn parse(text: &str) -> Result<Self, String> {
        let (time, place) =
            text.split_once('@').ok_or("write a time in milliseconds, @, and a place, like 0@3:1234")?;
        let time_ms = match time {
            "-" => None,
            time => Some(time.parse().map_err(|_| "write a time in milliseconds before the @")?),
        };
        Ok(Self { time_ms, place: Written::parse(place)? })
    }

    pub fn written(time_ms: Option<i64>, place: &str) -> String {
        format!("{}@{place}", time_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string()))
    }
}

#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// As they were asked for, without the empty ones.
    pairs: Vec<(String, String)>,
    pub selection: SelectionArgs,
    pub search: Option<Search>,
    pub order: Order,
    pub refresh: Option<u16>,
    pub behind: Option<Behind>,
}

impl Filter {
    /// From what stands behind the `?`, or what is wrong with it.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let pairs = pairs.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into()));
        let pairs: Vec<(String, String)> = pairs.collect();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            return Err(format!("there is no filter {}", escaped(&cut(name))));
        }
        let line = Line::try_parse_from(pairs.iter().map(|(name, value)| format!("--{name}={value}")));
        let line = line.map_err(|error| {
            let told = error.render().to_string();
            // The problem is said before the first empty line, the usage of a command behind it.
            let problem: Vec<&str> = told.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            let problem = problem.join(" ");
            escaped(&cut(problem.strip_prefix("error: ").unwrap_or(&problem)))
        })?;
        let Line { selection, search, order, refresh, behind } = line;
        Ok(Self { pairs, selection, search, order, refresh, behind })
    }

    /// Whether letters of a kind are meant; what is no dead letter is of none.
    pub fn takes_kind(&self, kind: &str) -> bool {
        let kinds = &self.selection.kinds;
        kinds.is_empty() || kind != NO_LETTER && kinds.iter().any(|wanted| wanted == kind)
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
    pub fn further(&self, path: &str, time_ms: Option<i64>, place: &str) -> String {
        self.address(path, &[(BEHIND, &Behind::written(time_ms, place))])
    }

    /// What was asked for by this name.
    pub fn value(&self, name: &str) -> &str {
        self.pairs.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// How many filters are set.
    pub fn count(&self) -> usize {
        let is_filter = |name: &str| !matches!(name, BEHIND | "order" | "refresh");
        self.pairs.iter().filter(|(name, _)| is_filter(name)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_command_line_is() {
        let filter = Filter::parse(Some(
            "kind=a+b%26c&kind=%2D%2Dto&from=&partition=3&from-offset=7&search=%2D%2Dx&order=oldest&behind=-7@dlq/2:9",
        ))
        .unwrap();
        assert_eq!(filter.selection.kinds, ["a b&c", "--to"]);
        assert_eq!((filter.selection.partition, filter.selection.from_offset), (Some(3), Some(7)));
        let place = Written { topic: Some("dlq".to_owned()), partition: 2, offset: 9 };
        assert_eq!((filter.behind, filter.order), (Some(Behind { time_ms: Some(-7), place }), Order::Oldest));
        assert!(filter.search.is_some());
        assert!(Filter::parse(None).unwrap().pairs.is_empty());
    }

    #[test]
    fn what_is_wrong_is_one_harmless_line_that_names_the_filter() {
        let long = format!("search={}", "a".repeat(201));
        let cases = [
            ("from=yesterday", "--from"),
            ("from-offset=3", "--partition"),
            ("partition=-1", "--partition"),
            ("limit=7", "no filter limit"),
            ("help=1", "no filter help"),
            ("%1b[2J=1", "no filter \\u{1b}[2J"),
            ("to=1%0a%1b[2J", "--to"),
            ("partition=1&partition=2", "--partition"),
            ("search=a&search=b", "--search"),
            (&long, "201 bytes"),
            ("order=random", "--order"),
            ("refresh=1", "--refresh"),
            ("behind=2:9", "--behind"),
            ("behind=9999999999999999999@2:9", "--behind"),
        ];
        for (query, named) in cases {
            let told = Filter::parse(Some(query)).unwrap_err();
            assert!(told.contains(named) && !told.contains(crate::text::acts), "{query}: {told}");
        }
    }

    #[test]
    fn an_address_keeps_the_other_filters() {
        let filter = Filter::parse(Some("kind=a%22%3E&from=1h&behind=-@1:2")).unwrap();
        assert_eq!(filter.address("/", &[]), "/?kind=a%22%3E&from=1h");
        assert_eq!(filter.address("/letters", &[("from", "2h"), ("to", "")]), "/letters?kind=a%22%3E&from=2h");
        assert_eq!(filter.address("/", &[("from", ""), ("kind", "")]), "/");
        let further = filter.further("/letters", Some(5), "4:5");
        assert_eq!(further, "/letters?kind=a%22%3E&from=1h&behind=5%404%3A5");
        let query = further.split_once('?').map(|(_, query)| query);
        assert_eq!(Filter::parse(query).unwrap().behind.unwrap().time_ms, Some(5));
        assert_eq!(filter.count(), 2);
    }
}
