/* Where every member of every public struct stands on 64-bit machines. A line that changes is a new soname; new ones are
 * written by `cargo xtask capi --write`. */
#include "test.h"

#define PINNED_SIZE(type, size) STATIC_ASSERT(sizeof(struct type) == size, #type)
#define PINNED(type, member, at) STATIC_ASSERT(offsetof(struct type, member) == at, #type "." #member)

PINNED_SIZE(kcap_error, 80);
PINNED(kcap_error, size, 0);
PINNED(kcap_error, status, 8);
PINNED(kcap_error, code, 12);
PINNED(kcap_error, offset, 16);
PINNED(kcap_error, value, 24);
PINNED(kcap_error, field, 32);

PINNED_SIZE(kcap_read_at, 24);
PINNED(kcap_read_at, ctx, 0);
PINNED(kcap_read_at, read_at, 8);
PINNED(kcap_read_at, size, 16);

PINNED_SIZE(kcap_write_at, 32);
PINNED(kcap_write_at, ctx, 0);
PINNED(kcap_write_at, write_at, 8);
PINNED(kcap_write_at, sync, 16);
PINNED(kcap_write_at, write_once, 24);

PINNED_SIZE(kcap_map_version, 16);
PINNED(kcap_map_version, epoch, 0);
PINNED(kcap_map_version, slot, 8);

PINNED_SIZE(kcap_version_observer, 16);
PINNED(kcap_version_observer, ctx, 0);
PINNED(kcap_version_observer, published, 8);

PINNED_SIZE(kcap_physical_bytes, 16);
PINNED(kcap_physical_bytes, ctx, 0);
PINNED(kcap_physical_bytes, bytes, 8);

PINNED_SIZE(kcap_phys_memory, 48);
PINNED(kcap_phys_memory, ctx, 0);
PINNED(kcap_phys_memory, page_size, 8);
PINNED(kcap_phys_memory, read, 16);
PINNED(kcap_phys_memory, view, 24);
PINNED(kcap_phys_memory, next_known, 32);
PINNED(kcap_phys_memory, next_held, 40);

PINNED_SIZE(kcap_log_reader, 16);
PINNED(kcap_log_reader, ctx, 0);
PINNED(kcap_log_reader, read, 8);

PINNED_SIZE(kcap_log_record, 56);
PINNED(kcap_log_record, seq, 0);
PINNED(kcap_log_record, ts_nsec, 8);
PINNED(kcap_log_record, text, 16);
PINNED(kcap_log_record, text_len, 24);
PINNED(kcap_log_record, caller_id, 32);
PINNED(kcap_log_record, has_seq, 36);
PINNED(kcap_log_record, has_ts, 40);
PINNED(kcap_log_record, has_caller, 44);
PINNED(kcap_log_record, cut, 48);
PINNED(kcap_log_record, reserved, 52);

PINNED_SIZE(kcap_log_sink, 24);
PINNED(kcap_log_sink, ctx, 0);
PINNED(kcap_log_sink, record, 8);
PINNED(kcap_log_sink, text, 16);

PINNED_SIZE(kcap_utsname, 390);
PINNED(kcap_utsname, sysname, 0);
PINNED(kcap_utsname, nodename, 65);
PINNED(kcap_utsname, release, 130);
PINNED(kcap_utsname, version, 195);
PINNED(kcap_utsname, machine, 260);
PINNED(kcap_utsname, domainname, 325);

PINNED_SIZE(kcap_pfn_range, 16);
PINNED(kcap_pfn_range, start, 0);
PINNED(kcap_pfn_range, end, 8);

PINNED_SIZE(kcap_text, 16);
PINNED(kcap_text, bytes, 0);
PINNED(kcap_text, len, 8);

PINNED_SIZE(kcap_vmcoreinfo_facts, 40);
PINNED(kcap_vmcoreinfo_facts, size, 0);
PINNED(kcap_vmcoreinfo_facts, page_size, 8);
PINNED(kcap_vmcoreinfo_facts, crash_time, 16);
PINNED(kcap_vmcoreinfo_facts, kernel_offset, 24);
PINNED(kcap_vmcoreinfo_facts, has_crash_time, 32);
PINNED(kcap_vmcoreinfo_facts, has_kernel_offset, 36);

PINNED_SIZE(kcap_elf_header, 48);
PINNED(kcap_elf_header, size, 0);
PINNED(kcap_elf_header, big_endian, 8);
PINNED(kcap_elf_header, bits, 12);
PINNED(kcap_elf_header, e_machine, 16);
PINNED(kcap_elf_header, e_flags, 20);
PINNED(kcap_elf_header, phnum, 24);
PINNED(kcap_elf_header, load_count, 28);
PINNED(kcap_elf_header, memory_end, 32);
PINNED(kcap_elf_header, missing_bytes, 40);

PINNED_SIZE(kcap_program_header, 56);
PINNED(kcap_program_header, p_type, 0);
PINNED(kcap_program_header, p_flags, 4);
PINNED(kcap_program_header, p_offset, 8);
PINNED(kcap_program_header, p_vaddr, 16);
PINNED(kcap_program_header, p_paddr, 24);
PINNED(kcap_program_header, p_filesz, 32);
PINNED(kcap_program_header, p_memsz, 40);
PINNED(kcap_program_header, p_align, 48);

PINNED_SIZE(kcap_elf_layout, 48);
PINNED(kcap_elf_layout, header_len, 0);
PINNED(kcap_elf_layout, phoff, 8);
PINNED(kcap_elf_layout, phentsize, 16);
PINNED(kcap_elf_layout, shoff, 24);
PINNED(kcap_elf_layout, shentsize, 32);
PINNED(kcap_elf_layout, headers_len, 40);

PINNED_SIZE(kcap_elf_notes, 24);
PINNED(kcap_elf_notes, offset, 0);
PINNED(kcap_elf_notes, len, 8);
PINNED(kcap_elf_notes, align, 16);

PINNED_SIZE(kcap_span, 16);
PINNED(kcap_span, start, 0);
PINNED(kcap_span, end, 8);

PINNED_SIZE(kcap_range, 24);
PINNED(kcap_range, start, 0);
PINNED(kcap_range, end, 8);
PINNED(kcap_range, kind, 16);
PINNED(kcap_range, reserved, 20);

PINNED_SIZE(kcap_map_note, 40);
PINNED(kcap_map_note, epoch, 0);
PINNED(kcap_map_note, sha256, 8);

