//! What stands beside a committed offset, in the metadata that a group keeps with it: which topic the offset is one of.
//! Pure.
//!
//! `messagetrace-ecs/1 topic_id=…`: who wrote it and in which version of this form, then fields, each a name and a value,
//! apart by spaces. The id is written as Kafka's own tools write it. Whoever reads it passes over fields that it does not
//! know; of another version or of another writer nothing is read, and the offset is taken as it is.

/// Who wrote it, and the version of the form.
const WRITER: &str = "messagetrace-ecs/1";

const TOPIC_ID: &str = "topic_id=";

/// What is committed with the offsets of a topic with this id.
pub fn of_topic(id: &str) -> String {
    format!("{WRITER} {TOPIC_ID}{id}")
}

/// The id of the topic, when it says one.
pub fn topic_id(metadata: &[u8]) -> Option<&str> {
    let mut words = std::str::from_utf8(metadata).ok()?.split(' ');
    let id = words
        .next()
        .filter(|writer| *writer == WRITER)
        .and_then(|_| words.find_map(|word| word.strip_prefix(TOPIC_ID)));
    id.filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let id = "2vqYVQ4-T0e8b3_aXl9Hcw";
        assert_eq!(of_topic(id), "messagetrace-ecs/1 topic_id=2vqYVQ4-T0e8b3_aXl9Hcw");
        assert_eq!(topic_id(of_topic(id).as_bytes()), Some(id));
    }

    #[test]
    fn a_field_that_is_not_known_is_passed_over() {
        assert_eq!(topic_id(b"messagetrace-ecs/1 host=a topic_id=x y=z"), Some("x"));
    }

    #[test]
    fn nothing_is_read_of_other_writers_and_versions() {
        let others: [&[u8]; 6] = [
            b"",
            b"topic_id=x",
            b"messagetrace-ecs/2 topic_id=x",
            b"messagetrace-ecs/1",
            b"messagetrace-ecs/1 topic_id=",
            b"\xff",
        ];
        for metadata in others {
            assert_eq!(topic_id(metadata), None, "{metadata:?}");
        }
    }
}
