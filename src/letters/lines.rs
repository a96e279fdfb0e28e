//! The lines of a text: as they stand, or JSON with each member on a line of its own, token by token. Nothing is parsed into
//! values that could change it, and no line is kept: whoever wants some of eight million gets them one after the other.
//! Pure.

/// Deeper levels are not moved to the right any more.
const MAX_INDENT: usize = 20;

#[derive(Clone, Copy, Debug)]
pub struct Lines<'t> {
    text: &'t str,
    /// Tokens that begin before it stand on lines of their own, what follows them as it is.
    laid_out_to: usize,
    /// Somebody wants to know where this byte came to stand.
    mark: Option<usize>,
}

/// What becomes of a line, and where in it the marked byte stands if it is this one.
pub type Each<'e> = dyn FnMut(&str, Option<usize>) + 'e;

impl<'t> Lines<'t> {
    pub fn as_they_stand(text: &'t str) -> Self {
        Self { text, laid_out_to: 0, mark: None }
    }

    /// Of a text that is JSON.
    pub fn laid_out(json: &'t str) -> Self {
        Self { text: json, laid_out_to: json.len(), mark: None }
    }

    /// Of a text that is JSON up to this byte.
    pub fn laid_out_to(text: &'t str, end: usize) -> Self {
        Self { text, laid_out_to: end, mark: None }
    }

    /// `at` lies on a character's border.
    pub fn with(self, at: usize) -> Self {
        Self { mark: Some(at), ..self }
    }

    /// Calls `each` for every line.
    pub fn each(&self, each: &mut Each<'_>) {
        let mut writer = Writer { lines: self, each, line: String::new(), marked: None, is_marked: false, depth: 0 };
        let rest = if self.laid_out_to > 0 { writer.tokens() } else { 0 };
        writer.remainder(rest);
    }
}

struct Writer<'w, 'e> {
    lines: &'w Lines<'w>,
    each: &'w mut Each<'e>,
    line: String,
    /// Where in the line the marked byte stands.
    marked: Option<usize>,
    /// Whether it stands in this line or one before.
    is_marked: bool,
    depth: usize,
}

impl Writer<'_, '_> {
    /// The tokens that are to be laid out. Gives the place in the text behind them.
    fn tokens(&mut self) -> usize {
        let text = self.lines.text;
        let mut at = space(text, 0);
        while at < self.lines.laid_out_to {
            let token = token(&text[at..]);
            let end = at + token.len();
            let next = space(text, end);
            match token {
                "{" | "[" => {
                    self.put(at, token);
                    self.depth += 1;
                    // What holds nothing ends on the same line.
                    if next < self.lines.laid_out_to && !text[next..].starts_with(['}', ']']) {
                        self.end_line();
                    }
                }
                "}" | "]" => {
                    self.depth = self.depth.saturating_sub(1);
                    if !self.line.ends_with(['{', '[']) {
                        self.end_line();
                    }
                    self.put(at, token);
                }
                "," => {
                    self.put(at, token);
                    self.end_line();
                }
                ":" => {
                    self.put(at, token);
                    self.line.push(' ');
                }
                _ => self.put(at, token),
            }
            at = next;
        }
        at
    }

    /// What is not laid out, line by line, and the end.
    fn remainder(&mut self, from: usize) {
        let text = self.lines.text;
        let mut at = from;
        for line in text[from..].split_inclusive('\n') {
            let content = line.strip_suffix('\n').map(|content| content.strip_suffix('\r').unwrap_or(content));
            self.put(at, content.unwrap_or(line));
            at += line.len();
            if content.is_some() {
                self.mark_before(at);
                self.emit();
            }
        }
        // The byte behind the end stands behind everything, were it on a line of its own.
        self.mark_before(usize::MAX);
        if self.marked.is_some() || !self.line.is_empty() {
            self.emit();
        }
    }

