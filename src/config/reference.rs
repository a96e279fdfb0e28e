//! docs/configuration.md out of the table of settings.

use std::fmt::Write;

use super::refused;
use super::settings::{SETTINGS, Setting};

const HEAD: &str = "\
# Configuration

Written from the table of settings in the source; do not edit. A test keeps it in step.

Settings come in layers, later ones win: built-in defaults, the files given by `--config` (TOML, in their order), environment
variables, `--set key=value`, and the short flags `--profile` and `--local-domain`. Raw properties are merged one by one.

Without `--config` the files are those that `MESSAGETRACE_ECS_CONFIG` names, with commas between them. In a container this is the
better way: whatever is called there, the health check included, reads the same.

* A variable is the key in capitals, with `MESSAGETRACE_ECS_` before it and `__` for each dot:
  `MESSAGETRACE_ECS_KAFKA__BOOTSTRAP_SERVERS=a:9092,b:9092`. Variables that Kubernetes makes for a service called
  `messagetrace-ecs` are left alone.
* Durations and sizes carry their unit: `500ms`, `30s`, `5m`, `1h`; `10MB`, `64MiB`.
* A list is `[\"a\", \"b\"]` in a file, and `a,b` anywhere.
* A map is a TOML table in a file, and an inline table in a variable or a flag: `--set 'kafka.properties={\"linger.ms\"=\"5\"}'`.
  `--set kafka.properties.linger.ms=5` is the same.
* An empty text takes back an optional setting of a layer below.
* A secret `x` has a twin `x_file`, which names a regular file that holds it on one line. Both at once are an error. Secrets are never
  shown: no log line, error or output holds one. A file that is renewed is taken up while the service runs (SECURITY.md).
* Unknown keys are errors. `messagetrace-ecs check` tells all problems at once, `messagetrace-ecs config` prints what is in effect
  and where it was set.
* `messagetrace-ecs config --schema` prints all of this as a JSON schema, for editors and for the values of a chart. It knows
  each key and form; what settings must be together, and ranges that carry a unit, only `check` knows.

";

const TAIL: &str = "
The topic settings among them are refused under librdkafka's second spelling, with `topic.` before the name, as well.

Switching off a TLS check by a raw property, and a password without encryption, are warnings on every start.
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let mut group = "";
    for setting in SETTINGS {
        let (of, _) = setting.key.split_once('.').unwrap_or((setting.key, ""));
        if of != group {
            group = of;
            let _ = write!(
                page,
                "## `{group}`\n\n| key | default | values | for the person on call |\n| --- | --- | --- | --- |\n"
            );
        }
        let _ = writeln!(page, "{}", row(setting));
        if SETTINGS
            .iter()
            .rev()
            .find(|last| last.key.starts_with(&format!("{group}.")))
            .is_some_and(|last| last.key == setting.key)
        {
            page.push('\n');
        }
    }
    page.push_str("## Raw properties that are refused\n\n| property | because | instead |\n| --- | --- | --- |\n");
    for (property, reason, remedy) in refused::table() {
        let _ = writeln!(page, "| `{property}` | {reason} | {remedy} |");
    }
    page.push_str(TAIL);
    page
}

fn row(setting: &Setting) -> String {
    let key =
        if setting.is_secret() { format!("`{0}`, `{0}_file`", setting.key) } else { format!("`{}`", setting.key) };
    let default = if setting.default.is_empty() { "–".to_owned() } else { format!("`{}`", setting.default) };
    format!("| {key} | {default} | {} | {} |", setting.type_name(), setting.doc)
}
