/* coredesc: what is in a dump. Lists its notes, its VMCOREINFO, its memory, and how many pages of each kind it holds. */
#include "input.h"

#include <inttypes.h>
#include <stdio.h>

/* Page frames that are judged at once: a bitmap of 8 KiB. */
#define WINDOW 65536

static int list_notes(const struct input *in, struct kcap_error *error)
{
	kcap_notes *notes = allocate(kcap_notes_size(), kcap_notes_align());
	struct kcap_note note;
	kcap_status status;
	int damaged = 0;

	if (in->elf)
		status = kcap_notes_init_elf(notes, kcap_notes_size(), in->elf, error);
	else
		status = kcap_notes_init_kdump(notes, kcap_notes_size(), in->kdump, error);
	if (status) {
		complain(in->path, error);
		return 1;
	}
	while ((status = kcap_notes_next(notes, &note, error)) != KCAP_END) {
		if (status) {
			/* The walk goes on with the next region of notes. */
			complain(in->path, error);
			damaged = 1;
			continue;
		}
		printf("note       %s type %#" PRIx32 ", %" PRIu32 " bytes at %#" PRIx64 "\n", note.name, note.n_type, note.desc_len,
		       note.desc_offset);
	}
	return damaged;
}

static void list_vmcoreinfo(const struct input *in)
{
	kcap_vmcoreinfo *info = allocate(kcap_vmcoreinfo_size(), kcap_vmcoreinfo_align());
	struct kcap_text key, value;
	size_t position = 0;

	if (kcap_source_vmcoreinfo(in->source, info, kcap_vmcoreinfo_size()) != KCAP_OK) {
		puts("vmcoreinfo none");
		return;
	}
	while (kcap_vmcoreinfo_next(info, &position, &key, &value) == KCAP_OK)
		printf("vmcoreinfo %.*s=%.*s\n", (int)key.len, key.bytes, (int)value.len, value.bytes);
}

static void set_bits(uint64_t *bits, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		bits[from / 64] |= (uint64_t)1 << (from % 64);
}

/* Judges the page frames of each window that the dump holds. */
static kcap_status count(struct input *in, kcap_filter *filter, struct kcap_error *error)
{
	static uint64_t bits[WINDOW / 64];
	uint8_t *scratch = allocate(KCAP_FILTER_SCRATCH, 8);
	struct kcap_pfn_range run;
	kcap_status status = kcap_memory_next_held(in->memory, 0, &run, error);

	while (status == KCAP_OK) {
		uint64_t start = run.start, end = start + WINDOW;

		for (size_t word = 0; word < WINDOW / 64; word++)
			bits[word] = 0;
		while (status == KCAP_OK && run.start < end) {
			set_bits(bits, run.start - start, (run.end < end ? run.end : end) - start);
			status = kcap_memory_next_held(in->memory, run.end < end ? run.end : end, &run, error);
		}
		if (status == KCAP_OK || status == KCAP_END) {
			kcap_status scanned = kcap_filter_scan(filter, in->memory, start, end, bits, WINDOW / 64, scratch,
							       KCAP_FILTER_SCRATCH, error);
			if (scanned)
				return scanned;
		}
	}
	return status == KCAP_END ? KCAP_OK : status;
}

static int list_kinds(struct input *in, struct kcap_error *error)
{
	struct kcap_kernel_facts facts = { .size = sizeof facts };
	struct kcap_counts counts = { .size = sizeof counts };
	kcap_filter *filter = allocate(kcap_filter_size(), kcap_filter_align());
	kcap_status status;

	if (!in->kernel || kcap_kernel_get_facts(in->kernel, &facts) || facts.memory_model == KCAP_MEMORY_MODEL_NONE) {
		puts("kinds      unknown: no struct page was found");
		return 0;
	}
	status = kcap_filter_init(filter, kcap_filter_size(), in->kernel, 0, error);
	if (!status)
		status = count(in, filter, error);
	if (!status)
		status = kcap_filter_get_counts(filter, &counts);
	if (status) {
		complain(in->path, error);
		return 1;
	}
	/* Zero pages are known by their content, which is not read here. */
	for (uint32_t kind = 0; kind <= KCAP_KIND_REMOVED; kind++) {
		if (kind != KCAP_KIND_ZERO)
			printf("kind       %s %" PRIu64 "\n", kcap_kind_str(kind), counts.pages[kind]);
	}
	return 0;
}

static int list_memory(struct input *in, struct kcap_error *error)
{
	struct kcap_pfn_range run;
	uint64_t from = 0, frames = 0;
	kcap_status status;

	while ((status = kcap_memory_next_held(in->memory, from, &run, error)) == KCAP_OK) {
		frames += run.end - run.start;
		from = run.end;
	}
	if (status != KCAP_END) {
		complain(in->path, error);
		return 1;
	}
	printf("memory     %" PRIu64 " page frames of %" PRIu64 " bytes held\n", frames, in->facts.page_size);
	return 0;
}

int main(int argc, char **argv)
{
	struct kcap_error error = { .size = sizeof error };
	struct input in;
	int failed;

	if (argc != 2) {
		fputs("usage: coredesc FILE\n", stderr);
		return 64;
	}
	if (input_open(&in, argv[1]) != 0)
		return 1;
	printf("format     %s%s, %" PRIu32 " bits, %s-endian\n", in.elf ? "ELF core" : "kdump-compressed",
	       in.flattened ? ", flattened" : "", in.facts.bits, in.facts.big_endian ? "big" : "little");
	if (in.facts.crash_time)
		printf("crash time %" PRId64 "\n", in.facts.crash_time);
	printf("CPUs       %" PRIu32 "\n", in.facts.nr_cpus);
	failed = list_notes(&in, &error);
	list_vmcoreinfo(&in);
	failed |= list_memory(&in, &error);
	failed |= list_kinds(&in, &error);
	return failed;
}
