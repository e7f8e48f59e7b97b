//! A C program that calls every function of the header with what no caller should give: every pointer NULL at once and each in
//! turn, every length 0, plausible and `SIZE_MAX`. A new function is in it as soon as the header has it; what each kind of
//! pointer is given otherwise is in `capi/tests/c/arguments.h`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::run::Outcome;
use crate::targets;

/// One function as the header declares it.
struct Function {
    name: String,
    answers_status: bool,
    /// Types, without the parameters' names.
    parameters: Vec<String>,
}

/// Writes the program to `source`.
pub(super) fn write(source: &Path) -> Outcome<()> {
    let header = fs::read_to_string(targets::workspace().join("include/kcapture.h"))?;
    let functions = functions(&header);
    let types = Types::of(&header);
    let mut program = String::from("#include \"test.h\"\n#include \"arguments.h\"\n");
    for function in &functions {
        program.push_str(&calls(function, &types)?);
    }
    program.push_str("\nint main(int argc, char **argv)\n{\n\targuments_start(argc, argv);\n");
    for function in &functions {
        writeln!(program, "\tin_child(\"{0}\", call_{0});", function.name)?;
    }
    writeln!(program, "\tprintf(\"nulls: %d functions, %lu calls\\n\", {}, calls);", functions.len())?;
    program.push_str("\treturn done(\"nulls\");\n}\n");
    fs::write(source, program)?;
    Ok(())
}

/// The calls of one function: with all pointers NULL, with each in turn, with none; each with every kind of number.
fn calls(function: &Function, types: &Types) -> Outcome<String> {
    let mut text = format!("\nstatic void call_{}(void)\n{{\n", function.name);
    let pointers: Vec<usize> = (0..function.parameters.len())
        .filter(|at| function.parameters.get(*at).is_some_and(|kind| kind.contains('*')))
        .collect();
    let all_null: Vec<usize> = pointers.clone();
    let mut cases: Vec<Vec<usize>> = vec![all_null];
    if pointers.len() > 1 {
        cases.extend(pointers.iter().map(|at| vec![*at]));
    }
    cases.push(Vec::new());
    for (case, nulls) in cases.iter().enumerate() {
        for mode in ["NOTHING", "MOST", "SOME"] {
            let arguments: Result<Vec<String>, _> = (0..)
                .zip(&function.parameters)
                .map(
                    |(at, kind)| {
                        if nulls.contains(&at) { Ok("NULL".into()) } else { argument(kind, mode, types) }
                    },
                )
                .collect();
            let call = format!("{}({})", function.name, arguments?.join(", "));
            // What needs an object says that there is none.
            let must_fail = case == 0 && function.answers_status && !pointers.is_empty();
            if must_fail {
                writeln!(text, "\tCHECK({call} != KCAP_OK);")?;
            } else {
                writeln!(
                    text,
                    "\t{};",
                    if function.answers_status { call } else { format!("(void){call}") }
                )?;
            }
            text.push_str("\tcalls++;\n");
        }
    }
    text.push_str("}\n");
    Ok(text)
}

/// What a parameter of this type is given.
fn argument(kind: &str, mode: &str, types: &Types) -> Outcome<String> {
    if !kind.contains('*') {
        return Ok(match kind {
            "size_t" => format!("{mode}_SIZE"),
            _ => format!("({kind}){mode}_NUMBER"),
        });
    }
    let pointee = kind.replace("const", "").replace("struct ", "").replace(['*', ' '], "");
    let levels = kind.matches('*').count();
    Ok(match pointee.as_str() {
        _ if levels > 1 => "room(0)".into(),
        "char" if kind.contains("const") => "text()".into(),
        name if types.opaque.contains(name) || CALLBACKS.contains(&name) => format!("a_{name}()"),
        name if types.sized.contains(name) => format!("room(sizeof(struct {name}))"),
        name if name.starts_with("kcap_") => "room(0)".into(),
        "void" | "char" | "uint8_t" | "size_t" | "uint32_t" | "uint64_t" | "int64_t" => "room(0)".into(),
        other => {
            return Err(
                format!("{other}: no argument of this type is known to xtask/src/capi/nulls.rs").into()
            );
        }
    })
}

/// Tables of callbacks, which work.
const CALLBACKS: [&str; 2] = ["kcap_read_at", "kcap_write_at"];

/// The structs of the header.
struct Types {
    /// Those that only the library knows the inside of.
    opaque: BTreeSet<String>,
    /// Those that start with their size.
    sized: BTreeSet<String>,
}

impl Types {
    fn of(header: &str) -> Self {
        let mut types = Self { opaque: BTreeSet::new(), sized: BTreeSet::new() };
        let mut opened = None;
        for line in header.lines() {
            let Some(name) = line.strip_prefix("typedef struct ") else {
                // The first member decides.
                if line.ends_with(';')
                    && let Some(name) = opened.take()
                    && line.trim() == "size_t size;"
                {
                    types.sized.insert(name);
                }
                continue;
            };
            if let Some(name) = name.strip_suffix(" {") {
                opened = Some(name.to_owned());
            } else if let Some((first, _)) = name.split_once(' ') {
                types.opaque.insert(first.to_owned());
            }
        }
        types
    }
}

/// Every function that the header declares.
fn functions(header: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    let (mut comment, mut declaration) = (false, String::new());
    for line in header.lines() {
        let starts = line.trim_start().starts_with("/*");
        comment |= starts;
        if comment {
            comment &= !line.trim_end().ends_with("*/");
        } else if !declaration.is_empty()
            || (line.contains("kcap_") && line.contains('(') && !line.starts_with([' ', '}']))
        {
            declaration.push_str(line.trim());
            declaration.push(' ');
            if line.ends_with(';') {
                functions.extend(function(&declaration));
                declaration.clear();
            }
        }
    }
    functions
}

fn function(declaration: &str) -> Option<Function> {
    let (before, after) = declaration.split_once('(')?;
    let name = before.rsplit([' ', '*']).next()?.to_owned();
    let list = after.rsplit_once(')')?.0;
    let kind = |parameter: &str| {
        let end = parameter.rfind([' ', '*']).map_or(0, |at| at + 1);
        parameter.get(..end).unwrap_or_default().trim().to_owned()
    };
    let parameters =
        list.split(',').map(str::trim).filter(|parameter| *parameter != "void").map(kind).collect();
    Some(Function { name, answers_status: before.starts_with("kcap_status "), parameters })
}
