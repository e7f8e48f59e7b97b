/* A dump of any format, opened: what mkdump, threads and coredesc share. */
#ifndef INPUT_H
#define INPUT_H

#include <kcapture.h>

/* Everything that reads a dump. Objects keep each other: nothing is freed before the program ends. */
struct input {
	const char *path;
	struct kcap_file_identity identity;	/* which no output may have */
	uint32_t kind;			/* KCAP_INPUT_ELF or KCAP_INPUT_KDUMP */
	struct kcap_read_at file;	/* the file as it stands */
	struct kcap_read_at dump;	/* the dump in it: the file, or what its flattened stream holds */
	kcap_flattened *flattened;	/* NULL: the file is no stream */
	kcap_elf_core *elf;		/* NULL: the dump is kdump-compressed */
	kcap_kdump *kdump;		/* NULL: the dump is an ELF core */
	kcap_source *source;
	kcap_memory *memory;
	kcap_kernel *kernel;		/* NULL: no virtual address can be read, and pages are not told apart */
	struct kcap_source_facts facts;
};

/* Opens the dump at `path`: 0, or -1 after saying why not. */
int input_open(struct input *in, const char *path);

/* Zeroed memory for an object of the library; the program ends where there is none. */
void *allocate(size_t size, size_t align);

/* Says on standard error what failed with `what`. */
void complain(const char *what, const struct kcap_error *error);

#endif
