//! What records are made of: what is right, and what lies next to it. Some words are a canary, which no message of a
//! rejection may sing.

/// Where the values of a key come from.
#[derive(Clone, Copy)]
pub enum Pool {
    Id,
    Time,
    Text,
    Address,
    Status,
    Ip,
    Size,
}

use Pool::{Address, Id, Ip, Size, Status, Text, Time};

pub const REPORTING: [(&str, Pool); 11] = [
    ("MessageTraceId", Id),
    ("Received", Time),
    ("Organization", Text),
    ("MessageId", Text),
    ("SenderAddress", Address),
    ("RecipientAddress", Address),
    ("Subject", Text),
    ("Status", Status),
    ("ToIP", Ip),
    ("FromIP", Ip),
    ("Size", Size),
];

pub const GRAPH: [(&str, Pool); 10] = [
    ("id", Id),
    ("receivedDateTime", Time),
    ("messageId", Text),
    ("senderAddress", Address),
    ("recipientAddress", Address),
    ("subject", Text),
    ("status", Status),
    ("toIP", Ip),
    ("fromIP", Ip),
    ("size", Size),
];

pub const WRAPPER_KEYS: [&str; 12] = [
    "message",
    "value",
    "payload",
    "records",
    "results",
    "d",
    "event.original",
    "event",
    "original",
    "error",
    "Event",
    "Message",
];

pub const OTHER_KEYS: [&str; 28] = [
    "x",
    "Event",
    "Detail",
    "Received",
    "event",
    "dateTime",
    "receivedDateTime",
    "error",
    "odata.error",
    "ErrorCode",
    "message",
    "value",
    "d",
    "payload",
    "records",
    "results",
    "id",
    "MessageTraceId",
    "senderAddress",
    "Status",
    "Size",
    "size",
    "original",
    "event.original",
    "",
    "\u{fffd}",
    "__metadata",
    "status",
];

pub const NO_TRACES: [&str; 9] = [
    r#"{"Event":"Receive","Detail":"canary"}"#,
    r#"{"id":"a","event":"canary","dateTime":""}"#,
    r#"{"error":{"code":"canary"}}"#,
    r#"{"odata.error":{}}"#,
    r#"{"ErrorCode":null}"#,
    r#"{"value":[]}"#,
    r#"{"message":""}"#,
    r#""canary""#,
    "{}",
];

pub const IDS: [&str; 5] = [
    "a",
    "3b4fc661-180d-4c2f-60c9-08da6e38dd10",
    "",
    "canary\u{0} é",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstu",
];

/// So many of the times are none of the mistakes.
pub const TIMES_FIRST: usize = 12;

pub const TIMES: [&str; 32] = [
    "2022-09-05T18:10:13",
    "/Date(1658751973240)/",
    "2022-09-05T18:10:13Z",
    "2022-09-05T18:10:13.1234567Z",
    "\\/Date(1658751973240+0000)\\/",
    "2022-09-05 18:10:13.5+02",
    "2024-02-29T23:59:59.999999999-0530",
    "2022-09-05T18:10:13+23:59",
    "1970-01-01T00:00:00",
    "1969-12-31T23:30:00-01:00",
    "9999-12-31T23:59:59.999999Z",
    "/Date(0)/",
    "1970-01-01T00:30:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "2022-02-30T00:00:00",
    "2022-09-05T24:00:00",
    "2022-09-05T18:10:60Z",
    "2100-02-29T00:00:00Z",
    "2022-09-05T18:10:13+24:00",
    "2022-09-05T18:10:13-00:60",
    "2022-09-05T18:10:13.Z",
    "2022-09-05T18:10",
    "/Date(-1)/",
    "/Date(253402300799999)/",
    "/Date(253402300800000)/",
    "/Date(00000000000000000000000000001-2359)/",
    "/Date(99999999999999999999)/",
    "/Date()/",
    " \t\n2022-09-05T18:10:13\r ",
    " ",
    "",
    "canary",
];

pub const TEXTS: [&str; 16] = [
    "x",
    "",
    "Re: canary",
    "<3a273efc@az.example.com>",
    "é ü \u{2028} \u{feff}",
    "😀",
    "a\"b\\c/d",
    "\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}",
    "{}",
    "[]",
    "null",
    "{\"MessageTraceId\":\"a\",\"Received\":\"2022-09-05T18:10:13\"}",
    "[{\"id\":\"a\",\"receivedDateTime\":\"2022-09-05T18:10:13Z\"}]",
    "\u{feff}{\"id\":\"a\",\"receivedDateTime\":\"2022-09-05T18:10:13Z\"} ",
    "a text somewhat longer than a block of sixteen or of thirty-two or of sixty-four bytes, ending in a \"quote\"",
    "\u{fffd}",
];

