//! `capi/tests/c/layouts.c`: where every member of every public struct stands, as 64-bit programs were compiled to find it.
//! `cargo xtask capi --write` adds new ones; a line that changes there is a new soname.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::run::{Outcome, command, output, run};
use crate::targets;

/// A struct with its members.
struct Struct {
    name: String,
    members: Vec<String>,
}

/// Asks the compiler for every layout, and writes the file.
pub(super) fn write() -> Outcome<()> {
    let structs = structs()?;
    let folder = targets::folder()?.join("capi/programs");
    fs::create_dir_all(&folder)?;
    let (source, program) = (folder.join("print-layouts.c"), folder.join("print-layouts"));
    let mut printer = String::from("#include <kcapture.h>\n#include <stdio.h>\n\nint main(void)\n{\n");
    for Struct { name, members } in &structs {
        writeln!(printer, "\tprintf(\"\\nPINNED_SIZE({name}, %zu);\\n\", sizeof(struct {name}));")?;
        for member in members {
            writeln!(
                printer,
                "\tprintf(\"PINNED({name}, {member}, %zu);\\n\", offsetof(struct {name}, {member}));"
            )?;
        }
    }
    fs::write(&source, printer + "\treturn 0;\n}\n")?;
    let include = format!("-I{}", targets::workspace().join("include").display());
    run(command(&["gcc", "-std=c11", &include, "-o"]).arg(&program).arg(&source))?;
    let pinned = output(command(&[program]))?;
    fs::write(
        committed(),
        format!(
            "/* Where every member of every public struct stands on 64-bit machines. A line that changes is a new soname; new ones are\n * \
             written by `cargo xtask capi --write`. */\n#include \"test.h\"\n\n\
             #define PINNED_SIZE(type, size) STATIC_ASSERT(sizeof(struct type) == size, #type)\n\
             #define PINNED(type, member, at) STATIC_ASSERT(offsetof(struct type, member) == at, #type \".\" #member)\n\
             {pinned}\nint main(void)\n{{\n\treturn done(\"layouts\");\n}}\n"
        ),
    )?;
    Ok(())
}

/// Whether the file has every member of the header. That its numbers are right is for the compiler to say.
pub(super) fn check() -> Outcome<()> {
    let pinned = fs::read_to_string(committed())?;
    let structs = structs()?;
    for Struct { name, members } in &structs {
        let size = format!("PINNED_SIZE({name}, ");
        let lines = members.iter().map(|member| format!("PINNED({name}, {member}, "));
        if let Some(line) = lines.chain([size]).find(|line| !pinned.contains(line.as_str())) {
            return Err(format!("capi/tests/c/layouts.c: no {line}...): cargo xtask capi --write").into());
        }
    }
    println!("the layouts of {} structs are pinned", structs.len());
    Ok(())
}

fn committed() -> PathBuf {
    targets::workspace().join("capi/tests/c/layouts.c")
}

/// The structs of the header, hosted ones too.
fn structs() -> Outcome<Vec<Struct>> {
    let header = fs::read_to_string(targets::workspace().join("include/kcapture.h"))?;
    let mut structs = Vec::new();
    let (mut open, mut comment) = (None::<Struct>, false);
    for line in header.lines().map(str::trim) {
        comment |= line.starts_with("/*");
        if comment {
            comment &= !line.ends_with("*/");
        } else if let Some(name) =
            line.strip_prefix("typedef struct ").and_then(|line| line.strip_suffix(" {"))
        {
            open = Some(Struct { name: name.to_owned(), members: Vec::new() });
        } else if line.starts_with('}') {
            structs.extend(open.take());
        } else if let (Some(open), Some(member)) = (&mut open, member(line)) {
            open.members.push(member);
        }
    }
    Ok(structs)
}

/// The name that a declaration gives: of a function pointer, an array, or a plain member.
fn member(line: &str) -> Option<String> {
    let declaration = match line.split_once("(*") {
        Some((_, pointer)) => pointer.split_once(')')?.0,
        None => line.strip_suffix(';')?.split('[').next()?,
    };
    declaration.rsplit([' ', '*']).next().filter(|name| !name.is_empty()).map(str::to_owned)
}
