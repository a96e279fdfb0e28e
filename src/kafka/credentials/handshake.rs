//! A handshake of our own, to learn why a broker's certificate is not trusted: librdkafka only says that it is not.

use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use openssl::ssl::{Ssl, SslContext, SslMethod, SslRef, SslVerifyMode};
use openssl::x509::{X509, X509VerifyResult};

use crate::config::Tls;

/// For connecting, and for each answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What OpenSSL has against the certificate of this server, `host:port`; `None`: nothing, or it was not to be learned.
pub fn verdict(server: &str, tls: &Tls) -> Option<X509VerifyResult> {
    let (host, _) = server.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ssl = asking(host, tls).ok()?;
    let address = server.to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    let result = match ssl.connect(stream) {
        Ok(stream) => stream.ssl().verify_result(),
        // A server may break off for a reason of its own, ours is known by then.
        Err(openssl::ssl::HandshakeError::Failure(broken)) => seen(broken.ssl())?,
        Err(_) => return None,
    };
    (result != X509VerifyResult::OK).then_some(result)
}

/// The result, if there was a certificate to look at.
fn seen(ssl: &SslRef) -> Option<X509VerifyResult> {
    ssl.peer_certificate().map(|_| ssl.verify_result())
}

/// Looks at the certificate, and goes on whatever it is: nothing is sent on this connection.
fn asking(host: &str, tls: &Tls) -> Result<Ssl, openssl::error::ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_verify(SslVerifyMode::NONE);
    for certificate in X509::stack_from_pem(tls.pem.ca.as_ref().map_or("", |ca| ca.reveal()).as_bytes())? {
        context.cert_store_mut().add_cert(certificate)?;
    }
    let mut ssl = Ssl::new(&context.build())?;
    match host.parse::<IpAddr>() {
        Ok(address) => ssl.param_mut().set_ip(address)?,
        Err(_) => {
            ssl.set_hostname(host)?;
            ssl.param_mut().set_host(host)?;
        }
    }
    Ok(ssl)
}
