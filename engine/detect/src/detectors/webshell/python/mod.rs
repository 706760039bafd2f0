//! Python's statements and expressions (The Python Language Reference, 6 to 8), read with forbearance.

mod expression;
mod lex;

use std::rc::Rc;

use super::page::Part;
use super::parser::Parser;
use super::syntax::{NodeKind, Param, Step, Token, Tokens, Unit};

/// How the names of classes end that web servers make handlers of requests of: `http.server`, `socketserver`, Tornado.
const HANDLER: &str = "RequestHandler";
/// Classes above a class that are looked at.
const MAX_PARENTS: usize = 16;

/// Reads parts of a page as one program.
pub(super) fn unit(parts: &[Part<'_>]) -> Unit {
    let mut tokens = Tokens::default();
    for part in parts {
        lex::tokens(&part.source, part.line, &mut tokens);
    }
    let mut parser = Parser::new(tokens);
    while !parser.is_end() {
        statement(&mut parser, None);
    }
    parser.unit
}

fn statement(parser: &mut Parser, class: Option<&Rc<str>>) {
    let before = parser.at;
    if parser.enter() {
        known_statement(parser, class);
        parser.leave();
    }
    if parser.at == before {
        parser.at += 1;
    }
}

fn known_statement(parser: &mut Parser, class: Option<&Rc<str>>) {
    match parser.sign(0) {
        ";" | ")" | "]" | "}" => {
            parser.at += 1;
            return;
        }
        "{" => return block(parser, class),
        "@" => return parser.skip_past(&[";"]),
        _ => {}
    }
    let word = match parser.token(0) {
        Some(Token::Name(name)) => Rc::clone(name),
        _ => "".into(),
    };
    if matches!(parser.sign(1), "." | "=" | ",") {
        return expression_statement(parser);
    }
    match &*word {
        "if" => branch(parser, class),
        "while" => {
            parser.at += 1;
            parser.step(Step::Loop);
            let condition = parser.evaluate(|parser| expression::read(parser, 0));
            parser.step(Step::While(condition));
            body(parser, class);
            parser.step(Step::EndLoop);
        }
        "for" => {
            parser.at += 1;
            let start = parser.at;
            while !parser.is_end() && !parser.is_word(0, "in") && parser.sign(0) != ";" {
                parser.past_bracket();
            }
            parser.take_word("in");
            let subject = parser.evaluate(expression::list);
            let end = std::mem::replace(&mut parser.at, start);
            let (targets, value) = parser.range(expression::target);
            parser.at = end;
            parser.step(Step::Loop);
            parser.step(Step::Each { subject, targets, key: None, value });
            body(parser, class);
            parser.step(Step::EndLoop);
        }
        "with" => {
            parser.at += 1;
            let bracketed = parser.take("(");
            while !parser.is_end() && !matches!(parser.sign(0), ":" | ";") {
                let before = parser.at;
                parser.evaluate(|parser| {
                    let value = expression::read(parser, 0);
                    if !parser.take_word("as") {
                        return value;
                    }
                    let target = expression::target(parser);
                    parser.node(NodeKind::Assign { sign: "", target, value })
                });
                let _ = parser.take(",") || bracketed && parser.take(")");
                if parser.at == before {
                    break;
                }
            }
            body(parser, class);
        }
        "try" | "else" | "finally" => {
            parser.at += 1;
            body(parser, class);
        }
        "except" => {
            parser.at += 1;
            while !parser.is_end() && !matches!(parser.sign(0), ":" | ";") {
                parser.past_bracket();
            }
            parser.step(Step::If(None));
            body(parser, class);
            parser.step(Step::EndIf);
        }
        "def" => {
            parser.at += 1;
            let name = parser.take_name();
            function(parser, name, class);
        }
        "async" => parser.at += 1,
        "class" => {
            parser.at += 1;
            let Some(name) = parser.take_name() else { return };
            let parent = parent(parser);
            parser.unit.classes.push((Rc::clone(&name), parent));
            body(parser, Some(&name));
        }
        "return" => {
            parser.at += 1;
            let value = if parser.sign(0) == ";" { None } else { Some(parser.evaluate(expression::list)) };
            parser.step(Step::Return(value));
        }
        "break" | "continue" => {
            parser.at += 1;
            parser.step(Step::Leave { ends: false });
        }
        "raise" => {
            parser.at += 1;
            expression_statement(parser);
            parser.step(Step::Leave { ends: true });
        }
        "global" | "nonlocal" => {
            parser.at += 1;
            while let Some(name) = parser.take_name() {
                parser.function().locals.retain(|local| *local != name);
                parser.take(",");
            }
        }
        "import" => import(parser),
        "from" => import_from(parser),
        "exec" | "print" if parser.sign(1) != "(" => {
            // Statements of Python 2.
            let line = parser.line();
            parser.at += 1;
            parser.evaluate(|parser| {
                let value = expression::list(parser);
                let callee = parser.node_at(line, NodeKind::Variable(Rc::clone(&word)));
                parser.node_at(line, NodeKind::Call { callee, args: [value].into() })
            });
        }
        "pass" | "assert" | "del" => parser.skip_past(&[";"]),
        _ => expression_statement(parser),
    }
}

fn expression_statement(parser: &mut Parser) {
    parser.evaluate(|parser| {
        let value = expression::list(parser);
        expression::assigned(parser, value)
    });
    parser.take(";");
}

/// `{ … }` around what is indented.
fn block(parser: &mut Parser, class: Option<&Rc<str>>) {
    let end = parser.closing();
    parser.at += 1;
    while parser.at < end && !parser.is_end() {
        statement(parser, class);
    }
    parser.past(end);
}

/// What follows a colon: a block, or the rest of the line.
fn body(parser: &mut Parser, class: Option<&Rc<str>>) {
    while !parser.is_end() && !matches!(parser.sign(0), ":" | ";") {
        parser.past_bracket();
    }
    parser.take(":");
    if parser.sign(0) == ";" && parser.sign(1) == "{" {
        parser.at += 1;
        return block(parser, class);
    }
    while !parser.is_end() && !matches!(parser.sign(0), ";" | "}") {
        statement(parser, class);
    }
}

fn branch(parser: &mut Parser, class: Option<&Rc<str>>) {
    let mut open = 0;
    loop {
        parser.at += 1;
        let condition = parser.evaluate(|parser| expression::read(parser, 0));
        parser.step(Step::If(Some(condition)));
        open += 1;
        body(parser, class);
        while parser.sign(0) == ";" {
            parser.at += 1;
        }
        if !parser.is_word(0, "elif") {
            break;
        }
        parser.step(Step::Else);
    }
    if parser.take_word("else") {
        parser.step(Step::Else);
        body(parser, class);
    }
    for _ in 0..open {
        parser.step(Step::EndIf);
    }
}

/// Passes the classes that a class is made of, in brackets: the one that makes it a handler of requests, else the first.
fn parent(parser: &mut Parser) -> Option<Rc<str>> {
    if parser.sign(0) != "(" {
        return None;
    }
    let end = parser.closing();
    parser.at += 1;
    let mut parents = Vec::new();
    while parser.at < end && !parser.is_end() {
        if let Some(Token::Name(name)) = parser.token(0)
            && matches!(parser.sign(1), "," | ")")
        {
            parents.push(Rc::clone(name));
        }
        parser.past_bracket();
    }
    parser.past(end);
    parents.iter().find(|name| name.ends_with(HANDLER)).or(parents.first()).cloned()
}

/// Whether a class is a handler of requests: its object then has what the request says.
fn is_handler(parser: &Parser, class: &Rc<str>) -> bool {
    let mut class = Rc::clone(class);
    for _ in 0..MAX_PARENTS {
        let parent = parser.unit.classes.iter().find(|(name, _)| *name == class);
        let Some((_, Some(parent))) = parent else { break };
        class = Rc::clone(parent);
    }
    class.ends_with(HANDLER)
}

/// A function from its parameters on.
fn function(parser: &mut Parser, name: Option<Rc<str>>, class: Option<&Rc<str>>) {
    parser.begin_function(name, class.cloned());
    if parser.sign(0) == "(" {
        let end = parser.closing();
        parser.at += 1;
        // What the method is of is no argument.
        if let (Some(class), Some(Token::Name(own))) = (class, parser.token(0).cloned())
            && matches!(&*own, "self" | "cls")
        {
            parser.at += 1;
            parser.take(",");
            if is_handler(parser, class) {
                parser.local(&own);
                stands_for(parser, own, "handler");
            }
        }
        while parser.at < end && !parser.is_end() {
            params(parser, end);
        }
        parser.past(end);
    }
    body(parser, None);
    parser.end_function();
}

/// `name: type = value`, `*name`, `**name`, and the comma behind.
pub(super) fn params(parser: &mut Parser, end: usize) {
    let before = parser.at;
    let rest = parser.take("*");
    parser.take("**");
    if let Some(name) = parser.take_name() {
        let place = parser.function().params.len();
        parser.function().params.push(Param { name, by_reference: false, rest });
        while parser.at < end && !matches!(parser.sign(0), "," | "=") {
            parser.past_bracket();
        }
        if parser.take("=") {
            let (range, _) = parser.range(|parser| expression::read(parser, 0));
            parser.step(Step::Default(place, range));
        }
    }
    while parser.at < end && parser.sign(0) != "," {
        parser.past_bracket();
    }
    parser.take(",");
    if parser.at == before {
        parser.at += 1;
    }
}

/// `import a.b as c, d`.
fn import(parser: &mut Parser) {
    parser.at += 1;
    while let Some(path) = dotted(parser) {
        if parser.take_word("as")
            && let Some(name) = parser.take_name()
        {
            stands_for(parser, name, &path);
        }
        if !parser.take(",") {
            break;
        }
    }
}

/// `from a import b as c`.
fn import_from(parser: &mut Parser) {
    parser.at += 1;
    while parser.take(".") || parser.take("...") {}
    let module = dotted(parser).unwrap_or_default();
    if !parser.take_word("import") {
        return;
    }
    parser.take("(");
    while let Some(name) = parser.take_name() {
        let own = if parser.take_word("as") { parser.take_name() } else { None };
        let path = format!("{module}.{name}");
        stands_for(parser, own.unwrap_or(name), &path);
        if !parser.take(",") {
            break;
        }
    }
    parser.take(")");
}

fn dotted(parser: &mut Parser) -> Option<String> {
    let mut path = parser.take_name()?.to_string();
    while parser.take(".") {
        path.push('.');
        path.push_str(&parser.take_name()?);
    }
    Some(path)
}

/// A name stands for a path.
fn stands_for(parser: &mut Parser, name: Rc<str>, path: &str) {
    parser.evaluate(|parser| {
        let target = parser.node(NodeKind::Variable(name));
        let mut value = None;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            value = Some(match value {
                Some(base) => parser.node(NodeKind::Member { base, name: part.into() }),
                None => parser.node(NodeKind::Variable(part.into())),
            });
        }
        match value {
            Some(value) => parser.node(NodeKind::Assign { sign: "", target, value }),
            None => target,
        }
    });
}
