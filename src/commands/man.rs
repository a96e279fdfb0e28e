//! `man`: the manual page, every command included, in roff.

use std::io::Write;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::Exit;
use crate::cli::Cli;
use crate::terminal::Stdout;

/// What the command line does not know of itself.
const SURROUNDINGS: &str = r#".SH FILES
.TP
\fI/etc/messagetrace\-ecs/config.toml\fR
The configuration in our image and chart. Nothing is read by itself: files are named by \fB\-\-config\fR, or by
\fBMESSAGETRACE_ECS_CONFIG\fR. Their settings stand in docs/configuration.md, and \fBmessagetrace\-ecs config\fR prints them.
.SH ENVIRONMENT
.TP
\fBMESSAGETRACE_ECS_CONFIG\fR
Configuration files with commas between them, read where no \fB\-\-config\fR is given.
.TP
\fBMESSAGETRACE_ECS_\fIKEY\fR
A setting, over the files: its key in capitals with two underscores for each dot, as in
\fBMESSAGETRACE_ECS_KAFKA__BOOTSTRAP_SERVERS\fR=a:9092,b:9092.
.TP
\fBNO_COLOR\fR
When set, nothing is coloured.
.TP
\fBHTTPS_PROXY\fR, \fBHTTP_PROXY\fR, \fBALL_PROXY\fR, \fBNO_PROXY\fR
The way to the token endpoint of \fBkafka.sasl.oidc.token_url\fR.
.SH EXIT STATUS
.TP
\fB0\fR
Done: also a graceful stop, a finished \fBrun \-\-until\-end\fR, a clean \fBaudit\fR, a passed \fBcheck\fR, a service that is
ready.
.TP
\fB1\fR
Failed: trouble with brokers or files, a service that is not ready or was refused at start, findings of
\fBcheck \-\-connect\fR.
.TP
\fB2\fR
Wrong usage or configuration.
.TP
\fB3\fR
Done, with findings: rejections of \fBnormalize\fR, records that \fBaudit\fR misses, letters that \fBdlq replay\fR skipped.
.TP
\fB130\fR, \fB143\fR
A second SIGINT or SIGTERM: ended at once.
"#;

pub fn run() -> anyhow::Result<Exit> {
    let mut out = Stdout::lock();
    out.write_all(&page()?)?;
    out.flush()?;
    Ok(Exit::Done)
}

fn page() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    of_each(&command, "", &mut page)?;
    page.extend_from_slice(SURROUNDINGS.as_bytes());
    let examples = rendered(|section| man.render_extra_section(section))?;
    page.extend_from_slice(examples.replace(".SH EXTRA", ".SH EXAMPLES").as_bytes());
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// The commands below this one, and theirs.
fn of_each(command: &Command, above: &str, page: &mut Vec<u8>) -> std::io::Result<()> {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let name = format!("{above}{}", command.get_name());
        writeln!(page, ".SS \"{name}\"")?;
        let man = Man::new(command.clone());
        for section in [
            section(|section| man.render_synopsis_section(section))?,
            section(|section| man.render_description_section(section))?,
            section(|section| man.render_options_section(section))?,
            section(|section| man.render_extra_section(section))?,
        ] {
            page.extend_from_slice(section.as_bytes());
        }
        of_each(command, &format!("{name} "), page)?;
    }
    Ok(())
}

/// A section of a page of its own as a paragraph of this one.
fn section(render: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<String> {
    let text = rendered(render)?;
    let lines = text.lines().map(|line| if line.starts_with(".SH ") { ".PP" } else { line });
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

fn rendered(render: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<String> {
    let mut text = Vec::new();
    render(&mut text)?;
    String::from_utf8(text).map_err(std::io::Error::other)
}
