/* Where a dump goes: a new file, or a stream to standard output; and how a dump ends. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "input.h"

/* kcap's exit codes. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_INCOMPLETE = 3, EXIT_KEPT_MORE = 4, EXIT_USAGE = 64 };

/* What -d, -c, -l, -p and -z say goes to `options`; of several codecs the last counts. -1: a level that is none, or another option. */
int output_option(struct kcap_dump_options *options, int option, const char *argument);

struct output {
	const char *name;
	kcap_output *file;		/* NULL: standard output */
	struct kcap_write_at to;
};

/* Creates the file at `path`, or takes standard output for NULL: 0, or -1 after saying why not. A file that exists is overwritten
 * where `force` says so, but never the dump that is read. */
int output_open(struct output *out, const char *path, int force, const struct input *in);

/* What the program answers after a dump that ended with `status`: the output is synced, left incomplete, or removed. */
int output_end(const struct output *out, kcap_status status, const struct kcap_error *error,
	       const struct kcap_report *report);

/* The memory that a dump of `in` is best given: its bitmap and room for large writes, as far as the machine has it. */
size_t output_work(const struct input *in);

#endif
