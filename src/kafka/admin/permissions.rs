//! What the service must be allowed to do, held against what the cluster says it is allowed to do.
//!
//! A broker that does not tell is believed to allow it: what it refuses then shows itself later. The transactional id
//! is not asked for here, because nothing but its use tells.

use rdkafka::error::RDKafkaErrorCode;

use super::refusal::{Refusal, Resource};
use super::topics::{described, uses};
use crate::config::Config;
use crate::kafka::ffi::{Allowed, Group, Operation, Topic};

/// The permissions that are missing on topics: to read from the input, to write to the others.
pub fn missing_on_topics(config: &Config, found: &[Topic]) -> Vec<Refusal> {
    let denied = uses(config).into_iter().filter(|used| {
        described(found, used.topic).is_some_and(|topic| match topic.error {
            Some(code) => code == RDKafkaErrorCode::TopicAuthorizationFailed,
            None => forbids(&topic.allowed, used.operation),
        })
    });
    denied
        .map(|used| Refusal::Denied {
            resource: Resource::Topic(used.topic.to_owned()),
            operation: used.operation,
            key: used.key,
        })
        .collect()
}

/// The permission that is missing on the group: to read, which joining it and committing offsets need.
pub fn missing_on_group(config: &Config, found: &Group) -> Option<Refusal> {
    let denied = match found.error {
        Some(code) => code == RDKafkaErrorCode::GroupAuthorizationFailed,
        None => forbids(&found.allowed, Operation::Read),
    };
    denied.then(|| Refusal::Denied {
        resource: Resource::Group(config.input.group.clone()),
        operation: Operation::Read,
        key: "input.group",
    })
}

fn forbids(allowed: &Allowed, operation: Operation) -> bool {
    allowed.as_ref().is_some_and(|allowed| !allowed.contains(&operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    use Operation::{Describe, Read, Write};

    fn allowed(operations: &[Operation]) -> Allowed {
        Some(operations.iter().copied().collect())
    }

    fn topic(name: &str, error: Option<RDKafkaErrorCode>, allowed: Allowed) -> Topic {
        Topic { name: name.to_owned(), error, id: None, partitions: 1, allowed }
    }

    fn lines(found: &[Topic]) -> Vec<String> {
        missing_on_topics(&Config::default(), found).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_documented_is_enough() {
        let found = [
            topic("messagetrace.raw", None, allowed(&[Read, Describe])),
            topic("messagetrace.ecs", None, allowed(&[Write, Describe])),
            topic("messagetrace.dlq", None, allowed(&[Write, Describe])),
        ];
        assert_eq!(lines(&found), [""; 0]);
    }

    #[test]
    fn each_missing_permission_on_a_topic_is_a_line_that_names_it() {
        let found = [
            topic("messagetrace.raw", None, allowed(&[Write, Describe])),
            topic("messagetrace.ecs", Some(RDKafkaErrorCode::TopicAuthorizationFailed), None),
            topic("messagetrace.dlq", None, allowed(&[])),
        ];
        let expected = [
            "no permission: Read on topic messagetrace.raw (grant it to this service's user, or correct input.topics)",
            "no permission: Write on topic messagetrace.ecs (grant it to this service's user, or correct output.topic)",
            "no permission: Write on topic messagetrace.dlq (grant it to this service's user, or correct \
             dead_letters.topic)",
        ];
        assert_eq!(lines(&found), expected);
    }

    #[test]
    fn a_broker_that_does_not_tell_refuses_nothing() {
        let found = [
            topic("messagetrace.raw", None, None),
            topic("messagetrace.ecs", Some(RDKafkaErrorCode::UnknownTopicOrPartition), None),
        ];
        assert_eq!(lines(&found), [""; 0]);
    }

    #[test]
    fn the_group_must_be_readable_and_is_named() {
        use RDKafkaErrorCode as Code;
        let cases = [
            (None, allowed(&[Read, Describe]), false),
            (None, allowed(&[Describe]), true),
            (None, None, false),
            (Some(Code::GroupAuthorizationFailed), None, true),
            (Some(Code::UnsupportedFeature), None, false),
            (Some(Code::OperationTimedOut), None, false),
        ];
        for (error, allowed, denied) in cases {
            let group = Group { error, allowed };
            let refusal = missing_on_group(&Config::default(), &group);
            assert_eq!(refusal.is_some(), denied, "{group:?}");
            assert!(refusal.is_none_or(|refusal| refusal.to_string().contains("Read on group messagetrace-ecs")));
        }
    }
}
