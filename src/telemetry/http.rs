//! `/livez`, `/readyz` and `/metrics` on a thread of their own, so that they answer while the workers are saturated and
//! while Kafka is away. They only read atomics and encode numbers: whoever connects, the engine never waits.
//!
//! Everything is bounded: one request a connection, a deadline for its header and one for the whole, and a number of
//! connections. When they are used up the oldest is closed for the newest, because a probe must not queue behind
//! clients that say nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::health::{Answer, Health};
use super::metrics::Metrics;

/// Connections at once. A probe and a scrape need one each.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take for its request line and headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may last, a slow reader of the answer included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of a request's header; the smallest that hyper takes.
const HEADER_BYTES_MAX: usize = 8 * 1024;

const HEADERS_MAX: usize = 64;

/// Wait after a connection could not be accepted, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The endpoints, listening. Dropped, they stop.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Listens and answers until the server is stopped. An error when the address cannot be had.
pub fn serve(listen: SocketAddr, health: Arc<Health>, metrics: Arc<Metrics>) -> io::Result<Server> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let local_addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let state = State { health, metrics };
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = accept(listener, state) => {}
                _ = stopped => {}
            }
        });
    })?;
    Ok(Server { local_addr, stop: Some(stop), thread: Some(thread) })
}

impl Server {
    /// Where it listens, for `http.listen` with port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Closes every connection and waits for the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only when the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the http endpoints panicked");
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

async fn accept(listener: TcpListener, state: State) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the http endpoints cannot listen"),
    };
    let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(CONNECTIONS_MAX);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= CONNECTIONS_MAX
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        open.push_back(tokio::spawn(converse(stream, state.clone())).abort_handle());
    }
}

/// One connection, one request.
async fn converse(stream: TcpStream, state: State) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &state);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::trace!(%error, "a connection ended early"),
        Err(_) => tracing::trace!("a connection took too long"),
    }
}

fn answer(request: &Request<Incoming>, state: &State) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let known = matches!(path, "/livez" | "/readyz" | "/metrics");
    if known && request.method() != Method::GET {
        let mut answer = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return answer;
    }
    match path {
        "/livez" => probe(state.health.livez()),
        "/readyz" => probe(state.health.readyz()),
        "/metrics" => response(StatusCode::OK, OPENMETRICS, state.metrics.encode()),
        _ => response(StatusCode::NOT_FOUND, TEXT, "only /livez, /readyz and /metrics\n".to_owned()),
    }
}

fn probe(answer: Answer) -> Response<Full<Bytes>> {
    let status = if answer.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response(status, JSON, answer.body + "\n")
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
