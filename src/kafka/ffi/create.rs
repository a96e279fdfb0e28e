//! Making topics. Why not the crate: its admin client is a connection and a thread of its own, with a login of its own,
//! and throws away what the broker says about a topic that it refuses to make.

use std::ffi::{CString, c_int};
use std::ptr;

use rdkafka::bindings as rd;
use rdkafka::client::ClientContext;
use rdkafka::error::RDKafkaErrorCode;

use super::admin::{Ask, Question, checked, elements, error, list, text};

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    pub partitions: i32,
    pub replication: i32,
    pub settings: Vec<(&'static str, String)>,
}

/// What became of one topic that was to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub name: String,
    pub error: Option<RDKafkaErrorCode>,
    /// The broker's own words about the error.
    pub reason: String,
}

impl<C: ClientContext> Ask<'_, C> {
    /// Makes these topics, each on its own account. To be asked of the broker in charge.
    pub fn create(&self, topics: &[NewTopic]) -> Result<Vec<Made>, RDKafkaErrorCode> {
        let requests = topics.iter().map(Request::of).collect::<Result<Vec<_>, _>>()?;
        let mut native: Vec<_> = requests.iter().map(|request| request.0).collect();
        let question = Question::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS)?;
        let timeout_ms = c_int::try_from(self.timeout.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the options are alive, without a buffer no reason is written; the call copies the topics; client,
        // options and queue live as long as `self` and `question`.
        unsafe {
            // Without it the controller answers before the topic is there.
            checked(rd::rd_kafka_AdminOptions_set_operation_timeout(question.options, timeout_ms, ptr::null_mut(), 0))?;
            rd::rd_kafka_CreateTopics(
                self.client.native_ptr(),
                native.as_mut_ptr(),
                native.len(),
                question.options,
                question.queue,
            );
        }
        let answer = question.answer(self.timeout)?;
        // SAFETY: the result and everything read from it belong to the answer, which outlives the reading; what is
        // returned was copied out of it.
        unsafe {
            let result = rd::rd_kafka_event_CreateTopics_result(answer.0);
            let mut count = 0;
            let made = list(result, |result| rd::rd_kafka_CreateTopics_result_topics(result, &raw mut count))?;
            Ok(elements(made, count).map(|topic| outcome(topic)).collect())
        }
    }
}

/// A topic in C's form.
struct Request(*mut rd::rd_kafka_NewTopic_t);

impl Request {
    fn of(topic: &NewTopic) -> Result<Self, RDKafkaErrorCode> {
        let text = |text: &str| CString::new(text).map_err(|_| RDKafkaErrorCode::InvalidArgument);
        let name = text(&topic.name)?;
        // SAFETY: the name is copied; null, for numbers that no topic has, is seen to.
        let request = unsafe {
            rd::rd_kafka_NewTopic_new(name.as_ptr(), topic.partitions, topic.replication, ptr::null_mut(), 0)
        };
        if request.is_null() {
            return Err(RDKafkaErrorCode::InvalidArgument);
        }
        let request = Self(request);
        for (name, value) in &topic.settings {
            let (name, value) = (text(name)?, text(value)?);
            // SAFETY: the request is alive and copies both.
            checked(unsafe { rd::rd_kafka_NewTopic_set_config(request.0, name.as_ptr(), value.as_ptr()) })?;
        }
        Ok(request)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: made in `of`, destroyed once.
        unsafe { rd::rd_kafka_NewTopic_destroy(self.0) }
    }
}

/// # Safety
///
/// `topic` is alive.
unsafe fn outcome(topic: *const rd::rd_kafka_topic_result_t) -> Made {
    // SAFETY: name and reason belong to the topic; without an error the reason is null.
    unsafe {
        Made {
            name: text(rd::rd_kafka_topic_result_name(topic)).unwrap_or_default(),
            error: error(rd::rd_kafka_topic_result_error(topic)),
            reason: text(rd::rd_kafka_topic_result_error_string(topic)).unwrap_or_default(),
        }
    }
}
