//! Python's expressions (The Python Language Reference, 6.17).

use std::rc::Rc;

use super::params;
use crate::detectors::webshell::parser::Parser;
use crate::detectors::webshell::syntax::{Id, NodeKind, Step, Token};

const ASSIGNMENTS: [&str; 13] =
    ["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "**=", "//=", ">>=", "<<="];

/// How tight an operator binds, and how many tokens it has.
fn binding(parser: &Parser) -> Option<(&'static str, u8, usize)> {
    Some(match parser.token(0)? {
        Token::Sign(sign) => {
            let power = match *sign {
                "==" | "!=" | "<" | ">" | "<=" | ">=" => 5,
                "|" => 6,
                "^" => 7,
                "&" => 8,
                "<<" | ">>" => 9,
                "+" | "-" => 10,
                "*" | "/" | "//" | "%" | "@" => 11,
                "**" => 13,
                _ => return None,
            };
            (*sign, power, 1)
        }
        Token::Name(name) => match &**name {
            "or" => ("||", 2, 1),
            "and" => ("&&", 3, 1),
            "in" => ("in", 5, 1),
            "not" if parser.is_word(1, "in") => ("not in", 5, 2),
            "is" if parser.is_word(1, "not") => ("is", 5, 2),
            "is" => ("is", 5, 1),
            _ => return None,
        },
        _ => return None,
    })
}

/// Reads an expression of operators that bind at least so tight.
pub(super) fn read(parser: &mut Parser, least: u8) -> Id {
    parser.deeper(|parser| operators(parser, least), |parser| parser.node(NodeKind::Unknown))
}

fn operators(parser: &mut Parser, least: u8) -> Id {
    let mut left = prefixed(parser);
    loop {
        let line = parser.line();
        if least <= 1 && parser.is_word(0, "if") {
            // `a if b else c`.
            parser.at += 1;
            let condition = read(parser, 2);
            parser.take_word("else");
            let no = read(parser, 1);
            left = parser.node_at(line, NodeKind::Choice { condition, yes: Some(left), no });
            continue;
        }
        if parser.sign(0) == ":=" {
            parser.at += 1;
            let value = read(parser, 1);
            left = parser.node_at(line, NodeKind::Assign { sign: "", target: left, value });
            continue;
        }
        let Some((sign, power, length)) = binding(parser) else { return left };
        if power < least {
            return left;
        }
        parser.at += length;
        let right = read(parser, power + 1);
        left = parser.node_at(line, NodeKind::Binary { sign, left, right });
    }
}

/// Signs before an operand: read one after the other, so that many cost no depth.
fn prefixed(parser: &mut Parser) -> Id {
    let mut before: Vec<(u32, &'static str)> = Vec::new();
    loop {
        let line = parser.line();
        match parser.sign(0) {
            sign @ ("-" | "~" | "+") => before.push((line, sign)),
            "*" => before.push((line, "...")),
            "**" => {}
            _ if parser.is_word(0, "not") => before.push((line, "!")),
            _ if parser.is_word(0, "await") => {}
            _ => break,
        }
        parser.at += 1;
    }
    let mut value = operand(parser);
    while let Some((line, sign)) = before.pop() {
        if sign != "+" {
            value = parser.node_at(line, NodeKind::Unary { sign, operand: value });
        }
    }
    value
}

fn operand(parser: &mut Parser) -> Id {
    let mut value = primary(parser);
    loop {
        let line = parser.line();
        value = match parser.sign(0) {
            "(" => {
                let args = arguments(parser);
                parser.node_at(line, NodeKind::Call { callee: value, args: args.into() })
            }
            "[" => index(parser, value, line),
            "." => {
                parser.at += 1;
                match parser.take_name() {
                    Some(name) => parser.node_at(line, NodeKind::Member { base: value, name }),
                    None => return value,
                }
            }
            _ => return value,
        };
    }
}

/// `a[b]`, `a[b:c]`, `a[::-1]`.
fn index(parser: &mut Parser, base: Id, line: u32) -> Id {
    let end = parser.closing();
    parser.at += 1;
    let mut bounds = Vec::new();
    let mut colons = 0;
    while parser.at < end && !parser.is_end() {
        if parser.take(":") {
            colons += 1;
            continue;
        }
        let before = parser.at;
        bounds.push((colons, read(parser, 0)));
        if parser.at == before {
            break;
        }
    }
    parser.past(end);
    if colons == 0 {
        return parser.node_at(line, NodeKind::Index { base, key: bounds.first().map(|(_, key)| *key) });
    }
    let bound = |place: usize| bounds.iter().find(|(own, _)| *own == place).map(|(_, bound)| *bound);
    let (name, args): (&str, Vec<Id>) = match bound(2) {
        // Backwards is what such a step is used for.
        Some(_) => ("reverse", Vec::new()),
        None => {
            let start = bound(0).unwrap_or_else(|| parser.node_at(line, NodeKind::Number(0)));
            ("slice", [Some(start), bound(1)].into_iter().flatten().collect())
        }
    };
    let callee = parser.node_at(line, NodeKind::Member { base, name: name.into() });
    parser.node_at(line, NodeKind::Call { callee, args: args.into() })
}

/// `(a, b=c, *d)`.
fn arguments(parser: &mut Parser) -> Vec<Id> {
    let end = parser.closing();
    parser.at += 1;
    let mut args = Vec::new();
    while parser.at < end && !parser.is_end() {
        let before = parser.at;
        if matches!(parser.token(0), Some(Token::Name(_))) && parser.sign(1) == "=" {
            parser.at += 2;
        }
        let value = read(parser, 0);
        args.push(comprehended(parser, value, end));
        if !parser.take(",") && parser.at == before {
            parser.at += 1;
        }
    }
    parser.past(end);
    args
}

/// `value for a in b if c`: what such a value is made of is followed by its parts, so it is what it iterates over.
fn comprehended(parser: &mut Parser, value: Id, end: usize) -> Id {
    if !(parser.is_word(0, "for") || parser.is_word(0, "async") && parser.is_word(1, "for")) {
        return value;
    }
    while parser.at < end && !parser.is_word(0, "in") {
        parser.past_bracket();
    }
    parser.take_word("in");
    let line = parser.line();
    let subject = read(parser, 2);
    while parser.at < end && parser.sign(0) != "," {
        parser.past_bracket();
    }
    parser.node_at(line, NodeKind::Binary { sign: "made of", left: value, right: subject })
}

/// `a`, or `a, b`.
pub(super) fn list(parser: &mut Parser) -> Id {
    let line = parser.line();
    let first = read(parser, 0);
    if parser.sign(0) != "," {
        return first;
    }
    let mut items = vec![(None, first)];
    while parser.take(",") {
        if matches!(parser.sign(0), ";" | ")" | "=" | "}" | ":") || parser.is_end() {
            break;
        }
        items.push((None, read(parser, 0)));
    }
    parser.node_at(line, NodeKind::List(items.into()))
}

/// What is assigned to: operators end it.
pub(super) fn target(parser: &mut Parser) -> Id {
    let line = parser.line();
    let first = operand(parser);
    if parser.sign(0) != "," {
        return first;
    }
    let mut items = vec![(None, first)];
    while parser.take(",") && !parser.is_word(0, "in") {
        items.push((None, operand(parser)));
    }
    parser.node_at(line, NodeKind::List(items.into()))
}

/// `= b = c` and `: type = b` behind what is assigned to.
pub(super) fn assigned(parser: &mut Parser, target: Id) -> Id {
    let line = parser.line();
    if parser.sign(0) == ":" {
        parser.at += 1;
        read(parser, 0);
    }
    let Some(sign) = ASSIGNMENTS.into_iter().find(|sign| *sign == parser.sign(0)) else { return target };
    parser.at += 1;
    let value = parser.deeper(
        |parser| {
            let value = list(parser);
            assigned(parser, value)
        },
        |parser| parser.node(NodeKind::Unknown),
    );
    if let NodeKind::Variable(name) = parser.kind(target) {
        let name = Rc::clone(name);
        parser.local(&name);
    }
    parser.node_at(line, NodeKind::Assign { sign: &sign[..sign.len() - 1], target, value })
}

fn primary(parser: &mut Parser) -> Id {
    let line = parser.line();
    let Some(token) = parser.token(0).cloned() else { return parser.node(NodeKind::Unknown) };
    match token {
        Token::Text(text) => {
            parser.at += 1;
            parser.node_at(line, NodeKind::Text(text))
        }
        Token::Number(number) => {
            parser.at += 1;
            parser.node_at(line, number.map_or(NodeKind::Unknown, NodeKind::Number))
        }
        Token::Name(name) => {
            parser.at += 1;
            match &*name {
                "lambda" => lambda(parser, line),
                "True" => parser.node_at(line, NodeKind::Number(1)),
                "False" => parser.node_at(line, NodeKind::Number(0)),
                "None" => parser.node_at(line, NodeKind::Unknown),
                "yield" => {
                    parser.take_word("from");
                    if matches!(parser.sign(0), ";" | ")") {
                        parser.node(NodeKind::Unknown)
                    } else {
                        list(parser)
                    }
                }
                _ => parser.node_at(line, NodeKind::Variable(name)),
            }
        }
        Token::Sign("(") => {
            let end = parser.closing();
            parser.at += 1;
            if parser.at == end {
                parser.past(end);
                return parser.node_at(line, NodeKind::List([].into()));
            }
            let value = list(parser);
            let value = comprehended(parser, value, end);
            parser.past(end);
            parser.node_at(line, NodeKind::Choice { condition: value, yes: None, no: value })
        }
        Token::Sign("[") => {
            let items: Vec<_> = arguments(parser).into_iter().map(|item| (None, item)).collect();
            match (items.as_slice(), items.first().map(|(_, item)| parser.kind(*item).clone())) {
                ([(None, item)], Some(NodeKind::Binary { sign: "made of", .. })) => *item,
                _ => parser.node_at(line, NodeKind::List(items.into())),
            }
        }
        Token::Sign("{") => dictionary(parser, line),
        Token::Variable(_) | Token::Sign(_) => parser.node(NodeKind::Unknown),
    }
}

/// `{a: b}`, `{a, b}`.
fn dictionary(parser: &mut Parser, line: u32) -> Id {
    let end = parser.closing();
    parser.at += 1;
    let mut items = Vec::new();
    while parser.at < end && !parser.is_end() {
        let before = parser.at;
        let first = read(parser, 0);
        if parser.take(":") {
            let value = read(parser, 0);
            items.push((Some(first), value));
        } else {
            items.push((None, first));
        }
        if !parser.take(",") {
            parser.skip_past(&[","]);
        }
        if parser.at == before {
            parser.at += 1;
        }
    }
    parser.past(end);
    parser.node_at(line, NodeKind::List(items.into()))
}

fn lambda(parser: &mut Parser, line: u32) -> Id {
    parser.begin_function(None, None);
    let mut end = parser.at;
    while !matches!(parser.token_at(end), None | Some(Token::Sign(":" | ";"))) {
        end += 1;
    }
    while parser.at < end && !parser.is_end() {
        params(parser, end);
    }
    parser.at = end;
    parser.take(":");
    let value = parser.evaluate(|parser| read(parser, 1));
    parser.step(Step::Return(Some(value)));
    let function = parser.end_function();
    parser.node_at(line, NodeKind::Function(function))
}
