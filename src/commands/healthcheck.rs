//! `healthcheck`: asks the service on `http.listen` whether it is ready, for container health checks. The answer goes to
//! standard output.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::Exit;
use crate::terminal::Stdout;
use crate::text::one_line;

/// A container runtime gives up after 30 s, and a service that needs 5 s for a line of JSON is not ready.
const DEADLINE: Duration = Duration::from_secs(5);

/// For one address; two of them leave time for an answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Our answer is below a kilobyte; something else may be listening.
const ANSWER_MAX: u64 = 64 << 10;

pub fn run(listen: SocketAddr) -> anyhow::Result<Exit> {
    if listen.port() == 0 {
        bail!("http.listen has port 0, so nobody knows where the service listens: set a port");
    }
    let (address, answer) = ask_any(listen)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut out = Stdout::lock();
    writeln!(out, "{}", one_line(body))?;
    out.flush()?;
    let status = head.split(' ').nth(1).filter(|_| head.starts_with("HTTP/1."));
    match status {
        Some("200") => Ok(Exit::Done),
        Some("503") => bail!("the service at {address} is not ready: the answer says why"),
        _ => bail!("http://{address}/readyz is not answered by this program: check http.listen"),
    }
}

/// The first address that lets us in, and what it answers. A host may have either family of addresses, or both.
fn ask_any(listen: SocketAddr) -> anyhow::Result<(SocketAddr, String)> {
    let until = Instant::now() + DEADLINE;
    let mut refused = None;
    for address in reachable(listen) {
        let nobody =
            || format!("no answer from http://{address}/readyz (is the service running, with the same http.listen?)");
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => return Ok((address, ask(stream, until).with_context(nobody)?)),
            Err(error) => refused = refused.or_else(|| Some(anyhow::Error::new(error).context(nobody()))),
        }
    }
    Err(refused.unwrap_or_else(|| anyhow::anyhow!("http.listen names no address")))
}

/// Where a socket that listens there can be reached from the same machine, the likelier place first.
fn reachable(listen: SocketAddr) -> Vec<SocketAddr> {
    let home: &[IpAddr] = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        IpAddr::V6(ip) if ip.is_unspecified() => &[IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
        _ => return vec![listen],
    };
    home.iter().map(|ip| SocketAddr::new(*ip, listen.port())).collect()
}

fn ask(mut stream: TcpStream, until: Instant) -> anyhow::Result<String> {
    let address = stream.peer_addr()?;
    stream.set_write_timeout(Some(DEADLINE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        // The deadline is one for all reads: an answer that trickles in must not take for ever.
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("the answer took longer than {} s", DEADLINE.as_secs());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => return Ok(String::from_utf8_lossy(&answer).into_owned()),
            length => answer.extend_from_slice(&part[..length]),
        }
        if answer.len() as u64 > ANSWER_MAX {
            bail!("the answer is longer than {} KiB", ANSWER_MAX >> 10);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_asked_at_home_in_each_family_it_may_have() {
        for (listen, asked) in [
            ("0.0.0.0:8080", vec!["127.0.0.1:8080"]),
            ("[::]:1", vec!["[::1]:1", "127.0.0.1:1"]),
            ("10.0.0.1:8080", vec!["10.0.0.1:8080"]),
            ("[fd00::1]:8080", vec!["[fd00::1]:8080"]),
        ] {
            let asked: Vec<SocketAddr> = asked.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(reachable(listen.parse().unwrap()), asked);
        }
    }
}