PINNED_SIZE(kcap_map_change, 24);
PINNED(kcap_map_change, start, 0);
PINNED(kcap_map_change, end, 8);
PINNED(kcap_map_change, before, 16);
PINNED(kcap_map_change, after, 20);

PINNED_SIZE(kcap_kernel_image, 88);
PINNED(kcap_kernel_image, size, 0);
PINNED(kcap_kernel_image, image, 8);
PINNED(kcap_kernel_image, code, 24);
PINNED(kcap_kernel_image, rodata, 40);
PINNED(kcap_kernel_image, data, 56);
PINNED(kcap_kernel_image, bss, 72);

PINNED_SIZE(kcap_firmware_entry, 24);
PINNED(kcap_firmware_entry, start, 0);
PINNED(kcap_firmware_entry, end, 8);
PINNED(kcap_firmware_entry, kind, 16);

PINNED_SIZE(kcap_lmb_set, 24);
PINNED(kcap_lmb_set, base_addr, 0);
PINNED(kcap_lmb_set, seq_lmbs, 8);
PINNED(kcap_lmb_set, drc_index, 12);
PINNED(kcap_lmb_set, aa_index, 16);
PINNED(kcap_lmb_set, flags, 20);

PINNED_SIZE(kcap_lmb_change, 32);
PINNED(kcap_lmb_change, base_addr, 0);
PINNED(kcap_lmb_change, seq_lmbs, 8);
PINNED(kcap_lmb_change, clear, 12);
PINNED(kcap_lmb_change, set, 16);
PINNED(kcap_lmb_change, aa_index, 20);
PINNED(kcap_lmb_change, has_aa_index, 24);
PINNED(kcap_lmb_change, reserved, 28);

PINNED_SIZE(kcap_bzimage, 144);
PINNED(kcap_bzimage, size, 0);
PINNED(kcap_bzimage, protected_mode, 8);
PINNED(kcap_bzimage, protected_mode_len, 16);
PINNED(kcap_bzimage, payload, 24);
PINNED(kcap_bzimage, payload_len, 32);
PINNED(kcap_bzimage, kernel_version, 40);
PINNED(kcap_bzimage, kernel_version_len, 48);
PINNED(kcap_bzimage, setup_len, 56);
PINNED(kcap_bzimage, init_size, 64);
PINNED(kcap_bzimage, kernel_alignment, 72);
PINNED(kcap_bzimage, min_alignment, 80);
PINNED(kcap_bzimage, pref_address, 88);
PINNED(kcap_bzimage, cmdline_size, 96);
PINNED(kcap_bzimage, entry_64, 104);
PINNED(kcap_bzimage, version, 112);
PINNED(kcap_bzimage, xloadflags, 116);
PINNED(kcap_bzimage, relocatable, 120);
PINNED(kcap_bzimage, compression, 124);
PINNED(kcap_bzimage, kernel_info_size, 128);
PINNED(kcap_bzimage, kernel_info_size_total, 132);
PINNED(kcap_bzimage, setup_type_max, 136);
PINNED(kcap_bzimage, reserved, 140);

PINNED_SIZE(kcap_setup_header, 136);
PINNED(kcap_setup_header, size, 0);
PINNED(kcap_setup_header, hardware_subarch_data, 8);
PINNED(kcap_setup_header, setup_data, 16);
PINNED(kcap_setup_header, pref_address, 24);
PINNED(kcap_setup_header, syssize, 32);
PINNED(kcap_setup_header, realmode_swtch, 36);
PINNED(kcap_setup_header, code32_start, 40);
PINNED(kcap_setup_header, ramdisk_image, 44);
PINNED(kcap_setup_header, ramdisk_size, 48);
PINNED(kcap_setup_header, bootsect_kludge, 52);
PINNED(kcap_setup_header, cmd_line_ptr, 56);
PINNED(kcap_setup_header, initrd_addr_max, 60);
PINNED(kcap_setup_header, kernel_alignment, 64);
PINNED(kcap_setup_header, cmdline_size, 68);
PINNED(kcap_setup_header, hardware_subarch, 72);
PINNED(kcap_setup_header, payload_offset, 76);
PINNED(kcap_setup_header, payload_length, 80);
PINNED(kcap_setup_header, init_size, 84);
PINNED(kcap_setup_header, handover_offset, 88);
PINNED(kcap_setup_header, kernel_info_offset, 92);
PINNED(kcap_setup_header, root_flags, 96);
PINNED(kcap_setup_header, ram_size, 98);
PINNED(kcap_setup_header, vid_mode, 100);
PINNED(kcap_setup_header, root_dev, 102);
PINNED(kcap_setup_header, boot_flag, 104);
PINNED(kcap_setup_header, version, 106);
PINNED(kcap_setup_header, start_sys_seg, 108);
PINNED(kcap_setup_header, kernel_version, 110);
PINNED(kcap_setup_header, setup_move_size, 112);
PINNED(kcap_setup_header, heap_end_ptr, 114);
PINNED(kcap_setup_header, xloadflags, 116);
PINNED(kcap_setup_header, jump, 118);
PINNED(kcap_setup_header, header, 120);
PINNED(kcap_setup_header, setup_sects, 124);
PINNED(kcap_setup_header, type_of_loader, 125);
PINNED(kcap_setup_header, loadflags, 126);
PINNED(kcap_setup_header, ext_loader_ver, 127);
PINNED(kcap_setup_header, ext_loader_type, 128);
PINNED(kcap_setup_header, relocatable_kernel, 129);
PINNED(kcap_setup_header, min_alignment, 130);
PINNED(kcap_setup_header, reserved, 131);

PINNED_SIZE(kcap_elf_kernel, 88);
PINNED(kcap_elf_kernel, size, 0);
PINNED(kcap_elf_kernel, memory, 8);
PINNED(kcap_elf_kernel, entry, 24);
PINNED(kcap_elf_kernel, e_entry, 32);
PINNED(kcap_elf_kernel, pvh_entry, 40);
PINNED(kcap_elf_kernel, pvh_reloc_min, 48);
PINNED(kcap_elf_kernel, pvh_reloc_max, 56);
PINNED(kcap_elf_kernel, pvh_reloc_align, 64);
PINNED(kcap_elf_kernel, big_endian, 68);
PINNED(kcap_elf_kernel, bits, 72);
PINNED(kcap_elf_kernel, position_independent, 76);
PINNED(kcap_elf_kernel, is_linux, 80);
PINNED(kcap_elf_kernel, reserved, 84);

