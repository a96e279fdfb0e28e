//! What is around every page, and the files that the pages share. Nothing comes from elsewhere.

use super::html::Html;

pub const STYLE: &str = include_str!("assets/style.css");
pub const SCRIPT: &str = include_str!("assets/page.js");
pub const ICON: &str = include_str!("assets/icon.svg");

/// What a page says about itself.
#[derive(Debug)]
pub struct Head<'a> {
    pub title: &'a str,
    pub topic: &'a str,
    pub cluster: &'a str,
    /// Seconds until it is asked for again.
    pub refresh: Option<u16>,
}

pub fn page(head: &Head<'_>, content: &Html) -> String {
    let Head { title, topic, cluster, refresh } = *head;
    let mut html = Html::new();
    html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">");
    if let Some(seconds) = refresh {
        html.raw("<meta http-equiv=\"refresh\"").attribute("content", &seconds.to_string()).raw(">");
    }
    html.raw("<title>").text(title).raw(" · ").text(topic).raw(" · ").text(cluster);
    html.raw("</title><link rel=\"icon\" href=\"/icon.svg\"><link rel=\"stylesheet\" href=\"/style.css\">");
    html.raw("<script src=\"/page.js\" defer></script></head>\n<body>");
    html.raw("<a class=\"skip\" href=\"#content\">To the content</a>");
    html.raw("<header><nav><a href=\"/\">Overview</a><a href=\"/letters\">Letters</a></nav><p class=\"where\">");
    html.raw("<strong>").text(topic).raw("</strong> on ").text(cluster).raw("</p></header>\n<main id=\"content\">");
    html.part(content).raw("</main>\n<footer>Read only. Times are UTC. <span class=\"keys\">Keys: <kbd>j</kbd> ");
    html.raw(
        "<kbd>k</kbd> row, <kbd>Enter</kbd> open, <kbd>/</kbd> search, <kbd>o</kbd> overview, <kbd>l</kbd> list, ",
    );
    html.raw("<kbd>r</kbd> refresh, <kbd>n</kbd> newer, <kbd>p</kbd> older.</span></footer></body></html>\n");
    html.into_string()
}
