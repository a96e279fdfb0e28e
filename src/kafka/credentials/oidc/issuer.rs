//! The token of this process: asked for on a thread of its own, again before it expires, and handed to whichever client
//! wants it without a wait.
//!
//! While no new one is to be had, the one of before stays in use. What the files of the secret and of the authorities
//! hold is read again each time, so nothing has to be made anew when they are renewed.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::Utc;
use hyper::Uri;
use hyper::http::uri::Authority;
use rdkafka::client::OAuthToken;
use thiserror::Error;
use tokio::runtime;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::trouble::Trouble;
use super::{exchange, http};
use crate::config::{Fault, Kafka, Mechanism, Oidc, Secret, read_pem, read_secret};
use crate::kafka::credentials::jwt::Token;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// How long the first token is waited for, over several requests; the brokers get as long.
const FIRST: Duration = Duration::from_secs(10);

/// How often a stop is looked for meanwhile.
const SLICE: Duration = Duration::from_millis(100);

/// The first and the longest pause between requests that fail.
const BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// The share of a token's life after which the next is asked for: the client wants it at 0.8. In between lies a share by
/// chance, or all members of a group would ask in the same moment.
const RENEW_AT: f64 = 0.7;
const RENEW_WITHIN: f64 = 0.05;

/// The shortest pause between two tokens, however short they live.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// Between two looks at the file of the secret.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The clients of one process log in as one, so they share a token as long as there is one of them. Held weakly: the
/// clients own it, and it ends with the last.
static SHARED: Mutex<Weak<Issuer>> = Mutex::new(Weak::new());

/// Why there is no token, and what somebody has to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no token from {endpoint}: {trouble} ({})", .trouble.remedy())]
pub struct NotIssued {
    pub endpoint: String,
    pub trouble: Trouble,
}

#[derive(Debug)]
pub struct Issuer {
    /// What it was made of.
    oidc: Oidc,
    ca_file: Option<PathBuf>,
    endpoint: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: Notify,
}

/// What the last requests came to.
#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// Why the last one failed, if it did.
    trouble: Option<Trouble>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issuer {
    /// The one for these settings, at work already or newly started; `None` where they want no client credentials.
    pub fn of(kafka: &Kafka) -> Option<Arc<Self>> {
        let is_login = kafka.security.logs_in();
        if !is_login || kafka.sasl.mechanism != Some(Mechanism::OauthBearer) {
            return None;
        }
        let applicant = Applicant::of(kafka)?;
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shared.upgrade();
        if let Some(known) = known.filter(|known| known.is_for(kafka)) {
            return Some(known);
        }
        let issuer = Arc::new(Self::start(kafka, applicant));
        *shared = Arc::downgrade(&issuer);
        Some(issuer)
    }

    fn is_for(&self, kafka: &Kafka) -> bool {
        self.oidc == kafka.sasl.oidc && self.ca_file == kafka.tls.ca_file
    }

    fn start(kafka: &Kafka, applicant: Applicant) -> Self {
        let shared = Arc::new(Shared::default());
        let endpoint = shown(&applicant.endpoint);
        let asking = Asking::new(applicant, endpoint.clone(), Arc::clone(&shared));
        let thread = thread::Builder::new().name("tokens".to_owned()).spawn(move || asking.live());
        let failed = |error: &io::Error| shared.state().trouble = Some(Trouble::Thread(error.to_string()));
        let thread = thread.inspect_err(failed).ok();
        Self { oidc: kafka.sasl.oidc.clone(), ca_file: kafka.tls.ca_file.clone(), endpoint, shared, thread }
    }

    /// The token to log in with. Nobody waits for it, but for the answer to the first request of all.
    pub fn token(&self, now_ms: i64) -> Result<OAuthToken, NotIssued> {
        let unknown = |state: &mut State| state.token.is_none() && state.trouble.is_none();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), FIRST, unknown)
            .unwrap_or_else(PoisonError::into_inner);
        let token = state.token.as_ref().and_then(|token| token.to_client(now_ms));
        token.ok_or_else(|| self.not_issued(state.trouble.as_ref()))
    }

    /// Waits for a token as long as time may bring one; `stop` ends the waiting.
    pub fn await_first(&self, stop: &AtomicBool) -> Result<(), NotIssued> {
        let deadline = Instant::now() + FIRST;
        let mut state = self.shared.state();
        loop {
            if state.token.as_ref().is_some_and(|token| token.left_ms(Utc::now().timestamp_millis()) > 0) {
                return Ok(());
            }
            let is_final = state.trouble.as_ref().is_some_and(|trouble| !trouble.is_passing());
            if is_final || Instant::now() >= deadline || stop.load(Ordering::Relaxed) {
                return Err(self.not_issued(state.trouble.as_ref()));
            }
            (state, _) = self.shared.changed.wait_timeout(state, SLICE).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn not_issued(&self, trouble: Option<&Trouble>) -> NotIssued {
        let trouble = trouble.cloned().unwrap_or_else(|| Trouble::Silent(too_slow()));
        NotIssued { endpoint: self.endpoint.clone(), trouble }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A request that is under way is given up; a panic of it was told when it came.
            let _ = thread.join();
        }
    }
}

