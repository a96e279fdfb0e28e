//! What a command that failed says: one line for each thing that was wrong.

use crate::kafka::admin::refusal::Refusals;
use crate::kafka::scan::ScanError;
use crate::pipeline::StartError;
use crate::text::one_line;

/// The problems in an error, each one line whatever the libraries beneath put into it.
pub fn problems(error: &anyhow::Error) -> Vec<String> {
    if let Some(error) = error.downcast_ref::<ScanError>() {
        // Names its causes itself.
        return vec![one_line(&error.to_string())];
    }
    if let Some(Refusals(refusals)) = error.downcast_ref() {
        return refusals.iter().map(|refusal| one_line(&refusal.to_string())).collect();
    }
    match error.downcast_ref::<StartError>() {
        Some(StartError::Refused(refusals)) => refusals.iter().map(|refusal| one_line(&refusal.to_string())).collect(),
        _ => vec![one_line(&format!("{error:#}"))],
    }
}

/// What is wrong with a call, on one line: clap says it on several, for people.
pub fn misuse(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let is_said = |part: &&str| !part.starts_with("Usage: ") && !part.starts_with("For more information");
    let parts: Vec<String> = text.split("\n\n").filter(is_said).map(one_line).collect();
    format!("{} (see messagetrace-ecs run --help)", parts.join("; ").trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::kafka::admin::refusal::Refusal;

    #[test]
    fn each_refusal_is_a_line() {
        let missing = |topic: &str| Refusal::TopicMissing { topic: topic.to_owned(), key: "input.topics" };
        let error = StartError::Refused(vec![missing("a"), missing("b")]).into();
        let told = problems(&error);
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("topic a ") && told[1].starts_with("topic b "), "{told:?}");
    }

    #[test]
    fn any_other_error_is_one_line_with_its_causes() {
        let error = anyhow!("permission\n  denied").context("open the file");
        assert_eq!(problems(&error), ["open the file: permission denied"]);
    }

    #[test]
    fn what_others_put_into_an_error_is_shown_escaped_and_cut() {
        let hostile = format!("\u{1b}[2Jgone{}", "x".repeat(1 << 20));
        let told = problems(&anyhow!(hostile));
        assert!(told[0].starts_with(r"\u{1b}[2Jgonexxx") && told[0].len() < 3_000, "{}", told[0].len());
    }
}
