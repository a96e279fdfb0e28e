//! Which page belongs to which address, and the looks at the topic behind them: a few at a time, beside the thread that
//! talks to the clients, and ended when whoever asked has left.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONTENT_DISPOSITION, HeaderName, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use rdkafka::error::KafkaError;
use tokio::sync::Semaphore;

use super::filter::Filter;
use super::html::Html;
use super::layout::Head;
use super::look::{Context, Found, Left, Wish};
use super::pages::neighbour::Side;
use super::pages::{letter, list, neighbour, overview};
use super::{guard, layout};
use crate::http::{Answer, Endpoints, response};
use crate::kafka::admin::refusal::Refusal;
use crate::kafka::scan::ScanError;
use crate::letters::coordinates::Written;
use crate::text::one_line;

/// Looks at the topic at the same time; each has clients of its own. Whoever comes later waits.
const LOOKS: usize = 2;

const HTML: &str = "text/html; charset=utf-8";

/// Says that nobody waits any more when it goes.
struct Waiting(Left);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.tell();
    }
}

#[derive(Clone, Debug)]
pub struct Router {
    context: Arc<Context>,
    looks: Arc<Semaphore>,
}

impl Endpoints for Router {
    /// A topic of ten million letters is read within it.
    const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, _) = request.into_parts();
        let mut answer = match guard::refuse(&parts) {
            Some(answer) => answer,
            None => self.page(parts.uri.path(), parts.uri.query()).await,
        };
        guard::guard(&mut answer);
        answer
    }
}

impl Router {
    pub fn new(context: Context) -> Self {
        Self { context: Arc::new(context), looks: Arc::new(Semaphore::new(LOOKS)) }
    }

    async fn page(&self, path: &str, query: Option<&str>) -> Answer {
        match path {
            "/style.css" => return response(StatusCode::OK, "text/css; charset=utf-8", layout::STYLE),
            "/page.js" => return response(StatusCode::OK, "text/javascript; charset=utf-8", layout::SCRIPT),
            "/icon.svg" => return response(StatusCode::OK, "image/svg+xml", layout::ICON),
            _ => {}
        }
        let Some(wanted) = Wanted::of(path) else {
            return self.trouble(StatusCode::NOT_FOUND, &["there is no such page".to_owned()]);
        };
        match wanted {
            Wanted::Letter { place, part } => {
                let wish = match (part, query.filter(|query| !query.is_empty())) {
                    (Part::Page, None) => Wish::Surroundings,
                    (Part::Page, Some("full=1")) => Wish::More,
                    (Part::Value, None) => {
                        return self.look(move |context, _| letter::value(context, &place)).await;
                    }
                    (Part::Neighbour(side), None) => {
                        return self.look(move |context, left| neighbour::page(context, &place, side, left)).await;
                    }
                    _ => return self.trouble(StatusCode::BAD_REQUEST, &["a letter has no filters".to_owned()]),
                };
                self.look(move |context, left| letter::page(context, &place, wish, left)).await
            }
            Wanted::Overview | Wanted::List => {
                let filter = match Filter::parse(query) {
                    Ok(filter) => filter,
                    Err(told) => return self.trouble(StatusCode::BAD_REQUEST, &[told]),
                };
                match wanted {
                    Wanted::List => self.look(move |context, left| list::page(context, &filter, left)).await,
                    _ => self.look(move |context, left| overview::page(context, &filter, left)).await,
                }
            }
        }
    }

    /// Reads the topic for a page, on a thread that may wait.
    async fn look(&self, read: impl FnOnce(&Context, &Left) -> anyhow::Result<Found> + Send + 'static) -> Answer {
        let Ok(permit) = Arc::clone(&self.looks).acquire_owned().await else {
            return self.trouble(StatusCode::SERVICE_UNAVAILABLE, &["it is being stopped".to_owned()]);
        };
        let left = Left::default();
        let _waiting = Waiting(left.clone());
        let context = Arc::clone(&self.context);
        let found = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&context, &left)
        });
        match found.await {
            Ok(Ok(Found::Page { title, content, refresh })) => self.written(StatusCode::OK, &title, refresh, &content),
            Ok(Ok(Found::Bytes { name, bytes })) => {
                let answer = response(StatusCode::OK, "application/octet-stream", bytes);
                with(answer, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""))
            }
            Ok(Ok(Found::Elsewhere(address))) => {
                with(response(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", ""), LOCATION, &address)
            }
            Ok(Err(error)) => self.trouble(status(&error), &[one_line(&format!("{error:#}"))]),
            Err(error) => {
                tracing::error!(%error, "a page could not be made");
                self.trouble(StatusCode::INTERNAL_SERVER_ERROR, &["the page could not be made".to_owned()])
            }
        }
    }

    fn trouble(&self, status: StatusCode, problems: &[String]) -> Answer {
        let mut content = Html::new();
        content.raw("<h1>").text(status.canonical_reason().unwrap_or("Trouble")).raw("</h1>");
        for problem in problems {
            content.raw("<p class=\"problem\" role=\"alert\">").text(problem).raw("</p>");
        }
        self.written(status, "trouble", None, &content)
    }

    fn written(&self, status: StatusCode, title: &str, refresh: Option<u16>, content: &Html) -> Answer {
        let head = Head { title, topic: &self.context.title(), cluster: &self.context.cluster(), refresh };
        response(status, HTML, layout::page(&head, content))
    }
}

