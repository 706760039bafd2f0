//! Whether a program of Node.js or Python is worth following: it has something that runs code or commands, and something that
//! comes from outside or hides it. Following is dear, and bundles of JavaScript are many and large.

use memchr::memmem;

/// Words of which a program of Node.js has one that runs something, whatever stands beside it.
const RUNS: [&[u8]; 6] =
    [b"child_process", b"runIn", b"_compile", b"compileFunction", b"vm.Script", b"spawn_sync"];
/// Words of which it has one that brings something in from outside, or hides something.
const BRINGS: [&[u8]; 23] = [
    b"createServer",
    b"req.",
    b"req[",
    b"req)",
    b"request",
    b"Request",
    b"ctx.",
    b"ctx[",
    b"event.",
    b"net.",
    b"tls.",
    b"'data'",
    b"\"data\"",
    b"Buffer",
    b"atob",
    b"unescape",
    b"decodeURI",
    b"fromCharCode",
    b"nflate",
    b"unzip",
    b"\\x",
    b"\\u00",
    b"reverse()",
];
/// Words of which a program of Python has one that runs something, whatever stands beside it.
const PYTHON_RUNS: [&[u8]; 7] = [
    b"subprocess",
    b"popen",
    b"pickle",
    b"__import__",
    b"import_module",
    b"render_template_string",
    // `system` by a name of its own.
    b"os import",
];
/// Words of which it has one that brings something in from outside.
const PYTHON_ASKS: [&[u8]; 7] =
    [b"request", b"FieldStorage", b"rfile", b"self.path", b"recv", b"urlopen", b"get_argument"];
/// Words of which it has one that hides something.
const PYTHON_HIDES: [&[u8]; 7] =
    [b"b64decode", b"fromhex", b"decompress", b"unhexlify", b"decode(", b"chr(", b"[::-1]"];

/// Whether a program of Node.js names something that runs code or commands, or a module by something else than a text, and
/// something that comes from outside or hides it.
pub(super) fn node(source: &[u8]) -> bool {
    let runs = has(source, &RUNS)
        || any(source, b"eval", |before, after| is_name(before, after) && !is_plain_call(after))
        || any(source, b"Function(", |before, after| !ends_name(before) && !is_plain_text(after))
        || any(source, b"Function", |before, after| is_name(before, after) && is_handed_on(before, after))
        || any(source, b"require(", |_, after| !is_plain_text(after))
        || any(source, b"global[", |_, after| !is_plain_key(after))
        || any(source, b"globalThis[", |_, after| !is_plain_key(after))
        || any(source, b"[", |_, after| is_joined_key(after))
        || any(source, b".constructor", |before, after| {
            !starts_name(after) && is_maker_of_functions(before, after)
        })
        || any(source, b"constructor", is_looked_up);
    runs && has(source, &BRINGS)
}

/// Whether a program of Python names something that runs code or commands and something that comes from outside or hides it, or
/// opens files and names something that comes from outside.
pub(super) fn python(source: &[u8]) -> bool {
    let asks = has(source, &PYTHON_ASKS);
    (asks || has(source, &PYTHON_HIDES)) && python_runs(source)
        || asks && any(source, b"open(", |before, _| !ends_name(before))
}

fn python_runs(source: &[u8]) -> bool {
    has(source, &PYTHON_RUNS)
        // `execl` and its like are of `os`, `execfile` is Python 2's.
        || any(source, b"exec", |before, after| {
            let behind = name_in(after);
            !ends_name(before) && (behind.is_empty() || behind == b"file" || matches!(behind[0], b'l' | b'v'))
        })
        || any(source, b"eval", is_name)
        || any(source, b"spawn", |before, _| before.ends_with(b"."))
        || any(source, b"system", |before, after| {
            let is_called = after.trim_ascii_start().starts_with(b"(");
            let is_named = matches!(before.last(), Some(b'.' | b'"' | b'\''));
            is_name(before, after)
                && (is_called || is_named)
                && !before.ends_with(b"platform.")
        })
        || any(source, b"commands", |before, after| {
            after.starts_with(b".get") || before.trim_ascii_end().ends_with(b"import") || after.starts_with(b" import")
        })
        || any(source, b"getattr", |before, after| is_name(before, after) && !is_plain_attribute(after))
        || any(source, b"[", |_, after| is_joined_key(after))
}

