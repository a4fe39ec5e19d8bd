//! From tokens to the tree: recursive descent over what Windows takes of XPath 1.0
//! (MS-EVEN6 2.2.15; Windows Event Log, "Consuming Events"), with what real queries use
//! beyond the documents: conditions joined outside the brackets, `OR` and `AND` in capitals.
//!
//! ```text
//! or        = and { "or" and }
//! and       = relation { "and" relation }
//! relation  = operand [ operator operand ]
//! operand   = "(" or ")" | string | number | function "(" … ")" | path
//! path      = step { "/" step }
//! step      = ( name | "*" | "@" name | "@" "*" | "text" "(" ")" ) { "[" or "]" }
//! ```

use std::ops::Range;

use jiff::Timestamp;

use super::ast::{Condition, Literal, NodeTest, Operator, Path, Step, Subject, TimeLiteral};
use super::error::{Fault, XPathError, excerpt};
use super::lexer::{Lexeme, Lexer, Token};
use super::number::Number;
use super::time;
use crate::limits::{
    XPATH_BYTES_MAX, XPATH_DEPTH_MAX, XPATH_PREDICATES_MAX, XPATH_STEPS_MAX, XPATH_TERMS_MAX,
};

/// An expression as it was read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) condition: Condition,
    /// Of how many conditions it is made.
    pub(super) terms: usize,
    /// Where the first operator in capitals stands.
    pub(super) capitals: Option<Range<usize>>,
}

/// Reads a whole expression.
pub(super) fn parse(text: &str) -> Result<Parsed, XPathError> {
    if text.len() > XPATH_BYTES_MAX {
        return Err(Fault::TooLong.at(0..text.len()));
    }
    if text.trim_ascii().is_empty() {
        return Err(Fault::Empty.at(0..text.len()));
    }
    let mut lexer = Lexer::new(text);
    let next = lexer.next()?;
    let mut parser = Parser {
        text,
        lexer,
        next,
        end_of_last: 0,
        depth: 0,
        terms: 0,
        capitals: None,
    };
    let start = parser.next.at.start;
    let operand = parser.or()?;
    match parser.next.token {
        Token::End => Ok(Parsed {
            condition: parser.condition(operand, start)?,
            terms: parser.terms,
            capitals: parser.capitals,
        }),
        _ => Err(parser.unexpected("`and`, `or` or the end of the query")),
    }
}

/// What stands on one side of a comparison, or alone.
enum Operand {
    Condition(Condition),
    Subject(Subject),
    Literal(Literal),
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    next: Lexeme<'a>,
    end_of_last: usize,
    depth: usize,
    terms: usize,
    capitals: Option<Range<usize>>,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Result<Operand, XPathError> {
        let mut start = self.next.at.start;
        let mut operand = self.and()?;
        if !self.is_word("or") {
            return Ok(operand);
        }
        let mut parts = Vec::new();
        loop {
            match self.condition(operand, start)? {
                Condition::Or(inner) => parts.extend(inner),
                part => parts.push(part),
            }
            if !self.is_word("or") {
                return Ok(Operand::Condition(Condition::Or(parts)));
            }
            self.advance_word()?;
            start = self.next.at.start;
            operand = self.and()?;
        }
    }

    fn and(&mut self) -> Result<Operand, XPathError> {
        let mut start = self.next.at.start;
        let mut operand = self.relation()?;
        if !self.is_word("and") {
            return Ok(operand);
        }
        let mut parts = Vec::new();
        loop {
            match self.condition(operand, start)? {
                Condition::And(inner) => parts.extend(inner),
                part => parts.push(part),
            }
            if !self.is_word("and") {
                return Ok(Operand::Condition(Condition::And(parts)));
            }
            self.advance_word()?;
            start = self.next.at.start;
            operand = self.relation()?;
        }
    }

    /// What stands where something has to hold: a path for "there is one".
    fn condition(&mut self, operand: Operand, start: usize) -> Result<Condition, XPathError> {
        match operand {
            Operand::Condition(condition) => Ok(condition),
            Operand::Subject(Subject::Path(path)) => Ok(Condition::Exists(path)),
            Operand::Subject(_) | Operand::Literal(_) => {
                Err(Fault::NoCondition.at(start..self.end_of_last))
            }
        }
    }

