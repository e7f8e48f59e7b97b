/* A dump's output, and how a dump ends. */
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int output_option(struct kcap_dump_options *options, int option, const char *argument)
{
	static const char letters[] = "clpz";
	static const kcap_compression numbers[] = { KCAP_COMPRESSION_ZLIB, KCAP_COMPRESSION_LZO, KCAP_COMPRESSION_SNAPPY,
						    KCAP_COMPRESSION_ZSTD };
	const char *letter = strchr(letters, option);
	char *end;
	long level;

	if (option != 'd' && letter) {
		options->compression = numbers[letter - letters];
		return 0;
	}
	if (option != 'd')
		return -1;
	errno = 0;
	level = strtol(argument, &end, 10);
	if (errno || end == argument || *end || level < 0 || level > KCAP_LEVEL_ALL)
		return -1;
	options->level = (kcap_level)level;
	return 0;
}

int output_open(struct output *out, const char *path, int force, const struct input *in)
{
	struct kcap_error error = { .size = sizeof error };
	kcap_stream *stream = allocate(kcap_stream_size(), kcap_stream_align());
	kcap_status status;

	*out = (struct output){ .name = path ? path : "standard output" };
	if (path) {
		out->file = allocate(kcap_output_size(), kcap_output_align());
		status = kcap_output_init(out->file, kcap_output_size(), path,
					  force ? KCAP_OUTPUT_OVERWRITE : KCAP_OUTPUT_REFUSE, &in->identity, 1, &error);
		if (!status)
			status = kcap_output_writer(out->file, &out->to);
	} else {
		status = kcap_stream_init(stream, kcap_stream_size(), &error);
		if (!status)
			status = kcap_stream_writer(stream, &out->to);
	}
	if (status)
		complain(out->name, &error);
	return status ? -1 : 0;
}

int output_end(const struct output *out, kcap_status status, const struct kcap_error *error,
	       const struct kcap_report *report)
{
	int32_t code;

	if (status) {
		complain(out->name, error);
		/* The storage is full: what was saved is of use, and marked as incomplete. A stream that fails is gone. */
		if (out->file && status == KCAP_ERR_IO && report->saved) {
			out->to.sync(out->to.ctx);
			return EXIT_INCOMPLETE;
		}
		if (out->file)
			kcap_output_discard(out->file, NULL);
		return EXIT_FAILED;
	}
	code = out->to.sync(out->to.ctx);
	if (code) {
		fprintf(stderr, "%s: %s\n", out->name, strerror(code));
		return EXIT_FAILED;
	}
	if (report->lost || report->incomplete)
		fprintf(stderr, "%s: incomplete: %llu pages could not be read\n", out->name, (unsigned long long)report->lost);
	if (report->reason)
		fprintf(stderr, "%s: more was kept than asked (reason %u)\n", out->name, report->reason);
	if (report->outcome == KCAP_OUTCOME_MORE_KEPT)
		return EXIT_KEPT_MORE;
	return report->outcome == KCAP_OUTCOME_COMPLETE ? EXIT_DONE : EXIT_INCOMPLETE;
}

size_t output_work(const struct input *in)
{
	uint64_t least = 1 << 20, most = 64 << 20, left = kcap_available_memory() / 4;
	uint64_t whole = in->facts.end / 8 + 4 * (uint64_t)in->facts.loads + (4 << 20);

	if (left < most)
		most = left > least ? left : least;
	return (size_t)(whole < most ? whole : most) & ~(size_t)7;
}