/// The answer with one more header, of a value that we made.
fn with(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// A letter that is not there is the address's fault, a cluster that does not answer as it should is somebody else's.
fn status(error: &anyhow::Error) -> StatusCode {
    let is_of_the_cluster = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<ScanError>() {
        Some(ScanError::NoPartition { .. }) => false,
        Some(_) => true,
        None => cause.is::<Refusal>() || cause.is::<KafkaError>(),
    };
    if error.chain().any(is_of_the_cluster) { StatusCode::BAD_GATEWAY } else { StatusCode::NOT_FOUND }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Overview,
    List,
    Letter { place: Written, part: Part },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Page,
    Value,
    Neighbour(Side),
}

impl Part {
    fn of(step: &str) -> Option<Self> {
        match step {
            "value" => Some(Self::Value),
            "newer" => Some(Self::Neighbour(Side::Newer)),
            "older" => Some(Self::Neighbour(Side::Older)),
            _ => None,
        }
    }
}

impl Wanted {
    fn of(path: &str) -> Option<Self> {
        let steps: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        match steps[..] {
            [""] => Some(Self::Overview),
            ["letters"] => Some(Self::List),
            ["letters", ref place @ .., last] => match Part::of(last) {
                Some(part) => Self::letter(place, part),
                None => Self::letter(&steps[1..], Part::Page),
            },
            _ => None,
        }
    }

    /// A place has one step, or two with the topic.
    fn letter(place: &[&str], part: Part) -> Option<Self> {
        Some(Self::Letter { place: Written::parse(&place.join("/")).ok()?, part })
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_look_is_told_when_nobody_waits_for_it_any_more() {
        let (said, says) = std::sync::mpsc::channel();
        let router = Router::new(Context::new(&Config::default(), &[]));
        let look = router.look(move |_, left| {
            let mut is_begun = false;
            while !left.is_told() {
                if !std::mem::replace(&mut is_begun, true) {
                    said.send("begun")?;
                }
                std::thread::yield_now();
            }
            said.send("left")?;
            anyhow::bail!("nobody reads this")
        });
        let begun = tokio::task::spawn_blocking(move || {
            assert_eq!(says.recv(), Ok("begun"));
            says
        });
        let says = tokio::select! {
            _ = look => panic!("nobody has left"),
            says = begun => says.unwrap(),
        };
        assert_eq!(says.recv_timeout(Duration::from_secs(60)), Ok("left"));
    }

    #[test]
    fn who_is_to_blame_for_a_page_that_cannot_be_made_is_told_by_its_status() {
        let away = || Refusal::Unreachable { servers: "a:9092".to_owned(), reason: "timed out".to_owned() };
        let missing = Refusal::TopicMissing { topic: "t".to_owned(), key: "" };
        let timed_out = KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut);
        let no_partition = ScanError::NoPartition { topic: "t".to_owned(), partition: 7, last: 2 };
        let cases = [
            (away().into(), StatusCode::BAD_GATEWAY),
            (ScanError::Refused(away()).into(), StatusCode::BAD_GATEWAY),
            (ScanError::Refused(missing).into(), StatusCode::BAD_GATEWAY),
            (anyhow::Error::from(timed_out).context("the topics cannot be listed"), StatusCode::BAD_GATEWAY),
            (no_partition.into(), StatusCode::NOT_FOUND),
            (anyhow::anyhow!("there is no letter 0:7"), StatusCode::NOT_FOUND),
        ];
        for (error, expected) in cases {
            assert_eq!(status(&error), expected, "{error:#}");
        }
    }

    #[test]
    fn an_address_is_one_page_or_none() {
        let place = |topic: Option<&str>| Written { topic: topic.map(str::to_owned), partition: 3, offset: 1234 };
        assert_eq!(Wanted::of("/"), Some(Wanted::Overview));
        assert_eq!(Wanted::of("/letters"), Some(Wanted::List));
        assert_eq!(Wanted::of("/letters/3:1234"), Some(Wanted::Letter { place: place(None), part: Part::Page }));
        let with_topic = Wanted::Letter { place: place(Some("a.dlq")), part: Part::Page };
        assert_eq!(Wanted::of("/letters/a.dlq/3:1234"), Some(with_topic));
        assert_eq!(Wanted::of("/letters/3:1234/value"), Some(Wanted::Letter { place: place(None), part: Part::Value }));
        let older = Wanted::Letter { place: place(Some("a.dlq")), part: Part::Neighbour(Side::Older) };
        assert_eq!(Wanted::of("/letters/a.dlq/3:1234/older"), Some(older));
        for path in [
            "",
            "*",
            "//",
            "/letters/",
            "/letters/3",
            "/letters/3:1234/",
            "/letters/3:1234/key",
            "/letters/older",
            "/../etc",
            "/Letters",
        ] {
            assert_eq!(Wanted::of(path), None, "{path}");
        }
    }
}