    fn relation(&mut self) -> Result<Operand, XPathError> {
        let start = self.next.at.start;
        let left = self.operand()?;
        let Some(operator) = self.take_operator()? else {
            return Ok(left);
        };
        self.count_term(start)?;
        let right = self.operand()?;
        let at = start..self.end_of_last;
        if self.take_operator()?.is_some() {
            return Err(Fault::ComparedCondition.at(at));
        }
        let compared = match (left, right) {
            (Operand::Subject(subject), Operand::Literal(literal)) => {
                Condition::Compare(subject, operator, literal)
            }
            (Operand::Literal(literal), Operand::Subject(subject)) => {
                Condition::Compare(subject, operator.turned(), literal)
            }
            (Operand::Condition(_), _) | (_, Operand::Condition(_)) => {
                return Err(Fault::ComparedCondition.at(at));
            }
            (Operand::Subject(_), Operand::Subject(_)) => return Err(Fault::TwoPaths.at(at)),
            (Operand::Literal(_), Operand::Literal(_)) => return Err(Fault::TwoLiterals.at(at)),
        };
        Ok(Operand::Condition(compared))
    }

    fn operand(&mut self) -> Result<Operand, XPathError> {
        match self.next.token {
            Token::Sign("(") => {
                self.deeper()?;
                self.advance()?;
                let operand = self.or()?;
                self.depth -= 1;
                self.expect(")", "`)`, `and` or `or`")?;
                Ok(operand)
            }
            Token::String(_) | Token::Number(_) | Token::Sign("-") => {
                Ok(Operand::Literal(self.literal()?))
            }
            Token::Name(name) => {
                let lexeme = self.advance()?;
                if self.next.token == Token::Sign("(") && name != "text" {
                    return self.function(name, lexeme.at);
                }
                self.path_from(lexeme)
            }
            _ => {
                let lexeme = self.advance()?;
                self.path_from(lexeme)
            }
        }
    }

    fn path_from(&mut self, first: Lexeme<'a>) -> Result<Operand, XPathError> {
        Ok(Operand::Subject(Subject::Path(self.path(first)?)))
    }

    fn literal(&mut self) -> Result<Literal, XPathError> {
        let lexeme = self.advance()?;
        match lexeme.token {
            Token::String(text) => Ok(Literal::String(text.to_owned())),
            Token::Number(number) => Ok(Literal::Number(number)),
            _ => match self.advance()?.token {
                Token::Number(number) => Ok(Literal::Number(number.negated())),
                _ => Err(Fault::Arithmetic.at(lexeme.at)),
            },
        }
    }

    /// The arguments of a function whose name was just read.
    fn function(&mut self, name: &str, at: Range<usize>) -> Result<Operand, XPathError> {
        let known = ["band", "position", "timediff"];
        let Some(known) = known
            .into_iter()
            .find(|known| name.eq_ignore_ascii_case(known))
        else {
            let (name, instead) = (excerpt(name), instead_of(name));
            return Err(Fault::Function { name, instead }.at(at));
        };
        self.advance()?;
        let mut arguments = Vec::new();
        while self.next.token != Token::Sign(")") {
            if !arguments.is_empty() {
                self.expect(",", "`,` or `)`")?;
            }
            if arguments.len() == 2 {
                break;
            }
            arguments.push(self.operand()?);
        }
        let at = at.start..self.next.at.end;
        self.expect(")", "`)`")?;
        let mut arguments = arguments.into_iter();
        let arguments = (arguments.next(), arguments.next());
        match known {
            "band" => {
                self.count_term(at.start)?;
                Ok(Operand::Condition(band(arguments, at)?))
            }
            "timediff" => Ok(Operand::Subject(timediff(arguments, at)?)),
            _ if arguments.0.is_some() => {
                Err(Fault::Arguments("position() without anything in it").at(at))
            }
            _ => Ok(Operand::Subject(Subject::Position)),
        }
    }

    fn path(&mut self, first: Lexeme<'a>) -> Result<Path, XPathError> {
        let start = first.at.start;
        let mut steps = vec![self.step(first)?];
        while self.next.token == Token::Sign("/") {
            self.advance()?;
            if is_leaf(&steps) {
                return Err(Fault::AfterLeaf.at(self.next.at.clone()));
            }
            if steps.len() == XPATH_STEPS_MAX {
                return Err(Fault::TooManySteps.at(self.next.at.clone()));
            }
            let lexeme = self.advance()?;
            steps.push(self.step(lexeme)?);
        }
        self.refuse_what_follows()?;
        let at = start..self.end_of_last;
        Ok(Path { steps, at })
    }

