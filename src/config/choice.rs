//! Settings with a closed set of values: each enum and the names that its values go by, in one place.

use super::{Compression, Delivery, Dialect, GroupProtocol, Key, LogFormat, Mechanism, Partition, Security, Timestamp};
use crate::normalize::Profile;

/// A closed set of values, each with the name that stands for it in the configuration.
pub trait Choice: Copy + Sized + 'static {
    const ALL: &'static [Self];
    const NAMES: &'static [&'static str];
}

macro_rules! choices {
    ($($type:ident { $($variant:ident = $name:literal),+ $(,)? })+) => {$(
        impl Choice for $type {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            const NAMES: &'static [&'static str] = &[$($name),+];
        }

        impl $type {
            /// The name as the configuration spells it.
            pub fn setting_name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    )+};
}

choices! {
    Security { Plaintext = "plaintext", Tls = "tls", SaslPlaintext = "sasl_plaintext", SaslTls = "sasl_tls" }
    Mechanism {
        Plain = "PLAIN",
        ScramSha256 = "SCRAM-SHA-256",
        ScramSha512 = "SCRAM-SHA-512",
        OauthBearer = "OAUTHBEARER",
    }
    GroupProtocol { Classic = "classic", Consumer = "consumer" }
    Key { Input = "input", EventId = "event_id" }
    Partition { Key = "key", Source = "source" }
    Timestamp { Source = "source", Now = "now" }
    Compression { Lz4 = "lz4", Zstd = "zstd", Snappy = "snappy", Gzip = "gzip", None = "none" }
    Dialect { Connect = "connect", Streams = "streams", Spring = "spring", Kip1191 = "kip1191" }
    Profile { Sekoia = "sekoia", Ecs = "ecs" }
    Delivery { ExactlyOnce = "exactly_once", AtLeastOnce = "at_least_once" }
    LogFormat { Auto = "auto", Text = "text", Json = "json" }
}
