//! The trace: one message, one recipient, one status; recognized, typed, and borrowed from the text it stands in.

use std::net::IpAddr;

use super::json::{Key, Members, Text, Type, Value};
use super::{Kind, Rejection, time};

/// The keys of one source's traces.
#[derive(Debug)]
pub(super) struct Shape {
    id: Key,
    received: Key,
    organization: Option<Key>,
    message_id: Key,
    sender: Key,
    recipient: Key,
    subject: Key,
    status: Key,
    /// Whether a number may stand for a status.
    numbered: bool,
    to_ip: Key,
    from_ip: Key,
    size: Key,
}

/// The Reporting Web Service and PowerShell.
static REPORTING: Shape = Shape {
    id: Key::MessageTraceId,
    received: Key::Received,
    organization: Some(Key::Organization),
    message_id: Key::MessageId,
    sender: Key::SenderAddress,
    recipient: Key::RecipientAddress,
    subject: Key::Subject,
    status: Key::Status,
    numbered: false,
    to_ip: Key::ToIp,
    from_ip: Key::FromIp,
    size: Key::Size,
};

/// Microsoft Graph's `exchangeMessageTrace`.
static GRAPH: Shape = Shape {
    id: Key::GraphId,
    received: Key::GraphReceived,
    organization: None,
    message_id: Key::GraphMessageId,
    sender: Key::GraphSender,
    recipient: Key::GraphRecipient,
    subject: Key::GraphSubject,
    status: Key::GraphStatus,
    numbered: false,
    to_ip: Key::GraphToIp,
    from_ip: Key::GraphFromIp,
    size: Key::GraphSize,
};

/// Graph's PowerShell SDK, which begins the names with a capital.
static SDK: Shape = Shape {
    id: Key::SdkId,
    received: Key::SdkReceived,
    organization: None,
    message_id: Key::MessageId,
    sender: Key::SenderAddress,
    recipient: Key::RecipientAddress,
    subject: Key::Subject,
    status: Key::Status,
    numbered: true,
    to_ip: Key::ToIp,
    from_ip: Key::FromIp,
    size: Key::Size,
};

/// What the SDK's numbers from 1 on stand for.
const STATUSES: [&str; 7] =
    ["gettingStatus", "pending", "failed", "delivered", "expanded", "quarantined", "filteredAsSpam"];

impl Shape {
    /// The shape of the trace that an object with these keys is, whatever their values.
    #[inline]
    pub fn of(members: &Members) -> Option<&'static Self> {
        let any = |keys: [Key; 3]| keys.iter().any(|key| members.has(*key));
        if members.has(Key::MessageTraceId) {
            (!is_detail(members)).then_some(&REPORTING)
        } else if members.has(Key::GraphId) && any([Key::GraphReceived, Key::GraphSender, Key::GraphRecipient]) {
            (!is_detail(members)).then_some(&GRAPH)
        } else if members.has(Key::SdkId) && any([Key::SdkReceived, Key::SenderAddress, Key::RecipientAddress]) {
            (!is_detail(members)).then_some(&SDK)
        } else {
            None
        }
    }
}

/// A row of the detail report of either source: what happened to one message, not the message.
#[inline]
pub(super) fn is_detail(members: &Members) -> bool {
    let has = |key| members.has(key);
    has(Key::DetailEvent) && has(Key::DetailText) && !has(Key::Received)
        || has(Key::Event) && has(Key::DetailDateTime) && !has(Key::GraphReceived)
}

/// One trace. What is absent, null or empty in the source is `None` here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace<'a> {
    /// The trace's JSON text as it came.
    pub verbatim: &'a [u8],
    pub id: Text<'a>,
    /// Microseconds since 1970.
    pub received_us: i64,
    pub organization: Option<Text<'a>>,
    pub message_id: Option<Text<'a>>,
    pub sender: Option<Text<'a>>,
    pub recipient: Option<Text<'a>>,
    pub subject: Option<Text<'a>>,
    pub status: Option<Text<'a>>,
    pub to_ip: Option<Text<'a>>,
    pub from_ip: Option<Text<'a>>,
    pub size_bytes: Option<u64>,
}

/// An object that was recognized as a trace, not yet judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub text: &'a [u8],
    pub members: &'a Members,
    pub shape: &'static Shape,
    pub verbatim: &'a [u8],
}