/// Without what may stand behind the path: some issuers want a name or more there.
fn shown(endpoint: &Uri) -> String {
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let authority = part(endpoint.authority().map(Authority::as_str));
    format!("{}://{authority}{}", part(endpoint.scheme_str()), endpoint.path())
}

fn too_slow() -> String {
    format!("within {} s", REQUEST.as_secs())
}

/// Who asks, and whom.
#[derive(Clone, Debug)]
struct Applicant {
    endpoint: Uri,
    id: String,
    secret: Secret,
    scope: Option<String>,
    ca: Option<Secret>,
}

impl Applicant {
    fn of(kafka: &Kafka) -> Option<Self> {
        let Oidc { token_url, client_id, client_secret, scope } = kafka.sasl.oidc.clone();
        Some(Self {
            // What is no address was refused with the configuration.
            endpoint: token_url?.parse().ok()?,
            id: client_id?,
            secret: client_secret?,
            scope,
            ca: kafka.tls.pem.ca.clone(),
        })
    }

    async fn ask(&self, secret: &Secret) -> Result<Token, Trouble> {
        let peer = http::Peer { endpoint: &self.endpoint, ca: self.ca.as_ref() };
        let authorization = exchange::authorization(&self.id, secret);
        let asked = http::post(peer, &authorization, exchange::form(self.scope.as_deref()));
        let answer = timeout(REQUEST, asked).await.unwrap_or_else(|_| Err(Trouble::Silent(too_slow())))?;
        exchange::read(answer.status, &answer.body, Utc::now().timestamp_millis())
    }
}

/// The thread's own: what it asks with, and what it has said of it.
struct Asking {
    /// With what its files held when they were last read.
    applicant: Applicant,
    endpoint: String,
    /// The secret that was last taken.
    proven: Option<Secret>,
    backoff: Duration,
    shared: Arc<Shared>,
    /// What is wrong at the moment, so that it is said once.
    told: Option<String>,
    told_of_files: Option<String>,
}

impl Asking {
    fn new(applicant: Applicant, endpoint: String, shared: Arc<Shared>) -> Self {
        Self { applicant, endpoint, proven: None, backoff: BACKOFF, shared, told: None, told_of_files: None }
    }

