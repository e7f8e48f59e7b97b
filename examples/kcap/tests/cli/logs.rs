//! `kcap dmesg` on simulated machines: three generations of the log, both byte orders, both word sizes.

use testkit::{Arch, Generation, LogRecord, Machine};

use crate::machine::{Folder, code, kcap_in, stderr, stdout};

const ARCHES: [Arch; 7] =
    [Arch::X86_64, Arch::I386, Arch::Arm64, Arch::Ppc64, Arch::Ppc64Le, Arch::S390x, Arch::Ppc];

#[test]
fn the_log_of_every_machine_and_generation_is_printed() {
    for arch in ARCHES {
        for generation in [Generation::Ringbuffer, Generation::Records, Generation::Flat] {
            // The shorter log fits in its ring, the longer one has gone around.
            for count in [1, 20, 500] {
                let machine = Machine::tiny(arch).log(generation, LogRecord::sample(count)).build();
                let folder = Folder::new();
                folder.write("vmcore", &machine.elf().to_vec());
                let output = kcap_in(&folder, "dmesg @vmcore");
                assert_eq!(code(&output), 0, "{arch:?} {generation:?}: {}", stderr(&output));
                assert_eq!(
                    Some(stdout(&output).as_str()),
                    machine.expected_log(),
                    "{arch:?} {generation:?} {count}"
                );
            }
        }
    }
}
