//! An issuer of tokens for client credentials, as small as can be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Gives this token to whoever knows the secret, as long as the test program lives; gives the address to ask.
pub fn start(client_id: &str, secret: &str, token: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("find a port");
    let address = listener.local_addr().expect("a bound port");
    let login = openssl::base64::encode_block(format!("{client_id}:{secret}").as_bytes());
    let token = token.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever breaks off asks again.
            let _ = answer(stream, &login, &token);
        }
    });
    format!("http://{address}/token")
}

fn answer(mut stream: TcpStream, login: &str, token: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut known, mut length) = (false, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let (name, value) = line.trim().split_once(": ").unwrap_or((line.trim(), ""));
        match name.to_lowercase().as_str() {
            "" => break,
            "authorization" => known = value == format!("Basic {login}"),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let (status, body) = if known {
        let body = format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":600}}");
        ("200 OK", body)
    } else {
        ("401 Unauthorized", "{\"error\":\"invalid_client\"}".to_owned())
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}")
}
