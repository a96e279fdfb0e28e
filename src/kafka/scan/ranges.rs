//! What is to be read, in offsets: from the words of a person (a topic, times, offsets) and what the cluster says there
//! is.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::error::ScanError;
use crate::config::Config;
use crate::kafka::admin::cluster::Cluster;
use crate::kafka::admin::refusal::Refusal;
use crate::kafka::clients::settings;
use crate::kafka::clients::{Consumer, Standalone};
use crate::kafka::errors;
use crate::kafka::ffi::{Operation, Topic};
use crate::kafka::patience::until_settled;

/// How long one look-up may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What somebody wants to read of one topic. Without anything else, all of it.
#[derive(Clone, Debug)]
pub struct Stretch<'a> {
    pub topic: &'a str,
    /// The setting that names the topic, for whoever has to correct it.
    pub key: &'static str,
    pub partition: Option<i32>,
    /// The first offset, and the first one no more wanted.
    pub from_offset: Option<i64>,
    pub to_offset: Option<i64>,
    /// In milliseconds since 1970. A partition is read from its first record that is as late as `from_time_ms` up to
    /// its first one that is as late as `to_time_ms`: records whose times are out of order are not looked for.
    pub from_time_ms: Option<i64>,
    pub to_time_ms: Option<i64>,
}

impl<'a> Stretch<'a> {
    /// All of a topic.
    pub fn whole(topic: &'a str, key: &'static str) -> Self {
        Self { topic, key, partition: None, from_offset: None, to_offset: None, from_time_ms: None, to_time_ms: None }
    }
}

/// Offsets `from..to` of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub topic: Arc<str>,
    /// The setting that names the topic.
    pub key: &'static str,
    pub partition: i32,
    pub from: i64,
    /// The first offset that is not wanted any more.
    pub to: i64,
}

impl Range {
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// How many offsets it spans; records are fewer as a rule.
    pub fn offsets(&self) -> u64 {
        u64::try_from(self.to - self.from).unwrap_or(0)
    }
}

/// A range, and how it lies in its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Cut to what there is.
    pub range: Range,
    /// The first offset that the partition still has.
    pub low: i64,
    /// The last stable offset: a committed reader sees nothing from here on.
    pub end: i64,
    /// What was asked for by offset and is not there any more.
    pub gone: Option<std::ops::Range<i64>>,
}

/// Resolves each stretch to the ranges of its partitions, in order.
pub fn ranges(config: &Config, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<Resolved>>, ScanError> {
    LookUp::new(config)?.ranges(stretches)
}

/// A client that looks ranges up, for whoever does it again and again.
#[derive(Debug)]
pub struct LookUp<'c> {
    config: &'c Config,
    consumer: Standalone,
}

impl<'c> LookUp<'c> {
    pub fn new(config: &'c Config) -> Result<Self, ScanError> {
        let consumer = Standalone::new(&settings::reader(config), config).map_err(ScanError::Client)?;
        Ok(Self { config, consumer })
    }

    pub fn ranges(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<Resolved>>, ScanError> {
        look_up(&self.consumer, self.config, stretches)
    }
}

fn look_up(consumer: &Consumer, config: &Config, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<Resolved>>, ScanError> {
    let cluster = Cluster::enter(consumer, config, &AtomicBool::new(false)).map_err(ScanError::Refused)?;
    let mut names: Vec<_> = stretches.iter().map(|stretch| stretch.topic).collect();
    names.sort_unstable();
    names.dedup();
    let topics = cluster.topics(&names).map_err(ScanError::Refused)?;
    stretches.iter().map(|stretch| resolve(consumer, stretch, &partitions(stretch, &topics)?)).collect()
}

/// The partitions of a stretch, or why its topic cannot be read.
fn partitions(stretch: &Stretch<'_>, topics: &[Topic]) -> Result<Vec<i32>, ScanError> {
    use RDKafkaErrorCode as Code;
    let topic = stretch.topic.to_owned();
    let missing = |topic| ScanError::Refused(Refusal::TopicMissing { topic, key: stretch.key });
    let found = match topics.iter().find(|topic| topic.name == stretch.topic) {
        Some(found) => found,
        None => return Err(missing(topic)),
    };
    match found.error {
        Some(Code::TopicAuthorizationFailed) => return Err(ScanError::denied(stretch.topic, stretch.key)),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Err(missing(topic)),
        Some(code) => return Err(ScanError::Refused(Refusal::TopicUnusable { topic, code })),
        None if found.partitions == 0 => return Err(missing(topic)),
        None => {}
    }
    if found.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&Operation::Read)) {
        return Err(ScanError::denied(stretch.topic, stretch.key));
    }
    let count = i32::try_from(found.partitions).unwrap_or(i32::MAX);
    match stretch.partition {
        None => Ok((0..count).collect()),
        Some(partition) if (0..count).contains(&partition) => Ok(vec![partition]),
        Some(partition) => Err(ScanError::NoPartition { topic, partition, last: count - 1 }),
    }
}

