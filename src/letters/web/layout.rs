//! What is around every page, and the files that the pages share. Nothing comes from elsewhere.

use super::html::Html;

pub const STYLE: &str = include_str!("assets/style.css");
pub const SCRIPT: &str = include_str!("assets/page.js");
pub const ICON: &str = include_str!("assets/icon.svg");

pub fn page(title: &str, topic: &str, content: &Html) -> String {
    let mut html = Html::new();
    html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\"><title>").text(title).raw(" · ").text(topic);
    html.raw("</title><link rel=\"icon\" href=\"/icon.svg\"><link rel=\"stylesheet\" href=\"/style.css\">");
    html.raw(
        "<script src=\"/page.js\" defer></script></head>\n<body><a class=\"skip\" href=\"#content\">To the content</a>",
    );
    html.raw("<header><nav><a href=\"/\">Overview</a><a href=\"/letters\">Letters</a></nav><span class=\"topic\">");
    html.text(topic).raw("</span></header>\n<main id=\"content\">").part(content).raw("</main>\n<footer>Read only. ");
    html.raw("Times are UTC. Keys: <kbd>j</kbd> <kbd>k</kbd> letter, <kbd>Enter</kbd> open, <kbd>/</kbd> filter, ");
    html.raw("<kbd>o</kbd> overview, <kbd>l</kbd> list.</footer></body></html>\n");
    html.into_string()
}
