//! The node with its listeners that all tests share, the ways through them, and what must not be seen of anybody's.

use std::sync::OnceLock;
use std::thread;

use crate::support::cluster::Cluster;
use crate::support::issuer::SECRET;
use crate::support::listeners::{Listeners, PASSWORD, written};
use crate::support::maker::now_ms;
use crate::support::pki::{Authority, Identity};
use crate::support::scene::{Guarantee, Scene};
use crate::support::service::{Call, Ended};

pub const CANARY: &str = "canary-of-no-use";

/// How each private key and each token of these tests begins.
const KEY_BEGINS: &str = "MIGHAgEA";
const TOKEN_BEGINS: &str = "eyJ";

/// The listeners, and the cluster behind them.
pub struct SecuredKafka {
    pub listeners: Listeners,
    pub cluster: Cluster,
    /// Strangers, who vouch for whom they like.
    pub strangers: Authority,
}

impl SecuredKafka {
    /// Everybody may do what is documented and no more; users of these names may do less.
    pub fn get() -> &'static Self {
        static SECURED: OnceLock<SecuredKafka> = OnceLock::new();
        SECURED.get_or_init(|| {
            let listeners = Listeners::build();
            let cluster = listeners.plan().start();
            let rules: [(&str, &str, &[&str]); 9] = [
                ("--allow-principal", "*", &["Read", "--topic", "raw-", "--group", "group-"]),
                ("--allow-principal", "*", &["Write", "--topic", "ecs-", "--topic", "dlq-"]),
                ("--allow-principal", "*", &["Write", "--operation", "Describe", "--transactional-id", "group-"]),
                ("--allow-principal", "auditor", &["Read", "--topic", "ecs-", "--topic", "dlq-"]),
                ("--deny-principal", "no-input", &["Read", "--topic", "raw-"]),
                ("--deny-principal", "no-group", &["Read", "--group", "group-"]),
                ("--deny-principal", "no-output", &["Write", "--topic", "ecs-"]),
                ("--deny-principal", "no-dead-letters", &["Write", "--topic", "dlq-"]),
                ("--deny-principal", "no-transactions", &["Write", "--transactional-id", "group-"]),
            ];
            thread::scope(|scope| {
                for (verb, user, what) in rules {
                    let cluster = &cluster;
                    scope.spawn(move || cluster.acl(&["--add", verb, &format!("User:{user}"), "--operation"], what));
                }
            });
            SecuredKafka { listeners, cluster, strangers: Authority::new("strangers") }
        })
    }

    pub fn scene(&self, guarantee: Guarantee) -> Scene<'_> {
        Scene::new(&self.cluster, guarantee, 2)
    }

    pub fn ca(&self) -> String {
        format!("kafka.tls.ca_file={}", written("ca.pem", &self.listeners.ours.certificate()))
    }

    /// TLS through this listener, trusting the right authority.
    pub fn tls(&self, listener: &str) -> Way {
        Way::through(self, listener).set("kafka.security=tls").set(&self.ca())
    }

    /// The listener that asks for a certificate, shown this one.
    pub fn mutual(&self, name: &str, identity: &Identity) -> Way {
        let (certificate, key) = files_of(name, identity);
        self.tls("MUTUAL").set(&certificate).set(&key)
    }

    pub fn login(&self, listener: &str, mechanism: &str) -> Way {
        let way = Way::through(self, listener).set(&format!("kafka.sasl.mechanism={mechanism}"));
        match listener {
            "SASLTLS" => way.set("kafka.security=sasl_tls").set(&self.ca()),
            _ => way.set("kafka.security=sasl_plaintext"),
        }
    }

    pub fn password(&self, listener: &str, mechanism: &str, user: &str, password: &str) -> Way {
        let way = self.login(listener, mechanism).set(&format!("kafka.sasl.username={user}"));
        way.set(&format!("kafka.sasl.password={password}"))
    }

    pub fn token(&self, listener: &str, token: &str) -> Way {
        self.login(listener, "OAUTHBEARER").set(&format!("kafka.sasl.token={token}"))
    }
}

/// Writes certificate and key, and gives the settings that name them.
pub fn files_of(name: &str, identity: &Identity) -> (String, String) {
    let key = written(&format!("{name}.key"), &identity.key());
    let certificate = written(&format!("{name}.pem"), &identity.certificate);
    (format!("kafka.tls.certificate_file={certificate}"), format!("kafka.tls.key_file={key}"))
}

/// How to get to the brokers, as settings.
#[derive(Clone, Debug)]
pub struct Way(Vec<String>);

impl Way {
    pub fn through(secured: &SecuredKafka, listener: &str) -> Self {
        Self(vec![format!("kafka.bootstrap_servers={}", secured.listeners.address(listener))])
    }

    pub fn set(mut self, setting: &str) -> Self {
        self.0.push(setting.to_owned());
        self
    }

    pub fn on(&self, call: Call) -> Call {
        self.0.iter().fold(call, |call, setting| call.set(setting))
    }

    pub fn run(&self, scene: &Scene<'_>) -> Call {
        self.on(Call::run(scene))
    }

    pub fn check(&self, scene: &Scene<'_>) -> Call {
        self.on(scene.settings().iter().fold(Call::of(&["check", "--connect"]), |call, setting| call.set(setting)))
    }
}

/// In `seconds` from now, as tokens count.
pub fn in_seconds(seconds: i64) -> i64 {
    now_ms() / 1000 + seconds
}

pub fn assert_no_secret(ended: &Ended) {
    for secret in [PASSWORD, CANARY, SECRET, KEY_BEGINS, TOKEN_BEGINS] {
        assert!(!ended.stderr.contains(secret) && !ended.stdout.contains(secret), "{secret} shows:\n{}", ended.stderr);
    }
}
