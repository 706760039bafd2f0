//! PHP's functions that call others, with what they are given.

use std::rc::Rc;

use super::functions;
use crate::detectors::webshell::flow::{Call, Flow};
use crate::detectors::webshell::value::{Key, Value};

/// Items of a list that a callback is called with one by one.
pub(super) const MAX_ITEMS: usize = 64;

pub(super) fn call(flow: &mut Flow<'_>, name: &str, call: &Call<'_>) -> Option<Value> {
    let last = call.args.len().saturating_sub(1);
    let (callee, data): (usize, Vec<usize>) = match name {
        "array_map" => return Some(map(flow, call)),
        "call_user_func"
        | "forward_static_call"
        | "register_shutdown_function"
        | "register_tick_function" => {
            let args: Vec<Value> = call.args.iter().skip(1).cloned().collect();
            return Some(flow.call_value(&call.arg(0), &args, call.line));
        }
        "call_user_func_array" | "forward_static_call_array" => {
            let list = call.arg(1);
            let args = match list.items() {
                Some(items) => items.items().iter().map(|(_, item)| item.clone()).collect(),
                None => vec![list.derived()],
            };
            return Some(flow.call_value(&call.arg(0), &args, call.line));
        }
        "array_filter" | "array_walk" | "array_walk_recursive" | "array_reduce" | "usort" | "uasort" => {
            (1, vec![0])
        }
        "preg_replace_callback_array" => {
            let matched = Value::tainted(call.arg(1).taint);
            for callee in items(&call.arg(0)) {
                flow.call_value(
                    &callee,
                    &[[matched.clone(), matched.clone()].into_iter().collect()],
                    call.line,
                );
            }
            return Some(call.arg(1).derived());
        }
        "uksort" => {
            let keys = functions::call(
                "array_keys",
                &Call { args: &call.args[..1.min(call.args.len())], line: call.line },
            );
            for key in items(&keys.unwrap_or_default()) {
                flow.call_value(&call.arg(1), &[key.clone(), key], call.line);
            }
            return Some(call.arg(0).derived());
        }
        "preg_replace_callback" | "mb_ereg_replace_callback" => {
            let matched = Value { taint: call.arg(2).taint, ..Value::default() };
            let matched: Value = [matched.clone(), matched].into_iter().collect();
            flow.call_value(&call.arg(1), &[matched], call.line);
            return Some(call.arg(2).derived());
        }
        "array_udiff"
        | "array_uintersect"
        | "array_diff_ukey"
        | "array_diff_uassoc"
        | "array_intersect_ukey"
        | "array_intersect_uassoc"
        | "array_udiff_assoc"
        | "array_udiff_uassoc"
        | "array_uintersect_assoc"
        | "array_uintersect_uassoc"
            if last > 0 =>
        {
            (last, (0..last).collect())
        }
        "iterator_apply" => (1, vec![2]),
        "ob_start" => {
            if !call.args.is_empty() {
                flow.set_shared("->output", call.arg(0));
            }
            return Some(Value::default());
        }
        "set_error_handler" | "set_exception_handler" => {
            flow.set_shared("->error-handler", call.arg(0));
            return Some(Value::default());
        }
        "filter_var" | "filter_var_array" => return Some(filter(flow, call)),
        _ => return None,
    };
    let callee = call.arg(callee);
    for place in data {
        let arg = call.arg(place);
        for item in items(&arg) {
            // What sorts takes two, what walks takes the key and what it is given, too.
            let mut args = vec![item.clone()];
            match name {
                "array_walk" | "array_walk_recursive" => args.extend([arg.derived(), call.arg(2)]),
                "array_filter" => {}
                "array_reduce" => args.insert(0, call.arg(2)),
                _ => args.push(item),
            }
            flow.call_value(&callee, &args, call.line);
        }
    }
    Some(call.arg(0).derived())
}

/// The items of a list, or what they are made of if they are not known.
pub(super) fn items(value: &Value) -> Vec<Value> {
    match value.items() {
        Some(list) => list.items().iter().take(MAX_ITEMS).map(|(_, item)| item.clone()).collect(),
        None => vec![value.derived()],
    }
}

fn map(flow: &mut Flow<'_>, call: &Call<'_>) -> Value {
    let (callee, lists) = (call.arg(0), &call.args[1.min(call.args.len())..]);
    let Some(first) = lists.first() else { return Value::default() };
    match first.items() {
        Some(list) if lists.len() == 1 => {
            let mut results = Vec::new();
            for (key, item) in list.items() {
                let result = flow.call_value(&callee, std::slice::from_ref(item), call.line);
                results.push((Some(key.clone()), result));
            }
            Value::list(results)
        }
        _ => {
            let args: Vec<Value> =
                lists.iter().map(|list| items(list).into_iter().next().unwrap_or_default()).collect();
            flow.call_value(&callee, &args, call.line);
            call.derived()
        }
    }
}

/// `filter_var(value, FILTER_CALLBACK, ['options' => callback])`.
fn filter(flow: &mut Flow<'_>, call: &Call<'_>) -> Value {
    let how = call.arg(1).path.clone();
    let options = call.arg(2);
    let option = options.items().and_then(|list| list.get(&Key::Text(Rc::from(&b"options"[..]))).cloned());
    if let Some(callback) = option.filter(|_| how.as_deref() == Some("FILTER_CALLBACK")) {
        return flow.call_value(&callback, &[call.arg(0)], call.line);
    }
    match how.as_deref() {
        Some(filter) if filter.contains("VALIDATE") || filter.contains("NUMBER") => Value::default(),
        _ => call.arg(0).derived(),
    }
}
