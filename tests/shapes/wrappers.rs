//! A value in what collectors and shippers put around it: keys, strings, arrays, Base64, lines.

use super::{Dice, words};
use crate::plain;

impl Dice<'_> {
    /// A few values, each on its line.
    pub(super) fn lines(&mut self, out: &mut String) {
        for _ in 0..self.below(4) + 1 {
            let mut line = String::new();
            self.white_space(&mut line);
            self.value_in_wrappers(&mut line);
            self.white_space(&mut line);
            if self.mistake(6) {
                line = self.nudge(&line, words::NUDGES);
            }
            // Between values the ends of lines are white space like any other, unless the lines are wanted.
            out.push_str(&if self.mistake(4) { line } else { line.replace(['\n', '\r'], " ") });
            out.push_str(self.pick(&["\n", "\r\n", "\n\n", "\n \t\r\n", "\r"]));
        }
        if self.one_in(3) {
            out.pop();
        }
    }

    /// A trace, a page or anything else, in up to six wrappers.
    pub(super) fn value_in_wrappers(&mut self, out: &mut String) {
        let mut text = String::new();
        self.element(&mut text);
        let most = if self.calm { 5 } else { 7 };
        for _ in 0..self.below(most) {
            text = if self.mistake(2) { self.wrap_anyhow(text) } else { self.wrap(text) };
        }
        out.push_str(&text);
    }

    /// In a wrapper that the mapping takes off.
    fn wrap(&mut self, inner: String) -> String {
        let mut content = String::new();
        let key = match self.below(16) {
            0..=2 => {
                self.quote(&inner, &mut content);
                self.pick(&["message", "payload", "event.original", "original"])
            }
            3..=4 => {
                content = inner;
                self.pick(&["message", "payload"])
            }
            5..=7 => {
                self.array_around(&inner, &mut content);
                self.pick(&["", "d", "value", "records", "results"])
            }
            8 => {
                self.quote(&inner, &mut content);
                ""
            }
            9..=11 => {
                content = inner;
                self.pick(&plain::WRAPPER_KEYS)
            }
            12 => {
                self.quote(&inner, &mut content);
                self.pick(&plain::WRAPPER_KEYS)
            }
            13 => {
                self.array_around(&inner, &mut content);
                self.pick(&plain::WRAPPER_KEYS)
            }
            14 => {
                content = inner;
                self.pick(&["x", "doc", ""])
            }
            _ => {
                let base64 = self.base64(&inner);
                self.quote(&base64, &mut content);
                self.pick(&["$content", "data_base64"])
            }
        };
        // An array or a string may do without a key.
        if key.is_empty() && !content.starts_with('{') {
            return content;
        }
        let outer = match key {
            "original" => Some("event"),
            "results" if self.one_in(2) => Some("d"),
            _ => None,
        };
        let mut out = String::new();
        let mut members = vec![(key.to_owned(), content)];
        while self.one_in(4) {
            let keys: &[&str] = if self.calm { &["x", "", "__metadata"] } else { &words::WRAPPER_KEYS };
            members.push(self.stray_member(keys));
        }
        if self.one_in(4) {
            members.reverse();
        }
        self.object(members, &mut out);
        if let Some(outer) = outer {
            let inner = std::mem::take(&mut out);
            self.object(vec![(outer.to_owned(), inner)], &mut out);
        }
        out
    }

    /// In something like a wrapper: any key, any content.
    fn wrap_anyhow(&mut self, inner: String) -> String {
        let mut content = String::new();
        match self.below(4) {
            0 => self.array_around(&inner, &mut content),
            1 => content = inner,
            2 => {
                let base64 = self.base64(&inner);
                self.quote(&base64, &mut content);
            }
            _ => self.quote(&inner, &mut content),
        }
        let mut out = String::new();
        let key = self.pick(&words::WRAPPER_KEYS).to_owned();
        let other = self.stray_member(&words::WRAPPER_KEYS);
        self.object(vec![(key, content), other], &mut out);
        out
    }

    fn array_around(&mut self, inner: &str, out: &mut String) {
        out.push('[');
        while self.one_in(3) {
            self.white_space(out);
            self.element(out);
            out.push(',');
        }
        self.white_space(out);
        out.push_str(inner);
        self.white_space(out);
        while self.one_in(3) {
            out.push(',');
            self.element(out);
        }
        out.push(']');
    }

    fn element(&mut self, out: &mut String) {
        match self.below(20) {
            0..=6 => self.trace(&words::REPORTING, out),
            7..=11 => self.trace(&words::GRAPH, out),
            12..=15 => self.trace(&words::SDK, out),
            16 => out.push_str("[]"),
            17 => self.any(3, out),
            18 => out.push_str(self.pick(&words::NO_TRACES)),
            _ => {
                let members = (0..self.below(4)).map(|_| self.stray_member(&words::OTHER_KEYS)).collect();
                self.object(members, out);
            }
        }
    }
}
