//! What a query's text must be before anything is made of it: one statement, not too long, not too deep.
//!
//! Parser, planner and the plan's own destructors recurse over an expression, and a stack that
//! overflows takes the whole service with it.

use std::future::Future;
use std::io;
use std::thread;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::QueryError;
use crate::limits::{PLAN_STACK_BYTES, SQL_BYTES, SQL_OPERATORS};

const ONE_STATEMENT: &str = "write one SELECT, EXPLAIN, SHOW or DESCRIBE";

/// Refuses text that is too long, could nest too deep or is not one statement, whatever it means. The error is for
/// the asker.
pub(super) fn check(sql: &str) -> Result<(), String> {
    if sql.len() > SQL_BYTES {
        return Err(format!(
            "the query is longer than {SQL_BYTES} bytes; shorten it"
        ));
    }
    // What is no SQL at all is refused by the parser, in its words.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else {
        return Ok(());
    };
    match statements(&tokens) {
        0 => return Err(format!("the query is empty; {ONE_STATEMENT}")),
        1 => {}
        count => {
            return Err(format!(
                "the query is {count} statements; ask them one at a time"
            ));
        }
    }
    let operators = tokens.iter().filter(|token| may_nest(token)).count();
    if operators > SQL_OPERATORS {
        return Err(format!(
            "the query has {operators} operators and brackets, more than {SQL_OPERATORS}; \
             write long chains of OR as IN (…)"
        ));
    }
    Ok(())
}

/// What stands between semicolons and is more than blanks and comments.
fn statements(tokens: &[Token]) -> usize {
    let says = |token: &Token| !matches!(token, Token::Whitespace(_) | Token::EOF);
    tokens
        .split(|token| *token == Token::SemiColon)
        .filter(|statement| statement.iter().any(says))
        .count()
}

/// Everything but names, values, commas and the words that only join them: lists may be long, chains not.
fn may_nest(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::BETWEEN
                | Keyword::CASE
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::JOIN
                | Keyword::SELECT
                | Keyword::WITH
                | Keyword::COLLATE
                | Keyword::AT
        ),
        Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::EOF => false,
        Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_) => false,
        // A call or a list closes what it opens; the opening one counts.
        Token::RParen | Token::RBracket | Token::RBrace => false,
        _ => true,
    }
}

/// Runs a future on a thread of its own, with a stack deep enough for what [`check`] lets through.
pub(super) async fn on_deep_stack<T>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, QueryError>
where
    T: Send + 'static,
{
    let runtime = Handle::current();
    let (mut done, result) = oneshot::channel();
    thread::Builder::new()
        .name("plan".to_owned())
        .stack_size(PLAN_STACK_BYTES)
        .spawn(move || {
            runtime.block_on(async {
                let answer = tokio::select! {
                    answer = work => answer,
                    // Whoever asked has waited long enough.
                    () = done.closed() => return,
                };
                let _ = done.send(answer);
            });
        })?;
    let died = |_| QueryError::Write(io::Error::other("the thread that plans the query died"));
    result.await.map_err(died)
}
