//! A broker far away: every byte to it and from it arrives half a round trip later, in order, and none is held back for
//! want of room.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Passes on what comes in at `port` to `target`. Lives as long as the program.
pub fn stand_between(port: u16, target: u16, round_trip: Duration) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("listen on a free port");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A broker that is away is away for the client, too.
            let Ok(broker) = TcpStream::connect(("127.0.0.1", target)) else { continue };
            pass_on(&client, &broker, round_trip / 2);
            pass_on(&broker, &client, round_trip / 2);
        }
    });
}

fn pass_on(from: &TcpStream, to: &TcpStream, delay: Duration) {
    let mut from = from.try_clone().expect("a second handle of a connection");
    let mut to = to.try_clone().expect("a second handle of a connection");
    to.set_nodelay(true).expect("an open connection");
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut bytes = vec![0; 256 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if sender.send((Instant::now() + delay, bytes[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // Fails for a connection that is gone already, which is what is wanted.
        let _ = to.shutdown(Shutdown::Both);
    });
}