PINNED_SIZE(kcap_elf_load, 48);
PINNED(kcap_elf_load, paddr, 0);
PINNED(kcap_elf_load, vaddr, 8);
PINNED(kcap_elf_load, memsz, 16);
PINNED(kcap_elf_load, align, 24);
PINNED(kcap_elf_load, data, 32);
PINNED(kcap_elf_load, data_len, 40);

PINNED_SIZE(kcap_arm64_image, 64);
PINNED(kcap_arm64_image, size, 0);
PINNED(kcap_arm64_image, kernel, 8);
PINNED(kcap_arm64_image, kernel_len, 16);
PINNED(kcap_arm64_image, text_offset, 24);
PINNED(kcap_arm64_image, image_size, 32);
PINNED(kcap_arm64_image, file_len, 40);
PINNED(kcap_arm64_image, big_endian, 48);
PINNED(kcap_arm64_image, page_size, 52);
PINNED(kcap_arm64_image, anywhere, 56);
PINNED(kcap_arm64_image, reserved, 60);

PINNED_SIZE(kcap_riscv_image, 48);
PINNED(kcap_riscv_image, size, 0);
PINNED(kcap_riscv_image, kernel, 8);
PINNED(kcap_riscv_image, kernel_len, 16);
PINNED(kcap_riscv_image, text_offset, 24);
PINNED(kcap_riscv_image, image_size, 32);
PINNED(kcap_riscv_image, version, 40);
PINNED(kcap_riscv_image, reserved, 44);

PINNED_SIZE(kcap_uki, 72);
PINNED(kcap_uki, size, 0);
PINNED(kcap_uki, linux_image, 8);
PINNED(kcap_uki, linux_len, 16);
PINNED(kcap_uki, initrd, 24);
PINNED(kcap_uki, initrd_len, 32);
PINNED(kcap_uki, ucode, 40);
PINNED(kcap_uki, ucode_len, 48);
PINNED(kcap_uki, cmdline, 56);
PINNED(kcap_uki, cmdline_len, 64);

PINNED_SIZE(kcap_pe_section, 40);
PINNED(kcap_pe_section, data, 0);
PINNED(kcap_pe_section, data_len, 8);
PINNED(kcap_pe_section, offset, 16);
PINNED(kcap_pe_section, virtual_size, 24);
PINNED(kcap_pe_section, name, 28);

PINNED_SIZE(kcap_zboot, 40);
PINNED(kcap_zboot, size, 0);
PINNED(kcap_zboot, payload, 8);
PINNED(kcap_zboot, payload_len, 16);
PINNED(kcap_zboot, payload_offset, 24);
PINNED(kcap_zboot, uncompressed_len, 32);
PINNED(kcap_zboot, compression, 36);

PINNED_SIZE(kcap_boot_places, 72);
PINNED(kcap_boot_places, size, 0);
PINNED(kcap_boot_places, initrd, 8);
PINNED(kcap_boot_places, initrd_len, 16);
PINNED(kcap_boot_places, command_line, 24);
PINNED(kcap_boot_places, efi_systab, 32);
PINNED(kcap_boot_places, efi_memmap, 40);
PINNED(kcap_boot_places, efi_memmap_size, 48);
PINNED(kcap_boot_places, efi_memdesc_size, 52);
PINNED(kcap_boot_places, efi_memdesc_version, 56);
PINNED(kcap_boot_places, efi_loader_signature, 60);
PINNED(kcap_boot_places, e820_count, 64);
PINNED(kcap_boot_places, reserved, 68);

PINNED_SIZE(kcap_setup_data, 24);
PINNED(kcap_setup_data, data, 0);
PINNED(kcap_setup_data, len, 8);
PINNED(kcap_setup_data, kind, 16);
PINNED(kcap_setup_data, reserved, 20);

PINNED_SIZE(kcap_efi_runtime, 72);
PINNED(kcap_efi_runtime, size, 0);
PINNED(kcap_efi_runtime, runtime_map, 8);
PINNED(kcap_efi_runtime, runtime_map_count, 16);
PINNED(kcap_efi_runtime, systab, 24);
PINNED(kcap_efi_runtime, fw_vendor, 32);
PINNED(kcap_efi_runtime, runtime, 40);
PINNED(kcap_efi_runtime, config_table, 48);
PINNED(kcap_efi_runtime, smbios, 56);
PINNED(kcap_efi_runtime, loader_signature, 64);
PINNED(kcap_efi_runtime, reserved, 68);

PINNED_SIZE(kcap_e820_entry, 24);
PINNED(kcap_e820_entry, start, 0);
PINNED(kcap_e820_entry, end, 8);
PINNED(kcap_e820_entry, kind, 16);
PINNED(kcap_e820_entry, reserved, 20);

PINNED_SIZE(kcap_boot_segment, 80);
PINNED(kcap_boot_segment, size, 0);
PINNED(kcap_boot_segment, boot_params, 8);
PINNED(kcap_boot_segment, command_line, 16);
PINNED(kcap_boot_segment, e820, 24);
PINNED(kcap_boot_segment, e820_count, 32);
PINNED(kcap_boot_segment, efi, 40);
PINNED(kcap_boot_segment, setup_data, 48);
PINNED(kcap_boot_segment, setup_data_count, 56);
PINNED(kcap_boot_segment, initrd, 64);
PINNED(kcap_boot_segment, initrd_len, 72);

PINNED_SIZE(kcap_purgatory_region, 16);
PINNED(kcap_purgatory_region, start, 0);
PINNED(kcap_purgatory_region, len, 8);

PINNED_SIZE(kcap_purgatory_parameters, 368);
PINNED(kcap_purgatory_parameters, size, 0);
PINNED(kcap_purgatory_parameters, entry, 8);
PINNED(kcap_purgatory_parameters, boot_params, 16);
PINNED(kcap_purgatory_parameters, stack, 24);
PINNED(kcap_purgatory_parameters, digest, 32);
PINNED(kcap_purgatory_parameters, regions, 64);
PINNED(kcap_purgatory_parameters, backup_source, 320);
PINNED(kcap_purgatory_parameters, backup_copy, 336);
PINNED(kcap_purgatory_parameters, on_mismatch, 344);
PINNED(kcap_purgatory_parameters, skip_check, 348);
PINNED(kcap_purgatory_parameters, vga, 352);
PINNED(kcap_purgatory_parameters, serial_port, 356);
PINNED(kcap_purgatory_parameters, serial_baud, 360);
PINNED(kcap_purgatory_parameters, reserved, 364);

