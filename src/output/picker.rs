//! Choosing virtual machines from a list on the terminal, with a filter that narrows while typing.

use inquire::{InquireError, MultiSelect};

use super::escape;
use crate::model::failure::{Failure, FailureKind};

/// SIGINT's number, for the exit code of a choice broken off.
const INTERRUPT: u8 = 2;

/// Lets the user choose among lines and returns the places of the chosen ones, in order. None chosen is a valid answer.
///
/// # Errors
/// The terminal cannot be used, or the user broke off.
pub fn pick(message: &str, lines: &[String]) -> Result<Vec<usize>, Failure> {
    let options = lines.iter().map(|line| escape::terminal(line).into_owned()).collect();
    MultiSelect::new(message, options)
        .with_page_size(15)
        .with_help_message("space to mark, right for all, left for none, type to filter, enter when done")
        .raw_prompt()
        .map(|chosen| {
            let mut places: Vec<usize> = chosen.into_iter().map(|option| option.index).collect();
            places.sort_unstable();
            places
        })
        .map_err(|error| refused(&error))
}

fn refused(error: &InquireError) -> Failure {
    match error {
        InquireError::OperationInterrupted => Failure::new(FailureKind::Interrupted(INTERRUPT), "interrupted; nothing was chosen"),
        InquireError::OperationCanceled => Failure::error("nothing was chosen"),
        InquireError::NotTTY => Failure::error("there is no terminal to choose on").hint("name the virtual machines, or say --all or -l"),
        other => Failure::error(format!("cannot choose on this terminal: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaking_off_chooses_nothing() {
        assert_eq!(refused(&InquireError::OperationInterrupted).kind, FailureKind::Interrupted(2));
        assert_eq!(refused(&InquireError::OperationCanceled).message, "nothing was chosen");
        assert_eq!(refused(&InquireError::NotTTY).hints, ["name the virtual machines, or say --all or -l"]);
    }
}
