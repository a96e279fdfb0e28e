//! One mail on its way, and the trace of it in the three shapes that sources write.

use super::dice::Dice;
use super::{text, words};

/// A mail. Everything about it follows from its seed, so that a later trace of the same mail agrees with the earlier one.
#[derive(Clone, Copy, Debug)]
pub struct Mail {
    pub seed: u64,
    pub received_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Reporting,
    PowerShell,
    Graph,
}

/// Which trace of a mail it is: the first, or the one that says how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    First,
    Final,
}

/// How a mail's records are keyed; like a real topic's, not all by the same rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keyed {
    ByTrace,
    ByTenant,
    Not,
}

impl Mail {
    pub fn shape(self) -> Shape {
        match self.aside(1).below(10) {
            0..4 => Shape::Reporting,
            4..6 => Shape::PowerShell,
            _ => Shape::Graph,
        }
    }

    /// Whether its first status is not its last one.
    pub fn is_under_way(self) -> bool {
        matches!(self.status(Stage::First).0, "GettingStatus" | "Pending")
    }

    /// The key of its records: the same for all traces of one mail.
    pub fn key(self) -> Option<Vec<u8>> {
        let keyed = match self.aside(2).below(8) {
            0..5 => Keyed::ByTrace,
            5 => Keyed::ByTenant,
            _ => Keyed::Not,
        };
        let mut key = String::new();
        match keyed {
            Keyed::ByTrace => self.trace_id(&mut key),
            Keyed::ByTenant => key.push_str(self.tenant()),
            Keyed::Not => return None,
        }
        Some(key.into_bytes())
    }

    /// The JSON text of one trace.
    pub fn write(self, stage: Stage, out: &mut String) {
        match self.shape() {
            Shape::Reporting => self.write_reporting(stage, out),
            Shape::PowerShell => self.write_powershell(stage, out),
            Shape::Graph => self.write_graph(stage, out),
        }
    }

    fn write_reporting(self, stage: Stage, out: &mut String) {
        let mut dice = self.aside(3);
        let row = dice.below(2000);
        out.push_str("{\"__metadata\":{");
        for key in ["id", "uri"] {
            out.push('"');
            out.push_str(key);
            out.push_str("\":\"https://reports.example.com/ecp/reportingwebservice/reporting.svc/MessageTrace(");
            text::number(out, row);
            out.push_str(")\",");
        }
        out.push_str("\"type\":\"TenantReporting.MessageTrace\"},");
        text::string(out, "Organization", self.tenant());
        self.write_envelope(["MessageId", "SenderAddress", "RecipientAddress", "Subject"], out);
        out.push_str("\"Received\":\"");
        text::ticks(out, self.received_ms);
        out.push_str("\",");
        text::string(out, "Status", self.status(stage).0);
        self.write_addresses(["ToIP", "FromIP", "Size"], out);
        out.push_str("\"MessageTraceId\":\"");
        self.trace_id(out);
        out.push_str("\",\"StartDate\":\"");
        text::ticks(out, self.received_ms - 172_800_000);
        out.push_str("\",\"EndDate\":\"");
        text::ticks(out, self.received_ms + 60_000);
        out.push_str("\",\"Index\":");
        text::number(out, row);
        out.push('}');
    }

    fn write_powershell(self, stage: Stage, out: &mut String) {
        let mut dice = self.aside(4);
        out.push_str("{\"PSComputerName\":\"outlook.example.com\",\"RunspaceId\":\"");
        text::guid(out, &mut dice);
        out.push_str("\",\"PSShowComputerName\":false,");
        text::string(out, "Organization", self.tenant());
        self.write_envelope(["MessageId", "SenderAddress", "RecipientAddress", "Subject"], out);
        out.push_str("\"Received\":");
        if dice.one_in(4) {
            out.push_str("{\"value\":\"");
            text::ticks(out, self.received_ms);
            out.push_str("\",\"DisplayHint\":2}");
        } else {
            out.push('"');
            text::iso(out, self.received_ms);
            out.push_str(dice.pick(&["", ".1234567", "Z", ".250Z", "+02:00", "-0500"]));
            out.push('"');
        }
        out.push(',');
        text::string(out, "Status", self.status(stage).0);
        self.write_addresses(["ToIP", "FromIP", "Size"], out);
        out.push_str("\"MessageTraceId\":\"");
        self.trace_id(out);
        out.push_str("\",\"StartDate\":\"");
        text::iso(out, self.received_ms - 172_800_000);
        out.push_str("Z\",\"EndDate\":\"");
        text::iso(out, self.received_ms + 60_000);
        out.push_str("Z\",\"Index\":");
        text::number(out, dice.below(5000));
        out.push('}');
    }

