//! One request to a token endpoint: a connection of its own, TLS by the OpenSSL that is linked in, an answer of bounded
//! size. Nothing is kept between two of them, so renewed certificates and another address are seen each time.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::{Request, Uri, header};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::ssl::{self, Ssl, SslConnector, SslMethod, SslVersion};
use openssl::x509::{X509, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use tower_service::Service as _;

use super::trouble::Trouble;
use crate::config::Secret;

/// For a connection; all of its addresses share it.
const CONNECT: Duration = Duration::from_secs(5);

/// More than any answer with a token has; as much again for its headers.
const ANSWER_MAX: usize = 64 * 1024;

/// Status and body.
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// Whom a request is for, and whose word is taken for that it is them.
#[derive(Clone, Copy)]
pub struct Peer<'a> {
    pub endpoint: &'a Uri,
    /// Authorities in PEM that are trusted beside those of the system.
    pub ca: Option<&'a Secret>,
}

/// Sends a form and waits for the answer. A redirect is an answer: it is not followed, least of all with a secret.
pub async fn post(peer: Peer<'_>, authorization: &str, form: String) -> Result<Answer, Trouble> {
    let request = request(peer.endpoint, authorization, form).map_err(|error| Trouble::Silent(error.to_string()))?;
    let stream = connect(peer.endpoint).await?;
    if is_encrypted(peer.endpoint) {
        let host = peer.endpoint.host().unwrap_or_default();
        let ssl = asking(host, peer.ca).map_err(|error| Trouble::NoTls(error.to_string()))?;
        send(encrypted(ssl, stream).await?, request).await
    } else {
        send(stream, request).await
    }
}

fn is_encrypted(endpoint: &Uri) -> bool {
    endpoint.scheme_str() != Some("http")
}

fn request(endpoint: &Uri, authorization: &str, form: String) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut authorization = HeaderValue::from_str(authorization)?;
    authorization.set_sensitive(true);
    let path = endpoint.path_and_query().map_or("/", |path| path.as_str());
    // Without a name and a password, which no setting of ours can hold.
    let host = endpoint.authority().map_or("", |authority| authority.as_str());
    Request::post(path)
        .header(header::HOST, host)
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("messagetrace-ecs/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Full::from(form))
}

/// To the endpoint, or through the proxy that the environment names for it. Without TLS no proxy is asked: it would read
/// the secret.
async fn connect(endpoint: &Uri) -> Result<TcpStream, Trouble> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    let proxy = if is_encrypted(endpoint) { Matcher::from_env().intercept(endpoint) } else { None };
    let Some(proxy) = proxy else {
        let stream = tcp.call(endpoint.clone()).await.map_err(|error| Trouble::Silent(last_words(&error)))?;
        return Ok(stream.into_inner());
    };
    if proxy.uri().scheme_str() != Some("http") {
        return Err(Trouble::Proxy("only http:// proxies are known".to_owned()));
    }
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    let mut tunnel = match proxy.basic_auth() {
        Some(login) => tunnel.with_auth(login.clone()),
        None => tunnel,
    };
    let stream = tunnel.call(endpoint.clone()).await.map_err(|error| Trouble::Proxy(last_words(&error)))?;
    Ok(stream.into_inner())
}

/// Whoever answers must hold this name, vouched for by the system's store or our own authorities.
fn asking(host: &str, ca: Option<&Secret>) -> Result<Ssl, ErrorStack> {
    // Looks itself for what SSL_CERT_FILE and SSL_CERT_DIR name.
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    if !openssl_probe::has_ssl_cert_env_vars() {
        // OpenSSL is linked in and knows no paths of this system. What is not there is no authority.
        let system = openssl_probe::probe();
        if let Some(file) = &system.cert_file {
            let _ = connector.load_verify_locations(Some(file), None);
        }
        for folder in &system.cert_dir {
            let _ = connector.load_verify_locations(None, Some(folder));
        }
    }
    for certificate in X509::stack_from_pem(ca.map_or("", Secret::reveal).as_bytes())? {
        connector.cert_store_mut().add_cert(certificate)?;
    }
    connector.build().configure()?.into_ssl(host.trim_start_matches('[').trim_end_matches(']'))
}

async fn encrypted(ssl: Ssl, stream: TcpStream) -> Result<SslStream<TcpStream>, Trouble> {
    let mut stream = SslStream::new(ssl, stream).map_err(|error| Trouble::NoTls(error.to_string()))?;
    match Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(stream),
        Err(error) => Err(broken(&error, stream.ssl().verify_result())),
    }
}

fn broken(error: &ssl::Error, verdict: X509VerifyResult) -> Trouble {
    if verdict != X509VerifyResult::OK {
        return Trouble::Untrusted(verdict.error_string().to_owned());
    }
    let told = error.ssl_error().and_then(|errors| errors.errors().first()?.reason());
    Trouble::NoTls(told.unwrap_or("the connection was closed").to_owned())
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(ANSWER_MAX).handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
    // It ends with the request, or with the runtime; how, the request tells.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = answer.status().as_u16();
    match Limited::new(answer.into_body(), ANSWER_MAX).collect().await {
        Ok(body) => Ok(Answer { status, body: body.to_bytes() }),
        Err(error) if error.is::<LengthLimitError>() => Err(Trouble::TooLarge(ANSWER_MAX)),
        Err(error) => Err(Trouble::Silent(last_words(&*error))),
    }
}

fn failed(error: &hyper::Error) -> Trouble {
    if error.is_parse_too_large() {
        Trouble::TooLarge(ANSWER_MAX)
    } else if error.is_parse() {
        Trouble::NoHttp
    } else {
        Trouble::Silent(last_words(error))
    }
}

/// The innermost cause: the ones around it only say where it came through.
fn last_words(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
