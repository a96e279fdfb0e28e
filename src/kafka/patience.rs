//! Asking again while a topic settles: right after it was made, or while a partition moves to another leader, brokers give
//! errors that are over a moment later and mean nothing to whoever asked.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::errors;

/// How long a topic may take to settle.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);

/// Before the second question; doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Asks until the answer is another one than that something is settling, or for too long.
pub fn until_settled<T>(mut ask: impl FnMut() -> T, code: impl Fn(&T) -> Option<RDKafkaErrorCode>) -> T {
    let deadline = Instant::now() + SETTLES_WITHIN;
    let mut pause = FIRST_PAUSE;
    loop {
        let answer = ask();
        if !code(&answer).is_some_and(errors::is_settling) || Instant::now() + pause >= deadline {
            return answer;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_over_in_a_moment_is_asked_again() {
        use RDKafkaErrorCode as Code;
        let cases = [
            (Code::NotLeaderForPartition, 3),
            (Code::UnknownPartition, 3),
            (Code::DestroyBroker, 3),
            (Code::TopicAuthorizationFailed, 1),
        ];
        for (first, asked) in cases {
            let mut answers = vec![Ok(7), Err(first), Err(first)];
            let mut questions = 0;
            let ask = || {
                questions += 1;
                answers.pop().expect("not asked without end")
            };
            let answer = until_settled(ask, |answer: &Result<i32, Code>| answer.err());
            assert_eq!((questions, answer.is_ok()), (asked, asked == 3), "{first:?}");
        }
    }
}
