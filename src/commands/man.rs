//! `man`: the manual page, commands included, in roff.

use std::io::Write;

use clap::CommandFactory;

use super::Exit;
use crate::cli::Cli;
use crate::terminal::Stdout;

pub fn run() -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    let mut out = Stdout::lock();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        let page = clap_mangen::Man::new(subcommand.clone());
        page.render_name_section(&mut out)?;
        page.render_synopsis_section(&mut out)?;
        page.render_description_section(&mut out)?;
        page.render_options_section(&mut out)?;
        page.render_extra_section(&mut out)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}
