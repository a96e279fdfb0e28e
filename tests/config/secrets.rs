//! Secrets and the files that hold them: read once, shown nowhere, whatever else is wrong.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use messagetrace_ecs::config::{Config, Layers, Loaded, Secret};
use tempfile::TempDir;

const CANARY: &str = "canary-hunter2";

const SECRETS: [&str; 4] =
    ["kafka.tls.key_password", "kafka.sasl.password", "kafka.sasl.token", "kafka.sasl.oidc.client_secret"];

fn load(layers: &Layers) -> Result<Loaded, String> {
    Config::load_from(layers, []).map_err(|problems| problems.to_string())
}

fn set(sets: &[String]) -> Result<Loaded, String> {
    load(&Layers { sets: sets.to_vec(), ..Layers::default() })
}

fn config_file(path: &Path) -> Result<Loaded, String> {
    load(&Layers { files: vec![path.to_owned()], ..Layers::default() })
}

fn secret_file(path: &Path) -> Result<Loaded, String> {
    set(&[format!("kafka.sasl.password_file={}", path.display())])
}

fn password(loaded: &Loaded) -> Option<&str> {
    loaded.config.kafka.sasl.password.as_ref().map(Secret::reveal)
}

#[test]
fn a_secret_may_live_in_a_file_and_loses_only_the_newline_at_its_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    for (text, secret) in [("p", "p"), ("p\n", "p"), ("p\r\n", "p"), (" p ä ", " p ä "), ("\u{feff}p\n", "p")] {
        fs::write(&path, text).unwrap();
        assert_eq!(password(&secret_file(&path).unwrap()), Some(secret), "{text:?}");
    }
    let token = set(&[format!("kafka.sasl.token_file={}", path.display())]).unwrap();
    assert_eq!(token.config.kafka.sasl.token.unwrap().file(), Some(path.as_path()));
}

#[test]
fn every_secret_has_a_twin_and_only_one_of_the_two_may_be_set() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, CANARY).unwrap();
    for key in SECRETS {
        set(&[format!("{key}_file={}", path.display())]).unwrap();
        let problem = set(&[format!("{key}={CANARY}"), format!("{key}_file={}", path.display())]).unwrap_err();
        assert_eq!(
            problem,
            format!("{key} = [redacted] (--set): is set together with {key}_file; keep one of the two")
        );
    }
}

#[test]
fn a_file_that_holds_no_secret_is_refused() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty"), "").unwrap();
    fs::write(at("newline"), "\n").unwrap();
    fs::write(at("lines"), "a\nb\n").unwrap();
    fs::write(at("binary"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(at("large"), "x".repeat(65 * 1024)).unwrap();
    symlink(at("loop-b"), at("loop-a")).unwrap();
    symlink(at("loop-a"), at("loop-b")).unwrap();
    for (name, says) in [
        ("empty", "names an empty file"),
        ("newline", "names an empty file"),
        ("lines", "more than one line"),
        ("binary", "is not UTF-8 text"),
        ("large", "is larger than 64 KiB"),
        ("loop-a", "cannot be read"),
        (".", "is a directory"),
        ("missing", "does not exist"),
    ] {
        let problem = secret_file(&at(name)).unwrap_err();
        assert!(problem.starts_with("kafka.sasl.password_file = ") && problem.contains(says), "{name}: {problem}");
        assert_eq!(problem.lines().count(), 1, "{problem}");
    }
    // Reading it from its start is an error, whoever reads: what a file is like that this user may not read.
    let unreadable = secret_file(Path::new("/proc/self/mem")).unwrap_err();
    assert!(unreadable.contains("cannot be read"), "{unreadable}");
}

#[test]
fn what_could_be_read_without_end_or_never_is_refused_unopened() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(at("socket")).unwrap();
    symlink(at("pipe"), at("link")).unwrap();
    for path in [at("pipe"), at("link"), at("socket"), "/dev/zero".into(), "/dev/tty".into()] {
        let mut problems: Vec<String> =
            SECRETS.iter().map(|key| set(&[format!("{key}_file={}", path.display())]).unwrap_err()).collect();
        let tls = ["kafka.security=tls".to_owned(), format!("kafka.tls.ca_file={}", path.display())];
        problems.push(set(&tls).unwrap_err());
        for problem in problems {
            assert!(problem.contains("is no regular file") && problem.lines().count() == 1, "{problem}");
        }
    }
    let endless = config_file(Path::new("/dev/zero")).unwrap_err();
    assert!(endless.contains("is larger than 1024 KiB"), "{endless}");
}

