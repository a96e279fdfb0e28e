//! What the files for TLS hold: read once, looked at before anybody connects, and the same for every client until all
//! of it is read again.
//!
//! They are handed to librdkafka as texts, not as files: a renewal that is half done, or broken, must not reach a client
//! that is made anew for another reason.

use std::path::Path;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::file::{read_pem, read_secret};
use super::problem::Fault;
use super::{Kafka, Secret, Tls};

const CA: &str = "kafka.tls.ca_file";
const CERTIFICATE: &str = "kafka.tls.certificate_file";
const KEY: &str = "kafka.tls.key_file";
const PASSWORD: &str = "kafka.tls.key_password";

/// The key of a setting, and what is wrong with it.
type Faults = Vec<(&'static str, Fault)>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pem {
    pub ca: Option<Secret>,
    pub certificate: Option<Secret>,
    pub key: Option<Secret>,
}

impl Pem {
    /// Reads the files and makes sure that they can be used, and used together.
    pub fn read(tls: &Tls) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let mut read = |key: &'static str, path: &Option<_>| match path.as_deref().map(read_pem).transpose() {
            Ok(text) => text,
            Err(fault) => {
                faults.push((key, fault));
                None
            }
        };
        let pem = Self {
            ca: read(CA, &tls.ca_file),
            certificate: read(CERTIFICATE, &tls.certificate_file),
            key: read(KEY, &tls.key_file),
        };
        faults.extend(pem.ca.as_ref().and_then(|text| certificate(text).err()).map(|fault| (CA, fault)));
        let ours =
            pem.certificate.as_ref().and_then(|text| certificate(text).map_err(|f| faults.push((CERTIFICATE, f))).ok());
        let key = pem.key.as_ref();
        let key = key.and_then(|text| private_key(text, tls.key_password.as_ref()).map_err(|f| faults.push(f)).ok());
        if let (Some(ours), Some(key)) = (ours, key)
            && !ours.public_key().is_ok_and(|public| public.public_eq(&key))
        {
            let what = format!("does not belong to {CERTIFICATE}");
            faults.push((KEY, Fault::new(what, "give both the files of one certificate")));
        }
        if faults.is_empty() { Ok(pem) } else { Err(faults) }
    }
}

/// The first certificate in it; the others, its issuers, are read too.
fn certificate(text: &Secret) -> Result<X509, Fault> {
    let found = X509::stack_from_pem(text.reveal().as_bytes()).unwrap_or_default();
    found
        .into_iter()
        .next()
        .ok_or_else(|| Fault::new("holds no certificate in PEM", "name a file with -----BEGIN CERTIFICATE----- in it"))
}

fn private_key(text: &Secret, password: Option<&Secret>) -> Result<PKey<Private>, (&'static str, Fault)> {
    let encrypted = text.reveal().contains("ENCRYPTED");
    // Never without a password: OpenSSL would ask for one on the terminal.
    let given = password.map_or("", Secret::reveal);
    PKey::private_key_from_pem_passphrase(text.reveal().as_bytes(), given.as_bytes()).map_err(|_| match password {
        None if encrypted => (KEY, Fault::new("is encrypted", format!("set {PASSWORD}_file"))),
        Some(_) if encrypted => (PASSWORD, Fault::new(format!("does not open {KEY}"), "correct it")),
        _ => (KEY, Fault::new("holds no private key in PEM", "name a file with -----BEGIN PRIVATE KEY----- in it")),
    })
}

impl Kafka {
    /// What the brokers are shown, and shown by: what no client uses is not among it. Tokens, and the secret that they are
    /// issued for, are not either: whoever asks for a token reads them himself.
    fn in_use(&self) -> [Option<&Secret>; 5] {
        let Tls { pem: Pem { ca, certificate, key }, key_password, .. } = &self.tls;
        let logs_in = self.security.logs_in();
        let key_password = key_password.as_ref().filter(|_| key.is_some());
        let password = self.sasl.password.as_ref().filter(|_| logs_in);
        [ca.as_ref(), certificate.as_ref(), key.as_ref(), key_password, password]
    }

    /// The files that are read again when they change.
    pub fn files(&self) -> Vec<&Path> {
        self.in_use().into_iter().flatten().filter_map(Secret::file).collect()
    }

    /// The same settings with what the files hold now.
    pub fn read_again(&self) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let mut again = |key: &'static str, used: Option<&Secret>, secret: &mut Option<Secret>| {
            let Some(path) = used.and_then(Secret::file) else { return };
            match read_secret(path) {
                Ok(fresh) => *secret = Some(fresh),
                Err(fault) => faults.push((key, fault)),
            }
        };
        let mut kafka = self.clone();
        let [.., key_password, password] = self.in_use();
        again(PASSWORD, key_password, &mut kafka.tls.key_password);
        again("kafka.sasl.password", password, &mut kafka.sasl.password);
        match Pem::read(&kafka.tls.that_was_read()) {
            Ok(pem) => kafka.tls.pem = pem,
            Err(more) => faults.extend(more),
        }
        if faults.is_empty() { Ok(kafka) } else { Err(faults) }
    }

    /// Whether these let in the same as those.
    pub fn has_same_secrets(&self, other: &Self) -> bool {
        self.in_use() == other.in_use()
    }
}

