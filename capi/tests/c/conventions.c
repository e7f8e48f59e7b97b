/* The layouts and the conventions that every program relies on. */
#include "test.h"

/* Layouts are the ABI: a change here is a new soname. */
STATIC_ASSERT(sizeof(kcap_status) == 4, "kcap_status");
STATIC_ASSERT(offsetof(kcap_error, status) == sizeof(size_t), "kcap_error.status");
STATIC_ASSERT(offsetof(kcap_error, offset) == sizeof(size_t) + 8, "kcap_error.offset");
STATIC_ASSERT(sizeof(kcap_error) == sizeof(size_t) + 24 + KCAP_FIELD_LEN, "kcap_error");
STATIC_ASSERT(sizeof(kcap_program_header) == 56, "kcap_program_header");
STATIC_ASSERT(sizeof(kcap_read_at) == 3 * sizeof(void *), "kcap_read_at");

static int32_t fail(void *ctx, uint64_t offset, uint8_t *buf, size_t len)
{
	(void)ctx, (void)offset, (void)buf, (void)len;
	return -5;
}

static void versions(void)
{
	CHECK(kcap_version() == KCAP_VERSION);
	CHECK(strcmp(kcap_version_str(), "0.1.0") == 0);
	CHECK(kcap_has("zlib") == 1);
	CHECK(kcap_has("no such feature") == 0);
	CHECK(kcap_has("") == 0);
	CHECK(kcap_has(NULL) == 0);
}

static void every_status_has_words(void)
{
	CHECK(strcmp(kcap_status_str(KCAP_OK), "done") == 0);
	CHECK(strcmp(kcap_status_str(-1), "unknown status") == 0);
	CHECK(strcmp(kcap_status_str(INT32_MAX), "unknown status") == 0);
	CHECK(strcmp(kcap_status_str(KCAP_ERR_NULL), "unknown status") != 0);
}

/* A failure tells the callback's own code, and leaves the object's memory as it was. */
static void a_failure_writes_nothing_but_its_error(void)
{
	kcap_read_at input = { NULL, fail, NULL };
	kcap_error error = { sizeof error, 0, 0, 0, 0, { 0 } };
	unsigned char *core = object(kcap_elf_core_size(), kcap_elf_core_align());
	uint64_t table[16];
	size_t at;

	memset(core, 0x5a, kcap_elf_core_size());
	CHECK(kcap_elf_core_init((kcap_elf_core *)core, kcap_elf_core_size(), &input, table, sizeof table, &error) ==
	      KCAP_ERR_IO);
	CHECK(error.status == KCAP_ERR_IO && error.code == -5);
	for (at = 0; at < kcap_elf_core_size(); at++)
		CHECK(core[at] == 0x5a);
	CHECK(kcap_elf_core_init((kcap_elf_core *)core, 1, &input, table, sizeof table, &error) ==
	      KCAP_ERR_BUFFER_TOO_SMALL);
	CHECK(error.value == kcap_elf_core_size());
	CHECK(kcap_elf_core_init((kcap_elf_core *)(core + 1), kcap_elf_core_size(), &input, table, sizeof table, NULL) ==
	      KCAP_ERR_ALIGNMENT);
	input.read_at = NULL;
	CHECK(kcap_elf_core_init((kcap_elf_core *)core, kcap_elf_core_size(), &input, table, sizeof table, NULL) ==
	      KCAP_ERR_NULL);
	free(core);
}

int main(void)
{
	versions();
	every_status_has_words();
	a_failure_writes_nothing_but_its_error();
	return done("conventions");
}