#[test]
fn a_secret_file_that_names_the_configuration_itself_is_refused_and_not_quoted() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.toml");
    fs::write(&path, format!("input.group = '{CANARY}'\nkafka.sasl.password_file = '{}'\n", path.display())).unwrap();
    let problem = config_file(&path).unwrap_err();
    assert!(problem.contains("more than one line") && !problem.contains(CANARY), "{problem}");
}

#[test]
fn no_secret_shows_in_debug_output_nor_in_what_config_prints() {
    let mut sets: Vec<String> = SECRETS.iter().map(|key| format!("{key}={CANARY}")).collect();
    for name in ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.config"] {
        sets.push(format!("kafka.properties.{name}={CANARY}"));
    }
    sets.push(format!("kafka.properties.metadata.broker.list=sasl_ssl://user:{CANARY}@b:9092"));
    sets.push(format!("input.properties.metadata.broker.list=user:{CANARY}@a:9092"));
    let loaded = set(&sets).unwrap();
    assert_eq!(password(&loaded), Some(CANARY));
    for (key, rest) in [("kafka.properties", "sasl_ssl://[redacted]@b:9092"), ("input.properties", "@a:9092")] {
        let shown = loaded.effective().into_iter().find(|setting| setting.key == key).unwrap();
        assert!(shown.hides_a_secret && shown.value.unwrap().contains(rest), "{key}");
    }
    for shown in [format!("{loaded:?}"), format!("{:#?}", loaded.config), format!("{:?}", loaded.effective())] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn no_secret_shows_in_a_problem_whatever_is_wrong_with_it() {
    let folder = TempDir::new().unwrap();
    let broken = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        config_file(&path).unwrap_err()
    };
    let mut problems: Vec<String> = Vec::new();
    for key in SECRETS {
        problems.push(set(&[format!("{key}={CANARY}\n{CANARY}")]).unwrap_err());
        problems.push(set(&[format!("{key}x={CANARY}")]).unwrap_err());
        problems.push(broken("type.toml", format!("{key} = ['{CANARY}']")));
        problems.push(broken("syntax.toml", format!("{key} = {CANARY}")));
        problems.push(broken("quote.toml", format!("{key} = \"{CANARY}")));
        problems.push(broken("twice.toml", format!("{key} = '{CANARY}'\n{key} = '{CANARY}'")));
    }
    problems.push(set(&[CANARY.to_owned()]).unwrap_err());
    problems.push(set(&[format!("kafka.sasl={CANARY}")]).unwrap_err());
    problems.push(set(&[format!("kafka.properties={CANARY}")]).unwrap_err());
    problems.push(set(&[format!("kafka.properties={{\"ssl.key.password\"=[\"{CANARY}\"]}}")]).unwrap_err());
    problems.push(set(&[format!("kafka.properties={{\"enable.metrics.push.secret\"=\"{CANARY}\"}}")]).unwrap_err());
    for misspelt in ["sasl.pasword", "ssl.keystore.key", "sasl.oauthbearer.cliend.id"] {
        problems.push(set(&[format!("kafka.properties.{misspelt}={CANARY}")]).unwrap_err());
    }
    let urls = [
        format!("https://user:{CANARY}@issuer.example/"),
        format!("https://{CANARY}@issuer.example/"),
        format!("https://user:a/{CANARY}@b@issuer.example/"),
        format!("user:{CANARY}@issuer.example"),
    ];
    for (key, url) in ["kafka.sasl.oidc.token_url", "kafka.bootstrap_servers", "http.listen"]
        .into_iter()
        .flat_map(|key| urls.iter().map(move |url| (key, url)))
    {
        problems.push(set(&[format!("{key}={url}")]).unwrap_err());
    }
    problems.push(broken("servers.toml", format!("kafka.bootstrap_servers = ['b:9092', '{}']", urls[0])));
    problems.push(set(&[format!("kafka.properties.security.protocol={}", urls[0])]).unwrap_err());
    problems.push(set(&[format!("kafka.properties.group.id={}", urls[0])]).unwrap_err());
    let endpoint = "kafka.properties.sasl.oauthbearer.token.endpoint.url";
    problems.push(set(&[format!("{endpoint}={}", urls[0])]).unwrap_err());
    for problem in problems {
        assert!(!problem.contains(CANARY), "{problem}");
    }
}

