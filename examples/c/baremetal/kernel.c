/*
 * A kernel that dumps its own memory, without an operating system and without an allocator: it makes an elfcorehdr of the memory
 * map that QEMU gives it (PVH), reads itself through it as a capture kernel would read /proc/vmcore, and writes all pages but those
 * of zeros as a flattened stream to the debug console, QEMU's I/O port 0xe9.
 *
 * Its command line is the text that it puts in the page at KEPT.
 */
#define KCAPTURE_FREESTANDING
#include <kcapture.h>

#define DEBUGCON 0xe9		/* -debugcon file:... */
#define SERIAL 0x3f8		/* messages */
#define DEBUG_EXIT 0xf4		/* -device isa-debug-exit: QEMU ends with twice the number and 1 */
#define PAGE 4096
#define LOW_MEMORY 0x100000	/* firmware's, and left out: the elfcorehdr stands there in the dump */
#define KEPT 0x1800000		/* a page of memory that nothing else uses */

/* struct hvm_start_info of xen/include/public/arch-x86/hvm/start_info.h, and an entry of its memory map. */
struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, memory_map;
	uint32_t memory_map_entries, reserved;
};

struct memory_map_entry {
	uint64_t start, len;
	uint32_t type, reserved;
};

static void out8(uint16_t port, uint8_t byte)
{
	__asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"(port));
}

static void print(const char *text)
{
	while (*text)
		out8(SERIAL, (uint8_t)*text++);
}

static _Noreturn void end(uint8_t code)
{
	out8(DEBUG_EXIT, code);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* All that the library asks of the program. */
_Noreturn void abort(void)
{
	print("abort\n");
	end(2);
}

void *memcpy(void *to, const void *from, size_t len)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
	return start;
}

void *memset(void *to, int byte, size_t len)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t len)
{
	uint8_t *last_to = (uint8_t *)to + len - 1;
	const uint8_t *last_from = (const uint8_t *)from + len - 1;

	if ((uintptr_t)to - (uintptr_t)from >= len)
		return memcpy(to, from, len);
	__asm__ volatile("std; rep movsb; cld" : "+D"(last_to), "+S"(last_from), "+c"(len) : : "memory");
	return to;
}

int memcmp(const void *one, const void *other, size_t len)
{
	const uint8_t *a = one, *b = other;

	for (; len > 0; a++, b++, len--) {
		if (*a != *b)
			return *a - *b;
	}
	return 0;
}

static struct kcap_error error = { .size = sizeof error };

static void check(const char *what, kcap_status status)
{
	if (status == KCAP_OK)
		return;
	print(what);
	print(": ");
	print(kcap_status_str(status));
	print(" ");
	print(error.field);
	print("\n");
	end(1);
}

/* Memory for the library's objects: taken from the front, never given back. */
static uint8_t arena[4 << 20] __attribute__((aligned(64)));
static size_t taken;

static void *take(size_t len)
{
	void *at = arena + taken;

	if (len > sizeof arena - taken)
		check("arena", KCAP_ERR_BUFFER_TOO_SMALL);
	taken += (len + 63) & ~(size_t)63;
	return at;
}

/* The dump's input: the elfcorehdr, then all memory at its own address. */
static struct {
	uint8_t *bytes;
	size_t len;
} header;

static int32_t read_memory(void *ctx, uint64_t offset, uint8_t *buf, size_t len)
{
	const uint8_t *from = (const uint8_t *)(uintptr_t)offset;

	(void)ctx;
	if (offset < header.len) {
		if (len > header.len - offset)
			return 1;
		from = header.bytes + offset;
	}
	memcpy(buf, from, len);
	return 0;
}

/* The dump's output: bytes in order. */
static int32_t write_port(void *ctx, uint64_t offset, const uint8_t *bytes, size_t len)
{
	uint64_t *position = ctx;

	if (offset != *position)
		return 1;
	*position += len;
	__asm__ volatile("rep outsb" : "+S"(bytes), "+c"(len) : "d"((uint16_t)DEBUGCON) : "memory");
	return 0;
}

static const char vmcoreinfo[] = "OSRELEASE=kcapture-baremetal\nPAGESIZE=4096\nCRASHTIME=1\n";