    fn put(&mut self, at: usize, piece: &str) {
        if let Some(mark) = self.lines.mark
            && !self.is_marked
            && mark < at + piece.len()
        {
            // Space between tokens is not shown: what stands behind it does.
            self.marked = Some(self.line.len() + mark.saturating_sub(at));
            self.is_marked = true;
        }
        self.line.push_str(piece);
    }

    /// Marks the end of the line for a byte that was not shown up to here.
    fn mark_before(&mut self, end: usize) {
        if self.lines.mark.is_some_and(|mark| mark < end) && !self.is_marked {
            self.marked = Some(self.line.len());
            self.is_marked = true;
        }
    }

    fn end_line(&mut self) {
        self.emit();
        for _ in 0..self.depth.min(MAX_INDENT) {
            self.line.push_str("  ");
        }
    }

    fn emit(&mut self) {
        (self.each)(&self.line, self.marked.take());
        self.line.clear();
    }
}

/// Where the space that begins at `at` ends.
fn space(text: &str, at: usize) -> usize {
    text[at..].bytes().position(|byte| !is_space(byte)).map_or(text.len(), |more| at + more)
}

/// As JSON has it: any other is a byte to blame.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The first token of JSON, which does not begin with space.
fn token(json: &str) -> &str {
    let bytes = json.as_bytes();
    let end = match bytes.first() {
        Some(b'"') => {
            let mut at = 1;
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'\\' => at += 2,
                    b'"' => break,
                    _ => at += 1,
                }
            }
            at + 1
        }
        Some(b'{' | b'}' | b'[' | b']' | b',' | b':') | None => 1,
        Some(_) => bytes
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']' | b':') || is_space(*byte))
            .unwrap_or(bytes.len()),
    };
    json.get(..end).unwrap_or(json)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(lines: &Lines<'_>) -> Vec<(String, Option<usize>)> {
        let mut shown = Vec::new();
        lines.each(&mut |line, mark| shown.push((line.to_owned(), mark)));
        shown
    }

    #[test]
    fn json_is_laid_out_up_to_the_byte_to_blame_and_that_is_found_again() {
        let text = r#"{"a": [1, {}],"b":"x\"y",  tru, "c":{"d":1}"#;
        let at = text.find("tru").unwrap();
        let lines = [("{", None), ("  \"a\": [", None), ("    1,", None), ("    {}", None), ("  ],", None)];
        let last = [("  \"b\": \"x\\\"y\",", None), ("  tru, \"c\":{\"d\":1}", Some(2))];
        let expected: Vec<_> = lines.iter().chain(&last).map(|(line, mark)| ((*line).to_owned(), *mark)).collect();
        assert_eq!(shown(&Lines::laid_out_to(text, at).with(at)), expected);
    }

    #[test]
    fn any_byte_of_json_is_found_where_it_came_to_stand() {
        let text = "[10 ,\"b\"]";
        let at = |mark| {
            let lines = shown(&Lines::laid_out(text).with(mark));
            let (line, (_, column)) = lines.iter().enumerate().find(|(_, (_, mark))| mark.is_some()).unwrap();
            (line, column.unwrap())
        };
        // The space is not shown: what stands behind it is what is pointed at.
        let expected = [(0, 0), (1, 2), (1, 3), (1, 4), (1, 4), (2, 2), (2, 3), (2, 4), (3, 0), (3, 1)];
        assert_eq!((0..=text.len()).map(at).collect::<Vec<_>>(), expected);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_one_place_is_marked(text in "[\\{\\}\\[\\],:\"\\\\a\\x0c\u{a0}\n\r 0]{0,60}", end in 0_usize..60, mark in 0_usize..60) {
            let [end, mark] = [end, mark].map(|at| text.floor_char_boundary(at));
            let lines = shown(&Lines::laid_out_to(&text, end).with(mark));
            let bare = |text: &str| text.replace([' ', '\n', '\r'], "");
            prop_assert_eq!(bare(&lines.iter().map(|(line, _)| line.as_str()).collect::<String>()), bare(&text));
            prop_assert_eq!(lines.iter().filter(|(_, mark)| mark.is_some()).count(), 1);
        }
    }
}