impl Tls {
    /// Without the files that nobody needed: they may be anything, or not even there.
    fn that_was_read(&self) -> Self {
        let Self { pem: Pem { ca, certificate, key }, .. } = &self;
        let mut tls = self.clone();
        tls.ca_file.take_if(|_| ca.is_none());
        tls.certificate_file.take_if(|_| certificate.is_none());
        tls.key_file.take_if(|_| key.is_none());
        tls
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::symm::Cipher;
    use tempfile::TempDir;

    use super::*;
    use crate::config::Security;

    /// A key and a file with it, encrypted or not.
    fn key_file(folder: &TempDir, name: &str, password: Option<&str>) -> std::path::PathBuf {
        let key = PKey::generate_ed25519().unwrap();
        let pem = match password {
            None => key.private_key_to_pem_pkcs8(),
            Some(password) => key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password.as_bytes()),
        };
        let path = folder.path().join(name);
        fs::write(&path, pem.unwrap()).unwrap();
        path
    }

    #[test]
    fn an_encrypted_key_is_opened_by_its_password_alone_and_the_fault_names_what_is_missing() {
        let folder = TempDir::new().unwrap();
        let locked = key_file(&folder, "locked", Some("opens"));
        let plain = key_file(&folder, "plain", None);
        let garbage = folder.path().join("garbage");
        fs::write(&garbage, "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n").unwrap();
        let cases = [
            (&locked, Some("opens"), None),
            (&locked, Some("other"), Some((PASSWORD, "does not open"))),
            (&locked, None, Some((KEY, "is encrypted"))),
            (&plain, None, None),
            (&plain, Some("needless"), None),
            (&garbage, None, Some((KEY, "holds no private key"))),
        ];
        for (file, password, expected) in cases {
            let key_password = password.map(Secret::new);
            let tls = Tls { key_file: Some(file.clone()), key_password, ..Tls::default() };
            let faults = Pem::read(&tls).err().unwrap_or_default();
            assert_eq!(faults.len(), usize::from(expected.is_some()), "{faults:?}");
            for ((key, says), (found, fault)) in expected.iter().zip(&faults) {
                assert!(key == found && fault.what.contains(says), "{found}: {fault}");
            }
        }
    }

    /// A certificate that vouches for itself, and where it lies.
    fn certificate_file(folder: &TempDir, name: &str) -> std::path::PathBuf {
        let key = PKey::generate_ed25519().unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::null()).unwrap();
        let path = folder.path().join(name);
        fs::write(&path, builder.build().to_pem().unwrap()).unwrap();
        path
    }

    #[test]
    fn what_was_not_read_is_not_read_again_and_cannot_hold_up_what_was() {
        let folder = TempDir::new().unwrap();
        let ca = certificate_file(&folder, "ca");
        let gone = folder.path().join("gone");
        // As it is with a token endpoint and no TLS with the brokers: the authorities are read, and nothing else.
        let mut kafka = Kafka { security: Security::SaslPlaintext, ..Kafka::default() };
        kafka.tls = Tls {
            ca_file: Some(ca.clone()),
            certificate_file: Some(certificate_file(&folder, "certificate")),
            key_file: Some(gone.clone()),
            key_password: Some(Secret::read_from(&gone, "p")),
            pem: Pem { ca: Some(read_pem(&ca).unwrap()), ..Pem::default() },
        };
        assert_eq!(kafka.files(), [ca.as_path()]);
        let again = kafka.read_again().unwrap();
        assert!(again.has_same_secrets(&kafka) && again.tls.pem.certificate.is_none());
        certificate_file(&folder, "ca");
        let renewed = kafka.read_again().unwrap();
        assert!(!renewed.has_same_secrets(&kafka));
        fs::remove_file(&ca).unwrap();
        assert_eq!(kafka.read_again().unwrap_err()[0].0, CA);
    }

    #[test]
    fn a_password_that_logs_in_nowhere_is_not_read_again() {
        let gone = TempDir::new().unwrap().path().join("gone");
        let mut kafka = Kafka::default();
        kafka.sasl.password = Some(Secret::read_from(&gone, "p"));
        assert!(kafka.files().is_empty());
        assert!(kafka.read_again().unwrap().has_same_secrets(&kafka));
        kafka.security = Security::SaslTls;
        assert_eq!(kafka.read_again().unwrap_err()[0].0, "kafka.sasl.password");
    }
}
