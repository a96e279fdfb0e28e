//! Questions to the cluster: what topics, a group and settings are, and what we may do with them.
//!
//! Why not the crate: its admin client cannot describe topics or groups, nor ask for the operations that are allowed,
//! and is a connection and a thread of its own. These calls go over a client that is there anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt;
use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

/// Longer than the request's own time limit, so that its answer, that of having timed out included, is seen.
const SLACK_MS: c_int = 1000;

/// What may be done with a resource, as Kafka's access rules call it; the operations that anything here needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Read,
    Write,
    Describe,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Describe => "Describe",
        })
    }
}

/// The allowed ones among the operations that we know; `None`: the broker did not tell (those before 2.3 cannot).
pub type Allowed = Option<BTreeSet<Operation>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    pub error: Option<RDKafkaErrorCode>,
    /// As Kafka writes it; a topic that is made anew has another one. `None`: brokers before 2.8 give none.
    pub id: Option<String>,
    pub partitions: usize,
    pub allowed: Allowed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub error: Option<RDKafkaErrorCode>,
    pub allowed: Allowed,
}

/// The settings of one topic, by name; those without a value left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub error: Option<RDKafkaErrorCode>,
    pub values: BTreeMap<String, String>,
}

/// Whom to ask, and for how long at most.
pub struct Ask<'c, C: ClientContext> {
    pub client: &'c Client<C>,
    /// A broker's id; `None`: the one in charge, which is waited for while it is not there.
    pub broker: Option<i32>,
    pub timeout: Duration,
}

impl<C: ClientContext> Ask<'_, C> {
    /// What topics there are under these names, each with the operations allowed on it.
    pub fn topics(&self, names: &[&str]) -> Result<Vec<Topic>, RDKafkaErrorCode> {
        let names = Names::of(names)?;
        let question = Question::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS)?;
        question.include_operations()?;
        // SAFETY: the collection copies the names and the call copies the collection, which is then destroyed, once;
        // client, options and queue live as long as `self` and `question`.
        unsafe {
            let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.list().as_mut_ptr(), names.0.len());
            rd::rd_kafka_DescribeTopics(self.client.native_ptr(), topics, question.options, question.queue);
            rd::rd_kafka_TopicCollection_destroy(topics);
        }
        let answer = question.answer(self.timeout)?;
        // SAFETY: the result and everything read from it belong to the answer, which outlives the reading; what is
        // returned was copied out of it.
        unsafe {
            let result = rd::rd_kafka_event_DescribeTopics_result(answer.0);
            let mut count = 0;
            let topics = list(result, |result| rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count))?;
            Ok(elements(topics, count).map(|topic| described_topic(topic)).collect())
        }
    }

    /// The group, known or not, with the operations allowed on it.
    pub fn group(&self, name: &str) -> Result<Group, RDKafkaErrorCode> {
        let names = Names::of(&[name])?;
        let question = Question::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS)?;
        question.include_operations()?;
        // SAFETY: the call copies the names; client, options and queue live as long as `self` and `question`.
        unsafe {
            rd::rd_kafka_DescribeConsumerGroups(
                self.client.native_ptr(),
                names.list().as_mut_ptr(),
                names.0.len(),
                question.options,
                question.queue,
            );
        }
        let answer = question.answer(self.timeout)?;
        // SAFETY: the result and everything read from it belong to the answer, which outlives the reading; what is
        // returned was copied out of it.
        unsafe {
            let result = rd::rd_kafka_event_DescribeConsumerGroups_result(answer.0);
            let mut count = 0;
            let read = |result| rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
            let groups = list(result, read)?;
            elements(groups, count).next().map(|group| described_group(group)).ok_or(RDKafkaErrorCode::BadMessage)
        }
    }

    /// The settings of these topics, in their order.
    pub fn settings(&self, topics: &[&str]) -> Result<Vec<Settings>, RDKafkaErrorCode> {
        self.described(rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, topics)
    }

    /// The settings of one broker; it is asked itself.
    pub fn broker_settings(&self, id: i32) -> Result<BTreeMap<String, String>, RDKafkaErrorCode> {
        let described = self.described(rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER, &[&id.to_string()])?;
        let Settings { values, error } = described.into_iter().next().ok_or(RDKafkaErrorCode::BadMessage)?;
        error.map_or(Ok(values), Err)
    }

    fn described(&self, kind: rd::rd_kafka_ResourceType_t, names: &[&str]) -> Result<Vec<Settings>, RDKafkaErrorCode> {
        let names = Names::of(names)?;
        let question = Question::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)?;
        // SAFETY: a resource copies its name, is null only for a name that is null or empty or a type that does not
        // exist, is copied by the call and then destroyed, once; the rest as above.
        unsafe {
            let resources = names.0.iter().map(|name| rd::rd_kafka_ConfigResource_new(kind, name.as_ptr()));
            let mut resources: Vec<_> = resources.filter(|resource| !resource.is_null()).collect();
            rd::rd_kafka_DescribeConfigs(
                self.client.native_ptr(),
                resources.as_mut_ptr(),
                resources.len(),
                question.options,
                question.queue,
            );
            for resource in resources {
                rd::rd_kafka_ConfigResource_destroy(resource);
            }
        }
        let answer = question.answer(self.timeout)?;
        // SAFETY: the result and everything read from it belong to the answer, which outlives the reading; what is
        // returned was copied out of it.
        unsafe {
            let result = rd::rd_kafka_event_DescribeConfigs_result(answer.0);
            let mut count = 0;
            let read = |result| rd::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            let resources = list(result, read)?;
            Ok(elements(resources, count).map(|resource| described_settings(resource)).collect())
        }
    }
}

