/*
 * threads: a dump on several threads. This one hands out chunks and commits them in order; the program's own pthreads encode
 * them. The file is the same, byte by byte, as that of one thread.
 */
#include "output.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_THREADS 64

enum state { FREE, WAITING, ENCODED };

/* A chunk on its way, and room for what becomes of it. */
struct slot {
	enum state state;
	kcap_chunk *chunk;
	kcap_encoded *encoded;
	uint8_t *bytes;
	kcap_status status;
};

/* The ring of slots. Chunk number n is in slot n % count: memory is bounded, and the order is kept. */
struct ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot *slots;
	size_t count;
	uint64_t handed_out, taken;	/* chunks handed out by the dumper, taken by a thread */
	int over;
	struct kcap_encode_params params;
};

struct worker {
	pthread_t thread;
	struct ring *ring;
	kcap_memory *memory;
};

static void *encode(void *argument)
{
	struct worker *worker = argument;
	struct ring *ring = worker->ring;
	const struct kcap_encode_params *params = &ring->params;
	void *scratch = allocate(params->scratch_bytes, 8);

	pthread_mutex_lock(&ring->lock);
	for (;;) {
		struct slot *slot;
		kcap_status status;

		while (!ring->over && ring->taken == ring->handed_out)
			pthread_cond_wait(&ring->changed, &ring->lock);
		if (ring->taken == ring->handed_out)
			break;
		slot = &ring->slots[ring->taken++ % ring->count];
		pthread_mutex_unlock(&ring->lock);
		status = kcap_chunk_encode(slot->chunk, params, worker->memory, scratch, params->scratch_bytes, slot->bytes,
					   params->out_bytes, slot->encoded, kcap_encoded_size(), NULL);
		pthread_mutex_lock(&ring->lock);
		slot->status = status;
		slot->state = ENCODED;
		pthread_cond_broadcast(&ring->changed);
	}
	pthread_mutex_unlock(&ring->lock);
	free(scratch);
	return NULL;
}

/* Waits for the oldest chunk and writes it. */
static kcap_status commit(struct ring *ring, struct slot *slot, kcap_dumper *dumper, const struct kcap_write_at *to,
			  struct kcap_error *error)
{
	pthread_mutex_lock(&ring->lock);
	while (slot->state != ENCODED)
		pthread_cond_wait(&ring->changed, &ring->lock);
	pthread_mutex_unlock(&ring->lock);
	slot->state = FREE;
	if (slot->status) {
		error->status = slot->status;
		return slot->status;
	}
	return kcap_dumper_commit_chunk(dumper, slot->chunk, slot->encoded, slot->bytes, kcap_encoded_bytes(slot->encoded), to,
					error);
}

/* The loop: the ring is filled, then its oldest chunk is committed. */
static kcap_status hand_out_and_commit(struct ring *ring, struct input *in, kcap_dumper *dumper,
				       const struct kcap_write_at *to, struct kcap_error *error)
{
	uint64_t committed = 0;
	uint32_t next = KCAP_NEXT_AGAIN;
	kcap_status status = KCAP_OK;

	while (status == KCAP_OK && (next != KCAP_NEXT_DONE || committed < ring->handed_out)) {
		struct slot *slot = &ring->slots[ring->handed_out % ring->count];

		if (next == KCAP_NEXT_DONE || slot->state != FREE) {
			status = commit(ring, &ring->slots[committed++ % ring->count], dumper, to, error);
			continue;
		}
		status = kcap_dumper_next_chunk(dumper, in->memory, to, slot->chunk, kcap_chunk_size(), &next, error);
		if (status == KCAP_OK && next == KCAP_NEXT_CHUNK) {
			pthread_mutex_lock(&ring->lock);
			slot->state = WAITING;
			ring->handed_out++;
			pthread_cond_broadcast(&ring->changed);
			pthread_mutex_unlock(&ring->lock);
		}
	}
	return status ? status : kcap_dumper_finish(dumper, to, error);
}

static kcap_status dump(struct input *in, const struct kcap_dump_options *options, size_t threads,
			const struct kcap_write_at *to, struct kcap_report *report, struct kcap_error *error)
{
	struct ring ring = { .count = 4 * threads, .params.size = sizeof ring.params };
	struct worker workers[MOST_THREADS];
	size_t len = kcap_dumper_size(), work = output_work(in), again = kcap_memory_again_work(in->memory), i;
	kcap_dumper *dumper = allocate(len, kcap_dumper_align());
	kcap_status status = kcap_dumper_init(dumper, len, in->source, in->kernel, options, allocate(work, 8), work, error);

	if (!status)
		status = kcap_dumper_get_params(dumper, &ring.params);
	if (status)
		return status;
	pthread_mutex_init(&ring.lock, NULL);
	pthread_cond_init(&ring.changed, NULL);
	ring.slots = allocate(ring.count * sizeof *ring.slots, 8);
	for (i = 0; i < ring.count; i++) {
		ring.slots[i].chunk = allocate(kcap_chunk_size(), kcap_chunk_align());
		ring.slots[i].encoded = allocate(kcap_encoded_size(), kcap_encoded_align());
		ring.slots[i].bytes = allocate(ring.params.out_bytes, 8);
	}
	for (i = 0; i < threads && !status; i++) {
		workers[i] = (struct worker){ .ring = &ring, .memory = allocate(kcap_memory_size(), kcap_memory_align()) };
		status = kcap_memory_init_again(workers[i].memory, kcap_memory_size(), in->memory, allocate(again, 8), again, error);
		if (!status && pthread_create(&workers[i].thread, NULL, encode, &workers[i]) != 0)
			status = error->status = KCAP_ERR_STATE;
		if (status)
			break;
	}
	threads = i;
	if (!status)
		status = hand_out_and_commit(&ring, in, dumper, to, error);
	pthread_mutex_lock(&ring.lock);
	ring.over = 1;
	pthread_cond_broadcast(&ring.changed);
	pthread_mutex_unlock(&ring.lock);
	for (i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	if (status)
		kcap_dumper_abandon(dumper, to, NULL);
	kcap_dumper_get_report(dumper, report);
	return status;
}

static int usage(void)
{
	fputs("usage: threads [-f] [-j THREADS] [-d LEVEL] [-c | -l | -p | -z] IN OUT\n", stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct kcap_dump_options options = { .size = sizeof options };
	struct kcap_report report = { .size = sizeof report };
	struct kcap_error error = { .size = sizeof error };
	long threads = sysconf(_SC_NPROCESSORS_ONLN);
	int option, force = 0;
	struct input in;
	struct output out;
	kcap_status status;

	while ((option = getopt(argc, argv, "fj:d:clpz")) != -1) {
		if (option == 'f')
			force = 1;
		else if (option == 'j')
			threads = strtol(optarg, NULL, 10);
		else if (output_option(&options, option, optarg) != 0)
			return usage();
	}
	if (argc - optind != 2 || threads < 1)
		return usage();
	if (input_open(&in, argv[optind]) != 0 || output_open(&out, argv[optind + 1], force, &in) != 0)
		return EXIT_FAILED;
	status = dump(&in, &options, (size_t)(threads < MOST_THREADS ? threads : MOST_THREADS), &out.to, &report, &error);
	return output_end(&out, status, &error, &report);
}
