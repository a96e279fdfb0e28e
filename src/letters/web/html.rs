//! A page in the making. Markup is written in the program's own text and nowhere else: [`Html::raw`] takes nothing that is
//! made at run time, and whatever else comes in is escaped. Pure.

use std::fmt::Write as _;

use crate::text::acts;

#[derive(Clone, Debug, Default)]
pub struct Html(String);

impl Html {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text between tags: what would be markup is none, and what acts is shown.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                _ if acts(character) => self.0.extend(character.escape_default()),
                _ => self.0.push(character),
            }
        }
        self
    }

    /// ` name="value"` inside a tag.
    pub fn attribute(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    /// The same for a number with at most two digits behind the point.
    pub fn number(&mut self, name: &'static str, value: f64) -> &mut Self {
        let text = format!("{value:.2}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        // Writing to a String does not fail.
        let _ = write!(self.0, " {name}=\"{text}\"");
        self
    }

    /// A part that was made before.
    pub fn part(&mut self, part: &Self) -> &mut Self {
        self.0.push_str(&part.0);
        self
    }

    /// Its length so far.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_text_whatever_it_says() {
        let mut html = Html::new();
        html.raw("<p").attribute("title", "\"><script>alert('1')</script>").raw(">").text("a&b</p>\u{202e}\u{7}");
        assert_eq!(
            html.into_string(),
            "<p title=\"&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\">a&amp;b&lt;/p&gt;\\u{202e}\\u{7}"
        );
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_place(text in "\\PC*|[<>&\"'a\\x00-\\x1f\u{202e}]*") {
            let mut html = Html::new();
            html.text(&text);
            let html = html.into_string();
            prop_assert!(!html.contains(['<', '>', '"', '\'']) && !html.contains(acts), "{html}");
            let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
            let left = entities.iter().fold(html.clone(), |left, entity| left.replace(entity, ""));
            prop_assert!(!left.contains('&'), "{html}");
        }
    }
}