impl<C: ClientContext> fmt::Debug for Ask<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("broker", &self.broker).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Names in C's form. What is handed out points into it.
struct Names(Vec<CString>);

impl Names {
    fn of(names: &[&str]) -> Result<Self, RDKafkaErrorCode> {
        let names: Result<_, _> = names.iter().map(|name| CString::new(*name)).collect();
        names.map(Self).map_err(|_| RDKafkaErrorCode::InvalidArgument)
    }

    fn list(&self) -> Vec<*const c_char> {
        self.0.iter().map(|name| name.as_ptr()).collect()
    }
}

/// The options of one question, and a queue of its own for the answer: polling it calls nobody back.
pub(super) struct Question {
    pub(super) options: *mut rd::rd_kafka_AdminOptions_t,
    pub(super) queue: *mut rd::rd_kafka_queue_t,
}

impl Question {
    pub(super) fn new<C: ClientContext>(
        ask: &Ask<'_, C>,
        about: rd::rd_kafka_admin_op_t,
    ) -> Result<Self, RDKafkaErrorCode> {
        let client = ask.client.native_ptr();
        // SAFETY: the client lives as long as `ask`. Both are owned by the question and destroyed in its drop; for a
        // known operation neither is null.
        let question = unsafe {
            Self { options: rd::rd_kafka_AdminOptions_new(client, about), queue: rd::rd_kafka_queue_new(client) }
        };
        let timeout_ms = c_int::try_from(ask.timeout.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the options are alive; without a buffer the calls write no reason.
        unsafe {
            checked(rd::rd_kafka_AdminOptions_set_request_timeout(question.options, timeout_ms, ptr::null_mut(), 0))?;
            if let Some(broker) = ask.broker {
                checked(rd::rd_kafka_AdminOptions_set_broker(question.options, broker, ptr::null_mut(), 0))?;
            }
        }
        Ok(question)
    }

    fn include_operations(&self) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: the options are alive; an error belongs to the caller and is destroyed after its last use, for which
        // null is allowed.
        unsafe {
            let error = rd::rd_kafka_AdminOptions_set_include_authorized_operations(self.options, 1);
            let code = rd::rd_kafka_error_code(error);
            rd::rd_kafka_error_destroy(error);
            checked(code)
        }
    }

    /// Waits for the answer to what was asked.
    pub(super) fn answer(&self, timeout: Duration) -> Result<Answer, RDKafkaErrorCode> {
        let timeout_ms = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX).saturating_add(SLACK_MS);
        // SAFETY: the queue is alive; the event is owned by the answer from here on.
        unsafe {
            let event = rd::rd_kafka_queue_poll(self.queue, timeout_ms);
            if event.is_null() {
                return Err(RDKafkaErrorCode::OperationTimedOut);
            }
            let answer = Answer(event);
            checked(rd::rd_kafka_event_error(answer.0))?;
            Ok(answer)
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: created in `new`, destroyed once. A request still on its way holds the queue itself, and its answer
        // is thrown away.
        unsafe {
            rd::rd_kafka_AdminOptions_destroy(self.options);
            rd::rd_kafka_queue_destroy(self.queue);
        }
    }
}

pub(super) struct Answer(pub(super) *mut rd::rd_kafka_event_t);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: polled in `Question::answer`, destroyed once, after everything that was read from it.
        unsafe { rd::rd_kafka_event_destroy(self.0) }
    }
}

pub(super) fn checked(code: RDKafkaRespErr) -> Result<(), RDKafkaErrorCode> {
    error(code).map_or(Ok(()), Err)
}

