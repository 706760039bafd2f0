//! PHP's statements (PHP manual, "Control Structures", "Functions", "Classes and Objects"), read with forbearance: what is not
//! understood is passed over, as code that hides is rarely tidy.

use std::rc::Rc;

use super::{expression, lex};
use crate::detectors::webshell::parser::Parser;
use crate::detectors::webshell::syntax::{Id, NodeKind, Param, Step, Token, Unit};

/// Reads a file, or a text that is run as `code`.
pub(in crate::detectors::webshell) fn unit(source: &[u8], code: bool) -> Unit {
    let mut parser = Parser::new(lex::tokens(source, code));
    while !parser.is_end() {
        statement(&mut parser);
    }
    parser.unit
}

/// Words that end a block in the form with a colon.
const ENDS: [&str; 9] =
    ["endif", "else", "elseif", "endwhile", "endfor", "endforeach", "endswitch", "enddeclare", "case"];

pub(super) fn statement(parser: &mut Parser) {
    let before = parser.at;
    parser.deeper(known_statement, |_| ());
    if parser.at == before {
        parser.at += 1;
    }
}

fn known_statement(parser: &mut Parser) {
    if parser.take(";") {
        return;
    }
    if parser.sign(0) == "{" {
        return block(parser);
    }
    if parser.sign(0) == "#" {
        parser.at += 1;
        return parser.past_bracket();
    }
    let word = parser.word();
    let next = parser.sign(1);
    // A method, a constant or a function of that name.
    if matches!(next, "::" | "->" | "=") {
        return expression_statement(parser);
    }
    match word.as_str() {
        "if" if next == "(" => branch(parser),
        "while" if next == "(" => {
            parser.at += 1;
            parser.step(Step::Loop);
            let condition = condition(parser);
            parser.step(Step::While(condition));
            body(parser, "endwhile");
            parser.step(Step::EndLoop);
        }
        "do" => {
            parser.at += 1;
            parser.step(Step::Loop);
            statement(parser);
            if parser.take_word("while") && parser.sign(0) == "(" {
                let condition = condition(parser);
                parser.step(Step::While(condition));
            }
            parser.step(Step::EndLoop);
        }
        "for" if next == "(" => for_loop(parser),
        "foreach" if next == "(" => foreach_loop(parser),
        "switch" if next == "(" => switch(parser),
        "try" => {
            parser.at += 1;
            statement(parser);
        }
        "catch" => {
            parser.at += 1;
            if parser.sign(0) == "(" {
                parser.past_bracket();
            }
            parser.step(Step::If(None));
            statement(parser);
            parser.step(Step::EndIf);
        }
        "finally" | "else" | "default" => parser.at += 1,
        "function" if !matches!(parser.token(1), Some(Token::Sign("("))) => {
            parser.at += 1;
            parser.take("&");
            match parser.take_name() {
                Some(name) => {
                    function(parser, Some(name), None);
                }
                None => {
                    parser.at -= 1;
                    expression_statement(parser);
                }
            }
        }
        "abstract" | "final" | "readonly" => parser.at += 1,
        "class" | "trait" | "interface" | "enum" if matches!(parser.token(1), Some(Token::Name(_))) => {
            parser.at += 1;
            if let Some(name) = parser.take_name() {
                class(parser, name);
            }
        }
        "namespace" if next != "(" => {
            parser.at += 1;
            parser.take_name();
        }
        "use" => parser.skip_past(&[";"]),
        "return" => {
            parser.at += 1;
            let value = match parser.sign(0) {
                ";" | "}" => None,
                _ if parser.is_end() => None,
                _ => Some(parser.evaluate(|parser| expression::read(parser, 0))),
            };
            parser.step(Step::Return(value));
        }
        "break" | "continue" => {
            parser.at += 1;
            parser.skip_past(&[";"]);
            parser.step(Step::Leave { ends: false });
        }
        "throw" => {
            expression_statement(parser);
            parser.step(Step::Leave { ends: true });
        }
        "exit" | "die" => {
            expression_statement(parser);
            parser.step(Step::Leave { ends: true });
        }
        "echo" => {
            let line = parser.line();
            parser.at += 1;
            parser.evaluate(|parser| {
                let args = expression::list(parser, &[";"]);
                parser.call_named(line, "echo", args)
            });
        }
        "global" => {
            parser.at += 1;
            let mut names = Vec::new();
            while !parser.is_end() && !matches!(parser.sign(0), ";" | "}") {
                if let Some(Token::Variable(name)) = parser.token(0) {
                    names.push(Rc::clone(name));
                }
                parser.at += 1;
            }
            parser.step(Step::Global(names));
        }
        "static" if matches!(parser.token(1), Some(Token::Variable(_))) => {
            parser.at += 1;
            parser.evaluate(|parser| {
                let args = expression::list(parser, &[";"]);
                let line = parser.line();
                parser.call_named(line, "static", args)
            });
        }
        "const" => {
            parser.at += 1;
            constants(parser, None);
        }
        "declare" if next == "(" => {
            parser.at += 1;
            parser.past_bracket();
            parser.take(":");
        }
        "goto" => parser.skip_past(&[";"]),
        _ if ENDS.contains(&word.as_str()) || word == "enddeclare" => parser.at += 1,
        _ => expression_statement(parser),
    }
}

