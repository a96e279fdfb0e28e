//! The closed set of keys that mean something to the mapping, and the values one object has for them.
//!
//! Everything else in an object is checked and forgotten, so an object of any size takes the same small memory.

use super::Value;

macro_rules! keys {
    ($($key:ident = $name:literal),* $(,)?) => {
        /// A key that means something in a trace, a wrapper, a detail row or an error body.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(in crate::normalize) enum Key {
            $($key,)*
        }

        impl Key {
            const COUNT: usize = [$(Key::$key),*].len();

            /// The key as it stands in an object.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Key::$key => $name,)*
                }
            }

            #[cfg(test)]
            const ALL: [Key; Key::COUNT] = [$(Key::$key),*];
        }
    };
}

keys! {
    MessageTraceId = "MessageTraceId",
    Received = "Received",
    Organization = "Organization",
    MessageId = "MessageId",
    SenderAddress = "SenderAddress",
    RecipientAddress = "RecipientAddress",
    Subject = "Subject",
    Status = "Status",
    ToIp = "ToIP",
    FromIp = "FromIP",
    Size = "Size",
    GraphId = "id",
    GraphReceived = "receivedDateTime",
    GraphMessageId = "messageId",
    GraphSender = "senderAddress",
    GraphRecipient = "recipientAddress",
    GraphSubject = "subject",
    GraphStatus = "status",
    GraphToIp = "toIP",
    GraphFromIp = "fromIP",
    GraphSize = "size",
    SdkId = "Id",
    SdkReceived = "ReceivedDateTime",
    D = "d",
    Results = "results",
    Value = "value",
    Records = "records",
    Message = "message",
    EventOriginal = "event.original",
    Event = "event",
    Original = "original",
    Payload = "payload",
    DetailEvent = "Event",
    DetailText = "Detail",
    DetailDateTime = "dateTime",
    Error = "error",
    ODataError = "odata.error",
    ErrorCode = "ErrorCode",
}

/// The longest name, in bytes.
pub(super) const LONGEST: usize = 16;

impl Key {
    /// The key of this name. Length and first letter leave at most two candidates, so one or two comparisons decide.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        use Key::{
            D, DetailDateTime, DetailEvent, DetailText, Error, ErrorCode, Event, EventOriginal, FromIp, GraphFromIp,
            GraphId, GraphMessageId, GraphReceived, GraphRecipient, GraphSender, GraphSize, GraphStatus, GraphSubject,
            GraphToIp, Message, MessageId, MessageTraceId, ODataError, Organization, Original, Payload, Received,
            RecipientAddress, Records, Results, SdkId, SdkReceived, SenderAddress, Size, Status, Subject, ToIp, Value,
        };
        match (name.len(), *name.first()?) {
            (1, b'd') => D.is(name),
            (2, b'I') => SdkId.is(name),
            (2, b'i') => GraphId.is(name),
            (4, b'S') => Size.is(name),
            (4, b'T') => ToIp.is(name),
            (4, b's') => GraphSize.is(name),
            (4, b't') => GraphToIp.is(name),
            (5, b'E') => DetailEvent.is(name),
            (5, b'e') => Event.or(Error, name),
            (5, b'v') => Value.is(name),
            (6, b'D') => DetailText.is(name),
            (6, b'F') => FromIp.is(name),
            (6, b'S') => Status.is(name),
            (6, b'f') => GraphFromIp.is(name),
            (6, b's') => GraphStatus.is(name),
            (7, b'S') => Subject.is(name),
            (7, b'm') => Message.is(name),
            (7, b'p') => Payload.is(name),
            (7, b'r') => Results.or(Records, name),
            (7, b's') => GraphSubject.is(name),
            (8, b'R') => Received.is(name),
            (8, b'd') => DetailDateTime.is(name),
            (8, b'o') => Original.is(name),
            (9, b'E') => ErrorCode.is(name),
            (9, b'M') => MessageId.is(name),
            (9, b'm') => GraphMessageId.is(name),
            (11, b'o') => ODataError.is(name),
            (12, b'O') => Organization.is(name),
            (13, b'S') => SenderAddress.is(name),
            (13, b's') => GraphSender.is(name),
            (14, b'M') => MessageTraceId.is(name),
            (14, b'e') => EventOriginal.is(name),
            (16, b'R') => RecipientAddress.or(SdkReceived, name),
            (16, b'r') => GraphReceived.or(GraphRecipient, name),
            _ => None,
        }
    }

    #[inline(always)]
    fn is(self, name: &[u8]) -> Option<Self> {
        (name == self.name().as_bytes()).then_some(self)
    }

    #[inline(always)]
    fn or(self, other: Self, name: &[u8]) -> Option<Self> {
        match self.is(name) {
            None => other.is(name),
            found => found,
        }
    }

    /// The key that matters inside the object which is this key's value.
    #[inline]
    pub(super) fn inner(self) -> Option<Self> {
        match self {
            Self::D => Some(Self::Results),
            Self::Event => Some(Self::Original),
            _ => None,
        }
    }

    const fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// The values that an object has for the keys we know; of repeated keys the last.
#[derive(Clone, Debug)]
pub(in crate::normalize) struct Members {
    present: u64,
    values: [Value; Key::COUNT],
    /// Of the last `d` and of the last `event`, when it is an object, the value that matters inside it.
    inner: [Option<Value>; 2],
}

impl Default for Members {
    fn default() -> Self {
        Self { present: 0, values: [Value::default(); Key::COUNT], inner: [None; 2] }
    }
}

impl Members {
    #[inline]
    pub fn get(&self, key: Key) -> Option<Value> {
        if self.has(key) { self.values.get(key as usize).copied() } else { None }
    }

    #[inline]
    pub fn has(&self, key: Key) -> bool {
        self.present & key.bit() != 0
    }

    /// `results` inside `d`.
    pub fn d_results(&self) -> Option<Value> {
        let [results, _] = self.inner;
        results
    }

    /// `original` inside `event`.
    pub fn event_original(&self) -> Option<Value> {
        let [_, original] = self.inner;
        original
    }

    #[inline]
    pub(super) fn put(&mut self, key: Key, value: Value, inner: Option<Value>) {
        self.present |= key.bit();
        if let Some(slot) = self.values.get_mut(key as usize) {
            *slot = value;
        }
        let [results, original] = &mut self.inner;
        match key {
            Key::D => *results = inner,
            Key::Event => *original = inner,
            _ => {}
        }
    }

    pub(super) fn clear(&mut self) {
        self.present = 0;
        self.inner = [None; 2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_by_its_name_and_by_no_other() {
        for key in Key::ALL {
            let name = key.name();
            assert_eq!(Key::of(name.as_bytes()), Some(key));
            assert!(name.len() <= LONGEST);
            for other in [name.to_uppercase(), name.to_lowercase(), format!("{name}x"), name[1..].to_owned()] {
                let found = Key::of(other.as_bytes());
                assert_eq!(found.map(Key::name).unwrap_or(&other), other, "{other} is not {name}");
            }
        }
    }

    #[test]
    fn the_last_of_repeated_keys_counts_and_clearing_forgets_all() {
        let mut members = Members::default();
        let value = |end| Value { end, ..Value::default() };
        assert_eq!(members.get(Key::Size), None);
        members.put(Key::Size, value(1), None);
        members.put(Key::Size, value(2), None);
        assert_eq!(members.get(Key::Size), Some(value(2)));
        members.clear();
        assert_eq!(members.get(Key::Size), None);
    }
}