pub(super) fn error(code: RDKafkaRespErr) -> Option<RDKafkaErrorCode> {
    (code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
}

/// The list in a result; an answer to another question has none.
pub(super) fn list<R, T>(
    result: *const R,
    read: impl FnOnce(*const R) -> *mut *const T,
) -> Result<*mut *const T, RDKafkaErrorCode> {
    if result.is_null() { Err(RDKafkaErrorCode::BadMessage) } else { Ok(read(result)) }
}

/// The elements of a list in C: one that is empty may be null, and so may be an element nobody answered for.
///
/// # Safety
///
/// `list` is null or holds `count` pointers, each null or to a `T`, all of them alive for `'a`.
pub(super) unsafe fn elements<'a, T: 'a>(list: *mut *const T, count: usize) -> impl Iterator<Item = *const T> + 'a {
    // SAFETY: as promised by the caller.
    let elements = if list.is_null() { &[][..] } else { unsafe { slice::from_raw_parts(list, count) } };
    elements.iter().copied().filter(|element| !element.is_null())
}

/// # Safety
///
/// `topic` is alive.
unsafe fn described_topic(topic: *const rd::rd_kafka_TopicDescription_t) -> Topic {
    let (mut partitions, mut count) = (0, 0);
    // SAFETY: name, error and lists belong to the topic; no error is null, of which the code is that of success.
    unsafe {
        rd::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let operations = rd::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
        Topic {
            name: text(rd::rd_kafka_TopicDescription_name(topic)).unwrap_or_default(),
            error: error(rd::rd_kafka_error_code(rd::rd_kafka_TopicDescription_error(topic))),
            id: topic_id(rd::rd_kafka_TopicDescription_topic_id(topic)),
            partitions,
            allowed: allowed(operations, count),
        }
    }
}

/// # Safety
///
/// `id` is null or alive.
unsafe fn topic_id(id: *const rd::rd_kafka_Uuid_t) -> Option<String> {
    // SAFETY: as promised by the caller; the text belongs to the id, which keeps it once it was asked for.
    unsafe {
        if id.is_null() {
            return None;
        }
        let bits = (rd::rd_kafka_Uuid_most_significant_bits(id), rd::rd_kafka_Uuid_least_significant_bits(id));
        // Kafka's own tools write ids with the letters that are safe in an address.
        let id = text(rd::rd_kafka_Uuid_base64str(id)).filter(|_| bits != (0, 0));
        id.map(|id| id.replace('+', "-").replace('/', "_"))
    }
}

/// # Safety
///
/// `group` is alive.
unsafe fn described_group(group: *const rd::rd_kafka_ConsumerGroupDescription_t) -> Group {
    let mut count = 0;
    // SAFETY: error and list belong to the group; no error is null, of which the code is that of success.
    unsafe {
        let operations = rd::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        Group {
            error: error(rd::rd_kafka_error_code(rd::rd_kafka_ConsumerGroupDescription_error(group))),
            allowed: allowed(operations, count),
        }
    }
}

/// # Safety
///
/// `resource` is alive.
unsafe fn described_settings(resource: *const rd::rd_kafka_ConfigResource_t) -> Settings {
    let mut count = 0;
    // SAFETY: the entries belong to the resource, their names and values to the entries.
    unsafe {
        let entries = rd::rd_kafka_ConfigResource_configs(resource, &raw mut count);
        let values = elements(entries, count).filter_map(|entry| {
            Some((text(rd::rd_kafka_ConfigEntry_name(entry))?, text(rd::rd_kafka_ConfigEntry_value(entry))?))
        });
        Settings { error: error(rd::rd_kafka_ConfigResource_error(resource)), values: values.collect() }
    }
}

/// # Safety
///
/// `operations` is null or holds `count` operations.
unsafe fn allowed(operations: *const rd::rd_kafka_AclOperation_t, count: usize) -> Allowed {
    use rd::rd_kafka_AclOperation_t as Native;
    if operations.is_null() {
        return None;
    }
    // SAFETY: as promised by the caller. Read as the numbers they are: an operation that the bindings do not know
    // must not become a value of their enum.
    let operations = unsafe { slice::from_raw_parts(operations.cast::<u32>(), count) };
    let known = [
        (Native::RD_KAFKA_ACL_OPERATION_READ, Operation::Read),
        (Native::RD_KAFKA_ACL_OPERATION_WRITE, Operation::Write),
        (Native::RD_KAFKA_ACL_OPERATION_DESCRIBE, Operation::Describe),
    ];
    let allowed = known.into_iter().filter(|(native, _)| operations.contains(&(*native as u32)));
    Some(allowed.map(|(_, operation)| operation).collect())
}

/// # Safety
///
/// `text` is null or a NUL-terminated string.
pub(super) unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: as promised by the caller.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
