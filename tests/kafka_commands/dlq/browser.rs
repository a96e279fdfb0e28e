//! A Chromium without a window, steered over the WebDriver protocol (W3C) by Debian's chromedriver.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::broker::free_port;
use crate::support::children::{Offspring, run_directory};
use crate::support::service::LIMIT;
use crate::support::wait;

/// Nothing that reaches beyond this machine, and nothing that needs what a container has not.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1280,960",
];

#[derive(Debug)]
pub struct Browser {
    port: u16,
    session: String,
    _driver: Offspring,
}

impl Browser {
    pub fn start() -> Self {
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let driver = Offspring::start(&command, &run_directory().join("chromedriver.log"));
        wait::until("chromedriver answers", LIMIT, || {
            ask(port, "GET", "/status", None).filter(|said| said["ready"] == true)
        });
        let profile = format!("--user-data-dir={}", run_directory().join(format!("chromium-{port}/data")).display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let started = ask(port, "POST", "/session", Some(&wanted)).expect("chromedriver starts Chromium");
        let session = started["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {started}")).to_owned();
        Self { port, session, _driver: driver }
    }

    fn order(&self, method: &str, what: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        let said =
            ask(self.port, method, &path, Some(body)).unwrap_or_else(|| panic!("chromedriver does not answer {what}"));
        assert!(said["error"].is_null(), "{what}: {said}");
        said
    }

    /// Returns once the page is loaded.
    pub fn open(&self, address: &str) {
        self.order("POST", "url", &json!({ "url": address }));
    }

    pub fn address(&self) -> String {
        ask(self.port, "GET", &format!("/session/{}/url", self.session), None)
            .and_then(|said| said.as_str().map(str::to_owned))
            .expect("a page has an address")
    }

    /// What a function body gives back.
    pub fn run(&self, script: &str) -> Value {
        self.order("POST", "execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Presses keys one after the other, as a person does.
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })])
            .collect();
        self.order("POST", "actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] }));
    }

    /// What the console said since it was asked last.
    pub fn console(&self) -> Vec<String> {
        let said = self.order("POST", "se/log", &json!({ "type": "browser" }));
        said.as_array().expect("a list").iter().map(|line| line["message"].to_string()).collect()
    }

    pub fn theme(&self, name: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": name }]);
        self.order(
            "POST",
            "goog/cdp/execute",
            &json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } }),
        );
    }

    /// As large as a screen of this size.
    pub fn size(&self, width: u32, height: u32) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.order(
            "POST",
            "goog/cdp/execute",
            &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": screen }),
        );
    }

    /// The page from top to bottom, as PNG, in base64.
    pub fn picture(&self) -> String {
        let wanted =
            json!({ "cmd": "Page.captureScreenshot", "params": { "format": "png", "captureBeyondViewport": true } });
        self.order("POST", "goog/cdp/execute", &wanted)["data"].as_str().expect("a picture").to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session; the driver alone would leave it behind.
        let _ = ask(self.port, "DELETE", &format!("/session/{}", self.session), None);
    }
}

/// The value of the driver's answer; an error is one with a key `error`.
fn ask(port: u16, method: &str, path: &str, body: Option<&Value>) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = Vec::new();
    // Some versions leave the connection open: the length says where the answer ends.
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if length.is_some_and(|length: usize| answer.len() - (text.len() - body.len()) >= length) {
                let mut said: Value = serde_json::from_str(body).ok()?;
                return Some(said["value"].take());
            }
        }
        let mut more = [0; 65_536];
        match stream.read(&mut more).ok()? {
            0 => return None,
            count => answer.extend_from_slice(&more[..count]),
        }
    }
}