#[test]
fn an_empty_secret_is_as_good_as_none_beside_the_file_that_holds_it() {
    let folder = TempDir::new().unwrap();
    let (secret, file) = (folder.path().join("secret"), folder.path().join("a.toml"));
    fs::write(&secret, "from the file").unwrap();
    fs::write(&file, format!("kafka.sasl.password_file = '{}'", secret.display())).unwrap();
    let layers = Layers { files: vec![file], ..Layers::default() };
    let with = |password: &str| {
        let variable = [("MESSAGETRACE_ECS_KAFKA__SASL__PASSWORD".into(), password.into())];
        Config::load_from(&layers, variable).map_err(|problems| problems.to_string())
    };
    for empty in ["", " "] {
        assert_eq!(with(empty).as_ref().map(password), Ok(Some("from the file")));
    }
    let both = with(CANARY).unwrap_err();
    assert!(both.contains("is set together with kafka.sasl.password_file") && !both.contains(CANARY), "{both}");
    let below = format!("kafka.sasl.password = '{CANARY}'");
    fs::write(&layers.files[0], below).unwrap();
    assert_eq!(with("").as_ref().map(password), Ok(None));
}

#[test]
fn a_configuration_file_that_is_none_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("binary"), [0x00, 0xff, 0x7f, 0x45]).unwrap();
    fs::write(at("large"), "a = 1\n".repeat(200_000)).unwrap();
    fs::write(at("deep"), format!("a = {}", "[".repeat(1_000_000))).unwrap();
    fs::write(at("deep-tables"), format!("a = {}", "{a=".repeat(300_000))).unwrap();
    fs::write(at("deep-key"), format!("kafka.properties{} = 1", ".a".repeat(500_000))).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    for (name, says) in [
        ("missing", "does not exist"),
        (".", "is a directory"),
        ("binary", "is not UTF-8 text"),
        ("large", "is larger than 1024 KiB"),
        ("loop", "cannot be read"),
        ("deep", "is not TOML"),
        ("deep-tables", "is not TOML"),
        ("deep-key", ""),
    ] {
        let problem = config_file(&at(name)).unwrap_err();
        assert!(problem.contains(says), "{name}: {problem}");
        assert!(problem.lines().count() <= 20 && problem.len() < 10_000, "{name}: {} bytes", problem.len());
    }
}

#[test]
fn a_configuration_may_come_through_a_pipe() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = format!("input.group = 'piped'\n# {}\n", "x".repeat(200_000));
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, text)
    });
    assert_eq!(config_file(&pipe).unwrap().config.input.group, "piped");
    writer.join().unwrap().unwrap();
}

#[test]
fn a_megabyte_of_keys_is_told_in_a_bounded_number_of_lines() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("many.toml");
    let texts = [
        (0..60_000).map(|number| format!("key{number} = 1\n")).collect::<String>(),
        (0..60_000).map(|number| format!("kafka.x{number} = 1\n")).collect(),
        format!("[kafka.properties]\n{}", (0..60_000).map(|number| format!("'p{number}' = 1\n")).collect::<String>()),
        format!("{} = 1", "x".repeat(1_000_000)),
    ];
    for text in texts {
        fs::write(&path, text).unwrap();
        let problem = config_file(&path).unwrap_err();
        assert!(problem.lines().count() <= 101 && problem.len() < 50_000, "{} lines", problem.lines().count());
    }
}

#[test]
fn a_variable_that_is_no_text_is_told() {
    let value = OsString::from_vec(vec![0xff]);
    let environment = [(OsString::from("MESSAGETRACE_ECS_INPUT__GROUP"), value)];
    let problems = Config::load_from(&Layers::default(), environment).unwrap_err().to_string();
    assert_eq!(problems, "MESSAGETRACE_ECS_INPUT__GROUP (MESSAGETRACE_ECS_INPUT__GROUP): is not UTF-8; set it to text");
}
