//! Logs: text for a person at a terminal, one ECS JSON object a line for everything else. Both go to standard error, by a
//! thread of their own, so that nobody waits for whoever reads them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};

use super::line::{Entry, Fields};
use super::repeats::{Held, Repeats};
use super::writer;
use super::writer::{Screen, Writer};
use crate::config::{Log, LogFormat};

/// A line that comes again within this is counted instead of said.
const REPEAT_INTERVAL: Duration = Duration::from_secs(30);

/// How long the end of the process may wait for a collector that does not read.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

static LOG: OnceLock<Sink> = OnceLock::new();

/// Starts logging for the whole process. Records of the `log` crate come through as well.
pub fn init(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.level).context("read log.level")?;
    let terminal = io::stderr().is_terminal();
    let format = match log.format {
        LogFormat::Json => Format::Json,
        LogFormat::Auto if !terminal => Format::Json,
        LogFormat::Auto | LogFormat::Text => Format::Text { colour: terminal && colour_wanted() },
    };
    let kind = if terminal && !is_dumb() { writer::Kind::Terminal } else { writer::Kind::Plain };
    let screen = Screen::stderr(kind).context("open standard error")?;
    let writer = Writer::start(screen, Box::new(move |dropped| confession(format, dropped)));
    let writer = writer.context("start the thread that writes the log")?;
    let sink = Sink { format, kind, writer, repeats: Mutex::new(Repeats::new(REPEAT_INTERVAL)) };
    let sink = LOG.get_or_init(|| sink);
    registry().with(filter).with(Lines { sink }).try_init().context("start logging")?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Says what was held back and waits until everything is written: before the process ends, and before anything else is
/// written to the same place. Gives up on a collector that does not read.
pub fn flush() {
    let Some(sink) = LOG.get() else { return };
    let rest = sink.repeats.lock().unwrap_or_else(PoisonError::into_inner).rest();
    sink.counted(rest);
    sink.writer.flush(FLUSH_PATIENCE);
}

/// Says what was counted for long enough, though nothing else is said. To be called now and then.
pub fn tell_counts() {
    if let Some(sink) = LOG.get() {
        let due = sink.repeats.lock().unwrap_or_else(PoisonError::into_inner).due(Instant::now());
        sink.counted(due);
    }
}

/// Why the service ends, in the log's form and whatever its level. `false`: no log has been started.
pub fn last_word(text: &str) -> bool {
    let Some(sink) = LOG.get() else { return false };
    sink.writer.line(&sink.format.line(Level::ERROR, env!("CARGO_CRATE_NAME"), &Fields::of(text)));
    true
}

/// Whether there is a terminal that can show a [`status`].
pub fn has_status_line() -> bool {
    LOG.get().is_some_and(|sink| sink.kind == writer::Kind::Terminal)
}

/// What stands in the last line of the terminal, under the log; `None` takes it away.
pub fn status(status: Option<String>) {
    if let Some(sink) = LOG.get() {
        sink.writer.status(status);
    }
}

/// A panic is a line like any other. Its message is said only when it is a constant of the program: one that was put
/// together may quote what was being worked on (slicing a text in the middle of a character quotes the text).
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("message withheld");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    tracing::error!(location, thread = thread.name().unwrap_or("unnamed"), "panicked: {message}");
    // It may be the last thing that this process says. The thread that writes cannot wait for itself.
    if thread.name() != Some(writer::THREAD) {
        flush();
    }
}

/// <https://no-color.org>: any value but an empty one switches colour off.
pub fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Text { colour: bool },
    Json,
}

impl Format {
    fn line(self, level: Level, logger: &str, fields: &Fields) -> String {
        let entry = Entry { time: Utc::now(), level, logger, fields };
        let mut line = match self {
            Self::Text { colour } => entry.text(colour),
            Self::Json => entry.json(),
        };
        line.push('\n');
        line
    }
}

fn confession(format: Format, dropped: u64) -> String {
    let mut fields = Fields::of("lines of the log were dropped: they are not read fast enough");
    fields.count("dropped", dropped);
    format.line(Level::WARN, module_path!(), &fields)
}

/// What the clock on the wall showed then.
fn wall_clock(then: Instant) -> DateTime<Utc> {
    let ago = chrono::Duration::from_std(then.elapsed()).unwrap_or_default();
    Utc::now() - ago
}

/// A line that may come again.
#[derive(Clone, Debug)]
struct Said {
    level: Level,
    logger: String,
    fields: Fields,
}

/// Where all lines come together.
#[derive(Debug)]
struct Sink {
    format: Format,
    kind: writer::Kind,
    writer: Writer,
    repeats: Mutex<Repeats<Said>>,
}

impl Sink {
    /// A count is news of its own: about something that came before, and may be over.
    fn counted(&self, held: Vec<Held<Said>>) {
        for Held { line: Said { level, logger, mut fields }, times, last } in held {
            let last = wall_clock(last).to_rfc3339_opts(SecondsFormat::Millis, true);
            fields.message = format!("came {times} times more, the last time at {last}: {}", fields.message);
            fields.count("repeated", times);
            fields.text("repeated_last", last);
            fields.text("repeated_level", level.as_str().to_ascii_lowercase());
            self.writer.line(&self.format.line(Level::INFO, &logger, &fields));
        }
    }

    /// Whether a line is news. What was counted in the meantime is said first.
    fn is_news(&self, level: Level, logger: &str, fields: &Fields) -> bool {
        let mut hasher = DefaultHasher::new();
        (level.as_str(), logger).hash(&mut hasher);
        fields.hash_into(&mut hasher);
        let said = || Said { level, logger: logger.to_owned(), fields: fields.clone() };
        let now = Instant::now();
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        let due = repeats.due(now);
        let is_news = repeats.allow(hasher.finish(), said, now);
        drop(repeats);
        self.counted(due);
        is_news
    }
}

/// Writes each event as one line. Whoever asks for debugging gets every line, repeats included.
struct Lines {
    sink: &'static Sink,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        // Records of the `log` crate all have one target here; their own comes as a field.
        let logger = fields.logger.clone().unwrap_or_else(|| event.metadata().target().to_owned());
        if level > Level::INFO || self.sink.is_news(level, &logger, &fields) {
            self.sink.writer.line(&self.sink.format.line(level, &logger, &fields));
        }
    }
}