impl<'a> Candidate<'a> {
    /// The trace, or the first problem in the order of the contract's table. The position in the rejection is one in
    /// the text the object stands in. `buffer` is where values are decoded that have to be looked at.
    pub fn judge(self, buffer: &mut Vec<u8>) -> Result<Trace<'a>, Rejection> {
        let shape = self.shape;
        Ok(Trace {
            verbatim: self.verbatim,
            id: self.string(shape.id)?.ok_or_else(|| missing(shape.id))?,
            received_us: self.received(buffer)?,
            organization: shape.organization.map_or(Ok(None), |key| self.string(key))?,
            message_id: self.string(shape.message_id)?,
            sender: self.string(shape.sender)?,
            recipient: self.string(shape.recipient)?,
            subject: self.string(shape.subject)?,
            status: self.status()?,
            to_ip: self.string(shape.to_ip)?,
            from_ip: self.string(shape.from_ip)?,
            size_bytes: self.size(buffer)?,
        })
    }

    /// The value of a key, unless it is null or an empty string.
    #[inline]
    fn present(self, key: Key) -> Option<Value> {
        self.members.get(key).filter(|value| match value.kind() {
            Type::Null => false,
            Type::String => !value.content(self.text).is_empty(),
            Type::Object | Type::Array | Type::Number | Type::Boolean => true,
        })
    }

    #[inline]
    fn string(self, key: Key) -> Result<Option<Text<'a>>, Rejection> {
        match self.present(key) {
            None => Ok(None),
            Some(value) if value.kind() == Type::String => Ok(Some(value.content(self.text))),
            Some(value) => self.wrapped_string(key, value),
        }
    }

    /// PowerShell's form of a string with properties of its own: an object with the string as `value`.
    #[cold]
    fn wrapped_string(self, key: Key, value: Value) -> Result<Option<Text<'a>>, Rejection> {
        match self.wrapped(value).filter(|inner| inner.kind() == Type::String) {
            Some(inner) => Ok(Some(inner.content(self.text)).filter(|text| !text.is_empty())),
            None => Err(invalid(key, value, "must be a string or null")),
        }
    }

    #[inline]
    fn status(self) -> Result<Option<Text<'a>>, Rejection> {
        let key = self.shape.status;
        if self.shape.numbered
            && let Some(value) = self.members.get(key).filter(|value| value.kind() == Type::Number)
        {
            return self.numbered_status(key, value).map(Some);
        }
        self.string(key)
    }

    #[cold]
    fn numbered_status(self, key: Key, value: Value) -> Result<Text<'a>, Rejection> {
        whole_number(value.slice(self.text))
            .and_then(|number| STATUSES.get(usize::try_from(number).ok()?.checked_sub(1)?))
            .map(|status| Text::plain(status.as_bytes()))
            .ok_or_else(|| invalid(key, value, "must be a string, null, or a number from 1 to 7"))
    }

    fn received(self, buffer: &mut Vec<u8>) -> Result<i64, Rejection> {
        let key = self.shape.received;
        let value = self.present(key).ok_or_else(|| missing(key))?;
        let inner = match value.kind() {
            Type::String | Type::Number => Some(value),
            Type::Object => self.wrapped(value),
            Type::Array | Type::Boolean | Type::Null => {
                return Err(invalid(key, value, "must be a string, a number, or an object with one as `value`"));
            }
        };
        let received = inner.and_then(|inner| match inner.kind() {
            Type::String => time::parse_text(inner.content(self.text), buffer),
            Type::Number => time::parse_number(inner.slice(self.text)),
            Type::Object | Type::Array | Type::Boolean | Type::Null => None,
        });
        received.ok_or_else(|| self.no_time(key, value, inner))
    }

    #[cold]
    fn no_time(self, key: Key, value: Value, inner: Option<Value>) -> Rejection {
        let text = inner.filter(|inner| inner.kind() == Type::String).map(|inner| inner.content(self.text).decoded());
        let problem = if text.is_some_and(|text| time::is_in_the_order_of_a_culture(&text)) {
            "is a date in the order of some culture, which can be read in two ways; let the collector write ISO 8601"
        } else {
            "is no time of a known notation between 1970 and 9999"
        };
        let message = format!("`{}` {problem}", key.name());
        Rejection::new(Kind::InvalidTimestamp, message).blaming(key.name()).at(Some(value.start))
    }

    /// PowerShell wraps a value into an object with the value as `value` and other forms of it beside.
    fn wrapped(self, value: Value) -> Option<Value> {
        if value.kind() == Type::Object { super::json::object(self.text, value).ok()?.get(Key::Value) } else { None }
    }

    fn size(self, buffer: &mut Vec<u8>) -> Result<Option<u64>, Rejection> {
        let key = self.shape.size;
        let Some(value) = self.present(key) else { return Ok(None) };
        let size = match value.kind() {
            Type::Number => whole_number(value.slice(self.text)),
            Type::String => digits(value.content(self.text).decoded_in(buffer)),
            Type::Object => match self.wrapped_string(key, value) {
                Ok(None) => return Ok(None),
                Ok(Some(text)) => digits(text.decoded_in(buffer)),
                Err(_) => None,
            },
            Type::Array | Type::Boolean | Type::Null => None,
        };
        match size {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(invalid(key, value, "must be a whole number from 0 to 9223372036854775807")),
        }
    }
}

/// The largest size, 2⁶³−1.
const LARGEST: u64 = i64::MAX as u64;

/// A JSON number that is whole and in range.
#[inline]
fn whole_number(number: &[u8]) -> Option<u64> {
    digits(number).or_else(|| whole_otherwise(number))
}

/// A number that is not written in digits alone, or is out of range.
#[cold]
fn whole_otherwise(number: &[u8]) -> Option<u64> {
    let unsigned = number.strip_prefix(b"-").unwrap_or(number);
    if unsigned.iter().all(u8::is_ascii_digit) {
        return digits(unsigned).filter(|size| *size == 0);
    }
    let double: f64 = str::from_utf8(number).ok()?.parse().ok()?;
    // 2⁶³ is a double, the largest size is none: the next smaller double is the largest one allowed.
    (double.fract() == 0.0 && (0.0..LARGEST as f64).contains(&double)).then_some(double as u64)
}

#[inline]
fn digits(digits: &[u8]) -> Option<u64> {
    let step = |size: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        size.checked_mul(10)?.checked_add(digit).filter(|size| *size <= LARGEST)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, step) }
}

/// The address that a text is, as Rust's parser has it: no zone, brackets, port or leading zeros.
pub(super) fn ip(text: Text<'_>) -> Option<IpAddr> {
    str::from_utf8(&text.decoded()).ok()?.parse().ok()
}

#[cold]
fn missing(key: Key) -> Rejection {
    Rejection::new(Kind::MissingField, format!("`{}` is missing, null or empty", key.name())).blaming(key.name())
}

#[cold]
fn invalid(key: Key, value: Value, demand: &str) -> Rejection {
    let message = format!("`{}` {demand}", key.name());
    Rejection::new(Kind::InvalidField, message).blaming(key.name()).at(Some(value.start))
}

#[cfg(test)]
mod tests;
