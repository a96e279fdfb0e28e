//! Standard error for commands.

use std::io::Write;

/// One line. A closed standard error is no reason to fail.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
