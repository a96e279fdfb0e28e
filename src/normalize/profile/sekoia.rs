//! Profile `sekoia`: the reference contract, key for key.

use super::{Organization, write_office365, write_time};
use crate::normalize::json::{Group, Writer};
use crate::normalize::trace;
use crate::normalize::trace::Trace;
use crate::normalize::{Settings, time};

#[derive(Debug)]
pub(in crate::normalize) struct Sekoia {
    organization: Organization,
}

impl Sekoia {
    pub fn new(settings: &Settings) -> Self {
        Self { organization: Organization::new(settings) }
    }

    pub fn write(&self, trace: &Trace<'_>, writer: &mut Writer<'_>) {
        writer.raw("{\"message\":");
        writer.escaped(trace.verbatim);
        writer.raw(",\"event\":{\"kind\":\"event\",\"category\":[\"email\"],\"type\":[\"info\"]");
        if let Some(status) = trace.status {
            writer.raw(",\"action\":");
            writer.string(status);
        }
        writer.raw("},\"@timestamp\":");
        write_time(&time::print(trace.received_us), writer);
        write_office365(trace, writer);
        write_email(trace, writer);
        self.organization.write(trace.organization, writer);
        if let Some(from_ip) = trace.from_ip.filter(|text| trace::ip(*text).is_some()) {
            writer.raw(",\"source\":{\"ip\":");
            writer.string(from_ip);
            writer.raw(",\"address\":");
            writer.string(from_ip);
            writer.raw("},\"related\":{\"ip\":[");
            writer.string(from_ip);
            writer.raw("]}");
        }
        writer.raw("}");
    }
}

fn write_email(trace: &Trace<'_>, writer: &mut Writer<'_>) {
    let mut email = Group::new(writer, ",\"email\":{");
    email.string("\"message_id\":", trace.message_id);
    for (key, address) in [("\"from\":{\"address\":[", trace.sender), ("\"to\":{\"address\":[", trace.recipient)] {
        if let Some(address) = address {
            let writer = email.key(key);
            writer.string(address);
            writer.raw("]}");
        }
    }
    email.string("\"subject\":", trace.subject);
    email.close();
}