PINNED_SIZE(kcap_object_layout, 40);
PINNED(kcap_object_layout, size, 0);
PINNED(kcap_object_layout, file_len, 8);
PINNED(kcap_object_layout, mem_len, 16);
PINNED(kcap_object_layout, align, 24);
PINNED(kcap_object_layout, entry, 32);

PINNED_SIZE(kcap_symbol, 24);
PINNED(kcap_symbol, offset, 0);
PINNED(kcap_symbol, len, 8);
PINNED(kcap_symbol, has_bytes, 16);
PINNED(kcap_symbol, reserved, 20);

PINNED_SIZE(kcap_extent, 24);
PINNED(kcap_extent, mem, 0);
PINNED(kcap_extent, memsz, 8);
PINNED(kcap_extent, bufsz, 16);

PINNED_SIZE(kcap_region, 32);
PINNED(kcap_region, start, 0);
PINNED(kcap_region, bytes, 8);
PINNED(kcap_region, len, 16);
PINNED(kcap_region, kind, 24);
PINNED(kcap_region, reserved, 28);

PINNED_SIZE(kcap_note_buffer, 16);
PINNED(kcap_note_buffer, paddr, 0);
PINNED(kcap_note_buffer, len, 8);

PINNED_SIZE(kcap_kernel_text, 24);
PINNED(kcap_kernel_text, vaddr, 0);
PINNED(kcap_kernel_text, paddr, 8);
PINNED(kcap_kernel_text, len, 16);

PINNED_SIZE(kcap_direct_map, 24);
PINNED(kcap_direct_map, page_offset, 0);
PINNED(kcap_direct_map, phys_offset, 8);
PINNED(kcap_direct_map, end, 16);

PINNED_SIZE(kcap_backup, 24);
PINNED(kcap_backup, source, 0);
PINNED(kcap_backup, copy, 16);

PINNED_SIZE(kcap_elfcorehdr, 96);
PINNED(kcap_elfcorehdr, size, 0);
PINNED(kcap_elfcorehdr, memory, 8);
PINNED(kcap_elfcorehdr, cpu_notes, 16);
PINNED(kcap_elfcorehdr, cpu_notes_count, 24);
PINNED(kcap_elfcorehdr, vmcoreinfo, 32);
PINNED(kcap_elfcorehdr, text, 40);
PINNED(kcap_elfcorehdr, direct_map, 48);
PINNED(kcap_elfcorehdr, exclude, 56);
PINNED(kcap_elfcorehdr, exclude_count, 64);
PINNED(kcap_elfcorehdr, backup, 72);
PINNED(kcap_elfcorehdr, e_machine, 80);
PINNED(kcap_elfcorehdr, bits, 84);
PINNED(kcap_elfcorehdr, big_endian, 88);
PINNED(kcap_elfcorehdr, reserved, 92);

PINNED_SIZE(kcap_elfcorehdr_lengths, 24);
PINNED(kcap_elfcorehdr_lengths, size, 0);
PINNED(kcap_elfcorehdr_lengths, encoded_len, 8);
PINNED(kcap_elfcorehdr_lengths, phnum, 16);
PINNED(kcap_elfcorehdr_lengths, reserved, 20);

PINNED_SIZE(kcap_kernel_rules, 56);
PINNED(kcap_kernel_rules, size, 0);
PINNED(kcap_kernel_rules, crash_region, 8);
PINNED(kcap_kernel_rules, ram_pages, 24);
PINNED(kcap_kernel_rules, memory_limit, 32);
PINNED(kcap_kernel_rules, control_pages, 40);
PINNED(kcap_kernel_rules, e_machine, 48);
PINNED(kcap_kernel_rules, known_flags, 52);

PINNED_SIZE(kcap_load_image, 40);
PINNED(kcap_load_image, size, 0);
PINNED(kcap_load_image, segments, 8);
PINNED(kcap_load_image, segment_count, 16);
PINNED(kcap_load_image, entry, 24);
PINNED(kcap_load_image, flags, 32);
PINNED(kcap_load_image, reserved, 36);

PINNED_SIZE(kcap_refusal, 40);
PINNED(kcap_refusal, size, 0);
PINNED(kcap_refusal, value, 8);
PINNED(kcap_refusal, segment, 16);
PINNED(kcap_refusal, other, 24);
PINNED(kcap_refusal, kind, 32);
PINNED(kcap_refusal, code, 36);

PINNED_SIZE(kcap_plan_purgatory, 48);
PINNED(kcap_plan_purgatory, size, 0);
PINNED(kcap_plan_purgatory, object, 8);
PINNED(kcap_plan_purgatory, object_len, 16);
PINNED(kcap_plan_purgatory, profile, 24);
PINNED(kcap_plan_purgatory, on_mismatch, 28);
PINNED(kcap_plan_purgatory, skip_check, 32);
PINNED(kcap_plan_purgatory, serial_port, 36);
PINNED(kcap_plan_purgatory, serial_baud, 40);
PINNED(kcap_plan_purgatory, vga, 44);

PINNED_SIZE(kcap_plan_running, 32);
PINNED(kcap_plan_running, size, 0);
PINNED(kcap_plan_running, ram_pages, 8);
PINNED(kcap_plan_running, e_machine, 16);
PINNED(kcap_plan_running, known_flags, 20);
PINNED(kcap_plan_running, five_level, 24);
PINNED(kcap_plan_running, gib_pages, 28);

PINNED_SIZE(kcap_plan_request, 176);
PINNED(kcap_plan_request, size, 0);
PINNED(kcap_plan_request, kernel, 8);
PINNED(kcap_plan_request, kernel_len, 16);
PINNED(kcap_plan_request, initrd, 24);
PINNED(kcap_plan_request, initrd_len, 32);
PINNED(kcap_plan_request, command_line, 40);
PINNED(kcap_plan_request, memory, 48);
PINNED(kcap_plan_request, firmware, 56);
PINNED(kcap_plan_request, elfcorehdr, 64);
PINNED(kcap_plan_request, elfcorehdr_len, 72);
PINNED(kcap_plan_request, backup, 80);
PINNED(kcap_plan_request, purgatory, 88);
PINNED(kcap_plan_request, running, 96);
PINNED(kcap_plan_request, boot_params, 104);
PINNED(kcap_plan_request, efi, 112);
PINNED(kcap_plan_request, setup_data, 120);
PINNED(kcap_plan_request, setup_data_count, 128);
PINNED(kcap_plan_request, limits, 136);
PINNED(kcap_plan_request, elfcorehdr_room, 152);
PINNED(kcap_plan_request, acpi_rsdp, 160);
PINNED(kcap_plan_request, load, 168);
PINNED(kcap_plan_request, reserved, 172);

