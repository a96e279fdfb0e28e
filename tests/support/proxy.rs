//! Stands between a client and a broker, and is a bad road when it is told so: it keeps answers back, cuts, or is slow. It
//! can also be turned to another broker, as a name would be.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::broker::{Plan, free_port};
use super::cluster::Cluster;
use super::listeners::Listener;

/// Kafka's number of the request that ends a transaction.
pub const END_TXN: i16 = 26;

/// What may become of a connection.
#[derive(Debug)]
struct Passage {
    /// Its answers are kept back, for as long as it lives.
    kept: Arc<AtomicBool>,
    client: TcpStream,
}

/// A request that is to arrive late: which one, and what waits since it came.
#[derive(Debug, Default)]
struct Late {
    /// Kafka's number for the kind of request, while one is waited for.
    kind: Option<i16>,
    /// The broker's end, and what it has not got yet.
    held: Option<(TcpStream, Vec<u8>)>,
}

impl Late {
    /// Whether these bytes, from the start of a request on, are kept.
    fn takes(&mut self, bytes: &[u8], broker: &TcpStream) -> bool {
        let is_it = self.kind.is_some_and(|kind| bytes.get(4..6) == Some(&kind.to_be_bytes()));
        if is_it {
            let broker = broker.try_clone().expect("a second handle of a connection");
            (self.kind, self.held) = (None, Some((broker, bytes.to_vec())));
        }
        is_it
    }
}

/// How it is to travel now, on all connections.
#[derive(Debug, Default)]
struct Road {
    cut: AtomicBool,
    /// Before each piece is passed on.
    delay_ms: AtomicU64,
    /// 0: as fast as it goes.
    bytes_per_second: AtomicU64,
    late: Mutex<Late>,
}

impl Road {
    fn late(&self) -> MutexGuard<'_, Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn travel(&self, bytes: usize) {
        let delay = Duration::from_millis(self.delay_ms.load(Ordering::Relaxed));
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        let narrow = if rate == 0 { 0.0 } else { bytes as f64 / rate as f64 };
        let takes = delay.max(Duration::from_secs_f64(narrow));
        if !takes.is_zero() {
            thread::sleep(takes);
        }
    }
}

#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    target: Arc<AtomicU16>,
    road: Arc<Road>,
    /// Each connection that was made and may still be open.
    passages: Arc<Mutex<Vec<Passage>>>,
}

impl Proxy {
    /// Listens; to be turned to a broker before anybody connects.
    pub fn listen() -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("listen on a free port");
        let proxy = Self { port, target: Arc::default(), road: Arc::default(), passages: Arc::default() };
        let (target, road, passages) =
            (Arc::clone(&proxy.target), Arc::clone(&proxy.road), Arc::clone(&proxy.passages));
        // Lives as long as the test program.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if road.cut.load(Ordering::Relaxed) {
                    continue;
                }
                // A broker that is away is away for the client, too.
                let Ok(broker) = TcpStream::connect(("127.0.0.1", target.load(Ordering::Relaxed))) else { continue };
                let kept = Arc::new(AtomicBool::new(false));
                pass_on(&client, &broker, &road, &Arc::default());
                pass_on(&broker, &client, &road, &kept);
                passages.lock().unwrap_or_else(PoisonError::into_inner).push(Passage { kept, client });
            }
        });
        proxy
    }

    /// A node that clients reach through a proxy alone.
    pub fn before_one_node() -> (Self, Cluster) {
        let proxy = Self::listen();
        let listener = Listener::behind(proxy.port);
        proxy.turn_to(listener.port);
        (proxy, Plan::nodes(1).listener(listener).start())
    }

    /// The setting that leads the service here.
    pub fn bootstrap(&self) -> String {
        format!("kafka.bootstrap_servers=127.0.0.1:{}", self.port)
    }

    /// Sends whoever connects from now on to this port.
    pub fn turn_to(&self, port: u16) {
        self.target.store(port, Ordering::Relaxed);
    }

    /// Keeps the answers on every connection that is open; whoever connects after that is served.
    pub fn keep_answers(&self) {
        for passage in self.passages.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            passage.kept.store(true, Ordering::Relaxed);
        }
    }

    /// Holds the next request of this kind back, and closes the client's end of its connection.
    pub fn hold_next(&self, kind: i16) {
        self.road.late().kind = Some(kind);
    }

    pub fn holds_one(&self) -> bool {
        self.road.late().held.is_some()
    }

    /// Gives the broker what was held back, and holds nothing back any more.
    pub fn release(&self) {
        let Late { held, .. } = std::mem::take(&mut *self.road.late());
        if let Some((mut broker, bytes)) = held {
            // Fails where the broker has gone meanwhile, and the request with it.
            let _ = broker.write_all(&bytes);
        }
    }

    /// Closes every connection and every new one.
    pub fn cut(&self) {
        self.road.cut.store(true, Ordering::Relaxed);
        for passage in self.passages.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Fails for a connection that is gone already, which is what is wanted.
            let _ = passage.client.shutdown(Shutdown::Both);
        }
    }

    /// Makes every piece take this long, and no more than so many bytes a second each way on a connection.
    pub fn slow(&self, delay: Duration, bytes_per_second: u64) {
        self.road.delay_ms.store(u64::try_from(delay.as_millis()).expect("a short delay"), Ordering::Relaxed);
        self.road.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    /// A good road again. Answers that were kept are lost.
    pub fn mend(&self) {
        self.slow(Duration::ZERO, 0);
        self.road.cut.store(false, Ordering::Relaxed);
    }
}

fn pass_on(from: &TcpStream, to: &TcpStream, road: &Arc<Road>, kept: &Arc<AtomicBool>) {
    let mut from = from.try_clone().expect("a second handle of a connection");
    let mut to = to.try_clone().expect("a second handle of a connection");
    let (road, kept) = (Arc::clone(road), Arc::clone(kept));
    thread::spawn(move || {
        let mut bytes = [0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            road.travel(count);
            // Of answers none is taken for a request: these bytes are 0 there, for as long as a test lasts.
            if road.late().takes(&bytes[..count], &to) {
                // Its answer finds nobody any more.
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
            if !kept.load(Ordering::Relaxed) && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // Fails for a connection that is gone already, which is what is wanted.
        let _ = to.shutdown(Shutdown::Both);
    });
}