fn expression_statement(parser: &mut Parser) {
    parser.evaluate(|parser| expression::read(parser, 0));
    parser.take(";");
}

/// `{ … }`.
fn block(parser: &mut Parser) {
    let end = parser.closing();
    parser.at += 1;
    while parser.at < end && !parser.is_end() {
        statement(parser);
    }
    parser.past(end);
}

/// A statement, or several after a colon.
fn body(parser: &mut Parser, end: &str) {
    if !parser.take(":") {
        return statement(parser);
    }
    while !parser.is_end() && parser.sign(0) != "}" && !ENDS[..8].contains(&parser.word().as_str()) {
        statement(parser);
    }
    if !end.is_empty() {
        parser.take_word(end);
    }
}

fn condition(parser: &mut Parser) -> Id {
    parser.evaluate(|parser| {
        let end = parser.closing();
        parser.at += 1;
        let condition = expression::read(parser, 0);
        parser.past(end);
        condition
    })
}

fn branch(parser: &mut Parser) {
    let mut open = 0;
    loop {
        parser.at += 1;
        let condition = condition(parser);
        parser.step(Step::If(Some(condition)));
        open += 1;
        body(parser, "");
        if parser.is_word(0, "elseif") && parser.sign(1) == "(" {
            parser.step(Step::Else);
        } else if parser.is_word(0, "else") && parser.is_word(1, "if") && parser.sign(2) == "(" {
            parser.at += 1;
            parser.step(Step::Else);
        } else {
            break;
        }
    }
    if parser.take_word("else") {
        parser.step(Step::Else);
        body(parser, "");
    }
    parser.take_word("endif");
    for _ in 0..open {
        parser.step(Step::EndIf);
    }
}

fn for_loop(parser: &mut Parser) {
    parser.at += 1;
    let end = parser.closing();
    parser.at += 1;
    let part = |parser: &mut Parser| {
        let mut last = None;
        while parser.at < end && parser.sign(0) != ";" {
            let before = parser.at;
            last = Some(expression::read(parser, 0));
            if !parser.take(",") || parser.at == before {
                break;
            }
        }
        parser.skip_past(&[";"]);
        last
    };
    let (start, _) = parser.range(part);
    parser.step(Step::Eval(start));
    let (test, condition) = parser.range(part);
    let (next, _) = parser.range(part);
    parser.past(end);
    parser.step(Step::Loop);
    parser.step(Step::Eval(test));
    if let Some(condition) = condition {
        parser.step(Step::While(condition));
    }
    body(parser, "endfor");
    parser.step(Step::Eval(next));
    parser.step(Step::EndLoop);
}

fn foreach_loop(parser: &mut Parser) {
    parser.at += 1;
    let end = parser.closing();
    parser.at += 1;
    let subject = parser.evaluate(|parser| expression::read(parser, 0));
    let (targets, target) = parser.range(|parser| {
        if !parser.take_word("as") {
            return None;
        }
        let first = expression::read(parser, 0);
        Some(if parser.take("=>") { (Some(first), expression::read(parser, 0)) } else { (None, first) })
    });
    parser.past(end);
    parser.step(Step::Loop);
    if let Some((key, value)) = target {
        parser.step(Step::Each { subject, targets, key, value });
    }
    body(parser, "endforeach");
    parser.step(Step::EndLoop);
}

fn switch(parser: &mut Parser) {
    parser.at += 1;
    let subject = condition(parser);
    parser.step(Step::Switch(subject));
    let braces = parser.sign(0) == "{";
    let end = if braces { parser.closing() } else { usize::MAX };
    parser.at += 1;
    while parser.at < end && !parser.is_end() {
        if parser.take_word("case") {
            let value = parser.evaluate(|parser| expression::read(parser, 0));
            parser.step(Step::Case(Some(value)));
            let _ = parser.take(":") || parser.take(";");
        } else if parser.is_word(0, "default") && matches!(parser.sign(1), ":" | ";") {
            parser.at += 2;
            parser.step(Step::Case(None));
        } else if !braces && parser.take_word("endswitch") {
            break;
        } else {
            statement(parser);
        }
    }
    parser.take("}");
    parser.step(Step::EndSwitch);
}