PINNED_SIZE(kcap_plan_segment, 72);
PINNED(kcap_plan_segment, size, 0);
PINNED(kcap_plan_segment, extent, 8);
PINNED(kcap_plan_segment, limits, 32);
PINNED(kcap_plan_segment, alignment, 48);
PINNED(kcap_plan_segment, kind, 56);
PINNED(kcap_plan_segment, reason, 60);
PINNED(kcap_plan_segment, in_digest, 64);
PINNED(kcap_plan_segment, bottom_up, 68);

PINNED_SIZE(kcap_burst, 40);
PINNED(kcap_burst, quiet, 0);
PINNED(kcap_burst, longest, 8);
PINNED(kcap_burst, first, 16);
PINNED(kcap_burst, last, 24);
PINNED(kcap_burst, count, 32);

PINNED_SIZE(kcap_process, 48);
PINNED(kcap_process, command, 0);
PINNED(kcap_process, unit, 8);
PINNED(kcap_process, locked, 16);
PINNED(kcap_process, pinned, 24);
PINNED(kcap_process, pid, 32);
PINNED(kcap_process, parent, 36);
PINNED(kcap_process, active, 40);
PINNED(kcap_process, reserved, 44);

PINNED_SIZE(kcap_open_file, 32);
PINNED(kcap_open_file, path, 0);
PINNED(kcap_open_file, pid, 8);
PINNED(kcap_open_file, kind, 12);
PINNED(kcap_open_file, major, 16);
PINNED(kcap_open_file, minor, 20);
PINNED(kcap_open_file, preserved, 24);
PINNED(kcap_open_file, reserved, 28);

PINNED_SIZE(kcap_preflight, 320);
PINNED(kcap_preflight, size, 0);
PINNED(kcap_preflight, processes, 8);
PINNED(kcap_preflight, process_count, 16);
PINNED(kcap_preflight, files, 24);
PINNED(kcap_preflight, file_count, 32);
PINNED(kcap_preflight, crash_segments, 40);
PINNED(kcap_preflight, crash_segment_count, 48);
PINNED(kcap_preflight, segments, 56);
PINNED(kcap_preflight, segment_count, 64);
PINNED(kcap_preflight, removable, 72);
PINNED(kcap_preflight, removable_count, 80);
PINNED(kcap_preflight, target, 88);
PINNED(kcap_preflight, crash_size, 96);
PINNED(kcap_preflight, crash_least, 104);
PINNED(kcap_preflight, crash_safe, 112);
PINNED(kcap_preflight, limit_panic, 120);
PINNED(kcap_preflight, limit_reboot, 128);
PINNED(kcap_preflight, ram, 136);
PINNED(kcap_preflight, hugetlb, 144);
PINNED(kcap_preflight, kho_scratch, 152);
PINNED(kcap_preflight, target_free, 160);
PINNED(kcap_preflight, dump_least, 168);
PINNED(kcap_preflight, dump_most, 176);
PINNED(kcap_preflight, unseen, 184);
PINNED(kcap_preflight, map_loaded, 192);
PINNED(kcap_preflight, map_now, 224);
PINNED(kcap_preflight, known, 256);
PINNED(kcap_preflight, service_manager, 260);
PINNED(kcap_preflight, checkpoint, 264);
PINNED(kcap_preflight, has_kexec, 268);
PINNED(kcap_preflight, crash_loaded, 272);
PINNED(kcap_preflight, loaded, 276);
PINNED(kcap_preflight, map_updated, 280);
PINNED(kcap_preflight, load_disabled, 284);
PINNED(kcap_preflight, locked_down, 288);
PINNED(kcap_preflight, kho_on, 292);
PINNED(kcap_preflight, kho_finalized, 296);
PINNED(kcap_preflight, live_update, 300);
PINNED(kcap_preflight, live_update_busy, 304);
PINNED(kcap_preflight, crash_cma, 308);
PINNED(kcap_preflight, target_encrypted, 312);
PINNED(kcap_preflight, target_keys, 316);

PINNED_SIZE(kcap_finding, 552);
PINNED(kcap_finding, process, 0);
PINNED(kcap_finding, path, 8);
PINNED(kcap_finding, path_len, 16);
PINNED(kcap_finding, check, 24);
PINNED(kcap_finding, verdict, 28);
PINNED(kcap_finding, managed, 32);
PINNED(kcap_finding, reserved, 36);
PINNED(kcap_finding, reason, 40);
PINNED(kcap_finding, remedy, 296);

PINNED_SIZE(kcap_finding_sink, 16);
PINNED(kcap_finding_sink, ctx, 0);
PINNED(kcap_finding_sink, found, 8);

PINNED_SIZE(kcap_flattened_facts, 32);
PINNED(kcap_flattened_facts, size, 0);
PINNED(kcap_flattened_facts, dump_size, 8);
PINNED(kcap_flattened_facts, extents, 16);
PINNED(kcap_flattened_facts, complete, 24);
PINNED(kcap_flattened_facts, reserved, 28);

PINNED_SIZE(kcap_stream_extent, 24);
PINNED(kcap_stream_extent, start, 0);
PINNED(kcap_stream_extent, end, 8);
PINNED(kcap_stream_extent, source, 16);

PINNED_SIZE(kcap_kdump_header, 536);
PINNED(kcap_kdump_header, size, 0);
PINNED(kcap_kdump_header, max_mapnr, 8);
PINNED(kcap_kdump_header, timestamp_sec, 16);
PINNED(kcap_kdump_header, timestamp_usec, 24);
PINNED(kcap_kdump_header, phys_base, 32);
PINNED(kcap_kdump_header, bitmap_1, 40);
PINNED(kcap_kdump_header, bitmap_2, 48);
PINNED(kcap_kdump_header, bitmap_len, 56);
PINNED(kcap_kdump_header, page_descs, 64);
PINNED(kcap_kdump_header, parts, 72);
PINNED(kcap_kdump_header, header_version, 80);
PINNED(kcap_kdump_header, status, 84);
PINNED(kcap_kdump_header, block_size, 88);
PINNED(kcap_kdump_header, sub_hdr_size, 92);
PINNED(kcap_kdump_header, bitmap_blocks, 96);
PINNED(kcap_kdump_header, nr_cpus, 100);
PINNED(kcap_kdump_header, dump_level, 104);
PINNED(kcap_kdump_header, split, 108);
PINNED(kcap_kdump_header, big_endian, 112);
PINNED(kcap_kdump_header, bits, 116);
PINNED(kcap_kdump_header, model, 120);
PINNED(kcap_kdump_header, total_ram_blocks, 124);
PINNED(kcap_kdump_header, device_blocks, 128);
PINNED(kcap_kdump_header, written_blocks, 132);
PINNED(kcap_kdump_header, current_cpu, 136);
PINNED(kcap_kdump_header, utsname, 140);
PINNED(kcap_kdump_header, reserved, 530);

