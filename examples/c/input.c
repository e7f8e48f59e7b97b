/* Opens a dump: an ELF core, a kdump-compressed file, or a flattened stream of either. */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for VMCOREINFO. Kernels leave a few KiB. */
#define TEXT_LEN (1 << 20)

void *allocate(size_t size, size_t align)
{
	size_t unit = align < 16 ? 16 : align;
	void *memory = aligned_alloc(unit, (size / unit + 1) * unit);

	if (!memory) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return memset(memory, 0, size);
}

void complain(const char *what, const struct kcap_error *error)
{
	fprintf(stderr, "%s: %s", what, kcap_status_str(error->status));
	if (error->field[0])
		fprintf(stderr, ": %s (offset %#llx, value %#llx)", error->field, (unsigned long long)error->offset,
			(unsigned long long)error->value);
	if (error->code)
		fprintf(stderr, ": %s", strerror(error->code));
	fputc('\n', stderr);
}

/* The stream's table grows until it fits: its size is known only after it was read. */
static kcap_status open_flattened(struct input *in, struct kcap_error *error)
{
	size_t len = kcap_flattened_size(), table_len = 0;
	kcap_status status;

	in->flattened = allocate(len, kcap_flattened_align());
	do {
		void *table = allocate(table_len, 8);

		status = kcap_flattened_init(in->flattened, len, &in->file, table, table_len, error);
		if (status != KCAP_ERR_BUFFER_TOO_SMALL || error->value <= table_len)
			break;
		free(table);
		table_len = error->value;
		/* An entry stands for at least 5 bytes of the file. */
	} while (table_len / 5 <= in->file.size(in->file.ctx));
	return status ? status : kcap_flattened_reader(in->flattened, &in->dump);
}

static kcap_status open_elf(struct input *in, struct kcap_error *error)
{
	size_t len = kcap_elf_core_size(), table_len = 0, work;
	kcap_status status;

	in->elf = allocate(len, kcap_elf_core_align());
	status = kcap_elf_core_init(in->elf, len, &in->dump, allocate(0, 8), 0, error);
	if (status == KCAP_ERR_BUFFER_TOO_SMALL) {
		table_len = error->value;
		status = kcap_elf_core_init(in->elf, len, &in->dump, allocate(table_len, 8), table_len, error);
	}
	if (!status)
		status = kcap_source_init_elf(in->source, kcap_source_size(), in->elf, allocate(TEXT_LEN, 1), TEXT_LEN, error);
	if (!status)
		status = kcap_source_get_facts(in->source, &in->facts, error);
	if (status)
		return status;
	work = kcap_memory_elf_work(in->elf);
	return kcap_memory_init_elf(in->memory, kcap_memory_size(), in->elf, in->facts.page_size, allocate(work, 8), work, error);
}

static kcap_status open_kdump(struct input *in, struct kcap_error *error)
{
	const struct kcap_read_at *inputs[] = { &in->dump };
	size_t work = kcap_kdump_work(1);
	kcap_status status;

	in->kdump = allocate(kcap_kdump_size(), kcap_kdump_align());
	status = kcap_kdump_init(in->kdump, kcap_kdump_size(), inputs, 1, 0, allocate(work, 8), work, error);
	if (!status)
		status = kcap_source_init_kdump(in->source, kcap_source_size(), in->kdump, allocate(TEXT_LEN, 1), TEXT_LEN, error);
	if (!status)
		status = kcap_source_get_facts(in->source, &in->facts, error);
	if (status)
		return status;
	work = kcap_memory_kdump_work(in->kdump);
	return kcap_memory_init_kdump(in->memory, kcap_memory_size(), in->kdump, allocate(work, 8), work, error);
}

int input_open(struct input *in, const char *path)
{
	struct kcap_flattened_facts stream = { .size = sizeof stream };
	struct kcap_error error = { .size = sizeof error };
	kcap_input *file = allocate(kcap_input_size(), kcap_input_align());
	kcap_status status;

	*in = (struct input){ .path = path, .facts.size = sizeof in->facts };
	status = kcap_input_init(file, kcap_input_size(), path, &error);
	if (status) {
		complain(path, &error);
		return -1;
	}
	kcap_input_reader(file, &in->file);
	kcap_input_identity(file, &in->identity);
	in->dump = in->file;
	in->source = allocate(kcap_source_size(), kcap_source_align());
	in->memory = allocate(kcap_memory_size(), kcap_memory_align());
	if (kcap_input_kind(&in->file) == KCAP_INPUT_FLATTENED)
		status = open_flattened(in, &error);
	in->kind = kcap_input_kind(&in->dump);
	if (!status && in->kind == KCAP_INPUT_ELF) {
		status = open_elf(in, &error);
	} else if (!status && in->kind == KCAP_INPUT_KDUMP) {
		status = open_kdump(in, &error);
	} else if (!status) {
		fprintf(stderr, "%s: neither an ELF core, nor kdump-compressed, nor a flattened stream of either\n", path);
		return -1;
	}
	if (status) {
		complain(path, &error);
		return -1;
	}
	/* What the dump in a stream that was cut off does not know. */
	if (in->flattened && kcap_flattened_get_facts(in->flattened, &stream) == KCAP_OK && !stream.complete)
		kcap_source_set_incomplete(in->source);
	in->kernel = allocate(kcap_kernel_size(), kcap_kernel_align());
	if (kcap_kernel_init(in->kernel, kcap_kernel_size(), in->source, in->memory, &error) != KCAP_OK)
		in->kernel = NULL;
	return 0;
}
