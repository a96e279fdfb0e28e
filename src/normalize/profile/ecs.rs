//! Profile `ecs`: strict ECS 9.4, for Elastic and OpenSearch.

use std::net::IpAddr;

use super::{Organization, write_office365, write_time};
use crate::normalize::domains::{Address, Direction, LocalDomains};
use crate::normalize::json::{Group, Text, Writer};
use crate::normalize::public_suffixes::PublicSuffixes;
use crate::normalize::trace;
use crate::normalize::trace::Trace;
use crate::normalize::{ECS_VERSION, EventId, Settings, time};

/// The empty reverse path of a bounce: no address of anybody.
const NULL_SENDER: &[u8] = b"<>";

#[derive(Debug)]
pub(in crate::normalize) struct Ecs {
    organization: Organization,
    include_original: bool,
    local_domains: LocalDomains,
    public_suffixes: &'static PublicSuffixes,
}

impl Ecs {
    pub fn new(settings: &Settings) -> Self {
        Self {
            organization: Organization::new(settings),
            include_original: settings.include_original,
            local_domains: LocalDomains::new(&settings.local_domains),
            public_suffixes: PublicSuffixes::get(),
        }
    }

    pub fn write(&self, trace: &Trace<'_>, id: &EventId, timestamp_ms: Option<i64>, writer: &mut Writer<'_>) {
        let received = time::print(trace.received_us);
        let (sender, recipient) = (trace.sender.map(Text::decoded), trace.recipient.map(Text::decoded));
        let source = Party::new(trace.from_ip, trace.sender.zip(sender.as_deref()));
        let destination = Party::new(trace.to_ip, trace.recipient.zip(recipient.as_deref()));

        writer.raw("{\"@timestamp\":");
        write_time(&received, writer);
        writer.raw(",\"ecs\":{\"version\":\"");
        writer.raw(ECS_VERSION);
        writer.raw("\"}");
        self.write_event(trace, id, timestamp_ms, writer);
        writer.raw(",\"observer\":{\"vendor\":\"Microsoft\",\"product\":\"Exchange Online\"}");
        write_office365(trace, writer);
        writer.raw(",\"email\":{\"local_id\":");
        writer.string(trace.id);
        writer.raw(",\"delivery_timestamp\":");
        write_time(&received, writer);
        self.write_email(trace, &source, &destination, writer);
        self.organization.write(trace.organization, writer);
        self.write_party(",\"source\":{", &source, writer);
        self.write_party(",\"destination\":{", &destination, writer);
        write_related(&source, &destination, writer);
        writer.raw("}");
    }

    fn write_event(&self, trace: &Trace<'_>, id: &EventId, timestamp_ms: Option<i64>, writer: &mut Writer<'_>) {
        writer.raw(",\"event\":{\"kind\":\"event\",\"category\":[\"email\"],\"type\":[\"info\"]");
        writer.raw(",\"dataset\":\"office365.message_trace\",\"module\":\"office365\"");
        let status = trace.status.map(Text::decoded);
        if let (Some(text), Some(status)) = (trace.status, status.as_deref()) {
            writer.raw(",\"action\":");
            writer.string(text);
            writer.raw(",\"outcome\":");
            writer.raw(outcome(status));
        }
        writer.raw(",\"id\":\"");
        writer.bytes(id);
        writer.raw("\"");
        if let Some(created_us) = timestamp_ms.and_then(time::of_kafka) {
            writer.raw(",\"created\":");
            write_time(&time::print(created_us), writer);
        }
        if self.include_original {
            writer.raw(",\"original\":");
            writer.escaped(trace.verbatim);
        }
        writer.raw("}");
    }

    /// The rest of `email`, which is never empty.
    fn write_email(&self, trace: &Trace<'_>, source: &Party<'_>, destination: &Party<'_>, writer: &mut Writer<'_>) {
        for (key, text) in [(",\"message_id\":", trace.message_id), (",\"subject\":", trace.subject)] {
            if let Some(text) = text {
                writer.raw(key);
                writer.string(text);
            }
        }
        for (key, party) in [(",\"from\":{\"address\":[", source), (",\"to\":{\"address\":[", destination)] {
            if let Some(user) = &party.user {
                writer.raw(key);
                writer.string(user.text);
                writer.raw("]}");
            }
        }
        let direction = self.local_domains.direction(source.domain_name(), destination.domain_name());
        if let Some(direction) = direction.map(Direction::name) {
            writer.raw(",\"direction\":\"");
            writer.raw(direction);
            writer.raw("\"");
        }
        writer.raw("}");
    }