PINNED_SIZE(kcap_kdump_region, 24);
PINNED(kcap_kdump_region, offset, 0);
PINNED(kcap_kdump_region, len, 8);
PINNED(kcap_kdump_region, part, 16);

PINNED_SIZE(kcap_kdump_part, 144);
PINNED(kcap_kdump_part, size, 0);
PINNED(kcap_kdump_part, input, 8);
PINNED(kcap_kdump_part, pfns, 16);
PINNED(kcap_kdump_part, phys_base, 32);
PINNED(kcap_kdump_part, start_pfn, 40);
PINNED(kcap_kdump_part, end_pfn, 48);
PINNED(kcap_kdump_part, max_mapnr, 56);
PINNED(kcap_kdump_part, vmcoreinfo, 64);
PINNED(kcap_kdump_part, notes, 88);
PINNED(kcap_kdump_part, eraseinfo, 112);
PINNED(kcap_kdump_part, dump_level, 136);
PINNED(kcap_kdump_part, split, 140);

PINNED_SIZE(kcap_page_desc, 24);
PINNED(kcap_page_desc, offset, 0);
PINNED(kcap_page_desc, size, 8);
PINNED(kcap_page_desc, flags, 12);
PINNED(kcap_page_desc, page_flags, 16);

PINNED_SIZE(kcap_join_progress, 32);
PINNED(kcap_join_progress, size, 0);
PINNED(kcap_join_progress, done, 8);
PINNED(kcap_join_progress, total, 16);
PINNED(kcap_join_progress, incomplete, 24);
PINNED(kcap_join_progress, reserved, 28);

PINNED_SIZE(kcap_kdump_places, 64);
PINNED(kcap_kdump_places, sub_header, 0);
PINNED(kcap_kdump_places, notes, 8);
PINNED(kcap_kdump_places, bitmap_1, 16);
PINNED(kcap_kdump_places, bitmap_2, 24);
PINNED(kcap_kdump_places, bitmap_len, 32);
PINNED(kcap_kdump_places, page_descs, 40);
PINNED(kcap_kdump_places, data, 48);
PINNED(kcap_kdump_places, sub_hdr_size, 56);
PINNED(kcap_kdump_places, bitmap_blocks, 60);

PINNED_SIZE(kcap_note, 56);
PINNED(kcap_note, offset, 0);
PINNED(kcap_note, desc_offset, 8);
PINNED(kcap_note, desc_len, 16);
PINNED(kcap_note, n_type, 20);
PINNED(kcap_note, n_namesz, 24);
PINNED(kcap_note, kind, 28);
PINNED(kcap_note, name, 32);

PINNED_SIZE(kcap_device_dump, 56);
PINNED(kcap_device_dump, data_offset, 0);
PINNED(kcap_device_dump, data_len, 8);
PINNED(kcap_device_dump, name, 12);

PINNED_SIZE(kcap_prstatus_layout, 32);
PINNED(kcap_prstatus_layout, len, 0);
PINNED(kcap_prstatus_layout, reg_offset, 8);
PINNED(kcap_prstatus_layout, reg_len, 16);
PINNED(kcap_prstatus_layout, bits, 24);
PINNED(kcap_prstatus_layout, reserved, 28);

PINNED_SIZE(kcap_prstatus, 24);
PINNED(kcap_prstatus, pr_reg, 0);
PINNED(kcap_prstatus, pr_reg_len, 8);
PINNED(kcap_prstatus, pr_pid, 16);
PINNED(kcap_prstatus, pr_cursig, 20);

PINNED_SIZE(kcap_x86_64_registers, 216);
PINNED(kcap_x86_64_registers, r15, 0);
PINNED(kcap_x86_64_registers, r14, 8);
PINNED(kcap_x86_64_registers, r13, 16);
PINNED(kcap_x86_64_registers, r12, 24);
PINNED(kcap_x86_64_registers, rbp, 32);
PINNED(kcap_x86_64_registers, rbx, 40);
PINNED(kcap_x86_64_registers, r11, 48);
PINNED(kcap_x86_64_registers, r10, 56);
PINNED(kcap_x86_64_registers, r9, 64);
PINNED(kcap_x86_64_registers, r8, 72);
PINNED(kcap_x86_64_registers, rax, 80);
PINNED(kcap_x86_64_registers, rcx, 88);
PINNED(kcap_x86_64_registers, rdx, 96);
PINNED(kcap_x86_64_registers, rsi, 104);
PINNED(kcap_x86_64_registers, rdi, 112);
PINNED(kcap_x86_64_registers, orig_rax, 120);
PINNED(kcap_x86_64_registers, rip, 128);
PINNED(kcap_x86_64_registers, cs, 136);
PINNED(kcap_x86_64_registers, eflags, 144);
PINNED(kcap_x86_64_registers, rsp, 152);
PINNED(kcap_x86_64_registers, ss, 160);
PINNED(kcap_x86_64_registers, fs_base, 168);
PINNED(kcap_x86_64_registers, gs_base, 176);
PINNED(kcap_x86_64_registers, ds, 184);
PINNED(kcap_x86_64_registers, es, 192);
PINNED(kcap_x86_64_registers, fs, 200);
PINNED(kcap_x86_64_registers, gs, 208);

PINNED_SIZE(kcap_qemu_segment, 24);
PINNED(kcap_qemu_segment, base, 0);
PINNED(kcap_qemu_segment, selector, 8);
PINNED(kcap_qemu_segment, limit, 12);
PINNED(kcap_qemu_segment, flags, 16);
PINNED(kcap_qemu_segment, reserved, 20);