/* What a first kernel does: the map of its memory, its notes, and the header that tells a capture kernel of both. */
static void make_elfcorehdr(const struct start_info *info)
{
	const struct memory_map_entry *entry = (const struct memory_map_entry *)(uintptr_t)info->memory_map;
	static const struct kcap_span low_memory = { 0, LOW_MEMORY };
	struct kcap_elfcorehdr elfcorehdr = { .size = sizeof elfcorehdr, .exclude = &low_memory, .exclude_count = 1,
					      .e_machine = KCAP_EM_X86_64, .bits = 64 };
	struct kcap_elfcorehdr_lengths lengths = { .size = sizeof lengths };
	kcap_memory_map *map = take(kcap_memory_map_size());
	struct kcap_note_buffer notes;
	uint8_t *note = take(PAGE);
	size_t len = 0;

	check("memory map", kcap_memory_map_init(map, kcap_memory_map_size(), take(PAGE), PAGE, &error));
	for (uint32_t i = 0; i < info->memory_map_entries; i++, entry++) {
		struct kcap_range range = { entry->start, entry->start + entry->len,
					    entry->type == 1 ? KCAP_RANGE_SYSTEM_RAM : KCAP_RANGE_RESERVED, 0 };

		check("memory map", kcap_memory_map_set(map, &range, &error));
	}
	check("note", kcap_note_encode("VMCOREINFO", 0, (const uint8_t *)vmcoreinfo, sizeof vmcoreinfo - 1, 0, note, PAGE, &len,
				       &error));
	notes = (struct kcap_note_buffer){ (uintptr_t)note, len };
	elfcorehdr.memory = map;
	elfcorehdr.vmcoreinfo = &notes;
	check("elfcorehdr", kcap_elfcorehdr_measure(&elfcorehdr, &lengths, &error));
	header.bytes = take(lengths.encoded_len);
	check("elfcorehdr", kcap_elfcorehdr_encode(&elfcorehdr, header.bytes, lengths.encoded_len, &header.len, &error));
}

/* What a capture kernel does: opens that header as its vmcore, and writes a dump of it. */
static void dump(void)
{
	const struct kcap_read_at input = { 0, read_memory, 0 };
	const struct kcap_dump_options options = { .size = sizeof options, .level = KCAP_LEVEL_ZERO,
						   .compression = KCAP_COMPRESSION_LZO };
	struct kcap_report report = { .size = sizeof report };
	struct kcap_write_at port = { take(sizeof(uint64_t)), write_port, 0, 1 }, records;
	kcap_elf_core *core = take(kcap_elf_core_size());
	kcap_source *source = take(kcap_source_size());
	kcap_memory *memory = take(kcap_memory_size());
	kcap_dumper *dumper = take(kcap_dumper_size());
	kcap_flattened_writer *writer = take(kcap_flattened_writer_size());
	kcap_status status;
	size_t work;

	check("core", kcap_elf_core_init(core, kcap_elf_core_size(), &input, take(PAGE), PAGE, &error));
	check("source", kcap_source_init_elf(source, kcap_source_size(), core, take(PAGE), PAGE, &error));
	work = kcap_memory_elf_work(core);
	check("memory", kcap_memory_init_elf(memory, kcap_memory_size(), core, PAGE, take(work), work, &error));
	work = 1 << 20;
	check("dumper", kcap_dumper_init(dumper, kcap_dumper_size(), source, 0, &options, take(work), work, &error));
	check("stream", kcap_flattened_writer_init(writer, kcap_flattened_writer_size(), &port, &error));
	check("stream", kcap_flattened_writer_output(writer, &records));
	do {
		status = kcap_dumper_step(dumper, memory, &records, 0, &error);
	} while (status == KCAP_OK);
	check("dump", status == KCAP_END ? KCAP_OK : status);
	check("stream", kcap_flattened_writer_finish(writer, &error));
	check("report", kcap_dumper_get_report(dumper, &report));
	if (report.outcome != KCAP_OUTCOME_COMPLETE)
		check("outcome", KCAP_ERR_STATE);
}

void kernel(const struct start_info *info);

void kernel(const struct start_info *info)
{
	const char *text = (const char *)(uintptr_t)info->command_line;
	size_t len = 0;

	if (info->magic != 0x336ec578 || info->version < 1)
		check("PVH start info", KCAP_ERR_UNSUPPORTED);
	while (text[len])
		len++;
	/* The page that the dump must hold, among pages of zeros that it leaves out. */
	for (size_t at = 0; len && at < PAGE; at += len)
		memcpy((uint8_t *)KEPT + at, text, len < PAGE - at ? len : PAGE - at);
	make_elfcorehdr(info);
	dump();
	print("dumped\n");
	end(0);
}
