//! PHP's expressions (PHP manual, "Operator Precedence").

use std::rc::Rc;

use super::parse;
use crate::detectors::webshell::parser::Parser;
use crate::detectors::webshell::syntax::{Id, NodeKind, Token};

/// How tight an operator binds.
fn binding(parser: &Parser) -> Option<(&'static str, u8)> {
    Some(match parser.token(0)? {
        Token::Sign(sign) => {
            let power = match *sign {
                "??" => 6,
                "||" => 7,
                "&&" => 8,
                "|" => 9,
                "^" => 10,
                "&" => 11,
                "==" | "!=" | "===" | "!==" | "<>" | "<=>" => 12,
                "<" | ">" | "<=" | ">=" => 13,
                "." => 14,
                "<<" | ">>" => 15,
                "+" | "-" => 16,
                "*" | "/" | "%" => 17,
                "**" => 19,
                _ => return None,
            };
            (*sign, power)
        }
        Token::Name(name) => match name.to_ascii_lowercase().as_str() {
            "or" => ("||", 1),
            "xor" => ("xor", 2),
            "and" => ("&&", 3),
            "instanceof" => ("instanceof", 18),
            _ => return None,
        },
        _ => return None,
    })
}

const ASSIGNMENTS: [&str; 14] =
    ["=", ".=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "??=", "<<=", ">>=", "**="];

/// What is done before assigning.
fn done(sign: &'static str) -> &'static str {
    &sign[..sign.len() - 1]
}

/// Reads an expression of operators that bind at least so tight.
pub(super) fn read(parser: &mut Parser, least: u8) -> Id {
    parser.deeper(|parser| operators(parser, least), |parser| parser.node(NodeKind::Unknown))
}

fn operators(parser: &mut Parser, least: u8) -> Id {
    let mut left = prefixed(parser);
    loop {
        let line = parser.line();
        if parser.sign(0) == "?" && least <= 5 {
            parser.at += 1;
            let yes = (parser.sign(0) != ":").then(|| read(parser, 0));
            parser.take(":");
            let no = read(parser, 6);
            left = parser.node_at(line, NodeKind::Choice { condition: left, yes, no });
            continue;
        }
        let Some((sign, power)) = binding(parser) else { return left };
        if power < least {
            return left;
        }
        parser.at += 1;
        let right = read(parser, if matches!(sign, "??" | "**") { power } else { power + 1 });
        left = parser.node_at(line, NodeKind::Binary { sign, left, right });
    }
}

const CASTS: [&str; 12] = [
    "int", "integer", "bool", "boolean", "float", "double", "real", "string", "binary", "array", "object",
    "unset",
];

/// Signs before an operand: read one after the other, so that many cost no depth.
fn prefixed(parser: &mut Parser) -> Id {
    let mut before: Vec<(u32, &'static str)> = Vec::new();
    loop {
        let line = parser.line();
        let sign = parser.sign(0);
        match sign {
            "!" | "-" | "+" | "~" | "@" | "&" | "++" | "--" | "..." => before.push((line, sign)),
            "(" if parser.sign(2) == ")" => {
                let word = match parser.token(1) {
                    Some(Token::Name(name)) => name.to_ascii_lowercase(),
                    _ => break,
                };
                let Some(cast) = CASTS.into_iter().find(|cast| *cast == word) else { break };
                before.push((line, cast));
                parser.at += 2;
            }
            "#" if parser.sign(1) == "[" => {
                parser.at += 1;
                parser.past_bracket();
                continue;
            }
            _ => break,
        }
        parser.at += 1;
    }
    let mut value = operand(parser);
    if let Some(sign) = ASSIGNMENTS.into_iter().find(|sign| *sign == parser.sign(0)) {
        let line = parser.line();
        parser.at += 1;
        let assigned = read(parser, 4);
        value = parser.node_at(line, NodeKind::Assign { sign: done(sign), target: value, value: assigned });
    }
    while let Some((line, sign)) = before.pop() {
        value = match sign {
            "@" | "&" | "+" => value,
            "++" | "--" => {
                let by = if sign == "++" { 1 } else { -1 };
                parser.node_at(line, NodeKind::Increment { target: value, by, before: true })
            }
            _ => parser.node_at(line, NodeKind::Unary { sign, operand: value }),
        };
    }
    value
}

fn operand(parser: &mut Parser) -> Id {
    let mut value = primary(parser);
    loop {
        let line = parser.line();
        value = match parser.sign(0) {
            // `f(...)` is the function.
            "(" if parser.sign(1) == "..." && parser.sign(2) == ")" => {
                parser.past_bracket();
                match parser.kind(value).clone() {
                    NodeKind::Name(name) => parser.text(&name),
                    NodeKind::Member { base, name } => {
                        let name = parser.text(&name);
                        let base = match parser.kind(base).clone() {
                            NodeKind::Name(class) => parser.text(&class),
                            _ => base,
                        };
                        parser.node_at(line, NodeKind::List([(None, base), (None, name)].into()))
                    }
                    _ => value,
                }
            }
            "(" => {
                let args = arguments(parser);
                parser.node_at(line, NodeKind::Call { callee: value, args: args.into() })
            }
            "[" => index(parser, value, line),
            // How old versions wrote it.
            "{" if matches!(
                parser.kind(value),
                NodeKind::Variable(_) | NodeKind::Index { .. } | NodeKind::Member { .. }
            ) =>
            {
                index(parser, value, line)
            }
            "->" | "?->" => {
                parser.at += 1;
                member(parser, value, line)
            }
            "::" => {
                parser.at += 1;
                static_member(parser, value, line)
            }
            "++" | "--" => {
                let by = if parser.sign(0) == "++" { 1 } else { -1 };
                parser.at += 1;
                parser.node_at(line, NodeKind::Increment { target: value, by, before: false })
            }
            _ => return value,
        };
    }
}

fn index(parser: &mut Parser, base: Id, line: u32) -> Id {
    let end = parser.closing();
    parser.at += 1;
    let key = (parser.at < end).then(|| read(parser, 0));
    parser.past(end);
    parser.node_at(line, NodeKind::Index { base, key })
}

fn member(parser: &mut Parser, base: Id, line: u32) -> Id {
    match parser.token(0) {
        Some(Token::Name(name)) => {
            let name = Rc::clone(name);
            parser.at += 1;
            parser.node_at(line, NodeKind::Member { base, name })
        }
        Some(Token::Sign("{")) => {
            let end = parser.closing();
            parser.at += 1;
            let name = read(parser, 0);
            parser.past(end);
            parser.node_at(line, NodeKind::MemberNamed { base, name })
        }
        _ => {
            let name = primary(parser);
            parser.node_at(line, NodeKind::MemberNamed { base, name })
        }
    }
}

fn static_member(parser: &mut Parser, base: Id, line: u32) -> Id {
    match parser.token(0) {
        Some(Token::Variable(name)) if parser.sign(1) != "(" => {
            let name = Rc::clone(name);
            parser.at += 1;
            parser.node_at(line, NodeKind::Member { base, name })
        }
        Some(Token::Name(name)) if name.eq_ignore_ascii_case("class") => {
            parser.at += 1;
            match parser.kind(base) {
                NodeKind::Name(name) => {
                    let name = Rc::clone(name);
                    parser.text(&name)
                }
                _ => base,
            }
        }
        _ => member(parser, base, line),
    }
}

/// `(a, name: b, ...c)`.
fn arguments(parser: &mut Parser) -> Vec<Id> {
    let end = parser.closing();
    parser.at += 1;
    let mut args = Vec::new();
    while parser.at < end && !parser.is_end() {
        let before = parser.at;
        if matches!(parser.token(0), Some(Token::Name(_))) && parser.sign(1) == ":" {
            parser.at += 2;
        }
        args.push(read(parser, 0));
        if !parser.take(",") && parser.at == before {
            parser.at += 1;
        }
    }
    parser.past(end);
    args
}

/// Expressions between commas, up to one of these signs.
pub(super) fn list(parser: &mut Parser, ends: &[&str]) -> Vec<Id> {
    let mut values = Vec::new();
    while !parser.is_end() && !ends.contains(&parser.sign(0)) && parser.sign(0) != "}" {
        let before = parser.at;
        values.push(read(parser, 0));
        if !parser.take(",") || parser.at == before {
            break;
        }
    }
    ends.iter().any(|end| parser.take(end));
    values
}

/// `[a, b => c]` up to the bracket that closes it.
fn items(parser: &mut Parser, line: u32) -> Id {
    let end = parser.closing();
    parser.at += 1;
    let mut items = Vec::new();
    while parser.at < end && !parser.is_end() {
        if parser.sign(0) == "," {
            // Left out, as in `list(, $b)`.
            parser.at += 1;
            let nothing = parser.node(NodeKind::Unknown);
            items.push((None, nothing));
            continue;
        }
        let before = parser.at;
        let first = read(parser, 0);
        if parser.take("=>") {
            let value = read(parser, 0);
            items.push((Some(first), value));
        } else {
            items.push((None, first));
        }
        if !parser.take(",") && parser.at == before {
            parser.at += 1;
        }
    }
    parser.past(end);
    parser.node_at(line, NodeKind::List(items.into()))
}

fn primary(parser: &mut Parser) -> Id {
    let line = parser.line();
    let Some(token) = parser.token(0).cloned() else { return parser.node(NodeKind::Unknown) };
    match token {
        Token::Variable(name) => {
            parser.at += 1;
            parser.node_at(line, NodeKind::Variable(name))
        }
        Token::Text(text) => {
            parser.at += 1;
            parser.node_at(line, NodeKind::Text(text))
        }
        Token::Number(number) => {
            parser.at += 1;
            parser.node_at(line, number.map_or(NodeKind::Unknown, NodeKind::Number))
        }
        Token::Name(name) => named(parser, name, line),
        Token::Sign("(") => {
            let end = parser.closing();
            parser.at += 1;
            let value = read(parser, 0);
            parser.past(end);
            value
        }
        Token::Sign("[") => items(parser, line),
        Token::Sign("$") => {
            // `$$name`, `$$$name`, `${expression}`.
            let mut times = 0;
            while parser.take("$") {
                times += 1;
            }
            let mut value = if parser.sign(0) == "{" {
                let end = parser.closing();
                parser.at += 1;
                let value = read(parser, 0);
                parser.past(end);
                value
            } else {
                primary_variable(parser, line)
            };
            for _ in 0..times {
                value = parser.node_at(line, NodeKind::VariableNamed(value));
            }
            value
        }
        // What closes or ends something is for whoever opened it.
        Token::Sign(_) => parser.node(NodeKind::Unknown),
    }
}

fn primary_variable(parser: &mut Parser, line: u32) -> Id {
    match parser.token(0).cloned() {
        Some(Token::Variable(name)) => {
            parser.at += 1;
            parser.node_at(line, NodeKind::Variable(name))
        }
        _ => parser.node(NodeKind::Unknown),
    }
}

fn named(parser: &mut Parser, name: Rc<str>, line: u32) -> Id {
    let word = name.to_ascii_lowercase();
    parser.at += 1;
    match word.as_str() {
        "new" => instance(parser, line),
        "include" | "include_once" | "require" | "require_once" | "print" => {
            let value = read(parser, 4);
            parser.call_named(line, &word, vec![value])
        }
        "__function__" | "__method__" | "__class__" => {
            let function = parser.function();
            let name = if word == "__class__" { function.class.clone() } else { function.name.clone() };
            match name {
                Some(name) => parser.text(&name),
                None => parser.node(NodeKind::Unknown),
            }
        }
        "yield" => {
            parser.take_word("from");
            let value = match parser.sign(0) {
                ";" | ")" | "," | "]" => parser.node(NodeKind::Unknown),
                _ => read(parser, 4),
            };
            let value = if parser.take("=>") { read(parser, 4) } else { value };
            parser.call_named(line, "yield", vec![value])
        }
        "clone" | "throw" => match parser.sign(0) {
            ";" | ")" | "," | "]" => parser.node(NodeKind::Unknown),
            _ => read(parser, 4),
        },
        "function" | "fn" if matches!(parser.sign(0), "(" | "&") => {
            parser.take("&");
            let function = parse::function(parser, None, None);
            parser.node_at(line, NodeKind::Function(function))
        }
        "static" if parser.is_word(0, "function") || parser.is_word(0, "fn") => primary(parser),
        "array" | "list" if parser.sign(0) == "(" => items(parser, line),
        "match" if parser.sign(0) == "(" => choice(parser, line),
        _ => parser.node_at(line, NodeKind::Name(name)),
    }
}

/// `new Class(…)`, `new $class(…)`, `new class(…) { … }`.
fn instance(parser: &mut Parser, line: u32) -> Id {
    if parser.take_word("class") {
        let args = if parser.sign(0) == "(" { arguments(parser) } else { Vec::new() };
        let name: Rc<str> = format!("class@{}", parser.at).into();
        parse::class(parser, Rc::clone(&name));
        let class = parser.node_at(line, NodeKind::Name(name));
        return parser.node_at(line, NodeKind::New { class, args: args.into() });
    }
    let mut class = match parser.token(0).cloned() {
        Some(Token::Name(name)) => {
            parser.at += 1;
            parser.node_at(line, NodeKind::Name(name))
        }
        _ => primary(parser),
    };
    loop {
        class = match parser.sign(0) {
            "->" => {
                parser.at += 1;
                member(parser, class, line)
            }
            "::" => {
                parser.at += 1;
                static_member(parser, class, line)
            }
            "[" => index(parser, class, line),
            _ => break,
        };
    }
    let args = if parser.sign(0) == "(" { arguments(parser) } else { Vec::new() };
    parser.node_at(line, NodeKind::New { class, args: args.into() })
}

/// `match (value) { a, b => c, default => d }`: one of the results.
fn choice(parser: &mut Parser, line: u32) -> Id {
    parser.past_bracket();
    if parser.sign(0) != "{" {
        return parser.node(NodeKind::Unknown);
    }
    let end = parser.closing();
    parser.at += 1;
    let mut results = Vec::new();
    while parser.at < end && !parser.is_end() {
        parser.skip_past(&["=>"]);
        let before = parser.at;
        results.push(read(parser, 0));
        if !parser.take(",") && parser.at == before {
            break;
        }
    }
    parser.past(end);
    parser.call_named(line, "match", results)
}