PINNED_SIZE(kcap_qemu_cpu_state, 440);
PINNED(kcap_qemu_cpu_state, general, 0);
PINNED(kcap_qemu_cpu_state, rip, 128);
PINNED(kcap_qemu_cpu_state, rflags, 136);
PINNED(kcap_qemu_cpu_state, segments, 144);
PINNED(kcap_qemu_cpu_state, ldt, 288);
PINNED(kcap_qemu_cpu_state, tr, 312);
PINNED(kcap_qemu_cpu_state, gdt, 336);
PINNED(kcap_qemu_cpu_state, idt, 360);
PINNED(kcap_qemu_cpu_state, cr, 384);
PINNED(kcap_qemu_cpu_state, kernel_gs_base, 424);
PINNED(kcap_qemu_cpu_state, has_kernel_gs_base, 432);
PINNED(kcap_qemu_cpu_state, reserved, 436);

PINNED_SIZE(kcap_xen_crash_info, 88);
PINNED(kcap_xen_crash_info, major_version, 0);
PINNED(kcap_xen_crash_info, minor_version, 8);
PINNED(kcap_xen_crash_info, extra_version, 16);
PINNED(kcap_xen_crash_info, changeset, 24);
PINNED(kcap_xen_crash_info, compiler, 32);
PINNED(kcap_xen_crash_info, compile_date, 40);
PINNED(kcap_xen_crash_info, compile_time, 48);
PINNED(kcap_xen_crash_info, tainted, 56);
PINNED(kcap_xen_crash_info, xen_phys_start, 64);
PINNED(kcap_xen_crash_info, dom0_pfn_to_mfn_frame_list_list, 72);
PINNED(kcap_xen_crash_info, has_xen_phys_start, 80);
PINNED(kcap_xen_crash_info, has_frame_list_list, 84);

PINNED_SIZE(kcap_xen_crash_regs, 32);
PINNED(kcap_xen_crash_regs, cr0, 0);
PINNED(kcap_xen_crash_regs, cr2, 8);
PINNED(kcap_xen_crash_regs, cr3, 16);
PINNED(kcap_xen_crash_regs, cr4, 24);

PINNED_SIZE(kcap_memory_region, 24);
PINNED(kcap_memory_region, start, 0);
PINNED(kcap_memory_region, bytes, 8);
PINNED(kcap_memory_region, len, 16);

PINNED_SIZE(kcap_source_facts, 488);
PINNED(kcap_source_facts, size, 0);
PINNED(kcap_source_facts, page_size, 8);
PINNED(kcap_source_facts, end, 16);
PINNED(kcap_source_facts, notes_len, 24);
PINNED(kcap_source_facts, vmcoreinfo_offset, 32);
PINNED(kcap_source_facts, crash_time, 40);
PINNED(kcap_source_facts, phys_base, 48);
PINNED(kcap_source_facts, big_endian, 56);
PINNED(kcap_source_facts, bits, 60);
PINNED(kcap_source_facts, machine_bits, 64);
PINNED(kcap_source_facts, e_machine, 68);
PINNED(kcap_source_facts, e_flags, 72);
PINNED(kcap_source_facts, nr_cpus, 76);
PINNED(kcap_source_facts, left_out, 80);
PINNED(kcap_source_facts, incomplete, 84);
PINNED(kcap_source_facts, has_vmcoreinfo, 88);
PINNED(kcap_source_facts, loads, 92);
PINNED(kcap_source_facts, utsname, 96);
PINNED(kcap_source_facts, reserved, 486);

PINNED_SIZE(kcap_note_region, 32);
PINNED(kcap_note_region, input, 0);
PINNED(kcap_note_region, offset, 8);
PINNED(kcap_note_region, len, 16);
PINNED(kcap_note_region, align, 24);

PINNED_SIZE(kcap_no_mem_map, 64);
PINNED(kcap_no_mem_map, value, 0);
PINNED(kcap_no_mem_map, reason, 8);
PINNED(kcap_no_mem_map, reserved, 12);
PINNED(kcap_no_mem_map, key, 16);

PINNED_SIZE(kcap_kernel_facts, 96);
PINNED(kcap_kernel_facts, size, 0);
PINNED(kcap_kernel_facts, struct_page_size, 8);
PINNED(kcap_kernel_facts, memory_model, 16);
PINNED(kcap_kernel_facts, big_endian, 20);
PINNED(kcap_kernel_facts, bits, 24);
PINNED(kcap_kernel_facts, missing_rules, 28);
PINNED(kcap_kernel_facts, no_mem_map, 32);

PINNED_SIZE(kcap_missing_rule, 80);
PINNED(kcap_missing_rule, rule, 0);
PINNED(kcap_missing_rule, optional, 4);
PINNED(kcap_missing_rule, keeps_more, 8);
PINNED(kcap_missing_rule, reserved, 12);
PINNED(kcap_missing_rule, name, 16);
PINNED(kcap_missing_rule, key, 32);

PINNED_SIZE(kcap_mapping, 16);
PINNED(kcap_mapping, phys, 0);
PINNED(kcap_mapping, len, 8);

PINNED_SIZE(kcap_frame_ranges, 272);
PINNED(kcap_frame_ranges, frames, 0);
PINNED(kcap_frame_ranges, count, 8);
PINNED(kcap_frame_ranges, named, 16);

PINNED_SIZE(kcap_sections, 1112);
PINNED(kcap_sections, size, 0);
PINNED(kcap_sections, removed, 8);
PINNED(kcap_sections, offline, 280);
PINNED(kcap_sections, unreadable, 552);
PINNED(kcap_sections, missing, 824);
PINNED(kcap_sections, tells_online, 1096);
PINNED(kcap_sections, believed, 1100);
PINNED(kcap_sections, whole, 1104);
PINNED(kcap_sections, reserved, 1108);

PINNED_SIZE(kcap_counts, 304);
PINNED(kcap_counts, size, 0);
PINNED(kcap_counts, pages, 8);
PINNED(kcap_counts, left_out, 136);
PINNED(kcap_counts, total, 264);
PINNED(kcap_counts, blocks, 272);
PINNED(kcap_counts, bad_orders, 280);
PINNED(kcap_counts, first_bad_order_pfn, 288);
PINNED(kcap_counts, first_bad_order, 296);

PINNED_SIZE(kcap_findings, 1392);
PINNED(kcap_findings, size, 0);
PINNED(kcap_findings, doubt, 8);
PINNED(kcap_findings, doubt_witness, 12);
PINNED(kcap_findings, doubt_kind, 16);
PINNED(kcap_findings, missing_count, 20);
PINNED(kcap_findings, doubt_pages, 24);
PINNED(kcap_findings, doubt_sound, 32);
PINNED(kcap_findings, doubt_pfn, 40);
PINNED(kcap_findings, no_mem_map, 48);
PINNED(kcap_findings, missing, 112);