    fn write_graph(self, stage: Stage, out: &mut String) {
        out.push_str("{\"@odata.type\":\"#microsoft.graph.exchangeMessageTrace\",\"id\":\"");
        self.trace_id(out);
        out.push_str("\",\"receivedDateTime\":\"");
        text::iso(out, self.received_ms);
        out.push_str("Z\",");
        self.write_envelope(["messageId", "senderAddress", "recipientAddress", "subject"], out);
        text::string(out, "status", self.status(stage).1);
        self.write_addresses(["toIP", "fromIP", "size"], out);
        out.push_str("\"details@odata.navigationLink\":\"admin/exchange/tracing/messageTraces/");
        self.trace_id(out);
        out.push_str("/details\"}");
    }

    /// Message id, sender, recipient, subject, under the names that the shape gives them.
    fn write_envelope(self, [message_id, sender, recipient, subject]: [&str; 4], out: &mut String) {
        let mut dice = self.aside(5);
        let outside = dice.pick(&words::OUTSIDE);
        let person = dice.pick(&words::PEOPLE);

        out.push('"');
        out.push_str(message_id);
        out.push_str("\":\"<");
        text::hex(out, &mut dice, 32);
        out.push('@');
        text::hex(out, &mut dice, 12);
        out.push_str(".mail.");
        out.push_str(outside);
        out.push_str(">\",");

        // Mail comes in, goes out, stays inside, or is a bounce without a sender.
        let (from, at, to, to_at) = match dice.below(20) {
            0..11 => (dice.pick(&words::PEOPLE), outside, person, self.tenant()),
            11..14 => (dice.pick(&words::ROBOTS), outside, person, self.tenant()),
            14..17 => (person, self.tenant(), dice.pick(&words::PEOPLE), outside),
            17..19 => (person, self.tenant(), dice.pick(&words::PEOPLE), self.tenant()),
            _ => ("", "", person, self.tenant()),
        };
        out.push('"');
        out.push_str(sender);
        out.push_str("\":\"");
        if from.is_empty() {
            out.push_str("<>");
        } else {
            address(from, at, out);
        }
        out.push_str("\",\"");
        out.push_str(recipient);
        out.push_str("\":\"");
        address(to, to_at, out);
        out.push_str("\",");

        out.push('"');
        out.push_str(subject);
        out.push_str("\":");
        if dice.one_in(50) {
            out.push_str(dice.pick(&["null,", "\"\",", "\"Re: caf\\u00e9 \\ud83d\\ude80\",", "\"cut off \\ud83d\","]));
            return;
        }
        out.push('"');
        if dice.one_in(4) {
            out.push_str(dice.pick(&words::PREFIXES));
        }
        text::escaped(out, dice.pick(&words::SUBJECTS));
        if dice.one_in(2) {
            out.push_str(" #");
            text::number(out, dice.below(10_000_000));
        }
        out.push_str("\",");
    }

    /// To IP, from IP and size, in the forms that sources write them.
    fn write_addresses(self, [to_ip, from_ip, size]: [&str; 3], out: &mut String) {
        let mut dice = self.aside(6);
        for (key, one_in) in [(to_ip, 3), (from_ip, 12)] {
            out.push('"');
            out.push_str(key);
            out.push_str("\":");
            if dice.one_in(one_in) {
                out.push_str(dice.pick(&["null,", "null,", "\"\","]));
            } else {
                out.push('"');
                ip(&mut dice, out);
                out.push_str("\",");
            }
        }
        // Most mails are small, some are very large.
        let magnitude = dice.below(13);
        let bytes = 2_000 + dice.below(4_000 << magnitude);
        let (open, close) = dice.pick(&[("", ","), ("", ","), ("", ","), ("", ","), ("\"", "\","), ("", ".0,")]);
        out.push('"');
        out.push_str(size);
        out.push_str("\":");
        out.push_str(open);
        text::number(out, bytes);
        out.push_str(close);
    }

    fn trace_id(self, out: &mut String) {
        text::guid(out, &mut self.aside(7));
    }

    fn tenant(self) -> &'static str {
        self.aside(8).pick(&words::TENANTS)
    }

    fn status(self, stage: Stage) -> (&'static str, &'static str) {
        match stage {
            Stage::First => self.aside(9).pick(&words::STATUSES),
            Stage::Final => ("Delivered", "delivered"),
        }
    }

    /// Dice of its own for each aspect, so that they do not depend on one another.
    fn aside(self, aspect: u64) -> Dice {
        Dice::new(self.seed ^ aspect.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }
}

fn address(local: &str, domain: &str, out: &mut String) {
    out.push_str(local);
    out.push('@');
    out.push_str(domain);
}

fn ip(dice: &mut Dice, out: &mut String) {
    if dice.one_in(6) {
        out.push_str("2001:db8:");
        text::hex(out, dice, 4);
        out.push_str("::");
        text::hex(out, dice, 4);
        return;
    }
    out.push_str(dice.pick(&["192.0.2.", "198.51.100.", "203.0.113."]));
    text::number(out, 1 + dice.below(254));
}
