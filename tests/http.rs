//! The HTTP endpoints over real sockets: what they answer, and that nobody can keep them from answering.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use messagetrace_ecs::http::Server;
use messagetrace_ecs::telemetry::health::Health;
use messagetrace_ecs::telemetry::http::serve;
use messagetrace_ecs::telemetry::metrics::{Metrics, Stall};

/// More than any single answer may take, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(30);

/// A header may take 5 s and a connection 15 s; between the two lies room for a busy machine.
const HEADER_DEADLINE: Duration = Duration::from_secs(12);

struct Service {
    server: Server,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

fn service() -> Service {
    let (health, metrics) = (Arc::new(Health::new()), Arc::new(Metrics::new()));
    let server = serve(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&health), Arc::clone(&metrics)).unwrap();
    Service { server, health, metrics }
}

impl Service {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.server.local_addr(), DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Everything that comes back for these bytes.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The other side may close before it has read everything.
        let _ = stream.write_all(bytes);
        read_all(&mut stream)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.unwrap_or_else(|| panic!("no status in {answer:?}")), body.to_owned())
    }
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut part = [0; 8192];
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("no end of the answer: {error}"),
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_probes_follow_the_engine() {
    let service = service();
    assert_eq!(service.get("/livez").0, 200);
    assert_eq!(service.get("/readyz").0, 503);
    service.health.clients_made();
    service.health.joined();
    service.health.stall(Stall::Output, Some(Instant::now()));
    let (status, body) = service.get("/readyz");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!({ "ready": true, "reasons": [], "stalled": ["output"], "breaker_open": false });
    assert_eq!((status, body), (200, expected));
    service.health.stopping();
    assert_eq!(service.get("/readyz").0, 503);
    assert_eq!(service.get("/livez").0, 200);
    service.server.stop();
}

#[test]
fn metrics_are_openmetrics_for_whoever_asks_for_it_and_the_older_text_for_everybody_else() {
    let service = service();
    service.metrics.records_polled.inc_by(7);
    let answer = service.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("\n# TYPE messagetrace_ecs_records_polled_total counter\n"), "{answer}");
    assert!(answer.contains("\nmessagetrace_ecs_records_polled_total 7\n") && !answer.contains("# EOF"), "{answer}");
    let answer = service.send(
        b"GET /metrics HTTP/1.1\r\nHost: x\r\naccept: text/plain;q=0.1\r\n\
          Accept: application/openmetrics-text;version=1.0.0\r\n\r\n",
    );
    assert!(
        answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\nmessagetrace_ecs_records_polled_total 7\n") && answer.ends_with("# EOF\n"), "{answer}");
}

#[test]
fn other_paths_and_methods_are_refused() {
    let service = service();
    for path in ["/", "/metrics/", "/healthz", "/livez/../metrics", "/%6civez"] {
        assert_eq!(service.get(path).0, 404, "{path}");
    }
    assert_eq!(service.get("/livez?verbose").0, 200);
    for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer =
            service.send(format!("{method} /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET\r\n"), "{method}: {answer}");
    }
}