PINNED_SIZE(kcap_log_tally, 32);
PINNED(kcap_log_tally, size, 0);
PINNED(kcap_log_tally, records, 8);
PINNED(kcap_log_tally, lost, 16);
PINNED(kcap_log_tally, generation, 24);
PINNED(kcap_log_tally, reserved, 28);

PINNED_SIZE(kcap_secret, 32);
PINNED(kcap_secret, start, 0);
PINNED(kcap_secret, len, 8);
PINNED(kcap_secret, name, 16);
PINNED(kcap_secret, is_virtual, 24);
PINNED(kcap_secret, reserved, 28);

PINNED_SIZE(kcap_secret_pages, 32);
PINNED(kcap_secret_pages, bits, 0);
PINNED(kcap_secret_pages, len, 8);
PINNED(kcap_secret_pages, first, 16);
PINNED(kcap_secret_pages, name, 24);

PINNED_SIZE(kcap_chunk_facts, 56);
PINNED(kcap_chunk_facts, sequence, 0);
PINNED(kcap_chunk_facts, first, 8);
PINNED(kcap_chunk_facts, pages, 16);
PINNED(kcap_chunk_facts, count, 48);

PINNED_SIZE(kcap_encode_params, 64);
PINNED(kcap_encode_params, size, 0);
PINNED(kcap_encode_params, page_size, 8);
PINNED(kcap_encode_params, chunk_pages, 16);
PINNED(kcap_encode_params, out_bytes, 24);
PINNED(kcap_encode_params, scratch_bytes, 32);
PINNED(kcap_encode_params, compression, 40);
PINNED(kcap_encode_params, find_zero, 44);
PINNED(kcap_encode_params, fast, 48);
PINNED(kcap_encode_params, share_duplicates, 52);
PINNED(kcap_encode_params, redaction, 56);

PINNED_SIZE(kcap_fault, 16);
PINNED(kcap_fault, pfn, 0);
PINNED(kcap_fault, status, 8);
PINNED(kcap_fault, code, 12);

PINNED_SIZE(kcap_dump_options, 48);
PINNED(kcap_dump_options, size, 0);
PINNED(kcap_dump_options, level, 8);
PINNED(kcap_dump_options, compression, 12);
PINNED(kcap_dump_options, format, 16);
PINNED(kcap_dump_options, split_part, 20);
PINNED(kcap_dump_options, split_parts, 24);
PINNED(kcap_dump_options, fast, 28);
PINNED(kcap_dump_options, limit, 32);
PINNED(kcap_dump_options, share_duplicates, 40);
PINNED(kcap_dump_options, reserved, 44);

PINNED_SIZE(kcap_progress, 24);
PINNED(kcap_progress, done, 0);
PINNED(kcap_progress, total, 8);
PINNED(kcap_progress, phase, 16);
PINNED(kcap_progress, reserved, 20);

PINNED_SIZE(kcap_scan_span_facts, 24);
PINNED(kcap_scan_span_facts, sequence, 0);
PINNED(kcap_scan_span_facts, start, 8);
PINNED(kcap_scan_span_facts, end, 16);

PINNED_SIZE(kcap_report, 400);
PINNED(kcap_report, size, 0);
PINNED(kcap_report, known, 8);
PINNED(kcap_report, held, 16);
PINNED(kcap_report, kept, 24);
PINNED(kcap_report, saved, 32);
PINNED(kcap_report, zero, 40);
PINNED(kcap_report, lost, 48);
PINNED(kcap_report, written, 56);
PINNED(kcap_report, outcome, 64);
PINNED(kcap_report, reason, 68);
PINNED(kcap_report, asked_level, 72);
PINNED(kcap_report, level, 76);
PINNED(kcap_report, left_out, 80);
PINNED(kcap_report, incomplete, 84);
PINNED(kcap_report, fault_count, 88);
PINNED(kcap_report, reserved, 92);
PINNED(kcap_report, faults, 96);
PINNED(kcap_report, holes, 352);
PINNED(kcap_report, poisoned, 360);
PINNED(kcap_report, duplicates, 368);
PINNED(kcap_report, duplicate_bytes, 376);
PINNED(kcap_report, redacted_pages, 384);
PINNED(kcap_report, redacted_bytes, 392);

PINNED_SIZE(kcap_estimate, 48);
PINNED(kcap_estimate, size, 0);
PINNED(kcap_estimate, pages, 8);
PINNED(kcap_estimate, least_bytes, 16);
PINNED(kcap_estimate, most_bytes, 24);
PINNED(kcap_estimate, least_milliseconds, 32);
PINNED(kcap_estimate, most_milliseconds, 40);

PINNED_SIZE(kcap_verified, 56);
PINNED(kcap_verified, size, 0);
PINNED(kcap_verified, pages, 8);
PINNED(kcap_verified, right, 16);
PINNED(kcap_verified, lost, 24);
PINNED(kcap_verified, damaged, 32);
PINNED(kcap_verified, shared, 40);
PINNED(kcap_verified, next_pfn, 48);

PINNED_SIZE(kcap_file_identity, 16);
PINNED(kcap_file_identity, device, 0);
PINNED(kcap_file_identity, inode, 8);

PINNED_SIZE(kcap_load_segment, 32);
PINNED(kcap_load_segment, bytes, 0);
PINNED(kcap_load_segment, len, 8);
PINNED(kcap_load_segment, mem, 16);
PINNED(kcap_load_segment, memsz, 24);

PINNED_SIZE(kcap_kexec_state, 48);
PINNED(kcap_kexec_state, size, 0);
PINNED(kcap_kexec_state, crash_size, 8);
PINNED(kcap_kexec_state, elfcorehdr_size, 16);
PINNED(kcap_kexec_state, loaded, 24);
PINNED(kcap_kexec_state, crash_loaded, 28);
PINNED(kcap_kexec_state, hotplug_cpu, 32);
PINNED(kcap_kexec_state, hotplug_memory, 36);
PINNED(kcap_kexec_state, load_disabled, 40);
PINNED(kcap_kexec_state, reserved, 44);

PINNED_SIZE(kcap_crash_notes, 24);
PINNED(kcap_crash_notes, notes, 0);
PINNED(kcap_crash_notes, cpu, 16);
PINNED(kcap_crash_notes, reserved, 20);

PINNED_SIZE(kcap_kcore_load, 24);
PINNED(kcap_kcore_load, vaddr, 0);
PINNED(kcap_kcore_load, paddr, 8);
PINNED(kcap_kcore_load, len, 16);

int main(void)
{
	return done("layouts");
}
