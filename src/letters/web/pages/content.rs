//! What a letter holds, on a page that stays small whatever it holds. Pure.

use crate::letters::value::Role;
use crate::letters::view::Part;
use crate::letters::web::html::Html;
use crate::terminal::table::{counted, grouped};

/// What a part may add to a page, in bytes. What is shown of a value is chosen before; this is for those in which each
/// character becomes many.
const MAX_BYTES: usize = 256 * 1024;

/// Headers that are shown.
const MAX_HEADERS: usize = 200;

pub fn headers(html: &mut Html, headers: &[(String, String)]) {
    let begin = html.bytes();
    html.raw("<h2>").text(&counted(headers.len() as u64, "header", "headers"));
    html.raw("</h2><table class=\"headers\"><tbody>");
    let mut shown = 0;
    for (name, value) in headers.iter().take(MAX_HEADERS) {
        if html.bytes() - begin > MAX_BYTES {
            break;
        }
        html.raw("<tr><th scope=\"row\">").text(name).raw("</th><td>").text(value).raw("</td></tr>");
        shown += 1;
    }
    html.raw("</tbody></table>");
    if shown < headers.len() {
        let more = grouped((headers.len() - shown) as u64);
        html.raw("<p class=\"note\">").text(&format!("{more} more: `dlq show` prints them.")).raw("</p>");
    }
}

pub fn part(html: &mut Html, part: &Part) {
    html.raw("<h2>").text(&part.heading).raw("</h2>");
    if part.lines.is_empty() {
        return;
    }
    let begin = html.bytes();
    html.raw(if part.is_dump { "<pre class=\"dump\" tabindex=\"0\">" } else { "<pre tabindex=\"0\">" });
    for line in &part.lines {
        if html.bytes() - begin > MAX_BYTES {
            html.raw("<span class=\"left-out\">  … the rest is left out\n</span>");
            break;
        }
        let text = line.to_string();
        match line.role {
            Role::Plain => html.text(&text).raw("\n"),
            Role::Blamed => html.raw("<mark>").text(&text).raw("</mark>\n"),
            Role::Failing { from, to } => {
                let (before, rest) = line.text.split_at(from);
                let (failing, behind) = rest.split_at(to - from);
                html.raw("  ").text(before).raw("<mark class=\"byte\">").text(failing).raw("</mark>").text(behind);
                html.raw("\n")
            }
            Role::Caret => html.raw("<span class=\"caret\">").text(&text).raw("\n</span>"),
            Role::LeftOut => html.raw("<span class=\"left-out\">").text(&text).raw("</span>\n"),
        };
    }
    html.raw("</pre>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters::value::{Extent, Focus, lines};

    fn shown(value: &[u8], focus: Focus<'_>, extent: Extent) -> String {
        let mut html = Html::new();
        let is_dump = std::str::from_utf8(value).is_err();
        part(&mut html, &Part { heading: "value".to_owned(), lines: lines(value, focus, extent), is_dump });
        html.into_string()
    }

    #[test]
    fn a_page_stays_small_whatever_it_holds() {
        // What is shown depends on the size no more from here on.
        let size = 1 << 20;
        let deep = "[".repeat(size);
        let values: [Vec<u8>; 8] = [
            format!("{}\n", "\u{1}".repeat(1000)).repeat(size / 1000).into_bytes(),
            vec![b'"'; size],
            vec![0x01; size],
            vec![b'\n'; size],
            vec![0xff; size],
            "\u{e0001}".repeat(size / 4).into_bytes(),
            format!("[{}\"\"]", "\"\",".repeat(size / 3)).into_bytes(),
            deep.into_bytes(),
        ];
        for value in values {
            for focus in [Focus::Nothing, Focus::Byte(0), Focus::Byte(size / 2), Focus::Byte(value.len())] {
                for (extent, most) in [(Extent::Surroundings, 128 * 1024), (Extent::Wide, MAX_BYTES + 8 * 1024)] {
                    let bytes = shown(&value, focus, extent).len();
                    assert!(bytes < most, "{bytes} of {:?}… {focus:?} {extent:?}", &value[..3]);
                }
            }
        }
        let many = vec![("\"".repeat(2000), "\"".repeat(2000)); 5000];
        let mut html = Html::new();
        headers(&mut html, &many);
        let html = html.into_string();
        assert!(html.len() < MAX_BYTES + 32 * 1024 && html.contains("5,000 headers") && html.contains(" more: "));
    }

    #[test]
    fn the_failing_byte_is_marked_in_its_line_and_pointed_at_below() {
        let html = shown(b"{\"a\": <}", Focus::Byte(6), Extent::Surroundings);
        let expected =
            "  {&quot;a&quot;: <mark class=\"byte\">&lt;</mark>}\n<span class=\"caret\">        ^\n</span></pre>";
        assert!(html.ends_with(expected), "{html}");
        let html = shown(b"\xff\xfe", Focus::Byte(1), Extent::Surroundings);
        assert!(html.contains("ff <mark class=\"byte\">fe</mark>"), "{html}");
    }
}