    fn step(&mut self, first: Lexeme<'a>) -> Result<Step, XPathError> {
        let test = match first.token {
            Token::Name("text") if self.next.token == Token::Sign("(") => {
                self.advance()?;
                self.expect(")", "`)`")?;
                NodeTest::Text
            }
            Token::Name(name) if self.next.token == Token::Sign("::") => {
                self.advance()?;
                let lexeme = self.advance()?;
                match (name, lexeme.token) {
                    ("child", Token::Name(_) | Token::Sign("*")) => return self.step(lexeme),
                    ("attribute", _) => self.attribute(lexeme)?,
                    _ => {
                        return Err(Fault::Axis {
                            name: excerpt(name),
                        }
                        .at(first.at));
                    }
                }
            }
            Token::Name(name) => NodeTest::Child(name.to_owned()),
            Token::Sign("*") => NodeTest::AnyChild,
            Token::Sign("@") => {
                let lexeme = self.advance()?;
                self.attribute(lexeme)?
            }
            token => return Err(refused(token, first.at, self.text)),
        };
        let mut predicates = Vec::new();
        while self.next.token == Token::Sign("[") {
            if !matches!(test, NodeTest::Child(_) | NodeTest::AnyChild) {
                return Err(Fault::AfterLeaf.at(self.next.at.clone()));
            }
            if predicates.len() == XPATH_PREDICATES_MAX {
                return Err(Fault::TooManyPredicates.at(self.next.at.clone()));
            }
            predicates.push(self.predicate()?);
        }
        Ok(Step { test, predicates })
    }

    fn attribute(&mut self, lexeme: Lexeme<'a>) -> Result<NodeTest, XPathError> {
        match lexeme.token {
            Token::Name(name) => Ok(NodeTest::Attribute(name.to_owned())),
            Token::Sign("*") => Ok(NodeTest::AnyAttribute),
            _ => Err(self.unexpected_lexeme(&lexeme, "the name of an attribute")),
        }
    }

    /// A number alone in a predicate is a position (XPath 1.0, 2.4).
    fn predicate(&mut self) -> Result<Condition, XPathError> {
        self.deeper()?;
        self.advance()?;
        let start = self.next.at.start;
        let condition = match self.or()? {
            Operand::Literal(literal @ Literal::Number(_)) => {
                self.count_term(start)?;
                Condition::Compare(Subject::Position, Operator::Equal, literal)
            }
            operand => self.condition(operand, start)?,
        };
        self.depth -= 1;
        self.expect("]", "`]`, `and` or `or`")?;
        Ok(condition)
    }

    /// What XPath has behind a path and event queries have not.
    fn refuse_what_follows(&self) -> Result<(), XPathError> {
        let fault = match self.next.token {
            Token::Sign("//") => Fault::Descendant,
            Token::Sign("|") => Fault::Union,
            Token::Sign(":") => Fault::Namespace,
            Token::Sign("+" | "-" | "*") | Token::Name("div" | "mod") => Fault::Arithmetic,
            _ => return Ok(()),
        };
        Err(fault.at(self.next.at.clone()))
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.next.token, Token::Name(name) if name.eq_ignore_ascii_case(word))
    }

    /// Goes behind `and` or `or`.
    fn advance_word(&mut self) -> Result<(), XPathError> {
        if !matches!(self.next.token, Token::Name("and" | "or")) {
            self.capitals.get_or_insert(self.next.at.clone());
        }
        self.advance().map(drop)
    }

    fn take_operator(&mut self) -> Result<Option<Operator>, XPathError> {
        let operator = match self.next.token {
            Token::Sign("=") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::LessOrEqual,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::GreaterOrEqual,
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(operator))
    }

    fn advance(&mut self) -> Result<Lexeme<'a>, XPathError> {
        let following = self.lexer.next()?;
        self.end_of_last = self.next.at.end;
        Ok(std::mem::replace(&mut self.next, following))
    }

    fn expect(&mut self, sign: &'static str, expected: &'static str) -> Result<(), XPathError> {
        if self.next.token != Token::Sign(sign) {
            return Err(self.unexpected(expected));
        }
        self.advance()?;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), XPathError> {
        self.depth += 1;
        if self.depth > XPATH_DEPTH_MAX {
            return Err(Fault::TooDeep.at(self.next.at.clone()));
        }
        Ok(())
    }

    fn count_term(&mut self, start: usize) -> Result<(), XPathError> {
        self.terms += 1;
        if self.terms > XPATH_TERMS_MAX {
            return Err(Fault::TooManyTerms.at(start..self.end_of_last));
        }
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> XPathError {
        self.unexpected_lexeme(&self.next, expected)
    }

    fn unexpected_lexeme(&self, lexeme: &Lexeme<'_>, expected: &'static str) -> XPathError {
        unexpected(lexeme.token, lexeme.at.clone(), self.text, expected)
    }
}

