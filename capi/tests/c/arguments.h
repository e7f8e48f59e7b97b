/* What the generated calls of every function are given: see xtask/src/capi/nulls.rs. Each function is called in a child, so that
 * what a call does to an object is seen by the calls of that function alone. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "input.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Lengths and other numbers. */
#define NOTHING_SIZE ((size_t)0)
#define NOTHING_NUMBER 0
#define MOST_SIZE SIZE_MAX
#define MOST_NUMBER (~0ull)
#define SOME_SIZE ((size_t)512)
#define SOME_NUMBER 1

/* More than `SOME_SIZE` of the longest struct take, and than objects need. */
#define ROOM_LEN ((size_t)4 << 20)

static const char *vmcore, *kdump, *stream, *kernel_image;
static unsigned long calls;

static void *room(size_t size)
{
	void *at = mmap(NULL, ROOM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	*(size_t *)at = size;
	return at;
}

static const char *text(void)
{
	return "text";
}

static void works(kcap_status status, const char *what)
{
	if (status == KCAP_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, kcap_status_str(status));
	exit(2);
}

/* An object of the library's, in memory of its own size. */
#define OBJECT(type) ((type *)object(type##_size(), type##_align()))

/* The input that a child opened, one of each. */
static struct input *opened(const char *path)
{
	struct input *in = malloc(sizeof *in);

	if (!in || input_open(in, path) != 0)
		exit(2);
	return in;
}

#define ONCE(type, make)                                                                  \
	static type *a_##type(void)                                                       \
	{                                                                                 \
		static type *made;                                                        \
		if (!made) {                                                              \
			made = OBJECT(type);                                              \
			works(make, #type);                                               \
		}                                                                         \
		return made;                                                              \
	}

static struct input *core_input(void)
{
	static struct input *in;

	return in ? in : (in = opened(vmcore));
}

static struct input *kdump_input(void)
{
	static struct input *in;

	return in ? in : (in = opened(kdump));
}

static struct input *stream_input(void)
{
	static struct input *in;

	return in ? in : (in = opened(stream));
}

static kcap_elf_core *a_kcap_elf_core(void) { return core_input()->elf; }
static kcap_source *a_kcap_source(void) { return core_input()->source; }
static kcap_memory *a_kcap_memory(void) { return core_input()->memory; }
static kcap_kernel *a_kcap_kernel(void) { return core_input()->kernel; }
static kcap_kdump *a_kcap_kdump(void) { return kdump_input()->kdump; }
static kcap_flattened *a_kcap_flattened(void) { return stream_input()->flattened; }
static struct kcap_read_at *a_kcap_read_at(void) { return &core_input()->file; }

static int32_t discard(void *ctx, uint64_t offset, const uint8_t *bytes, size_t len)
{
	(void)ctx, (void)offset, (void)bytes, (void)len;
	return 0;
}

static struct kcap_write_at *a_kcap_write_at(void)
{
	static struct kcap_write_at write_at = { NULL, discard, NULL, 0 };

	return &write_at;
}

static kcap_status dumper_of(kcap_dumper *dumper)
{
	struct kcap_dump_options options = { .size = sizeof options };

	return kcap_dumper_init(dumper, kcap_dumper_size(), a_kcap_source(), NULL, &options, room(0), 1 << 20, NULL);
}

/* The first chunk of a dumper, which it keeps waiting for. */
static kcap_status chunk_of(kcap_dumper *dumper, kcap_chunk *chunk)
{
	uint32_t next = KCAP_NEXT_AGAIN;
	kcap_status status = KCAP_OK;

	while (!status && next == KCAP_NEXT_AGAIN)
		status = kcap_dumper_next_chunk(dumper, a_kcap_memory(), a_kcap_write_at(), chunk, kcap_chunk_size(), &next, NULL);
	return status ? status : next == KCAP_NEXT_CHUNK ? KCAP_OK : KCAP_ERR_STATE;
}

ONCE(kcap_dumper, dumper_of(made))
ONCE(kcap_chunk, chunk_of(a_kcap_dumper(), made))

static kcap_status encoded_of(kcap_encoded *encoded)
{
	struct kcap_encode_params params = { .size = sizeof params };
	kcap_status status = kcap_dumper_get_params(a_kcap_dumper(), &params);

	return status ? status : kcap_chunk_encode(a_kcap_chunk(), &params, a_kcap_memory(), room(0), params.scratch_bytes, room(0),
						    params.out_bytes, encoded, kcap_encoded_size(), NULL);
}

ONCE(kcap_scanner, kcap_scanner_init(made, kcap_scanner_size(), a_kcap_dumper(), NULL))
ONCE(kcap_scan_span, kcap_dumper_next_span(a_kcap_dumper(), a_kcap_memory(), made, kcap_scan_span_size(), NULL))
ONCE(kcap_scanned, kcap_scanner_scan(a_kcap_scanner(), a_kcap_scan_span(), a_kcap_memory(), room(0), KCAP_SPAN_WORDS, room(0),
				     ROOM_LEN, made, kcap_scanned_size(), NULL))

static kcap_status vmcoreinfo_of(kcap_vmcoreinfo *info)
{
	return kcap_source_vmcoreinfo(a_kcap_source(), info, kcap_vmcoreinfo_size());
}

static struct { uint8_t *at; size_t len; } file;

static void read_kernel_image(void)
{
	FILE *in = fopen(kernel_image, "rb");

	if (file.at)
		return;
	file.at = malloc(32 << 20);
	if (!in || !file.at || (file.len = fread(file.at, 1, 32 << 20, in)) == 0) {
		perror(kernel_image);
		exit(2);
	}
	fclose(in);
}

static kcap_status image_of(kcap_image *image)
{
	read_kernel_image();
	return kcap_image_init(image, kcap_image_size(), file.at, file.len, NULL);
}

static kcap_status object_of(kcap_object *object)
{
	size_t len;
	const uint8_t *bytes = kcap_purgatory_x86_64(&len);

	return kcap_object_init(object, kcap_object_size(), bytes, len, NULL);
}

/* A device tree with ten memory blocks, word by word. */
static kcap_status drmem_of(kcap_drmem *drmem)
{
	static const uint32_t words[] = {
		0xd00dfeed, 0xd3, 0x38, 0xb0, 0x28, 0x11, 0x10, 0, 0x23, 0x78,
		0, 0, 0, 0, 1, 0, 1, 0x69626d2c, 0x64796e61, 0x6d69632d,
		0x7265636f, 0x6e666967, 0x75726174, 0x696f6e2d, 0x6d656d6f, 0x72790000, 3, 8, 0, 0,
		0x10000000, 3, 0x1c, 0xd, 1, 0xa, 0, 0, 0x80000000, 0,
		8, 2, 2, 9, 0x69626d2c, 0x6c6d622d, 0x73697a65, 0x69626d, 0x2c64796e, 0x616d6963,
		0x2d6d656d, 0x6f72792d, 0x76320000,
	};
	static uint8_t tree[4096];
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++) {
		tree[4 * i] = (uint8_t)(words[i] >> 24);
		tree[4 * i + 1] = (uint8_t)(words[i] >> 16);
		tree[4 * i + 2] = (uint8_t)(words[i] >> 8);
		tree[4 * i + 3] = (uint8_t)words[i];
	}
	return kcap_drmem_init(drmem, kcap_drmem_size(), tree, sizeof tree, NULL);
}

ONCE(kcap_drmem, drmem_of(made))
ONCE(kcap_encoded, encoded_of(made))
ONCE(kcap_redaction, kcap_redaction_init(made, kcap_redaction_size(), NULL, 0, NULL, NULL, NULL, NULL, 0, NULL))
ONCE(kcap_vmcoreinfo, vmcoreinfo_of(made))
ONCE(kcap_image, image_of(made))
ONCE(kcap_object, object_of(made))
ONCE(kcap_live_pages, kcap_live_pages_init(made, kcap_live_pages_size()))
ONCE(kcap_memory_map, kcap_memory_map_init(made, kcap_memory_map_size(), room(0), 4096, NULL))
ONCE(kcap_versioned_map, kcap_versioned_map_init(made, kcap_versioned_map_size(), 4, room(0), 1 << 20, NULL))
ONCE(kcap_command_line, kcap_command_line_init(made, kcap_command_line_size(), room(0), 4096, "quiet", NULL))
ONCE(kcap_filter, kcap_filter_init(made, kcap_filter_size(), a_kcap_kernel(), 31, NULL))
ONCE(kcap_flattened_writer, kcap_flattened_writer_init(made, kcap_flattened_writer_size(), a_kcap_write_at(), NULL))
ONCE(kcap_input, kcap_input_init(made, kcap_input_size(), vmcore, NULL))
ONCE(kcap_kdump_join, kcap_kdump_join_init(made, kcap_kdump_join_size(), a_kcap_kdump(), room(0), ROOM_LEN, NULL))
ONCE(kcap_notes, kcap_notes_init_elf(made, kcap_notes_size(), a_kcap_elf_core(), NULL))
ONCE(kcap_output, kcap_output_init(made, kcap_output_size(), "output", KCAP_OUTPUT_OVERWRITE, NULL, 0, NULL))
ONCE(kcap_page_decoder, kcap_page_decoder_init(made, kcap_page_decoder_size(), NULL))
ONCE(kcap_rearrange, kcap_rearrange_init(made, kcap_rearrange_size(), a_kcap_flattened(), NULL))
ONCE(kcap_regions, kcap_regions_init(made, kcap_regions_size()))
ONCE(kcap_sha256, kcap_sha256_init(made, kcap_sha256_size()))
ONCE(kcap_stream, kcap_stream_init(made, kcap_stream_size(), NULL))
ONCE(kcap_verifier, kcap_verifier_init_kdump(made, kcap_verifier_size(), a_kcap_kdump(), room(0), ROOM_LEN, NULL))

static kcap_status plan_of(kcap_plan *plan)
{
	const struct kcap_range ram = { 0, (uint64_t)4 << 30, KCAP_RANGE_SYSTEM_RAM, 0 };
	struct kcap_plan_request request = { .size = sizeof request, .command_line = "quiet", .load = KCAP_LOAD_ORDINARY };

	read_kernel_image();
	works(kcap_memory_map_set(a_kcap_memory_map(), &ram, NULL), "memory map");
	request.kernel = file.at;
	request.kernel_len = file.len;
	request.memory = a_kcap_memory_map();
	return kcap_plan_init(plan, kcap_plan_size(), &request, room(0), KCAP_PLAN_MEMORY, NULL, NULL);
}

ONCE(kcap_plan, plan_of(made))

/* Calls one function in a child; a signal, and a check that failed, name it. */
static void in_child(const char *name, void (*calls_of)(void))
{
	int ended[2], status = 0;
	unsigned long made = 0;
	pid_t child;

	fflush(NULL);
	if (pipe(ended) != 0 || (child = fork()) < 0) {
		perror("fork");
		exit(2);
	}
	if (child == 0) {
		calls = 0;
		test_failures = 0;
		calls_of();
		if (write(ended[1], &calls, sizeof calls) != sizeof calls)
			exit(2);
		exit(test_failures != 0);
	}
	close(ended[1]);
	if (read(ended[0], &made, sizeof made) == sizeof made)
		calls += made;
	close(ended[0]);
	if (waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "%s: status %#x\n", name, status);
		test_failures++;
	}
}

/* Gives up every privilege: no call loads a kernel, or leaves this one. */
static void arguments_start(int argc, char **argv)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	if (argc != 5) {
		fputs("usage: nulls VMCORE KDUMP STREAM KERNEL\n", stderr);
		exit(64);
	}
	vmcore = argv[1], kdump = argv[2], stream = argv[3], kernel_image = argv[4];
	if (syscall(SYS_capset, &header, none) != 0) {
		perror("capset");
		exit(2);
	}
}

#endif
