//! What one would write first: a stream of records, a task for each, `serde_json::Value` in between, a future for each
//! delivery.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer as _, DefaultConsumerContext, StreamConsumer};
use rdkafka::message::{Header, Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::AsyncRuntime;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::Errand;

/// Records on their way at a time.
const AT_ONCE: u32 = 10_000;

struct Tokio;

impl AsyncRuntime for Tokio {
    type Delay = tokio::time::Sleep;

    fn spawn<T: Future<Output = ()> + Send + 'static>(task: T) {
        tokio::spawn(task);
    }

    fn delay_for(duration: Duration) -> Self::Delay {
        tokio::time::sleep(duration)
    }
}

type Writer = FutureProducer<DefaultClientContext, Tokio>;

/// As the limit's.
pub fn run(errand: &Errand) -> (f64, u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work(errand))
}

async fn work(errand: &Errand) -> (f64, u64) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &errand.bootstrap).set("group.id", &errand.group);
    client.set("auto.offset.reset", "earliest").set("fetch.queue.backoff.ms", "10");
    let consumer: StreamConsumer<DefaultConsumerContext, Tokio> =
        client.create_with_context(DefaultConsumerContext).expect("a consumer");
    consumer.subscribe(&[&errand.input]).expect("a subscription");
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &errand.bootstrap).set("acks", "all").set("partitioner", "murmur2_random");
    client.set("linger.ms", "5").set("batch.size", "1000000").set("compression.type", "lz4");
    client.set("enable.idempotence", "true");
    let producer: Writer = client.create_with_context(DefaultClientContext).expect("a producer");
    let places = Arc::new(Semaphore::new(AT_ONCE as usize));
    let mut began = None;
    for _ in 0..errand.records {
        let message = consumer.recv().await.expect("a record").detach();
        began.get_or_insert_with(Instant::now);
        let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
        let (producer, output, letters) = (producer.clone(), errand.output.clone(), errand.dead_letters.clone());
        tokio::spawn(async move {
            one(&producer, &message, &output, &letters).await;
            drop(place);
        });
    }
    drop(places.acquire_many(AT_ONCE).await.expect("never closed"));
    (began.expect("records were read").elapsed().as_secs_f64(), 0)
}

async fn one(producer: &Writer, message: &OwnedMessage, output: &str, letters: &str) {
    let payload = message.payload().unwrap_or_default();
    let event = event(payload);
    let coordinates = format!("{}/{}/{}", message.topic(), message.partition(), message.offset());
    let header = Header { key: "messagetrace.source", value: Some(&coordinates) };
    let headers = message.headers().cloned().unwrap_or_else(OwnedHeaders::new).insert(header);
    let value = event.as_deref().unwrap_or(payload);
    let topic = if event.is_some() { output } else { letters };
    let mut record = FutureRecord::<[u8], [u8]>::to(topic).payload(value).headers(headers);
    record.key = message.key();
    record.timestamp = message.timestamp().to_millis();
    producer.send(record, Duration::from_secs(60)).await.expect("the broker takes it");
}

fn event(payload: &[u8]) -> Option<Vec<u8>> {
    let trace: Value = serde_json::from_slice(payload).ok()?;
    let string = |key: &str| trace.get(key).and_then(Value::as_str);
    let id = string("MessageTraceId").or_else(|| string("messageTraceId"))?;
    let event = json!({
        "message": std::str::from_utf8(payload).ok()?,
        "@timestamp": string("Received").or_else(|| string("receivedDateTime")),
        "event": {"kind": "event", "category": ["email"], "type": ["info"], "action": string("Status")},
        "office365": {"message_trace": {"MessageTraceId": id, "Size": trace.get("Size")}},
        "email": {
            "message_id": string("MessageId"),
            "from": {"address": [string("SenderAddress")]},
            "to": {"address": [string("RecipientAddress")]},
            "subject": string("Subject"),
        },
        "organization": {"name": string("Organization")},
        "source": {"ip": string("FromIP"), "address": string("FromIP")},
    });
    serde_json::to_vec(&event).ok()
}