/// Whether what is behind `getattr` is a call that names an attribute by a text without escapes, or asks for one of the program's own object.
fn is_plain_attribute(after: &[u8]) -> bool {
    let Some(arguments) = after.trim_ascii_start().strip_prefix(b"(") else { return false };
    let arguments = arguments.trim_ascii_start();
    let is_of_base = |byte: &u8| is_of_name(*byte) || *byte == b'.';
    let (base, behind) = arguments.split_at(arguments.iter().take_while(|byte| is_of_base(byte)).count());
    let Some(name) = behind.trim_ascii_start().strip_prefix(b",") else { return false };
    matches!(base, b"self" | b"cls")
        || behind_text(name).is_some_and(|behind| matches!(behind.first(), Some(b',' | b')')))
}

fn has(source: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| memmem::find(source, word).is_some())
}

/// Whether the word stands anywhere with something before and behind it that `wanted` holds for.
fn any(source: &[u8], word: &[u8], wanted: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    memmem::find_iter(source, word).any(|at| wanted(&source[..at], &source[at + word.len()..]))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

fn ends_name(before: &[u8]) -> bool {
    before.last().is_some_and(|byte| is_of_name(*byte))
}

/// What of the name goes on here.
fn name_in(after: &[u8]) -> &[u8] {
    &after[..after.iter().take_while(|byte| is_of_name(**byte)).count()]
}

fn starts_name(after: &[u8]) -> bool {
    after.first().is_some_and(|byte| is_of_name(*byte))
}

/// Whether what stands between these is a name of its own.
fn is_name(before: &[u8], after: &[u8]) -> bool {
    !ends_name(before) && !starts_name(after)
}

/// Whether a call follows with nothing but a text as it stands: bundles ask for the global object so.
fn is_plain_call(after: &[u8]) -> bool {
    after.trim_ascii_start().strip_prefix(b"(").is_some_and(is_plain_text)
}

/// Whether a text without escapes is all that stands before the next parenthesis. What it would run stands in the program, too.
fn is_plain_text(arguments: &[u8]) -> bool {
    behind_text(arguments).is_some_and(|behind| behind.starts_with(b")"))
}

/// Whether what is looked up is a text without escapes, or a number.
fn is_plain_key(key: &[u8]) -> bool {
    let key = key.trim_ascii_start();
    key.first().is_some_and(u8::is_ascii_digit)
        || behind_text(key).is_some_and(|behind| behind.starts_with(b"]"))
}

/// Whether what is looked up begins with two texts that are put together.
fn is_joined_key(key: &[u8]) -> bool {
    let other = behind_text(key).and_then(|behind| behind.strip_prefix(b"+"));
    other.and_then(behind_text).is_some()
}

/// What stands behind the text without escapes that stands first.
fn behind_text(source: &[u8]) -> Option<&[u8]> {
    let (quote, text) = source.trim_ascii_start().split_first()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let end = memchr::memchr3(*quote, b'\\', b'\n', text).filter(|end| text[*end] == *quote)?;
    Some(text[end + 1..].trim_ascii_start())
}

/// Whether a value is given a name or handed to a function: not compared, no kind in a list of kinds, nothing looked up in it.
fn is_handed_on(before: &[u8], after: &[u8]) -> bool {
    let (before, after) = (before.trim_ascii_end(), after.trim_ascii_start());
    let is_given = before.ends_with(b"=")
        && ![&b"=="[..], b"!=", b">=", b"<="].iter().any(|sign| before.ends_with(sign));
    let is_argument = matches!(before.last(), Some(b'(')) && matches!(after.first(), Some(b',' | b')'));
    is_given && matches!(after.first(), None | Some(b',' | b';' | b')' | b'}')) || is_argument
}

/// Whether `.constructor` is that of a function by all that can be told from beside it: not an object's own (`this`, a
/// prototype), not compared or given another, none that `new` makes another object with, none that is asked for its name.
fn is_maker_of_functions(before: &[u8], after: &[u8]) -> bool {
    let next = after.trim_ascii_start();
    if let Some(member) = next.strip_prefix(b".") {
        let called: [&[u8]; 4] = [b"constructor", b"call", b"apply", b"bind"];
        return called.iter().any(|name| member.starts_with(name));
    }
    if matches!(next.first(), Some(b'=' | b'!' | b'?' | b'&' | b'|')) || next.starts_with(b"instanceof") {
        return false;
    }
    let is_of_base = |byte: &u8| is_of_name(*byte) || matches!(byte, b'.' | b'?');
    let base = before.len() - before.iter().rev().take_while(|byte| is_of_base(byte)).count();
    let (before, base) = before.split_at(base);
    let is_new = before.trim_ascii_end().ends_with(b"new");
    let is_own = base.ends_with(b"this") || base.ends_with(b"prototype") || base.ends_with(b"__proto__");
    !(is_own || (is_new && !base.is_empty()))
}

/// Whether the word is a text by which something is looked up, or a part of one, or given a name.
fn is_looked_up(before: &[u8], after: &[u8]) -> bool {
    let Some((quote, before)) = before.split_last() else { return false };
    matches!(quote, b'"' | b'\'' | b'`')
        && after.first() == Some(quote)
        && matches!(before.trim_ascii_end().last(), Some(b'[' | b'=' | b'+'))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_that_may_run_something_is_followed() {
        for program in [
            "eval(a)",
            "(0, eval)(a)",
            "globalThis.eval(a)",
            "eval('a' + b)",
            "eval('a\\nb')",
            "new Function('return ' + a)",
            "new Function('a', b)",
            "const F = Function; F(a)()",
            "let a,F=Function,b",
            "Reflect.construct(Function, [a])",
            "a.map(Function)",
            "require(a)",
            "require('child_process')",
            "require('child_' + 'process')",
            "a['ev' + 'al'](b)",
            "global[a](b)",
            "globalThis['\\145val'](b)",
            "''.constructor.constructor(a)",
            "[].map.constructor(a)()",
            "(() => {}).constructor(a)",
            "new (f.constructor)(a)",
            "const F = f.constructor; F(a)",
            "f['constructor'](a)",
            "const name = 'constructor'; ''[name][name](a)",
        ] {
            assert!(super::node(format!("{program}; request").as_bytes()), "{program}");
            assert!(!super::node(program.as_bytes()), "nothing comes from outside: {program}");
        }
    }

    #[test]
    fn one_that_runs_nothing_is_not() {
        for program in [
            "medieval, evaluate(a)",
            "eval('this')",
            "Function(\"return this\")()",
            "isFunction(a)",
            "a instanceof Function",
            "typeof a === Function",
            "({ type: Function, default: a })",
            "[String, Function, Object]",
            "F = Function.prototype",
            "require('http')",
            "a['x' + b]",
            "global['process'].env",
            "['a', 'b'].map(c)",
            "new this.constructor(a)",
            "new a.b.constructor(c)",
            "this.constructor.name",
            "A.prototype.constructor = A",
            "a.constructor === Object",
            "a.constructor && b",
            "({ key: 'constructor', value: a })",
            "a.hasOwnProperty(\"constructor\")",
            "class A { constructor(a) {} }",
        ] {
            assert!(!super::node(format!("{program}; request").as_bytes()), "{program}");
        }
    }

    #[test]
    fn a_program_of_python_that_may_run_something_is_followed() {
        for program in [
            "exec(a)",
            "e = eval",
            "execfile(a)",
            "os.execl(a, b)",
            "os.system(a)",
            "from os import system as s",
            "from os import *",
            "run = o.system; run(a)",
            "getattr(os, 'system')(a)",
            "getattr(os, 'sys' + 'tem')(a)",
            "getattr(os, '\\x73ystem')(a)",
            "getattr(os, a)(b)",
            "g = getattr",
            "getattr(__builtins__, a[0])(b)",
            "os.__dict__['sys' + 'tem'](a)",
            "os.popen(a)",
            "os.spawnl(0, a)",
            "pty.spawn(a)",
            "subprocess.run(a)",
            "import pickle as p; p.loads(a)",
            "import commands as c",
            "commands.getoutput(a)",
            "__import__(a)",
            "importlib.import_module(a)",
            "render_template_string(a)",
        ] {
            assert!(super::python(format!("{program}; request").as_bytes()), "{program}");
            assert!(super::python(format!("{program}; b64decode").as_bytes()), "{program}");
            assert!(!super::python(program.as_bytes()), "nothing comes from outside: {program}");
        }
        assert!(super::python(b"open(a, 'w'); request"));
        assert!(!super::python(b"open(a, 'w'); b64decode"), "what is hidden is written by every installer");
    }

    #[test]
    fn one_of_python_that_runs_nothing_is_not() {
        for program in [
            "executor.submit(a)",
            "medieval, evaluate(a)",
            "# the file system",
            "filesystem(a)",
            "platform.system()",
            "getattr(self, name)",
            "getattr(a.b, 'c', None)",
            "hasattr(a, b)",
            "setattr(a, b, c)",
            "the commands of a shell",
            "reopen(a)",
        ] {
            assert!(!super::python(format!("{program}; request").as_bytes()), "{program}");
        }
    }
}