fn resolve(consumer: &Consumer, stretch: &Stretch<'_>, partitions: &[i32]) -> Result<Vec<Resolved>, ScanError> {
    let ask = |at: Offset| offsets(consumer, stretch.topic, partitions, at);
    let lows = ask(Offset::Beginning)?;
    let ends = ask(Offset::End)?;
    let of_time = |time_ms: Option<i64>| time_ms.map(|ms| ask(Offset::Offset(ms.max(0)))).transpose();
    let (from_times, to_times) = (of_time(stretch.from_time_ms)?, of_time(stretch.to_time_ms)?);
    let topic: Arc<str> = stretch.topic.into();
    let resolved = partitions.iter().enumerate().map(|(at, partition)| {
        let low = lows[at].unwrap_or(0);
        let end = ends[at].unwrap_or(low).max(low);
        // Without an answer there is nothing as late as that.
        let of = |times: &Option<Vec<Option<i64>>>| times.as_ref().map(|offsets| offsets[at].unwrap_or(end));
        let wanted = Wanted {
            from_offset: stretch.from_offset,
            to_offset: stretch.to_offset,
            from_time: of(&from_times),
            to_time: of(&to_times),
        };
        let (from, to, gone) = wanted.cut(low, end);
        let range = Range { topic: Arc::clone(&topic), key: stretch.key, partition: *partition, from, to };
        Resolved { range, low, end, gone }
    });
    Ok(resolved.collect())
}

/// One kind of offset of each partition: its beginning, its end, or the first one as late as a time. Asked for all
/// partitions at once; the end is that of the consumer's isolation level.
pub fn offsets(
    consumer: &Consumer,
    topic: &str,
    partitions: &[i32],
    at: Offset,
) -> Result<Vec<Option<i64>>, ScanError> {
    let failed = |source: KafkaError| ScanError::LookUp { topic: topic.to_owned(), source };
    let ask = || {
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            // Beginning and end have the same numbers as places and as times.
            asked.add_partition_offset(topic, *partition, at)?;
        }
        consumer.offsets_for_times(asked, TIMEOUT)
    };
    let answer = until_settled(ask, |answer| match answer {
        Ok(answer) => answer.elements().iter().find_map(|element| element.error().err()).map(|e| errors::code(&e)),
        Err(error) => Some(errors::code(error)),
    });
    let answer = answer.map_err(failed)?;
    partitions
        .iter()
        .map(|partition| match answer.find_partition(topic, *partition) {
            None => Ok(None),
            Some(element) => {
                element.error().map_err(failed)?;
                Ok(element.offset().to_raw().filter(|offset| *offset >= 0))
            }
        })
        .collect()
}

/// A stretch in the offsets of one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    from_offset: Option<i64>,
    to_offset: Option<i64>,
    from_time: Option<i64>,
    to_time: Option<i64>,
}

impl Wanted {
    /// What is wanted and there, and what was asked for by its offset and is not there any more.
    fn cut(self, low: i64, end: i64) -> (i64, i64, Option<std::ops::Range<i64>>) {
        let from = self.from_offset.into_iter().chain(self.from_time).max().unwrap_or(low);
        let to = self.to_offset.into_iter().chain(self.to_time).min().unwrap_or(end).min(end);
        let gone = from..low.min(self.to_offset.unwrap_or(low));
        let from = from.clamp(low, end);
        (from, to.max(from), (!gone.is_empty()).then_some(gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_cut_to_what_the_partition_has() {
        let all = Wanted::default();
        let offsets = |from: i64, to: i64| Wanted { from_offset: Some(from), to_offset: Some(to), ..all };
        let times = |from: i64, to: i64| Wanted { from_time: Some(from), to_time: Some(to), ..all };
        // The partition has 10 to 19.
        let cases = [
            ("all of it", all, (10, 20, None)),
            ("its middle", offsets(12, 15), (12, 15, None)),
            ("part of it is gone", offsets(3, 15), (10, 15, Some(3..10))),
            ("all of it is gone", offsets(3, 7), (10, 10, Some(3..7))),
            ("past its end", offsets(15, 99), (15, 20, None)),
            ("nothing yet", offsets(30, 99), (20, 20, None)),
            ("the wrong way round", offsets(15, 12), (15, 15, None)),
            ("by time", times(11, 13), (11, 13, None)),
            ("later than all", times(20, 20), (20, 20, None)),
            ("both, the narrower counts", Wanted { from_offset: Some(14), ..times(11, 18) }, (14, 18, None)),
        ];
        for (what, wanted, expected) in cases {
            assert_eq!(wanted.cut(10, 20), expected, "{what}");
        }
    }

    #[test]
    fn a_range_spans_its_offsets() {
        let range = |from, to| Range { topic: "t".into(), key: "", partition: 0, from, to };
        assert_eq!((range(3, 7).offsets(), range(3, 7).is_empty()), (4, false));
        assert_eq!((range(7, 7).offsets(), range(7, 7).is_empty()), (0, true));
    }
}
