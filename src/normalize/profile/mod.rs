//! From a trace to an event: one file a mapping. The output is a pure function of trace, settings and record timestamp.

mod ecs;
mod sekoia;

use super::event_id::{EventId, event_id};
use super::json::{Text, Writer};
use super::time::Printed;
use super::trace::Trace;
use super::{Profile, Settings};

/// The mapping that the settings ask for, prepared.
#[derive(Debug)]
pub(super) enum Mapping {
    Sekoia { sekoia: sekoia::Sekoia, event_ids: bool },
    Ecs(Box<ecs::Ecs>),
}

impl Mapping {
    pub fn new(settings: &Settings) -> Self {
        match settings.profile {
            Profile::Sekoia => Self::Sekoia { sekoia: sekoia::Sekoia::new(settings), event_ids: settings.event_ids },
            Profile::Ecs => Self::Ecs(Box::new(ecs::Ecs::new(settings))),
        }
    }

    /// Writes the event of one trace. Gives its id, where the profile writes it or somebody else asks for it.
    pub fn write(&self, trace: &Trace<'_>, timestamp_ms: Option<i64>, writer: &mut Writer<'_>) -> Option<EventId> {
        match self {
            Self::Sekoia { sekoia, event_ids } => {
                sekoia.write(trace, writer);
                event_ids.then(|| event_id(trace))
            }
            Self::Ecs(ecs) => {
                let id = event_id(trace);
                ecs.write(trace, &id, timestamp_ms, writer);
                Some(id)
            }
        }
    }
}

/// Used as organization where a trace names none; empty is none.
#[derive(Debug)]
struct Organization(Option<String>);

impl Organization {
    fn new(settings: &Settings) -> Self {
        Self(settings.organization.clone().filter(|name| !name.is_empty()))
    }

    /// `"organization"` and its comma, when there is a name.
    fn write(&self, of_trace: Option<Text<'_>>, writer: &mut Writer<'_>) {
        match (of_trace, &self.0) {
            (Some(name), _) => {
                writer.raw(",\"organization\":{\"name\":");
                writer.string(name);
            }
            (None, Some(name)) => {
                writer.raw(",\"organization\":{\"name\":");
                writer.escaped(name.as_bytes());
            }
            (None, None) => return,
        }
        writer.raw("}");
    }
}

/// `"office365"` with its comma.
fn write_office365(trace: &Trace<'_>, writer: &mut Writer<'_>) {
    writer.raw(",\"office365\":{\"message_trace\":{\"MessageTraceId\":");
    writer.string(trace.id);
    if let Some(size_bytes) = trace.size_bytes {
        writer.raw(",\"Size\":");
        writer.number(size_bytes);
    }
    writer.raw("}}");
}

fn write_time(time: &Printed, writer: &mut Writer<'_>) {
    writer.raw("\"");
    writer.bytes(time.as_bytes());
    writer.raw("\"");
}
