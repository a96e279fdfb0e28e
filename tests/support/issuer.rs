//! An issuer of tokens on loopback: TLS with a certificate of the tests, one client whom it knows, every request written
//! down, and on demand any answer that an issuer should not give.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;

use super::listeners::token;
use super::pki::Identity;

/// Whoever sends nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Its one client. Both parts hold what a form encodes.
pub const CLIENT: &str = "messagetrace of the tests";
pub const SECRET: &str = "cAnary~of+no/use%41:&=";

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Mood {
    /// Gives tokens that live so long, to whom it knows.
    Gives { seconds: i64 },
    /// Answers everybody with this status and body.
    Says { status: u16, body: String },
    /// Answers with these bytes, HTTP or not.
    Sends(Vec<u8>),
    /// Takes the request and is silent.
    Waits,
    /// Closes the connection.
    Leaves,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub target: String,
    /// Id and secret, decoded.
    pub client: Option<(String, String)>,
    pub form: String,
    /// Whether a token was given.
    pub granted: bool,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    secret: String,
    user: String,
    requests: Vec<Request>,
}

/// Answers until the process ends.
#[derive(Clone, Debug)]
pub struct Issuer {
    pub port: u16,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
}

impl Issuer {
    /// Over TLS, showing this identity, giving tokens for this user of the brokers.
    pub fn showing(identity: &Identity, user: &str) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("begin an acceptor");
        let certificate = X509::from_pem(identity.certificate.as_bytes()).expect("a certificate in PEM");
        let key = PKey::private_key_from_pem(identity.key().as_bytes()).expect("a key in PEM");
        acceptor.set_certificate(&certificate).expect("set the certificate");
        acceptor.set_private_key(&key).expect("set the key");
        let acceptor = acceptor.build();
        Self::open("https", user, move |stream, state| {
            // Who does not trust us leaves in the midst of it.
            if let Ok(stream) = acceptor.accept(stream) {
                answer(stream, state);
            }
        })
    }

    /// Without TLS.
    pub fn plain(user: &str) -> Self {
        Self::open("http", user, answer)
    }

    fn open(
        scheme: &'static str,
        user: &str,
        serve: impl Fn(TcpStream, &Mutex<State>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen on loopback");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let (mood, secret, user) = (Mood::Gives { seconds: 600 }, SECRET.to_owned(), user.to_owned());
        let state = Arc::new(Mutex::new(State { mood, secret, user, requests: Vec::new() }));
        let (serve, shared) = (Arc::new(serve), Arc::clone(&state));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (serve, shared) = (Arc::clone(&serve), Arc::clone(&shared));
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(PATIENCE));
                    serve(stream, &shared);
                });
            }
        });
        Self { port, scheme, state }
    }

    pub fn url(&self) -> String {
        self.url_by("127.0.0.1")
    }

    /// Under another name of this machine.
    pub fn url_by(&self, host: &str) -> String {
        format!("{}://{host}:{}/realms/tests/token?audience=kafka", self.scheme, self.port)
    }

    pub fn is_in(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// From now on this secret is the client's.
    pub fn knows(&self, secret: &str) {
        secret.clone_into(&mut self.state().secret);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer<S: Read + Write>(mut stream: S, state: &Mutex<State>) {
    let (head, form) = match request(&mut stream) {
        Ok(request) => request,
        Err(_) => {
            let _ = stream.write_all(&http(400, "no request"));
            return;
        }
    };
    let text = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let client = client(&head);
        let is_known = client.as_ref().is_some_and(|(id, secret)| id == CLIENT && *secret == state.secret);
        let is_sound = form.starts_with("grant_type=client_credentials");
        let granted = is_known && is_sound && matches!(state.mood, Mood::Gives { .. });
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        state.requests.push(Request { target, client, form, granted });
        match &state.mood {
            Mood::Gives { .. } if !is_known => http(401, r#"{"error":"invalid_client","error_description":"eyJ no"}"#),
            Mood::Gives { .. } if !is_sound => http(400, r#"{"error":"invalid_request"}"#),
            Mood::Gives { seconds } => {
                let token = token(&state.user, super::maker::now_ms() / 1000 + seconds);
                http(200, &format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{seconds}}}"#))
            }
            Mood::Says { status, body } => http(*status, body),
            Mood::Sends(bytes) => bytes.clone(),
            Mood::Waits => {
                drop(state);
                // Until the client has had enough.
                let _ = stream.read(&mut [0]);
                return;
            }
            Mood::Leaves => return,
        }
    };
    // Who left has had enough.
    let _ = stream.write_all(&text).and_then(|()| stream.flush());
}

fn http(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    let location = if (300..400).contains(&status) { "Location: https://127.0.0.1:1/elsewhere\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n{location}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Head and body.
fn request(stream: &mut impl Read) -> io::Result<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
        let mut more = [0; 4096];
        match stream.read(&mut more)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&more[..count]),
        }
        if !bytes[0].is_ascii_alphabetic() {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Who asks, by HTTP Basic with its parts encoded as a form.
fn client(head: &str) -> Option<(String, String)> {
    let encoded = header(head, "authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(openssl::base64::decode_block(encoded).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A proxy on loopback that lets through whoever asks for a tunnel, and counts them.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub port: u16,
    tunnels: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen on loopback");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let tunnels = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&tunnels);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || tunnel(stream, &shared));
            }
        });
        Self { port, tunnels }
    }

    /// Where to, in the order in which they were asked for.
    pub fn tunnels(&self) -> Vec<String> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn tunnel(mut near: TcpStream, tunnels: &Mutex<Vec<String>>) {
    let Ok((head, _)) = request(&mut near) else { return };
    let Some(target) = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) else { return };
    tunnels.lock().unwrap_or_else(PoisonError::into_inner).push(target.to_owned());
    let Ok(mut far) = TcpStream::connect(target) else { return };
    let _ = near.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
    let (Ok(mut far_side), Ok(mut near_side)) = (far.try_clone(), near.try_clone()) else { return };
    thread::spawn(move || io::copy(&mut far_side, &mut near_side));
    let _ = io::copy(&mut near, &mut far);
}
