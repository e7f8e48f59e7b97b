/*
 * mkdump: makedumpfile over libkcapture. Saves the memory of a crashed machine without the pages that a dump level leaves out.
 *
 * The files are input.c (a dump of any format, opened), output.c (a file or standard output), and this loop.
 */
#include "output.h"

#include <stdio.h>
#include <unistd.h>

static int usage(void)
{
	fputs("usage: mkdump [-f] [-d LEVEL] [-c | -l | -p | -z | -E] IN OUT\n"
	      "       mkdump -F [-d LEVEL] [-c | -l | -p | -z | -E] IN\n", stderr);
	return EXIT_USAGE;
}

/* Dumps `in` to `to`, all on this thread. */
static kcap_status dump(struct input *in, const struct kcap_dump_options *options, const struct kcap_write_at *to,
			struct kcap_report *report, struct kcap_error *error)
{
	size_t len = kcap_dumper_size(), work = output_work(in);
	kcap_dumper *dumper = allocate(len, kcap_dumper_align());
	kcap_status status;

	status = kcap_dumper_init(dumper, len, in->source, in->kernel, options, allocate(work, 8), work, error);
	if (status)
		return status;
	do {
		status = kcap_dumper_step(dumper, in->memory, to, NULL, error);
	} while (status == KCAP_OK);
	if (status != KCAP_END)
		kcap_dumper_abandon(dumper, to, NULL);
	kcap_dumper_get_report(dumper, report);
	return status == KCAP_END ? KCAP_OK : status;
}

/* The same as a flattened stream. */
static kcap_status dump_flattened(struct input *in, const struct kcap_dump_options *options, const struct kcap_write_at *to,
				  struct kcap_report *report, struct kcap_error *error)
{
	size_t len = kcap_flattened_writer_size();
	kcap_flattened_writer *writer = allocate(len, kcap_flattened_writer_align());
	struct kcap_write_at records;
	kcap_status status = kcap_flattened_writer_init(writer, len, to, error);

	if (!status)
		status = kcap_flattened_writer_output(writer, &records);
	if (!status)
		status = dump(in, options, &records, report, error);
	/* Without its end record a stream says that it is incomplete. */
	return status ? status : kcap_flattened_writer_finish(writer, error);
}

int main(int argc, char **argv)
{
	struct kcap_dump_options options = { .size = sizeof options };
	struct kcap_report report = { .size = sizeof report };
	struct kcap_error error = { .size = sizeof error };
	int option, force = 0, flattened = 0;
	struct input in;
	struct output out;
	kcap_status status;

	while ((option = getopt(argc, argv, "d:clpzEFf")) != -1) {
		switch (option) {
		case 'E':
			options.format = KCAP_FORMAT_ELF;
			break;
		case 'F':
			flattened = 1;
			break;
		case 'f':
			force = 1;
			break;
		default:
			if (output_option(&options, option, optarg) != 0)
				return usage();
		}
	}
	/* A stream goes to standard output, and an ELF core is never compressed. */
	if (argc - optind != (flattened ? 1 : 2) || (flattened && force) || (options.compression && options.format == KCAP_FORMAT_ELF))
		return usage();
	if (input_open(&in, argv[optind]) != 0)
		return EXIT_FAILED;
	if (output_open(&out, flattened ? NULL : argv[optind + 1], force, &in) != 0)
		return EXIT_FAILED;
	if (flattened)
		status = dump_flattened(&in, &options, &out.to, &report, &error);
	else
		status = dump(&in, &options, &out.to, &report, &error);
	return output_end(&out, status, &error, &report);
}