/// A function from its parameters on; its place in the unit.
pub(super) fn function(parser: &mut Parser, name: Option<Rc<str>>, class: Option<Rc<str>>) -> usize {
    let is_closure = name.is_none();
    parser.begin_function(name, class);
    params(parser);
    let mut captures = Vec::new();
    if parser.take_word("use") && parser.sign(0) == "(" {
        let end = parser.closing();
        while parser.at < end {
            if let Some(Token::Variable(name)) = parser.token(0) {
                captures.push(Rc::clone(name));
            }
            parser.at += 1;
        }
        parser.past(end);
    }
    while !parser.is_end() && !matches!(parser.sign(0), "{" | ";" | "=>" | "}" | ")") {
        // The type of what it returns.
        parser.past_bracket();
    }
    if is_closure || !captures.is_empty() {
        parser.function().captures = Some(captures);
    }
    match parser.sign(0) {
        "{" => parser.deeper(block, |_| ()),
        "=>" => {
            parser.at += 1;
            parser.function().captures = None;
            let value = parser.evaluate(|parser| expression::read(parser, 0));
            parser.step(Step::Return(Some(value)));
        }
        _ => {
            parser.take(";");
        }
    }
    parser.end_function()
}

fn params(parser: &mut Parser) {
    if parser.sign(0) != "(" {
        return;
    }
    let end = parser.closing();
    parser.at += 1;
    let (mut by_reference, mut rest) = (false, false);
    while parser.at < end && !parser.is_end() {
        match parser.token(0) {
            Some(Token::Variable(name)) => {
                let param = Param { name: Rc::clone(name), by_reference, rest };
                (by_reference, rest) = (false, false);
                parser.at += 1;
                parser.function().params.push(param);
                if parser.take("=") {
                    let place = parser.function().params.len() - 1;
                    let (range, _) = parser.range(|parser| expression::read(parser, 0));
                    parser.step(Step::Default(place, range));
                }
            }
            Some(Token::Sign("&")) => {
                by_reference = true;
                parser.at += 1;
            }
            Some(Token::Sign("...")) => {
                rest = true;
                parser.at += 1;
            }
            Some(Token::Sign("(" | "[" | "{")) => parser.past_bracket(),
            _ => parser.at += 1,
        }
    }
    parser.past(end);
}

/// A class from behind its name on.
pub(super) fn class(parser: &mut Parser, name: Rc<str>) {
    let mut parent = None;
    while !parser.is_end() && !matches!(parser.sign(0), "{" | ";" | "}") {
        if parser.take_word("extends") {
            parent = parser.take_name();
        } else {
            parser.past_bracket();
        }
    }
    parser.unit.classes.push((Rc::clone(&name), parent));
    if parser.sign(0) != "{" {
        return;
    }
    parser.deeper(|parser| members(parser, &name), |_| ());
}

fn members(parser: &mut Parser, class: &Rc<str>) {
    let end = parser.closing();
    parser.at += 1;
    while parser.at < end && !parser.is_end() {
        if parser.take_word("function") {
            parser.take("&");
            let name = parser.take_name();
            function(parser, Some(name.unwrap_or_else(|| "".into())), Some(Rc::clone(class)));
        } else if parser.take_word("const") || parser.take_word("case") {
            constants(parser, Some(class));
        } else if let Some(Token::Variable(name)) = parser.token(0) {
            let name = Rc::clone(name);
            parser.at += 1;
            if parser.take("=") {
                member(parser, class, name);
            }
        } else if parser.is_word(0, "use") {
            parser.skip_past(&[";"]);
        } else {
            parser.past_bracket();
        }
    }
    parser.past(end);
}

/// `NAME = value, NAME = value;`
fn constants(parser: &mut Parser, class: Option<&Rc<str>>) {
    while !parser.is_end() && !matches!(parser.sign(0), ";" | "}") {
        let name = match parser.token(0) {
            Some(Token::Name(name)) if parser.sign(1) == "=" => Rc::clone(name),
            _ => {
                parser.past_bracket();
                continue;
            }
        };
        parser.at += 2;
        match class {
            Some(class) => member(parser, class, name),
            None => {
                parser.evaluate(|parser| {
                    let (line, name) = (parser.line(), parser.text(&name));
                    let value = expression::read(parser, 0);
                    parser.call_named(line, "define", vec![name, value])
                });
            }
        }
        parser.take(",");
    }
    parser.take(";");
}

/// What a constant or property of a class is at first.
fn member(parser: &mut Parser, class: &Rc<str>, name: Rc<str>) {
    parser.evaluate(|parser| {
        let base = parser.node(NodeKind::Name(Rc::clone(class)));
        let target = parser.node(NodeKind::Member { base, name });
        let value = expression::read(parser, 0);
        parser.node(NodeKind::Assign { sign: "", target, value })
    });
}