#[test]
fn a_connection_is_good_for_one_request() {
    let service = service();
    let request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let answer = service.send(request.repeat(3).as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
}

#[test]
fn what_is_no_request_is_answered_with_an_end() {
    let service = service();
    let many_headers = (0..1_000).map(|number| format!("h{number}: x\r\n")).collect::<String>();
    for (bytes, status) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(10), "400"),
        (b"GET\r\n\r\n".to_vec(), "400"),
        (format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(100_000)).into_bytes(), "431"),
        (format!("GET /livez HTTP/1.1\r\n{many_headers}\r\n").into_bytes(), "431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)).into_bytes(), "4"),
    ] {
        let answer = service.send(&bytes);
        // A reset may overtake the answer while the rest of the request is still on its way.
        assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    let headers = "x: y\r\n".repeat(70);
    let answer = service.send(format!("GET /livez HTTP/1.1\r\n{headers}\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(service.get("/livez").0, 200);
}

#[test]
fn half_a_request_is_not_waited_for_for_ever() {
    let service = service();
    let started = Instant::now();
    let mut streams: Vec<TcpStream> = ["", "GET", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\n"]
        .into_iter()
        .map(|half| {
            let mut stream = service.connect();
            stream.write_all(half.as_bytes()).unwrap();
            stream
        })
        .collect();
    for stream in &mut streams {
        read_all(stream);
    }
    assert!(started.elapsed() < HEADER_DEADLINE, "{:?}", started.elapsed());
}

#[test]
fn a_request_that_trickles_in_is_cut_off() {
    let service = service();
    let mut stream = service.connect();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let started = Instant::now();
    let ended = |stream: &mut TcpStream| match stream.read(&mut [0; 512]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    };
    stream.write_all(b"GET /livez HTTP/1.1\r\nx: ").unwrap();
    while !ended(&mut stream) {
        assert!(started.elapsed() < HEADER_DEADLINE, "still open after {:?}", started.elapsed());
        let _ = stream.write_all(b"x");
    }
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody_and_is_let_go() {
    let service = service();
    // More than the kernel's buffers between the two take.
    for partition in 0..60_000 {
        service.metrics.processing_lag("a.topic.with.a.long.name", partition, 1, 1.0);
    }
    let mut slow = service.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let started = Instant::now();
    assert_eq!(service.get("/livez").0, 200);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    while slow.write_all(b"x").is_ok() {
        assert!(started.elapsed() < DEADLINE, "still open after {:?}", started.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_oldest_of_too_many_connections_makes_room_for_the_newest() {
    let service = service();
    let started = Instant::now();
    let mut silent: Vec<TcpStream> = (0..100).map(|_| service.connect()).collect();
    for stream in silent.iter_mut().take(30) {
        assert_eq!(read_all(stream), "");
    }
    assert!(started.elapsed() < Duration::from_secs(4), "closed only for being silent: {:?}", started.elapsed());
    let last = silent.last_mut().unwrap();
    last.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(read_all(last).starts_with("HTTP/1.1 200 "));
}

#[test]
fn more_than_a_thousand_silent_clients_do_not_keep_a_probe_waiting() {
    let service = service();
    let mut silent = VecDeque::new();
    let started = Instant::now();
    for number in 0..1_200 {
        let mut stream = service.connect();
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\n");
        silent.push_back(stream);
        // As many as a process may open by default, the other side of them included.
        if silent.len() > 700 {
            silent.pop_front();
        }
        if number % 200 == 0 {
            assert_eq!(service.get("/livez").0, 200);
        }
    }
    let asked = Instant::now();
    for path in ["/livez", "/metrics", "/readyz"] {
        service.get(path);
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "three answers took {:?}", asked.elapsed());
    assert!(started.elapsed() < DEADLINE * 3, "{:?}", started.elapsed());
}

#[test]
fn a_server_that_was_stopped_lets_go_of_its_port_with_clients_still_there() {
    let service = service();
    let address = service.server.local_addr();
    let mut client = service.connect();
    client.write_all(b"GET /livez").unwrap();
    let started = Instant::now();
    service.server.stop();
    assert!(started.elapsed() < DEADLINE);
    read_all(&mut client);
    let again = serve(address, Arc::default(), Arc::default()).unwrap();
    assert_eq!(again.local_addr(), address);
}

#[test]
fn an_address_that_is_taken_is_an_error_at_once() {
    let service = service();
    let error = serve(service.server.local_addr(), Arc::default(), Arc::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_client_that_leaves_early_harms_nobody() {
    let service = service();
    for _ in 0..100 {
        let mut stream = service.connect();
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        let _ = stream.shutdown(Shutdown::Both);
    }
    assert_eq!(service.get("/livez").0, 200);
}
