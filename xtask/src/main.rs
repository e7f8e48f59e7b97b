//! The tasks of the project: `cargo xtask TASK`. Without a task it lists them.

mod run;
mod targets;
mod cache;
mod packages;
mod kernels;
mod machines;
mod initramfs;
mod guest;
mod boot;
mod vmcore;
mod oracles;
mod layers;
mod oldest;
mod miri;
mod load;
mod fastboot;
mod preflight;
mod drmem;
mod purgatory;
mod purgatory_run;
mod objects;
mod header;
mod capi;
mod panics;
mod deb;
mod hostile;
mod bench;
mod demo;
mod fuzz;
mod test;

use run::Outcome;

const TASKS: &str = "\
cargo xtask TASK

  demo              boot a real kernel, crash it, save it with kcap, open the dump with crash
  test              everything: format, layers, clippy, unit tests, other targets, real vmcores, oracles
  ci                the same
  layers            check which crates and modules import which
  vmcore [NAME..]   crash real Debian kernels under QEMU; keep their vmcores in the user's cache folder
  load [NAME..]     load crash kernels with kcap in six machines, crash them, compare with kexec-tools and the kernel's own
                    loader, change loaded bytes, take memory away, add some; --full: in all 32
  fastboot          leave one kernel for another: how long it takes, beside a cold boot
  preflight         boot a Debian with systemd; what kcap says of who has /dev/mem open there, by hand and as a service
  drmem             add memory to a pseries guest and take it away; what its kernel then says in the device tree must be what
                    kexec-core makes of the tree before
  oracles [GROUP..] what crash, drgn, makedumpfile and others say of dumps of those vmcores
  purgatory [--write]  build the object that runs between two kernels, compare it with the committed one, check it
  purgatory --run   run the object under QEMU, before a sound kernel and a damaged one
  objects           link objects of six machines with kexec-core and with ld, and compare
  header [--write]  make include/kcapture.h of capi/, compare it with the committed one
  capi [NAME..]     build libkcapture, hosted and freestanding; check its symbols, and the C programs over it: all, or
                    tests, baremetal, examples, crash
  capi --write      write its lists of symbols and of layouts
  capi --install PREFIX [LIBDIR]  build it, and put library, header and kcapture.pc below PREFIX (and below DESTDIR)
  panics            build the freestanding library and the purgatory, and show which panics their functions can reach:
                    none beyond those in include/panics
  miri              run unit tests of the crates with unsafe code, and of the shared memory map, under Miri
  oldest            check the libraries with the oldest compiler that is promised
  hostile           give every case of the hostile corpus to every command of kcap, within limits of memory and time
  deb               build the Debian packages, and a program with what is in them
  bench [ROUNDS]    measure kcap and makedumpfile side by side on real vmcores; write docs/performance.md
  bench drmem       measure changes to lists of memory blocks beside rebuilding the list, and to maps; print those sections of the page
  fuzz [TARGET..]   run the targets of fuzz/ under libFuzzer, ten minutes each, two at a time: --minutes N, --jobs J, --smoke
                    (ten seconds each)
  packages          check that the system packages of the tasks are there; install what is missing
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
        ["demo"] => demo::run(),
        ["test" | "ci"] => test::run_all(),
        ["layers"] => layers::check(),
        ["purgatory"] => purgatory::run_task(false),
        ["purgatory", "--write"] => purgatory::run_task(true),
        ["purgatory", "--run"] => purgatory_run::run_all(),
        ["objects"] => objects::compare_all(),
        ["header"] => header::make(false),
        ["header", "--write"] => header::make(true),
        ["capi", "--write"] => capi::write_symbols(),
        ["capi", "--install", words @ ..] => capi::install(words),
        ["capi", names @ ..] => capi::check(names),
        ["miri"] => miri::check(),
        ["oldest"] => oldest::check(),
        ["panics"] => panics::check().map(drop),
        ["hostile"] => hostile::run_all(),
        ["deb"] => deb::build(),
        ["bench"] => bench::run("9"),
        ["bench", "drmem"] => bench::drmem(),
        ["bench", rounds] => bench::run(rounds),
        ["fuzz", words @ ..] => fuzz::run_task(words),
        ["packages"] => packages::install(&packages::all()),
        ["load"] => load::run_all(false),
        ["load", "--full"] => load::run_all(true),
        ["load", names @ ..] => load::run_named(names),
        ["fastboot"] => fastboot::run(),
        ["preflight"] => preflight::run_task(),
        ["drmem"] => drmem::compare(),
        ["vmcore", names @ ..] => vmcore::make(names),
        ["oracles", groups @ ..] => oracles::run(groups).map(drop),
        _ => {
            print!("{TASKS}");
            Ok(())
        }
    }
}
