//! Certificates of the tests: authorities, and what they vouch for.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

const DAY_S: i64 = 24 * 3600;

/// From when to when, in days from now.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    pub from: i64,
    pub to: i64,
}

pub const VALID: Validity = Validity { from: -1, to: 30 };
pub const EXPIRED: Validity = Validity { from: -30, to: -1 };

/// Somebody who vouches for others.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate with its key.
pub struct Identity {
    pub certificate: String,
    key: PKey<Private>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = fresh_key();
        let name = x509_name(name);
        let mut builder = builder(&name, &name, &key, VALID);
        let constraints = BasicConstraints::new().critical().ca().build().expect("build an extension");
        builder.append_extension(constraints).expect("append an extension");
        builder.sign(&key, MessageDigest::sha256()).expect("sign a certificate");
        Self { certificate: builder.build(), key }
    }

    /// In PEM.
    pub fn certificate(&self) -> String {
        pem(&self.certificate)
    }

    /// Somebody of this name, reachable under these addresses.
    pub fn vouch(&self, name: &str, addresses: &[&str], validity: Validity) -> Identity {
        let key = fresh_key();
        let mut builder = builder(&x509_name(name), self.certificate.subject_name(), &key, validity);
        let mut names = SubjectAlternativeName::new();
        for address in addresses {
            if address.parse::<std::net::IpAddr>().is_ok() {
                names.ip(address)
            } else {
                names.dns(address)
            };
        }
        if !addresses.is_empty() {
            let names =
                names.build(&builder.x509v3_context(Some(&self.certificate), None)).expect("build an extension");
            builder.append_extension(names).expect("append an extension");
        }
        builder.sign(&self.key, MessageDigest::sha256()).expect("sign a certificate");
        Identity { certificate: pem(&builder.build()), key }
    }
}

impl Identity {
    /// In PEM.
    pub fn key(&self) -> String {
        text(self.key.private_key_to_pem_pkcs8().expect("write a key"))
    }

    pub fn encrypted_key(&self, password: &str) -> String {
        let cipher = Cipher::aes_256_cbc();
        text(self.key.private_key_to_pem_pkcs8_passphrase(cipher, password.as_bytes()).expect("write a key"))
    }

    /// Key and certificate in one, as Kafka's PEM stores have it.
    pub fn store(&self) -> String {
        self.key() + &self.certificate
    }
}

fn fresh_key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a known curve");
    PKey::from_ec_key(EcKey::generate(&curve).expect("make a key")).expect("wrap a key")
}

fn x509_name(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().expect("begin a name");
    builder.append_entry_by_text("CN", name).expect("a short name");
    builder.build()
}

fn builder(
    name: &X509Name,
    issuer: &openssl::x509::X509NameRef,
    key: &PKey<Private>,
    validity: Validity,
) -> X509Builder {
    let now_s = super::maker::now_ms() / 1000;
    let day = |days: i64| Asn1Time::from_unix(now_s + days * DAY_S).expect("a time");
    let mut serial = BigNum::new().expect("begin a number");
    serial.rand(127, MsbOption::MAYBE_ZERO, false).expect("choose a number");
    let mut builder = X509::builder().expect("begin a certificate");
    builder.set_version(2).expect("version 3");
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).expect("a number")).expect("set the number");
    builder.set_subject_name(name).expect("set the name");
    builder.set_issuer_name(issuer).expect("set the issuer");
    builder.set_not_before(&day(validity.from)).expect("set the beginning");
    builder.set_not_after(&day(validity.to)).expect("set the end");
    builder.set_pubkey(key).expect("set the key");
    builder
}

fn pem(certificate: &X509) -> String {
    text(certificate.to_pem().expect("write a certificate"))
}

fn text(pem: Vec<u8>) -> String {
    String::from_utf8(pem).expect("PEM is ASCII")
}