fn unexpected(
    token: Token<'_>,
    at: Range<usize>,
    text: &str,
    expected: &'static str,
) -> XPathError {
    if token == Token::End {
        return Fault::UnexpectedEnd { expected }.at(at);
    }
    let found = excerpt(&text[at.clone()]);
    Fault::Unexpected { found, expected }.at(at)
}

/// What XPath lets begin a step and event queries do not.
fn refused(token: Token<'_>, at: Range<usize>, text: &str) -> XPathError {
    let fault = match token {
        Token::Sign("/") => Fault::Absolute,
        Token::Sign("//") => Fault::Descendant,
        Token::Sign("[") => Fault::LonePredicate,
        Token::Sign(".") => Fault::SelfStep,
        Token::Sign("..") => Fault::ParentStep,
        Token::Sign("$") => Fault::Variable,
        Token::Sign("+") => Fault::Arithmetic,
        _ => return unexpected(token, at, text, "a path, a string or a number"),
    };
    fault.at(at)
}

fn instead_of(function: &str) -> &'static str {
    match function {
        "not" => "write != instead of =, or put it into a <Suppress>",
        "contains" | "starts-with" | "substring" => "values are compared whole, with = and !=",
        "last" => "positions are counted from the front, as in Data[1]",
        _ => "there are position(), band() and timediff()",
    }
}

fn is_leaf(steps: &[Step]) -> bool {
    let leaf = |step: &Step| !matches!(step.test, NodeTest::Child(_) | NodeTest::AnyChild);
    steps.last().is_some_and(leaf)
}

type Arguments = (Option<Operand>, Option<Operand>);

/// `band(path, mask)`, in either order; the mask as a number or as a string, as MS-EVEN6
/// 2.2.15.2 has it.
fn band(arguments: Arguments, at: Range<usize>) -> Result<Condition, XPathError> {
    const FORM: Fault = Fault::Arguments("band(Keywords, 0x10000000000000): a path and a mask");
    let (path, mask) = match arguments {
        (Some(Operand::Subject(Subject::Path(path))), Some(Operand::Literal(mask)))
        | (Some(Operand::Literal(mask)), Some(Operand::Subject(Subject::Path(path)))) => {
            (path, mask)
        }
        _ => return Err(FORM.at(at)),
    };
    let mask = match mask {
        Literal::Number(number) => number.as_bits(),
        Literal::String(text) => Number::read(&text).and_then(Number::as_bits),
    };
    mask.map(|mask| Condition::Band(path, mask))
        .ok_or_else(|| FORM.at(at))
}

fn timediff(arguments: Arguments, at: Range<usize>) -> Result<Subject, XPathError> {
    let time = |literal: Literal| -> Result<TimeLiteral, XPathError> {
        let time: Option<Timestamp> = time::literal(&literal);
        let time = time.ok_or_else(|| Fault::NotATime.at(at.clone()))?;
        Ok(TimeLiteral { literal, time })
    };
    match arguments {
        (Some(Operand::Subject(Subject::Path(path))), None) => Ok(Subject::Age(path)),
        (Some(Operand::Subject(Subject::Path(path))), Some(Operand::Literal(literal))) => {
            Ok(Subject::Until(path, time(literal)?))
        }
        (Some(Operand::Literal(literal)), Some(Operand::Subject(Subject::Path(path)))) => {
            Ok(Subject::Since(time(literal)?, path))
        }
        _ => Err(Fault::Arguments("timediff(@SystemTime), or a path and a time").at(at)),
    }
}
