//! More listeners of a node, each with its own way of asking who is there: TLS, client certificates, logins.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::broker::{Plan, free_port};
use super::children::run_directory;
use super::pki::{Authority, EXPIRED, Identity, VALID};

/// Everybody who may log in has this name and, at first, this password.
pub const USER: &str = "alice";
pub const PASSWORD: &str = "wonderland-of-the-tests";

const KAFKA: &str = "org.apache.kafka.common.security";

/// One more listener.
#[derive(Clone, Debug)]
pub struct Listener {
    pub name: &'static str,
    pub protocol: &'static str,
    pub port: u16,
    /// Where clients are sent instead, when somebody stands before it.
    pub advertised: Option<u16>,
    /// Without the listener's own prefix.
    pub properties: Vec<(String, String)>,
}

impl Listener {
    fn new(name: &'static str, protocol: &'static str) -> Self {
        Self { name, protocol, port: free_port(), advertised: None, properties: Vec::new() }
    }

    /// An open one, of which clients only learn the port of whoever stands before it.
    pub fn behind(advertised: u16) -> Self {
        Self { advertised: Some(advertised), ..Self::new("BEHIND", "PLAINTEXT") }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.properties.push((key.to_owned(), value.into()));
        self
    }

    /// Shows this identity to whoever connects.
    fn showing(self, identity: &Identity) -> Self {
        let store = format!("{}-store.pem", self.name);
        let location = written(&store, &identity.store());
        self.with("ssl.keystore.type", "PEM").with("ssl.keystore.location", location)
    }

    /// Asks for a certificate of this authority.
    fn asking_for(self, authority: &Authority) -> Self {
        let location = written(&format!("{}-trust.pem", self.name), &authority.certificate());
        self.with("ssl.client.auth", "required")
            .with("ssl.truststore.type", "PEM")
            .with("ssl.truststore.location", location)
            .with("ssl.principal.mapping.rules", "RULE:^CN=(.*?)$/$1/")
    }

    /// All mechanisms; tokens are not signed, the broker believes what they say.
    fn with_logins(self) -> Self {
        let plain = format!("{KAFKA}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";");
        let scram = format!("{KAFKA}.scram.ScramLoginModule required;");
        let token =
            format!("{KAFKA}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";");
        self.with("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER")
            .with("plain.sasl.jaas.config", plain)
            .with("scram-sha-256.sasl.jaas.config", scram.clone())
            .with("scram-sha-512.sasl.jaas.config", scram)
            .with("oauthbearer.sasl.jaas.config", token)
            .with("oauthbearer.connections.max.reauth.ms", "3600000")
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A node with a listener of each kind, and who vouches for whom.
pub struct Listeners {
    pub ours: Authority,
    pub all: Vec<Listener>,
}

impl Listeners {
    pub fn build() -> Self {
        let ours = Authority::new("authority of the tests");
        let here = ["127.0.0.1", "localhost"];
        let broker = ours.vouch("broker", &here, VALID);
        let expired = ours.vouch("broker", &here, EXPIRED);
        let elsewhere = ours.vouch("broker", &["kafka.example"], VALID);
        let all = vec![
            Listener::new("TLS", "SSL").showing(&broker),
            Listener::new("MUTUAL", "SSL").showing(&broker).asking_for(&ours),
            Listener::new("EXPIRED", "SSL").showing(&expired),
            Listener::new("ELSEWHERE", "SSL").showing(&elsewhere),
            Listener::new("SASL", "SASL_PLAINTEXT").with_logins(),
            Listener::new("SASLTLS", "SASL_SSL").showing(&broker).with_logins(),
        ];
        Self { ours, all }
    }

    /// A plan with all listeners.
    pub fn plan(&self) -> Plan {
        let plan = Plan::nodes(1).guarded().scram_user("SCRAM-SHA-256").scram_user("SCRAM-SHA-512");
        self.all.iter().cloned().fold(plan, Plan::listener)
    }

    /// Where a listener is reached.
    pub fn address(&self, name: &str) -> String {
        self.all.iter().find(|listener| listener.name == name).expect("a listener of this name").address()
    }
}

/// A token that says whose it is and when it expires, in seconds since 1970. Nobody has signed it.
pub fn token(user: &str, expires_s: i64) -> String {
    let part = |text: &str| {
        let text = openssl::base64::encode_block(text.as_bytes());
        text.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
    };
    let claims = format!("{{\"sub\":\"{user}\",\"iat\":{},\"exp\":{expires_s}}}", expires_s - 3600);
    format!("{}.{}.", part("{\"alg\":\"none\"}"), part(&claims))
}

/// A file of the run's directory with this text; gives its path.
pub fn written(name: &str, text: &str) -> String {
    static VERSIONS: AtomicUsize = AtomicUsize::new(1);
    let path = run_directory().join(name);
    // Whole or not at all, under a name of its own until then: somebody may be watching it, another test writing it.
    let fresh = run_directory().join(format!("{name}.{}", VERSIONS.fetch_add(1, Ordering::Relaxed)));
    fs::write(&fresh, text).expect("write a file");
    fs::rename(&fresh, &path).expect("put the file in its place");
    path.display().to_string()
}

/// A file as Kubernetes mounts one of a secret: what is renewed is the symbolic link to its folder. Gives its path.
pub fn mounted(secret: &str, name: &str, text: &str) -> String {
    static VERSIONS: AtomicUsize = AtomicUsize::new(1);
    let version = format!("..version-{}", VERSIONS.fetch_add(1, Ordering::Relaxed));
    let folder = run_directory().join(secret);
    fs::create_dir_all(folder.join(&version)).expect("create a folder");
    fs::write(folder.join(&version).join(name), text).expect("write a file");
    symlink(&version, folder.join("..data_tmp")).expect("make a link");
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("swap the link");
    let path = folder.join(name);
    // There already, but the first time.
    let _ = symlink(format!("..data/{name}"), &path);
    path.display().to_string()
}
