//! The tasks of the project: `cargo xtask TASK`. Without a task it lists them.

mod run;
mod cache;
mod targets;
mod packages;
mod kernels;
mod machines;
mod initramfs;
mod guest;
mod vmcore;
mod oracles;

use run::Outcome;

const TASKS: &str = "\
cargo xtask TASK

  packages         check that the system packages of the tasks are there; install what is missing
  vmcore [NAME..]  crash real Debian kernels under QEMU and keep their vmcores in the user's cache folder
";

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match task(&arguments) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn task(arguments: &[&str]) -> Outcome<()> {
    match arguments {
        ["packages"] => packages::install(packages::ALL),
        ["vmcore", names @ ..] => vmcore::make(names),
        ["oracles", groups @ ..] => oracles::run(groups),
        _ => {
            print!("{TASKS}");
            Ok(())
        }
    }
}
