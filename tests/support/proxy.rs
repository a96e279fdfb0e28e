//! Stands between a client and a broker: passes on, until it is told to keep the answers on all connections that are open
//! to itself. Whoever connects after that is served. It can also be turned to another broker, as a name would be.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::broker::free_port;

type Kept = Arc<AtomicBool>;

#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    target: Arc<AtomicU16>,
    /// Of each connection that was ever made: whether its answers are kept back.
    connections: Arc<Mutex<Vec<Kept>>>,
}

impl Proxy {
    /// Listens; to be turned to a broker before anybody connects.
    pub fn listen() -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("listen on a free port");
        let proxy = Self { port, target: Arc::default(), connections: Arc::default() };
        let (target, connections) = (Arc::clone(&proxy.target), Arc::clone(&proxy.connections));
        // Lives as long as the test program.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A broker that is away is away for the client, too.
                let Ok(broker) = TcpStream::connect(("127.0.0.1", target.load(Ordering::Relaxed))) else { continue };
                let kept = Kept::default();
                connections.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&kept));
                pass_on(&client, &broker, Kept::default());
                pass_on(&broker, &client, kept);
            }
        });
        proxy
    }

    /// Sends whoever connects from now on to this port.
    pub fn turn_to(&self, port: u16) {
        self.target.store(port, Ordering::Relaxed);
    }

    /// Keeps the answers on every connection that is open.
    pub fn keep_answers(&self) {
        for kept in self.connections.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            kept.store(true, Ordering::Relaxed);
        }
    }
}

fn pass_on(from: &TcpStream, to: &TcpStream, kept: Kept) {
    let mut from = from.try_clone().expect("a second handle of a connection");
    let mut to = to.try_clone().expect("a second handle of a connection");
    thread::spawn(move || {
        let mut bytes = [0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !kept.load(Ordering::Relaxed) && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // Fails for a connection that is gone already, which is what is wanted.
        let _ = to.shutdown(Shutdown::Both);
    });
}
