/*
 * crashload: kexec -p, -l and -u over libkcapture. Everything is planned here and checked as the running kernel will check it;
 * between the two kernels runs kcapture's own purgatory, which checks a SHA-256 of all that was loaded.
 */
#include <kcapture.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 64 };

/* An x86_64 kernel maps itself in the last 2 GiB; KASLR moves the linear mapping by whole GiB. */
#define KERNEL_MAPPING 0xffffffff80000000
#define GIB 0x40000000

struct bytes {
	uint8_t *at;
	size_t len;
};

/* What the running machine says of itself. */
struct machine {
	kcap_memory_map *map;
	struct kcap_kernel_image image;
	struct kcap_plan_running running;
	struct bytes boot_params;
	struct kcap_efi_runtime efi;
	uint64_t acpi_rsdp;
	struct bytes elfcorehdr;
};

static struct kcap_error error = { .size = sizeof error };

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "crashload: %s: %s", what, kcap_status_str(error.status));
	if (error.field[0])
		fprintf(stderr, ": %s", error.field);
	if (error.code)
		fprintf(stderr, ": %s", strerror(error.code));
	fputs("; nothing was loaded\n", stderr);
	exit(EXIT_FAILED);
}

/* Zeroed memory, aligned to more than any object of the library asks for. */
static void *memory(size_t len)
{
	void *at = aligned_alloc(64, (len / 64 + 1) * 64);

	if (!at) {
		fputs("crashload: out of memory\n", stderr);
		exit(EXIT_FAILED);
	}
	return memset(at, 0, len);
}

/* Everything that the kernel says in a file of /proc or /sys; `read` is given more room until it fits. */
static struct bytes running_file(const char *path, int must)
{
	struct bytes file = { NULL, 0 };
	size_t room = 4096;
	kcap_status status;

	do {
		free(file.at);
		room *= 2;
		file.at = memory(room + 1);
		status = kcap_running_read(NULL, path, file.at, room, &file.len, &error);
	} while (status == KCAP_ERR_BUFFER_TOO_SMALL);
	if (status && must)
		fail(path);
	if (status)
		file.len = 0;
	return file;
}

/* A whole file. */
static struct bytes file(const char *path)
{
	struct bytes file = { NULL, 0 };
	FILE *in = path ? fopen(path, "rb") : NULL;
	size_t room = 0, got = 0;

	if (!path)
		return file;
	while (in) {
		if (file.len == room) {
			room = room ? 2 * room : 1 << 20;
			file.at = realloc(file.at, room);
			if (!file.at)
				break;
		}
		got = fread(file.at + file.len, 1, room - file.len, in);
		if (got == 0)
			break;
		file.len += got;
	}
	if (!in || !file.at || ferror(in)) {
		perror(path);
		exit(EXIT_FAILED);
	}
	fclose(in);
	return file;
}

/* Whether the first CPU has a feature. */
static uint32_t cpu_has(const struct bytes *cpuinfo, const char *word)
{
	char *flags = strstr((char *)cpuinfo->at, "\nflags"), *end = flags ? strchr(flags + 1, '\n') : NULL, *at;
	size_t len = strlen(word);

	for (at = flags; at && (at = strstr(at, word)) && at < end; at += len) {
		if (at[-1] == ' ' && (at[len] == ' ' || at[len] == '\n'))
			return 1;
	}
	return 0;
}

static void read_memory(struct machine *machine)
{
	struct bytes iomem = running_file("proc/iomem", 1);
	size_t lines = 1, i, table;

	/* Painting a range over another one leaves at most two pieces more. */
	for (i = 0; i < iomem.len; i++)
		lines += iomem.at[i] == '\n';
	table = 24 * (2 * lines + 1);
	machine->map = memory(kcap_memory_map_size());
	machine->image.size = sizeof machine->image;
	if (kcap_memory_map_init(machine->map, kcap_memory_map_size(), memory(table), table, &error) ||
	    kcap_memory_map_read_iomem(machine->map, (char *)iomem.at, iomem.len, &machine->image, &error))
		fail("/proc/iomem");
}

