//! A small HTTP server on a thread of its own, in which everything is bounded: one request a connection, a deadline for
//! its header and one for the whole, and a number of connections. When they are used up the oldest is closed for the
//! newest, because a probe must not queue behind clients that say nothing.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! use http_body_util::Full;
//! use hyper::body::Incoming;
//! use hyper::{Request, Response};
//! use messagetrace_ecs::http::{Answer, Endpoints, serve};
//!
//! #[derive(Clone)]
//! struct Hello;
//!
//! impl Endpoints for Hello {
//!     const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
//!
//!     async fn answer(&self, _: Request<Incoming>) -> Answer {
//!         Response::new(Full::from("hello"))
//!     }
//! }
//!
//! let server = serve("127.0.0.1:0".parse()?, Hello)?;
//! let mut client = TcpStream::connect(server.local_addr())?;
//! client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.ends_with("hello"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Connections at once. A probe and a scrape need one each.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take for its request line and headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a request's header; the smallest that hyper takes.
const HEADER_BYTES_MAX: usize = 8 * 1024;

const HEADERS_MAX: usize = 64;

/// Connections that the kernel keeps until they are accepted; as the standard library has it.
const BACKLOG: i32 = 128;

/// Wait after a connection could not be accepted, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub type Answer = Response<Full<Bytes>>;

/// What is asked, and what is answered to it.
pub trait Endpoints: Clone + Send + 'static {
    /// How long a connection may last, a slow reader of the answer included.
    const CONNECTION_TIMEOUT: Duration;

    /// Dropped when the client has left.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

/// The endpoints, listening. Dropped, they stop.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Listens and answers until the server is stopped. An error when the address cannot be had.
pub fn serve(listen: SocketAddr, endpoints: impl Endpoints) -> io::Result<Server> {
    let listener = bind(listen, bind_both)?;
    listener.set_nonblocking(true)?;
    let local_addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = accept(listener, endpoints) => {}
                _ = stopped => {}
            }
        });
        // Work beside the connections may wait for brokers; nobody waits for it any more.
        runtime.shutdown_background();
    })?;
    Ok(Server { local_addr, stop: Some(stop), thread: Some(thread) })
}

/// `[::]` means every address of both families, whatever `net.ipv6.bindv6only` says, and every one of IPv4 on a host without
/// IPv6: there a pod is probed at its IPv4 address, and elsewhere perhaps at the other.
fn bind(listen: SocketAddr, both: impl Fn(SocketAddr) -> io::Result<TcpListener>) -> io::Result<TcpListener> {
    if listen.ip() != Ipv6Addr::UNSPECIFIED {
        return TcpListener::bind(listen);
    }
    match both(listen) {
        // The port of somebody else is taken over IPv4 too.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(error) => {
            let ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port()));
            let listener = TcpListener::bind(ipv4)?;
            tracing::info!(%error, listen = %ipv4, "this host has no IPv6: listening on IPv4 alone");
            Ok(listener)
        }
        bound => bound,
    }
}

fn bind_both(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    // As the standard library does: a port is free again at once after a restart.
    socket.set_reuse_address(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Server {
    /// Where it listens, when the port was left to the system.
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

async fn accept(listener: TcpListener, endpoints: impl Endpoints) {
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
        open.push_back(tokio::spawn(converse(stream, endpoints.clone())).abort_handle());
    }
}

/// One connection, one request.
async fn converse<E: Endpoints>(stream: TcpStream, endpoints: E) {
    let service = service_fn(move |request| {
        let endpoints = endpoints.clone();
        async move { Ok::<_, Infallible>(endpoints.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(E::CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::trace!(%error, "a connection ended early"),
        Err(_) => tracing::trace!("a connection took too long"),
    }
}

/// An answer that nobody keeps.
pub fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpStream;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Never answers, and says when nobody waits any more.
    #[derive(Clone)]
    struct Mute(Sender<&'static str>);

    struct Waiting(Sender<&'static str>);

    impl Drop for Waiting {
        fn drop(&mut self) {
            self.0.send("left").unwrap();
        }
    }

    impl Endpoints for Mute {
        const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);

        async fn answer(&self, _: Request<Incoming>) -> Answer {
            let _waiting = Waiting(self.0.clone());
            self.0.send("asked").unwrap();
            std::future::pending().await
        }
    }

    #[test]
    fn a_host_without_ipv6_is_listened_to_on_ipv4_and_a_port_of_somebody_else_is_not_taken() {
        let refused = |kind: io::ErrorKind| bind("[::]:0".parse().unwrap(), move |_| Err(kind.into()));
        // The kernel's answer where there is no IPv6 at all: "address family not supported".
        let listener = refused(io::ErrorKind::Unsupported).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), Ipv4Addr::UNSPECIFIED);
        assert_eq!(refused(io::ErrorKind::AddrInUse).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let taken = TcpListener::bind("0.0.0.0:0").unwrap();
        let same = SocketAddr::from((Ipv6Addr::UNSPECIFIED, taken.local_addr().unwrap().port()));
        assert_eq!(bind(same, bind_both).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_given_up() {
        let (said, says) = channel();
        let server = serve("127.0.0.1:0".parse().unwrap(), Mute(said)).unwrap();
        let mut client = TcpStream::connect(server.local_addr()).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let limit = Duration::from_secs(60);
        assert_eq!(says.recv_timeout(limit), Ok("asked"));
        drop(client);
        assert_eq!(says.recv_timeout(limit), Ok("left"));
        server.stop();
    }
}