pub const ADDRESSES: [&str; 30] = [
    "bob@example.com",
    "ALICE@Mail.Example.co.uk",
    "<>",
    "",
    "bob",
    "@example.com",
    "bob@",
    "a@b@c.example.org",
    "a@x.example.org",
    "a@example.org",
    "a@other.net",
    "a@www.example.com.",
    "a@example.com..",
    "a@a..com",
    "a@com",
    "a@co.uk",
    "a@x.foo.github.io",
    "a@host.corp",
    "a@b.a.ck",
    "a@a.ck",
    "a@ck",
    "a@x.www.ck",
    "a@x.city.kawasaki.jp",
    "a@x.y.kawasaki.jp",
    "a@www.例.公司.香港",
    "a@www.xn--fsq.XN--55QX5D.xn--j6w193g",
    "a@x.公司.xn--j6w193g",
    "a@É.рф",
    "a@[192.0.2.1]",
    "canary\u{0}\"@example.com",
];

pub const STATUSES: [&str; 10] = [
    "Delivered",
    "delivered",
    "FAILED",
    "Quarantined",
    "filteredAsSpam",
    "GettingStatus",
    "",
    "ſAILED",
    "deliver\u{212a}",
    "canary",
];

pub const IPS: [&str; 20] = [
    "192.0.2.1",
    "2001:db8::1",
    "2001:DB8:0::1",
    "::ffff:192.0.2.1",
    "::FFFF:C000:201",
    "::192.0.2.1",
    "1:0:0:2:0:0:0:3",
    "1:2:3:4:5:6:7::",
    "::",
    "fe80::1%eth0",
    "[::1]",
    "192.0.2.1:25",
    "192.0.2.01",
    "256.0.0.1",
    "192.0.2",
    "1:2:3:4:5:6:1.2.3.4",
    "00001::",
    " 192.0.2.1",
    "",
    "canary",
];

/// So many of the numbers are sizes.
pub const SIZES_FIRST: usize = 15;

pub const NUMBERS: [&str; 28] = [
    "0",
    "87680",
    "-0",
    "1",
    "8.768e4",
    "87680.0",
    "1E+2",
    "1200e-2",
    "-0.0",
    "9223372036854775807",
    "9.223372036854774784e18",
    "9007199254740993.0",
    "1e-400",
    "1e18",
    "0e999999999999",
    "1.5",
    "-1",
    "9223372036854775808",
    "9223372036854775807.0",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "1e400",
    "-1e400",
    "4.9e-324",
    "1.00000000000000000000000001",
    "123456789012345678901234567890",
    "-9223372036854775808",
];

/// What is put beside a good character: what has a meaning somewhere.
pub const NUDGES: &str = "0917.:-+ TZtz/\\()@é\u{661}\u{a0}\u{feff}\u{0}\u{7f}\"'{}[],xX%<>*!\n\t😀";

/// So many of the escapes are JSON.
pub const ESCAPES_FIRST: usize = 10;

/// Raw, inside a string: halves of surrogates, needless escapes, and what no string may hold.
pub const ODD_ESCAPES: [&str; 14] = [
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\ude00",
    "\\uD83D\\uD83D\\uDE00",
    "\\ud83d\\u0041",
    "\\ud83d\\n",
    "\\/",
    "\\b\\f\\n\\r\\t",
    "\\u0000",
    "\\ufeff",
    "\\u00e",
    "\\x",
    "\t",
    "\u{1f}",
];

/// Put anywhere into the finished record.
pub const TOKENS: [&[u8]; 32] = [
    b",",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"0",
    b"-",
    b".",
    b"e",
    b" ",
    b"\n",
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"\\u",
    b"null",
    b"[[[[[[[[[[[[[[[[",
    b"\"x\":",
    b"\"message\":",
    b"\"value\":",
    b"\"id\":\"a\"",
    b"\"receivedDateTime\":\"2022-09-05T18:10:13Z\"",
    b"\"\"",
    b"{}",
    b"\\ud83d",
];