    fn write_party(&self, opening: &'static str, party: &Party<'_>, writer: &mut Writer<'_>) {
        let mut group = Group::new(writer, opening);
        group.string("\"address\":", party.ip_text);
        if let Some((text, ip)) = party.ip() {
            group.key("\"ip\":").part(ip, text);
        }
        let Some((text, address)) = party.address() else { return group.close() };
        group.key("\"domain\":").part(&address.domain, text);
        if let Some(parts) = self.public_suffixes.parts(&address.domain) {
            group.key("\"registered_domain\":").part(parts.registered_domain, text);
            group.key("\"top_level_domain\":").part(parts.top_level_domain, text);
            if let Some(subdomain) = parts.subdomain {
                group.key("\"subdomain\":").part(subdomain, text);
            }
        }
        group.key("\"user\":{\"email\":").string(text);
        if !address.local_part.is_empty() {
            group.key("\"name\":").part(address.local_part, text);
        }
        group.key("\"domain\":").part(&address.domain, text);
        group.writer.raw("}");
        group.close();
    }
}

/// One end of the transport: the host that a message came from or went to, and whose message it is.
struct Party<'a> {
    ip_text: Option<Text<'a>>,
    /// The address of the host in RFC 5952 form, when it is one.
    ip: Option<String>,
    user: Option<User<'a>>,
}

/// A mail address, as long as it is not the null sender.
struct User<'a> {
    /// As received.
    text: Text<'a>,
    decoded: &'a [u8],
    /// Taken apart, when there is a domain.
    address: Option<Address<'a>>,
}

impl<'a> Party<'a> {
    fn new(ip_text: Option<Text<'a>>, mail: Option<(Text<'a>, &'a [u8])>) -> Self {
        let mail = mail.filter(|(_, decoded)| *decoded != NULL_SENDER);
        let user = mail.map(|(text, decoded)| User { text, decoded, address: Address::of(decoded) });
        Self { ip_text, ip: ip_text.and_then(trace::ip).as_ref().map(IpAddr::to_string), user }
    }

    fn address(&self) -> Option<(Text<'a>, &Address<'a>)> {
        let user = self.user.as_ref()?;
        Some((user.text, user.address.as_ref()?))
    }

    fn domain(&self) -> Option<(Text<'a>, &[u8])> {
        self.address().map(|(text, address)| (text, &*address.domain))
    }

    fn domain_name(&self) -> Option<&[u8]> {
        self.domain().map(|(_, name)| name)
    }

    fn mail(&self) -> Option<(Text<'a>, &[u8])> {
        self.user.as_ref().map(|user| (user.text, user.decoded))
    }

    /// An address printed by us has nothing to escape.
    fn ip(&self) -> Option<(Text<'a>, &[u8])> {
        self.ip.as_deref().map(|ip| (Text::default(), ip.as_bytes()))
    }
}

fn outcome(status: &[u8]) -> &'static str {
    let is = |name: &str| status.eq_ignore_ascii_case(name.as_bytes());
    if is("delivered") {
        "\"success\""
    } else if is("failed") || is("quarantined") || is("filteredasspam") {
        "\"failure\""
    } else {
        "\"unknown\""
    }
}

/// Everything that the event is about, each once.
fn write_related(source: &Party<'_>, destination: &Party<'_>, writer: &mut Writer<'_>) {
    let mut related = Group::new(writer, ",\"related\":{");
    write_pair(&mut related, "\"ip\":[", source.ip(), destination.ip());
    write_pair(&mut related, "\"user\":[", source.mail(), destination.mail());
    write_pair(&mut related, "\"hosts\":[", source.domain(), destination.domain());
    related.close();
}

/// Decoded content, and the text it is a part of.
type Piece<'a> = Option<(Text<'a>, &'a [u8])>;

/// An array of what is there, without a repeat.
fn write_pair(group: &mut Group<'_, '_>, key: &'static str, first: Piece<'_>, second: Piece<'_>) {
    let Some((text, one)) = first.or(second) else { return };
    let writer = group.key(key);
    writer.part(one, text);
    if let Some((text, other)) = second.filter(|(_, other)| *other != one) {
        writer.raw(",");
        writer.part(other, text);
    }
    writer.raw("]");
}

#[cfg(test)]
mod tests;
