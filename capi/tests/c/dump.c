/* A dump of a small vmcore into memory, read back page by page; on two threads at once, each with objects of its own. */
#include "input.h"
#include "test.h"

#include <pthread.h>

#define PAGE 4096
#define DUMP_LEN ((size_t)64 << 20)

struct buffer {
	uint8_t *bytes;
	size_t len;
};

struct run {
	const char *path;
	kcap_compression compression;
	struct input in;
	struct buffer out;
	struct kcap_report report;
	kcap_status status;
};

static int32_t write_buffer(void *ctx, uint64_t offset, const uint8_t *bytes, size_t len)
{
	struct buffer *buffer = ctx;

	if (offset > DUMP_LEN || len > DUMP_LEN - offset)
		return 28;
	memcpy(buffer->bytes + offset, bytes, len);
	if (offset + len > buffer->len)
		buffer->len = offset + len;
	return 0;
}

static int32_t read_buffer(void *ctx, uint64_t offset, uint8_t *buf, size_t len)
{
	const struct buffer *buffer = ctx;

	if (offset > buffer->len || len > buffer->len - offset)
		return 5;
	memcpy(buf, buffer->bytes + offset, len);
	return 0;
}

static uint64_t buffer_size(void *ctx)
{
	return ((const struct buffer *)ctx)->len;
}

static void *dump(void *argument)
{
	struct run *run = argument;
	struct kcap_dump_options options = { .size = sizeof options, .level = KCAP_LEVEL_ALL, .compression = run->compression };
	struct kcap_write_at to = { &run->out, write_buffer, NULL, 0 };
	size_t work = 1 << 20;
	kcap_dumper *dumper = (kcap_dumper *)object(kcap_dumper_size(), kcap_dumper_align());

	run->status = KCAP_ERR_STATE;
	run->out.bytes = calloc(1, DUMP_LEN);
	run->report.size = sizeof run->report;
	if (!run->out.bytes || input_open(&run->in, run->path) != 0)
		return NULL;
	run->status = kcap_dumper_init(dumper, kcap_dumper_size(), run->in.source, run->in.kernel, &options, object(work, 8), work,
				       NULL);
	while (run->status == KCAP_OK)
		run->status = kcap_dumper_step(dumper, run->in.memory, &to, NULL, NULL);
	CHECK(kcap_dumper_get_report(dumper, &run->report) == KCAP_OK);
	return NULL;
}

/* The page frames that a level keeps, by whoever made the vmcore: see testkit. */
static unsigned char *kept_by_testkit(const char *path, int level, uint64_t end)
{
	unsigned char *kept = calloc(1, end);
	FILE *list = fopen(path, "r");
	unsigned long long pfn;
	int of;

	CHECK(list && kept);
	while (list && fscanf(list, "%d %llx", &of, &pfn) == 2) {
		if (of == level && pfn < end)
			kept[pfn] = 1;
	}
	if (list)
		fclose(list);
	return kept;
}

static int is_zero(const unsigned char *page)
{
	static const unsigned char zeros[PAGE];

	return memcmp(page, zeros, PAGE) == 0;
}

/* Every page that is to be kept is there as it was; of the others none but those of zeros. */
static void read_back(struct run *run)
{
	struct kcap_read_at input = { &run->out, read_buffer, buffer_size };
	const struct kcap_read_at *inputs[] = { &input };
	size_t work = kcap_kdump_work(1), pages = 0, left_out = 0;
	kcap_kdump *kdump = (kcap_kdump *)object(kcap_kdump_size(), kcap_kdump_align());
	kcap_memory *memory = (kcap_memory *)object(kcap_memory_size(), kcap_memory_align());
	unsigned char one[PAGE], other[PAGE], *kept = kept_by_testkit("kept", KCAP_LEVEL_ALL, run->in.facts.end);
	struct kcap_pfn_range range;
	uint64_t from = 0;

	CHECK(kcap_input_kind(&input) == KCAP_INPUT_KDUMP);
	CHECK(kcap_kdump_init(kdump, kcap_kdump_size(), inputs, 1, 0, object(work, 8), work, NULL) == KCAP_OK);
	work = kcap_memory_kdump_work(kdump);
	CHECK(kcap_memory_init_kdump(memory, kcap_memory_size(), kdump, object(work, 8), work, NULL) == KCAP_OK);
	for (; kcap_memory_next_held(run->in.memory, from, &range, NULL) == KCAP_OK; from = range.end) {
		for (uint64_t pfn = range.start; pfn < range.end; pfn++) {
			kcap_status status = kcap_memory_read(memory, pfn * PAGE, one, PAGE, NULL);

			CHECK(kcap_memory_read(run->in.memory, pfn * PAGE, other, PAGE, NULL) == KCAP_OK);
			if (kept[pfn]) {
				pages++;
				CHECK(status == KCAP_OK && memcmp(one, other, PAGE) == 0);
			} else {
				left_out++;
				CHECK(status == KCAP_ERR_EXCLUDED || (status == KCAP_OK && is_zero(one) && is_zero(other)));
			}
		}
	}
	CHECK(pages > 0 && left_out > 0);
	CHECK(run->report.saved == pages && run->report.zero < pages);
	free(kept);
}

int main(int argc, char **argv)
{
	struct run runs[2] = { { .compression = KCAP_COMPRESSION_ZLIB }, { .compression = KCAP_COMPRESSION_ZSTD } };
	pthread_t threads[2];
	size_t i;

	if (argc < 2)
		return 64;
	for (i = 0; i < 2; i++) {
		runs[i].path = argv[1];
		CHECK(pthread_create(&threads[i], NULL, dump, &runs[i]) == 0);
	}
	for (i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (i = 0; i < 2; i++) {
		CHECK(runs[i].status == KCAP_END);
		CHECK(runs[i].report.outcome == KCAP_OUTCOME_COMPLETE && runs[i].report.lost == 0);
		read_back(&runs[i]);
	}
	/* What each packed differs: neither wrote to the other's output. */
	CHECK(runs[0].out.len != runs[1].out.len);
	for (i = 0; i < 2; i++)
		free(runs[i].out.bytes);
	return done("dump");
}