    fn live(mut self) {
        let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                self.shared.state().trouble = Some(Trouble::Thread(error.to_string()));
                return self.shared.changed.notify_all();
            }
        };
        let shared = Arc::clone(&self.shared);
        runtime.block_on(async {
            tokio::select! {
                () = shared.stop.notified() => {}
                () = self.ask_for_ever() => {}
            }
        });
        // The system's look-up of a name cannot be given up and is not waited for.
        runtime.shutdown_background();
    }

    async fn ask_for_ever(&mut self) {
        loop {
            self.read_files();
            let asked = self.ask().await;
            let pause = self.note(asked);
            self.pause(pause).await;
        }
    }

    /// Asks with the secret of now. When it is refused, the one of before may still be taken: it does not matter whether
    /// the issuer or the file learns of a new one first.
    async fn ask(&mut self) -> Result<Token, Trouble> {
        let secret = self.applicant.secret.clone();
        let trouble = match self.applicant.ask(&secret).await {
            Ok(token) => {
                self.proven = Some(secret);
                return Ok(token);
            }
            Err(trouble) => trouble,
        };
        match &self.proven {
            Some(proven) if *proven != secret && trouble.is_about_the_secret() => {
                let token = self.applicant.ask(proven).await?;
                tracing::warn!("a renewed client secret does not work, the one of before stays in use: {trouble}");
                Ok(token)
            }
            _ => Err(trouble),
        }
    }

    /// Makes known what came of it. How long to pause then.
    fn note(&mut self, asked: Result<Token, Trouble>) -> Duration {
        let now_ms = Utc::now().timestamp_millis();
        let mut state = self.shared.state();
        let pause = match asked {
            Ok(token) => {
                let left_ms = token.left_ms(now_ms);
                *state = State { token: Some(token), trouble: None };
                self.backoff = BACKOFF;
                if self.told.take().is_some() {
                    tracing::info!(endpoint = self.endpoint, "a token was issued again");
                }
                tracing::debug!(endpoint = self.endpoint, expires_in_s = left_ms / 1000, "a token was issued");
                Duration::from_millis(left_ms.unsigned_abs())
                    .mul_f64(RENEW_AT + RENEW_WITHIN * chance())
                    .max(LEAST_PAUSE)
            }
            Err(trouble) => {
                let left_ms = state.token.as_ref().map(|token| token.left_ms(now_ms));
                state.trouble = Some(trouble.clone());
                let pause = self.backoff.mul_f64(0.5 + 0.5 * chance());
                self.backoff = (self.backoff * 2).min(LAST_BACKOFF);
                drop(state);
                self.tell(NotIssued { endpoint: self.endpoint.clone(), trouble }, left_ms);
                pause
            }
        };
        self.shared.changed.notify_all();
        pause
    }

    /// Whoever waits for the first token of all says himself that there is none.
    fn tell(&mut self, why: NotIssued, left_ms: Option<i64>) {
        let Some(left_ms) = left_ms else { return };
        let is_left = left_ms > 0;
        let line = format!("{is_left} {why}");
        if self.told.as_ref() == Some(&line) {
            return;
        }
        self.told = Some(line);
        if is_left {
            tracing::warn!(expires_in_s = left_ms / 1000, "the token of before stays in use: {why}");
        } else {
            tracing::error!("the token has expired, the brokers let nobody in with it: {why}");
        }
    }

    /// Waits so long, or until the secret's file holds something else.
    async fn pause(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            sleep(left.min(LOOK_EVERY)).await;
            if self.read_files() {
                return;
            }
        }
    }

    /// Reads them again; `true`: the secret is another than before. What cannot be read leaves what was read before.
    fn read_files(&mut self) -> bool {
        let mut wrong = Vec::new();
        let mut again = |key: &str, secret: &mut Secret, read: fn(&std::path::Path) -> Result<Secret, Fault>| {
            let before = secret.clone();
            match secret.file().map(read).transpose() {
                Ok(fresh) => *secret = fresh.unwrap_or_else(|| before.clone()),
                Err(fault) => wrong.push(format!("{key} {fault}")),
            }
            *secret != before
        };
        let renewed = again("kafka.sasl.oidc.client_secret_file", &mut self.applicant.secret, read_secret);
        if let Some(ca) = &mut self.applicant.ca {
            again("kafka.tls.ca_file", ca, read_pem);
        }
        let wrong = (!wrong.is_empty()).then(|| wrong.join("; "));
        if let Some(wrong) = &wrong
            && self.told_of_files.as_ref() != Some(wrong)
        {
            tracing::warn!("what was read before stays in use: {wrong}");
        }
        self.told_of_files = wrong;
        renewed
    }
}

/// From 0 to 1. The clock's last digits are random enough for that.
fn chance() -> f64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    f64::from(nanos / 1000 % 1000) / 1000.0
}
