//! `/livez`, `/readyz` and `/metrics` on a thread of their own, so that they answer while the workers are saturated and
//! while Kafka is away. They only read atomics and encode numbers: whoever connects, the engine never waits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::exposition::Exposition;
use super::health;
use super::health::Health;
use super::metrics::Metrics;
use crate::http;
use crate::http::{Answer, Endpoints, Server, response};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Listens and answers until the server is stopped. An error when the address cannot be had.
pub fn serve(listen: SocketAddr, health: Arc<Health>, metrics: Arc<Metrics>) -> io::Result<Server> {
    http::serve(listen, State { health, metrics })
}

#[derive(Clone, Debug)]
struct State {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Endpoints for State {
    const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let known = matches!(path, "/livez" | "/readyz" | "/metrics");
        if known && request.method() != Method::GET {
            let mut answer = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            return answer;
        }
        match path {
            "/livez" => probe(self.health.livez()),
            "/readyz" => probe(self.health.readyz()),
            "/metrics" => {
                let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
                let exposition = Exposition::for_who_accepts(accepted);
                response(StatusCode::OK, exposition.content_type(), exposition.write(self.metrics.encode()))
            }
            _ => response(StatusCode::NOT_FOUND, TEXT, "only /livez, /readyz and /metrics\n"),
        }
    }
}

fn probe(answer: health::Answer) -> Answer {
    let status = if answer.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response(status, JSON, answer.body + "\n")
}
