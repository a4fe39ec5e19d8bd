//! Questions at the terminal, each with the option that answers it beforehand. Nobody is asked who is not there.

use std::io::{self, BufRead, IsTerminal as _, Write};

use crate::exit::UsageError;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// Somebody to ask, or nobody.
pub(super) enum Person<'a> {
    /// Answers come from here, questions go there.
    There(&'a mut dyn BufRead, &'a mut dyn Write),
    /// What was not given is missing.
    Absent,
}

/// Whether somebody sits at both ends.
pub(super) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// Its words.
    pub(super) words: &'a str,
    /// What counts when nothing is answered.
    pub(super) default: Option<&'a str>,
    /// The option that answers it, with its value.
    pub(super) option: &'a str,
}

impl Person<'_> {
    /// The answer; `check` says what is wrong with one, and then it is asked again.
    ///
    /// # Errors
    /// Nobody is there, or they went away: names the option.
    pub(super) fn ask<T>(
        &mut self,
        question: Question<'_>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let Person::There(answers, questions) = self else {
            return Err(missing(question));
        };
        loop {
            match question.default {
                Some(default) => write!(questions, "{} [{default}]: ", question.words)?,
                None => write!(questions, "{}: ", question.words)?,
            }
            questions.flush()?;
            let mut line = String::new();
            let mut limited = io::Read::take(&mut **answers, ANSWER_BYTES_MAX);
            if limited.read_line(&mut line)? == 0 {
                return Err(missing(question));
            }
            let answer = match (line.trim(), question.default) {
                ("", Some(default)) => default,
                (answer, _) => answer,
            };
            match check(answer) {
                Ok(answer) => return Ok(answer),
                Err(wrong) => writeln!(questions, "  {wrong}")?,
            }
        }
    }
}

fn missing(question: Question<'_>) -> anyhow::Error {
    let Question { words, option, .. } = question;
    UsageError(format!("{option} is missing: {}", words.to_lowercase())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question<'_> = Question {
        words: "A number",
        default: Some("7"),
        option: "--number N",
    };

    fn number(answer: &str) -> Result<u8, String> {
        answer.parse().map_err(|_| "no number".to_owned())
    }

    #[test]
    fn an_answer_is_asked_for_until_it_is_one() {
        let mut said = Vec::new();
        let mut person = Person::There(&mut &b"x\n 12 \n\n"[..], &mut said);
        assert_eq!(person.ask(QUESTION, number).unwrap(), 12);
        assert_eq!(person.ask(QUESTION, number).unwrap(), 7);
        let error = person.ask(QUESTION, number).unwrap_err().to_string();
        assert_eq!(error, "--number N is missing: a number");
        let said = String::from_utf8(said).unwrap();
        let asked = "A number [7]: ";
        assert_eq!(said, format!("{asked}  no number\n{asked}{asked}{asked}"));
    }

    #[test]
    fn nobody_is_not_asked() {
        let error = Person::Absent.ask(QUESTION, number).unwrap_err();
        assert!(error.is::<UsageError>());
    }
}