static uint32_t le32(const uint8_t *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* EFI's runtime services, where the running kernel was told of them. */
static void read_efi(struct machine *machine)
{
	struct kcap_efi_runtime *efi = &machine->efi;
	size_t room = 64 << 10;
	uint8_t *map = memory(room), *info = machine->boot_params.at + 0x1c0;	/* boot_params.efi_info */

	if (kcap_running_efi_table(NULL, "ACPI20", &machine->acpi_rsdp))
		kcap_running_efi_table(NULL, "ACPI", &machine->acpi_rsdp);
	if (!machine->boot_params.len || kcap_running_efi_number(NULL, "fw_vendor", &efi->fw_vendor) ||
	    kcap_running_efi_number(NULL, "config_table", &efi->config_table) ||
	    kcap_running_efi_runtime_map(NULL, map, room, &efi->runtime_map_count, &error) || !efi->runtime_map_count)
		return;
	efi->size = sizeof *efi;
	efi->runtime_map = map;
	efi->systab = le32(info + 4) | (uint64_t)le32(info + 24) << 32;
	memcpy(efi->loader_signature, info, sizeof efi->loader_signature);
	/* Newer kernels do not say the first, and do not need it. */
	kcap_running_efi_number(NULL, "runtime", &efi->runtime);
	kcap_running_efi_table(NULL, "SMBIOS", &efi->smbios);
}

static void read_machine(struct machine *machine)
{
	struct bytes cpuinfo = running_file("proc/cpuinfo", 0), meminfo = running_file("proc/meminfo", 0);
	const char *total = strstr((char *)meminfo.at, "MemTotal:");

	read_memory(machine);
	machine->running.size = sizeof machine->running;
	machine->running.ram_pages = total ? strtoull(total + 9, NULL, 10) / 4 : 0;
	machine->running.five_level = cpu_has(&cpuinfo, "la57");
	machine->running.gib_pages = cpu_has(&cpuinfo, "pdpe1gb");
	machine->boot_params.at = memory(KCAP_BOOT_PARAMS_LEN);
	if (kcap_running_boot_params(NULL, machine->boot_params.at, KCAP_BOOT_PARAMS_LEN, &machine->boot_params.len, &error))
		machine->boot_params.len = 0;
	read_efi(machine);
}

/* Where the kernel runs, and where it maps all memory: a debugger starts from there. */
static void read_mappings(const struct machine *machine, struct kcap_elfcorehdr *header)
{
	static struct kcap_kernel_text text;
	static struct kcap_direct_map direct;
	struct kcap_kcore_load loads[64];
	const struct kcap_kernel_image *image = &machine->image;
	uint64_t symbol = 0, lowest = UINT64_MAX;
	size_t count = 0, i;

	if (kcap_running_kcore_loads(NULL, loads, 64, &count, &error))
		return;
	if (kcap_running_symbol(NULL, "_text", &symbol))
		kcap_running_symbol(NULL, "_stext", &symbol);
	for (i = 0; i < count; i++) {
		if (loads[i].vaddr < KERNEL_MAPPING && loads[i].vaddr < lowest)
			lowest = loads[i].vaddr;
		if (loads[i].vaddr >= KERNEL_MAPPING && symbol - loads[i].vaddr < loads[i].len && image->code.end) {
			text = (struct kcap_kernel_text){ loads[i].vaddr, image->code.start, loads[i].len };
			header->text = &text;
		}
	}
	if (lowest != UINT64_MAX) {
		direct = kcap_direct_map_x86_64(lowest & ~(uint64_t)(GIB - 1));
		header->direct_map = &direct;
	}
}

/* The header of /proc/vmcore in the capture kernel. */
static void make_elfcorehdr(struct machine *machine)
{
	static const struct kcap_span low_memory = { 0, 0x100000 };
	static struct kcap_crash_notes cpus[4096];
	static struct kcap_note_buffer notes[4096], vmcoreinfo;
	struct kcap_elfcorehdr header = { .size = sizeof header, .memory = machine->map, .cpu_notes = notes,
					  .exclude = &low_memory, .exclude_count = 1, .e_machine = KCAP_EM_X86_64 };
	struct kcap_elfcorehdr_lengths lengths = { .size = sizeof lengths };
	size_t i;

	if (kcap_running_crash_notes(NULL, cpus, 4096, &header.cpu_notes_count, &error))
		fail("/sys/devices/system/cpu");
	for (i = 0; i < header.cpu_notes_count; i++)
		notes[i] = cpus[i].notes;
	if (kcap_running_vmcoreinfo(NULL, &vmcoreinfo) == KCAP_OK)
		header.vmcoreinfo = &vmcoreinfo;
	read_mappings(machine, &header);
	if (kcap_elfcorehdr_measure(&header, &lengths, &error))
		fail("elfcorehdr");
	machine->elfcorehdr.at = memory(lengths.encoded_len);
	if (kcap_elfcorehdr_encode(&header, machine->elfcorehdr.at, lengths.encoded_len, &machine->elfcorehdr.len, &error))
		fail("elfcorehdr");
}

/* The running kernel's command line without what only its own loader and its own crash region are about, then `more`. */
static char *reused_line(const char *more, int crash)
{
	struct bytes line = running_file("proc/cmdline", 1);
	char *out = memory(line.len + strlen(more) + 2), *at = (char *)line.at, *to = out;

	while (*at) {
		size_t len = 0, name = strcspn(at, "= \n");
		int quoted = 0;

		for (; at[len] && (quoted || !strchr(" \n", at[len])); len++)
			quoted ^= at[len] == '"';
		if (len && !(name == 10 && !strncmp(at, "BOOT_IMAGE", 10)) && !(name == 10 && !strncmp(at, "elfcorehdr", 10)) &&
		    !(crash && name == 11 && !strncmp(at, "crashkernel", 11)))
			to += sprintf(to, "%.*s ", (int)len, at);
		at += len + (at[len] != '\0');
	}
	strcpy(to, more);
	return out;
}

static int load(struct machine *machine, uint32_t kind, const char *kernel, const char *initrd, const char *line)
{
	struct bytes image = file(kernel), ram_disk = file(initrd);
	uint8_t seed[32];
	struct kcap_setup_data seeds = { seed, sizeof seed, KCAP_SETUP_RNG_SEED, 0 };
	struct kcap_plan_request request = { .size = sizeof request, .kernel = image.at, .kernel_len = image.len,
					     .initrd = ram_disk.at, .initrd_len = ram_disk.len, .command_line = line,
					     .memory = machine->map, .running = &machine->running, .setup_data = &seeds,
					     .setup_data_count = 1, .acpi_rsdp = machine->acpi_rsdp, .load = kind };
	struct kcap_refusal refusal = { .size = sizeof refusal };
	size_t room = KCAP_PLAN_MEMORY + strlen(line), scratch_len;
	kcap_plan *plan = memory(kcap_plan_size());
	uint8_t *scratch;
	char text[512];

	if (getrandom(seed, sizeof seed, 0) != sizeof seed)
		request.setup_data_count = 0;
	if (machine->boot_params.len)
		request.boot_params = machine->boot_params.at;
	if (machine->efi.size)
		request.efi = &machine->efi;
	if (kind == KCAP_LOAD_CRASH) {
		make_elfcorehdr(machine);
		request.elfcorehdr = machine->elfcorehdr.at;
		request.elfcorehdr_len = machine->elfcorehdr.len;
	}
	if (kcap_plan_init(plan, kcap_plan_size(), &request, memory(room), room, &refusal, &error)) {
		if (error.status == KCAP_ERR_REFUSED && !kcap_refusal_text(&refusal, text, sizeof text, NULL))
			fail(text);
		fail(kernel);
	}
	scratch_len = kcap_plan_scratch_len(plan);
	scratch = memory(scratch_len);
	if (kcap_plan_encode(plan, scratch, scratch_len, NULL, &error))
		fail("purgatory");
	if (kcap_kexec_load_plan(plan, scratch, scratch_len, &error)) {
		if (kcap_kexec_explain(KCAP_CALL_LOAD, error.code, text, sizeof text, NULL))
			fail("kexec_load");
		fail(text);
	}
	return EXIT_DONE;
}

static int unload(uint32_t kind)
{
	if (kcap_kexec_load(0, NULL, 0, kind == KCAP_LOAD_CRASH ? KCAP_KEXEC_ON_CRASH : 0, &error))
		fail("kexec_load");
	return EXIT_DONE;
}

static int usage(void)
{
	fputs("usage: crashload -p | -l [--initrd=FILE] [--append=LINE] [--reuse-cmdline] KERNEL\n"
	      "       crashload -u [-p]\n", stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "load-panic", no_argument, NULL, 'p' }, { "load", no_argument, NULL, 'l' },
		{ "unload", no_argument, NULL, 'u' }, { "initrd", required_argument, NULL, 'i' },
		{ "append", required_argument, NULL, 'a' }, { "command-line", required_argument, NULL, 'a' },
		{ "reuse-cmdline", no_argument, NULL, 'r' }, { 0 },
	};
	const char *initrd = NULL, *line = "";
	int option, panic = 0, ordinary = 0, forget = 0, reuse = 0;
	struct machine machine = { 0 };
	uint32_t kind;

	while ((option = getopt_long(argc, argv, "plu", options, NULL)) != -1) {
		switch (option) {
		case 'p': panic = 1; break;
		case 'l': ordinary = 1; break;
		case 'u': forget = 1; break;
		case 'i': initrd = optarg; break;
		case 'a': line = optarg; break;
		case 'r': reuse = 1; break;
		default: return usage();
		}
	}
	kind = panic ? KCAP_LOAD_CRASH : KCAP_LOAD_ORDINARY;
	if (panic && ordinary)
		return usage();
	if (forget)
		return optind == argc ? unload(kind) : usage();
	if (panic + ordinary != 1 || optind + 1 != argc)
		return usage();
	read_machine(&machine);
	if (reuse)
		line = reused_line(line, panic);
	return load(&machine, kind, argv[optind], initrd, line);
}
