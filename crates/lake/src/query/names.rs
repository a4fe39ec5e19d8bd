//! Names of an answer's columns, as the query writes them.
//!
//! The engine names a column that is an expression after its own plan (`events.event_data[LogonType]`,
//! `count(Int64(1))`), which changes with its versions and cannot be guessed.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Expr, SelectItem, SetExpr};

/// What the SELECT that names the columns writes for each; none where one item may be several columns.
pub(super) fn written(statement: &Statement) -> Vec<Item> {
    let Statement::Statement(statement) = statement else {
        return Vec::new();
    };
    let ast::Statement::Query(query) = statement.as_ref() else {
        return Vec::new();
    };
    let mut body = query.body.as_ref();
    loop {
        body = match body {
            SetExpr::Select(select) => return select.projection.iter().map(item).collect(),
            SetExpr::Query(inner) => inner.body.as_ref(),
            SetExpr::SetOperation { left, .. } => left.as_ref(),
            _ => return Vec::new(),
        };
    }
}

/// What a SELECT's list has in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A column that has a name.
    Named,
    /// A column of this name, unless the engine gives it this other one: then it is a column by its own name.
    Column { own: String, text: String },
    /// An expression.
    Text(String),
    /// As many columns as there are; the text where it may be one.
    Several(Option<String>),
}

fn item(item: &SelectItem) -> Item {
    let SelectItem::UnnamedExpr(expr) = item else {
        return match item {
            SelectItem::ExprWithAlias { .. } => Item::Named,
            _ => Item::Several(None),
        };
    };
    let text = expr.to_string();
    match inside(expr) {
        Expr::Identifier(name) => Item::Column {
            own: name.value.clone(),
            text,
        },
        Expr::CompoundIdentifier(names) => Item::Column {
            own: names
                .last()
                .map_or_else(String::new, |name| name.value.clone()),
            text,
        },
        // Of a struct it makes a column for each field.
        Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("unnest") => {
            Item::Several(Some(text))
        }
        _ => Item::Text(text),
    }
}

/// Without the brackets around it.
fn inside(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// The columns with these names, as far as it is certain which is which.
pub(super) fn named(schema: &SchemaRef, items: &[Item]) -> SchemaRef {
    let several = |item: &Item| matches!(item, Item::Several(_));
    let columns = schema.fields().len();
    let is_each_one = items.len() == columns && !items.contains(&Item::Several(None));
    let (ahead, behind) = match items.iter().position(several) {
        _ if is_each_one => (items, &items[..0]),
        None => return Arc::clone(schema),
        Some(first) => {
            let last = items.iter().rposition(several).unwrap_or(first);
            (&items[..first], &items[last + 1..])
        }
    };
    if ahead.len() + behind.len() > columns {
        return Arc::clone(schema);
    }
    let item_of = |column: usize| {
        let from_behind = (column + behind.len()).checked_sub(columns);
        ahead
            .get(column)
            .or(from_behind.and_then(|at| behind.get(at)))
    };
    let fields = schema.fields().iter().enumerate().map(|(column, field)| {
        let text = match item_of(column) {
            Some(Item::Text(text) | Item::Several(Some(text))) => text,
            Some(Item::Column { own, text }) if !own.eq_ignore_ascii_case(field.name()) => text,
            _ => return Arc::clone(field),
        };
        Arc::new(field.as_ref().clone().with_name(text))
    });
    let fields: Vec<_> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}
